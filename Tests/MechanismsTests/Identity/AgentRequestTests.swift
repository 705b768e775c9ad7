import Mechanisms
import Testing
import Wire

/// What the Pod Identity agent says by itself, in the words of its own tests and of golang-jwt.
@Suite struct AgentRequestTests {
  static func token(_ header: String, _ claims: String, signature: String = "cw") -> String {
    "\(GoBase64.rawURLEncode(Array(header.utf8))).\(GoBase64.rawURLEncode(Array(claims.utf8))).\(signature)"
  }

  static let rsa = #"{"alg":"RS256","kid":"k"}"#
  static let good = token(rsa, #"{"exp":2000,"nbf":500}"#)

  static func decide(_ token: String = good, host: String = "169.254.170.23") -> Verdict<Void, Because> {
    AgentRequest.decide(.init(host: .known(host), token: .known(token), now: .known(Timestamp(seconds: 1000))))
  }

  @Test(arguments: ["169.254.170.23", "169.254.170.23:80", "[fd00:ec2::23]", "[fd00:ec2::23]:8080", "fd00:ec2::23"])
  func ownAddresses(_ host: String) { #expect(Self.decide(host: host).isYes) }

  @Test(arguments: [("124.3.1.2", "124.3.1.2"), ("localhost:80", "localhost"), ("", ""), ("[::1]:80", "::1")])
  func otherAddresses(_ host: String, shown: String) throws {
    let reason = try #require(Self.decide(host: host).reasons.last)
    #expect(
      reason.text
        == "Access Denied. Called agent through invalid address, please use either [169.254.170.23 fd00:ec2::23] address not \(shown)"
    )
    #expect(AgentRequest.status(reason) == 403)
  }

  @Test(arguments: [
    ("", "Service account token cannot be empty"),
    ("a.b", "Service account token cannot be parsed: token is malformed: token contains an invalid number of segments"),
    (
      "!.b.c",
      "Service account token cannot be parsed: token is malformed: could not base64 decode header: illegal base64 data at input byte 0"
    ),
    (
      token("x", "{}"),
      "Service account token cannot be parsed: token is malformed: could not JSON decode header: invalid character 'x' looking for beginning of value"
    ),
    (
      token("", "{}"),
      "Service account token cannot be parsed: token is malformed: could not JSON decode header: unexpected end of JSON input"
    ),
    (
      token(rsa, "7"),
      "Service account token cannot be parsed: token is malformed: could not JSON decode claim: json: cannot unmarshal number into Go value of type jwt.RegisteredClaims"
    ),
    (
      token("{}", "{}"),
      "Service account token cannot be parsed: token is unverifiable: signing method (alg) is unspecified"
    ),
    (
      token(#"{"alg":"X"}"#, "{}"),
      "Service account token cannot be parsed: token is unverifiable: signing method (alg) is unavailable"
    ),
    (token(rsa, #"{"exp":1000}"#), "Service account token failed basic claim validations: token is expired"),
    (token(rsa, #"{"nbf":1001}"#), "Service account token failed basic claim validations: token is not valid yet"),
    (
      token(rsa, #"{"exp":1,"nbf":1001}"#),
      "Service account token failed basic claim validations: token is expired, token is not valid yet"
    ),
  ])
  func refusals(_ token: String, text: String) throws {
    let reason = try #require(Self.decide(token).reasons.last)
    #expect(reason.text == text)
    #expect(AgentRequest.status(reason) == 400)
  }

  @Test func takenUnverified() {
    #expect(Self.decide().isYes)
    #expect(Self.decide(Self.token(#"{"alg":"none"}"#, "{}", signature: "")).isYes)
  }
}
