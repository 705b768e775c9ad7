/// The formats that schemas of custom resources can ask of a text (`k8s.io/kube-openapi/pkg/validation/strfmt`).
package enum SchemaFormats {
  private static let known: Set<String> = [
    "bsonobjectid", "uri", "email", "hostname", "ipv4", "ipv6", "cidr", "mac", "uuid", "uuid3", "uuid4", "uuid5",
    "isbn", "isbn10", "isbn13", "creditcard", "ssn", "hexcolor", "rgbcolor", "byte", "password", "date", "duration",
    "datetime",
  ]

  /// Whether the format is one that is looked at; others are passed over.
  package static func isKnown(_ format: String) -> Bool { known.contains(normal(format)) }

  private static func normal(_ format: String) -> String { format.filter { $0 != "-" } }

  /// Whether the text has the format; every text has one that is not known.
  package static func matches(_ text: String, _ format: String) -> Bool {
    switch normal(format) {
    case "ipv4": IPv4Address(text) != nil
    case "ipv6": IPv6Text.isValid(text)
    case "cidr": CIDR(text) != nil || isIPv6Block(text)
    case "uuid": follows(text, uuid("[0-9a-f]", "[0-9a-f]"))
    case "uuid3": follows(text, uuid("3", "[0-9a-f]"))
    case "uuid4": follows(text, uuid("4", "[89ab]"))
    case "uuid5": follows(text, uuid("5", "[89ab]"))
    case "bsonobjectid": follows(text, "[0-9a-fA-F]{24}")
    case "hexcolor": follows(text, "#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
    case "ssn": follows(text, "\\d{3}[- ]?\\d{2}[- ]?\\d{4}")
    case "mac": follows(text, "([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")
    case "hostname": isHostname(text)
    case "email": isEmail(text)
    case "uri": isURI(text)
    case "byte": Base64.firstFault(text) == nil
    case "date": Timestamp(rfc3339: text + "T00:00:00Z") != nil && text.utf8.count == 10
    case "datetime": Timestamp(rfc3339: text) != nil
    case "duration": GoDuration.parse(text) != nil
    case "isbn": isISBN10(text) || isISBN13(text)
    case "isbn10": isISBN10(text)
    case "isbn13": isISBN13(text)
    case "rgbcolor": isColour(text)
    case "creditcard": isCard(text)
    default: true
    }
  }

  private static func follows(_ text: String, _ expression: String) -> Bool {
    RegularExpression(expression)?.matchesWhole(text.lowercased()) ?? true
  }

  private static func uuid(_ version: String, _ variant: String) -> String {
    "[0-9a-f]{8}-?[0-9a-f]{4}-?\(version)[0-9a-f]{3}-?\(variant)[0-9a-f]{3}-?[0-9a-f]{12}"
  }

  private static func isIPv6Block(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, let length = Int(parts[1]) else { return false }
    return IPv6Text.isValid(parts[0]) && (0...128).contains(length)
  }

  private static func isHostname(_ text: String) -> Bool {
    let name = text.hasSuffix(".") ? String(text.dropLast()) : text
    guard !name.isEmpty, text.utf8.count <= 255 else { return false }
    return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
      guard let first = part.utf8.first, let last = part.utf8.last, part.utf8.count <= 63 else { return false }
      return isLetter(first) && isLetter(last) && part.utf8.allSatisfy { isLetter($0) || $0 == 0x2d }
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }

  private static func isEmail(_ text: String) -> Bool {
    guard let at = text.lastIndex(of: "@"), at != text.startIndex else { return false }
    let name = text[..<at]
    return !name.contains { $0.isWhitespace || $0 == "@" || $0 == "<" || $0 == "," }
      && isHostname(String(text[text.index(after: at)...]))
  }

  private static func isURI(_ text: String) -> Bool {
    if text.hasPrefix("/") { return !text.contains(" ") }
    guard let colon = text.firstIndex(of: ":"), colon != text.startIndex, !text.contains(" ") else { return false }
    let scheme = text[..<colon].utf8
    return (0x41...0x5a).contains(scheme.first!) || (0x61...0x7a).contains(scheme.first!)
      ? scheme.allSatisfy { isLetter($0) || $0 == 0x2b || $0 == 0x2d || $0 == 0x2e } : false
  }

  private static func digits(_ text: String) -> [Int] {
    text.compactMap { $0 == "-" || $0 == " " ? nil : ($0 == "X" || $0 == "x" ? 10 : $0.wholeNumberValue ?? -1) }
  }

  private static func isISBN10(_ text: String) -> Bool {
    let digits = digits(text)
    guard digits.count == 10, !digits.contains(-1), !digits.dropLast().contains(10) else { return false }
    return digits.enumerated().reduce(0) { $0 + (10 - $1.offset) * $1.element } % 11 == 0
  }

  private static func isISBN13(_ text: String) -> Bool {
    let digits = digits(text)
    guard digits.count == 13, digits.allSatisfy({ (0...9).contains($0) }) else { return false }
    return digits.enumerated().reduce(0) { $0 + ($1.offset % 2 == 0 ? 1 : 3) * $1.element } % 10 == 0
  }

  private static func isColour(_ text: String) -> Bool {
    guard text.hasPrefix("rgb("), text.hasSuffix(")") else { return false }
    let parts = text.dropFirst(4).dropLast().split(separator: ",", omittingEmptySubsequences: false)
    return parts.count == 3
      && parts.allSatisfy { Int($0.filter { $0 != " " }).map { (0...255).contains($0) } ?? false }
  }

  /// By the check digit of Luhn.
  private static func isCard(_ text: String) -> Bool {
    let digits = text.compactMap(\.wholeNumberValue)
    guard (13...19).contains(digits.count) else { return false }
    var sum = 0
    for (index, digit) in digits.reversed().enumerated() {
      let value = index % 2 == 0 ? digit : digit * 2
      sum += value > 9 ? value - 9 : value
    }
    return sum % 10 == 0
  }
}
