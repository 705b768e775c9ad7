package import Wire

/// A node with its interfaces and pods, as the VPC CNI lays out its network.
package struct NodePlan: Sendable {
  package struct ENI: Sendable {
    /// 0 is the primary one.
    package var device: Int
    package var primary: IPv4Address
    package var subnet: CIDR
    /// Its place among the VPC's ports; nil where there is no VPC around the node.
    package var port: Int?

    package init(device: Int, primary: IPv4Address, subnet: CIDR, port: Int? = nil) {
      self.device = device
      self.primary = primary
      self.subnet = subnet
      self.port = port
    }

    var gateway: IPv4Address { subnet.base + 1 }
  }

  /// The branch interface of a pod with security groups of its own.
  package struct Branch: Sendable {
    package var vlan: Int
    package var subnet: CIDR
    package var port: Int?

    package init(vlan: Int, subnet: CIDR, port: Int? = nil) {
      self.vlan = vlan
      self.subnet = subnet
      self.port = port
    }
  }

  package struct Pod: Sendable {
    package var namespace: String
    package var name: String
    package var address: IPv4Address
    /// The device index of the ENI that its address is on.
    package var device: Int
    package var branch: Branch?
    package var uid: String
    /// The address is that of its way to IPv4, in an IPv6 cluster.
    package var isEgress = false

    package init(
      _ namespace: String, _ name: String, _ address: IPv4Address, device: Int = 0, branch: Branch? = nil,
      uid: String = ""
    ) {
      self.uid = uid
      self.namespace = namespace
      self.name = name
      self.address = address
      self.device = device
      self.branch = branch
    }
  }

  package var name: String
  package var enis: [ENI]
  package var pods: [Pod]
  package var settings: CNISettings
  /// The VPC's IPv4 blocks, which the CNI learns from EC2.
  package var vpcBlocks: [CIDR]
  /// `eth` on Amazon Linux 2, `ens` from 5 on on Amazon Linux 2023.
  package var naming: Naming
  /// Addresses of the node's own besides its ENIs', such as the Pod Identity agent's.
  package var linkLocal: [IPv4Address] = []
  /// What its kernel holds instead of that.
  package var kernel: NodeKernel?

  package enum Naming: Sendable { case eth, ens }

  package init(
    _ name: String, enis: [ENI], pods: [Pod] = [], settings: CNISettings = CNISettings(), vpcBlocks: [CIDR],
    naming: Naming = .eth
  ) {
    self.name = name
    self.enis = enis.sorted { $0.device < $1.device }
    self.pods = pods
    self.settings = settings
    self.vpcBlocks = vpcBlocks
    self.naming = naming
  }

  package var primary: ENI { enis[0] }

  package func interfaceName(device: Int) -> String {
    kernel?.names[device] ?? (naming == .eth ? "eth\(device)" : "ens\(device + 5)")
  }

  package func veth(_ pod: Pod) -> String {
    if pod.isEgress { return IPv4Egress.veth(pod) }
    return InterfaceNames.veth(
      prefix: pod.branch != nil && settings.isStrict ? "vlan" : settings.vethPrefix, namespace: pod.namespace,
      pod: pod.name)
  }

  /// The hardware address of the host's end of a pod's pair: any locally administered one does.
  package static func mac(ofPod address: IPv4Address) -> UInt64 { 0x0a58_0000_0000 | UInt64(address.bits) }

  /// The interfaces, with the place that the node's stack has and those of its pods' stacks.
  package func interfaces(podStacks: [Int]) -> [Interface] {
    var out = [Interface("lo", addresses: [.init(IPv4Address(bits: 0x7f00_0001), length: 8)], link: .loopback)]
    for eni in enis {
      // aws-node's init container loosens the primary interface's filter.
      out.append(
        Interface(
          interfaceName(device: eni.device), addresses: [.init(eni.primary, length: eni.subnet.length)],
          link: eni.port.map { .port($0) } ?? .none, reversePathFilter: eni.device == 0 ? 2 : 0))
    }
    if !linkLocal.isEmpty {
      out.append(Interface("pod-id-link0", addresses: linkLocal.map { .init($0) }, link: .none))
    }
    for pod in pods {
      guard let branch = pod.branch else { continue }
      out.append(Interface(InterfaceNames.vlan(branch.vlan), link: branch.port.map { .port($0) } ?? .none))
    }
    for (index, pod) in pods.enumerated() {
      out.append(
        Interface(
          veth(pod), addresses: pod.isEgress ? [.init(IPv4Egress.gateway)] : [],
          link: .peer(stack: podStacks[index], interface: 1), mac: NodePlan.mac(ofPod: pod.address)))
    }
    if let kernel { for index in out.indices { kernel.apply(to: &out[index]) } }
    return out
  }

  package var rules: [RoutingRule] {
    let hasStrict = settings.isStrict && pods.contains { $0.branch != nil }
    var rules = [RoutingRule(hasStrict ? 20 : 0, lookup: RoutingTables.local)]
    for pod in pods where !pod.isEgress {
      if let branch = pod.branch, settings.isStrict {
        rules.append(RoutingRule(10, input: InterfaceNames.vlan(branch.vlan), lookup: 100 + branch.vlan))
        rules.append(RoutingRule(10, input: veth(pod), lookup: 100 + branch.vlan))
        continue
      }
      let block = CIDR(pod.address, length: 32)
      rules.append(RoutingRule(512, to: block, lookup: RoutingTables.main))
      if let branch = pod.branch {
        rules.append(RoutingRule(1536, from: block, lookup: 100 + branch.vlan))
      } else if pod.device > 0 {
        rules.append(RoutingRule(1536, from: block, lookup: pod.device + 1))
      }
    }
    if !settings.isIPv6, settings.nodePortSupport || !settings.externalSNAT {
      rules.append(
        RoutingRule(1024, mark: settings.connectionMark, mask: settings.connectionMark, lookup: RoutingTables.main))
    }
    for block in settings.externalServiceBlocks {
      rules.append(RoutingRule(1535, to: block, lookup: RoutingTables.main))
    }
    for eni in enis where eni.device > 0 {
      rules.append(RoutingRule(32765, from: CIDR(eni.primary, length: 32), lookup: eni.device + 1))
    }
    rules.append(RoutingRule(32766, lookup: RoutingTables.main))
    rules.append(RoutingRule(32767, lookup: RoutingTables.defaults))
    return rules
  }

  package var routes: [Route] {
    let first = interfaceName(device: 0)
    var routes = [
      Route(.everything, via: primary.gateway, device: first),
      Route(primary.subnet, device: first, source: primary.primary),
    ]
    for eni in enis where eni.device > 0 {
      let name = interfaceName(device: eni.device)
      routes.append(Route(CIDR(eni.gateway, length: 32), device: name, table: eni.device + 1))
      routes.append(Route(.everything, via: eni.gateway, device: name, table: eni.device + 1))
    }
    for pod in pods {
      let block = CIDR(pod.address, length: 32)
      guard let branch = pod.branch else {
        routes.append(Route(block, device: veth(pod)))
        continue
      }
      let link = InterfaceNames.vlan(branch.vlan)
      let gateway = branch.subnet.base + 1
      routes.append(Route(CIDR(gateway, length: 32), device: link, table: 100 + branch.vlan))
      routes.append(Route(.everything, via: gateway, device: link, table: 100 + branch.vlan))
      routes.append(
        Route(block, device: veth(pod), table: settings.isStrict ? 100 + branch.vlan : RoutingTables.main))
    }
    return routes
  }

  /// The CNI's rules, with those of kube-proxy in their place.
  package func netfilter(_ services: KubeProxyRules? = nil) -> Netfilter {
    var netfilter = Netfilter()
    addCNI(&netfilter)
    services?.add(to: &netfilter)
    return netfilter
  }

  /// Of IPv4 an IPv6 cluster has the pods' way out, and none in.
  private func addEgress(_ netfilter: inout Netfilter) {
    netfilter.add(
      NetfilterRule(
        destination: IPv4Egress.block,
        [.state([.new], negated: false), .comment("Block Node Local Pod access via IPv4")],
        .reject("icmp-port-unreachable")), table: "filter", chain: "FORWARD")
    for pod in pods where pod.isEgress {
      let chain = IPv4Egress.chain(pod)
      let comment = NetfilterRule.Match.comment("name: \"aws-cni\" id: \"\(pod.namespace)/\(pod.name)\"")
      netfilter.add(
        NetfilterRule(destination: CIDR(IPv4Address(bits: 0xe000_0000), length: 4), [comment], .accept), table: "nat",
        chain: chain)
      netfilter.add(
        NetfilterRule([comment], .snat(primary.primary, random: settings.randomizesSNAT)), table: "nat", chain: chain)
      netfilter.add(
        NetfilterRule(source: CIDR(pod.address, length: 32), [comment], .jump(chain)), table: "nat",
        chain: "POSTROUTING")
    }
  }

  private func addCNI(_ netfilter: inout Netfilter) {
    guard !settings.isIPv6 else { return addEgress(&netfilter) }
    let mark = settings.connectionMark
    typealias Rule = NetfilterRule
    let primaryENI = "AWS, primary ENI"
    if settings.nodePortSupport {
      netfilter.add(
        Rule(
          input: .init(interfaceName(device: 0)),
          [
            .comment(primaryENI),
            .addressKind(source: nil, destination: .init(kinds: [.local]), input: true, output: false),
          ], .setConnectionMark(mark, mask: mark)), table: "mangle", chain: "PREROUTING")
    }
    if settings.nodePortSupport || !settings.externalSNAT {
      netfilter.add(
        Rule(
          input: .init(settings.vethPrefix + "+"), [.comment(primaryENI)],
          .restoreMark(packet: mark, connection: mark)), table: "mangle", chain: "PREROUTING")
    }
    if settings.nodePortSupport {
      netfilter.add(
        Rule(input: .init("vlan+"), [.comment(primaryENI)], .restoreMark(packet: mark, connection: mark)),
        table: "mangle", chain: "PREROUTING")
    }
    guard !settings.externalSNAT else { return }
    netfilter.add(
      Rule(
        input: .init(settings.vethPrefix + "+"), [.comment("AWS, outbound connections")],
        .jump("AWS-CONNMARK-CHAIN-0")), table: "nat", chain: "PREROUTING")
    netfilter.add(
      Rule([.comment("AWS, CONNMARK")], .restoreMark(packet: mark, connection: mark)), table: "nat",
      chain: "PREROUTING")
    netfilter.add(
      Rule([.comment("AWS SNAT CHAIN")], .jump("AWS-SNAT-CHAIN-0")), table: "nat", chain: "POSTROUTING")
    for block in vpcBlocks + settings.excludedBlocks {
      netfilter.add(
        Rule(destination: block.length == 0 ? nil : block, [.comment("AWS CONNMARK CHAIN")], .returns), table: "nat",
        chain: "AWS-CONNMARK-CHAIN-0")
    }
    netfilter.add(
      Rule([.comment("AWS, CONNMARK")], .setConnectionMark(mark, mask: mark)), table: "nat",
      chain: "AWS-CONNMARK-CHAIN-0")
    for block in vpcBlocks {
      netfilter.add(
        Rule(destination: block, [.comment("AWS SNAT CHAIN")], .returns), table: "nat", chain: "AWS-SNAT-CHAIN-0")
    }
    for block in settings.excludedBlocks {
      netfilter.add(
        Rule(destination: block.length == 0 ? nil : block, [.comment("AWS SNAT CHAIN EXCLUSION")], .returns),
        table: "nat", chain: "AWS-SNAT-CHAIN-0")
    }
    netfilter.add(
      Rule(
        output: .init("vlan+", negated: true),
        [
          .comment("AWS, SNAT"),
          .addressKind(
            source: nil, destination: .init(kinds: [.local], isNegated: true), input: false, output: false),
        ], .snat(primary.primary, random: settings.randomizesSNAT)), table: "nat", chain: "AWS-SNAT-CHAIN-0")
  }

  /// What the kernel goes by: as it was laid out, or as it was changed.
  package var rulesInForce: [RoutingRule] { kernel?.rules ?? rules }
  package var routesInForce: [Route] { kernel?.routes ?? routes }
  package func netfilterInForce(_ services: KubeProxyRules?) -> Netfilter { kernel?.netfilter ?? netfilter(services) }

  /// The stack of the node.
  package func stack(podStacks: [Int], services: KubeProxyRules? = nil) -> NetworkStack {
    var settings = NetworkStack.Settings()
    settings.forwards = true
    settings.earlyDemux = !self.settings.disablesEarlyDemux
    settings.routesLocalnet = services != nil
    kernel?.apply(to: &settings)
    return NetworkStack(
      name, interfaces: interfaces(podStacks: podStacks), rules: rulesInForce,
      routes: routesInForce, netfilter: netfilterInForce(services), settings: settings)
  }

  /// The next hop of every pod: an address that nobody has, with the host's end of the pair as its neighbour.
  package static let podGateway = IPv4Address(bits: 0xa9fe_0101)

  /// What the CNI pinned in the pod when it set it up; where nobody looked, the address that the pair's end has.
  private func neighbour(of pod: Pod) -> UInt64 {
    let own = NodePlan.mac(ofPod: pod.address)
    return kernel?.podNeighbours[pod.address] ?? kernel?.addresses[veth(pod)] ?? own
  }

  /// The stack of a pod; `interface` is the host's end of its pair.
  package func stack(of pod: Pod, node: Int, interface: Int) -> NetworkStack {
    if pod.isEgress { return egressStack(of: pod, node: node, interface: interface) }
    return NetworkStack(
      "\(pod.namespace)/\(pod.name)",
      interfaces: [
        Interface("lo", addresses: [.init(IPv4Address(bits: 0x7f00_0001), length: 8)], link: .loopback),
        Interface("eth0", addresses: [.init(pod.address)], link: .peer(stack: node, interface: interface)),
      ],
      routes: [
        Route(CIDR(NodePlan.podGateway, length: 32), device: "eth0"),
        Route(.everything, via: NodePlan.podGateway, device: "eth0"),
      ],
      neighbours: [.init(NodePlan.podGateway, device: "eth0", mac: neighbour(of: pod))])
  }
}

