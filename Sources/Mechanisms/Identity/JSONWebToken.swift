package import Wire

/// A JWT in its compact form (RFC 7519, RFC 7515), taken apart. Nothing of it is verified.
package struct JSONWebToken: Sendable, Equatable {
  /// Longer ones are read by nobody.
  package static let longest = 1 << 16

  package var header: JSON
  package var claims: JSON
  /// What is signed: the first two parts with their dot.
  package var signed: String
  package var signature: [UInt8]

  package var algorithm: String { header["alg"].string ?? "" }
  package var keyID: String { header["kid"].string ?? "" }

  /// Nil for what is no JWT with a signature: three parts in base64url, the first two JSON objects.
  package init?(_ text: String) {
    guard text.utf8.count <= Self.longest, text.utf8.count(where: { $0 == UInt8(ascii: ".") }) == 2 else { return nil }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard let header = Self.object(parts[0]), let claims = Self.object(parts[1]),
      let signature = try? GoBase64.rawURLDecode(parts[2])
    else { return nil }
    self.header = header
    self.claims = claims
    self.signature = signature
    signed = "\(parts[0]).\(parts[1])"
  }

  private static func object(_ part: Substring) -> JSON? {
    guard let bytes = try? GoBase64.rawURLDecode(part), let json = try? JSON.parse(bytes), json.object != nil else {
      return nil
    }
    return json
  }

  /// `aud`, which may be one text or a list.
  package var audiences: [String] { claims["aud"].string.map { [$0] } ?? claims["aud"].strings }

  /// A claim that is a time in seconds since 1970, whole or not; nil where it is missing or no number.
  package func seconds(_ claim: String) -> Int64? {
    switch claims[claim] {
    case .int(let value): value
    case .double(let value) where value.isFinite && abs(value) < 9e15: Int64(value)
    default: nil
    }
  }
}
