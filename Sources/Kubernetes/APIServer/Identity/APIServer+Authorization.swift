import Mechanisms
import Wire
import World

extension APIServer {
  /// Asks the authorizers in EKS's order: masters, Node, access policies, RBAC.
  func decide(_ request: AccessRequest, _ user: KubeUser) -> AccessDecision {
    if request.isPrivileged { return .allowed("") }
    var refusals: [String] = []
    if case .none = Mechanisms.NodeIdentity(username: request.username, groups: request.groups) {
    } else {
      let verdict = NodeAuthorizer.decide(.init(request: .known(request), related: .known(isRelated(request))))
      if verdict.isYes { return .allowed("") }
      if let text = verdict.reasons.last?.text, !text.isEmpty { refusals.append(text) }
    }
    if let decision = storey.hooks.authorizeAccessPolicy(id, user, request) {
      if decision.isAllowed { return decision }
      if !decision.reason.isEmpty { refusals.append(decision.reason) }
    }
    let verdict = RBAC.decide(access.facts(request, self))
    let reason = verdict.reasons.last?.text ?? ""
    if verdict.isYes { return .allowed(reason) }
    if !reason.isEmpty { refusals.append(reason) }
    return AccessDecision(isAllowed: false, reason: refusals.joined(separator: ", "))
  }

  private func isRelated(_ request: AccessRequest) -> Bool {
    guard case .node(let node) = Mechanisms.NodeIdentity(username: request.username, groups: request.groups),
      NodeAuthorizer.needsRelation(request)
    else { return false }
    let references = nodeIndex.references(of: node)
    switch request.resource {
    case "persistentvolumes":
      return read("persistentvolumes", "", request.name).map { references.has(volume: $0) } ?? false
    case "volumeattachments":
      return read("volumeattachments.storage.k8s.io", "", request.name)?["spec"]["nodeName"].string == node
    case "resourceslices":
      return read("resourceslices.resource.k8s.io", "", request.name)?["spec"]["nodeName"].string == node
    default: return references.has(request)
    }
  }

  /// Decides the request and writes the decision down for the audit log; 403 where nobody allows it.
  func authorize(_ exchange: Exchange) throws(KubeStatus) {
    let request = exchange.access
    let decision = decide(request, exchange.user!)
    exchange.decision = decision.isAllowed ? "allow" : "forbid"
    exchange.reason = decision.reason
    guard decision.isAllowed else { throw APIServer.forbidden(request, decision.reason) }
  }

  static func forbidden(_ request: AccessRequest, _ reason: String) -> KubeStatus {
    guard request.isResource else {
      return KubeStatus(
        code: 403, reason: "Forbidden", message: request.forbiddenMessage(reason), details: .init())
    }
    return KubeStatus(
      code: 403, reason: "Forbidden", message: request.forbiddenMessage(reason),
      details: .init(name: request.name, group: request.group, kind: request.resource))
  }
}
