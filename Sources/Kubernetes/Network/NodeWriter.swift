import Mechanisms
import Wire
import World

/// Commands that change a node's kernel: `ip`, `iptables` and `sysctl`.
struct NodeWriter {
  let node: String
  let instance: String
  private let network: NodeNetwork?
  private let cores: Int
  private(set) var changes: NodeChanges

  init(cluster: String, node: String, instance: String, world: World, changes: NodeChanges) {
    self.node = node
    self.instance = instance
    network = NodeNetwork(cluster: cluster, node: node, instance: instance, world: world, changes: changes)
    cores = NodeNetwork.cores(of: instance, world)
    self.changes = changes
    if let network { self.changes.keep(network.present) }
  }

  /// Whether a command is to change anything.
  static func isChange(_ words: [String]) -> Bool {
    let arguments = words.dropFirst()
    switch words.first {
    case "sysctl": return arguments.contains { $0 == "-w" || $0 == "--write" || $0.contains("=") && !$0.hasPrefix("-") }
    case "iptables": return NetfilterCommand.isChange(Array(arguments))
    case "ip":
      let plain = arguments.filter { !$0.hasPrefix("-") }
      guard plain.count > 1 else { return false }
      return verbs.contains(plain[1])
    default: return false
    }
  }

  private static let verbs: Set<String> = [
    "add", "a", "del", "delete", "d", "replace", "change", "append", "set", "flush", "f",
  ]

  /// What a pod without the right to it is told.
  static func refusal(_ words: [String]) -> CommandFault {
    switch words.first {
    case "sysctl":
      let name = words.dropFirst().first { $0.contains("=") }?.prefix { $0 != "=" } ?? ""
      return CommandFault("sysctl: setting key \"\(name)\": Read-only file system\n", 1)
    case "iptables":
      return CommandFault(
        "iptables v1.8.8 (legacy): can't initialize iptables table `filter': Permission denied (you must be root)\n"
          + "Perhaps iptables or your kernel needs to be upgraded.\n", 3)
    default: return CommandFault("RTNETLINK answers: Operation not permitted\n", 2)
    }
  }

  /// What it prints.
  mutating func run(_ words: [String]) throws(CommandFault) -> String {
    let name = words.first ?? ""
    guard let network else { throw CommandFault("\(name): nothing is known of this node\n", 1) }
    let arguments = Array(words.dropFirst())
    switch name {
    case "sysctl": return try set(arguments, network)
    case "iptables": try edit(arguments, network)
    case "ip": try ip(arguments.filter { !$0.hasPrefix("-") }, network)
    default: throw CommandFault("\(name): ekswhy does not simulate this program\n", 126)
    }
    return ""
  }

  // MARK: - sysctl

