/// The forms that names must have, with what is wrong in the words of `k8s.io/apimachinery/pkg/util/validation`.
///
/// Each gives the faults; none when the text is well-formed.
package enum NameRules {
  private static let labelExpression = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
  private static let subdomainExpression = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
  private static let qualifiedNameExpression = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
  private static let labelValueExpression = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
  private static let label1035Expression = "[a-z]([-a-z0-9]*[a-z0-9])?"

  /// The name of a namespace, a container or a port's host part.
  package static func dns1123Label(_ text: String) -> [String] {
    var faults = tooLong(text, 63)
    if !isLabel(text[...].utf8) {
      if isSubdomain(text) {
        faults.append("must not contain dots")
      } else {
        faults.append(
          regex(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
              + "end with an alphanumeric character", labelExpression, "my-name", "123-abc"))
      }
    }
    return faults
  }

  /// The name of most objects.
  package static func dns1123Subdomain(_ text: String) -> [String] {
    var faults = tooLong(text, 253)
    if !isSubdomain(text) {
      faults.append(
        regex(
          "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            + "start and end with an alphanumeric character", subdomainExpression, "example.com"))
    }
    return faults
  }

  /// A name for a resolver, which may hold underscores.
  package static func dns1123SubdomainWithUnderscores(_ text: String) -> [String] {
    var faults = tooLong(text, 253)
    let isAllowed = text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
      guard let first = part.utf8.first, let last = part.utf8.last else { return false }
      return (isLower(first) || first == 0x5f) && (isLower(last) || last == 0x5f)
        && part.utf8.allSatisfy { isLower($0) || $0 == 0x2d || $0 == 0x5f }
    }
    if !isAllowed {
      let part = "[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?"
      faults.append(
        regex(
          "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and "
            + "must start and end with an alphanumeric character", "\(part)(\\.\(part))*", "example.com"))
    }
    return faults
  }

  /// `*.example.com`.
  package static func wildcardSubdomain(_ text: String) -> [String] {
    var faults = tooLong(text, 253)
    if !text.hasPrefix("*.") || !isSubdomain(String(text.dropFirst(2))) {
      faults.append(
        regex(
          "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist "
            + "of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
          "\\*\\.\(subdomainExpression)", "*.example.com"))
    }
    return faults
  }

  /// The name of an HTTP header.
  package static func headerName(_ text: String) -> [String] {
    !text.isEmpty && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d }
      ? []
      : [
        regex(
          "a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", "X-Header-Name")
      ]
  }

  /// The name of a Service.
  package static func dns1035Label(_ text: String) -> [String] {
    var faults = tooLong(text, 63)
    let bytes = text.utf8
    if !isLabel(text[...].utf8) || !(bytes.first.map { (0x61...0x7a).contains($0) } ?? false) {
      faults.append(
        regex(
          "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            + "character, and end with an alphanumeric character", label1035Expression, "my-name", "abc-123"))
    }
    return faults
  }

  /// The key of a label or annotation, with its optional prefix.
  package static func qualifiedName(_ text: String) -> [String] {
    var faults: [String] = []
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    var name = text
    switch parts.count {
    case 1: break
    case 2:
      name = parts[1]
      if parts[0].isEmpty {
        faults.append("prefix part must be non-empty")
      } else {
        faults += dns1123Subdomain(parts[0]).map { "prefix part \($0)" }
      }
    default:
      return [
        "a qualified name "
          + regex(
            "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
              + "character", qualifiedNameExpression, "MyName", "my.name", "123-abc")
          + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
      ]
    }
    if name.isEmpty {
      faults.append("name part must be non-empty")
    } else if name.utf8.count > 63 {
      faults.append("name part must be no more than 63 bytes")
    }
    if !isQualified(name) {
      faults.append(
        "name part "
          + regex(
            "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
              + "character", qualifiedNameExpression, "MyName", "my.name", "123-abc"))
    }
    return faults
  }

  package static func labelValue(_ text: String) -> [String] {
    var faults = tooLong(text, 63)
    if !text.isEmpty, !isQualified(text) {
      faults.append(
        regex(
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            + "start and end with an alphanumeric character", labelValueExpression, "MyValue", "my_value", "12345"))
    }
    return faults
  }

  /// A key of a ConfigMap's or Secret's data.
  package static func configMapKey(_ text: String) -> [String] {
    var faults = tooLong(text, 253)
    let isAllowed =
      !text.isEmpty && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f || $0 == 0x2e }
    if !isAllowed {
      faults.append(
        regex(
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", "[-._a-zA-Z0-9]+", "key.name",
          "KEY_NAME", "key-name"))
    }
    if text == "." {
      faults.append("must not be '.'")
    } else if text == ".." {
      faults.append("must not be '..'")
    } else if text.hasPrefix("..") {
      faults.append("must not start with '..'")
    }
    return faults
  }

  /// A name that stands alone in a path, as RBAC's objects have.
  package static func pathSegment(_ text: String) -> [String] {
    if text == "." || text == ".." { return ["may not be '\(text)'"] }
    return ["/", "%"].filter { text.contains($0) }.map { "may not contain '\($0)'" }
  }

  /// The name of an environment variable since it may hold any printable ASCII but `=`.
  package static func environmentVariable(_ text: String) -> [String] {
    if text.isEmpty { return ["environment variable name must be non-empty"] }
    if text.utf8.allSatisfy({ (0x20...0x7e).contains($0) && $0 != 0x3d }) { return [] }
    return [
      regex(
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
        "^[ -<>-~]+$")
    ]
  }

  /// The name of a port.
  package static func portName(_ text: String) -> [String] {
    var faults: [String] = []
    if text.utf8.count > 15 { faults.append("must be no more than 15 bytes") }
    let bytes = Array(text.utf8)
    if !bytes.allSatisfy({ isLower($0) || $0 == 0x2d }) {
      faults.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    }
    if !bytes.contains(where: { (0x61...0x7a).contains($0) }) {
      faults.append("must contain at least one letter (a-z)")
    }
    if text.contains("--") { faults.append("must not contain consecutive hyphens") }
    if let first = bytes.first, let last = bytes.last, first == 0x2d || last == 0x2d {
      faults.append("must not begin or end with a hyphen")
    }
    return faults
  }

  // MARK: Forms

  private static func tooLong(_ text: String, _ limit: Int) -> [String] {
    text.utf8.count > limit ? ["must be no more than \(limit) bytes"] : []
  }

  private static func regex(_ message: String, _ expression: String, _ examples: String...) -> String {
    if examples.isEmpty { return "\(message) (regex used for validation is '\(expression)')" }
    let listed = examples.map { "'\($0)'" }.joined(separator: ",  or ")
    return "\(message) (e.g. \(listed.isEmpty ? "" : listed), regex used for validation is '\(expression)')"
  }

  private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) }
  private static func isAlphanumeric(_ byte: UInt8) -> Bool { isLower(byte) || (0x41...0x5a).contains(byte) }

  private static func isLabel(_ bytes: Substring.UTF8View) -> Bool {
    guard let first = bytes.first, let last = bytes.last, isLower(first), isLower(last) else { return false }
    return bytes.allSatisfy { isLower($0) || $0 == 0x2d }
  }

  private static func isSubdomain(_ text: String) -> Bool {
    text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel($0.utf8) }
  }

  private static func isQualified(_ text: String) -> Bool {
    guard let first = text.utf8.first, let last = text.utf8.last, isAlphanumeric(first), isAlphanumeric(last) else {
      return false
    }
    return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f || $0 == 0x2e }
  }
}
