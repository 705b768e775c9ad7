/// What a scalar's text means in YAML 1.1, as Go's `yaml.v2` resolves it.
enum YAMLScalar {
  private static let prefix = "tag:yaml.org,2002:"

  static func resolve(_ text: String, tag: String, isPlain: Bool) throws(YAML.Fault) -> JSON {
    switch tag {
    case "" where isPlain: return try finite(plain(text))
    case prefix + "null": return .null
    case prefix + "binary":
      guard let bytes = Base64.decode(text) else { throw YAML.Fault("!!binary value contains invalid base64 data") }
      return .string(String(decoding: bytes, as: UTF8.self))
    case prefix + "bool":
      guard case .bool = plain(text) else { throw mismatch(text, "bool") }
      return plain(text)
    case prefix + "int":
      guard case .int = plain(text) else { throw mismatch(text, "int") }
      return plain(text)
    case prefix + "float":
      guard let number = plain(text).double else { throw mismatch(text, "float") }
      return try finite(.double(number))
    default: return .string(text)
    }
  }

  private static func mismatch(_ text: String, _ type: String) -> YAML.Fault {
    YAML.Fault("cannot decode !!str `\(text)` as a !!\(type)")
  }

  private static func finite(_ value: JSON) throws(YAML.Fault) -> JSON {
    if case .double(let number) = value, !number.isFinite { throw YAML.Fault("unsupported value: \(number)") }
    return value
  }

  /// Whether the text, written plain, is read as a string.
  static func isText(_ text: String) -> Bool {
    if text == "<<" || text == "=" { return false }
    if case .string = plain(text) { return !isTimestamp(text) && !isSexagesimal(text) }
    return false
  }

  static func plain(_ text: String) -> JSON {
    guard let first = text.utf8.first else { return .null }
    switch first {
    case UInt8(ascii: "~"), UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "y"), UInt8(ascii: "Y"),
      UInt8(ascii: "t"), UInt8(ascii: "T"), UInt8(ascii: "f"), UInt8(ascii: "F"), UInt8(ascii: "o"),
      UInt8(ascii: "O"):
      return word(text) ?? .string(text)
    case UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"), 0x30...0x39: return number(text) ?? .string(text)
    default: return .string(text)
    }
  }

  private static func word(_ text: String) -> JSON? {
    switch text {
    case "~", "null", "Null", "NULL": .null
    case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": true
    case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": false
    default: nil
    }
  }

  private static func number(_ text: String) -> JSON? {
    switch text {
    case ".nan", ".NaN", ".NAN": return .double(.nan)
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .double(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .double(-.infinity)
    default: break
    }
    let digits = text.replacing("_", with: "")
    if let whole = integer(digits) { return .int(whole) }
    return isFloat(digits) ? Double(digits).map { .double($0) } : nil
  }

  private static func integer(_ text: String) -> Int64? {
    var rest = text[...]
    let isNegative = rest.hasPrefix("-")
    if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
    let lower = rest.lowercased()
    let (radix, count) =
      lower.hasPrefix("0x")
      ? (16, 2)
      : lower.hasPrefix("0o") ? (8, 2) : lower.hasPrefix("0b") ? (2, 2) : lower.hasPrefix("0") ? (8, 1) : (10, 0)
    if rest == "0" { return 0 }
    let body = rest.dropFirst(count)
    guard let first = body.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
    return Int64((isNegative ? "-" : "") + body, radix: radix)
  }

  /// `[-+]?(.[0-9]+|[0-9]+(.[0-9]*)?)([eE][-+]?[0-9]+)?`
  private static func isFloat(_ text: String) -> Bool {
    var rest = text.utf8[...]
    func digits() -> Int {
      let count = rest.prefix { (0x30...0x39).contains($0) }.count
      rest = rest.dropFirst(count)
      return count
    }
    if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    let whole = digits()
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      if digits() == 0, whole == 0 { return false }
    } else if whole == 0 {
      return false
    }
    if rest.first.map({ $0 | 32 }) == UInt8(ascii: "e") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
      if digits() == 0 { return false }
    }
    return rest.isEmpty
  }

  /// A date, which other readers take for a time.
  private static func isTimestamp(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count >= 8, bytes.prefix(4).allSatisfy({ (0x30...0x39).contains($0) }), bytes[4] == 0x2d else {
      return false
    }
    return true
  }

  /// A number of base 60 such as `1:30`, which readers of YAML 1.1 take for 90.
  private static func isSexagesimal(_ text: String) -> Bool {
    guard text.contains(":") else { return false }
    return text.utf8.allSatisfy { (0x30...0x39).contains($0) || [0x2b, 0x2d, 0x2e, 0x3a, 0x5f].contains($0) }
  }
}
