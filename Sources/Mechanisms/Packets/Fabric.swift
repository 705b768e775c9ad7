package import Wire

/// The VPCs that packets cross between network interfaces, as Describe calls show them.
package struct Fabric: Sendable {
  package struct VPC: Sendable {
    package var id: String
    package var blocks: [CIDR]
    /// enableDnsSupport
    package var hasResolver: Bool

    package init(_ id: String, blocks: [CIDR], hasResolver: Bool = true) {
      self.id = id
      self.blocks = blocks
      self.hasResolver = hasResolver
    }
  }

  package struct Subnet: Sendable {
    package var id: String
    package var vpc: Int
    package var block: CIDR
    /// Its own table or the VPC's main one, by index.
    package var routeTable: Fact<Int>
    package var acl: Fact<Int>

    package init(_ id: String, vpc: Int, block: CIDR, routeTable: Fact<Int>, acl: Fact<Int>) {
      self.id = id
      self.vpc = vpc
      self.block = block
      self.routeTable = routeTable
      self.acl = acl
    }
  }

  /// What an interface belongs to.
  package enum Holder: Sendable, Hashable {
    case stack(Int, interface: Int)
    /// A service that answers by itself: an endpoint, the API servers, a load balancer.
    case service(String)
    case natGateway(Int)
    /// A machine of which no more is known than that it is there.
    case machine(String)
    case nobody
  }

  package struct Port: Sendable {
    package var id: String
    package var subnet: Int
    package var addresses: [IPv4Address]
    package var prefixes: [CIDR]
    /// Public addresses, by the private one that each stands for.
    package var publicAddresses: [IPv4Address: IPv4Address]
    package var groups: Fact<[String]>
    package var checksAddresses: Bool
    package var holder: Holder
    /// Its traffic is filtered by no group: a NAT gateway's, for one.
    package var isUnfiltered: Bool

    package init(
      _ id: String, subnet: Int, addresses: [IPv4Address], prefixes: [CIDR] = [],
      publicAddresses: [IPv4Address: IPv4Address] = [:], groups: Fact<[String]>, checksAddresses: Bool = true,
      holder: Holder = .nobody, isUnfiltered: Bool = false
    ) {
      self.id = id
      self.subnet = subnet
      self.addresses = addresses
      self.prefixes = prefixes
      self.publicAddresses = publicAddresses
      self.groups = groups
      self.checksAddresses = checksAddresses
      self.holder = holder
      self.isUnfiltered = isUnfiltered
    }

    func owns(_ address: IPv4Address) -> Bool {
      addresses.contains(address) || prefixes.contains { $0.contains(address) }
    }
  }

  package struct Entry: Sendable, Hashable {
    package enum Target: Sendable, Hashable {
      case local
      case internetGateway(String)
      case natGateway(String)
      case peering(String, vpc: String?)
      case interface(String)
      case gatewayEndpoint(String)
      /// A transit gateway, a VPN: what lies beyond is not in the picture.
      case other(String)
    }

    package var blocks: [CIDR]
    package var target: Target
    package var isActive: Bool

    package init(_ blocks: [CIDR], _ target: Target, active: Bool = true) {
      self.blocks = blocks
      self.target = target
      isActive = active
    }
  }

  package struct RouteTable: Sendable {
    package var id: String
    package var entries: Fact<[Entry]>

    package init(_ id: String, _ entries: Fact<[Entry]>) {
      self.id = id
      self.entries = entries
    }
  }

  package struct NATGateway: Sendable {
    package var id: String
    package var port: Int
    /// nil where it is private.
    package var publicAddress: IPv4Address?
    package var isAvailable: Bool

    package init(_ id: String, port: Int, publicAddress: IPv4Address?, available: Bool = true) {
      self.id = id
      self.port = port
      self.publicAddress = publicAddress
      isAvailable = available
    }
  }

  /// Something in the Internet, or reached as if it were: an EKS endpoint, S3.
  package struct OutsideHost: Sendable {
    package var name: String
    package var blocks: [CIDR]
    /// Who may connect; nil anybody.
    package var admits: Fact<[CIDR]>?

    package init(_ name: String, blocks: [CIDR], admits: Fact<[CIDR]>? = nil) {
      self.name = name
      self.blocks = blocks
      self.admits = admits
    }
  }

  package var vpcs: [VPC]
  package var subnets: [Subnet]
  package var ports: [Port]
  package var routeTables: [RouteTable]
  package var acls: [NetworkACL]
  package var groups: [String: Fact<SecurityGroupRules>]
  package var natGateways: [NATGateway]
  package var hosts: [OutsideHost]
  /// The read that would tell of interfaces that aren't here; nil where all are.
  package var missingPorts: Gap?

  /// Flows that groups let through, per port.
  var tracked: [Set<FlowKey>] = []
  /// Port by VPC and address.
  private var owners: [UInt64: Int32] = [:]
  private var publicOwners: [UInt32: Int32] = [:]
  /// Flows of NAT gateways, by what their answers look like.
  var translations: [FlowKey: FlowKey] = [:]

  package init(
    vpcs: [VPC] = [], subnets: [Subnet] = [], ports: [Port] = [], routeTables: [RouteTable] = [],
    acls: [NetworkACL] = [], groups: [String: Fact<SecurityGroupRules>] = [:], natGateways: [NATGateway] = [],
    hosts: [OutsideHost] = [], missingPorts: Gap? = nil
  ) {
    self.vpcs = vpcs
    self.subnets = subnets
    self.ports = ports
    self.routeTables = routeTables
    self.acls = acls
    self.groups = groups
    self.natGateways = natGateways
    self.hosts = hosts
    self.missingPorts = missingPorts
    index()
  }

  /// Lays out who has which address. Call it after ports were changed by hand.
  package mutating func index() {
    owners.removeAll()
    publicOwners.removeAll()
    tracked = Array(repeating: [], count: ports.count)
    for place in ports.indices { index(place) }
  }

  private mutating func index(_ place: Int) {
    let port = ports[place]
    let vpc = UInt64(subnets[port.subnet].vpc) << 32
    for address in port.addresses { owners[vpc | UInt64(address.bits)] = Int32(place) }
    for prefix in port.prefixes {
      for bits in prefix.base.bits...prefix.last.bits { owners[vpc | UInt64(bits)] = Int32(place) }
    }
    for address in port.publicAddresses.values { publicOwners[address.bits] = Int32(place) }
  }

  mutating func add(_ port: Port) {
    ports.append(port)
    tracked.append([])
    index(ports.count - 1)
  }

  package func port(of address: IPv4Address, vpc: Int) -> Int? {
    owners[UInt64(vpc) << 32 | UInt64(address.bits)].map { Int($0) }
  }

  package func port(ofPublic address: IPv4Address) -> Int? { publicOwners[address.bits].map { Int($0) } }

  package func port(named id: String) -> Int? { ports.firstIndex { $0.id == id } }

  /// Forgets flows.
  mutating func forgetFlows() {
    for index in tracked.indices { tracked[index].removeAll() }
    translations.removeAll()
  }
}
