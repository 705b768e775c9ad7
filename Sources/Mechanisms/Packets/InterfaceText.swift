import Wire

/// What iproute2 prints of a stack.
package struct InterfaceText {
  package var interfaces: [Interface]
  package var rules: [RoutingRule]
  package var routes: [Route]
  package var neighbours: [NetworkStack.Neighbour]

  package init(
    interfaces: [Interface], rules: [RoutingRule], routes: [Route], neighbours: [NetworkStack.Neighbour] = []
  ) {
    self.interfaces = interfaces
    self.rules = rules
    self.routes = routes
    self.neighbours = neighbours
  }

  /// 9001 is what the VPC CNI and Amazon Linux set.
  private static func mtu(_ interface: Interface) -> Int { interface.link == .loopback ? 65536 : 9001 }

  static func mac(_ number: UInt64) -> String {
    stride(from: 40, through: 0, by: -8).map { shift in
      let digits = String(UInt8(truncatingIfNeeded: number >> UInt64(shift)), radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined(separator: ":")
  }

  /// A hardware address as it is written.
  package static func text(mac number: UInt64) -> String { mac(number) }

  /// A hardware address as it is written; 0 for what is none.
  package static func mac(_ text: String) -> UInt64 {
    text.split(separator: ":").reduce(0) { $0 << 8 | (UInt64($1, radix: 16) ?? 0) & 0xff }
  }

  private func head(_ index: Int) -> String {
    let interface = interfaces[index]
    var name = interface.name
    // The other end of a pair stands in another namespace, as its third interface.
    if case .peer(_, let other) = interface.link { name += "@if\(other + 2)" }
    let isLoopback = interface.link == .loopback
    let flags = isLoopback ? "LOOPBACK,UP,LOWER_UP" : "BROADCAST,MULTICAST,UP,LOWER_UP"
    let state = isLoopback ? "UNKNOWN" : "UP"
    return
      "\(index + 1): \(name): <\(flags)> mtu \(Self.mtu(interface)) qdisc \(isPort(interface) ? "mq" : "noqueue") state \(state) group default\(isLoopback || isPort(interface) ? " qlen 1000" : "")\n"
      + "    link/\(isLoopback ? "loopback" : "ether") \(Self.mac(interface.mac)) brd \(isLoopback ? "00:00:00:00:00:00" : "ff:ff:ff:ff:ff:ff")"
      + (name.contains("@if") ? " link-netnsid \(max(0, index - 2))" : "") + "\n"
  }

  private func isPort(_ interface: Interface) -> Bool {
    interface.name.hasPrefix("eth") && !interface.name.contains("@") && !isPair(interface)
      || interface.name.hasPrefix("ens")
  }

  private func isPair(_ interface: Interface) -> Bool {
    if case .peer = interface.link { true } else { false }
  }

  /// `ip link`, of one interface where it is named, each with what `more` says of it; nil where there is none of that
  /// name.
  package func link(_ name: String? = nil, _ more: (String) -> String = { _ in "" }) -> String? {
    text(name) { head($0) + more(interfaces[$0].name) }
  }

  /// `ip addr`.
  package func addresses(_ name: String? = nil) -> String? {
    text(name) { index in
      var out = head(index)
      for host in interfaces[index].addresses {
        let scope = interfaces[index].link == .loopback ? "host" : "global"
        let broadcast = host.length < 31 ? " brd \(host.network.last)" : ""
        out += "    inet \(host)\(scope == "host" ? "" : broadcast) scope \(scope) \(interfaces[index].name)\n"
        out += "       valid_lft forever preferred_lft forever\n"
      }
      return out
    }
  }

  private func text(_ name: String?, _ one: (Int) -> String) -> String? {
    let chosen = interfaces.indices.filter { name == nil || interfaces[$0].name == name }
    return chosen.isEmpty ? nil : chosen.map(one).joined()
  }

  /// `ip rule`.
  package var rule: String {
    rules.enumerated().sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }
      .map { $0.element.text + "\n" }.joined()
  }

  /// `ip route show table …`: by number, `all` for nil.
  package func route(table: Int?) -> String {
    let all = routes + RoutingTables.own(of: interfaces).filter { $0.table == RoutingTables.local }
    return all.filter { table == nil || $0.table == table }.map { route in
      var shown = route
      if table != nil { shown.table = RoutingTables.main }
      return shown.text + "\n"
    }.joined()
  }

  /// `ip neigh`.
  package var neighbour: String {
    neighbours.map { "\($0.address) dev \($0.device) lladdr \(Self.mac($0.mac)) PERMANENT\n" }.joined()
  }

  /// The number of a table by its name; nil for none.
  package static func table(_ name: String) -> Int? { RoutingText.table(name) }
}
