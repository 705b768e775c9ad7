import Wire
package import World

/// Gathers the rules of ClusterRoles into those that aggregate them by their labels.
///
/// Source: kubernetes `pkg/controller/clusterroleaggregation`.
package struct ClusterRoleAggregationController: Reconciler {
  package static let name = "clusterrole-aggregation-controller"
  package static let resources = ["clusterroles.rbac.authorization.k8s.io"]

  private static let resource = "clusterroles.rbac.authorization.k8s.io"

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    desk.list(Self.resource).filter { !$0["aggregationRule"].isNull }.map(\.name)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let role = desk.get(Self.resource, "", key), !role["aggregationRule"].isNull, !role.isTerminating else {
      return
    }
    let roles = desk.list(Self.resource)
    var rules: [JSON] = []
    for selector in role["aggregationRule"]["clusterRoleSelectors"].items {
      guard let selector = try? LabelSelector(labelSelector: selector) else { continue }
      for other in roles where other.name != role.name && selector.matches(other.labels) {
        for rule in other["rules"].items where !rules.contains(rule) { rules.append(rule) }
      }
    }
    // The order tells nothing.
    let present = role["rules"].items
    if present.count == rules.count, rules.allSatisfy(present.contains) { return }
    desk.send(
      desk.client.patch(
        Self.resource, "", role.name, ["rules": .array(rules)], .merge), "update")
  }
}
