import Evidence
import Mechanisms
import Wire

/// A subnet is short while ENIs that nothing uses hold addresses of it.
struct InterfacesLeftBehind: Link {
  let code = "addresses/interfaces-left-behind"
  let explains: [Effect.Kind] = [.subnetShort]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let pool = await world.pool(of: effect.detail) else { return .silent }
    guard let settings = pool.facts.settings.value else { return .open([pool.facts.settings.gap!]) }
    let subnets = await world.subnets(ofVPC: pool.vpc ?? "")
    if let gap = subnets.gap { return .open([gap]) }
    let free = subnets.items.first { $0["SubnetId"].string == effect.entity.name }?["AvailableIpAddressCount"].int ?? 0
    let reading = await world.holders(of: effect.entity.name, instead: settings)
    guard let holders = reading.value else { return .open([reading.gap!]) }
    let left = holders.others.filter(\.isLeftBehind)
    let evidence = SubnetHeld.exhibits(holders, effect.entity.name, world)
    let count = left.reduce(0) { $0 + $1.count }
    guard count > 0 else { return .refuted("no ENI of the subnet is attached to nothing", evidence) }
    guard InterfacesLeftBehind.suffice(holders, pool, free: free) else {
      return .refuted("the \(Count.of(count, "address", "addresses")) of unattached ENIs would not be enough", evidence)
    }
    let ids = left.flatMap(\.interfaces).sorted()
    let command = ids.prefix(20).map {
      "aws ec2 delete-network-interface --network-interface-id \($0)\(world.target.awsOptions)"
    }
    let root = RootCause(
      code, layer: .aws, entity: effect.entity,
      statement:
        "\(Count.of(ids.count, "ENI is", "ENIs are")) attached to nothing and hold \(Count.of(count, "address", "addresses")) of \(effect.entity.name)",
      evidence: evidence,
      fixes: [
        Fix(
          "frees \(Count.of(count, "address", "addresses")); EC2 refuses it for an ENI that is in use",
          command: command.joined(separator: " && "), owner: "hand", touches: ids,
          verify: "ekswhy \(effect.entity.title)", expectWithin: "3m")
      ])
    return .holds(
      Explanation(
        "\(count) of its addresses are held by \(Count.list(left.map(\.what)))", entity: effect.entity,
        evidence: evidence, root: root))
  }

  /// Whether what unattached ENIs hold is what the node's next request lacks.
  static func suffice(_ holders: SubnetHolders, _ pool: NodePool, free: Int) -> Bool {
    let count = holders.others.filter(\.isLeftBehind).reduce(0) { $0 + $1.count }
    guard count > 0, let request = pool.request.value else { return false }
    return free + count >= request.neededAddresses + request.neededPrefixes * 16
  }
}
