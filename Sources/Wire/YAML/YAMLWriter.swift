extension YAML {
  /// A value as YAML in blocks, the fields of every object in order of their names unless told otherwise.
  ///
  /// As `kubectl -o yaml` prints it: lists stand at the indent of their key, texts of many lines in literal style.
  package static func write(_ value: JSON, sorted: Bool = true) -> String {
    var writer = YAMLWriter()
    writer.write(sorted ? value.sorted : value, indent: 0, afterKey: false, inList: false)
    return writer.out
  }
}

private struct YAMLWriter {
  var out = ""

  mutating func write(_ value: JSON, indent: Int, afterKey: Bool, inList: Bool) {
    switch value {
    case .object(let object) where !object.isEmpty:
      if afterKey { out += "\n" }
      for (index, field) in object.fields.enumerated() {
        // The first field of a list's element stands on the line of its dash.
        if index > 0 || !inList { pad(indent) }
        out += scalar(field.key, indent: indent, isKey: true) + ":"
        if case .array(let array) = field.value, !array.isEmpty {
          write(field.value, indent: indent, afterKey: true, inList: false)
        } else {
          write(field.value, indent: indent + 2, afterKey: true, inList: false)
        }
      }
    case .array(let array) where !array.isEmpty:
      if afterKey { out += "\n" }
      for (index, element) in array.enumerated() {
        if index > 0 || !inList { pad(indent) }
        out += "-"
        if case .object(let object) = element, !object.isEmpty {
          out += " "
          write(element, indent: indent + 2, afterKey: false, inList: true)
        } else if case .array(let inner) = element, !inner.isEmpty {
          out += " "
          write(element, indent: indent + 2, afterKey: false, inList: true)
        } else {
          write(element, indent: indent + 2, afterKey: true, inList: false)
        }
      }
    default:
      if afterKey { out += " " }
      out += leaf(value, indent: indent) + "\n"
    }
  }

  private mutating func pad(_ indent: Int) { out += String(repeating: " ", count: indent) }

  private func leaf(_ value: JSON, indent: Int) -> String {
    switch value {
    case .string(let text): scalar(text, indent: indent, isKey: false)
    case .object: "{}"
    case .array: "[]"
    default: value.text()
    }
  }

  private func scalar(_ text: String, indent: Int, isKey: Bool) -> String {
    if !isKey, let block = literal(text, indent: indent) { return block }
    if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) || text.unicodeScalars.contains(where: isUnprintable) {
      return quoted(text)
    }
    if text.isEmpty || !YAMLScalar.isText(text) { return quoted(text) }
    return isPlain(text) ? text : "'" + text.replacing("'", with: "''") + "'"
  }

  private func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x80...0x9f, 0x2028, 0x2029, 0xfeff, 0xfffe, 0xffff: true
    default: false
    }
  }

  /// The text over its own lines, where that reads back as the same.
  private func literal(_ text: String, indent: Int) -> String? {
    guard text.utf8.contains(0x0a), let first = text.utf8.first, first != 0x20, first != 0x0a,
      !text.utf8.contains(where: { $0 < 0x20 && $0 != 0x0a && $0 != 0x09 || $0 == 0x7f }),
      !text.unicodeScalars.contains(where: isUnprintable)
    else { return nil }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.contains(where: { $0.hasSuffix(" ") }) { return nil }
    let mark = text.hasSuffix("\n\n") ? "|+" : text.hasSuffix("\n") ? "|" : "|-"
    if text.hasSuffix("\n") { lines.removeLast() }
    let padding = String(repeating: " ", count: indent)
    return mark + lines.map { $0.isEmpty ? "\n" : "\n\(padding)\($0)" }.joined()
  }

  private func isPlain(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    let first = bytes[0]
    if first == 0x20 || bytes.last == 0x20 { return false }
    if "#,[]{}&*!|>'\"%@`".utf8.contains(first) { return false }
    if first == UInt8(ascii: "-") || first == UInt8(ascii: "?") || first == UInt8(ascii: ":") {
      if bytes.count == 1 || bytes[1] == 0x20 { return false }
    }
    if text.hasPrefix("---") || text.hasPrefix("...") || bytes.last == UInt8(ascii: ":") { return false }
    for (index, byte) in bytes.enumerated() {
      let next = index + 1 < bytes.count ? bytes[index + 1] : 0
      if byte == UInt8(ascii: ":"), next == 0x20 { return false }
      if byte == 0x20, next == UInt8(ascii: "#") { return false }
    }
    return true
  }

  private func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      default:
        if scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) {
          let digits = String(scalar.value, radix: 16, uppercase: true)
          out += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
        } else if isUnprintable(scalar) {
          let digits = String(scalar.value, radix: 16, uppercase: true)
          out += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out + "\""
  }
}
