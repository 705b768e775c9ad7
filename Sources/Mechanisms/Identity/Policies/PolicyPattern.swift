import Wire

/// Wildcards and variables of policies.
package enum PolicyPattern {
  private typealias Bytes = UnsafeBufferPointer<UInt8>

  /// `*` for any run of characters and `?` for one. Case is that of ASCII.
  package static func matches(_ pattern: some StringProtocol, _ text: some StringProtocol, ignoringCase: Bool = false)
    -> Bool
  {
    withBytes(pattern, text) { matches($0, $1, ignoringCase) }
  }

  /// Of ARNs: each of the first five parts by itself, then the rest; a pattern that is no ARN as a whole.
  package static func matchesARN(_ pattern: String, _ arn: String) -> Bool {
    if pattern == "*" { return true }
    return withBytes(pattern, arn) { pattern, text in
      guard hasSixParts(pattern), hasSixParts(text) else { return matches(pattern, text, false) }
      var p = 0
      var t = 0
      for _ in 0..<5 {
        let pEnd = colon(pattern, from: p)
        let tEnd = colon(text, from: t)
        guard matches(Bytes(rebasing: pattern[p..<pEnd]), Bytes(rebasing: text[t..<tEnd]), false) else { return false }
        p = pEnd + 1
        t = tEnd + 1
      }
      return matches(Bytes(rebasing: pattern[p...]), Bytes(rebasing: text[t...]), false)
    }
  }

  private static func withBytes(
    _ pattern: some StringProtocol, _ text: some StringProtocol, _ test: (Bytes, Bytes) -> Bool
  ) -> Bool {
    let direct = pattern.utf8.withContiguousStorageIfAvailable { pattern in
      text.utf8.withContiguousStorageIfAvailable { test(pattern, $0) }
    }
    if let direct, let direct { return direct }
    return Array(pattern.utf8).withUnsafeBufferPointer { pattern in
      Array(text.utf8).withUnsafeBufferPointer { test(pattern, $0) }
    }
  }

  private static func colon(_ bytes: Bytes, from start: Int) -> Int {
    var at = start
    while at < bytes.count, bytes[at] != UInt8(ascii: ":") { at += 1 }
    return at
  }

  private static func hasSixParts(_ bytes: Bytes) -> Bool {
    var count = 0
    for byte in bytes where byte == UInt8(ascii: ":") {
      count += 1
      if count == 5 { return true }
    }
    return false
  }

  /// A pattern in which literal `*` and `?` stand as 0x01 and 0x02.
  private static func matches(_ p: Bytes, _ t: Bytes, _ ignoringCase: Bool) -> Bool {
    var i = 0
    var j = 0
    var star = -1
    var mark = 0
    while j < t.count {
      if i < p.count, p[i] == UInt8(ascii: "*") {
        star = i
        mark = j
        i += 1
      } else if i < p.count, p[i] == UInt8(ascii: "?") || equal(p[i], t[j], ignoringCase) {
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

  private static func equal(_ pattern: UInt8, _ text: UInt8, _ ignoringCase: Bool) -> Bool {
    switch pattern {
    case 1: text == UInt8(ascii: "*")
    case 2: text == UInt8(ascii: "?")
    default: pattern == text || ignoringCase && lowered(pattern) == lowered(text)
    }
  }

  private static func lowered(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }

  /// Whether a variable may stand in the text.
  static func hasVariable(_ text: String) -> Bool { text.utf8.contains(UInt8(ascii: "$")) }

  /// The pattern with `${key}` and `${key, 'default'}` put in; nil where a key has no value.
  enum Expansion {
    case text(String)
    case impossible
    case unknown(Gap)
  }

  static func expand(_ pattern: String, _ context: PolicyContext, version: String) -> Expansion {
    guard hasVariable(pattern), version == "2012-10-17" else { return .text(pattern) }
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
