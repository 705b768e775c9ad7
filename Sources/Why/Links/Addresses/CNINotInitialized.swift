import Evidence
import Mechanisms
import Wire

/// A node is NotReady because no CNI has set up its network.
struct CNINotInitialized: Link {
  let code = "addresses/cni-not-initialized"
  let explains: [Effect.Kind] = [.nodeNotReady]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.node(effect.entity.name)
    guard let node = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = NodeState(node)
    guard !state.isSilent, !state.isReady else { return .silent }
    let exhibit = Exhibit(
      Cite.object(
        node, "Node", resource: .nodes, field: "status.conditions[Ready].message", value: state.message, at: state.since
      ),
      text: "k8s nodes/\(state.name), Ready \(state.ready) since "
        + "\(state.since.map { Ages.clock($0, now: world.now) } ?? "?"): \"\(state.message)\"")
    guard
      state.message.contains("NetworkReady=false") || state.message.contains("cni plugin not initialized")
        || state.message.contains("cni config uninitialized")
    else { return .refuted("the network of the node is set up", [exhibit]) }
    return .holds(
      Explanation(
        "its container runtime has no network: no CNI has written its configuration yet", entity: effect.entity,
        evidence: [exhibit], causes: [.init(Effect(.cniAgentFails, effect.entity))], lastSymptomAt: state.heartbeat))
  }
}

/// The VPC CNI's agent on a node isn't ready, and writes its configuration only when it is.
struct CNIAgentNotReady: Link {
  let code = "addresses/cni-agent-not-ready"
  let explains: [Effect.Kind] = [.cniAgentFails]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.cniPod(on: effect.entity.name)
    guard let pod = found.first else {
      if let gap = found.gap { return .open([gap]) }
      return .holds(
        Explanation(
          "no pod of daemonset/aws-node runs on it", entity: Entity("DaemonSet", "aws-node", namespace: "kube-system"),
          evidence: [
            Exhibit(
              Citation(
                source: "kubernetes", locator: "pods", field: "spec.nodeName", value: effect.entity.name, at: found.at),
              text: "k8s pods of \(effect.entity.name) in kube-system: none with k8s-app=aws-node")
          ], causes: [.init(Effect(.cniAgentAbsent, effect.entity))]))
    }
    let state = PodState(pod)
    let name = pod["metadata"]["name"].string ?? ""
    if state.isReady {
      return .refuted("aws-node is ready on it", [Exhibit(Cite.object(pod, "Pod", resource: .pods, at: found.at))])
    }
    let entity = Entity("Pod", name, namespace: "kube-system")
    return .holds(
      Explanation(
        "aws-node, which writes it once it can reach EC2, isn't ready: \(state.trouble)", entity: entity,
        evidence: [state.exhibit(world.now)],
        causes: [.init(Effect(.cniAgentBroken, entity, detail: effect.entity.name))]))
  }
}

/// The agent of another CNI isn't ready on a node.
struct OtherCNINotReady: Link {
  let code = "addresses/other-cni-not-ready"
  let explains: [Effect.Kind] = [.cniAgentFails]
  let worlds = Worlds(cni: [.cilium, .calico, .other])

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.list(.pods, fields: ["spec.nodeName": effect.entity.name])
    if let gap = found.gap { return .open([gap]) }
    let names = ["cilium", "calico-node", "kube-flannel", "flannel", "weave-net", "antrea-agent", "kube-router"]
    let agent = found.items.first {
      names.contains($0["metadata"]["labels"]["k8s-app"].string ?? $0["metadata"]["labels"]["app"].string ?? "")
    }
    guard let agent else {
      return .open([Gap(read: "kubernetes:pods of \(effect.entity.name)", why: "no pod of its CNI is there")])
    }
    let state = PodState(agent)
    if state.isReady { return .refuted("the agent of its CNI is ready", [state.exhibit(world.now)]) }
    let entity = Entity("Pod", state.name, namespace: state.namespace)
    return .holds(
      Explanation(
        "the agent of its CNI isn't ready: \(state.trouble)", entity: entity, evidence: [state.exhibit(world.now)],
        causes: [.init(Effect(.podNotStarted, entity))]))
  }
}

/// Nothing in the cluster would set up the node's network.
struct CNIAbsent: Link {
  let code = "addresses/no-cni"
  let explains: [Effect.Kind] = [.cniAgentFails]
  let worlds = Worlds(compute: [.managedNodeGroup, .selfManaged, .hybrid], cni: [CNI.none])

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.list(.daemonSets)
    if let gap = found.gap { return .open([gap]) }
    let evidence = [
      Exhibit(
        Citation(
          source: "kubernetes", locator: "daemonsets.apps", value: "\(found.items.count) DaemonSets", at: found.at),
        text: "k8s daemonsets.apps: \(Count.of(found.items.count, "DaemonSet")), none of them a CNI meant for this node"
      )
    ]
    let cluster = world.target.cluster ?? "CLUSTER"
    let root = RootCause(
      code, layer: .eks, entity: Entity("Cluster", cluster), statement: "no CNI is installed for these nodes",
      evidence: evidence,
      fixes: [
        Fix(
          "installs the Amazon VPC CNI as an EKS add-on",
          command:
            "aws eks create-addon --cluster-name \(Shell.quote(cluster)) --addon-name vpc-cni\(world.target.awsOptions)",
          owner: "hand", touches: ["addon/vpc-cni"],
          undo:
            "aws eks delete-addon --cluster-name \(Shell.quote(cluster)) --addon-name vpc-cni\(world.target.awsOptions)",
          verify: "ekswhy \(effect.entity.title)", expectWithin: "3m")
      ])
    return .holds(
      Explanation(
        "nothing in the cluster would write it: there is no CNI for this node", entity: effect.entity,
        evidence: evidence, root: root))
  }
}

/// The VPC CNI runs on a node.
struct CNIAgentIsReady: Link {
  let code = "addresses/cni-agent-ready"
  let explains: [Effect.Kind] = [.cniAgentReady]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.cniPod(on: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    let entity = Entity("Pod", state.name, namespace: "kube-system")
    guard state.isReady else { return .silent }
    return .holds(
      Explanation(
        "its network was set up by aws-node, which is ready on it", entity: entity,
        evidence: [state.exhibit(world.now)],
        causes: [.init(Effect(.cniCallsAllowed, entity, detail: effect.entity.name), deciding: false)]))
  }
}
