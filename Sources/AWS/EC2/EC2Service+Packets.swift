import Mechanisms
import Wire
import World

/// The networks as packets meet them: what Describe calls show, read by the rule's own reader.
extension EC2Service {
  var networkGeneration: UInt64 {
    var sum = vpcs.changes &+ subnets.changes &+ routeTables.changes &+ internetGateways.changes
    sum = sum &+ natGateways.changes &+ addresses.changes &+ groups.changes &+ acls.changes
    return sum &+ peerings.changes &+ endpoints.changes
  }

  /// What of an instance's interfaces tells a packet's fate, but for the secondary addresses.
  func networkShape(ofInstance id: String) -> String {
    if let kept = shapes[id], kept.changes == interfaces.changes { return kept.text }
    let text = interfaces.rows(interfacesByInstance, id).map(\.shape).joined(separator: "\n")
    shapes[id] = (interfaces.changes, text)
    return text
  }

  /// A VPC with its active peers. The interfaces of gateways alone are in it.
  func fabric(ofVPC id: String) -> Fabric? {
    guard vpcs[id] != nil else { return nil }
    let generation = networkGeneration
    if let kept = fabrics[id], kept.generation == generation { return kept.fabric }
    let peerings = peerings.filter { $0.state == .active && ($0.requester == id || $0.accepter == id) }
    let ids = [id] + peerings.map { $0.requester == id ? $0.accepter : $0.requester }
    let wanted = Set(ids)
    let gateways = natGateways.filter { wanted.contains($0.vpc) && $0.deletedAt == nil }
    var prefixes: [String: [CIDR]] = [:]
    for name in Self.gatewayServices { prefixes[prefixList(name)] = Self.prefixes(name).compactMap { CIDR($0) } }
    let readings = Fabric.Readings(
      vpcs: .init(ids.compactMap { vpcs[$0].map(json) }),
      subnets: .init(subnets.filter { wanted.contains($0.vpc) }.map(json)),
      routeTables: .init(routeTables.filter { wanted.contains($0.vpc) }.map(json)),
      acls: .init(acls.filter { wanted.contains($0.vpc) }.map(json)),
      groups: .init(groups.filter { wanted.contains($0.vpc) }.map(json)),
      interfaces: .init(gateways.compactMap { interfaces[$0.interface] }.map { json($0) }),
      natGateways: .init(gateways.map(json)), prefixLists: prefixes,
      peers: Dictionary(uniqueKeysWithValues: peerings.map { ($0.id, [$0.requester, $0.accepter]) }),
      withoutResolver: Set(ids.filter { vpcs[$0]?.dnsSupport == false }))
    let fabric = Fabric(readings)
    fabrics[id] = (generation, fabric)
    return fabric
  }

  func interfacesShown(ofInstance id: String) -> [JSON] { attached(to: id).map { json($0) } }

  /// An interface, or the primary one of an instance.
  func firstInterfaceShown(_ id: String) -> JSON? { (interfaces[id] ?? primaryInterface(of: id)).map { json($0) } }

  /// The interface that has a private address, primary or not.
  func interfaceShown(vpc: String, _ address: IPv4Address) -> JSON? {
    let text = "\(address)"
    if let found = interfaces.rows(interfacesByPrimary, "\(vpc) \(text)").first { return json(found) }
    let holder = interfaces.first { row in
      row.vpc == vpc
        && (row.secondaries.contains(text) || row.prefixes.contains { CIDR($0)?.contains(address) == true })
    }
    return holder.map { json($0) }
  }
}
