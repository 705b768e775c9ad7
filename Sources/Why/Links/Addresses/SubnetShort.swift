import Evidence
import Mechanisms
import Wire

/// A pool can't grow: no subnet has free what its next request asks for.
struct SubnetShort: Link {
  let code = "addresses/subnet-short"
  let explains: [Effect.Kind] = [.poolCannotGrow]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let pool = await world.pool(of: effect.entity.name) else { return .silent }
    let request: PoolNextRequest.Request
    switch pool.request.outcome {
    case .open(let gaps): return .open(gaps)
    case .no: return .silent
    case .yes(let value): request = value
    }
    guard let primary = pool.subnetID.value, let vpc = pool.vpc else { return .open([pool.subnetID.gap!]) }
    let eniConfig = await world.eniConfigSubnet(ofNode: pool.node, pool.facts.settings)
    if let gap = eniConfig.gap { return .open([gap]) }
    let isCustom = pool.facts.settings.value?.customNetworking == true
    // Without its ENIConfig the node asks no subnet for anything.
    if isCustom, eniConfig.value ?? nil == nil { return .silent }
    let own = (eniConfig.value ?? nil) ?? primary
    let found = await world.subnets(ofVPC: vpc)
    if let gap = found.gap { return .open([gap]) }
    let citation = Cite.aws(.describeSubnets, own, field: "AvailableIpAddressCount", at: found.at)
    let all = SubnetChoice.read(subnets: found.items, vpc: vpc, zone: pool.zone)
    let choice = SubnetChoice.decide(
      .init(
        nodeSubnet: pool.subnetID, subnets: .known(all, .read(citation)), settings: pool.facts.settings,
        eniConfigSubnet: eniConfig))
    let tried: [String]
    switch choice.outcome {
    case .open(let gaps): return .open(gaps)
    case .no: tried = []
    case .yes(let ids): tried = ids
    }
    // A held interface grows in its own subnet; a new one may stand in any that is tried.
    func shortage(_ request: PoolNextRequest.Request, in ids: [String]) async -> Verdict<Int, Because> {
      var subnets: [SubnetShortage.Subnet] = []
      for item in found.items where ids.contains(item["SubnetId"].string ?? "") {
        // Whole blocks are counted from every address of a subnet; single ones EC2 counts itself.
        var interfaces = Fact<[JSON]>.unknown(SubnetShortage.blocksGap)
        if request.prefixes, let id = item["SubnetId"].string {
          let read = await world.aws(.describeNetworkInterfaces, filters: ["subnet-id": [id]])
          interfaces = read.fact(Cite.aws(.describeNetworkInterfaces, "subnet-id=\(id)", at: read.at))
        }
        if let subnet = SubnetShortage.Subnet(describe: item, interfaces: interfaces) { subnets.append(subnet) }
      }
      return SubnetShortage.decide(.init(request: .known(request), subnets: .known(subnets, .read(citation))))
    }
    var verdict = await shortage(request, in: request.kind == .assign ? pool.roomySubnets : tried)
    var asked = request
    if verdict.isYes, request.kind == .assign, pool.facts.hasRoom.isYes, let count = pool.facts.newENIRequest.value {
      asked = PoolNextRequest.Request(kind: .createENI, count: count, prefixes: request.prefixes)
      verdict = await shortage(asked, in: tried)
      if verdict.isYes { asked = request }
    }
    let free = all.first { $0.id == own }?.free ?? 0
    let size = found.items.first { $0["SubnetId"].string == own }?["CidrBlock"].string.flatMap { CIDR($0) }
    let usable = size.map { SubnetSpace($0).usable }
    let evidence = [
      Exhibit(
        Cite.aws(.describeSubnets, own, field: "AvailableIpAddressCount", value: String(free), at: found.at),
        text: "ec2 DescribeSubnets \(own): \(size.map { "\($0), " } ?? "")\(free) free"
          + (usable.map { " of \($0)" } ?? ""))
    ]
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .no: return .refuted("a subnet has free what its next request asks for", evidence)
    case .yes:
      let needed = asked.neededAddresses + asked.neededPrefixes * 16
      let others = tried.filter { $0 != own }
      let elsewhere =
        isCustom
        ? "custom networking takes no other than its ENIConfig's"
        : others.isEmpty
          ? "no other subnet of zone \(pool.zone) is tagged for the CNI"
          : "\(Count.list(others)) can't give them either"
      let what =
        asked.kind == .createENI
        ? "its \(Count.ordinal((pool.facts.enis.value ?? 0) + 1)) ENI (\(pool.type) takes \(pool.facts.effectiveMaxENIs.value ?? 0)) would ask for \(Count.of(needed, "address", "addresses")) at once"
        : "its ENIs have room, and would ask for at least \(Count.of(needed, "address", "addresses")) more"
      return .holds(
        Explanation(
          "\(what); \(own) has \(free)\(usable.map { " of \($0)" } ?? "") free, and \(elsewhere)",
          entity: Entity("Subnet", own), evidence: evidence,
          causes: [.init(Effect(.subnetShort, Entity("Subnet", own), detail: effect.entity.name))]))
    }
  }
}

/// An instance has all the interfaces it takes, and they are full.
struct ENILimitReached: Link {
  let code = "addresses/eni-limit"
  let explains: [Effect.Kind] = [.poolCannotGrow]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let pool = await world.pool(of: effect.entity.name) else { return .silent }
    let enis = pool.facts.enis.value ?? 0
    let limit = pool.facts.effectiveMaxENIs.value ?? 0
    let evidence = [
      Exhibit(
        Cite.aws(.describeNetworkInterfaces, pool.instanceID, value: "\(enis) attached", at: pool.interfaces.at),
        text: "ec2 DescribeNetworkInterfaces \(pool.instanceID): \(enis) of \(limit) attached")
    ]
    let full: Truth = Truth(pool.rooms.map { $0.allSatisfy { $0 <= 0 } })
    switch !pool.facts.hasRoom && full {
    case .open(let gaps): return .open(gaps)
    case .no:
      return .refuted("ENI limit of the instance: \(enis) of \(limit) attached", evidence)
    case .yes:
      let total = pool.facts.total.value ?? 0
      return .holds(
        Explanation(
          "its ENIs are full and it may not have another: \(enis) of \(limit), which is \(Count.of(total, "pod address", "pod addresses"))",
          entity: effect.entity, evidence: evidence, root: await ENILimitRoot.root(pool, evidence, world)))
    }
  }
}
