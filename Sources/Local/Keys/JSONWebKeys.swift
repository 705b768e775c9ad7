import Crypto
import CryptoExtras
import Foundation
package import Mechanisms
package import Wire

/// Public keys as JWK sets publish them (RFC 7517), and what they say of a signature (RFC 7518): RSA by PKCS #1 and
/// PSS, ECDSA on the NIST curves, each with SHA-2.
package enum JSONWebKeys {
  /// Keys of a set that are looked at; the rest is none of a sane issuer's.
  private static let most = 100

  /// Whether a key of the set made the signature: the one that the token names, or any where it names none.
  package static func verify(_ token: JSONWebToken, keys: JSON) -> Bool {
    keys["keys"].items.prefix(most).contains { key in
      guard token.keyID.isEmpty || key["kid"].string == token.keyID else { return false }
      // A key that says what it is for is for nothing else.
      if let use = key["use"].string, use != "sig" { return false }
      if let algorithm = key["alg"].string, algorithm != token.algorithm { return false }
      return holds(token, key)
    }
  }

  private static func holds(_ token: JSONWebToken, _ key: JSON) -> Bool {
    let signed = Data(token.signed.utf8)
    switch (token.algorithm.prefix(2), token.algorithm.dropFirst(2)) {
    case ("RS", let bits): return rsa(token, key, signed, String(bits), padding: .insecurePKCS1v1_5)
    case ("PS", let bits): return rsa(token, key, signed, String(bits), padding: .PSS)
    case ("ES", "256"):
      guard let point = point(key, "P-256", 32), let made = try? P256.Signing.PublicKey(x963Representation: point),
        let signature = try? P256.Signing.ECDSASignature(rawRepresentation: token.signature)
      else { return false }
      return made.isValidSignature(signature, for: SHA256.hash(data: signed))
    case ("ES", "384"):
      guard let point = point(key, "P-384", 48), let made = try? P384.Signing.PublicKey(x963Representation: point),
        let signature = try? P384.Signing.ECDSASignature(rawRepresentation: token.signature)
      else { return false }
      return made.isValidSignature(signature, for: SHA384.hash(data: signed))
    case ("ES", "512"):
      guard let point = point(key, "P-521", 66), let made = try? P521.Signing.PublicKey(x963Representation: point),
        let signature = try? P521.Signing.ECDSASignature(rawRepresentation: token.signature)
      else { return false }
      return made.isValidSignature(signature, for: SHA512.hash(data: signed))
    default: return false
    }
  }

  private static func rsa(
    _ token: JSONWebToken, _ key: JSON, _ signed: Data, _ bits: String, padding: _RSA.Signing.Padding
  ) -> Bool {
    guard key["kty"].string == "RSA", let modulus = bytes(key["n"]), let exponent = bytes(key["e"]),
      (256...1024).contains(modulus.count), (1...8).contains(exponent.count),
      let made = try? _RSA.Signing.PublicKey(n: modulus, e: exponent)
    else { return false }
    let signature = _RSA.Signing.RSASignature(rawRepresentation: token.signature)
    switch bits {
    case "256": return made.isValidSignature(signature, for: SHA256.hash(data: signed), padding: padding)
    case "384": return made.isValidSignature(signature, for: SHA384.hash(data: signed), padding: padding)
    case "512": return made.isValidSignature(signature, for: SHA512.hash(data: signed), padding: padding)
    default: return false
    }
  }

  /// A point of a curve as X9.63 writes it.
  private static func point(_ key: JSON, _ curve: String, _ size: Int) -> [UInt8]? {
    guard key["kty"].string == "EC", key["crv"].string == curve, let x = bytes(key["x"]), let y = bytes(key["y"]),
      x.count == size, y.count == size
    else { return nil }
    return [4] + x + y
  }

  private static func bytes(_ value: JSON) -> [UInt8]? { value.string.flatMap { try? GoBase64.rawURLDecode($0) } }
}
