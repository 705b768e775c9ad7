package import Wire

/// A line of `ip rule`.
package struct RoutingRule: Sendable, Hashable {
  package var priority: Int
  package var source: CIDR?
  package var destination: CIDR?
  package var mark: UInt32?
  package var mask: UInt32
  package var input: String?
  package var table: Int

  package init(
    _ priority: Int, from source: CIDR? = nil, to destination: CIDR? = nil, mark: UInt32? = nil,
    mask: UInt32 = 0xffff_ffff, input: String? = nil, lookup table: Int
  ) {
    self.priority = priority
    self.source = source
    self.destination = destination
    self.mark = mark
    self.mask = mask
    self.input = input
    self.table = table
  }
}

/// A line of `ip route`.
package struct Route: Sendable, Hashable {
  package enum Kind: String, Sendable, Hashable {
    case unicast, local, broadcast, blackhole, unreachable, prohibit
  }

  package var kind: Kind
  package var destination: CIDR
  package var gateway: IPv4Address?
  package var device: String
  package var preferredSource: IPv4Address?
  package var metric: Int
  package var table: Int

  package init(
    _ destination: CIDR, via gateway: IPv4Address? = nil, device: String = "", kind: Kind = .unicast,
    source: IPv4Address? = nil, metric: Int = 0, table: Int = RoutingTables.main
  ) {
    self.kind = kind
    self.destination = destination
    self.gateway = gateway
    self.device = device
    self.preferredSource = source
    self.metric = metric
    self.table = table
  }
}

/// Rules and tables of a network stack, laid out for looking up.
package struct RoutingTables: Sendable {
  package static let local = 255
  package static let main = 254
  package static let defaults = 253

  package private(set) var rules: [RoutingRule]
  package private(set) var routes: [Route]
  private var compiled: [CompiledRule] = []
  private var entries: [CompiledRoute] = []
  private var tables: [Int: Table] = [:]
  /// Rules besides the three that every stack begins with.
  private(set) var hasCustomRules = false

  struct CompiledRule: Sendable {
    var source: UInt32, sourceMask: UInt32, destination: UInt32, destinationMask: UInt32
    var mark: UInt32, mask: UInt32
    /// Index of the interface; -1 any.
    var input: Int
    var table: Int
    var slot: Int
  }

  package struct CompiledRoute: Sendable {
    package var kind: Route.Kind
    package var gateway: IPv4Address?
    package var device: Int
    package var preferredSource: IPv4Address?
    var base: UInt32
    var mask: UInt32
    var length: Int
    var metric: Int
  }

  struct Table: Sendable {
    var hosts: [UInt32: Int32] = [:]
    /// Longest first.
    var others: [Int32] = []
  }

  /// What a lookup found: indexes into `rules` and `routes`.
  package struct Found: Sendable {
    package var rule: Int
    package var route: Int
  }

  package init() {
    rules = [
      RoutingRule(0, lookup: RoutingTables.local), RoutingRule(32766, lookup: RoutingTables.main),
      RoutingRule(32767, lookup: RoutingTables.defaults),
    ]
    routes = []
  }

  /// `routes` besides those that the interfaces' addresses bring.
  package init(rules: [RoutingRule], routes: [Route], interfaces: [Interface]) {
    self.rules = rules.enumerated().sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }
      .map(\.element)
    self.routes = RoutingTables.own(of: interfaces) + routes
    hasCustomRules = rules.contains { rule in
      !(rule.priority == 0 && rule.table == RoutingTables.local || rule.priority >= 32766)
    }
    compile(interfaces)
  }

  /// What the kernel adds for the addresses of interfaces: its own and the networks' broadcast addresses.
  static func own(of interfaces: [Interface]) -> [Route] {
    var routes: [Route] = []
    for interface in interfaces {
      for host in interface.addresses {
        routes.append(
          Route(CIDR(host.address, length: 32), device: interface.name, kind: .local, table: RoutingTables.local))
        if interface.link == .loopback {
          routes.append(Route(host.network, device: interface.name, kind: .local, table: RoutingTables.local))
        }
        if host.length < 31 {
          routes.append(
            Route(
              CIDR(host.network.last, length: 32), device: interface.name, kind: .broadcast,
              table: RoutingTables.local))
        }
      }
    }
    return routes
  }

  private mutating func compile(_ interfaces: [Interface]) {
    var indexes: [String: Int] = [:]
    for (index, interface) in interfaces.enumerated() { indexes[interface.name] = index }
    for (index, route) in routes.enumerated() {
      entries.append(
        CompiledRoute(
          kind: route.kind, gateway: route.gateway, device: indexes[route.device] ?? -1,
          preferredSource: route.preferredSource, base: route.destination.base.bits,
          mask: CIDR.mask(route.destination.length), length: route.destination.length, metric: route.metric))
      // The kernel takes a route away with its interface.
      if entries[index].device < 0, ![.blackhole, .unreachable, .prohibit].contains(route.kind) { continue }
      if route.destination.length == 32 {
        let bits = route.destination.base.bits
        if let other = tables[route.table]?.hosts[bits], routes[Int(other)].metric <= route.metric { continue }
        tables[route.table, default: Table()].hosts[bits] = Int32(index)
      } else {
        tables[route.table, default: Table()].others.append(Int32(index))
      }
    }
    for table in tables.keys.sorted() {
      tables[table]!.others.sort { a, b in
        let (x, y) = (entries[Int(a)], entries[Int(b)])
        return (-x.length, x.metric, a) < (-y.length, y.metric, b)
      }
    }
    for (slot, rule) in rules.enumerated() {
      // A rule for an interface that is not there matches nothing.
      if let input = rule.input, indexes[input] == nil { continue }
      let source = rule.source ?? .everything
      let destination = rule.destination ?? .everything
      compiled.append(
        CompiledRule(
          source: source.base.bits, sourceMask: CIDR.mask(source.length), destination: destination.base.bits,
          destinationMask: CIDR.mask(destination.length), mark: rule.mark ?? 0, mask: rule.mark == nil ? 0 : rule.mask,
          input: rule.input.flatMap { indexes[$0] } ?? -1, table: rule.table, slot: slot))
    }
  }

  package subscript(route index: Int) -> CompiledRoute { entries[index] }

  /// The route that decides, by rules in order; nil where none has one.
  package func lookup(source: IPv4Address, destination: IPv4Address, mark: UInt32, input: Int) -> Found? {
    for rule in compiled {
      if source.bits & rule.sourceMask != rule.source { continue }
      if destination.bits & rule.destinationMask != rule.destination { continue }
      if mark & rule.mask != rule.mark { continue }
      if rule.input >= 0, rule.input != input { continue }
      if let route = lookup(table: rule.table, destination) { return Found(rule: rule.slot, route: route) }
    }
    return nil
  }

  func lookup(table: Int, _ destination: IPv4Address) -> Int? {
    guard let table = tables[table] else { return nil }
    if let host = table.hosts[destination.bits] { return Int(host) }
    for index in table.others where destination.bits & entries[Int(index)].mask == entries[Int(index)].base {
      return Int(index)
    }
    return nil
  }

  /// What kind an address is to this stack, as `addrtype` and the martian checks see it.
  package func kind(of address: IPv4Address, device: Int? = nil) -> Route.Kind {
    if address.bits == 0xffff_ffff || address.bits >> 24 == 0 { return .broadcast }
    guard let route = lookup(table: RoutingTables.local, address) else { return .unicast }
    if let device, entries[route].device != device { return .unicast }
    return entries[route].kind
  }
}
