import CGenerated
import Wire

/// Whether an access policy of the caller's entry allows a request: the authorizer that EKS adds to RBAC
/// (EKS user guide, access policies).
package enum AccessPolicy: Rule {
  package static let name = "identity/access-policy"

  package struct Facts: FactSet {
    package var request: Fact<AccessRequest>
    /// The policies of the entry that mapped the caller; none for a caller who is impersonated.
    package var policies: Fact<[AccessPolicyAssociation]>
    package var principalARN: Fact<String>
    package var principalID: Fact<String>

    package init(
      request: Fact<AccessRequest>, policies: Fact<[AccessPolicyAssociation]>, principalARN: Fact<String>,
      principalID: Fact<String>
    ) {
      self.request = request
      self.policies = policies
      self.principalARN = principalARN
      self.principalID = principalID
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.request), hider(\.policies), hider(\.principalARN), hider(\.principalID),
    ]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let request = facts.request.value else { return .open([facts.request.gap!]) }
    guard let policies = facts.policies.value else { return .open([facts.policies.gap!]) }
    var seen: [Because] = []
    for association in policies {
      guard let rules = tables[association.policyName] else { continue }
      let grants = rules.contains { $0.allows(request) }
      let inScope = association.covers(request)
      if grants, inScope {
        let subject =
          "\"\(facts.principalARN.value ?? "")+\(association.policyARN)"
        let binding =
          association.namespaces == nil
          ? "ClusterRoleBinding \(subject)\"" : "RoleBinding \(subject)/\(request.namespace)\""
        return .yes([
          Because(
            "identity/access-policy/allowed",
            "EKS Access Policy: allowed by \(binding) of ClusterRole \"\(association.policyARN)\" to User "
              + "\"\(facts.principalID.value ?? "")\"", evidence: [facts.policies.citation])
        ])
      }
      seen.append(
        Because(
          grants ? "identity/access-policy/scope" : "identity/access-policy/lacks-it",
          grants
            ? "\(association.policyName) grants it, in \(association.scopeText) only"
            : "\(association.policyName) does not grant it", evidence: [facts.policies.citation]))
    }
    return .no(seen)
  }

  /// The rules of each policy, by name.
  package static let tables: [String: [RBACObjects.PolicyRule]] = {
    var tables: [String: [RBACObjects.PolicyRule]] = [:]
    for field in Embedded.json(ekswhy_access_policies()).fields {
      tables[field.key] = field.value.items.map(RBACObjects.PolicyRule.init)
    }
    return tables
  }()

  /// The policies there are, in order of their names.
  package static let names = tables.keys.sorted()
  package static let arnPrefix = "arn:aws:eks::aws:cluster-access-policy/"
}

extension AccessPolicyAssociation {
  /// Whether the request lies where the association holds.
  package func covers(_ request: AccessRequest) -> Bool {
    guard let namespaces else { return true }
    guard request.isResource, !request.namespace.isEmpty else { return false }
    return namespaces.contains { PolicyPattern.matches($0, request.namespace) }
  }

  package var scopeText: String {
    guard let namespaces else { return "the whole cluster" }
    return namespaces.count == 1 ? "namespace \(namespaces[0])" : "namespaces \(namespaces.joined(separator: ", "))"
  }
}
