import Crypto
import CryptoExtras
import Foundation
import Local
import Mechanisms
import Testing
import Wire

@Suite("Signatures of others")
struct JSONWebKeysTests {
  private static func token(
    _ algorithm: String, kid: String = "k", _ sign: (Data) throws -> Data
  ) throws -> JSONWebToken {
    let header: JSON = ["alg": .string(algorithm), "kid": .string(kid)]
    let signed = [header.bytes(), Array(#"{"sub":"a"}"#.utf8)].map { GoBase64.rawURLEncode($0) }.joined(separator: ".")
    let signature = Array(try sign(Data(signed.utf8)))
    return try #require(JSONWebToken("\(signed).\(GoBase64.rawURLEncode(signature))"))
  }

  private static func elliptic(_ key: P256.Signing.PublicKey) -> JSON {
    let point = Array(key.x963Representation.dropFirst())
    return [
      "kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256",
      "x": .string(GoBase64.rawURLEncode(Array(point[..<32]))),
      "y": .string(GoBase64.rawURLEncode(Array(point[32...]))),
    ]
  }

  @Test func elliptic() throws {
    let key = P256.Signing.PrivateKey()
    let token = try Self.token("ES256") { try key.signature(for: SHA256.hash(data: $0)).rawRepresentation }
    let jwk = Self.elliptic(key.publicKey)
    #expect(JSONWebKeys.verify(token, keys: ["keys": [jwk]]))
    #expect(!JSONWebKeys.verify(token, keys: ["keys": [Self.elliptic(P256.Signing.PrivateKey().publicKey)]]))
    var other = jwk
    other["kid"] = "other"
    #expect(!JSONWebKeys.verify(token, keys: ["keys": [other]]))
    #expect(JSONWebKeys.verify(token, keys: ["keys": [other, jwk]]))
    other = jwk
    other["use"] = "enc"
    #expect(!JSONWebKeys.verify(token, keys: ["keys": [other]]))
    var altered = token
    altered.signed += "A"
    #expect(!JSONWebKeys.verify(altered, keys: ["keys": [jwk]]))
    altered = token
    altered.signature[0] ^= 1
    #expect(!JSONWebKeys.verify(altered, keys: ["keys": [jwk]]))
    #expect(!JSONWebKeys.verify(token, keys: .null))
  }

  @Test func rsa() throws {
    let signer = try TokenSigner()
    let token = try #require(JSONWebToken(try signer.sign(["sub": "a"])))
    let jwk = try signer.jwk()
    #expect(JSONWebKeys.verify(token, keys: ["keys": [jwk]]))
    #expect(!JSONWebKeys.verify(token, keys: ["keys": [try TokenSigner().jwk()]]))
    // What is signed by one algorithm is not good for another, nor is the public key a secret.
    var confused = token
    for algorithm in ["none", "HS256", "ES256", "RS512", "PS256", ""] {
      confused.header["alg"] = .string(algorithm)
      #expect(!JSONWebKeys.verify(confused, keys: ["keys": [jwk]]), "\(algorithm)")
    }
  }

  @Test("Keys of any shape are none, and harm nobody")
  func fuzz() throws {
    let signer = try TokenSigner()
    let token = try #require(JSONWebToken(try signer.sign(["sub": "a"])))
    var state: UInt64 = 3
    func below(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let values: [JSON] = [.null, "", "AQAB", "!", 3, [], .string(String(repeating: "A", count: 400)), "RSA", "EC"]
    let good = try signer.jwk()
    for _ in 0..<300 {
      var key = good
      key[["n", "e", "kty"][below(3)]] = values[below(7)]
      #expect(!JSONWebKeys.verify(token, keys: ["keys": [key]]) || key == good)
    }
  }
}
