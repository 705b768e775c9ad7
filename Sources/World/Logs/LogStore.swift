package import Wire

/// Append-only logs beside the store: audit, control-plane logs, CloudTrail, containers' output.
///
/// A record is written with the batch that caused it. The bytes of a short stream, as most containers have, lie in its
/// row. Those of a longer one go to its file before the commit, its length goes into the commit, and what lies behind
/// that length after a restart is cut off. A stream is bounded: past its limit the older half goes; only the input log,
/// which bounds itself, is kept whole.
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

  /// Bytes up to which a stream lies in its row.
  package static let rowLimit = 4096

  private let files: any Files
  private var committed: [String: LogPlace]
  private var pending: [String: [UInt8]] = [:]
  /// Goes up with every record but those of the input log.
  private(set) var changes: UInt64 = 0

  init(files: any Files, committed: [String: LogPlace]) throws(StoreError) {
    self.files = files
    self.committed = committed
    for (stream, place) in committed.sorted(by: { $0.key < $1.key }) {
      if case .file(let length) = place { try files.cut(stream, length: length) }
    }
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
  func length(_ stream: String) -> Int { (committed[stream]?.length ?? 0) + (pending[stream]?.count ?? 0) }

  /// Streams whose names begin with `prefix`, in order.
  package func streams(prefix: String) -> [String] {
    Set(committed.keys).union(pending.keys).filter { $0.hasPrefix(prefix) }.sorted()
  }

  /// The records of a stream in order, newest last.
  package func read(_ stream: String) -> [Record] {
    var bytes = committed[stream]?.bytes(of: stream, files) ?? []
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
    guard let place = committed.removeValue(forKey: stream) else { return }
    removed.append(stream)
    if case .file = place { removedFiles.append(stream) }
  }
  private var removed: [String] = []
  /// Those of them that have files.
  private var removedFiles: [String] = []

  var hasPending: Bool { !pending.isEmpty || !removed.isEmpty }

  /// Writes what is pending and returns where the streams that changed lie now, which the commit has to hold; nil of
  /// one that is gone. Called again after a commit that failed, it first cuts what that attempt left.
  func flush() throws(StoreError) -> [String: LogPlace?] {
    var places: [String: LogPlace?] = [:]
    for stream in removed { places[stream] = .some(nil) }
    for stream in pending.keys.sorted() { places[stream] = try put(pending[stream]!, to: stream) }
    return places
  }

  private func put(_ bytes: [UInt8], to stream: String) throws(StoreError) -> LogPlace {
    guard case .file(let length)? = committed[stream] else {
      let all = (committed[stream]?.bytes(of: stream, files) ?? []) + bytes
      // The input log is read as a file, alone.
      if all.count <= Self.rowLimit, stream != InputLog.stream { return .row(all) }
      try files.replace(stream, all)
      return .file(length: all.count)
    }
    if length + bytes.count > Self.limit, stream != InputLog.stream {
      let old = files.read(stream, length: length)
      let half = old.count / 2
      let start = old[half...].firstIndex(of: 0x0a).map { $0 + 1 } ?? old.count
      try files.replace(stream, Array(old[start...]) + bytes)
      return .file(length: old.count - start + bytes.count)
    }
    try files.cut(stream, length: length)
    try files.append(stream, bytes)
    return .file(length: length + bytes.count)
  }

  func flushed(_ places: [String: LogPlace?]) {
    for (stream, place) in places { committed[stream] = place }
    pending.removeAll()
    for stream in removedFiles {
      if case .file? = committed[stream] { continue }
      files.remove(stream)
    }
    removed.removeAll()
    removedFiles.removeAll()
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
