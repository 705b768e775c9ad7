import Wire

/// Whether roles and their bindings allow a request (kubernetes `plugin/pkg/auth/authorizer/rbac`).
///
/// A `yes` ends with upstream's reason, `RBAC: allowed by …`; the last reason of a `no` is upstream's too,
/// which is empty unless a binding names a role that does not exist.
package enum RBAC: Rule {
  package static let name = "identity/rbac"

  package struct Facts: FactSet {
    package var request: Fact<AccessRequest>
    package var clusterRoleBindings: Fact<[RBACObjects.Binding]>
    /// Those of the request's namespace.
    package var roleBindings: Fact<[RBACObjects.Binding]>
    /// By name.
    package var clusterRoles: Fact<[String: RBACObjects.Role]>
    /// Those of the request's namespace, by name.
    package var roles: Fact<[String: RBACObjects.Role]>

    package init(
      request: Fact<AccessRequest>, clusterRoleBindings: Fact<[RBACObjects.Binding]>,
      roleBindings: Fact<[RBACObjects.Binding]>, clusterRoles: Fact<[String: RBACObjects.Role]>,
      roles: Fact<[String: RBACObjects.Role]>
    ) {
      self.request = request
      self.clusterRoleBindings = clusterRoleBindings
      self.roleBindings = roleBindings
      self.clusterRoles = clusterRoles
      self.roles = roles
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.request), hider(\.clusterRoleBindings), hider(\.roleBindings), hider(\.clusterRoles), hider(\.roles),
    ]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let request = facts.request.value else { return .open([facts.request.gap!]) }
    var gaps: [Gap] = []
    var missing: [String] = []
    var seen: [Because] = []
    let namespaced = request.isResource && !request.namespace.isEmpty
    for bindings in [facts.clusterRoleBindings, namespaced ? facts.roleBindings : .known([])] {
      guard let known = bindings.value else {
        gaps.append(bindings.gap!)
        continue
      }
      for binding in known {
        guard
          let subject = binding.subjects.first(where: { $0.names(request, bindingNamespace: binding.namespace) })
        else { continue }
        let roles = binding.roleKind == "ClusterRole" ? facts.clusterRoles : facts.roles
        guard let table = roles.value else {
          gaps.append(roles.gap!)
          continue
        }
        let described = binding.described(subject)
        guard let role = table[binding.roleName] else {
          let text = "\(binding.roleKind.lowercased()).rbac.authorization.k8s.io \"\(binding.roleName)\" not found"
          missing.append(text)
          seen.append(
            Because("identity/rbac/role-not-found", "\(described): \(text)", evidence: [bindings.citation]))
          continue
        }
        if role.rules.contains(where: { $0.allows(request) }) {
          return .yes([
            Because(
              "identity/rbac/allowed", "RBAC: allowed by \(described)",
              evidence: [bindings.citation, roles.citation],
              details: ["binding": .string(binding.name), "role": .string(binding.roleName)])
          ])
        }
        seen.append(
          Because(
            "identity/rbac/role-lacks-it", "\(described) does not grant it",
            evidence: [bindings.citation, roles.citation]))
      }
    }
    guard gaps.isEmpty else { return .open(gaps, seen) }
    if seen.isEmpty {
      seen.append(
        Because(
          "identity/rbac/not-bound", "no binding names \(request.username) or one of its groups",
          evidence: [facts.clusterRoleBindings.citation, facts.roleBindings.citation]))
    }
    return .no(seen + [Because("identity/rbac/denied", missing.isEmpty ? "" : "RBAC: \(GoText.aggregate(missing))")])
  }
}
