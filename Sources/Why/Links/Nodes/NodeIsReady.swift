import Evidence
import Mechanisms
import Wire

/// A node is Ready because its kubelet posts, its role is mapped, and its network is set up.
struct NodeIsReady: Link {
  let code = "nodes/is-ready"
  let explains: [Effect.Kind] = [.nodeReady]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.node(effect.entity.name)
    guard let node = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = NodeState(node)
    guard state.isReady else { return .silent }
    let kind = await world.world(of: node)
    let lease = await world.object(.leases, namespace: "kube-node-lease", name: state.name)
    var evidence = [
      Exhibit(
        Cite.object(
          node, "Node", resource: .nodes, field: "status.conditions[Ready]", value: state.message, at: state.since),
        text: "k8s nodes/\(state.name), Ready since "
          + "\(state.since.map { Ages.clock($0, now: world.now) } ?? "?"): \"\(state.message)\"")
    ]
    if let item = lease.first, let renewed = item["spec"]["renewTime"].time {
      evidence.append(
        Exhibit(
          Cite.object(
            item, "Lease", resource: .leases, field: "spec.renewTime", value: renewed.rfc3339, at: renewed),
          text: "k8s leases/kube-node-lease/\(state.name), renewed \(Ages.clock(renewed, now: world.now))"))
    }
    let what = [kind.compute.value?.rawValue, kind.cni.value.map { "network by \($0.rawValue)" }].compactMap { $0 }
    // A machine of Fargate has no instance behind it: how its role is mapped is its profile's question.
    let causes: [Explanation.Cause] =
      kind.compute.value == .fargate
      ? []
      : [.init(Effect(.roleMapped, effect.entity)), .init(Effect(.cniAgentReady, effect.entity), deciding: false)]
    return .holds(
      Explanation(
        "its kubelet runs, reaches the API server and reports its network as ready (\(what.joined(separator: "; ")))",
        entity: effect.entity, evidence: evidence, causes: causes))
  }
}
