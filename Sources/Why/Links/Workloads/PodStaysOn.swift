import Evidence
import Mechanisms
import Wire

/// A pod that was deleted and stays: finalizers, its grace, or a node that is gone.
struct PodStaysOn: Link {
  let code = "workloads/pod-stays-on"
  let explains: [Effect.Kind] = [.podStaysOn]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let namespace = effect.entity.namespace ?? "default"
    let found = await world.object(.pods, namespace: namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    let finalizers = pod["metadata"]["finalizers"].strings
    let title = effect.entity.title
    let verify = "ekswhy \(title) -n \(namespace)"
    let isOver = state.isFinished || state.containers.allSatisfy { !$0.isRunning }
    if !finalizers.isEmpty, isOver || state.node == nil {
      let exhibit = Exhibit(
        Cite.object(
          pod, "Pod", resource: .pods, field: "metadata.finalizers", value: finalizers.joined(separator: ", "),
          at: found.at))
      return .holds(
        Explanation(
          "its containers have ended, and it has finalizers", entity: effect.entity, evidence: [exhibit],
          root: RootCause(
            "workloads/pod-finalizers", layer: .kubernetes, entity: effect.entity,
            statement: "\(title) waits for its finalizers to be removed: \(finalizers.joined(separator: ", "))",
            evidence: [exhibit],
            fixes: [
              Fix(
                "let the controller that set them do its work: see that it is there and well", owner: "unknown",
                touches: [title], verify: verify),
              Fix(
                "only if that controller is gone for good: takes them away; what they were to clean up stays",
                command:
                  "\(world.target.kubectl) -n \(namespace) patch \(title) --type=merge -p \(Shell.quote("{\"metadata\":{\"finalizers\":null}}"))",
                owner: "hand", touches: [title], verify: verify, expectWithin: "1m"),
            ])))
    }
    guard let name = state.node else { return .silent }
    let node = await world.node(name)
    if let gap = node.gap, node.first == nil { return .open([gap]) }
    guard let item = node.first else {
      let exhibit = Exhibit(
        Citation(source: "kubernetes", locator: "nodes/\(name)", value: "does not exist", at: node.at))
      return .holds(
        Explanation(
          "its node is gone, so nobody tells that it has ended", entity: effect.entity, evidence: [exhibit],
          root: RootCause(
            "workloads/pod-of-lost-node", layer: .kubernetes, entity: effect.entity,
            statement: "\(title) is bound to node/\(name), which doesn't exist any more", evidence: [exhibit],
            fixes: [force(title, namespace, verify, world)])))
    }
    let nodeState = NodeState(item)
    guard !nodeState.isReady else {
      let exhibit = state.exhibit(world.now)
      return .holds(
        Explanation(
          "its containers have not ended, and its time is over", entity: effect.entity, evidence: [exhibit],
          root: RootCause(
            "workloads/pod-does-not-end", layer: .kubernetes, entity: effect.entity,
            statement:
              "the kubelet of node/\(name), which is Ready, has not ended \(title) though its grace is over",
            evidence: [exhibit], fixes: [force(title, namespace, verify, world)])))
    }
    return .holds(
      Explanation(
        "its node \(name) isn't Ready, so nobody tells that it has ended", entity: effect.entity, evidence: [],
        causes: [.init(Effect(.nodeNotReady, Entity("Node", name)))]))
  }

  private func force(_ title: String, _ namespace: String, _ verify: String, _ world: Investigation) -> Fix {
    Fix(
      "takes it out of the API; be sure that nothing of it runs any more",
      command: "\(world.target.kubectl) -n \(namespace) delete \(title) --grace-period=0 --force", owner: "hand",
      touches: [title], verify: verify, expectWithin: "1m")
  }
}

/// A pod that its node evicted.
struct PodEvicted: Link {
  let code = "workloads/pod-evicted"
  let explains: [Effect.Kind] = [.podEvicted]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let namespace = effect.entity.namespace ?? "default"
    let found = await world.object(.pods, namespace: namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let message = pod["status"]["message"].string ?? ""
    let exhibit = Exhibit(
      Cite.object(pod, "Pod", resource: .pods, field: "status.message", value: message, at: found.at),
      text: "k8s pods/\(namespace)/\(effect.entity.name), Evicted: \"\(Ages.shortened(message, 240))\"")
    let maker = await PodMaker.of(pod, world)
    let what =
      ["memory", "ephemeral-storage", "inodes", "pids"].first { message.contains("resource: \($0)") } ?? "a resource"
    let verify = "ekswhy \(effect.entity.title) -n \(namespace)"
    let node = pod["spec"]["nodeName"].string ?? "its node"
    // A limit of its own, or the node's shortage.
    let isOwn = message.contains("exceeds the") || message.contains("exceeded its local ephemeral storage limit")
    return .holds(
      Explanation(
        "its node has evicted it", entity: effect.entity, evidence: [exhibit],
        root: RootCause(
          "workloads/evicted", layer: isOwn ? .application : .kubernetes, entity: effect.entity,
          statement: isOwn
            ? "\(effect.entity.title) was evicted for using more than its own limit: \(Ages.shortened(message, 200))"
            : "\(effect.entity.title) was evicted because node/\(node) was low on \(what): \(Ages.shortened(message, 200))",
          evidence: [exhibit],
          fixes: [
            maker.fix(
              "ask for as much of it as the containers use, so that they are placed where it is there", patch: nil,
              verify: verify, world)
          ])))
  }
}
