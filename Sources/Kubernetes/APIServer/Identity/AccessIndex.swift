import Mechanisms
import Wire

/// RBAC's objects of a cluster, read once after each change, with those bindings at hand that may name a user.
final class AccessIndex {
  private struct Bindings {
    var all: [RBACObjects.Binding] = []
    /// Places in `all`, by `u:name`, `g:name` of the subjects.
    var bySubject: [String: [Int]] = [:]

    mutating func add(_ binding: RBACObjects.Binding) {
      for subject in binding.subjects {
        let key: String
        switch subject.kind {
        case "User": key = "u:\(subject.name)"
        case "Group": key = "g:\(subject.name)"
        default:
          let namespace = subject.namespace.isEmpty ? binding.namespace : subject.namespace
          key = "u:system:serviceaccount:\(namespace):\(subject.name)"
        }
        if bySubject[key]?.last != all.count { bySubject[key, default: []].append(all.count) }
      }
      all.append(binding)
    }

    func naming(_ request: AccessRequest) -> [RBACObjects.Binding] {
      var places = bySubject["u:\(request.username)"] ?? []
      for group in request.groups { places += bySubject["g:\(group)"] ?? [] }
      guard places.count > 1 else { return places.map { all[$0] } }
      return Set(places).sorted().map { all[$0] }
    }
  }

  private var clusterBindings = Bindings()
  private var bindings: [String: Bindings] = [:]
  private var clusterRoles: [String: RBACObjects.Role] = [:]
  private var roles: [String: [String: RBACObjects.Role]] = [:]
  private var isCurrent = false

  func invalidate() { isCurrent = false }

  private func refresh(_ server: APIServer) {
    guard !isCurrent else { return }
    isCurrent = true
    clusterBindings = Bindings()
    bindings = [:]
    clusterRoles = [:]
    roles = [:]
    for object in server.read("clusterrolebindings.rbac.authorization.k8s.io", namespace: "") {
      clusterBindings.add(RBACObjects.Binding(object))
    }
    for object in server.read("rolebindings.rbac.authorization.k8s.io", namespace: "") {
      let binding = RBACObjects.Binding(object)
      bindings[binding.namespace, default: Bindings()].add(binding)
    }
    for object in server.read("clusterroles.rbac.authorization.k8s.io", namespace: "") {
      let role = RBACObjects.Role(object)
      clusterRoles[role.name] = role
    }
    for object in server.read("roles.rbac.authorization.k8s.io", namespace: "") {
      let role = RBACObjects.Role(object)
      roles[object["metadata"]["namespace"].string ?? "", default: [:]][role.name] = role
    }
  }

  func facts(_ request: AccessRequest, _ server: APIServer) -> RBAC.Facts {
    refresh(server)
    return RBAC.Facts(
      request: .known(request), clusterRoleBindings: .known(clusterBindings.naming(request)),
      roleBindings: .known(bindings[request.namespace]?.naming(request) ?? []), clusterRoles: .known(clusterRoles),
      roles: .known(roles[request.namespace] ?? [:]))
  }

  /// Every rule that RBAC gives a user in a namespace.
  func held(_ request: AccessRequest, _ server: APIServer) -> RBACEscalation.Held {
    refresh(server)
    var held = RBACEscalation.Held(rules: [])
    func add(_ binding: RBACObjects.Binding, _ role: RBACObjects.Role?) {
      held.rules += role?.rules ?? []
      guard role == nil else { return }
      held.faults.append(
        "\(binding.roleKind.lowercased()).rbac.authorization.k8s.io \(GoText.quote(binding.roleName)) not found")
    }
    for binding in clusterBindings.naming(request) { add(binding, clusterRoles[binding.roleName]) }
    for binding in bindings[request.namespace]?.naming(request) ?? [] {
      let local = roles[request.namespace]?[binding.roleName]
      add(binding, binding.roleKind == "ClusterRole" ? clusterRoles[binding.roleName] : local)
    }
    return held
  }
}

/// What the pods of each node refer to, kept as pods change.
final class NodeIndex {
  private var pods: [String: [ObjectKey: StoredObject]] = [:]
  private var known: [String: NodeReferences] = [:]

  func pod(old: StoredObject?, new: StoredObject?) {
    let before = old?.json["spec"]["nodeName"].string
    let after = new?.json["spec"]["nodeName"].string
    if let old, let before, before != after || new == nil {
      pods[before]?[old.key] = nil
      known[before] = nil
    }
    if let new, let after {
      pods[after, default: [:]][new.key] = new
      if before != after { known[after] = nil }
    }
  }

  func references(of node: String) -> NodeReferences {
    if let references = known[node] { return references }
    var references = NodeReferences()
    for (_, pod) in pods[node] ?? [:] { references.add(pod: pod.json) }
    known[node] = references
    return references
  }

  func count(of node: String) -> Int { pods[node]?.count ?? 0 }
}
