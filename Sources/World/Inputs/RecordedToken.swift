import Mechanisms
package import Wire

/// A bearer token as the input log holds it: who it names, and nothing that lets anybody in.
enum RecordedToken {
  private static let awsPrefix = "k8s-aws-v1."
  private static let longest = 4096

  /// `verify` gives the claims of a service-account token that holds.
  static func json(_ token: String, verify: (String) -> JSON?) -> JSON {
    guard token.hasPrefix(awsPrefix) else {
      if let claims = verify(token) { return ["claims": claims] }
      return JSONWebToken(token).map { unsigned($0) } ?? ["unknown": .int(Int64(token.utf8.count))]
    }
    let payload = token.dropFirst(awsPrefix.count)
    guard payload.utf8.count <= longest, let url = try? GoBase64.rawURLDecode(payload) else {
      // Its faults stay where they are.
      let filler = payload.utf8.prefix(longest + 1).map { isDigit($0) ? UInt8(ascii: "A") : $0 }
      return ["malformed": .string(String(decoding: filler, as: UTF8.self))]
    }
    return [
      "presigned": .string(redacted(String(decoding: url, as: UTF8.self))),
      "mark": .string(Digest.sha256(token.utf8)),
    ]
  }

  /// Somebody else's JWT without what makes it worth anything: whether its signature held is an answer of its own.
  private static func unsigned(_ token: JSONWebToken) -> JSON {
    ["unsigned": .string(token.signed), "signature": .int(Int64(token.signature.count))]
  }

  /// The token that stands for a recorded one in a replay.
  static func text(_ json: JSON) -> String {
    if json.has("claims") { return PaperToken.text(json["claims"]) }
    if let signed = json["unsigned"].string {
      let length = min(max(json["signature"].int ?? 0, 0), JSONWebToken.longest)
      return "\(signed).\(GoBase64.rawURLEncode([UInt8](repeating: 0, count: length)))"
    }
    if let filler = json["malformed"].string { return awsPrefix + filler }
    guard let template = json["presigned"].string, let mark = json["mark"].string else {
      return String(repeating: "u", count: min(max(json["unknown"].int ?? 1, 1), longest + 1))
    }
    var url = ""
    var rest = template[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      url += rest[..<open]
      let name = rest[rest.index(after: open)..<close]
      if name == "signature" {
        url += "X-Amz-Signature=\(mark)"
      } else if name.hasPrefix("token:"), let length = Int(name.dropFirst(6)) {
        url += "X-Amz-Security-Token=" + String(repeating: mark, count: length / mark.count + 1).prefix(length)
      }
      rest = rest[rest.index(after: close)...]
    }
    return awsPrefix + GoBase64.rawURLEncode(Array((url + rest).utf8))
  }

  /// The URL without its signature and session token.
  private static func redacted(_ url: String) -> String {
    guard let mark = url.firstIndex(of: "?") else { return url }
    let pairs = url[url.index(after: mark)...].split(separator: "&", omittingEmptySubsequences: false).map { pair in
      let name = pair.prefix { $0 != "=" }
      switch name.lowercased() {
      case "x-amz-signature": return "{signature}"
      case "x-amz-security-token": return "{token:\(max(0, pair.utf8.count - name.utf8.count - 1))}"
      default: return String(pair)
      }
    }
    return "\(url[...mark])\(pairs.joined(separator: "&"))"
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: true
    default: false
    }
  }
}

/// A service-account token of a world without keys: its claims. Only a replay takes it for one.
package enum PaperToken {
  private static let prefix = "paper."

  package static func text(_ claims: JSON) -> String { prefix + Base64.encode(claims.bytes()) }

  package static func claims(of token: String) -> JSON? {
    guard token.hasPrefix(prefix), let bytes = Base64.decode(token.dropFirst(prefix.count)) else { return nil }
    return try? JSON.parse(bytes)
  }
}
