import Wire

/// A URL with a scheme or an absolute path, as `url.ParseRequestURI` takes it.
package struct URLValue: Sendable {
  let text: String
  let url: GoURL
  private let rawPath: String

  init?(_ text: String) {
    guard !text.isEmpty, !text.contains("#"), let url = try? GoURL(text) else { return nil }
    // A URI of a request is absolute, or a path from the root.
    guard !url.scheme.isEmpty || text.hasPrefix("/") else { return nil }
    if !url.scheme.isEmpty, !url.opaque.isEmpty { return nil }
    if let port = URLValue.port(of: url.host), !port.utf8.allSatisfy({ (48...57).contains($0) }) { return nil }
    self.text = text
    self.url = url
    var rest = text[...]
    if !url.scheme.isEmpty, let mark = rest.firstRange(of: "://") {
      rest = rest[mark.upperBound...].drop { $0 != "/" && $0 != "?" }
    }
    rawPath = String(rest.prefix { $0 != "?" })
  }

  private static func port(of host: String) -> String? {
    let start = host.lastIndex(of: "]") ?? host.startIndex
    guard let colon = host[start...].lastIndex(of: ":") else { return nil }
    return String(host[host.index(after: colon)...])
  }

  var hostname: String {
    guard !url.host.isEmpty else { return "" }
    if url.host.hasPrefix("["), let end = url.host.firstIndex(of: "]") {
      return String(url.host[url.host.index(after: url.host.startIndex)..<end])
    }
    return String(url.host.prefix { $0 != ":" })
  }

  var port: String { URLValue.port(of: url.host) ?? "" }

  var escapedPath: String {
    var result = ""
    for byte in rawPath.utf8 {
      switch byte {
      case 0x61...0x7a, 0x41...0x5a, 0x30...0x39, 0x25: result.unicodeScalars.append(Unicode.Scalar(byte))
      case _ where "-_.~$&+,/:;=@!'()*[]".utf8.contains(byte): result.unicodeScalars.append(Unicode.Scalar(byte))
      default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
    return result
  }

  var query: [(String, [String])] {
    var found: [(String, [String])] = []
    for pair in url.rawQuery.split(separator: "&") where !pair.contains(";") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let key = URLValue.unescape(parts[0]), let value = URLValue.unescape(parts.count > 1 ? parts[1] : "") else {
        continue
      }
      if let at = found.firstIndex(where: { $0.0 == key }) {
        found[at].1.append(value)
      } else {
        found.append((key, [value]))
      }
    }
    return found
  }

  private static func unescape(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case 0x2b: bytes.append(0x20)
      case 0x25:
        guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
          return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
