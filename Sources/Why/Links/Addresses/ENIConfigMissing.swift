import Evidence
import Mechanisms
import Wire

/// Custom networking is on, and the ENIConfig that a node uses does not exist.
struct ENIConfigMissing: Link {
  let code = "addresses/eniconfig-missing"
  let explains: [Effect.Kind] = [.cniAgentBroken, .poolCannotGrow]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let nodeName = effect.entity.kind == "Node" ? effect.entity.name : effect.detail
    let awsNode = await world.awsNode()
    guard let object = awsNode.value else { return .open([awsNode.gap!]) }
    let settings = PoolSettings.read(awsNode: object)
    guard settings.value?.customNetworking == true else { return .silent }
    let nodeRead = await world.node(nodeName)
    guard let node = nodeRead.first else { return nodeRead.gap.map { .open([$0]) } ?? .silent }
    let verdict = ENIConfigName.decide(
      .init(
        node: .known(node, .read(Cite.object(node, "Node", resource: .nodes, at: nodeRead.at))), settings: settings))
    guard let name = verdict.value, let because = verdict.reasons.first else { return .silent }
    let found = await world.list(.eniConfigs)
    if let gap = found.gap { return .open([gap]) }
    let names = found.items.compactMap { $0["metadata"]["name"].string }.sorted()
    let evidence = [
      Exhibit(
        Citation(
          source: "kubernetes", locator: "eniconfigs.crd.k8s.amazonaws.com", value: names.joined(separator: ", "),
          at: found.at),
        text: "k8s eniconfigs: \(names.isEmpty ? "none" : names.joined(separator: ", "))"),
      Exhibit(
        Cite.object(node, "Node", resource: .nodes, field: "metadata", value: name, at: nodeRead.at),
        text: "k8s nodes/\(nodeName): uses ENIConfig \(name), \(because.text)"),
    ]
    if names.contains(name) { return .refuted("the ENIConfig \(name) of its node exists", evidence) }
    let zone = NodeState(node).zone
    var fixes: [Fix] = []
    if let zone, names.contains(zone) {
      let owner = await FieldOwner.environment(of: "ENI_CONFIG_LABEL_DEF", in: world)
      fixes.append(
        owner.fix(
          setting: ["ENI_CONFIG_LABEL_DEF": "topology.kubernetes.io/zone"], previous: ["ENI_CONFIG_LABEL_DEF": nil],
          "has every node use the ENIConfig named as its zone", verify: "ekswhy node/\(nodeName)", world))
    } else {
      fixes.append(await making(name, zone: zone, node: nodeName, world))
    }
    let statement =
      "custom networking is on, and node \(nodeName) uses the ENIConfig \(name) (\(because.text)), which does not exist"
    return .holds(
      Explanation(
        "it gets no ENI for pods: there is no ENIConfig \(name)", entity: Entity("Node", nodeName), evidence: evidence,
        root: RootCause(
          code, layer: .inCluster, entity: Entity("ENIConfig", name), statement: statement, evidence: evidence,
          fixes: fixes)))
  }

  /// Makes it, in the subnet of the node's zone that has the most room.
  private func making(_ name: String, zone: String?, node: String, _ world: Investigation) async -> Fix {
    let statement = "make an ENIConfig \(name) with a subnet in zone \(zone ?? "of the node")"
    let touches = ["eniconfig/\(name)"]
    let otherwise = "; or turn AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG off"
    guard let zone, let vpc = await world.cluster().first?["resourcesVpcConfig"]["vpcId"].string else {
      return Fix(statement + otherwise, owner: "hand", touches: touches, verify: "ekswhy node/\(node)")
    }
    let subnets = await world.aws(.describeSubnets, filters: ["vpc-id": [vpc]]).items
      .filter { $0["AvailabilityZone"].string == zone }
    let roomy = subnets.max {
      ($0["AvailableIpAddressCount"].int ?? 0, $1["SubnetId"].string ?? "") < (
        $1["AvailableIpAddressCount"].int ?? 0, $0["SubnetId"].string ?? ""
      )
    }
    guard let roomy, let subnet = roomy["SubnetId"].string else {
      return Fix(statement + otherwise, owner: "hand", touches: touches, verify: "ekswhy node/\(node)")
    }
    let object: JSON = [
      "apiVersion": "crd.k8s.amazonaws.com/v1alpha1", "kind": "ENIConfig", "metadata": ["name": .string(name)],
      "spec": ["subnet": .string(subnet)],
    ]
    let free = roomy["AvailableIpAddressCount"].int ?? 0
    return Fix(
      "\(statement), here \(subnet), which has \(free) free: take another where pods are to stand elsewhere; without spec.securityGroups pods have the node's groups\(otherwise)",
      command: "echo \(Shell.quote(object.text())) | \(world.target.kubectl) apply -f -", owner: "hand",
      touches: touches, undo: "\(world.target.kubectl) delete eniconfig \(Shell.quote(name))",
      verify: "ekswhy node/\(node)", expectWithin: "5m")
  }
}
