import Evidence
import Mechanisms
import Wire

/// No node offers the place for a branch interface that a pod with security groups of its own needs: of all nodes the
/// one whose reason is the nearest to being none.
struct NoBranchPlaces: Link {
  let code = "addresses/no-branch-places"
  let explains: [Effect.Kind] = [.noBranchPlaces]
  let worlds = Worlds.vpcCNI

  /// Why a node offers no place, the nearest to offering one first.
  private enum Reason: Int {
    case used, denied, noSlot, off, unsupported, unknown
  }

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let nodes = await world.list(.nodes)
    if let gap = nodes.gap { return .open([gap]) }
    let awsNode = await world.awsNode()
    guard let object = awsNode.value else { return .open([awsNode.gap!]) }
    guard case .known(let settings, _) = PoolSettings.read(awsNode: object) else { return .silent }
    var reasons: [(reason: Reason, node: JSON, exhibit: Exhibit)] = []
    for node in nodes.items {
      switch await reason(node, settings, world) {
      case .failure(let gap): return .open([gap.gap])
      case .success(let (reason, exhibit)): reasons.append((reason, node, exhibit))
      }
    }
    guard let nearest = reasons.min(by: { $0.reason.rawValue < $1.reason.rawValue }) else { return .silent }
    guard nearest.reason != .unknown else {
      return .open([
        Gap(
          read: "events of \(NodeState(nearest.node).name)",
          why: "its type takes a trunk and none is attached; why is in no object that is left",
          how: "look at the node's events from when it joined, or replace the node")
      ])
    }
    let evidence = reasons.prefix(8).map(\.exhibit)
    let root = await root(nearest.reason, nearest.node, evidence, effect, world)
    return .holds(
      Explanation(
        "no node offers a place for a branch interface (\(PodENI.resource)), which security groups for pods need",
        entity: effect.entity, evidence: evidence, root: root))
  }

  private struct Missing: Error { var gap: Gap }

  private func reason(_ node: JSON, _ settings: PoolSettings, _ world: Investigation) async -> Result<
    (Reason, Exhibit), Missing
  > {
    let state = NodeState(node)
    let type = state.instanceType ?? ""
    let offered = node["status"]["allocatable"][PodENI.resource].string.flatMap { Int($0) } ?? 0
    func exhibit(_ text: String, field: String = "status.allocatable[\(PodENI.resource)]") -> Exhibit {
      Exhibit(
        Cite.object(node, "Node", resource: .nodes, field: field, value: String(offered), at: world.now),
        text: "k8s nodes/\(state.name): \(text)")
    }
    if offered > 0 { return .success((.used, exhibit("all of its \(offered) places for branches are taken"))) }
    guard InstanceLimits.named(type)?.supportsTrunk == true else {
      return .success((.unsupported, exhibit("\(type) takes no branch interfaces")))
    }
    guard settings.podENI else { return .success((.off, exhibit("none, for ENABLE_POD_ENI is not true in aws-node"))) }
    let (events, _) = await world.events(about: node, kind: "Node")
    if let event = events.first(where: { $0.reason == "TrunkENICreationFailed" }),
      event.message.contains("UnauthorizedOperation")
    {
      return .success((.denied, event.exhibit(now: world.now)))
    }
    switch await TrunkReading.read(state.name, world) {
    case .unknown(let gap): return .failure(Missing(gap: gap))
    case .known(let trunk, _):
      if trunk.trunk == nil, trunk.interfaces >= trunk.limits.maxENIs {
        return .success(
          (.noSlot, exhibit("no trunk: \(trunk.interfaces) of \(trunk.limits.maxENIs) ENIs are attached, none a trunk"))
        )
      }
      return .success((.unknown, exhibit("no trunk is attached")))
    }
  }

  private func root(
    _ reason: Reason, _ node: JSON, _ evidence: [Exhibit], _ effect: Effect, _ world: Investigation
  ) async -> RootCause {
    let name = NodeState(node).name
    let type = NodeState(node).instanceType ?? ""
    let verify = "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")"
    func advice(_ text: String, _ touches: String) -> Fix {
      Fix(text, owner: "hand", touches: [touches], restarts: true, verify: verify)
    }
    switch reason {
    case .used:
      let limit = InstanceLimits.named(type)?.maxBranchENIs ?? 0
      return RootCause(
        "addresses/branches-used-up", layer: .eks, entity: Entity("Node", name),
        statement: "\(type) takes \(limit) branch interfaces, and pods on every node that offers them have them all",
        evidence: evidence,
        fixes: [advice("add a node, or take a bigger type: each has its own number of branch interfaces", "nodegroup")])
    case .denied:
      let cluster = world.target.cluster ?? "CLUSTER"
      return RootCause(
        "addresses/trunk-denied", layer: .eks, entity: Entity("Cluster", cluster),
        statement: "the cluster's IAM role may not create the trunk: it lacks AmazonEKSVPCResourceController",
        evidence: evidence,
        fixes: [
          Fix(
            "lets EKS make trunks and branches",
            command:
              "aws iam attach-role-policy --policy-arn arn:aws:iam::aws:policy/AmazonEKSVPCResourceController --role-name $(aws eks describe-cluster --name \(Shell.quote(cluster)) --query 'cluster.roleArn' --output text\(world.target.awsOptions) | sed 's|.*/||')",
            owner: "hand", touches: ["role of cluster/\(cluster)"], verify: verify, expectWithin: "20m")
        ])
    case .noSlot:
      return RootCause(
        "addresses/no-slot-for-trunk", layer: .inCluster, entity: Entity("Node", name),
        statement: "node \(name) had all its network interfaces attached before a trunk could have one of the places",
        evidence: evidence,
        fixes: [
          advice(
            "replace the node: with ENABLE_POD_ENI set before it joins, the place is kept for the trunk", "node/\(name)"
          )
        ])
    case .off:
      let owner = await FieldOwner.environment(of: "ENABLE_POD_ENI", in: world)
      return RootCause(
        "addresses/pod-eni-off", layer: .inCluster,
        entity: Entity("DaemonSet", "aws-node", namespace: "kube-system"),
        statement: "a SecurityGroupPolicy matches the pod, and daemonset/aws-node does not set ENABLE_POD_ENI=true",
        evidence: evidence + owner.evidence,
        fixes: [
          owner.fix(
            setting: ["ENABLE_POD_ENI": "true"], previous: ["ENABLE_POD_ENI": "false"],
            "has nodes ask for a trunk", verify: verify, world)
        ])
    case .unsupported, .unknown:
      return RootCause(
        "addresses/type-without-branches", layer: .aws, entity: Entity("Node", name),
        statement:
          "instance type \(type) takes no branch interfaces, so its nodes run no pods with security groups of their own",
        evidence: evidence,
        fixes: [advice("add nodes of a Nitro type that takes trunks (not the t families)", "nodegroup")])
    }
  }
}
