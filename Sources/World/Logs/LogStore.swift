package import Wire

/// Append-only logs beside the store: audit, control-plane logs, CloudTrail, containers' output.
///
/// A record is written with the batch that caused it: its bytes go to the stream's file before the
/// commit, the stream's committed length goes into the commit, and what lies behind that length after a
/// restart is cut off. A stream is bounded: past its limit the older half goes; only the input log, which bounds
/// itself, is kept whole.
package final class LogStore {
  package struct Record: Sendable, Hashable {
    package var at: Timestamp
    package var text: String
  }

  /// Where the bytes lie.
  package protocol Files: AnyObject {
    func append(_ stream: String, _ bytes: [UInt8]) throws(StoreError)
    /// The first `length` bytes; fewer when there are fewer.
    func read(_ stream: String, length: Int) -> [UInt8]
    func replace(_ stream: String, _ bytes: [UInt8]) throws(StoreError)
    func cut(_ stream: String, length: Int) throws(StoreError)
    func remove(_ stream: String)
  }

  /// Bytes a stream may have before its older half is dropped.
  package static let limit = 16 << 20

  private let files: any Files
  private var committed: [String: Int]
  private var pending: [String: [UInt8]] = [:]
  /// Goes up with every record but those of the input log.
  private(set) var changes: UInt64 = 0

  init(files: any Files, committed: [String: Int]) throws(StoreError) {
    self.files = files
    self.committed = committed
    for (stream, length) in committed.sorted(by: { $0.key < $1.key }) { try files.cut(stream, length: length) }
  }

  package func append(_ stream: String, at: Timestamp, _ text: String) {
    // A record is one line: time, blank, text with its line ends escaped.
    var line = Array("\(at.microseconds) ".utf8)
    for byte in text.utf8 {
      switch byte {
      case 0x0a: line += [0x5c, UInt8(ascii: "n")]
      case 0x5c: line += [0x5c, 0x5c]
      default: line.append(byte)
      }
    }
    line.append(0x0a)
    pending[stream, default: []] += line
    if stream != InputLog.stream { changes &+= 1 }
  }

  /// Bytes of a stream so far.
  func length(_ stream: String) -> Int { (committed[stream] ?? 0) + (pending[stream]?.count ?? 0) }

  /// Streams whose names begin with `prefix`, in order.
  package func streams(prefix: String) -> [String] {
    Set(committed.keys).union(pending.keys).filter { $0.hasPrefix(prefix) }.sorted()
  }

  /// The records of a stream in order, newest last.
  package func read(_ stream: String) -> [Record] {
    var bytes = files.read(stream, length: committed[stream] ?? 0)
    bytes += pending[stream] ?? []
    return Self.records(bytes)
  }

  /// The records in the bytes of a stream.
  package static func records(_ bytes: [UInt8]) -> [Record] {
    var records: [Record] = []
    for line in bytes.split(separator: 0x0a) {
      guard let blank = line.firstIndex(of: 0x20),
        let at = Int64(String(decoding: line[..<blank], as: UTF8.self))
      else { continue }
      var text: [UInt8] = []
      var escaped = false
      for byte in line[(blank + 1)...] {
        if escaped {
          text.append(byte == UInt8(ascii: "n") ? 0x0a : byte)
          escaped = false
        } else if byte == 0x5c {
          escaped = true
        } else {
          text.append(byte)
        }
      }
      records.append(Record(at: Timestamp(microseconds: at), text: String(decoding: text, as: UTF8.self)))
    }
    return records
  }

  package func remove(_ stream: String) {
    pending[stream] = nil
    changes &+= 1
    if committed.removeValue(forKey: stream) != nil { removed.append(stream) }
  }
  private var removed: [String] = []

  var hasPending: Bool { !pending.isEmpty || !removed.isEmpty }

  /// Writes what is pending and returns the lengths that the commit has to hold, of the streams that changed; nil of
  /// one that is gone. Called again after a commit that failed, it first cuts what that attempt left.
  func flush() throws(StoreError) -> [String: Int?] {
    var lengths: [String: Int?] = [:]
    for stream in removed { lengths[stream] = .some(nil) }
    for stream in pending.keys.sorted() {
      let bytes = pending[stream]!
      let before = committed[stream] ?? 0
      if before + bytes.count > Self.limit, stream != InputLog.stream {
        let old = files.read(stream, length: before)
        let half = old.count / 2
        let start = old[half...].firstIndex(of: 0x0a).map { $0 + 1 } ?? old.count
        try files.replace(stream, Array(old[start...]) + bytes)
        lengths[stream] = old.count - start + bytes.count
      } else {
        try files.cut(stream, length: before)
        try files.append(stream, bytes)
        lengths[stream] = before + bytes.count
      }
    }
    return lengths
  }

  func flushed(_ lengths: [String: Int?]) {
    for (stream, length) in lengths { committed[stream] = length }
    pending.removeAll()
    for stream in removed where committed[stream] == nil { files.remove(stream) }
    removed.removeAll()
  }
}

/// Files that forget.
package final class MemoryLogFiles: LogStore.Files {
  private var bytes: [String: [UInt8]] = [:]
  package init() {}
  package func append(_ stream: String, _ more: [UInt8]) throws(StoreError) { bytes[stream, default: []] += more }
  package func read(_ stream: String, length: Int) -> [UInt8] { Array((bytes[stream] ?? []).prefix(length)) }
  package func replace(_ stream: String, _ all: [UInt8]) throws(StoreError) { bytes[stream] = all }
  package func cut(_ stream: String, length: Int) throws(StoreError) {
    if let held = bytes[stream], held.count > length { bytes[stream] = Array(held.prefix(length)) }
  }
  package func remove(_ stream: String) { bytes[stream] = nil }
}
