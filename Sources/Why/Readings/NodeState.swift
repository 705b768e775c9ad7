import Wire

/// What a Node object says of its own state.
struct NodeState: Sendable {
  var name: String
  var ready: String
  var reason: String
  var message: String
  var since: Timestamp?
  var heartbeat: Timestamp?
  var created: Timestamp?
  var instanceID: String?
  var zone: String?
  var instanceType: String?

  init(_ node: JSON) {
    name = node["metadata"]["name"].string ?? ""
    let condition = node["status"]["conditions"].items.first { $0["type"].string == "Ready" } ?? .null
    ready = condition["status"].string ?? ""
    reason = condition["reason"].string ?? ""
    message = condition["message"].string ?? ""
    since = condition["lastTransitionTime"].time
    heartbeat = condition["lastHeartbeatTime"].time
    created = node["metadata"]["creationTimestamp"].time
    instanceID = NodeState.instanceID(node["spec"]["providerID"].string ?? "")
    let labels = node["metadata"]["labels"]
    zone = labels["topology.kubernetes.io/zone"].string
    instanceType = labels["node.kubernetes.io/instance-type"].string
  }

  /// `i-…` of `aws:///us-east-1a/i-…`.
  static func instanceID(_ providerID: String) -> String? {
    guard providerID.hasPrefix("aws://"), let last = providerID.split(separator: "/").last, last.hasPrefix("i-") else {
      return nil
    }
    return String(last)
  }

  var isReady: Bool { ready == "True" }
  /// The control plane has not heard of the kubelet.
  var isSilent: Bool { ready == "Unknown" || (ready == "False" && reason == "NodeStatusUnknown") }
}
