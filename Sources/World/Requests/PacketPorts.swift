package import Mechanisms
package import Wire

/// What VPCs are to packets. Registered by EC2; without it no network is known, and everything reaches everything.
package final class PacketPorts {
  /// A VPC with those that it peers with: subnets, route tables, ACLs, groups and gateways. Of interfaces there are
  /// those of gateways; the others are added as packets come to them. nil for no VPC of that id.
  package var fabric: (_ vpc: String) -> Fabric? = { _ in nil }
  /// The interfaces of an instance, as DescribeNetworkInterfaces shows them.
  package var interfaces: (_ instance: String) -> [JSON] = { _ in [] }
  /// The interface that has a private address in a VPC.
  package var interface: (_ vpc: String, _ address: IPv4Address) -> JSON? = { _, _ in nil }
  /// The interface of that id, or the first one of an instance.
  package var primary: (_ id: String) -> JSON? = { _ in nil }
  /// Other than before when ``fabric`` or the endpoint of a cluster is.
  package var generation: () -> UInt64 = { 0 }
  /// Other than before when an instance's interfaces are, but for their secondary addresses, or what its network
  /// policy agent has loaded.
  package var shape: (_ instance: String) -> String = { _ in "" }

  /// What crossed the interfaces of an instance in the minutes in which anything did, in order. Registered by
  /// Kubernetes.
  package var traffic: (_ instance: String) -> [TrafficMinute] = { _ in [] }

  /// Bytes and packets in one minute.
  package struct TrafficMinute: Sendable {
    /// Minutes since 1970.
    package var number: Int64
    package var bytesIn: Int
    package var bytesOut: Int
    package var packetsIn: Int
    package var packetsOut: Int

    package init(number: Int64, bytesIn: Int, bytesOut: Int, packetsIn: Int, packetsOut: Int) {
      self.number = number
      self.bytesIn = bytesIn
      self.bytesOut = bytesOut
      self.packetsIn = packetsIn
      self.packetsOut = packetsOut
    }
  }

  /// Why a program in a node's own network gets no connection to an address, in the words of Go's dialer; nil where
  /// it gets one. Registered by Kubernetes.
  package var dial: (_ cluster: String, _ node: String, _ address: String, _ port: Int) -> String? = {
    _, _, _, _ in nil
  }

  /// What the network policy agent of an instance enforces; nil where none does. Registered by InCluster.
  package var policies: (_ instance: String) -> NodePolicies? = { _ in nil }

  /// An interface of an instance sends a packet to the VPC's resolver, from this address: false where that is dropped,
  /// for the interface has sent all that it may this second. Registered by Kubernetes.
  package var toResolver: (_ instance: String, _ address: String) -> Bool = { _, _ in true }

  private lazy var verdicts = FateCache<Verdict<IPv4Address, Because>>(self)
  lazy var obstacles = FateCache<ConnectionObstacle?>(self)

  init() {}

  /// Whether a connection from an interface of a VPC, or an instance's first one, to one of these addresses comes
  /// about; `hosts` are those outside that don't admit everybody. What runs on the machine has no say in it.
  package func connection(
    from id: String, in vpc: String, to addresses: [IPv4Address], _ port: UInt16, hosts: [Fabric.OutsideHost] = []
  ) -> Verdict<IPv4Address, Because> {
    guard let own = primary(id) else { return .open([]) }
    let key = "\(signature(own)) \(addresses) \(port)"
    return verdicts.value(key) { walk(own, vpc, addresses, port, hosts) }
  }

  /// What of an interface decides.
  func signature(_ interface: JSON) -> String {
    let groups = interface["Groups"].items.compactMap { $0["GroupId"].string }
    let address = interface["Association"]["PublicIp"].string ?? ""
    return "\(interface["NetworkInterfaceId"].string ?? "") \(interface["SubnetId"].string ?? "") \(groups) \(address)"
  }

  private func walk(
    _ own: JSON, _ vpc: String, _ addresses: [IPv4Address], _ port: UInt16, _ hosts: [Fabric.OutsideHost]
  ) -> Verdict<IPv4Address, Because> {
    guard var fabric = fabric(vpc) else { return .open([]) }
    let id = own["NetworkInterfaceId"].string ?? ""
    let others = addresses.compactMap { interface(vpc, $0) }.filter { $0["NetworkInterfaceId"].string != id }
    fabric.add([own] + others)
    fabric.hosts = hosts
    return ConnectionPath.decide(
      .init(fabric: .known(fabric), interface: .known(id), addresses: .known(addresses), port: .known(port)))
  }
}
