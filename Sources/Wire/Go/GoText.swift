/// How Go prints values, where the components we stand in for are written in Go.
package enum GoText {
  private static let hex = Array("0123456789abcdef".utf8)

  /// `%q` of a string.
  package static func quote(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\u{07}": out += "\\a"
      case "\u{08}": out += "\\b"
      case "\u{0c}": out += "\\f"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case "\u{0b}": out += "\\v"
      default:
        if scalar.value < 0x20 || scalar.value == 0x7f {
          out += "\\x" + String(decoding: [hex[Int(scalar.value >> 4)], hex[Int(scalar.value & 15)]], as: UTF8.self)
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out + "\""
  }

  /// `%v` of a slice of strings: `[a b]`.
  package static func list(_ texts: [String]) -> String { "[\(texts.joined(separator: " "))]" }

  /// `%v` of a map with string keys, its keys sorted: `map[a:b c:d]`.
  package static func map(_ map: [String: String]) -> String {
    "map[\(map.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: " "))]"
  }

  /// An `errors.Aggregate` of apimachinery: one error as it is, more in brackets, doubles left out.
  package static func aggregate(_ errors: [String]) -> String {
    var seen: [String] = []
    for error in errors where !seen.contains(error) { seen.append(error) }
    return seen.count == 1 ? seen[0] : "[\(seen.joined(separator: ", "))]"
  }

  /// A `time.Time` in UTC, whole seconds: `1990-04-22 01:02:03 +0000 UTC`.
  package static func time(_ time: Timestamp) -> String {
    let c = time.civil
    return "\(c.year.padded(4))-\(c.month.padded(2))-\(c.day.padded(2)) "
      + "\(c.hour.padded(2)):\(c.minute.padded(2)):\(c.second.padded(2)) +0000 UTC"
  }

  /// A `time.Duration` of whole seconds: `2m0s`, `1h0m5s`, `0s`.
  package static func duration(seconds total: Int) -> String {
    let sign = total < 0 ? "-" : ""
    let seconds = abs(total)
    if seconds < 60 { return "\(sign)\(seconds)s" }
    if seconds < 3600 { return "\(sign)\(seconds / 60)m\(seconds % 60)s" }
    return "\(sign)\(seconds / 3600)h\(seconds / 60 % 60)m\(seconds % 60)s"
  }
}

/// An error of Go's standard library, by its text.
package struct GoError: Error, Equatable {
  package var message: String

  package init(_ message: String) { self.message = message }
}
