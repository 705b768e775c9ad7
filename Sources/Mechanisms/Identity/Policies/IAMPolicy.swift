import Wire

/// What is asked of IAM for one action on one resource.
package struct IAMRequest: Sendable, Equatable {
  package var principal: PolicyPrincipal
  /// `ec2:DescribeInstances`.
  package var action: String
  /// An ARN, or `*` for actions without a resource.
  package var resource: String
  /// The account that owns the resource; empty for the caller's own.
  package var resourceAccount: String

  package init(principal: PolicyPrincipal, action: String, resource: String = "*", resourceAccount: String = "") {
    self.principal = principal
    self.action = action
    self.resource = resource
    self.resourceAccount = resourceAccount
  }

  package var isCrossAccount: Bool { !resourceAccount.isEmpty && resourceAccount != principal.account }
}

/// Whether IAM allows an action: explicit denies, then resource control, service control, endpoint, resource-based,
/// identity-based, boundary and session policies (IAM user guide, policy evaluation logic).
package enum IAMPolicy: Rule {
  package static let name = "identity/policy"

  package struct Facts: FactSet {
    package var request: Fact<IAMRequest>
    package var context: Fact<PolicyContext>
    package var identityPolicies: Fact<[NamedPolicy]>
    /// Nil for none.
    package var boundary: Fact<NamedPolicy?>
    /// Nil for a session without; every one of several must allow.
    package var sessionPolicies: Fact<[NamedPolicy]?>
    /// One list for each level from the root of the organisation; none outside one.
    package var serviceControlPolicies: Fact<[[NamedPolicy]]>
    package var resourceControlPolicies: Fact<[[NamedPolicy]]>
    /// Of the VPC endpoint that the call comes through; nil for one that comes another way.
    package var endpointPolicy: Fact<NamedPolicy?>
    /// Nil for a resource without.
    package var resourcePolicy: Fact<NamedPolicy?>

    package init(
      request: Fact<IAMRequest>, context: Fact<PolicyContext> = .known(PolicyContext()),
      identityPolicies: Fact<[NamedPolicy]>, boundary: Fact<NamedPolicy?> = .known(nil),
      sessionPolicies: Fact<[NamedPolicy]?> = .known(nil),
      serviceControlPolicies: Fact<[[NamedPolicy]]> = .known([]),
      resourceControlPolicies: Fact<[[NamedPolicy]]> = .known([]), endpointPolicy: Fact<NamedPolicy?> = .known(nil),
      resourcePolicy: Fact<NamedPolicy?> = .known(nil)
    ) {
      self.request = request
      self.context = context
      self.identityPolicies = identityPolicies
      self.boundary = boundary
      self.sessionPolicies = sessionPolicies
      self.serviceControlPolicies = serviceControlPolicies
      self.resourceControlPolicies = resourceControlPolicies
      self.endpointPolicy = endpointPolicy
      self.resourcePolicy = resourcePolicy
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.request), hider(\.context), hider(\.identityPolicies), hider(\.boundary), hider(\.sessionPolicies),
      hider(\.serviceControlPolicies), hider(\.resourceControlPolicies), hider(\.endpointPolicy),
      hider(\.resourcePolicy),
      { facts in
        // One key of the context.
        facts.context = facts.context.map { context in
          var context = context
          if let key = context.keys.first { context.set(key, unknown: .hidden) }
          return context
        }
      },
    ]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, PolicyReason> {
    guard let request = facts.request.value else { return .open([facts.request.gap!]) }
    let evaluation = PolicyEvaluation(
      principal: request.principal, action: request.action, resource: request.resource,
      context: facts.context.value ?? PolicyContext(), contextGap: facts.context.gap)

    func outcome(_ fact: Fact<[NamedPolicy]>, _ kind: PolicyKind) -> PolicyEvaluation.Outcome {
      switch fact {
      case .known(let policies, _): evaluation.outcome(policies, kind)
      case .unknown(let gap): .unknown(gap)
      }
    }
    let identity = outcome(facts.identityPolicies, .identity)
    let resource = outcome(facts.resourcePolicy.map { $0.map { [$0] } ?? [] }, .resource)
    let boundary = outcome(facts.boundary.map { $0.map { [$0] } ?? [] }, .boundary)
    let session = outcome(facts.sessionPolicies.map { $0 ?? [] }, .session)
    let endpoint = outcome(facts.endpointPolicy.map { $0.map { [$0] } ?? [] }, .endpoint)
    let service =
      ControlPolicies.bindsPrincipal(request.principal)
      ? evaluation.levels(facts.serviceControlPolicies, .serviceControl) : []
    let control =
      ControlPolicies.bindsResource(of: request.action, request.principal)
      ? evaluation.levels(facts.resourceControlPolicies, .resourceControl) : []

    let all = control + service + [endpoint, resource, identity, boundary, session]
    var gaps: [Gap] = []
    for outcome in all {
      if let denied = outcome.denied { return .no([.explicitDeny(denied)]) }
      gaps += outcome.deny.gaps
    }
    let near = all.flatMap(\.near)

    // What each kind adds; the first that fails is the one that AWS names.
    let noBoundary = facts.boundary.map { $0 == nil }
    let noSession = facts.sessionPolicies.map { $0 == nil }
    let byBoundary = Truth(noBoundary) || boundary.allow
    let bySession = Truth(noSession) || session.allow
    let needsIdentity = request.principal.kind != .service && request.principal.kind != .webIdentity
    let byIdentity = request.principal.kind == .root ? Truth.yes : needsIdentity ? identity.allow : .no
    let fromIdentity = byIdentity && byBoundary && bySession
    let byResource: Truth =
      switch (request.isCrossAccount, needsIdentity) {
      case (_, false): resource.allow
      case (true, true): .no
      case (false, true): resource.allowDirect
      }
    let steps: [(PolicyKind, Truth)] = [
      (.resourceControl, Truth.all(control, \.allow)),
      (.serviceControl, Truth.all(service, \.allow)),
      (.endpoint, Truth(facts.endpointPolicy.map { $0 == nil }) || endpoint.allow),
      (.resource, request.isCrossAccount && needsIdentity ? resource.allow : .yes),
      (needsIdentity ? .identity : .resource, byResource || byIdentity),
      (.boundary, byResource || byBoundary || !byIdentity),
      (.session, byResource || bySession || !byIdentity),
    ]
    // A boundary and a session policy only matter where the grant came from identity.
    let grant = Truth.all(steps.prefix(4)) { $0.1 } && (byResource || fromIdentity)
    switch (grant, gaps.isEmpty) {
    case (.no, _):
      guard let failed = steps.first(where: { $0.1.isNo }) else {
        return .no(near + [.implicitDeny(needsIdentity ? .identity : .resource)])
      }
      return .no(near + [.implicitDeny(failed.0)])
    case (.yes, true):
      let by = (byResource.isYes ? resource.allowed : nil) ?? identity.allowed ?? resource.allowed
      return .yes(by.map { [.allowed($0)] } ?? [])
    default: return .open(gaps + grant.gaps, near)
    }
  }
}