  private mutating func set(_ arguments: [String], _ network: NodeNetwork) throws(CommandFault) -> String {
    var out = ""
    let known = NodeVariables.all(of: network.plan, hasProxy: network.services != nil, cores: cores)
    for pair in arguments where !pair.hasPrefix("-") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
        $0.filter { $0 != " " }
      }
      guard parts.count == 2 else { throw CommandFault("sysctl: \"\(pair)\" must be of the form name=value\n", 1) }
      let name = Self.dotted(String(parts[0]))
      guard known.contains(where: { $0.name == name }) else {
        throw CommandFault(
          "sysctl: cannot stat /proc/sys/\(name.replacing(".", with: "/")): No such file or directory\n", 255)
      }
      guard let value = Int32(parts[1]) else {
        throw CommandFault("sysctl: setting key \"\(name)\": Invalid argument\n", 255)
      }
      let agent = NodeVariables.agent(of: name, primary: network.plan.interfaceName(device: 0))
      changes.set(name, String(value), owner: agent.flatMap { network.agents[$0] } ?? "")
      if !arguments.contains("-q") { out += "\(name) = \(value)\n" }
    }
    return out
  }

  /// `net/ipv4/ip_forward` is `net.ipv4.ip_forward`; slashes inside of a dotted name are dots of an interface's.
  static func dotted(_ name: String) -> String {
    name.contains(".") ? name : name.replacing("/", with: ".")
  }

  // MARK: - iptables

  private mutating func edit(_ arguments: [String], _ network: NodeNetwork) throws(CommandFault) {
    let command = try NetfilterCommand(arguments)
    for edit in try command.edits(of: network.plan.netfilterInForce(network.services)) {
      var edit = edit
      edit.owner = owner(of: edit, network)
      changes.edit(edit)
    }
  }

  /// What an agent has made it makes again when it starts.
  private func owner(of edit: NodeChanges.TableEdit, _ network: NodeNetwork) -> String {
    guard edit.deed == .delete || edit.deed == .flush || edit.deed == .deleteChain else { return "" }
    let text = edit.chain + " " + edit.rule
    let isProxy = text.contains("KUBE-") || edit.deed == .flush && edit.table != "mangle"
    if isProxy { return network.agents["kube-proxy"] ?? "" }
    return text.contains("AWS") || edit.deed == .flush ? network.agents["aws-node"] ?? "" : ""
  }

  // MARK: - iproute2

  private mutating func ip(_ words: [String], _ network: NodeNetwork) throws(CommandFault) {
    let object = words[0]
    let verb = words[1]
    let rest = Array(words.dropFirst(2))
    if "rule".hasPrefix(object) { return try rule(verb, rest, network) }
    if "link".hasPrefix(object), verb == "set" { return try link(rest, network) }
    if "route".hasPrefix(object) { return try route(verb, rest, network) }
    throw CommandFault(
      "ip: ekswhy changes rules, routes and hardware addresses of pods' interfaces; not this: ip "
        + words.joined(separator: " ") + "\n", 255)
  }

  private mutating func rule(_ verb: String, _ rest: [String], _ network: NodeNetwork) throws(CommandFault) {
    let rules = network.plan.rulesInForce
    switch verb {
    case "add", "a":
      let rule = try RuleCommand(rest).rule(in: rules)
      changes.add(rule, owner: network.pod(rule)?.uid ?? "")
    case "del", "delete", "d":
      let rule = try RuleCommand(rest).found(in: rules)
      remove(rule, network)
    case "flush", "f":
      for rule in rules where rule.priority != 0 { remove(rule, network) }
    default: throw CommandFault("Command \"\(verb)\" is unknown, try \"ip rule help\".\n", 255)
    }
  }

  private mutating func remove(_ rule: RoutingRule, _ network: NodeNetwork) {
    let isAgents = rule.priority < 32766 && network.plan.rules.contains(rule)
    changes.remove(rule, owner: network.pod(rule)?.uid ?? (isAgents ? network.agents["aws-node"] ?? "" : ""))
  }

  private mutating func route(_ verb: String, _ rest: [String], _ network: NodeNetwork) throws(CommandFault) {
    let routes = network.plan.routesInForce
    switch verb {
    case "add", "a", "replace", "change":
      let (route, old) = try RouteCommand(rest).added(
        to: routes, interfaces: network.text.interfaces, replaces: verb == "replace" || verb == "change")
      for other in old { remove(other, network) }
      changes.add(route, owner: network.pod(route)?.uid ?? "")
    case "del", "delete", "d": remove(try RouteCommand(rest).found(in: routes), network)
    case "flush", "f":
      guard rest.first == "table", rest.count == 2, let table = InterfaceText.table(rest[1]) else {
        throw CommandFault("\"ip route flush\" requires arguments.\n", 255)
      }
      for route in routes where route.table == table { remove(route, network) }
    default: throw CommandFault("Command \"\(verb)\" is unknown, try \"ip route help\".\n", 255)
    }
  }

  private mutating func remove(_ route: Route, _ network: NodeNetwork) {
    let isAgents = route.table != RoutingTables.main && network.plan.routes.contains(route)
    changes.remove(route, owner: network.pod(route)?.uid ?? (isAgents ? network.agents["aws-node"] ?? "" : ""))
  }

  private mutating func link(_ words: [String], _ network: NodeNetwork) throws(CommandFault) {
    let plain = words.first == "dev" ? Array(words.dropFirst()) : words
    guard let name = plain.first else {
      throw CommandFault("Not enough information: \"dev\" argument is required.\n", 255)
    }
    guard let interface = network.text.interfaces.first(where: { $0.name == name }) else {
      throw CommandFault("Cannot find device \"\(name)\"\n", 1)
    }
    guard plain.count == 3, plain[1] == "address" else {
      throw CommandFault("ip: ekswhy sets hardware addresses of interfaces only\n", 255)
    }
    let parts = plain[2].split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 6, parts.allSatisfy({ $0.count == 2 && UInt8($0, radix: 16) != nil }) else {
      throw CommandFault("\"\(plain[2])\" is invalid lladdr.\n", 1)
    }
    let address = InterfaceText.mac(plain[2])
    guard address != 0, address >> 40 & 1 == 0 else {
      throw CommandFault("RTNETLINK answers: Cannot assign requested address\n", 2)
    }
    guard case .peer = interface.link, let pod = network.plan.pods.first(where: { network.plan.veth($0) == name })
    else {
      throw CommandFault("RTNETLINK answers: Operation not supported\n", 2)
    }
    changes.set(address: address, of: name, owner: pod.uid)
  }
}
