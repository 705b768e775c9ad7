/// Comma-separated values as Go's `encoding/csv` reads them.
enum CommaSeparated {
  /// The fields of the first line that isn't empty; nil where there is none or its quotes don't match.
  static func firstRecord(_ text: String) -> [String]? {
    var bytes = Array(text.utf8)[...]
    while bytes.first == 0x0a || bytes.starts(with: [0x0d, 0x0a]) {
      bytes = bytes.dropFirst(bytes.first == 0x0a ? 1 : 2)
    }
    guard !bytes.isEmpty else { return nil }
    var fields: [String] = []
    while true {
      let field: [UInt8]?
      (field, bytes) = bytes.first == 0x22 ? quoted(bytes.dropFirst()) : plain(bytes)
      guard let field else { return nil }
      fields.append(String(decoding: field, as: UTF8.self))
      guard bytes.first == 0x2c else { return fields }
      bytes = bytes.dropFirst()
    }
  }

  /// Up to a comma or the line's end; nil for a quote in it.
  private static func plain(_ bytes: ArraySlice<UInt8>) -> ([UInt8]?, ArraySlice<UInt8>) {
    let end = bytes.firstIndex { $0 == 0x2c || $0 == 0x0a } ?? bytes.endIndex
    var field = bytes[..<end]
    // Go takes a carriage return before the line's end, the text's end included, for part of it.
    if end == bytes.endIndex || bytes[end] == 0x0a, field.last == 0x0d { field = field.dropLast() }
    return (field.contains(0x22) ? nil : Array(field), bytes[end...])
  }

  /// Up to the closing quote, after which a comma or the line's end must come.
  private static func quoted(_ bytes: ArraySlice<UInt8>) -> ([UInt8]?, ArraySlice<UInt8>) {
    var field: [UInt8] = []
    var at = bytes.startIndex
    while at < bytes.endIndex {
      let byte = bytes[at]
      at += 1
      guard byte == 0x22 else {
        field.append(byte)
        continue
      }
      let rest = bytes[at...]
      if rest.first == 0x22 {
        field.append(0x22)
        at += 1
      } else if rest.isEmpty || rest.first == 0x2c || rest.first == 0x0a || rest.starts(with: [0x0d, 0x0a])
        || rest.elementsEqual([0x0d])
      {
        return (field, rest)
      } else {
        return (nil, rest)
      }
    }
    return (nil, bytes[at...])
  }
}
