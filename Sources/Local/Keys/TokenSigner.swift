import Crypto
import CryptoExtras
import Foundation
package import Wire

/// The key that signs a cluster's service-account tokens: RSA 2048, RS256, as on EKS.
package struct TokenSigner: Sendable {
  private let key: _RSA.Signing.PrivateKey
  /// Key id: SHA-256 of the public key (DER), base64url, as kube-apiserver makes it.
  package let keyID: String

  package init() throws { try self.init(key: _RSA.Signing.PrivateKey(keySize: .bits2048)) }
  package init(pem: String) throws { try self.init(key: _RSA.Signing.PrivateKey(pemRepresentation: pem)) }

  private init(key: _RSA.Signing.PrivateKey) throws {
    self.key = key
    keyID = Self.base64URL(SHA256.hash(data: key.publicKey.derRepresentation))
  }

  package var pem: String { key.pemRepresentation }

  package func sign(_ claims: JSON) throws -> String {
    let header: JSON = ["alg": "RS256", "kid": .string(keyID)]
    let signed = "\(Self.base64URL(header.bytes())).\(Self.base64URL(claims.bytes()))"
    let signature = try key.signature(for: Data(signed.utf8), padding: .insecurePKCS1v1_5)
    return "\(signed).\(Self.base64URL(signature.rawRepresentation))"
  }

  /// The claims, when this key signed them by RS256.
  package func verify(_ token: String) -> JSON? {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, token.utf8.count <= 16_384,
      let header = Self.decode(parts[0]).flatMap({ try? JSON.parse($0) }),
      header["alg"].string == "RS256", let signature = Self.decode(parts[2])
    else { return nil }
    let signed = Data("\(parts[0]).\(parts[1])".utf8)
    guard
      key.publicKey.isValidSignature(
        _RSA.Signing.RSASignature(rawRepresentation: signature), for: signed, padding: .insecurePKCS1v1_5)
    else { return nil }
    return Self.decode(parts[1]).flatMap { try? JSON.parse($0) }
  }

  /// The public key as a JWK.
  package func jwk() throws -> JSON {
    let primitives = try key.publicKey.getKeyPrimitives()
    return [
      "use": "sig", "kty": "RSA", "kid": .string(keyID), "alg": "RS256",
      "n": .string(Self.base64URL(primitives.modulus)), "e": .string(Self.base64URL(primitives.publicExponent)),
    ]
  }

  static func base64URL(_ bytes: some Sequence<UInt8>) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  static func decode(_ text: Substring) -> [UInt8]? {
    var text = text.replacing("-", with: "+").replacing("_", with: "/")
    while text.count % 4 != 0 { text += "=" }
    return Data(base64Encoded: String(text)).map(Array.init)
  }
}
