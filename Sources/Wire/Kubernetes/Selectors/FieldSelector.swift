/// Which objects by their fields: `status.phase=Running,spec.nodeName!=a`.
package struct FieldSelector: Hashable, Sendable {
  package struct Requirement: Hashable, Sendable {
    package var field: String
    package var isEqual: Bool
    package var value: String

    package init(field: String, isEqual: Bool, value: String) {
      self.field = field
      self.isEqual = isEqual
      self.value = value
    }
  }

  package var requirements: [Requirement]

  package init(_ requirements: [Requirement] = []) { self.requirements = requirements }

  package static let everything = FieldSelector()
  package var isEverything: Bool { requirements.isEmpty }

  /// An absent field counts as the empty text.
  package func matches(_ value: (String) -> String) -> Bool {
    requirements.allSatisfy { (value($0.field) == $0.value) == $0.isEqual }
  }

  /// The value that the field must have, where one term says so.
  package func required(_ field: String) -> String? {
    requirements.first { $0.field == field && $0.isEqual }?.value
  }

  /// Parses a `fieldSelector` parameter; errors in the words of `k8s.io/apimachinery/pkg/fields`.
  package init(parsing text: String) throws(SelectorError) {
    requirements = []
    for term in FieldSelector.terms(text) where !term.isEmpty {
      guard let (field, isEqual, value) = FieldSelector.split(term) else {
        throw SelectorError("invalid selector: '\(text)'; can't understand '\(term)'")
      }
      requirements.append(
        Requirement(field: field, isEqual: isEqual, value: try FieldSelector.unescape(value)))
    }
    requirements.sort { $0.field < $1.field }
  }

  package var text: String {
    requirements.map { "\($0.field)\($0.isEqual ? "=" : "!=")\(FieldSelector.escape($0.value))" }
      .joined(separator: ",")
  }

  private static func terms(_ text: String) -> [String] {
    var terms: [String] = []
    var term: [UInt8] = []
    var escaped = false
    for byte in text.utf8 {
      if escaped {
        escaped = false
      } else if byte == UInt8(ascii: "\\") {
        escaped = true
      } else if byte == UInt8(ascii: ",") {
        terms.append(String(decoding: term, as: UTF8.self))
        term = []
        continue
      }
      term.append(byte)
    }
    terms.append(String(decoding: term, as: UTF8.self))
    return terms
  }

  private static func split(_ term: String) -> (field: String, isEqual: Bool, value: String)? {
    let bytes = Array(term.utf8)
    for at in bytes.indices {
      let two = at + 1 < bytes.count ? bytes[at + 1] : 0
      let length: Int
      let isEqual: Bool
      switch (bytes[at], two) {
      case (UInt8(ascii: "!"), UInt8(ascii: "=")): (length, isEqual) = (2, false)
      case (UInt8(ascii: "="), UInt8(ascii: "=")): (length, isEqual) = (2, true)
      case (UInt8(ascii: "="), _): (length, isEqual) = (1, true)
      default: continue
      }
      return (
        String(decoding: bytes[..<at], as: UTF8.self), isEqual,
        String(decoding: bytes[(at + length)...], as: UTF8.self)
      )
    }
    return nil
  }

  private static func unescape(_ value: String) throws(SelectorError) -> String {
    guard value.utf8.contains(where: { $0 == 0x5c || $0 == 0x2c || $0 == 0x3d }) else { return value }
    var out: [UInt8] = []
    var escaped = false
    for byte in value.utf8 {
      if escaped {
        switch byte {
        case 0x5c, 0x2c, 0x3d: out.append(byte)
        default:
          let sequence = String(decoding: [0x5c, byte], as: UTF8.self)
          throw SelectorError("invalid field selector: invalid escape sequence: \(sequence)")
        }
        escaped = false
      } else if byte == 0x5c {
        escaped = true
      } else if byte == 0x2c || byte == 0x3d {
        let character = String(decoding: [byte], as: UTF8.self)
        throw SelectorError("invalid field selector: unescaped character in value: \(character)")
      } else {
        out.append(byte)
      }
    }
    if escaped { throw SelectorError("invalid field selector: invalid escape sequence: \\") }
    return String(decoding: out, as: UTF8.self)
  }

  private static func escape(_ value: String) -> String {
    var out: [UInt8] = []
    for byte in value.utf8 {
      if byte == 0x5c || byte == 0x2c || byte == 0x3d { out.append(0x5c) }
      out.append(byte)
    }
    return String(decoding: out, as: UTF8.self)
  }
}
