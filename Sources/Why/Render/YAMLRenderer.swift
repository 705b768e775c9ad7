package import Wire

/// A JSON value as YAML, in block style.
package enum YAMLRenderer {
  package static func render(_ value: JSON) -> String {
    var out = ""
    write(value, indent: 0, inList: false, &out)
    return out
  }

  private static func write(_ value: JSON, indent: Int, inList: Bool, _ out: inout String) {
    let margin = String(repeating: "  ", count: indent)
    switch value {
    case .object(let object) where !object.isEmpty:
      for (index, field) in object.fields.enumerated() {
        if !(inList && index == 0) { out += margin }
        out += "\(scalar(.string(field.key))):"
        nested(field.value, indent: indent, &out)
      }
    case .array(let array) where !array.isEmpty:
      for element in array {
        out += "\(margin)- "
        if element.fields.isEmpty, element.items.isEmpty {
          out += "\(scalar(element))\n"
        } else {
          write(element, indent: indent + 1, inList: true, &out)
        }
      }
    default: out += "\(margin)\(scalar(value))\n"
    }
  }

  private static func nested(_ value: JSON, indent: Int, _ out: inout String) {
    if value.fields.isEmpty, value.items.isEmpty {
      out += " \(scalar(value))\n"
    } else {
      out += "\n"
      write(value, indent: value.array == nil ? indent + 1 : indent, inList: false, &out)
    }
  }

  private static func scalar(_ value: JSON) -> String {
    guard case .string(let text) = value else { return value.text() }
    let plain = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
      default: "-_./ ".utf8.contains(byte)
      }
    }
    let first = text.utf8.first ?? 0
    let startsAsWord = (0x41...0x5a).contains(first) || (0x61...0x7a).contains(first)
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
    // Any JSON string is a YAML string.
    return plain && startsAsWord && !reserved && !text.hasSuffix(" ") ? text : value.text()
  }
}
