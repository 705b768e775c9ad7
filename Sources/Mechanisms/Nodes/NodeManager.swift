package import Wire

/// What EKS does with the nodes of managed groups inside a cluster, and the objects of RBAC that let it (EKS user guide,
/// troubleshooting; as every cluster has them).
package enum NodeManager {
  package static let user = "eks:node-manager"

  /// All that it must be allowed.
  package static let requests: [AccessRequest] =
    ["get", "list", "watch", "patch"].map { request($0, "nodes") }
    + ["get", "list", "watch", "delete"].map { request($0, "pods") } + [request("create", "pods", "eviction")]

  private static func request(_ verb: String, _ resource: String, _ subresource: String = "") -> AccessRequest {
    AccessRequest(
      username: user, groups: ["system:authenticated"], verb: verb, resource: resource, subresource: subresource)
  }

  /// The role and its binding.
  package static let objects: [JSON] = [
    [
      "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": ["name": "eks:node-manager"],
      "rules": [
        ["apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "delete"]],
        ["apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch", "patch"]],
        ["apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]],
      ],
    ],
    [
      "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
      "metadata": ["name": "eks:node-manager"],
      "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "eks:node-manager"],
      "subjects": [["apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eks:node-manager"]],
    ],
  ]
}
