import Wire

/// Wildcards and variables of policies.
package enum PolicyPattern {
  /// `*` for any run of characters and `?` for one.
  package static func matches(_ pattern: some StringProtocol, _ text: some StringProtocol, ignoringCase: Bool = false)
    -> Bool
  {
    let p = Array((ignoringCase ? pattern.lowercased() : String(pattern)).utf8)
    let t = Array((ignoringCase ? text.lowercased() : String(text)).utf8)
    return matches(p, t) { $0 }
  }

  /// A pattern in which literal `*` and `?` stand as 0x01 and 0x02.
  private static func matches(_ p: [UInt8], _ t: [UInt8], literal: (UInt8) -> UInt8) -> Bool {
    var i = 0
    var j = 0
    var star = -1
    var mark = 0
    while j < t.count {
      if i < p.count, p[i] == UInt8(ascii: "*") {
        star = i
        mark = j
        i += 1
      } else if i < p.count, p[i] == UInt8(ascii: "?") || unescaped(p[i]) == t[j] {
        i += 1
        j += 1
      } else if star >= 0 {
        i = star + 1
        mark += 1
        j = mark
      } else {
        return false
      }
    }
    while i < p.count, p[i] == UInt8(ascii: "*") { i += 1 }
    return i == p.count
  }

  private static func unescaped(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 1: UInt8(ascii: "*")
    case 2: UInt8(ascii: "?")
    default: byte
    }
  }

  /// Of ARNs: each of the first five parts by itself, then the rest; a pattern that is no ARN as a whole.
  package static func matchesARN(_ pattern: String, _ arn: String) -> Bool {
    if pattern == "*" { return true }
    let p = pattern.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    let t = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard p.count == 6, t.count == 6 else { return matches(pattern, arn) }
    return zip(p, t).allSatisfy { matches($0, $1) }
  }

  /// The pattern with `${key}` and `${key, 'default'}` put in; nil where a key has no value.
  enum Expansion {
    case text(String)
    case impossible
    case unknown(Gap)
  }

  static func expand(_ pattern: String, _ context: PolicyContext, version: String) -> Expansion {
    guard version == "2012-10-17", pattern.contains("${") else { return .text(pattern) }
    var out = ""
    var rest = pattern[...]
    while let dollar = rest.firstIndex(of: "$") {
      out += rest[..<dollar]
      rest = rest[dollar...]
      guard rest.hasPrefix("${"), let close = rest.firstIndex(of: "}") else {
        out += "$"
        rest = rest.dropFirst()
        continue
      }
      let body = rest[rest.index(rest.startIndex, offsetBy: 2)..<close]
      rest = rest[rest.index(after: close)...]
      switch body {
      case "*": out += "\u{01}"
      case "?": out += "\u{02}"
      case "$": out += "$"
      default:
        let comma = body.firstIndex(of: ",")
        let key = body[..<(comma ?? body.endIndex)].trimmingASCIISpace
        let fallback = comma.map { String(body[body.index(after: $0)...].trimmingASCIISpace.dropFirst().dropLast()) }
        switch context[key] {
        case .present(let values) where values.count == 1:
          out += values[0].replacing("*", with: "\u{01}").replacing("?", with: "\u{02}")
        case .present, .absent:
          guard let fallback else { return .impossible }
          out += fallback
        case .unknown(let gap): return .unknown(gap)
        }
      }
    }
    return .text(out + rest)
  }
}
