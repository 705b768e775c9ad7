package import Wire

/// Whether an API server takes the ID token of its OpenID Connect provider, and for whom (kubernetes
/// `apiserver/plugin/pkg/authenticator/token/oidc`). The reason of a `no` is upstream's error; it is empty where
/// the token is of another issuer, so that others are asked.
package enum OIDCToken: Rule {
  package static let name = "identity/oidc"

  /// How the signature was found.
  package enum Signature: Sendable, Equatable {
    case holds
    /// None of the provider's keys made it.
    case fails
    /// The provider's keys can't be had.
    case noKeys(String)
  }

  package struct User: Sendable, Equatable {
    package var name: String
    package var groups: [String]
  }

  package struct Facts: FactSet {
    package var provider: Fact<OIDCProvider>
    package var token: Fact<JSONWebToken>
    package var signature: Fact<Signature>
    package var now: Fact<Timestamp>

    package init(
      provider: Fact<OIDCProvider>, token: Fact<JSONWebToken>, signature: Fact<Signature>, now: Fact<Timestamp>
    ) {
      self.provider = provider
      self.token = token
      self.signature = signature
      self.now = now
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.provider), hider(\.token), hider(\.signature), hider(\.now),
    ]
  }

  /// What may stand in `alg`: everything with a public key.
  package static let algorithms = ["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]

  package static func decide(_ facts: Facts) -> Verdict<User, Because> {
    var gaps: [Gap] = []
    func no(_ code: String, _ text: String, _ evidence: Citation?...) -> Verdict<User, Because> {
      .no([Because("\(name)/\(code)", text, evidence: evidence)])
    }
    func unverified(_ code: String, _ text: String, _ evidence: Citation?...) -> Verdict<User, Because> {
      .no([Because("\(name)/\(code)", "oidc: verify token: \(text)", evidence: evidence)])
    }
    guard let token = facts.token.value else { return .open([facts.token.gap!]) }
    guard let provider = facts.provider.value else { return .open([facts.provider.gap!]) }
    let (said, wanted) = (facts.token.citation, facts.provider.citation)
    guard token.claims["iss"].string == provider.issuerURL else { return no("other-issuer", "", said, wanted) }

    guard algorithms.contains(token.algorithm) else {
      return unverified(
        "algorithm",
        "oidc: malformed jwt: unexpected signature algorithm \(GoText.quote(token.algorithm)); expected "
          + "[\(algorithms.map(GoText.quote).joined(separator: " "))]", said)
    }
    switch facts.now {
    case .unknown(let gap): gaps.append(gap)
    case .known(let now, _):
      let expires = token.seconds("exp")
      guard let expires, expires >= now.seconds else {
        let text = expires.map { GoText.time(Timestamp(seconds: $0)) } ?? "0001-01-01 00:00:00 +0000 UTC"
        return unverified("expired", "oidc: token is expired (Token Expiry: \(text))", said)
      }
      if let from = token.seconds("nbf"), now.seconds + 60 < from {
        return unverified(
          "not-yet",
          "oidc: current time \(GoText.time(now)) before the nbf (not before) time: "
            + GoText.time(Timestamp(seconds: from)), said)
      }
    }
    switch facts.signature {
    case .unknown(let gap): gaps.append(gap)
    case .known(.holds, _): break
    case .known(.fails, _):
      return unverified(
        "signature", "failed to verify signature: failed to verify id token signature", said, facts.signature.citation)
    case .known(.noKeys(let why), _):
      return unverified("keys", "failed to verify signature: fetching keys \(why)", facts.signature.citation)
    }
    guard token.audiences.contains(provider.clientID) else {
      let got = token.audiences.map(GoText.quote).joined(separator: " ")
      return unverified(
        "audience", "oidc: expected audience in [\(GoText.quote(provider.clientID))] got [\(got)]", said, wanted)
    }
    switch user(token, provider) {
    case .failure(let fault): return no(fault.code, fault.text, said, wanted)
    case .success(let user):
      guard gaps.isEmpty else { return .open(gaps) }
      return .yes(
        user,
        [
          Because(
            "\(name)/accepted", "the provider \(provider.issuerURL) says it is \(user.name)", evidence: [said, wanted])
        ])
    }
  }

  private struct Fault: Error {
    var code: String
    var text: String
  }

  private static func user(_ token: JSONWebToken, _ provider: OIDCProvider) -> Result<User, Fault> {
    let claims = token.claims
    let claim = provider.nameClaim
    if let fault = notText(claims, claim) {
      return .failure(Fault(code: "username", text: "oidc: parse username claims \(GoText.quote(claim)): \(fault)"))
    }
    if claim == "email", claims.has("email_verified"), claims["email_verified"] != .null {
      guard let verified = claims["email_verified"].bool else {
        return .failure(
          Fault(
            code: "email",
            text: "oidc: parse 'email_verified' claim: json: cannot unmarshal \(kind(claims["email_verified"])) into "
              + "Go value of type bool"))
      }
      guard verified else { return .failure(Fault(code: "email", text: "oidc: email not verified")) }
    }
    var user = User(name: provider.namePrefix + (claims[claim].string ?? ""), groups: [])
    if let groupsClaim = provider.groupsClaim, !groupsClaim.isEmpty, claims.has(groupsClaim) {
      let value = claims[groupsClaim]
      if let text = value.string {
        user.groups = [text]
      } else if value.isNull || value.items.count == value.strings.count && value.array != nil {
        user.groups = value.strings
      } else {
        return .failure(
          Fault(
            code: "groups",
            text:
              "oidc: parse groups claim \(GoText.quote(groupsClaim)): json: cannot unmarshal \(kind(value)) into Go "
              + "value of type string"))
      }
      let prefix = provider.groupsPrefix ?? ""
      user.groups = user.groups.map { prefix + $0 }
    }
    for (claim, wanted) in provider.requiredClaims.sorted(by: { $0.key < $1.key }) {
      guard claims.has(claim) else {
        return .failure(
          Fault(code: "required-claim", text: "oidc: required claim \(claim) not present in ID token"))
      }
      if let fault = notText(claims, claim) {
        return .failure(Fault(code: "required-claim", text: "oidc: parse claim \(claim): \(fault)"))
      }
      let got = claims[claim].string ?? ""
      guard got == wanted else {
        return .failure(
          Fault(
            code: "required-claim",
            text: "oidc: required claim \(claim) value does not match. Got = \(got), want = \(wanted)"))
      }
    }
    return .success(user)
  }

  /// Why a claim is no text, in the words of Go's JSON; nil where it is one, or null.
  private static func notText(_ claims: JSON, _ claim: String) -> String? {
    guard claims.has(claim) else { return "claim not present" }
    let value = claims[claim]
    if value.string != nil || value.isNull { return nil }
    return "json: cannot unmarshal \(kind(value)) into Go value of type string"
  }

  private static func kind(_ value: JSON) -> String {
    switch value {
    case .object: "object"
    case .array: "array"
    case .bool: "bool"
    case .string: "string"
    case .null: "null"
    default: "number"
    }
  }
}
