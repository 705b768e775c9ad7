package import Wire

/// What a node may write (kubernetes `plugin/pkg/admission/noderestriction`). The reason of a `no` is what
/// stands after `⟨resource⟩ "⟨name⟩" is forbidden: `.
package enum NodeRestriction: Rule {
  package static let name = "identity/node-restriction"

  package enum Operation: String, Sendable { case create, update, delete }

  package struct Facts: FactSet {
    package var request: Fact<AccessRequest>
    package var operation: Fact<Operation>
    /// Null for a deletion.
    package var object: Fact<JSON>
    package var oldObject: Fact<JSON>
    /// The pod that a token request is bound to; null where there is none.
    package var boundPod: Fact<JSON>
    /// The Node object that the caller is; null where there is none.
    package var ownNode: Fact<JSON>
    /// The audiences for which the node may ask for tokens of the pod: those of its volumes, and what it is
    /// authorized to ask for beside them.
    package var audiences: Fact<[String]>

    package init(
      request: Fact<AccessRequest>, operation: Fact<Operation>, object: Fact<JSON>, oldObject: Fact<JSON>,
      boundPod: Fact<JSON> = .known(.null), ownNode: Fact<JSON> = .known(.null), audiences: Fact<[String]> = .known([])
    ) {
      self.request = request
      self.operation = operation
      self.object = object
      self.oldObject = oldObject
      self.boundPod = boundPod
      self.ownNode = ownNode
      self.audiences = audiences
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.request), hider(\.operation), hider(\.object), hider(\.oldObject), hider(\.boundPod),
      hider(\.ownNode), hider(\.audiences),
    ]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let request = facts.request.value else { return .open([facts.request.gap!]) }
    let node: String
    switch NodeIdentity(username: request.username, groups: request.groups) {
    case .none: return .yes()
    case .unnamed:
      return .no([
        Because(
          "identity/node-restriction/unnamed", "could not determine node from user \(GoText.quote(request.username))")
      ])
    case .node(let name): node = name
    }
    let check = Check(node: node, request: request)
    do throws(Stop) {
      switch (request.group, request.resource) {
      case ("", "pods"), ("", "nodes"), ("", "serviceaccounts"), ("coordination.k8s.io", "leases"),
        ("storage.k8s.io", "csinodes"):
        guard let operation = facts.operation.value else { return .open([facts.operation.gap!]) }
        try check.run(operation, facts)
      default: break
      }
      return .yes()
    } catch {
      switch error {
      case .open(let gap): return .open([gap])
      case .refused(let text):
        return .no([
          Because(
            "identity/node-restriction/refused", text, evidence: [facts.object.citation, facts.oldObject.citation])
        ])
      }
    }
  }

  private enum Stop: Error {
    case refused(String)
    case open(Gap)
  }

  private struct Check {
    var node: String
    var request: AccessRequest

    func need(_ fact: Fact<JSON>) throws(Stop) -> JSON {
      switch fact {
      case .known(let value, _): return value
      case .unknown(let gap): throw .open(gap)
      }
    }

    func run(_ operation: Operation, _ facts: Facts) throws(Stop) {
      let (object, old) = (facts.object, facts.oldObject)
      switch request.resource {
      case "nodes": try nodes(operation, object, old)
      case "pods": try pods(operation, object, old, facts.ownNode)
      case "serviceaccounts":
        guard operation == .create, request.subresource == "token" else { return }
        try token(try need(object), facts.boundPod, facts.audiences)
      case "leases":
        guard request.namespace == "kube-node-lease" else {
          throw .refused("can only access leases in the \"kube-node-lease\" system namespace")
        }
        if operation == .create, try need(object)["metadata"]["name"].string != node {
          throw .refused("can only access node lease with the same name as the requesting node")
        }
      default:
        if operation == .create, try need(object)["metadata"]["name"].string != node {
          throw .refused("can only access CSINode with the same name as the requesting node")
        }
      }
    }

    func nodes(_ operation: Operation, _ object: Fact<JSON>, _ old: Fact<JSON>) throws(Stop) {
      var name = request.name
      if operation == .create { name = try need(object)["metadata"]["name"].string ?? name }
      guard name == node else {
        throw .refused("node \(GoText.quote(node)) is not allowed to modify node \(GoText.quote(name))")
      }
      switch operation {
      case .create:
        guard try need(object)["spec"]["configSource"].isNull else {
          throw .refused("node \(GoText.quote(node)) is not allowed to create pods with a non-nil configSource")
        }
        let labels = try need(object)["metadata"]["labels"].stringMap.keys.filter(NodeLabels.isForbidden).sorted()
        guard labels.isEmpty else {
          throw .refused(
            "node \(GoText.quote(node)) is not allowed to set the following labels: \(labels.joined(separator: ", "))")
        }
      case .update:
        let new = try need(object)
        let before = try need(old)
        let source = new["spec"]["configSource"]
        guard source.isNull || source == before["spec"]["configSource"] else {
          throw .refused(
            "node \(GoText.quote(node)) is not allowed to update configSource to a new non-nil configSource")
        }
        guard new["spec"]["taints"].items == before["spec"]["taints"].items else {
          throw .refused("node \(GoText.quote(node)) is not allowed to modify taints")
        }
        let a = new["metadata"]["labels"].stringMap
        let b = before["metadata"]["labels"].stringMap
        let changed = Set(a.keys).union(b.keys).filter { a[$0] != b[$0] }
        let labels = changed.filter(NodeLabels.isForbiddenToModify).sorted()
        guard labels.isEmpty else {
          throw .refused("is not allowed to modify labels: \(labels.joined(separator: ", "))")
        }
      case .delete: break
      }
    }

    func pods(
      _ operation: Operation, _ object: Fact<JSON>, _ old: Fact<JSON>, _ ownNode: Fact<JSON>
    ) throws(Stop) {
      let quoted = GoText.quote(node)
      switch (request.subresource, operation) {
      case ("", .create):
        let pod = try need(object)
        guard pod["metadata"]["annotations"].has("kubernetes.io/config.mirror") else {
          throw .refused(
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node \(quoted) can only create mirror pods")
        }
        guard pod["spec"]["nodeName"].string == node else {
          throw .refused("node \(quoted) can only create pods with spec.nodeName set to itself")
        }
        try owner(of: pod, ownNode)
        guard (pod["spec"]["serviceAccountName"].string ?? "").isEmpty else {
          throw .refused("node \(quoted) can not create pods that reference a service account")
        }
        if let kind = NodeReferences.firstKind(of: pod) {
          throw .refused("node \(quoted) can not create pods that reference \(kind)")
        }
      case ("", .delete):
        guard try need(old)["spec"]["nodeName"].string == node else {
          throw .refused("node \(quoted) can only delete pods with spec.nodeName set to itself")
        }
      case ("", .update):
        throw .refused("unexpected operation \"UPDATE\", node \(quoted) can only create and delete mirror pods")
      case ("status", _):
        guard try need(old)["spec"]["nodeName"].string == node else {
          throw .refused("node \(quoted) can only update pod status for pods with spec.nodeName set to itself")
        }
        guard try need(object)["metadata"]["labels"].stringMap == need(old)["metadata"]["labels"].stringMap else {
          throw .refused("node \(quoted) cannot update labels through pod status")
        }
      case ("eviction", _):
        guard let pod = old.value else { throw .open(old.gap!) }
        guard pod.isNull || pod["spec"]["nodeName"].string == node else {
          throw .refused("node \(node) can only evict pods with spec.nodeName set to itself")
        }
      default:
        throw .refused(
          "unexpected pod subresource \(GoText.quote(request.subresource)), only 'status' and 'eviction' are allowed")
      }
    }

    /// A mirror pod belongs to its node, and to nothing else.
    private func owner(of pod: JSON, _ ownNode: Fact<JSON>) throws(Stop) {
      let quoted = GoText.quote(node)
      let owners = pod["metadata"]["ownerReferences"].items
      guard owners.count <= 1 else {
        throw .refused("node \(quoted) can only create pods with a single owner reference set to itself")
      }
      guard let owner = owners.first, owner["apiVersion"].string == "v1", owner["kind"].string == "Node",
        owner["name"].string == node
      else { throw .refused("node \(quoted) can only create pods with an owner reference set to itself") }
      guard owner["controller"].bool == true else {
        throw .refused("node \(quoted) can only create pods with a controller owner reference set to itself")
      }
      guard owner["blockOwnerDeletion"].bool != true else {
        throw .refused("node \(quoted) must not set blockOwnerDeletion on an owner reference")
      }
      let uid = try need(ownNode)["metadata"]["uid"].string ?? ""
      let said = owner["uid"].string ?? ""
      guard said == uid else { throw .refused("node \(node) UID mismatch: expected \(said) got \(uid)") }
    }

    func token(_ review: JSON, _ boundPod: Fact<JSON>, _ audiences: Fact<[String]>) throws(Stop) {
      let reference = review["spec"]["boundObjectRef"]
      guard reference["apiVersion"].string == "v1", reference["kind"].string == "Pod",
        !(reference["name"].string ?? "").isEmpty
      else {
        throw .refused("node requested token not bound to a pod")
      }
      guard !(reference["uid"].string ?? "").isEmpty else {
        throw .refused("node requested token with a pod binding without a uid")
      }
      let said = reference["uid"].string ?? ""
      guard try need(boundPod)["metadata"]["uid"].string == said else {
        throw .refused(
          "the UID in the bound object reference (\(said)) does not match the UID in record. The object might have "
            + "been deleted and then recreated")
      }
      guard try need(boundPod)["spec"]["nodeName"].string == node else {
        throw .refused("node requested token bound to a pod scheduled on a different node")
      }
      let wanted = review["spec"]["audiences"].strings
      guard wanted.count <= 1 else { throw .refused("node may only request 0 or 1 audiences") }
      let audience = wanted.first ?? ""
      guard let allowed = audiences.value else { throw .open(audiences.gap!) }
      guard allowed.contains(audience) else {
        throw .refused(
          "audience \(GoText.quote(audience)) not found in pod spec volume, system:node:\(node) is not authorized to "
            + "request tokens for this audience")
      }
    }
  }
}

