import Evidence
import Mechanisms
import Wire

/// A subnet is short because nodes keep spare addresses in it that no pod uses.
struct SparesHoard: Link {
  let code = "addresses/spares-held"
  let explains: [Effect.Kind] = [.subnetShort]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    await SubnetHeld.test(effect, world, wantsHoarding: true)
  }
}

/// A subnet is short because what it holds is in use.
struct SubnetFull: Link {
  let code = "addresses/subnet-full"
  let explains: [Effect.Kind] = [.subnetShort]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    await SubnetHeld.test(effect, world, wantsHoarding: false)
  }
}

/// Tells spares from real demand: would other warm targets free what the next request needs?
enum SubnetHeld {
  static func test(_ effect: Effect, _ world: Investigation, wantsHoarding: Bool) async -> Finding {
    guard let pool = await world.pool(of: effect.detail) else { return .silent }
    guard let settings = pool.facts.settings.value else { return .open([pool.facts.settings.gap!]) }
    let subnetID = effect.entity.name
    let subnets = await world.subnets(ofVPC: pool.vpc ?? "")
    if let gap = subnets.gap { return .open([gap]) }
    let subnet = subnets.items.first { $0["SubnetId"].string == subnetID } ?? .null
    let free = subnet["AvailableIpAddressCount"].int ?? 0
    let choice = await frugal(settings, pool, subnetID, free: free, world)
    guard case .known(let (holders, targets), _) = choice else { return .open([choice.gap!]) }
    let isHoarding = targets != nil
    let evidence = exhibits(holders, subnetID, world)
    guard wantsHoarding == isHoarding else {
      return wantsHoarding
        ? .refuted(
          settings.warmDefined
            ? "spares are held down already by WARM_IP_TARGET=\(settings.warmIPTarget) and MINIMUM_IP_TARGET=\(settings.minimumIPTarget)"
            : "the spares of all nodes (\(holders.spares)) would not be enough", evidence)
        : .refuted("the subnet is full of spares, not of pods", evidence)
    }
    let usable = subnet["CidrBlock"].string.flatMap { CIDR($0) }.map { SubnetSpace($0).usable }
    if !wantsHoarding, InterfacesLeftBehind.suffice(holders, pool, free: free) {
      return .refuted("ENIs that nothing uses hold as many addresses as are wanted", evidence)
    }
    if wantsHoarding {
      let holdersWithSpares = holders.nodes.filter { $0.spares > 0 }
      let tops = holdersWithSpares.map { "\($0.name) \($0.spares)" }
      return .holds(
        Explanation(
          "\(holders.spares)\(usable.map { " of the \($0)" } ?? "") are spares on \(Count.of(holdersWithSpares.count, "node")) that no pod uses: \(Count.list(tops))",
          entity: effect.entity, evidence: evidence,
          causes: [.init(Effect(.warmTargets, effect.entity, detail: effect.detail))]))
    }
    return .holds(
      Explanation(
        "\(usable.map { free > 0 ? "\($0 - free) of its \($0)" : "all \($0) of its" } ?? "its") addresses are in use: \(Count.list(holders.breakdown, limit: 6))",
        entity: effect.entity, evidence: evidence,
        root: await fullRoot(effect, pool, subnet, subnets.items, holders, evidence, world)))
  }

  /// Targets under which the nodes would free what this node needs; nil when none do.
  static func frugal(
    _ settings: PoolSettings, _ pool: NodePool, _ subnet: String, free: Int, _ world: Investigation
  ) async -> Fact<(SubnetHolders, PoolSettings?)> {
    var last: SubnetHolders?
    for (warm, minimum) in [(2, 6), (2, 2), (1, 1)] {
      var frugal = settings
      frugal.warmIPTarget = warm
      frugal.minimumIPTarget = minimum
      let reading = await world.holders(of: subnet, instead: frugal)
      guard let holders = reading.value else { return .unknown(reading.gap!) }
      last = holders
      // Once frugal, the node asks for what it is short of, and for a new ENI its own address too.
      let needed = pool.request.value?.kind == .createENI ? warm + 1 : 1
      if !settings.warmDefined, holders.releasable > 0, free + holders.releasable >= needed {
        return .known((holders, frugal))
      }
    }
    return .known((last!, nil))
  }

