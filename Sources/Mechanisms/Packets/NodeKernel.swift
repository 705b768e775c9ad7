package import Wire

/// What a node's kernel holds, where that was changed or read: it takes the place of what the VPC CNI and kube-proxy
/// lay out.
package struct NodeKernel: Sendable, Equatable {
  package var rules: [RoutingRule]?
  package var routes: [Route]?
  package var netfilter: Netfilter?
  /// Kernel variables as `sysctl` names them.
  package var variables: [String: String] = [:]
  /// Hardware addresses of interfaces, where they are others than their makers gave.
  package var addresses: [String: UInt64] = [:]
  /// What pods' permanent entries name as the hardware address of their next hop, by pod.
  package var podNeighbours: [IPv4Address: UInt64] = [:]
  /// Names of the interfaces by device, where they were read.
  package var names: [Int: String] = [:]
  /// What of it isn't modelled, in words.
  package var unread: [String] = []

  package init() {}

  /// A variable's number; nil where it isn't known.
  package func number(_ name: String) -> Int? { variables[name].flatMap { Int($0) } }

  /// A variable of an interface, whose dots `sysctl` writes as slashes.
  package static func variable(_ name: String, of interface: String) -> String {
    "net.ipv4.conf.\(interface.replacing(".", with: "/")).\(name)"
  }

  func apply(to settings: inout NetworkStack.Settings) {
    if let value = number("net.ipv4.ip_forward") { settings.forwards = value != 0 }
    if let value = number("net.ipv4.conf.all.rp_filter") { settings.reversePathFilter = UInt8(clamping: value) }
    if let value = number("net.ipv4.tcp_early_demux") { settings.earlyDemux = value != 0 }
    if number("net.ipv4.ip_early_demux") == 0 { settings.earlyDemux = false }
    if let value = number("net.ipv4.conf.all.route_localnet") { settings.routesLocalnet = value != 0 }
  }

  func apply(to interface: inout Interface) {
    if let value = number(NodeKernel.variable("rp_filter", of: interface.name)) {
      interface.reversePathFilter = UInt8(clamping: value)
    }
    if let mac = addresses[interface.name] { interface.mac = mac }
  }
}
