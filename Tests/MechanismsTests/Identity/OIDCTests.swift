import Mechanisms
import Testing
import Wire

@Suite("Users of an OpenID Connect provider")
struct OIDCTests {
  static let issuer = "https://localhost:8443/realms/shop"
  static let provider = OIDCProvider(name: "dex", issuerURL: issuer, clientID: "kubernetes")
  static let now = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!

  static func token(_ change: (inout JSON) -> Void = { _ in }, algorithm: String = "RS256") -> JSONWebToken {
    var claims: JSON = [
      "iss": .string(issuer), "aud": "kubernetes", "sub": "42", "email": "bob@example.com", "groups": ["dev", "ops"],
      "exp": .int(now.seconds + 60), "hd": "example.com",
    ]
    change(&claims)
    let header: JSON = ["alg": .string(algorithm), "kid": "k1"]
    let text = [header.bytes(), claims.bytes(), [1, 2, 3]].map { GoBase64.rawURLEncode($0) }.joined(separator: ".")
    return JSONWebToken(text)!
  }

  static func decide(
    _ provider: OIDCProvider = provider, _ token: JSONWebToken = token(), _ signature: OIDCToken.Signature = .holds
  ) -> Verdict<OIDCToken.User, Because> {
    OIDCToken.decide(
      .init(provider: .known(provider), token: .known(token), signature: .known(signature), now: .known(now)))
  }

  @Test("The name has the issuer before it, unless it is an address or is told otherwise")
  func names() {
    var provider = Self.provider
    #expect(Self.decide(provider).value?.name == "\(Self.issuer)#42")
    #expect(Self.decide(provider).value?.groups == [])
    provider.usernamePrefix = "-"
    #expect(Self.decide(provider).value?.name == "42")
    provider.usernamePrefix = "oidc:"
    provider.groupsClaim = "groups"
    #expect(Self.decide(provider).value?.name == "oidc:42")
    #expect(Self.decide(provider).value?.groups == ["dev", "ops"])
    provider.groupsPrefix = "g:"
    #expect(Self.decide(provider).value?.groups == ["g:dev", "g:ops"])
    provider.usernamePrefix = nil
    provider.usernameClaim = "email"
    #expect(Self.decide(provider).value?.name == "bob@example.com")
    #expect(Self.decide(provider, Self.token { $0["email_verified"] = true }).value?.name == "bob@example.com")
    // One group may be a text.
    provider.groupsClaim = "hd"
    #expect(Self.decide(provider).value?.groups == ["g:example.com"])
  }

  @Test("Refusals are worded as upstream words them")
  func refusals() {
    func text(_ token: JSONWebToken, _ provider: OIDCProvider = Self.provider) -> String {
      Self.decide(provider, token).reasons.last?.text ?? ""
    }
    #expect(text(Self.token { $0["iss"] = "https://elsewhere" }) == "")
    #expect(
      text(Self.token { $0["exp"] = .int(Self.now.seconds - 1) })
        == "oidc: verify token: oidc: token is expired (Token Expiry: 2026-11-22 11:59:59 +0000 UTC)")
    #expect(
      text(Self.token { $0["exp"] = .null })
        == "oidc: verify token: oidc: token is expired (Token Expiry: 0001-01-01 00:00:00 +0000 UTC)")
    #expect(
      text(Self.token { $0["nbf"] = .int(Self.now.seconds + 60) }) == "the provider \(Self.issuer) says it is "
        + "\(Self.issuer)#42")
    #expect(
      text(Self.token { $0["nbf"] = .int(Self.now.seconds + 61) })
        == "oidc: verify token: oidc: current time 2026-11-22 12:00:00 +0000 UTC before the nbf (not before) time: "
        + "2026-11-22 12:01:01 +0000 UTC")
    #expect(
      text(Self.token { $0["aud"] = ["a", "b"] })
        == #"oidc: verify token: oidc: expected audience in ["kubernetes"] got ["a" "b"]"#)
    #expect(
      text(Self.token(algorithm: "none")).hasPrefix("oidc: verify token: oidc: malformed jwt: unexpected signature"))
    #expect(text(Self.token(algorithm: "HS256")).contains(#"unexpected signature algorithm "HS256""#))
    #expect(
      Self.decide(Self.provider, Self.token(), .fails).reasons.last?.text
        == "oidc: verify token: failed to verify signature: failed to verify id token signature")
    var provider = Self.provider
    provider.usernameClaim = "name"
    #expect(text(Self.token(), provider) == #"oidc: parse username claims "name": claim not present"#)
    #expect(
      text(Self.token { $0["name"] = 3 }, provider)
        == #"oidc: parse username claims "name": json: cannot unmarshal number into Go value of type string"#)
    provider.usernameClaim = "email"
    #expect(text(Self.token { $0["email_verified"] = false }, provider) == "oidc: email not verified")
    provider.groupsClaim = "sub"
    provider.requiredClaims = ["hd": "example.org"]
    #expect(
      text(Self.token(), provider)
        == "oidc: required claim hd value does not match. Got = example.com, want = example.org")
    provider.requiredClaims = ["tenant": "a"]
    #expect(text(Self.token(), provider) == "oidc: required claim tenant not present in ID token")
    provider.groupsClaim = "exp"
    #expect(
      text(Self.token(), provider)
        == #"oidc: parse groups claim "exp": json: cannot unmarshal number into Go value of type string"#)
  }

  @Test(
    "What is no token is read as none",
    arguments: [
      "", ".", "..", "a.b", "e30.e30", "e30.e30.!", "W10.e30.AA", "e30.W10.AA", "e30.e30.AA.AA", "e30.bnVsbA.AA",
    ])
  func malformed(text: String) {
    #expect(JSONWebToken(text) == nil)
  }

  @Test func fuzz() {
    var chance = Chance(state: 11)
    let good = Array(
      "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvY2FsaG9zdDo4NDQzL3JlYWxtcy9zaG9wIn0.AQID".utf8)
    for _ in 0..<4000 {
      var bytes = good
      for _ in 0...chance.below(4) {
        let at = chance.below(bytes.count)
        switch chance.below(4) {
        case 0: bytes[at] = UInt8(chance.below(128))
        case 1: bytes.remove(at: at)
        case 2: bytes.insert(chance.pick(Array(".=-_{}\"".utf8)), at: at)
        default: bytes.append(contentsOf: bytes[at...])
        }
      }
      guard let token = JSONWebToken(String(decoding: bytes, as: UTF8.self)) else { continue }
      // Whatever still reads as a token is not let in: it has no time at which it ends.
      #expect(!Self.decide(Self.provider, token).isYes)
    }
    #expect(JSONWebToken(String(repeating: "A", count: JSONWebToken.longest + 1)) == nil)
  }
}
