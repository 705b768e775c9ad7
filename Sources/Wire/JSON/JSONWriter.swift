extension JSON {
  /// How a value becomes text.
  package struct WriteOptions: Sendable {
    /// Two spaces a level and a line a field, as `kubectl -o json` and the AWS CLI print (four there).
    package var indent: Int?
    /// `<`, `>` and `&` as `\u003c` and so on, as Go's encoder writes them.
    package var escapesHTML: Bool

    package init(indent: Int? = nil, escapesHTML: Bool = false) {
      self.indent = indent
      self.escapesHTML = escapesHTML
    }

    package static let compact = WriteOptions()
    package static let go = WriteOptions(escapesHTML: true)
    package static let pretty = WriteOptions(indent: 2)
  }

  package func bytes(_ options: WriteOptions = .compact) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(256)
    write(to: &out, options, level: 0)
    return out
  }

  package func text(_ options: WriteOptions = .compact) -> String {
    String(decoding: bytes(options), as: UTF8.self)
  }

  package func write(to out: inout [UInt8], _ options: WriteOptions, level: Int) {
    switch self {
    case .null: out.append(contentsOf: "null".utf8)
    case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
    case .int(let value): out.append(contentsOf: String(value).utf8)
    case .double(let value): out.append(contentsOf: JSON.numberText(value).utf8)
    case .string(let value): JSON.writeString(value, to: &out, options)
    case .array(let array):
      guard !array.isEmpty else { return out.append(contentsOf: "[]".utf8) }
      out.append(UInt8(ascii: "["))
      for (index, element) in array.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        JSON.newLine(&out, options, level + 1)
        element.write(to: &out, options, level: level + 1)
      }
      JSON.newLine(&out, options, level)
      out.append(UInt8(ascii: "]"))
    case .object(let object):
      guard !object.isEmpty else { return out.append(contentsOf: "{}".utf8) }
      out.append(UInt8(ascii: "{"))
      for (index, field) in object.fields.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        JSON.newLine(&out, options, level + 1)
        JSON.writeString(field.key, to: &out, options)
        out.append(UInt8(ascii: ":"))
        if options.indent != nil { out.append(UInt8(ascii: " ")) }
        field.value.write(to: &out, options, level: level + 1)
      }
      JSON.newLine(&out, options, level)
      out.append(UInt8(ascii: "}"))
    }
  }

  private static func newLine(_ out: inout [UInt8], _ options: WriteOptions, _ level: Int) {
    guard let indent = options.indent else { return }
    out.append(UInt8(ascii: "\n"))
    out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * level))
  }

  /// A double as Go prints it: no fraction for whole numbers, an exponent below 1e-6 and from 1e21.
  package static func numberText(_ value: Double) -> String {
    guard value.isFinite else { return "null" }
    if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
    return "\(value)"
  }

  private static let hex = Array("0123456789abcdef".utf8)

  package static func writeString(_ string: String, to out: inout [UInt8], _ options: WriteOptions) {
    out.append(UInt8(ascii: "\""))
    var string = string
    string.withUTF8 { utf8 in
      var start = 0
      for index in utf8.indices {
        let byte = utf8[index]
        if byte >= 0x20, byte != 0x22, byte != 0x5c {
          guard options.escapesHTML, byte == 0x3c || byte == 0x3e || byte == 0x26 else { continue }
        }
        out.append(contentsOf: utf8[start..<index])
        start = index + 1
        switch byte {
        case 0x22: out.append(contentsOf: [0x5c, 0x22])
        case 0x5c: out.append(contentsOf: [0x5c, 0x5c])
        case 0x0a: out.append(contentsOf: [0x5c, UInt8(ascii: "n")])
        case 0x0d: out.append(contentsOf: [0x5c, UInt8(ascii: "r")])
        case 0x09: out.append(contentsOf: [0x5c, UInt8(ascii: "t")])
        default:
          out.append(contentsOf: [0x5c, UInt8(ascii: "u"), 0x30, 0x30, hex[Int(byte >> 4)], hex[Int(byte & 15)]])
        }
      }
      out.append(contentsOf: utf8[start...])
    }
    out.append(UInt8(ascii: "\""))
  }
}
