import Evidence
import Mechanisms
import Wire

/// A pod is Ready: placed, addressed, its containers pass their probes.
struct PodRuns: Link {
  let code = "scheduling/pod-runs"
  let explains: [Effect.Kind] = [.podRunning]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    guard let node = state.node else { return .silent }
    let ready = state.containers.count { !$0.isInit && $0.isReady }
    let all = state.containers.count { !$0.isInit }
    return .holds(
      Explanation(
        "it was placed on \(node), and \(all == 1 ? "its container is" : "\(ready) of its \(all) containers are") ready",
        entity: effect.entity, evidence: [state.exhibit(world.now)],
        causes: [
          .init(Effect(.podHasAddress, effect.entity), deciding: false),
          .init(Effect(.podNodeReady, effect.entity)),
        ]))
  }
}

/// A pod's address is one of its node's interfaces'.
struct PodHasAddress: Link {
  let code = "addresses/pod-has-address"
  let explains: [Effect.Kind] = [.podHasAddress]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    guard let node = state.node, let address = state.address, !state.isHostNetwork else { return .silent }
    guard let pool = await world.pool(of: node) else { return .silent }
    if let gap = pool.interfaces.gap { return .open([gap]) }
    guard let wanted = IPv4Address(address) else { return .silent }
    guard let holder = pool.holder(of: wanted), let id = holder["NetworkInterfaceId"].string else {
      return .refuted(
        "its address \(address) is on none of the node's interfaces", pool.exhibits(now: world.now))
    }
    let device = holder["Attachment"]["DeviceIndex"].int ?? 0
    return .holds(
      Explanation(
        "its address \(address) came from the pool of its node: a secondary address of \(id), the node's \(Count.ordinal(device + 1)) ENI",
        entity: Entity("NetworkInterface", id),
        evidence: [
          Exhibit(
            Cite.aws(
              .describeNetworkInterfaces, id, field: "PrivateIpAddresses", value: address, at: pool.interfaces.at),
            text: "ec2 DescribeNetworkInterfaces \(id): \(address), in \(holder["SubnetId"].string ?? "")")
        ]))
  }
}

/// A pod's node is Ready.
struct PodNodeReady: Link {
  let code = "nodes/pod-node-ready"
  let explains: [Effect.Kind] = [.podNodeReady]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let name = found.first?["spec"]["nodeName"].string else { return found.gap.map { .open([$0]) } ?? .silent }
    let node = await world.node(name)
    guard let item = node.first else { return node.gap.map { .open([$0]) } ?? .silent }
    let state = NodeState(item)
    let exhibit = Exhibit(
      Cite.object(
        item, "Node", resource: .nodes, field: "status.conditions[Ready]", value: state.ready, at: state.since),
      text: "k8s nodes/\(name), Ready \(state.ready) since \(state.since.map { Ages.clock($0, now: world.now) } ?? "?")"
    )
    guard state.isReady else {
      return .holds(
        Explanation(
          "its node \(name) isn't Ready", entity: Entity("Node", name), evidence: [exhibit],
          causes: [.init(Effect(.nodeNotReady, Entity("Node", name)))]))
    }
    return .holds(Explanation("its node is Ready", entity: Entity("Node", name), evidence: [exhibit]))
  }
}

/// A pod does not run because its node isn't Ready.
struct PodOnLostNode: Link {
  let code = "nodes/pod-on-node-not-ready"
  let explains: [Effect.Kind] = [.podNotStarted, .podFails]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    guard let name = state.node, !state.isHostNetwork else { return .silent }
    let node = await world.node(name)
    guard let item = node.first else { return node.gap.map { .open([$0]) } ?? .silent }
    let nodeState = NodeState(item)
    let exhibit = Exhibit(
      Cite.object(
        item, "Node", resource: .nodes, field: "status.conditions[Ready]", value: nodeState.ready, at: nodeState.since),
      text:
        "k8s nodes/\(name), Ready \(nodeState.ready) since \(nodeState.since.map { Ages.clock($0, now: world.now) } ?? "?")"
    )
    if nodeState.isReady { return .refuted("its node is Ready", [exhibit]) }
    return .holds(
      Explanation(
        "its node \(name) isn't Ready", entity: Entity("Node", name), evidence: [exhibit],
        causes: [.init(Effect(.nodeNotReady, Entity("Node", name)))]))
  }
}
