package import Wire

/// Whether STS takes a service account's token, before the role's trust policy is asked: its form, its key,
/// its provider, its audience and its age. The texts have been observed; their order is inferred.
package enum WebIdentityToken: Rule {
  package static let name = "identity/web-identity"

  /// What stands in the token; nil where it is no RSA-signed JWT.
  package struct Claims: Sendable, Equatable {
    package var issuer: String
    package var subject: String
    /// Nil where the claim is missing.
    package var audience: [String]?
    /// Seconds since 1970.
    package var expires: Int64

    /// Of a token's claims; nil where no issuer or subject stands in them.
    package init?(_ json: JSON) {
      guard let issuer = json["iss"].string, let subject = json["sub"].string else { return nil }
      self.issuer = issuer
      self.subject = subject
      audience = json["aud"].string.map { [$0] } ?? (json["aud"].isNull ? nil : json["aud"].strings)
      expires = Int64(json["exp"].int ?? 0)
    }

    package init(issuer: String, subject: String, audience: [String]?, expires: Int64) {
      self.issuer = issuer
      self.subject = subject
      self.audience = audience
      self.expires = expires
    }
  }

  /// A token as its verifier read it.
  package struct Reading: Sendable {
    /// Nil where it is no JWT.
    package var claims: Claims?
    /// Id of the cluster whose key signed it; nil where none of ours did.
    package var cluster: String?
    /// All claims.
    package var json: JSON

    package init(claims: Claims?, cluster: String?, json: JSON) {
      self.claims = claims
      self.cluster = cluster
      self.json = json
    }
  }

  /// An OpenID Connect provider of the account.
  package struct Provider: Sendable, Equatable {
    package var arn: String
    package var clientIDs: [String]

    package init(arn: String, clientIDs: [String]) {
      self.arn = arn
      self.clientIDs = clientIDs
    }

    /// The issuer without its scheme, as the ARN has it.
    package var issuer: String { ARN.parse(arn)?.resourceID ?? "" }
  }

  package struct Facts: FactSet {
    package var claims: Fact<Claims?>
    /// A key that the issuer publishes verifies it.
    package var isVerified: Fact<Bool>
    /// IAM ListOpenIDConnectProviders, GetOpenIDConnectProvider of the role's account.
    package var providers: Fact<[Provider]>
    package var now: Fact<Timestamp>

    package init(
      claims: Fact<Claims?>, isVerified: Fact<Bool>, providers: Fact<[Provider]>, now: Fact<Timestamp>
    ) {
      self.claims = claims
      self.isVerified = isVerified
      self.providers = providers
      self.now = now
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.claims), hider(\.isVerified), hider(\.providers), hider(\.now),
    ]
  }

  /// The code of the error for a reason: `InvalidIdentityToken` or `ExpiredTokenException`.
  package static func errorCode(_ reason: Because) -> String {
    reason.code == "\(name)/expired" ? "ExpiredTokenException" : "InvalidIdentityToken"
  }

  /// A `yes` gives the provider. The reason of a `no` is the error's message.
  package static func decide(_ facts: Facts) -> Verdict<Provider, Because> {
    func no(_ code: String, _ text: String, _ evidence: Citation?) -> Verdict<Provider, Because> {
      .no([Because("\(name)/\(code)", text, evidence: [evidence])])
    }
    guard let known = facts.claims.value else { return .open([facts.claims.gap!]) }
    let evidence = facts.claims.citation
    guard let claims = known else {
      return no(
        "not-a-jwt", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        evidence)
    }
    var gaps: [Gap] = []
    switch facts.isVerified {
    case .unknown(let gap): gaps.append(gap)
    case .known(true, _): break
    case .known(false, _):
      return no(
        "key",
        "Couldn't retrieve verification key from your identity provider,  please reference "
          + "AssumeRoleWithWebIdentity documentation for requirements", facts.isVerified.citation)
    }
    guard let audience = claims.audience else { return no("no-audience", "Missing a required claim: aud", evidence) }
    let issuer = claims.issuer.hasPrefix("https://") ? String(claims.issuer.dropFirst(8)) : claims.issuer
    var provider: Provider?
    switch facts.providers {
    case .unknown(let gap): gaps.append(gap)
    case .known(let providers, _):
      guard let found = providers.first(where: { $0.issuer == issuer }) else {
        return no(
          "no-provider", "No OpenIDConnect provider found in your account for \(claims.issuer)",
          facts.providers.citation)
      }
      guard audience.contains(where: found.clientIDs.contains) else {
        return no("audience", "Incorrect token audience", facts.providers.citation)
      }
      provider = found
    }
    switch facts.now {
    case .unknown(let gap): gaps.append(gap)
    case .known(let now, _):
      guard now.seconds < claims.expires else {
        return no(
          "expired",
          "Token expired: current date/time \(now.seconds) must be before the expiration date/time \(claims.expires)",
          evidence)
      }
    }
    guard gaps.isEmpty, let provider else { return .open(gaps) }
    return .yes(
      provider, [Because("\(name)/accepted", "STS takes the token of \(claims.subject)", evidence: [evidence])])
  }

  /// The condition keys that a token puts into the context of the trust policy: the issuer without its scheme. Keys of
  /// another issuer are never there; `rest` tells why those of AWS's own, such as `aws:SourceIp`, might be.
  package static func context(_ claims: Claims, rest: Gap? = nil) -> PolicyContext {
    let issuer = claims.issuer.hasPrefix("https://") ? String(claims.issuer.dropFirst(8)) : claims.issuer
    var context = PolicyContext(rest: rest)
    context.restOf = ["aws:", "sts:"]
    context.set("\(issuer):sub", claims.subject)
    if let audience = claims.audience { context.set("\(issuer):aud", values: audience) }
    return context
  }
}