/// Which labels a kubelet may set on its own node.
package enum NodeLabels {
  /// Beside the prefixes `kubelet.kubernetes.io/` and `node.kubernetes.io/`.
  package static let kubeletLabels: Set<String> = [
    "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
  ]

  private static func namespace(_ key: String) -> Substring? { key.firstIndex(of: "/").map { key[..<$0] } }

  private static func isUnder(_ namespace: Substring, _ domain: String) -> Bool {
    namespace == domain || namespace.hasSuffix(".\(domain)")
  }

  package static func isKubeletLabel(_ key: String) -> Bool {
    if kubeletLabels.contains(key) { return true }
    guard let namespace = namespace(key) else { return false }
    return isUnder(namespace, "kubelet.kubernetes.io") || isUnder(namespace, "node.kubernetes.io")
  }

  /// On creation.
  package static func isForbidden(_ key: String) -> Bool {
    guard let namespace = namespace(key) else { return false }
    if isUnder(namespace, "node-restriction.kubernetes.io") { return true }
    guard isUnder(namespace, "kubernetes.io") || isUnder(namespace, "k8s.io") else { return false }
    return !isKubeletLabel(key)
  }

  package static func isForbiddenToModify(_ key: String) -> Bool { isForbidden(key) }

  /// The error with which a kubelet ends for labels of that kind in `--node-labels`; nil for good ones.
  package static func kubeletError(_ keys: [String]) -> String? {
    let unknown = keys.filter { key in
      guard let namespace = namespace(key) else { return false }
      return (isUnder(namespace, "kubernetes.io") || isUnder(namespace, "k8s.io")) && !isKubeletLabel(key)
    }.sorted()
    guard !unknown.isEmpty else { return nil }
    return "failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: "
      + "\(GoText.list(unknown))\n--node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix "
      + "(kubelet.kubernetes.io, node.kubernetes.io) or be in the specifically allowed set "
      + "(\(kubeletLabels.sorted().joined(separator: ", ")))"
  }
}
