package import Wire

/// The IPv4 stack of one network namespace: a node's, or a pod's.
///
/// Not part of it: fragments, IPsec, tunnels, multicast, redirects, and ICMP errors on their way back (a hop says
/// that one is sent).
package struct NetworkStack: Sendable {
  package struct Settings: Sendable, Hashable {
    /// net.ipv4.ip_forward
    package var forwards = false
    /// net.ipv4.conf.all.rp_filter
    package var reversePathFilter: UInt8 = 0
    /// net.ipv4.tcp_early_demux
    package var earlyDemux = true
    /// net.ipv4.conf.all.route_localnet
    package var routesLocalnet = false

    package init() {}
  }

  package struct Neighbour: Sendable, Hashable {
    package var address: IPv4Address
    package var device: String
    package var mac: UInt64

    package init(_ address: IPv4Address, device: String, mac: UInt64) {
      self.address = address
      self.device = device
      self.mac = mac
    }
  }

  package var name: String
  package internal(set) var interfaces: [Interface]
  package private(set) var routing: RoutingTables
  package private(set) var netfilter: Netfilter
  package var settings: Settings
  /// Entries that were set for good; others are asked for.
  package var neighbours: [Neighbour]
  package internal(set) var connections = Connections()
  /// Seconds, as `recent` counts them.
  package var now = 0
  /// When addresses were last seen, by list of `recent`.
  var recent: [[UInt32: Int]] = []
  /// Open TCP sockets, by what comes in for them.
  var sockets: Set<FlowKey> = []
  var program: NetfilterProgram
  let loopback: Int

  package init(
    _ name: String, interfaces: [Interface], rules: [RoutingRule]? = nil, routes: [Route] = [],
    netfilter: Netfilter = Netfilter(), settings: Settings = Settings(), neighbours: [Neighbour] = []
  ) {
    self.name = name
    self.interfaces = interfaces
    self.settings = settings
    self.neighbours = neighbours
    self.netfilter = netfilter
    routing = RoutingTables(rules: rules ?? RoutingTables().rules, routes: routes, interfaces: interfaces)
    program = NetfilterProgram(netfilter, interfaces: interfaces)
    recent = Array(repeating: [:], count: program.recentNames.count)
    loopback = interfaces.firstIndex { $0.link == .loopback } ?? -1
  }

  /// Puts other netfilter rules in place; connections stay.
  package mutating func replace(_ netfilter: Netfilter) {
    let old = program.recentNames
    self.netfilter = netfilter
    program = NetfilterProgram(netfilter, interfaces: interfaces)
    recent = program.recentNames.map { name in old.firstIndex(of: name).map { recent[$0] } ?? [:] }
  }

  package func index(of interface: String) -> Int? { interfaces.firstIndex { $0.name == interface } }

  package func owns(_ address: IPv4Address) -> Bool { routing.kind(of: address) == .local }

  /// The first address of an interface, else of any, as the kernel chooses a source.
  package func address(for interface: Int, toward next: IPv4Address) -> IPv4Address? {
    if interface >= 0 {
      let own = interfaces[interface].addresses
      if let near = own.first(where: { $0.network.contains(next) }) ?? own.first { return near.address }
    }
    for other in interfaces where other.link != .loopback {
      if let first = other.addresses.first { return first.address }
    }
    return nil
  }

  /// Puts into a list of `recent` when an address was seen last, as an earlier packet would have; nothing where no rule
  /// has that list.
  package mutating func remember(_ address: IPv4Address, in list: String, at seconds: Int) {
    guard let place = program.recentNames.firstIndex(of: list) else { return }
    recent[place][address.bits] = seconds
  }

  /// The lists of `recent` that have an address, with when it was seen last.
  package func remembered(_ address: IPv4Address) -> [(list: String, at: Int)] {
    recent.indices.compactMap { place in
      recent[place][address.bits].map { (program.recentNames[place], $0) }
    }
  }

  /// Forgets what was remembered of flows.
  package mutating func forgetFlows() {
    connections.removeAll()
    sockets.removeAll(keepingCapacity: true)
    for index in recent.indices { recent[index].removeAll() }
  }
}

/// A packet inside of a stack.
struct Passage {
  var packet: Packet
  var input: Int
  var output = -1
  var next = IPv4Address(bits: 0)
  /// The bit of its state as `ctstate` names them; 0 before tracking.
  var state: UInt32 = 0
  /// Its connection; -1 while unconfirmed.
  var entry = -1
  var pending = Connections.Entry(
    FlowKey(
      transport: .udp, source: IPv4Address(bits: 0), sourcePort: 0, destination: IPv4Address(bits: 0),
      destinationPort: 0))
  var isReply = false

  init(_ packet: Packet, input: Int) {
    self.packet = packet
    self.input = input
  }
}

/// Where a stack hands a packet on.
enum StackStep: Sendable {
  case transmit(interface: Int, next: IPv4Address)
  case deliver
  /// Dropped or rejected; the trace's last hop says why.
  case stop
  /// It hangs on something that isn't known.
  case unknown
}
