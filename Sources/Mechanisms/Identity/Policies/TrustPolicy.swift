import Wire

/// Whether a role's trust policy lets a principal assume it.
package enum TrustPolicy: Rule {
  package static let name = "identity/trust"

  package struct Facts: FactSet {
    package var trust: Fact<NamedPolicy>
    package var principal: Fact<PolicyPrincipal>
    /// `sts:AssumeRole`, `sts:AssumeRoleWithWebIdentity`, `sts:TagSession`.
    package var action: Fact<String>
    package var context: Fact<PolicyContext>

    package init(
      trust: Fact<NamedPolicy>, principal: Fact<PolicyPrincipal>, action: Fact<String>,
      context: Fact<PolicyContext> = .known(PolicyContext())
    ) {
      self.trust = trust
      self.principal = principal
      self.action = action
      self.context = context
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.trust), hider(\.principal), hider(\.action), hider(\.context),
      { facts in
        facts.context = facts.context.map { context in
          var context = context
          if let key = context.keys.last { context.set(key, unknown: .hidden) }
          return context
        }
      },
    ]
  }

  /// How far the trust goes.
  package enum Grant: Sendable, Equatable {
    /// It names the principal: nothing else is needed in the same account.
    case direct
    /// It names the principal's account: an identity-based policy must allow it too.
    case account
  }

  package static func decide(_ facts: Facts) -> Verdict<Grant, PolicyReason> {
    guard let trust = facts.trust.value else { return .open([facts.trust.gap!]) }
    guard let principal = facts.principal.value else { return .open([facts.principal.gap!]) }
    guard let action = facts.action.value else { return .open([facts.action.gap!]) }
    let evaluation = PolicyEvaluation(
      principal: principal, action: action, resource: "*", context: facts.context.value ?? PolicyContext(),
      contextGap: facts.context.gap)
    let outcome = evaluation.outcome([trust], .resource)
    if let denied = outcome.denied { return .no([.explicitDeny(denied)]) }
    if outcome.allow.isNo { return .no(outcome.near + [.implicitDeny(.resource)]) }
    let gaps = outcome.deny.gaps + outcome.allow.gaps
    let allowed = outcome.allowed.map { [PolicyReason.allowed($0)] } ?? []
    switch (gaps.isEmpty, outcome.allowDirect) {
    case (true, .yes): return .yes(.direct, allowed)
    case (true, .no): return .yes(.account, allowed)
    default: return .open(gaps + outcome.allowDirect.gaps, outcome.near)
    }
  }
}

/// Whether a role may be assumed, or a key used: its own policy must say so, and no other policy may stand against it.
/// Where its policy names the account alone, the caller's own policies must allow it too.
package enum TrustedUse: Rule {
  package static let name = "identity/trusted-use"

  package struct Facts: FactSet {
    package var trust: Fact<NamedPolicy>
    /// What else speaks for the caller and the thing; its resource policy is the trust.
    package var policies: IAMPolicy.Facts

    package init(trust: Fact<NamedPolicy>, policies: IAMPolicy.Facts) {
      self.trust = trust
      self.policies = policies
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.trust)] + lift(\.policies)
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, PolicyReason> {
    let request = facts.policies.request
    let trust = TrustPolicy.decide(
      .init(
        trust: facts.trust, principal: request.map(\.principal), action: request.map(\.action),
        context: facts.policies.context))
    if trust.isNo { return .no(trust.reasons) }
    var policies = facts.policies
    policies.resourcePolicy = facts.trust.map { $0 }
    let whole = IAMPolicy.decide(policies)
    if whole.isNo { return .no(whole.reasons) }
    let gaps = trust.gaps + whole.gaps
    return gaps.isEmpty ? .yes(trust.reasons) : .open(gaps, trust.reasons + whole.reasons)
  }
}
