import Mechanisms
import Wire
import World

/// Connections of instances, through the networks as they are described.
extension EC2Service {
  /// Whether a connection from an interface, or an instance's primary one, comes about. Interfaces of other instances are left
  /// out: nobody connects to them by this way, and there may be many.
  func connection(
    from id: String, to addresses: [IPv4Address], _ port: UInt16, hosts: [Fabric.OutsideHost]
  ) -> Verdict<IPv4Address, Because> {
    guard let own = interfaces[id] ?? primaryInterface(of: id) else { return .open([]) }
    let vpc = own.vpc
    let services = interfaces.filter { $0.vpc == vpc && $0.attachment?.instance == nil && $0.id != own.id }
    var fabric = Fabric(
      Fabric.Readings(
        vpcs: .init(vpcs[vpc].map { [json($0)] } ?? []),
        subnets: .init(subnets.filter { $0.vpc == vpc }.map(json)),
        routeTables: .init(routeTables.filter { $0.vpc == vpc }.map(json)),
        acls: .init(acls.filter { $0.vpc == vpc }.map(json)),
        groups: .init(groups.filter { $0.vpc == vpc }.map(json)),
        interfaces: .init(([own] + services).map { json($0) }),
        natGateways: .init(natGateways.filter { $0.vpc == vpc && $0.deletedAt == nil }.map(json))
      ).withoutGatewayEndpoints)
    fabric.hosts = hosts
    return ConnectionPath.decide(
      .init(
        fabric: .known(fabric), interface: .known(own.id), addresses: .known(addresses), port: .known(port)))
  }
}
