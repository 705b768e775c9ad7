import Evidence
import Mechanisms
import Wire

/// Who holds the addresses of a subnet: every one of them is told.
struct SubnetUse: Link {
  let code = "addresses/subnet-use"
  let explains: [Effect.Kind] = [.subnetUse]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let id = effect.entity.name
    let found = await world.aws(.describeSubnets, filters: ["subnet-id": [id]])
    guard let subnet = found.first, let block = subnet["CidrBlock"].string.flatMap({ CIDR($0) }) else {
      return found.gap.map { .open([$0]) } ?? .silent
    }
    let reading = await world.holders(of: id, instead: PoolSettings())
    guard let holders = reading.value else { return .open([reading.gap!]) }
    let free = subnet["AvailableIpAddressCount"].int ?? 0
    let usable = SubnetSpace(block).usable
    var evidence = [
      Exhibit(
        Cite.aws(.describeSubnets, id, field: "AvailableIpAddressCount", value: String(free), at: found.at),
        text: "ec2 DescribeSubnets \(id): \(block), \(free) free of \(usable) (AWS keeps five for itself)")
    ]
    evidence += SubnetHeld.exhibits(holders, id, world)
    for node in holders.nodes.prefix(8) {
      let parts = [
        Count.of(node.interfaces, "ENI"), "\(node.secondaries - node.spares) with pods", "\(node.spares) spare",
      ]
      let whose = node.isOurs ? "" : " (no node of this cluster)"
      evidence.append(
        Exhibit(
          Cite.aws(
            .describeNetworkInterfaces, node.instanceID, field: "PrivateIpAddresses",
            value: "\(node.secondaries) secondary", at: found.at),
          text: "ec2 \(node.name)\(whose): \(parts.joined(separator: ", "))"))
    }
    let used = usable - free
    return .holds(
      Explanation(
        used == 0
          ? "none of its \(usable) addresses is in use"
          : "\(used) of its \(usable) addresses are in use: \(Count.list(holders.breakdown, limit: 8))",
        entity: effect.entity, evidence: evidence))
  }
}

/// Whether a node's pool wants what no subnet has for it: the first such node is looked into.
struct SubnetStarves: Link {
  let code = "addresses/subnet-starves"
  let explains: [Effect.Kind] = [.subnetStarves]
  /// Nodes of the subnet that one answer looks at, those with the fewest spares first.
  static let limit = 6

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let reading = await world.holders(of: effect.entity.name, instead: PoolSettings())
    guard let holders = reading.value else { return .open([reading.gap!]) }
    var gaps: [Gap] = []
    let nodes = holders.nodes.filter(\.isOurs).sorted { ($0.spares, $0.name) < ($1.spares, $1.name) }
    for node in nodes.prefix(SubnetStarves.limit) {
      let wants = Effect(.poolCannotGrow, Entity("Node", node.name))
      switch await SubnetShort().test(wants, world) {
      case .holds(let found):
        return .holds(
          Explanation(
            "\(node.name) wants more addresses than its subnets have for it", entity: effect.entity,
            evidence: found.evidence, causes: [.init(wants)]))
      case .open(let open): gaps += open
      case .refuted, .silent: break
      }
    }
    guard gaps.isEmpty else { return .open(gaps) }
    return .holds(
      Explanation(
        "no node of it that was looked at wants more addresses than there are", entity: effect.entity,
        evidence: SubnetHeld.exhibits(holders, effect.entity.name, world)))
  }
}

/// EKS needs free addresses in the cluster's subnets whenever it replaces the control plane's interfaces.
struct ControlPlaneRoom: Link {
  let code = "addresses/control-plane-room"
  let explains: [Effect.Kind] = [.controlPlaneRoom]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let id = effect.entity.name
    let cluster = await world.cluster()
    guard let vpc = cluster.first?["resourcesVpcConfig"]["vpcId"].string, let name = world.target.cluster else {
      return cluster.gap.map { .open([$0]) } ?? .silent
    }
    let found = await world.subnets(ofVPC: vpc)
    guard let subnet = found.items.first(where: { $0["SubnetId"].string == id }) else {
      return found.gap.map { .open([$0]) } ?? .silent
    }
    let free = subnet["AvailableIpAddressCount"].int ?? 0
    let evidence = [
      Exhibit(
        Cite.aws(
          .describeCluster, name, field: "resourcesVpcConfig.subnetIds", value: id, at: cluster.at),
        text: "eks DescribeCluster \(name): \(id) is one of the cluster's subnets"),
      Exhibit(
        Cite.aws(.describeSubnets, id, field: "AvailableIpAddressCount", value: String(free), at: found.at)),
    ]
    let needed = ControlPlaneAddresses.needed
    guard case .no = ControlPlaneAddresses.decide(.init(free: .known(free))).outcome else {
      return .holds(
        Explanation(
          "the control plane has room for an update in it: that takes \(needed) free addresses, and it has \(free)",
          entity: effect.entity, evidence: evidence))
    }
    let own = cluster.first?["resourcesVpcConfig"]["subnetIds"].strings ?? []
    let others = found.items.filter {
      $0["AvailabilityZone"] == subnet["AvailabilityZone"] && $0["SubnetId"].string != id
        && $0["AvailableIpAddressCount"].int ?? 0 >= 16
    }
    var fixes: [Fix] = []
    if let better = others.compactMap({ $0["SubnetId"].string }).sorted().first {
      let list = own.map { $0 == id ? better : $0 }
      var unique: [String] = []
      for item in list where !unique.contains(item) { unique.append(item) }
      fixes.append(
        Fix(
          "has the control plane stand in \(better) of the same zone instead",
          command:
            "aws eks update-cluster-config --name \(name) --resources-vpc-config subnetIds=\(unique.joined(separator: ","))\(world.target.awsOptions)",
          owner: "hand", touches: ["cluster/\(name)"],
          undo:
            "aws eks update-cluster-config --name \(name) --resources-vpc-config subnetIds=\(own.joined(separator: ","))\(world.target.awsOptions)",
          verify: "ekswhy subnet/\(better)", expectWithin: "15m"))
    } else {
      fixes.append(
        Fix(
          "free addresses in \(id), or give the cluster another subnet of its zone", owner: "hand",
          touches: ["subnet/\(id)"], verify: "ekswhy \(effect.entity.title)"))
    }
    return .holds(
      Explanation(
        "it is one of the cluster's subnets and has \(free) addresses free", entity: effect.entity, evidence: evidence,
        root: RootCause(
          "addresses/control-plane-short", layer: .eks, entity: effect.entity,
          statement:
            "an update of cluster \(name) needs \(needed) free addresses in each of its subnets for new interfaces of the control plane; \(id) has \(free)",
          evidence: evidence, fixes: fixes)))
  }
}
