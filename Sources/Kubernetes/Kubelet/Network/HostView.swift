import Containers
import Mechanisms
import Wire
import World

/// What commands show of the network and the logs of where they run.
struct HostView {
  let cluster: String
  let pod: ObjectView
  let instance: String
  let context: Context

  private var isHost: Bool { pod.spec["hostNetwork"].bool == true }
  private var network: NodeNetwork? {
    let world = context.world
    return NodeNetwork(
      cluster: cluster, node: pod.nodeName, instance: instance, world: world,
      changes: NodeKernelState.changes(of: instance, in: world))
  }

  private func failed(_ text: String, _ status: Int = 1) -> QuestionReply { .text("", errors: text, status: status) }
  private func printed(_ text: String) -> QuestionReply { .text(text, errors: "", status: 0) }

  /// Whether programs of the pod may change the network that they are on.
  var isPrivileged: Bool {
    pod.spec["containers"].items.contains { container in
      let security = container["securityContext"]
      return security["privileged"].bool == true || security["capabilities"]["add"].strings.contains("NET_ADMIN")
    }
  }

  func show(_ words: [String]) -> QuestionReply {
    let arguments = Array(words.dropFirst())
    switch words.first ?? "" {
    case "ip": return ip(arguments)
    case "ss", "netstat": return sockets(words[0], arguments)
    case "sysctl": return sysctl(arguments)
    case "iptables-save", "iptables": return tables(words[0], arguments)
    case "journalctl": return journal(arguments)
    case "conntrack": return traffic.tracked(arguments, at: context.now)
    case "ethtool": return statistics(arguments)
    case "tcpdump": return capture(arguments)
    default: return failed("\(words.first ?? ""): ekswhy does not simulate this program\n", 126)
    }
  }

  // MARK: - What passed

  private var traffic: TrafficView {
    let id = NodeTraffic.id(instance)
    return TrafficView(
      traffic: context.world.state(of: id, as: NodeTraffic.self) ?? NodeTraffic(instance: instance),
      pod: isHost ? nil : pod.uid)
  }

  private var text: InterfaceText? {
    isHost ? network?.text : network?.text(ofPod: pod.status["podIP"].string ?? "")
  }

  /// What an interface was refused, as the driver of a Nitro instance counts it: `ethtool -S`.
  private func statistics(_ arguments: [String]) -> QuestionReply {
    guard let place = arguments.firstIndex(where: { $0 == "-S" || $0 == "--statistics" }),
      place + 1 < arguments.count
    else { return failed("ethtool: ekswhy shows statistics (-S INTERFACE)\n") }
    let name = arguments[place + 1]
    guard isHost, let network,
      let eni = network.plan.enis.first(where: { network.plan.interfaceName(device: $0.device) == name }),
      let vpc = context.world.ports.vpcID(ofInstance: instance),
      let id = context.world.ports.packets.interface(vpc, eni.primary)?["NetworkInterfaceId"].string
    else { return failed("Cannot get stats strings information: No such device\n", 96) }
    let exceeded = traffic.traffic.allowances?[id]?.exceeded ?? 0
    let counters = ["bw_in", "bw_out", "pps", "conntrack"].map { "     \($0)_allowance_exceeded: 0\n" }
    return printed("NIC statistics:\n\(counters.joined())     \(LinkLocalAllowance.counter): \(exceeded)\n")
  }

  /// `/proc/net/dev`.
  var devices: String? {
    guard isHost else { return traffic.devices(["lo", "eth0"]) }
    return text.map { traffic.devices($0.interfaces.map(\.name)) }
  }

  /// Since when, how many at most, which interface; then the filter.
  private func capture(_ arguments: [String]) -> QuestionReply {
    guard arguments.count >= 3, let since = Int64(arguments[0]), let limit = Int(arguments[1]), let text else {
      return failed("tcpdump: nothing is known of this network\n")
    }
    return traffic.capture(
      since: Timestamp(microseconds: since), limit: limit, arguments[2], filter: Array(arguments.dropFirst(3)),
      interfaces: text.interfaces.map(\.name))
  }

