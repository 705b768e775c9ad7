import Mechanisms
import Wire
import World

/// Nobody gives what he does not have (`pkg/registry/rbac/*/policybased`): who writes a role must hold its rules or
/// may `escalate`, who writes a binding must hold the rules of its role or may `bind`.
enum EscalationCheck {
  private static let group = "rbac.authorization.k8s.io"

  static func check(_ object: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    guard let user = request.exchange.user, !request.exchange.access.isPrivileged else { return }
    if let old = request.old, isOnlyForCollection(object, old) { return }
    if request.row.plural.hasSuffix("bindings") {
      try checkBinding(object, user, request, server)
    } else {
      try checkRole(object, user, request, server)
    }
  }

  private static func checkRole(_ object: JSON, _ user: KubeUser, _ request: AdmissionRequest, _ server: APIServer)
    throws(KubeStatus)
  {
    // The name of what is created stands in no path.
    let name = request.exchange.info.name
    if may("escalate", request.row.plural, name, user, request, server) { return }
    let rules = object["rules"].items.map(RBACObjects.PolicyRule.init)
    let aggregates = [object, request.old ?? .null].contains {
      !$0["aggregationRule"]["clusterRoleSelectors"].items.isEmpty
    }
    if aggregates {
      let everything = [
        RBACObjects.PolicyRule(verbs: ["*"], groups: ["*"], resources: ["*"]),
        RBACObjects.PolicyRule(verbs: ["*"], paths: ["*"]),
      ]
      guard fault(everything, user, request.namespace, server) == nil else {
        throw request.refused("must have cluster-admin privileges to use the aggregationRule")
      }
    }
    if let text = fault(rules, user, request.namespace, server) { throw request.refused(text) }
  }

  private static func checkBinding(_ object: JSON, _ user: KubeUser, _ request: AdmissionRequest, _ server: APIServer)
    throws(KubeStatus)
  {
    let kind = object["roleRef"]["kind"].string ?? ""
    let name = object["roleRef"]["name"].string ?? ""
    guard kind == "ClusterRole" || kind == "Role" else { return }
    let resource = kind == "ClusterRole" ? "clusterroles" : "roles"
    if may("bind", resource, name, user, request, server) { return }
    let namespace = kind == "ClusterRole" ? "" : request.namespace
    guard let role = server.read("\(resource).\(group)", namespace, name) else {
      throw .notFound(GroupName(group: group, name: String(resource.dropLast())), name)
    }
    let rules = role["rules"].items.map(RBACObjects.PolicyRule.init)
    if let text = fault(rules, user, request.namespace, server) { throw request.refused(text) }
  }

  private static func may(
    _ verb: String, _ resource: String, _ name: String, _ user: KubeUser, _ request: AdmissionRequest,
    _ server: APIServer
  ) -> Bool {
    server.decide(
      AccessRequest(
        username: user.name, groups: user.groups, verb: verb, group: group, resource: resource,
        namespace: request.namespace, name: name), user
    ).isAllowed
  }

  /// What the user lacks of the rules, in upstream's words; nil when nothing.
  private static func fault(
    _ rules: [RBACObjects.PolicyRule], _ user: KubeUser, _ namespace: String, _ server: APIServer
  ) -> String? {
    let request = AccessRequest(
      username: user.name, groups: user.groups, verb: "", resource: "", namespace: namespace)
    let verdict = RBACEscalation.decide(
      .init(
        user: .known(.init(name: user.name, groups: user.groups)), wanted: .known(rules),
        held: .known(server.access.held(request, server))))
    return verdict.isYes ? nil : verdict.reasons.last?.text
  }

  /// Whether nothing but what the garbage collector needs is changed.
  private static func isOnlyForCollection(_ object: JSON, _ old: JSON) -> Bool {
    var (a, b) = (object, old)
    for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation"] {
      a["metadata"][field] = .null
      b["metadata"][field] = .null
    }
    return a == b
  }
}
