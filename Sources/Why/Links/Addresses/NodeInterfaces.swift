import Evidence
import Mechanisms
import Wire

/// The interfaces of a node, each with what it is there for.
struct NodeInterfaces: Link {
  let code = "addresses/node-interfaces"
  let explains: [Effect.Kind] = [.nodeInterfaces]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let pool = await world.pool(of: effect.entity.name) else { return .silent }
    if let gap = pool.interfaces.gap ?? pool.pods.gap { return .open([gap]) }
    let held = Set(pool.holders.compactMap { $0["status"]["podIP"].string.flatMap { IPv4Address($0) } })
    let list = pool.interfaces.items.sorted {
      $0["Attachment"]["DeviceIndex"].int ?? 0 < $1["Attachment"]["DeviceIndex"].int ?? 0
    }
    let evidence = list.map { eni in
      let id = eni["NetworkInterfaceId"].string ?? ""
      let text = "\(id), device \(eni["Attachment"]["DeviceIndex"].int ?? 0): \(Self.purpose(eni, held, pool))"
      return Exhibit(
        Cite.aws(.describeNetworkInterfaces, id, value: text, at: pool.interfaces.at),
        text: "ec2 DescribeNetworkInterfaces \(text)")
    }
    let limit = pool.facts.maxENIs.value.map { " of the \($0) that \(pool.type) takes" } ?? ""
    return .holds(
      Explanation(
        "it has \(Count.of(list.count, "ENI"))\(limit)", entity: effect.entity, evidence: evidence,
        causes: [.init(Effect(.poolSize, effect.entity)), .init(Effect(.poolSettings, effect.entity))]))
  }

  private static func purpose(_ eni: JSON, _ held: Set<IPv4Address>, _ pool: NodePool) -> String {
    if eni["InterfaceType"].string == "trunk" { return "the trunk for branch ENIs of pods; no addresses for others" }
    let singles = eni["PrivateIpAddresses"].items.filter { $0["Primary"].bool != true }
      .compactMap { $0["PrivateIpAddress"].string.flatMap { IPv4Address($0) } }
    let prefixes = eni["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string.flatMap { CIDR($0) } }
    let pods = held.count { address in singles.contains(address) || prefixes.contains { $0.contains(address) } }
    let holds = [
      singles.isEmpty ? nil : Count.of(singles.count, "secondary address", "secondary addresses"),
      prefixes.isEmpty ? nil : "\(Count.of(prefixes.count, "prefix", "prefixes")) of 16",
    ].compactMap { $0 }
    let what = eni["Attachment"]["DeviceIndex"].int == 0 ? "the primary" : "the CNI's"
    if holds.isEmpty {
      return pool.facts.settings.value?.customNetworking == true
        ? "\(what); none for pods, which custom networking puts elsewhere" : "\(what); none for pods"
    }
    return "\(what); \(holds.joined(separator: ", ")), \(pods) with pods"
  }
}

/// Why a node's pool is as large as it is: its targets, and what it may ask for.
struct PoolSizeExplained: Link {
  let code = "addresses/pool-size"
  let explains: [Effect.Kind] = [.poolSize]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let pool = await world.pool(of: effect.entity.name) else { return .silent }
    let facts = pool.facts
    guard let settings = facts.settings.value else { return .open([facts.settings.gap!]) }
    guard let total = facts.total.value, let assigned = facts.assigned.value, let limits = pool.limits.value else {
      return .open([facts.total.gap ?? facts.assigned.gap ?? pool.limits.gap!])
    }
    let spare = total - assigned
    let targets = PoolSizeExplained.targets(settings, per: limits.ipv4PerENI - 1)
    let evidence =
      pool.exhibits(now: world.now)
      + [
        Exhibit(
          facts.settings.citation ?? Citation(source: "kubernetes", locator: "daemonset/aws-node", value: targets.name),
          text: "k8s aws-node of the node, env: \(targets.name)")
      ]
    let so: String
    var causes: [Explanation.Cause] = []
    switch (facts.tooLow, facts.hasRoom, facts.extraENI) {
    case (.open(let gaps), _, _), (_, .open(let gaps), _), (_, _, .open(let gaps)): return .open(gaps)
    case (.yes, .no, _):
      let limit = facts.effectiveMaxENIs.value ?? limits.maxENIs
      so = "it would want more, and may not have another ENI: its limit is \(limit)"
    case (.yes, .yes, _):
      so = "that is too few, and it asks EC2 for more"
      let wants = Effect(.poolCannotGrow, effect.entity)
      switch await SubnetShort().test(wants, world) {
      case .holds: causes = [.init(wants)]
      case .open(let gaps): return .open(gaps)
      case .refuted, .silent: break
      }
    case (.no, _, .yes) where !settings.warmDefined:
      so = "one ENI could go, once it is a minute old and no address of it has been freed within 30s"
    case (.no, _, _):
      so = "so it neither asks for more nor gives back"
    }
    return .holds(
      Explanation(
        "its pool has \(Count.of(total, "address", "addresses")), \(assigned) with pods and \(spare) spare; \(targets.text): \(so)",
        entity: effect.entity, evidence: evidence, causes: causes))
  }

  /// The targets in force, as variables and as what they ask for.
  static func targets(_ settings: PoolSettings, per: Int) -> (name: String, text: String) {
    if settings.warmDefined {
      let name = "WARM_IP_TARGET=\(settings.warmIPTarget), MINIMUM_IP_TARGET=\(settings.minimumIPTarget)"
      return (
        name,
        "it keeps \(settings.warmIPTarget) spare and \(settings.minimumIPTarget) in all at least (WARM_IP_TARGET, MINIMUM_IP_TARGET)"
      )
    }
    if settings.prefixDelegation {
      return (
        "ENABLE_PREFIX_DELEGATION=true, WARM_PREFIX_TARGET=\(settings.warmPrefixTarget)",
        "it keeps \(Count.of(settings.warmPrefixTarget, "whole prefix", "whole prefixes")) of 16 spare (WARM_PREFIX_TARGET)"
      )
    }
    return (
      "WARM_ENI_TARGET=\(settings.warmENITarget)\(settings.warmENITarget == 1 ? " (the default)" : "")",
      "it keeps \(Count.of(settings.warmENITarget, "whole ENI")) of \(per) addresses spare (WARM_ENI_TARGET)"
    )
  }
}

