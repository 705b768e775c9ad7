import Wire
import World

/// The API server of one cluster.
final class APIServer {
  unowned let storey: KubernetesStorey
  var options: ClusterOptions

  init(_ options: ClusterOptions, in storey: KubernetesStorey) {
    self.options = options
    self.storey = storey
  }

  convenience init(restoring id: String, _ row: [UInt8], in storey: KubernetesStorey) {
    fatalError("not yet")
  }

  func seed() {}
  func removeEverything() {}
  func handle(_ request: KubeRequest, _ target: KubeReplyTarget) {}
  func watch(resources: [String], credential: KubeRequest.Credential, component: ComponentID) -> KubeReply {
    KubeReply(status: 200, body: .emptyObject)
  }
  func unwatch(_ component: ComponentID) {}
  func endStream(_ id: UInt64) {}
  func containerOutputChanged(namespace: String, pod: String, container: String) {}
  func read(_ resource: String, _ namespace: String, _ name: String) -> JSON? { nil }
  func read(_ resource: String, namespace: String) -> [JSON] { [] }
}