extension NodePlan {
  /// What a pod of an IPv6 cluster has of IPv4.
  private func egressStack(of pod: Pod, node: Int, interface: Int) -> NetworkStack {
    let device = IPv4Egress.interface
    return NetworkStack(
      "\(pod.namespace)/\(pod.name)",
      interfaces: [
        Interface("lo", addresses: [.init(IPv4Address(bits: 0x7f00_0001), length: 8)], link: .loopback),
        Interface(device, addresses: [.init(pod.address)], link: .peer(stack: node, interface: interface)),
      ],
      routes: [
        Route(CIDR(IPv4Egress.gateway, length: 32), device: device, source: pod.address),
        Route(IPv4Egress.block, via: IPv4Egress.gateway, device: device, source: pod.address),
        Route(.everything, via: IPv4Egress.gateway, device: device),
      ])
  }
}

extension PacketNetwork {
  /// Adds a node and its pods; the places of their stacks.
  @discardableResult
  package mutating func add(_ plan: NodePlan, services: KubeProxyRules? = nil) -> (node: Int, pods: [Int]) {
    let node = stacks.count
    let pods = plan.pods.indices.map { node + 1 + $0 }
    let stack = plan.stack(podStacks: pods, services: services)
    stacks.append(stack)
    for (index, pod) in plan.pods.enumerated() {
      stacks.append(plan.stack(of: pod, node: node, interface: stack.index(of: plan.veth(pod))!))
      assert(stacks.count == pods[index] + 1)
    }
    for (index, interface) in stack.interfaces.enumerated() {
      if case .port(let port) = interface.link { fabric.ports[port].holder = .stack(node, interface: index) }
    }
    return (node, pods)
  }
}