  static func exhibits(_ holders: SubnetHolders, _ subnet: String, _ world: Investigation) -> [Exhibit] {
    [
      Exhibit(
        Cite.aws(
          .describeNetworkInterfaces, "subnet-id=\(subnet)", field: "PrivateIpAddresses",
          value: holders.nodes.map { "\($0.name): \($0.secondaries) secondary, \($0.spares) spare" }.joined(
            separator: "; "),
          at: world.now),
        text: "ec2 DescribeNetworkInterfaces of \(subnet): \(Count.of(holders.interfaceCount, "interface"))"),
      Exhibit(
        Citation(
          source: "kubernetes", locator: "pods", field: "status.podIP", value: "\(holders.podCount) addresses",
          at: world.now),
        text: "k8s \(Count.of(holders.podCount, "pod")) with an address of their own"),
    ]
  }

  private static func fullRoot(
    _ effect: Effect, _ pool: NodePool, _ subnet: JSON, _ subnets: [JSON], _ holders: SubnetHolders,
    _ evidence: [Exhibit], _ world: Investigation
  ) async -> RootCause {
    let id = effect.entity.name
    let cidr = subnet["CidrBlock"].string ?? ""
    let usable = CIDR(cidr).map { SubnetSpace($0).usable }
    let verify = "ekswhy node/\(pool.node)"
    let settings = pool.facts.settings.value ?? PoolSettings()
    let block = await freeBlock(vpc: pool.vpc ?? "", subnets, world)
    var fixes: [Fix] = []
    if settings.customNetworking {
      fixes.append(await customFix(pool, block, verify, world))
    } else if let block, settings.subnetDiscovery {
      fixes.append(
        Fix(
          "makes a bigger subnet of the same zone that the CNI may use for its next ENIs",
          command:
            "aws ec2 create-subnet --vpc-id \(pool.vpc ?? "") --availability-zone \(pool.zone) --cidr-block \(block) --tag-specifications 'ResourceType=subnet,Tags=[{Key=\(SubnetChoice.roleTag),Value=1}]'\(world.target.awsOptions)",
          owner: "hand", touches: ["subnet (new)"],
          undo: "aws ec2 delete-subnet --subnet-id SUBNET\(world.target.awsOptions), once no interface stands in it",
          verify: verify, expectWithin: "3m"))
    } else {
      fixes.append(
        Fix(
          "give the CNI a bigger subnet of zone \(pool.zone), tagged \(SubnetChoice.roleTag)=1, or the node group a bigger one",
          owner: "hand", touches: ["subnet"], verify: verify))
    }
    return RootCause(
      "addresses/subnet-too-small", layer: .aws, entity: effect.entity,
      statement:
        "subnet \(id) (\(cidr)\(usable.map { ", \($0) usable addresses" } ?? "")) is too small for its nodes and pods",
      evidence: evidence, fixes: fixes)
  }

  /// With custom networking a new subnet helps when the node's ENIConfig names it.
  private static func customFix(
    _ pool: NodePool, _ block: CIDR?, _ verify: String, _ world: Investigation
  ) async -> Fix {
    let node = await world.node(pool.node).first
    let name = node.flatMap {
      ENIConfigName.decide(.init(node: .known($0), settings: pool.facts.settings)).value
    }
    guard let block, let name else {
      return Fix(
        "name a bigger subnet of zone \(pool.zone) in the node's ENIConfig", owner: "hand", touches: ["eniconfig"],
        verify: verify)
    }
    let options = world.target.awsOptions
    return Fix(
      "makes a bigger subnet of the same zone and names it in the ENIConfig, for ENIs made from now on",
      command:
        "SUBNET=$(aws ec2 create-subnet --vpc-id \(pool.vpc ?? "") --availability-zone \(pool.zone) --cidr-block \(block)\(options) --query Subnet.SubnetId --output text) && \(world.target.kubectl) patch eniconfig \(Shell.quote(name)) --type merge -p '{\"spec\":{\"subnet\":\"'$SUBNET'\"}}'",
      owner: "hand", touches: ["subnet (new)", "eniconfig/\(name)"], verify: verify, expectWithin: "3m")
  }