/// What one ENI is there for.
struct InterfaceUse: Link {
  let code = "addresses/interface-use"
  let explains: [Effect.Kind] = [.interfaceUse]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let id = effect.entity.name
    let found = await world.aws(.describeNetworkInterfaces, filters: ["NetworkInterfaceIds": [id]])
    guard let eni = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let exhibit = Exhibit(
      Cite.aws(
        .describeNetworkInterfaces, id, field: "Description", value: eni["Description"].string ?? "", at: found.at),
      text:
        "ec2 DescribeNetworkInterfaces \(id): \(eni["InterfaceType"].string ?? "interface"), \(eni["Status"].string ?? ""), \"\(eni["Description"].string ?? "")\""
    )
    if let instance = eni["Attachment"]["InstanceId"].string, instance.hasPrefix("i-") {
      let nodes = await world.list(.nodes)
      if let gap = nodes.gap { return .open([gap]) }
      let node = nodes.items.map(NodeState.init).first { $0.instanceID == instance }
      let device = eni["Attachment"]["DeviceIndex"].int ?? 0
      let place = node.map { "node \($0.name)" } ?? "instance \(instance)"
      return .holds(
        Explanation(
          "it is the \(Count.ordinal(device + 1)) ENI of \(place)", entity: effect.entity, evidence: [exhibit],
          causes: node.map { [.init(Effect(.nodeInterfaces, Entity("Node", $0.name)))] } ?? []))
    }
    if eni["InterfaceType"].string == "branch" { return await branch(effect, exhibit, world) }
    let (what, isLeftBehind) = SubnetHolders.purpose(eni)
    guard isLeftBehind else {
      return .holds(Explanation("it belongs to \(what)", entity: effect.entity, evidence: [exhibit]))
    }
    let root = RootCause(
      "addresses/interfaces-left-behind", layer: .aws, entity: effect.entity,
      statement: "\(id) is attached to nothing and keeps its addresses", evidence: [exhibit],
      fixes: [
        Fix(
          "frees its addresses; EC2 refuses it for an ENI that is in use",
          command: "aws ec2 delete-network-interface --network-interface-id \(id)\(world.target.awsOptions)",
          owner: "hand", touches: [id])
      ])
    return .holds(
      Explanation("it is one of the \(what)", entity: effect.entity, evidence: [exhibit], root: root))
  }

  private func branch(_ effect: Effect, _ exhibit: Exhibit, _ world: Investigation) async -> Finding {
    let pods = await world.list(.pods)
    if let gap = pods.gap { return .open([gap]) }
    let pod = pods.items.first { PodENI(pod: $0)?.eni == effect.entity.name }
    guard let pod else {
      return .holds(
        Explanation(
          "it is a branch ENI whose pod is gone; it is kept for about a minute", entity: effect.entity,
          evidence: [exhibit]))
    }
    let state = PodState(pod)
    return .holds(
      Explanation(
        "it is the branch ENI of pod \(state.namespace ?? "default")/\(state.name)", entity: effect.entity,
        evidence: [exhibit, state.exhibit(world.now)],
        causes: [.init(Effect(.podSecurityGroups, state.entity))]))
  }
}
