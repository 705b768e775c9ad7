import CGenerated

/// The tab-separated lines of an embedded data file.
struct DataLines: Sequence, IteratorProtocol {
  private var rest: UnsafeBufferPointer<UInt8>

  init(_ data: ekswhy_data) { rest = UnsafeBufferPointer(start: data.bytes, count: data.count) }

  /// The fields of the next line; a line of none is never given.
  mutating func next() -> [String]? {
    while !rest.isEmpty {
      var fields: [String] = []
      var start = 0
      var at = 0
      while at < rest.count, rest[at] != 0x0a {
        if rest[at] == 0x09 {
          fields.append(String(decoding: rest[start..<at], as: UTF8.self))
          start = at + 1
        }
        at += 1
      }
      fields.append(String(decoding: rest[start..<at], as: UTF8.self))
      rest = UnsafeBufferPointer(rebasing: rest[Swift.min(at + 1, rest.count)...])
      if fields.count > 1 || !fields[0].isEmpty { return fields }
    }
    return nil
  }
}

extension String {
  /// The parts between commas; none for the empty text.
  var commaSeparated: [String] { split(separator: ",").map(String.init) }
}
