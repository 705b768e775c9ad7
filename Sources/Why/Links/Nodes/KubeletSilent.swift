import Evidence
import Mechanisms
import Wire

/// A node is NotReady because its kubelet stopped telling the control plane anything.
struct KubeletSilent: Link {
  let code = "nodes/kubelet-silent"
  let explains: [Effect.Kind] = [.nodeNotReady]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.node(effect.entity.name)
    guard let node = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = NodeState(node)
    let lease = await world.object(.leases, namespace: "kube-node-lease", name: state.name)
    let renewed = lease.first?["spec"]["renewTime"].time
    let condition = Exhibit(
      Cite.object(
        node, "Node", resource: .nodes, field: "status.conditions[Ready]", value: state.message, at: state.since),
      text: "k8s nodes/\(state.name), Ready \(state.ready) since "
        + "\(state.since.map { Ages.clock($0, now: world.now) } ?? "?"): \"\(state.message)\"")
    var evidence = [condition]
    if let renewed {
      evidence.append(
        Exhibit(
          Cite.object(
            lease.first!, "Lease", resource: .leases, field: "spec.renewTime", value: renewed.rfc3339, at: renewed),
          text:
            "k8s leases/kube-node-lease/\(state.name), last renewed \(Ages.clock(renewed, now: world.now)), due every 10s"
        ))
    }
    guard state.isSilent else {
      return .refuted("the kubelet is posting its status", evidence)
    }
    return .holds(
      Explanation(
        "its kubelet has stopped posting: no status and no lease renewal reach the API server", entity: effect.entity,
        evidence: evidence, causes: [.init(Effect(.kubeletSilent, effect.entity))],
        lastSymptomAt: world.now))
  }
}
