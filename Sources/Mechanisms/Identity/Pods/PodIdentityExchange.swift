package import Wire

/// Whether EKS Auth gives credentials for a pod's token: AssumeRoleForPodIdentity. The texts have been observed.
package enum PodIdentityExchange: Rule {
  package static let name = "identity/pod-identity"
  package static let audience = "pods.eks.amazonaws.com"

  package struct Association: Sendable, Equatable {
    package var id: String
    package var roleARN: String

    package init(id: String, roleARN: String) {
      self.id = id
      self.roleARN = roleARN
    }
  }

  package struct Facts: FactSet {
    /// Nil where the token is no JWT.
    package var claims: Fact<WebIdentityToken.Claims?>
    /// It is signed by this cluster.
    package var isVerified: Fact<Bool>
    package var now: Fact<Timestamp>
    /// EKS ListPodIdentityAssociations, by namespace and service account; nil for none.
    package var association: Fact<Association?>
    /// The role's trust policy; nil where there is no such role.
    package var trust: Fact<NamedPolicy?>
    /// Keys of the request, such as the session's tags.
    package var context: Fact<PolicyContext>

    package init(
      claims: Fact<WebIdentityToken.Claims?>, isVerified: Fact<Bool>, now: Fact<Timestamp>,
      association: Fact<Association?>, trust: Fact<NamedPolicy?>, context: Fact<PolicyContext> = .known(PolicyContext())
    ) {
      self.claims = claims
      self.isVerified = isVerified
      self.now = now
      self.association = association
      self.trust = trust
      self.context = context
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.claims), hider(\.isVerified), hider(\.now), hider(\.association), hider(\.trust), hider(\.context),
    ]
  }

  /// The code of the error for a reason.
  package static func errorCode(_ reason: Because) -> String {
    switch reason.code {
    case "\(name)/expired": "ExpiredTokenException"
    case "\(name)/no-association": "ResourceNotFoundException"
    case "\(name)/trust": "AccessDeniedException"
    default: "InvalidTokenException"
    }
  }

  package static let trustText =
    "Unauthorized Exception! EKS does not have permissions to assume the associated role."

  /// A `yes` gives the association. The reason of a `no` is the error's message; what of the trust policy does not
  /// fit stands in ``trust(_:context:)``.
  package static func decide(_ facts: Facts) -> Verdict<Association, Because> {
    func no(_ code: String, _ text: String, _ citation: Citation?) -> Verdict<Association, Because> {
      .no([Because("\(name)/\(code)", text, evidence: [citation])])
    }
    guard let known = facts.claims.value else { return .open([facts.claims.gap!]) }
    guard let claims = known else {
      return no("malformed", "The token included in the request is not a valid JWT.", facts.claims.citation)
    }
    var gaps: [Gap] = []
    switch facts.isVerified {
    case .unknown(let gap): gaps.append(gap)
    case .known(true, _): break
    case .known(false, _):
      return no(
        "signature", "The token included in the request is not signed by the cluster.", facts.isVerified.citation)
    }
    guard claims.audience?.contains(audience) == true else {
      return no("audience", "The audience of the token included in the request is invalid.", facts.claims.citation)
    }
    switch facts.now {
    case .unknown(let gap): gaps.append(gap)
    case .known(let now, _):
      guard now.seconds < claims.expires else {
        return no(
          "expired",
          "The token included in the request is expired: current date/time \(now.rfc3339) must be before the "
            + "expiration date/time \(Timestamp(seconds: claims.expires).rfc3339).", facts.claims.citation)
      }
    }
    var association: Association?
    switch facts.association {
    case .unknown(let gap): gaps.append(gap)
    case .known(nil, _):
      return no(
        "no-association", "The token included in the request has no service account role association for it.",
        facts.association.citation)
    case .known(let found?, _): association = found
    }
    switch facts.trust {
    case .unknown(let gap): gaps.append(gap)
    case .known(nil, _): return no("trust", trustText, facts.trust.citation)
    case .known(let trust?, let source):
      let truth = Self.trust(.known(trust, source), context: facts.context)
      if truth.isNo { return no("trust", trustText, facts.trust.citation) }
      gaps += truth.gaps
    }
    guard gaps.isEmpty, let association else { return .open(gaps) }
    return .yes(
      association,
      [
        Because(
          "\(name)/accepted", "EKS Auth takes the token of \(claims.subject) for \(association.roleARN)",
          evidence: [facts.association.citation, facts.trust.citation])
      ])
  }

  /// Whether the role lets EKS Pod Identity assume it and tag the session; a reason of a `no` names what is missing.
  package static func trust(
    _ trust: Fact<NamedPolicy>, context: Fact<PolicyContext> = .known(PolicyContext())
  ) -> Verdict<Void, PolicyReason> {
    var open: [Gap] = []
    for action in ["sts:AssumeRole", "sts:TagSession"] {
      let verdict = TrustPolicy.decide(
        .init(
          trust: trust, principal: .known(.service("pods.eks.amazonaws.com")), action: .known(action), context: context)
      )
      if verdict.isNo { return .no(verdict.reasons) }
      open += verdict.gaps
    }
    return open.isEmpty ? .yes() : .open(open)
  }
}