  // MARK: - iproute2

  private func ip(_ arguments: [String]) -> QuestionReply {
    let words = arguments.filter { !$0.hasPrefix("-") && $0 != "show" && $0 != "list" && $0 != "ls" && $0 != "dev" }
    if arguments.contains("-6") { return printed("") }
    if arguments.first == "-all", arguments.dropFirst().starts(with: ["netns", "exec", "ip"]) {
      return namespaces(arguments.dropFirst(4).first { !$0.hasPrefix("-") } ?? "")
    }
    guard let text else { return failed("ip: nothing is known of this network\n") }
    guard let object = words.first else { return failed("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n", 255) }
    let name = words.count > 1 ? words[1] : nil
    func missing() -> QuestionReply { failed("Device \"\(name ?? "")\" does not exist.\n") }
    func matches(_ whole: String) -> Bool { whole.hasPrefix(object) }
    if matches("address") || object == "addr" { return text.addresses(name).map(printed) ?? missing() }
    let countsTraffic = arguments.contains { "-statistics".hasPrefix($0) && $0.count > 1 }
    if matches("link") {
      let traffic = traffic
      let counted = countsTraffic ? { (interface: String) in Self.statistics(traffic, interface) } : { _ in "" }
      return text.link(name, counted).map(printed) ?? missing()
    }
    if matches("rule") { return printed(text.rule) }
    if matches("neighbour") || matches("neighbor") { return printed(text.neighbour) }
    if matches("route") {
      guard let at = words.firstIndex(of: "table") else { return printed(text.route(table: RoutingTables.main)) }
      let wanted = at + 1 < words.count ? words[at + 1] : ""
      if wanted == "all" { return printed(text.route(table: nil)) }
      guard let table = InterfaceText.table(wanted) else {
        return failed("Error: argument \"\(wanted)\" is wrong: table id value is invalid\n", 255)
      }
      let shown = text.route(table: table)
      return shown.isEmpty ? failed("Error: ipv4: FIB table does not exist.\nDump terminated\n", 2) : printed(shown)
    }
    return failed("Object \"\(object)\" is unknown, try \"ip help\".\n", 1)
  }

  private func namespaces(_ object: String) -> QuestionReply {
    guard isHost, let network else { return printed("") }
    if "address".hasPrefix(object) || object == "addr" { return printed(network.namespaces { $0.addresses() ?? "" }) }
    if "neighbour".hasPrefix(object) || "neighbor".hasPrefix(object) {
      return printed(network.namespaces { $0.neighbour })
    }
    if "route".hasPrefix(object) { return printed(network.namespaces { $0.route(table: RoutingTables.main) }) }
    return failed("Object \"\(object)\" is unknown, try \"ip help\".\n", 1)
  }

  /// What `-s` adds to an interface.
  private static func statistics(_ view: TrafficView, _ interface: String) -> String {
    let counter = view.traffic.counter(interface, pod: view.pod)
    func columns(_ bytes: Int, _ packets: Int) -> String {
      let (first, second) = (String(bytes), String(packets))
      return "    " + first + String(repeating: " ", count: max(1, 14 - first.count)) + second
        + String(repeating: " ", count: max(1, 8 - second.count))
    }
    return "    RX:  bytes packets errors dropped  missed   mcast\n"
      + columns(counter.receivedBytes, counter.receivedPackets) + "     0       0       0       0\n"
      + "    TX:  bytes packets errors dropped carrier collsns\n"
      + columns(counter.sentBytes, counter.sentPackets) + "     0       0       0       0\n"
  }

  // MARK: - netfilter

