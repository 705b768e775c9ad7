import Wire
import World

/// What `clock run-until` can wait for: `CLUSTER:KIND/[NAMESPACE/]NAME=CONDITION`, the condition of that
/// type being True (`demo:node/ip-10-0-1-23.ec2.internal=Ready`) or, for kinds without it, the phase.
struct ClockCondition {
  private let cluster: String
  private let resource: String
  private let namespace: String
  private let name: String
  private let wanted: String

  private static let resources = [
    "node": "nodes", "pod": "pods", "deployment": "deployments.apps", "daemonset": "daemonsets.apps",
    "statefulset": "statefulsets.apps", "job": "jobs.batch", "namespace": "namespaces", "pvc": "persistentvolumeclaims",
  ]

  init(_ text: String) throws(ClockError) {
    let problem = ClockError(
      message: "run-until \(text): wanted idle, a time such as 2026-11-22T12:00:00Z, or "
        + "CLUSTER:KIND/[NAMESPACE/]NAME=CONDITION with a kind of \(Self.resources.keys.sorted().joined(separator: ", "))"
    )
    guard let colon = text.firstIndex(of: ":"), let equals = text.lastIndex(of: "="), colon < equals else {
      throw problem
    }
    let path = text[text.index(after: colon)..<equals].split(separator: "/").map(String.init)
    guard path.count == 2 || path.count == 3, let resource = Self.resources[path[0]] else { throw problem }
    cluster = String(text[..<colon])
    wanted = String(text[text.index(after: equals)...])
    self.resource = resource
    let clusterScoped = resource == "nodes" || resource == "namespaces"
    namespace = path.count == 3 ? path[1] : clusterScoped ? "" : "default"
    name = path[path.count - 1]
  }

  func holds(in world: World) -> Bool {
    guard let id = world.ports.clusterID(cluster),
      let object = world.kube.host?.get(
        ObjectReference(cluster: id, resource: resource, namespace: namespace, name: name))
    else { return false }
    if object["status"]["phase"].string == wanted { return true }
    return object["status"]["conditions"].items.contains {
      $0["type"].string == wanted && $0["status"].string == "True"
    }
  }
}
