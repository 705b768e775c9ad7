import Wire

extension NodeKernel {
  /// What was collected on a node, as its programs print it; nil for what wasn't.
  package struct Texts: Sendable {
    /// `ip rule`, `ip route show table all`, `iptables-save`, `sysctl -a`.
    package var rules: String?
    package var routes: String?
    package var netfilter: String?
    package var variables: String?
    /// `ip link` or `ifconfig`.
    package var interfaces: String?
    /// `ip -all netns exec ip addr` and `ip -all netns exec ip neigh`.
    package var namespaces: String?

    package init() {}

    package var isEmpty: Bool {
      rules == nil && routes == nil && netfilter == nil && variables == nil && interfaces == nil && namespaces == nil
    }
  }

  /// Lines that say something that isn't modelled stand in ``unread``.
  package init(_ texts: Texts) {
    self.init()
    if let text = texts.rules {
      var rules: [RoutingRule] = []
      for line in Self.lines(text) {
        if let rule = RoutingRule(line: line) { rules.append(rule) } else { unread.append("ip rule: \(line)") }
      }
      self.rules = rules
    }
    if let text = texts.routes { read(routes: text) }
    if let text = texts.netfilter {
      do { netfilter = try Netfilter(save: text) } catch { unread.append("iptables-save: \(error)") }
    }
    for line in Self.lines(texts.variables ?? "") where line.hasPrefix("net.") {
      let parts = line.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " } }
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
    }
    read(interfaces: texts.interfaces ?? "")
    read(namespaces: texts.namespaces ?? "")
  }

  private static func lines(_ text: String) -> [String] {
    text.split(whereSeparator: \.isNewline).map { String($0) }.filter { line in line.contains { $0 != " " } }
  }

  private mutating func read(routes text: String) {
    var routes: [Route] = []
    for line in Self.lines(text) {
      // Other families, and what every stack has by itself.
      let first = line.prefix { $0 != " " }
      if first == "multicast" || first == "anycast" || first == "broadcast" || line.contains("::") { continue }
      if first == "unreachable" && !line.contains(".") { continue }
      guard let route = Route(line: line) else {
        unread.append("ip route: \(line)")
        continue
      }
      routes.append(route)
      guard route.destination.length == 0, route.gateway != nil else { continue }
      if route.table == RoutingTables.main { names[0] = names[0] ?? route.device }
      if (2...15).contains(route.table) { names[route.table - 1] = route.device }
    }
    self.routes = routes
  }

  /// `3: eni0@if3: …` with `link/ether 0a:…` below, or `eni0: flags=…` with `ether 0a:…`.
  private mutating func read(interfaces text: String) {
    var name: String?
    for line in Self.lines(text) {
      let words = line.split(separator: " ").map(String.init)
      if line.first != " ", line.first != "\t", let first = words.first {
        let found = Int(first.dropLast()) != nil && words.count > 1 ? words[1] : first
        name = found.hasSuffix(":") ? String(found.dropLast().prefix { $0 != "@" }) : nil
      }
      if let name, let at = words.firstIndex(where: { $0 == "link/ether" || $0 == "ether" }), at + 1 < words.count {
        addresses[name] = InterfaceText.mac(words[at + 1])
      }
    }
  }

  private mutating func read(namespaces text: String) {
    var name = ""
    var owners: [String: IPv4Address] = [:]
    var entries: [String: UInt64] = [:]
    for line in Self.lines(text) {
      let words = line.split(separator: " ").map(String.init)
      if words.first == "netns:", words.count > 1 {
        name = words[1]
      } else if let at = words.firstIndex(of: "inet"), at + 1 < words.count,
        let address = IPv4Address(words[at + 1].prefix { $0 != "/" }), address.bits >> 24 != 127
      {
        owners[name] = address
      } else if words.first == "\(NodePlan.podGateway)", let at = words.firstIndex(of: "lladdr"), at + 1 < words.count {
        entries[name] = InterfaceText.mac(words[at + 1])
      }
    }
    for (name, address) in owners { podNeighbours[address] = entries[name] }
  }
}
