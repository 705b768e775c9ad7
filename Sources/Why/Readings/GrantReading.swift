import Evidence
import Mechanisms
import Wire

/// What the authorizers of a cluster say to a request, asked in EKS's order: masters, nodes, access policies, RBAC.
struct GrantReading: Sendable {
  var request: AccessRequest
  var verdict: Verdict<Void, Because>
  /// The objects of RBAC that were read.
  var rbac: RBAC.Facts?
  var evidence: [Exhibit]
}

extension Investigation {
  func grant(
    _ request: AccessRequest, policies: [AccessPolicyAssociation], entry: (arn: String, id: String)?
  ) async -> GrantReading {
    var grant = GrantReading(request: request, verdict: .no([]), evidence: [])
    if request.isPrivileged {
      grant.verdict = .yes([
        Because("identity/masters", "members of \(AccessRequest.privilegedGroup) are asked nothing")
      ])
      return grant
    }
    var reasons: [Because] = []
    var gaps: [Gap] = []
    if NodeIdentity(username: request.username, groups: request.groups) != .none {
      let verdict = NodeAuthorizer.decide(
        .init(
          request: .known(request),
          related: .unknown(
            Gap(read: "what the node's pods refer to", why: "ekswhy doesn't follow it", how: "ask as the node itself")))
      )
      if verdict.isYes {
        grant.verdict = .yes([Because("identity/node-authorizer", "the authorizer of nodes allows it")])
        return grant
      }
      reasons += verdict.reasons.filter { !$0.text.isEmpty }
      gaps += verdict.gaps
    }
    if let entry {
      let call: AWSCall = .listAssociatedAccessPolicies
      let found = await aws(call, ["clusterName": target.cluster ?? "", "principalArn": entry.arn])
      let names = policies.map { "\($0.policyName) in \($0.scopeText)" }
      let citation = Cite.aws(
        call, ARN.parse(entry.arn)?.name ?? entry.arn, value: names.isEmpty ? "none" : names.joined(separator: ", "),
        at: found.at)
      grant.evidence.append(Exhibit(citation))
      let verdict = AccessPolicy.decide(
        .init(
          request: .known(request), policies: found.gap.map { .unknown($0) } ?? .known(policies, .read(citation)),
          principalARN: .known(entry.arn), principalID: .known(entry.id)))
      if verdict.isYes {
        grant.verdict = verdict
        return grant
      }
      reasons += verdict.reasons
      gaps += verdict.gaps
    }
    let facts = await rbac(request)
    grant.rbac = facts
    let verdict = RBAC.decide(facts)
    grant.evidence += exhibits(verdict, facts, request)
    if verdict.isYes {
      grant.verdict = verdict
    } else {
      gaps += verdict.gaps
      reasons += verdict.reasons
      grant.verdict = gaps.isEmpty ? .no(reasons) : .open(gaps, reasons)
    }
    return grant
  }

  private func rbac(_ request: AccessRequest) async -> RBAC.Facts {
    let isNamespaced = request.isResource && !request.namespace.isEmpty
    let namespace = request.namespace
    async let clusterBindingsRead = list(.clusterRoleBindings)
    async let clusterRolesRead = list(.clusterRoles)
    async let bindingsRead = isNamespaced ? list(.roleBindings, namespace: namespace) : nil
    async let rolesRead = isNamespaced ? list(.roles, namespace: namespace) : nil
    let (clusterBindings, clusterRoles) = await (clusterBindingsRead, clusterRolesRead)
    let (bindings, roles) = await (bindingsRead, rolesRead)
    func fact(_ found: Found?, _ resource: KubernetesResource, _ isNeeded: (JSON) -> Bool) -> Fact<[JSON]> {
      guard let found else { return .known([]) }
      let place = resource.isNamespaced ? "\(resource.name) -n \(namespace)" : resource.name
      let citation = Citation(
        source: "kubernetes", locator: place, value: String(found.items.count), at: found.at)
      return found.fact(citation).map { $0.filter(isNeeded) }
    }
    // Most of a cluster's bindings are for its own components; they need not be read any further.
    let own = ((clusterBindings.items) + (bindings?.items ?? [])).filter { Self.concerns($0, request) }
    let named = Set(own.compactMap { $0["roleRef"]["name"].string } + ["view"])
    let isNamed: (JSON) -> Bool = { named.contains($0["metadata"]["name"].string ?? "") }
    return RBAC.Facts(
      request: request,
      clusterRoleBindings: fact(clusterBindings, .clusterRoleBindings) { Self.concerns($0, request) },
      roleBindings: fact(bindings, .roleBindings) { Self.concerns($0, request) },
      clusterRoles: fact(clusterRoles, .clusterRoles, isNamed), roles: fact(roles, .roles, isNamed))
  }

  /// Whether a binding may name the user, or a group that some mapping might give.
  private static func concerns(_ binding: JSON, _ request: AccessRequest) -> Bool {
    let namespace = binding["metadata"]["namespace"].string ?? ""
    return binding["subjects"].items.contains { subject in
      let name = subject["name"].string ?? ""
      guard subject["kind"].string == "ServiceAccount" else {
        return !name.hasPrefix("system:") || name == request.username || request.groups.contains(name)
      }
      return request.username == "system:serviceaccount:\(subject["namespace"].string ?? namespace):\(name)"
    }
  }

  /// The bindings that name the user, or that none of so many does.
  private func exhibits(_ verdict: Verdict<Void, Because>, _ facts: RBAC.Facts, _ request: AccessRequest) -> [Exhibit] {
    let all = (facts.clusterRoleBindings.value ?? []) + (facts.roleBindings.value ?? [])
    let naming = all.filter { binding in
      binding.subjects.contains { $0.names(request, bindingNamespace: binding.namespace) }
    }
    let granting = verdict.reasons.last?.details["binding"].string
    let told = naming.filter { granting == nil || $0.name == granting }
    // What every authenticated user has is told of only where it grants.
    let own = told.filter { binding in
      granting != nil
        || binding.subjects.contains {
          $0.names(request, bindingNamespace: binding.namespace)
            && !($0.kind == "Group" && ["system:authenticated", "system:serviceaccounts"].contains($0.name))
        }
    }
    guard !own.isEmpty else {
      return [facts.clusterRoleBindings.citation, facts.roleBindings.citation].compactMap { $0 }.map {
        Exhibit($0, text: "k8s \($0.locator): \($0.value), none is for it")
      }
    }
    return own.prefix(6).map { binding in
      let resource: KubernetesResource = binding.namespace.isEmpty ? .clusterRoleBindings : .roleBindings
      let path = [resource.name, binding.namespace, binding.name].filter { !$0.isEmpty }.joined(separator: "/")
      let subject = binding.subjects.first { $0.names(request, bindingNamespace: binding.namespace) }
      return Exhibit(
        Citation(
          source: "kubernetes", locator: path, field: "roleRef", value: "\(binding.roleKind) \(binding.roleName)",
          at: now),
        text:
          "k8s \(path): \(subject?.described(bindingNamespace: binding.namespace) ?? "") has \(binding.roleKind) \(binding.roleName)"
      )
    }
  }
}
