package import Wire

/// A line of policy routing as `ip rule add` and `ip rule del` take it.
package struct RuleCommand: Sendable, Equatable {
  package var priority: Int?
  package var source: CIDR?
  package var destination: CIDR?
  package var mark: UInt32?
  package var mask: UInt32 = 0xffff_ffff
  package var input: String?
  package var table: Int?

  /// `words` are what follows `add` or `del`.
  package init(_ words: [String]) throws(CommandFault) {
    var rest = words[...]
    func value(_ name: String) throws(CommandFault) -> String {
      guard let found = rest.popFirst() else {
        throw CommandFault("Command line is not complete. Try option \"help\"\n", 255)
      }
      return found
    }
    while let word = rest.popFirst() {
      switch word {
      case "from", "to":
        let text = try value(word)
        guard text != "all" else { continue }
        guard let block = RoutingText.block(text) else {
          throw CommandFault("Error: inet prefix is expected rather than \"\(text)\".\n", 1)
        }
        if word == "from" { source = block } else { destination = block }
      case "pref", "priority", "prio", "preference", "order":
        let text = try value(word)
        guard let number = UInt32(text) else {
          throw CommandFault("Error: argument \"\(text)\" is wrong: preference value is invalid\n\n", 255)
        }
        priority = Int(number)
      case "fwmark":
        let text = try value(word)
        let parts = text.split(separator: "/")
        guard let found = parts.first.flatMap({ NetfilterRule.number($0) }), parts.count < 3 else {
          throw CommandFault("Error: argument \"\(text)\" is wrong: fwmark value is invalid\n\n", 255)
        }
        mark = found
        if parts.count == 2 { mask = NetfilterRule.number(parts[1]) ?? mask }
      case "iif", "dev": input = try value(word)
      case "lookup", "table":
        let text = try value(word)
        guard let number = RoutingText.table(text), number > 0 else {
          throw CommandFault("Error: argument \"\(text)\" is wrong: invalid table ID\n\n", 255)
        }
        table = number
      default:
        throw CommandFault("Error: argument \"\(word)\" is wrong: Failed to parse rule type\n\n", 255)
      }
    }
  }

  /// The rule to add: without a preference before all that came so.
  package func rule(in rules: [RoutingRule]) throws(CommandFault) -> RoutingRule {
    let lowest = rules.map(\.priority).filter { $0 > 0 }.min() ?? 32766
    let rule = RoutingRule(
      priority ?? max(1, lowest - 1), from: source, to: destination, mark: mark, mask: mask, input: input,
      lookup: table ?? RoutingTables.main)
    guard !rules.contains(rule) else { throw CommandFault("RTNETLINK answers: File exists\n", 2) }
    return rule
  }

  /// The first rule that has all that was said.
  package func found(in rules: [RoutingRule]) throws(CommandFault) -> RoutingRule {
    let ordered = rules.enumerated().sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }
    let fitting = ordered.map(\.element).first { rule in
      (priority == nil || rule.priority == priority) && (source == nil || rule.source == source)
        && (destination == nil || rule.destination == destination)
        && (mark == nil || rule.mark == mark && rule.mask == mask) && (input == nil || rule.input == input)
        && (table == nil || rule.table == table)
    }
    guard let fitting else { throw CommandFault("RTNETLINK answers: No such file or directory\n", 2) }
    return fitting
  }
}

/// A route as `ip route add`, `replace` and `del` take it.
package struct RouteCommand: Sendable, Equatable {
  package var route: Route
  private var hasMetric = false

  package init(_ words: [String]) throws(CommandFault) {
    var rest = words[...]
    func value() throws(CommandFault) -> String {
      guard let found = rest.popFirst() else {
        throw CommandFault("Command line is not complete. Try option \"help\"\n", 255)
      }
      return found
    }
    func address(_ text: String) throws(CommandFault) -> IPv4Address {
      guard let found = IPv4Address(text) else {
        throw CommandFault("Error: inet address is expected rather than \"\(text)\".\n", 1)
      }
      return found
    }
    var kind = Route.Kind.unicast
    if let first = rest.first, let named = Route.Kind(rawValue: first) {
      kind = named
      rest.removeFirst()
    }
    if rest.first == "to" { rest.removeFirst() }
    let text = try value()
    guard let block = text == "default" ? CIDR.everything : RoutingText.block(text) else {
      throw CommandFault("Error: inet prefix is expected rather than \"\(text)\".\n", 1)
    }
    route = Route(block, kind: kind)
    while let word = rest.popFirst() {
      switch word {
      case "via": route.gateway = try address(try value())
      case "dev", "oif": route.device = try value()
      case "src": route.preferredSource = try address(try value())
      case "metric", "preference":
        route.metric = Int(try value()) ?? 0
        hasMetric = true
      case "table":
        let text = try value()
        guard let table = RoutingText.table(text), table > 0 else {
          throw CommandFault("Error: argument \"\(text)\" is wrong: \"table\" value is invalid\n\n", 255)
        }
        route.table = table
      case "scope", "proto", "protocol", "mtu": _ = try value()
      case "onlink": break
      default:
        throw CommandFault("Error: either \"to\" is duplicate, or \"\(word)\" is a garbage.\n", 255)
      }
    }
  }

  private func isSame(_ other: Route) -> Bool {
    other.destination == route.destination && other.table == route.table && other.metric == route.metric
  }

  /// The route to add, with those that it replaces.
  package func added(to routes: [Route], interfaces: [Interface], replaces: Bool) throws(CommandFault) -> (
    route: Route, replaced: [Route]
  ) {
    var route = route
    if let gateway = route.gateway, route.device.isEmpty {
      guard
        let link = routes.first(where: { $0.gateway == nil && $0.kind == .unicast && $0.destination.contains(gateway) })
      else { throw CommandFault("Error: Nexthop has invalid gateway.\n", 2) }
      route.device = link.device
    }
    if route.kind == .unicast {
      guard !route.device.isEmpty else { throw CommandFault("RTNETLINK answers: No such device\n", 2) }
      guard interfaces.contains(where: { $0.name == route.device }) else {
        throw CommandFault("Cannot find device \"\(route.device)\"\n", 1)
      }
    }
    let old = routes.filter(isSame)
    guard old.isEmpty || replaces else { throw CommandFault("RTNETLINK answers: File exists\n", 2) }
    return (route, old)
  }

  package func found(in routes: [Route]) throws(CommandFault) -> Route {
    let fitting = routes.first { other in
      other.destination == route.destination && other.table == route.table
        && (!hasMetric || other.metric == route.metric) && (route.gateway == nil || other.gateway == route.gateway)
        && (route.device.isEmpty || other.device == route.device)
    }
    guard let fitting else { throw CommandFault("RTNETLINK answers: No such process\n", 2) }
    return fitting
  }
}
