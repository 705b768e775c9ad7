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

  /// Field manager of what is applied from kubectl's side.
  static let clientSideApply = "kubectl-client-side-apply"

  static func addonManager(_ cluster: String) -> KubeClient {
    KubeClient(cluster: cluster, credential: KubeClient.user("eks:addon-manager"), userAgent: "Go-http-client/1.1")
  }

  /// What is kept of an object, to find it again.
  static func reference(_ object: JSON) -> JSON {
    [
      "apiVersion": object["apiVersion"], "kind": object["kind"],
      "metadata": ["name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"]],
    ]
  }

  /// Maps pod execution roles, and takes pods away with their profile.
  static func fargateManager(_ cluster: String) -> KubeClient {
    KubeClient(
      cluster: cluster, credential: KubeClient.user("eks:fargate-manager"),
      userAgent: "Fargate-manager/v0.0.0 (linux/amd64) kubernetes/$Format")
  }

  static func fargateScheduler(_ cluster: String) -> KubeClient {
    KubeClient(
      cluster: cluster, credential: KubeClient.user("eks:fargate-scheduler"),
      userAgent: "kube-scheduler/v0.0.0 (linux/amd64) kubernetes/$Format/scheduler")
  }

  static func nodeManager(_ cluster: String) -> KubeClient {
    KubeClient(
      cluster: cluster, credential: KubeClient.user("eks:node-manager"),
      userAgent: "vpcLambda/v0.0.0 (linux/amd64) kubernetes/$Format")
  }
}

extension KubeClient {
  /// Where the objects of an object's kind are, in its namespace.
  private static func collection(_ object: JSON) -> String {
    let version = object["apiVersion"].string ?? "v1"
    let base = version.contains("/") ? "/apis/\(version)" : "/api/\(version)"
    let plural = EKSUsers.plural(object["kind"].string ?? "")
    return object["metadata"]["namespace"].string.map { "\(base)/namespaces/\($0)/\(plural)" } ?? "\(base)/\(plural)"
  }

  private static func path(_ object: JSON) -> String {
    "\(collection(object))/\(object["metadata"]["name"].string ?? "")"
  }

  /// Creates an object as `kubectl apply` does where there is none.
  func clientSideApply(_ object: JSON) -> KubeRequest {
    var object = object
    object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = .string(
      object.text(.go) + "\n")
    return request(
      "POST", Self.collection(object), query: [("fieldManager", EKSUsers.clientSideApply)], body: object)
  }

  /// Server-side apply.
  func apply(_ object: JSON, manager: String, force: Bool, isDry: Bool) -> KubeRequest {
    var query = [("fieldManager", manager), ("force", force ? "true" : "false"), ("timeout", "10s")]
    if isDry { query.insert(("dryRun", "All"), at: 0) }
    return request(
      "PATCH", Self.path(object), query: query.map { (name: $0.0, value: $0.1) }, body: object,
      contentType: "application/apply-patch+yaml")
  }

  /// A JSON patch.
  func patch(_ object: JSON, _ patch: JSON) -> KubeRequest {
    request("PATCH", Self.path(object), body: patch, contentType: Patch.json.rawValue)
  }

  func delete(_ object: JSON) -> KubeRequest { request("DELETE", Self.path(object)) }
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
