import Wire
import World

/// The users by which EKS acts on a cluster's API server.
enum EKSUsers {
  /// Applies the objects that every cluster has.
  static func bootstrap(_ cluster: String) -> KubeClient {
    KubeClient(
      cluster: cluster, credential: KubeClient.user("eks:cluster-bootstrap", groups: ["system:masters"]),
      userAgent: "kubectl/v1.34.2 (linux/amd64) kubernetes/eks")
  }

  static func nodeManager(_ cluster: String) -> KubeClient {
    KubeClient(
      cluster: cluster, credential: KubeClient.user("eks:node-manager"),
      userAgent: "vpcLambda/v0.0.0 (linux/amd64) kubernetes/$Format")
  }
}

extension KubeClient {
  /// Creates an object where its kind and group say.
  func create(_ object: JSON) -> KubeRequest {
    let kind = object["kind"].string ?? ""
    let version = object["apiVersion"].string ?? "v1"
    let base = version.contains("/") ? "/apis/\(version)" : "/api/\(version)"
    let namespace = object["metadata"]["namespace"].string
    let plural = EKSUsers.plural(kind)
    return request(
      "POST", namespace.map { "\(base)/namespaces/\($0)/\(plural)" } ?? "\(base)/\(plural)", body: object)
  }
}

extension EKSUsers {
  /// Plural of a kind, by the rule all kinds of Kubernetes follow.
  fileprivate static func plural(_ kind: String) -> String {
    let word = kind.lowercased()
    if word == "endpoints" { return word }
    if word.hasSuffix("s") || word.hasSuffix("x") || word.hasSuffix("ch") { return word + "es" }
    if word.hasSuffix("cy") || word.hasSuffix("ry") { return word.dropLast() + "ies" }
    return word + "s"
  }
}
