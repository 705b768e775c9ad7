/// A URL parsed as Go's `net/url` does, with its error texts.
package struct GoURL: Sendable, Equatable {
  package var scheme = ""
  package var opaque = ""
  package var user = ""
  /// With the port.
  package var host = ""
  /// Decoded.
  package var path = ""
  package var rawQuery = ""
  package var fragment = ""

  /// Throws the text of `url.Parse`: `parse "…": …`.
  package init(_ text: String) throws(GoError) {
    let cut = text.utf8.firstIndex(of: UInt8(ascii: "#"))
    let whole = String(text[..<(cut ?? text.endIndex)])
    if let cut { fragment = String(text[text.index(after: cut)...]) }
    do { try parse(whole) } catch { throw GoError("parse \(GoText.quote(whole)): \(error.message)") }
  }

  private mutating func parse(_ text: String) throws(GoError) {
    guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
      throw GoError("net/url: invalid control character in URL")
    }
    if text == "*" {
      path = "*"
      return
    }
    var rest: Substring
    (scheme, rest) = try GoURL.scheme(of: text)
    if let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) {
      rawQuery = String(rest[rest.index(after: mark)...])
      rest = rest[..<mark]
    }
    if !rest.hasPrefix("/") {
      if !scheme.isEmpty {
        opaque = String(rest)
        return
      }
      guard !rest.prefix(while: { $0 != "/" }).contains(":") else {
        throw GoError("first path segment in URL cannot contain colon")
      }
    }
    if !scheme.isEmpty || !rest.hasPrefix("///"), rest.hasPrefix("//") {
      var authority = rest.dropFirst(2)
      rest = ""
      if let slash = authority.firstIndex(of: "/") {
        rest = authority[slash...]
        authority = authority[..<slash]
      }
      try parseAuthority(authority)
    }
    path = try GoURL.unescape(rest)
  }

  private static func scheme(of text: String) throws(GoError) -> (String, Substring) {
    for (offset, byte) in text.utf8.enumerated() {
      switch byte {
      case 0x41...0x5a, 0x61...0x7a: continue
      case 0x30...0x39, 0x2b, 0x2d, 0x2e:
        if offset == 0 { return ("", text[...]) }
      case 0x3a:
        guard offset > 0 else { throw GoError("missing protocol scheme") }
        let colon = text.utf8.index(text.startIndex, offsetBy: offset)
        return (text[..<colon].lowercased(), text[text.index(after: colon)...])
      default: return ("", text[...])
      }
    }
    return ("", text[...])
  }

  private mutating func parseAuthority(_ authority: Substring) throws(GoError) {
    var host = authority
    if let at = authority.lastIndex(of: "@") {
      user = String(authority[..<at])
      host = authority[authority.index(after: at)...]
    }
    if host.hasPrefix("[") {
      guard let close = host.lastIndex(of: "]") else { throw GoError("missing ']' in host") }
      try GoURL.checkPort(host[host.index(after: close)...])
    } else if let colon = host.lastIndex(of: ":") {
      try GoURL.checkPort(host[colon...])
    }
    for byte in host.utf8 where byte < 0x80 {
      switch byte {
      case 0x41...0x5a, 0x61...0x7a, 0x30...0x39, 0x2d, 0x5f, 0x2e, 0x7e: continue
      case 0x21, 0x24, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x3b, 0x3d, 0x3a, 0x5b, 0x5d, 0x3c, 0x3e, 0x22:
        continue
      case 0x25: continue
      default:
        throw GoError("invalid character \(GoText.quote(String(UnicodeScalar(byte)))) in host name")
      }
    }
    self.host = try GoURL.unescape(host)
  }

  private static func checkPort(_ port: Substring) throws(GoError) {
    guard port.isEmpty || port.first == ":" && port.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw GoError("invalid port \(GoText.quote(String(port))) after host")
    }
  }

  private static func unescape(_ text: Substring) throws(GoError) -> String {
    if let decoded = PercentEncoding.decode(text) { return decoded }
    // The first escape that is none, three characters of it at most.
    var rest = text
    while let percent = rest.firstIndex(of: "%") {
      let escape = rest[percent...].prefix(3)
      guard escape.count == 3, escape.dropFirst().allSatisfy(\.isHexDigit) else {
        throw GoError("invalid URL escape \(GoText.quote(String(escape)))")
      }
      rest = rest[rest.index(percent, offsetBy: 3)...]
    }
    return String(text)
  }

  /// The pairs of the query in order; nil where `url.ParseQuery` gives an error.
  package var query: [(name: String, value: String)]? {
    guard !rawQuery.utf8.contains(UInt8(ascii: ";")) else { return nil }
    return PercentEncoding.pairs(rawQuery)
  }
}
