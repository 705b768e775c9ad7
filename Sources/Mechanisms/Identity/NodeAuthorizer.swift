import Wire

/// What a node may ask for (kubernetes `plugin/pkg/auth/authorizer/node`). A `no` is no opinion, as upstream:
/// other authorizers are asked, and its reason ends in the Forbidden text.
package enum NodeAuthorizer: Rule {
  package static let name = "identity/node-authorizer"

  package struct Facts: FactSet {
    package var request: Fact<AccessRequest>
    /// Whether a pod of the node refers to the object; asked only where ``needsRelation(_:)``.
    package var related: Fact<Bool>

    package init(request: Fact<AccessRequest>, related: Fact<Bool>) {
      self.request = request
      self.related = related
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.request), hider(\.related)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let request = facts.request.value else { return .open([facts.request.gap!]) }
    switch judge(request) {
    case .allow: return .yes([])
    case .refuse(let text): return .no([Because("identity/node-authorizer/refused", text)])
    case .ifRelated(let node):
      switch facts.related {
      case .unknown(let gap): return .open([gap])
      case .known(true, _): return .yes([])
      case .known(false, _):
        return .no([
          Because(
            "identity/node-authorizer/unrelated", "no relationship found between node '\(node)' and this object",
            evidence: [facts.related.citation])
        ])
      }
    }
  }

  /// Whether the answer depends on what the node's pods refer to.
  package static func needsRelation(_ request: AccessRequest) -> Bool {
    if case .ifRelated = judge(request) { true } else { false }
  }

  private enum Judgement {
    case allow
    case refuse(String)
    case ifRelated(String)
  }

  private static func judge(_ request: AccessRequest) -> Judgement {
    let node: String
    switch NodeIdentity(username: request.username, groups: request.groups) {
    case .none: return .refuse("")
    case .unnamed: return .refuse("unknown node for user \(GoText.quote(request.username))")
    case .node(let name): node = name
    }
    func related() -> Judgement {
      request.name.isEmpty ? .refuse("No Object name found") : .ifRelated(node)
    }
    switch (request.group, request.resource) {
    case ("", "nodes"): return judgeNode(request, node)
    case ("", "pods"): return judgePod(request, node)
    case ("resource.k8s.io", "resourceslices"): return judgeSlice(request, node)
    case ("", "secrets"), ("", "configmaps"):
      guard ["get", "list", "watch"].contains(request.verb) else {
        return .refuse("can only read resources of this type")
      }
      guard request.subresource.isEmpty else { return .refuse("cannot read subresource") }
      guard !request.namespace.isEmpty else { return .refuse("can only read namespaced object of this type") }
      return related()
    case ("", "persistentvolumeclaims") where request.subresource == "status":
      guard ["update", "patch"].contains(request.verb) else { return .refuse("can only get/update/patch this type") }
      return related()
    case ("", "persistentvolumeclaims"), ("", "persistentvolumes"), ("storage.k8s.io", "volumeattachments"),
      ("resource.k8s.io", "resourceclaims"):
      guard request.verb == "get" else { return .refuse("can only get individual resources of this type") }
      guard request.subresource.isEmpty else { return .refuse("cannot get subresource") }
      return related()
    case ("", "serviceaccounts"):
      guard request.verb == "create", !request.name.isEmpty else {
        return .refuse("can only create tokens for individual service accounts")
      }
      guard request.subresource == "token" else {
        return .refuse("can only create token subresource of serviceaccount")
      }
      return related()
    case ("coordination.k8s.io", "leases"):
      guard ["get", "create", "update", "patch", "delete"].contains(request.verb) else {
        return .refuse("can only get, create, update, patch, or delete a node lease")
      }
      guard request.namespace == "kube-node-lease" else {
        return .refuse("can only access leases in the \"kube-node-lease\" system namespace")
      }
      guard request.verb == "create" || request.name == node else {
        return .refuse("can only access node lease with the same name as the requesting node")
      }
      return .allow
    case ("storage.k8s.io", "csinodes"):
      guard ["get", "create", "update", "patch", "delete"].contains(request.verb) else {
        return .refuse("can only get, create, update, patch, or delete a CSINode")
      }
      guard request.subresource.isEmpty else { return .refuse("cannot authorize CSINode subresources") }
      guard request.verb == "create" || request.name == node else {
        return .refuse("can only access CSINode with the same name as the requesting node")
      }
      return .allow
    default:
      return rules.contains { $0.allows(request) } ? .allow : .refuse("")
    }
  }

  /// A node reads its own Node and no other; NodeRestriction sees to what it writes.
  private static func judgeNode(_ request: AccessRequest, _ node: String) -> Judgement {
    switch (request.subresource, request.verb) {
    case ("", "create"), ("", "update"), ("", "patch"), ("status", "update"), ("status", "patch"): return .allow
    case ("", "get"), ("", "list"), ("", "watch"):
      if request.name == node { return .allow }
      let what = request.name.isEmpty ? "all nodes" : "'\(request.name)'"
      return .refuse("node '\(node)' cannot read \(what), only its own Node object")
    default: return .refuse("")
    }
  }

  /// It reads the pods that are bound to it, and writes mirror pods, statuses and evictions.
  private static func judgePod(_ request: AccessRequest, _ node: String) -> Judgement {
    switch (request.subresource, request.verb) {
    case ("", "get"): return request.name.isEmpty ? .refuse("No Object name found") : .ifRelated(node)
    case ("", "list"), ("", "watch"):
      if request.fieldSelector.required("spec.nodeName") == node { return .allow }
      if !request.name.isEmpty { return .ifRelated(node) }
      return .refuse("can only list/watch pods with spec.nodeName field selector")
    case ("", "create"), ("", "delete"), ("status", "update"), ("status", "patch"), ("eviction", "create"):
      return .allow
    default: return .refuse("")
    }
  }

  private static func judgeSlice(_ request: AccessRequest, _ node: String) -> Judgement {
    guard request.subresource.isEmpty else { return .refuse("cannot authorize ResourceSlice subresources") }
    switch request.verb {
    case "create": return .allow
    case "get", "update", "patch", "delete":
      return request.name.isEmpty ? .refuse("No Object name found") : .ifRelated(node)
    case "watch", "list", "deletecollection":
      if request.fieldSelector.required("spec.nodeName") == node { return .allow }
      return .refuse("can only list/watch/deletecollection resourceslices with nodeName field selector")
    default:
      return .refuse(
        "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, "
          + "deletecollection")
    }
  }

  /// What every node may do where the authorizer draws no finer line (upstream's `NodeRules`).
  package static let rules: [RBACObjects.PolicyRule] = {
    func rule(_ verbs: String, _ group: String, _ resources: String...) -> RBACObjects.PolicyRule {
      .init(verbs: verbs.split(separator: " ").map(String.init), groups: [group], resources: resources)
    }
    return [
      rule("create", "authentication.k8s.io", "tokenreviews"),
      rule("create", "authorization.k8s.io", "subjectaccessreviews", "localsubjectaccessreviews"),
      rule("get list watch", "", "services"),
      rule("create update patch", "", "events"),
      rule("create update patch", "events.k8s.io", "events"),
      rule("get", "", "endpoints"),
      rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
      rule("get list watch", "storage.k8s.io", "csidrivers"),
      rule("get list watch", "node.k8s.io", "runtimeclasses"),
      rule("get list watch", "certificates.k8s.io", "clustertrustbundles"),
    ]
  }()
}
