import Mechanisms
import Testing
import Wire

@Suite struct WebIdentityTests {
  static let issuer = "oidc.eks.us-east-1.amazonaws.com/id/ABC"
  static let provider = WebIdentityToken.Provider(
    arn: "arn:aws:iam::111122223333:oidc-provider/\(issuer)", clientIDs: ["sts.amazonaws.com"])
  static let claims = WebIdentityToken.Claims(
    issuer: "https://\(issuer)", subject: "system:serviceaccount:prod:web", audience: ["sts.amazonaws.com"],
    expires: 2000)

  static func decide(_ change: (inout WebIdentityToken.Facts) -> Void = { _ in }) -> Verdict<
    WebIdentityToken.Provider, Because
  > {
    var facts = WebIdentityToken.Facts(
      claims: .known(claims), isVerified: .known(true), providers: .known([provider]),
      now: .known(Timestamp(seconds: 1000)))
    change(&facts)
    return WebIdentityToken.decide(facts)
  }

  @Test func errors() {
    #expect(Self.decide().value == Self.provider)
    #expect(
      Self.decide { $0.claims = .known(nil) }.reasons.last?.text
        == "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    #expect(
      Self.decide { $0.isVerified = .known(false) }.reasons.last?.text
        == "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
    )
    #expect(
      Self.decide { $0.providers = .known([]) }.reasons.last?.text
        == "No OpenIDConnect provider found in your account for https://\(Self.issuer)")
    #expect(
      Self.decide { $0.providers = .known([.init(arn: Self.provider.arn, clientIDs: ["x"])]) }.reasons.last?.text
        == "Incorrect token audience")
    let expired = Self.decide { $0.now = .known(Timestamp(seconds: 2000)) }
    #expect(
      expired.reasons.last?.text
        == "Token expired: current date/time 2000 must be before the expiration date/time 2000")
    #expect(WebIdentityToken.errorCode(expired.reasons[0]) == "ExpiredTokenException")
  }

  /// What a trust policy must say for the token: all refusals are worded alike by AWS.
  @Test(arguments: [
    ("StringEquals", issuer, "sub", "system:serviceaccount:prod:web", true),
    ("StringEquals", issuer, "sub", "system:serviceaccount:prod:*", false),
    ("StringLike", issuer, "sub", "system:serviceaccount:prod:*", true),
    ("StringEquals", "https://\(issuer)", "sub", "system:serviceaccount:prod:web", false),
    ("StringEquals", "oidc.eks.us-east-1.amazonaws.com/id/OLD", "sub", "system:serviceaccount:prod:web", false),
    ("StringEquals", issuer, "aud", "sts.amazon.com", false),
    ("StringEquals", issuer, "aud", "sts.amazonaws.com", true),
    ("StringEquals", issuer, "sub", "system:serviceaccount:prd:web", false),
  ])
  func trust(name: String, issuer: String, claim: String, value: String, allowed: Bool) throws {
    var condition = JSON.emptyObject
    condition[name]["\(issuer):\(claim)"] = .string(value)
    let document = try PolicyDocument([
      "Version": "2012-10-17",
      "Statement": [
        [
          "Effect": "Allow", "Principal": ["Federated": .string(Self.provider.arn)],
          "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition,
        ]
      ],
    ])
    func decide(_ action: String, provider: String) -> Bool {
      TrustPolicy.decide(
        .init(
          trust: .known(NamedPolicy("trust", document)), principal: .known(.webIdentity(provider: provider)),
          action: .known(action), context: .known(WebIdentityToken.context(Self.claims)))
      ).isYes
    }
    #expect(decide("sts:AssumeRoleWithWebIdentity", provider: Self.provider.arn) == allowed)
    #expect(!decide("sts:AssumeRole", provider: Self.provider.arn))
    #expect(!decide("sts:AssumeRoleWithWebIdentity", provider: Self.provider.arn + "X"))
  }
}