  private func tables(_ name: String, _ arguments: [String]) -> QuestionReply {
    guard isHost else { return printed("") }
    guard let network else { return failed("\(name): nothing is known of this node's rules\n") }
    let wanted = arguments.firstIndex(of: "-t").flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
    let all = Self.sections(network.tables)
    if name == "iptables-save" {
      let chosen = all.filter { wanted == nil || $0.name == wanted }
      return printed(chosen.map { $0.lines.joined(separator: "\n") + "\n" }.joined())
    }
    guard let at = arguments.firstIndex(where: { $0 == "-S" || $0 == "--list-rules" }) else {
      return failed("iptables: ekswhy shows rules by iptables -S and iptables-save\n", 2)
    }
    let chain = at + 1 < arguments.count && !arguments[at + 1].hasPrefix("-") ? arguments[at + 1] : nil
    let lines = all.first { $0.name == wanted ?? "filter" }?.lines ?? []
    var out: [String] = []
    for line in lines {
      if line.hasPrefix(":") {
        let parts = line.dropFirst().split(separator: " ")
        guard chain == nil || String(parts[0]) == chain else { continue }
        out.append(parts[1] == "-" ? "-N \(parts[0])" : "-P \(parts[0]) \(parts[1])")
      } else if line.hasPrefix("-A "), chain == nil || line.hasPrefix("-A \(chain!) ") {
        out.append(line)
      }
    }
    if let chain, out.isEmpty { return failed("iptables: No chain/target/match by that name: \(chain)\n") }
    return printed(out.map { $0 + "\n" }.joined())
  }

  private static func sections(_ text: String) -> [(name: String, lines: [String])] {
    var found: [(name: String, lines: [String])] = []
    for line in text.split(separator: "\n").map(String.init) {
      if line.hasPrefix("*") { found.append((String(line.dropFirst()), [])) }
      if !found.isEmpty { found[found.count - 1].lines.append(line) }
    }
    return found
  }

  // MARK: - Sockets

  /// Who listens on the node: its kubelet, and pods on its network by the ports that they name; in a pod its own.
  private var listeners: [(address: String, port: Int, transport: String, program: String)] {
    var found: [(address: String, port: Int, transport: String, program: String)] = []
    func add(_ pod: ObjectView) {
      guard pod.status["phase"].string == "Running" else { return }
      for container in pod.spec["containers"].items {
        for port in container["ports"].items {
          guard let number = port["containerPort"].int else { continue }
          let transport = (port["protocol"].string ?? "TCP").lowercased()
          found.append(("0.0.0.0", number, transport, container["name"].string ?? ""))
        }
      }
    }
    guard isHost else {
      add(pod)
      return found
    }
    found = [("127.0.0.1", 10248, "tcp", "kubelet"), ("*", 10250, "tcp", "kubelet")]
    let pods = context.world.kube.host?.list(cluster: cluster, resource: "pods", namespace: "") ?? []
    for pod in pods.map({ ObjectView($0) }) where pod.nodeName == self.pod.nodeName {
      guard pod.spec["hostNetwork"].bool == true else { continue }
      switch pod.labels["k8s-app"].string {
      case "aws-node" where context.world.nodes.askAgent(instance, 61678, "/metrics") != nil:
        found += [("127.0.0.1", 61679, "tcp", "aws-k8s-agent"), ("*", 61678, "tcp", "aws-k8s-agent")]
      case "aws-node": break
      case "kube-proxy" where pod.status["phase"].string == "Running":
        found += [("*", 10249, "tcp", "kube-proxy"), ("*", 10256, "tcp", "kube-proxy")]
      case "kube-proxy": break
      default: add(pod)
      }
    }
    return found.sorted { ($0.transport, $0.port) < ($1.transport, $1.port) }
  }

