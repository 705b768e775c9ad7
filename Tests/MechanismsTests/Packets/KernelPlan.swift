import Mechanisms
import Wire

/// A node with pods and a router around it, for the model and for the kernel alike.
struct KernelPlan {
  static let router = 0
  static let node = 1

  var network: PacketNetwork
  var names: [String]
  var pods: [NodePlan.Pod]
  var services: [ServicePort]

  /// Addresses of the router: what is beyond the node, each a host of its own as far as packets can tell.
  static let beyond = ["8.8.8.8", "10.0.2.20", "10.0.2.200", "169.254.169.254", "192.168.7.7"]

  init(settings: CNISettings, services: [ServicePort]) {
    func a(_ text: String) -> IPv4Address { IPv4Address(text)! }
    func b(_ text: String) -> CIDR { CIDR(text)! }
    self.services = services
    var plan = NodePlan(
      "n1",
      enis: [
        .init(device: 0, primary: a("10.0.0.10"), subnet: b("10.0.0.0/24")),
        .init(device: 1, primary: a("10.0.1.10"), subnet: b("10.0.1.0/24")),
      ], settings: settings, vpcBlocks: [b("10.0.0.0/16")])
    plan.pods = [
      .init("default", "p1", a("10.0.0.20")), .init("default", "p2", a("10.0.1.20"), device: 1),
      .init("default", "p3", a("10.0.0.21")),
      .init("default", "sgp", a("10.0.3.77"), branch: .init(vlan: 3, subnet: b("10.0.3.0/24"))),
    ]
    pods = plan.pods
    names = ["vpc", "n1"] + plan.pods.map(\.name)
    let places = plan.pods.indices.map { $0 + 2 }
    var interfaces = plan.interfaces(podStacks: places)
    // The router's ends of the node's interfaces.
    var ends = [
      Interface("lo", addresses: [.init("127.0.0.1/8")!] + KernelPlan.beyond.map { .init(a($0)) }, link: .loopback)
    ]
    var routes = [
      Route(b("10.0.0.0/24"), device: "v-eth0"), Route(b("10.0.1.0/24"), device: "v-eth1"),
      Route(b("10.0.3.0/24"), device: "v-vlan.eth.3"),
    ]
    for (index, interface) in interfaces.enumerated() where interface.link == .none {
      let gateway: CIDR.Host =
        switch interface.name {
        case "eth0": .init("10.0.0.1/24")!
        case "eth1": .init("10.0.1.1/24")!
        default: .init("10.0.3.1/24")!
        }
      interfaces[index].link = .peer(stack: KernelPlan.router, interface: ends.count)
      ends.append(
        Interface(
          "v-" + interface.name, addresses: [gateway], link: .peer(stack: KernelPlan.node, interface: index)))
    }
    for pod in plan.pods where pod.branch == nil {
      let via = pod.device == 0 ? "10.0.0.10" : "10.0.1.10"
      routes.append(Route(CIDR(pod.address, length: 32), via: a(via), device: "v-eth\(pod.device)"))
    }
    for index in interfaces.indices where interfaces[index].mac == 0 {
      interfaces[index].mac = 0x0200_0000_0100 + UInt64(index)
    }
    for index in ends.indices { ends[index].mac = 0x0200_0000_0000 + UInt64(index) }
    var forwarding = NetworkStack.Settings()
    forwarding.forwards = true
    let vlan = interfaces.first { $0.name == "vlan.eth.3" }!
    let router = NetworkStack(
      "vpc", interfaces: ends, routes: routes, settings: forwarding,
      neighbours: [.init(a("10.0.3.77"), device: "v-vlan.eth.3", mac: vlan.mac)])
    forwarding.earlyDemux = !settings.disablesEarlyDemux
    forwarding.routesLocalnet = true
    let proxy = KubeProxyRules(services, node: "n1", zone: "a", nodeAddress: a("10.0.0.10"))
    let node = NetworkStack(
      "n1", interfaces: interfaces, rules: plan.rules, routes: plan.routes, netfilter: plan.netfilter(proxy),
      settings: forwarding)
    network = PacketNetwork(stacks: [router, node])
    for pod in plan.pods {
      network.stacks.append(plan.stack(of: pod, node: KernelPlan.node, interface: node.index(of: plan.veth(pod))!))
    }
  }

  // MARK: - For the kernel

  private func mac(_ value: UInt64) -> String {
    stride(from: 40, through: 0, by: -8).map { shift in
      let byte = String(value >> UInt64(shift) & 255, radix: 16)
      return byte.count == 1 ? "0" + byte : byte
    }.joined(separator: ":")
  }

  private func hardware(_ stack: Int, _ interface: Int) -> String {
    let own = network.stacks[stack].interfaces[interface].mac
    return mac(own != 0 ? own : 0x0200_0001_0000 + UInt64(stack * 256 + interface))
  }

  var links: [String] {
    var out: [String] = []
    for (stack, content) in network.stacks.enumerated() {
      for (index, interface) in content.interfaces.enumerated() {
        guard case .peer(let other, let end) = interface.link, stack < other else { continue }
        out.append(
          "ip link add name \(interface.name) netns \(names[stack]) address \(hardware(stack, index)) type veth"
            + " peer name \(network.stacks[other].interfaces[end].name) netns \(names[other])"
            + " address \(hardware(other, end))")
      }
    }
    return out
  }

  func commands(_ stack: Int) -> [String] {
    let content = network.stacks[stack]
    var out = ["sysctl -q net.ipv4.ip_forward=\(content.settings.forwards ? 1 : 0)"]
    out.append("sysctl -q net.ipv4.conf.all.rp_filter=\(content.settings.reversePathFilter)")
    out.append("sysctl -q net.ipv4.conf.all.route_localnet=\(content.settings.routesLocalnet ? 1 : 0)")
    out.append("sysctl -q net.ipv4.tcp_early_demux=\(content.settings.earlyDemux ? 1 : 0)")
    for interface in content.interfaces {
      out.append("echo \(interface.reversePathFilter) > /proc/sys/net/ipv4/conf/\(interface.name)/rp_filter")
      out.append("ip link set \(interface.name) up")
      for host in interface.addresses where host.description != "127.0.0.1/8" {
        out.append("ip addr add \(host) dev \(interface.name) noprefixroute")
      }
    }
    out.append("ip rule flush")
    let rules = content.routing.rules
    for rule in rules where rule.priority != 0 { out.append("ip rule add \(rule.arguments)") }
    if !rules.contains(where: { $0.priority == 0 }) { out.append("ip rule del pref 0") }
    let routes = content.routing.routes.filter { $0.table != RoutingTables.local }
    for route in routes where route.gateway == nil { out.append("ip route add \(route.text)") }
    for route in routes where route.gateway != nil { out.append("ip route add \(route.text)") }
    // Nobody waits for ARP here; where the other end has the address, its entry is set at once.
    for (index, interface) in content.interfaces.enumerated() {
      guard case .peer(let other, let end) = interface.link else { continue }
      var heard = network.stacks[other].interfaces.flatMap { $0.addresses.map(\.address) }.map {
        ($0, hardware(other, end))
      }
      for neighbour in content.neighbours where neighbour.device == interface.name {
        heard.append((neighbour.address, mac(neighbour.mac)))
      }
      for (address, mac) in heard where address.bits >> 24 != 127 {
        out.append("ip neigh replace \(address) lladdr \(mac) dev \(content.interfaces[index].name) nud permanent")
      }
    }
    return out
  }
}
