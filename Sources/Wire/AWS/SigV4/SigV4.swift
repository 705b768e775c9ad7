import Crypto
import Synchronization

/// AWS Signature Version 4: signing and verification.
package enum SigV4 {
  static let algorithm = "AWS4-HMAC-SHA256"
  /// How far a request's date may lie behind and ahead of the service's clock.
  static let past: Duration = .seconds(15 * 60)
  static let future: Duration = .seconds(5 * 60)

  // MARK: Signing

  /// The request with `X-Amz-Date`, `X-Amz-Security-Token` and `Authorization` added. Needs a `Host` header.
  package static func sign(
    _ request: HTTPRequest, credentials: AWSCredentials, region: String, service: String, now: Timestamp
  ) -> HTTPRequest {
    var request = request
    let scope = Scope(date: now, region: region, service: service)
    request.headers["Authorization"] = nil
    request.headers["X-Amz-Date"] = now.amzDate
    request.headers["X-Amz-Security-Token"] = credentials.sessionToken
    let signed = Set(request.headers.fields.map(\.name.lowercasedASCII)).subtracting(unsigned).sorted()
    let canonical = canonicalRequest(request, signedHeaders: signed)
    let signature = sign(canonical, now.amzDate, scope, credentials.secretAccessKey)
    request.headers["Authorization"] =
      "\(algorithm) Credential=\(credentials.accessKeyID)/\(scope.text), "
      + "SignedHeaders=\(signed.joined(separator: ";")), Signature=\(signature)"
    return request
  }

  /// Headers that proxies change or add.
  private static let unsigned: Set<String> = [
    "connection", "expect", "user-agent", "x-amzn-trace-id", "transfer-encoding", "content-length",
  ]

  /// The request with the signature in its query, valid for `expires` seconds; all its headers are signed.
  package static func presign(
    _ request: HTTPRequest, credentials: AWSCredentials, region: String, service: String, expires: Int, now: Timestamp
  ) -> HTTPRequest {
    var request = request
    let scope = Scope(date: now, region: region, service: service)
    let signed = Set(request.headers.fields.map(\.name.lowercasedASCII)).sorted()
    var pairs = request.query.map { [$0] } ?? []
    pairs.append("X-Amz-Algorithm=\(algorithm)")
    pairs.append("X-Amz-Credential=\(PercentEncoding.encode("\(credentials.accessKeyID)/\(scope.text)"))")
    pairs.append("X-Amz-Date=\(now.amzDate)")
    pairs.append("X-Amz-Expires=\(expires)")
    if let token = credentials.sessionToken { pairs.append("X-Amz-Security-Token=\(PercentEncoding.encode(token))") }
    pairs.append("X-Amz-SignedHeaders=\(PercentEncoding.encode(signed.joined(separator: ";")))")
    request.query = pairs.joined(separator: "&")
    let canonical = canonicalRequest(request, signedHeaders: signed)
    let signature = sign(canonical, now.amzDate, scope, credentials.secretAccessKey)
    request.query = "\(pairs.joined(separator: "&"))&X-Amz-Signature=\(signature)"
    return request
  }

  // MARK: The parts of a signature

  /// `20240102/us-east-1/sts/aws4_request`.
  struct Scope: Hashable, Sendable {
    var day: String
    var region: String
    var service: String

    init(day: String, region: String, service: String) {
      self.day = day
      self.region = region
      self.service = service
    }

    init(date: Timestamp, region: String, service: String) {
      self.init(day: String(date.amzDate.prefix(8)), region: region, service: service)
    }

    var text: String { "\(day)/\(region)/\(service)/aws4_request" }
  }

  static func sign(_ canonicalRequest: String, _ date: String, _ scope: Scope, _ secret: String) -> String {
    let hash = hex(SHA256.hash(data: Array(canonicalRequest.utf8)))
    let toSign = "\(algorithm)\n\(date)\n\(scope.text)\n\(hash)"
    return hex(HMAC<SHA256>.authenticationCode(for: Array(toSign.utf8), using: signingKey(scope, secret)))
  }

  static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var out: [UInt8] = []
    out.reserveCapacity(64)
    for byte in bytes {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return String(decoding: out, as: UTF8.self)
  }

  private struct KeyName: Hashable {
    var scope: Scope
    var secret: String
  }

  /// The last keys that were derived: deriving one takes four HMACs.
  private static let keys = Mutex<[KeyName: SymmetricKey]>([:])
  private static let keyLimit = 512

  private static func signingKey(_ scope: Scope, _ secret: String) -> SymmetricKey {
    let name = KeyName(scope: scope, secret: secret)
    if let known = keys.withLock({ $0[name] }) { return known }
    var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
    for part in [scope.day, scope.region, scope.service, "aws4_request"] {
      key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
    }
    keys.withLock { keys in
      if keys.count >= keyLimit { keys.removeAll() }
      keys[name] = key
    }
    return key
  }

  // MARK: The canonical request

  package static func canonicalRequest(_ request: HTTPRequest, signedHeaders: [String]) -> String {
    var out = "\(request.method)\n\(canonicalPath(request.path))\n\(canonicalQuery(request.query))\n"
    for name in signedHeaders {
      let values = request.headers.all(name).map(trimmed)
      out += "\(name):\(values.joined(separator: ","))\n"
    }
    out += "\n\(signedHeaders.joined(separator: ";"))\n\(hex(SHA256.hash(data: request.body)))"
    return out
  }

  /// The raw path without dot segments and doubled slashes, percent-encoded once more.
  private static func canonicalPath(_ path: String) -> String {
    guard path.utf8.contains(where: { $0 != 0x2f }) else { return "/" }
    var segments: [Substring] = []
    for segment in path.split(separator: "/") {
      switch segment {
      case ".": continue
      case "..": _ = segments.popLast()
      default: segments.append(segment)
      }
    }
    let end = path.utf8.last == 0x2f && !segments.isEmpty ? "/" : ""
    return PercentEncoding.encode("/\(segments.joined(separator: "/"))\(end)", keepingSlash: true)
  }

  /// The pairs in order of their names, each encoded anew; without the signature itself.
  private static func canonicalQuery(_ query: String?) -> String {
    guard let query, !query.isEmpty else { return "" }
    var pairs: [(name: String, value: String)] = []
    for part in PercentEncoding.parts(query) {
      let name = recoded(part.name)
      guard name != "X-Amz-Signature" else { continue }
      pairs.append((name, recoded(part.value)))
    }
    pairs.sort { a, b in
      a.name == b.name
        ? a.value.utf8.lexicographicallyPrecedes(b.value.utf8) : a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
    }
    return pairs.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
  }

  private static func recoded(_ text: ArraySlice<UInt8>) -> String {
    PercentEncoding.encode(
      PercentEncoding.decode(text, plusIsSpace: true) ?? String(decoding: text, as: UTF8.self))
  }

  /// Without space around, and with one space where there are more.
  private static func trimmed(_ value: String) -> String {
    let isPlain = !value.utf8.contains { $0 == 0x20 || $0 == 0x09 }
    return isPlain ? value : value.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
  }
}