  private func sockets(_ name: String, _ arguments: [String]) -> QuestionReply {
    let flags = Set(arguments.filter { $0.hasPrefix("-") }.joined())
    let wantsTCP = flags.contains("t") || !flags.contains("u")
    let wantsUDP = flags.contains("u") || !flags.contains("t")
    let chosen = listeners.filter { $0.transport == "tcp" ? wantsTCP : wantsUDP }
    func pad(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(1, width - text.count))
    }
    var out =
      name == "ss"
      ? "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\n"
      : "Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name\n"
    for socket in chosen {
      let isTCP = socket.transport == "tcp"
      let local = "\(socket.address):\(socket.port)"
      if name == "ss" {
        out += pad(socket.transport, 6) + pad(isTCP ? "LISTEN" : "UNCONN", 7) + "0      4096   " + pad(local, 20)
        out += pad("\(socket.address == "*" ? "*" : "0.0.0.0"):*", 18)
        out += flags.contains("p") ? "users:((\"\(socket.program)\"))\n" : "\n"
      } else {
        out += pad(socket.transport, 6) + "     0      0 " + pad(local, 24) + pad("0.0.0.0:*", 24)
        out += pad(isTCP ? "LISTEN" : "", 12) + "\(flags.contains("p") ? "-/\(socket.program)" : "")\n"
      }
    }
    return printed(out)
  }

  // MARK: - The kernel and the journal

  private var variables: [(name: String, value: String)] {
    guard isHost, let network else { return [("net.ipv4.ip_forward", "0"), ("net.ipv4.tcp_early_demux", "1")] }
    return NodeVariables.all(
      of: network.plan, hasProxy: network.services != nil, cores: NodeNetwork.cores(of: instance, context.world))
  }

  private func sysctl(_ arguments: [String]) -> QuestionReply {
    let names = arguments.filter { !$0.hasPrefix("-") }
    if arguments.contains("-a") || arguments.contains("--all") {
      return printed(variables.map { "\($0.name) = \($0.value)\n" }.joined())
    }
    var out = ""
    var errors = ""
    for name in names {
      if let found = variables.first(where: { $0.name == NodeWriter.dotted(name) }) {
        out += arguments.contains("-n") ? "\(found.value)\n" : "\(found.name) = \(found.value)\n"
      } else {
        errors += "sysctl: cannot stat /proc/sys/\(name.replacing(".", with: "/")): No such file or directory\n"
      }
    }
    return .text(out, errors: errors, status: errors.isEmpty ? 0 : 255)
  }

  private func journal(_ arguments: [String]) -> QuestionReply {
    guard isHost else { return failed("No journal files were found.\n") }
    let prefix = "node/\(cluster)/\(instance)/"
    var unit: String?
    var count = Int.max
    var words = arguments[...]
    while let word = words.popFirst() {
      if word == "-u" || word == "--unit" { unit = words.popFirst() }
      if word.hasPrefix("--unit=") { unit = String(word.dropFirst(7)) }
      if word == "-n" || word == "--lines" { count = words.popFirst().flatMap { Int($0) } ?? 10 }
      if word.hasPrefix("--lines=") { count = Int(word.dropFirst(8)) ?? 10 }
    }
    var name = unit.map { $0.hasSuffix(".service") ? String($0.dropLast(8)) : $0 } ?? ""
    if name.hasPrefix("nodeadm") { name = "nodeadm" }
    let logs = context.world.logs
    let streams =
      unit == nil
      ? logs.streams(prefix: prefix).filter { !$0.hasSuffix("/ipamd") && !$0.hasSuffix("/network-policy-agent") }
      : [prefix + name]
    let records = streams.flatMap { stream in
      logs.read(stream).map { (record: $0, program: String(stream.dropFirst(prefix.count))) }
    }.sorted { $0.record.at < $1.record.at }
    guard !records.isEmpty else { return printed("-- No entries --\n") }
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    var out = ""
    for (record, program) in records.suffix(count) {
      let civil = record.at.civil
      let time =
        "\(months[civil.month - 1]) \(civil.day.padded(2)) \(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2))"
      let says = record.text.hasPrefix("\(program)[") ? "" : "\(program)[1]: "
      out += "\(time) \(pod.nodeName) \(says)\(record.text)\n"
    }
    return printed(out)
  }
}