  /// A /24, or what fits, of the VPC that no subnet takes.
  private static func freeBlock(vpc: String, _ subnets: [JSON], _ world: Investigation) async -> CIDR? {
    let found = await world.aws(.describeVpcs, filters: ["VpcIds": [vpc]])
    let taken = subnets.compactMap { $0["CidrBlock"].string.flatMap { CIDR($0) } }
    let blocks =
      (found.first?["CidrBlockAssociationSet"].items.compactMap { $0["CidrBlock"].string } ?? [])
      + [found.first?["CidrBlock"].string].compactMap { $0 }
    for length in [24, 25, 26] {
      for block in blocks.compactMap({ CIDR($0) }) {
        if let free = block.blocks(length).first(where: { candidate in !taken.contains { $0.overlaps(candidate) } }) {
          return free
        }
      }
    }
    return nil
  }
}

/// Nodes keep a whole ENI to spare, because nothing tells them to keep less.
struct WarmENIHoarding: Link {
  let code = "addresses/warm-targets-unset"
  let explains: [Effect.Kind] = [.warmTargets]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let set = await world.awsNode()
    guard let object = set.value else { return .open([set.gap!]) }
    let reading = PoolSettings.read(awsNode: object, source: set.source ?? .world)
    guard let settings = reading.value else { return .open([reading.gap!]) }
    guard let pool = await world.pool(of: effect.detail) else { return .silent }
    let subnets = await world.subnets(ofVPC: pool.vpc ?? "")
    let free = subnets.items.first { $0["SubnetId"].string == effect.entity.name }?["AvailableIpAddressCount"].int ?? 0
    let choice = await SubnetHeld.frugal(settings, pool, effect.entity.name, free: free, world)
    guard case .known(let (holders, chosen), _) = choice else { return .open([choice.gap!]) }
    guard let chosen else { return .silent }
    // Where the DaemonSet has targets, its pods on the nodes are what lacks them.
    guard !settings.warmDefined else { return .silent }
    let exhibit = Exhibit(
      Cite.object(
        object, "DaemonSet", resource: .daemonSets, field: "env", value: "WARM_ENI_TARGET=\(settings.warmENITarget)",
        at: world.now),
      text:
        "k8s daemonset/aws-node, env: WARM_ENI_TARGET=\(settings.warmENITarget), no WARM_IP_TARGET, no MINIMUM_IP_TARGET"
    )
    let owner = await FieldOwner.environment(of: "WARM_IP_TARGET", in: world)
    let fix = owner.fix(
      setting: [
        "WARM_IP_TARGET": String(chosen.warmIPTarget), "MINIMUM_IP_TARGET": String(chosen.minimumIPTarget),
      ],
      previous: ["WARM_IP_TARGET": nil, "MINIMUM_IP_TARGET": nil],
      "frees \(Count.of(holders.releasable, "address", "addresses")) here", verify: "ekswhy node/\(pool.node)", world)
    let root = RootCause(
      "addresses/warm-eni-hoarding", layer: .inCluster,
      entity: Entity("DaemonSet", "aws-node", namespace: "kube-system"),
      statement:
        "VPC CNI keeps a spare ENI on every node (WARM_ENI_TARGET is \(settings.warmENITarget)\(settings.warmENITarget == 1 ? ", the default" : "")) in a subnet too small for that",
      evidence: [exhibit] + owner.evidence, fixes: [fix])
    return .holds(
      Explanation(
        "daemonset/aws-node sets neither WARM_IP_TARGET nor MINIMUM_IP_TARGET",
        entity: Entity("DaemonSet", "aws-node", namespace: "kube-system"), evidence: [exhibit], root: root))
  }
}
