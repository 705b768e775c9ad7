import Mechanisms
import Wire
import World

/// The network of a node as its VPC CNI and kube-proxy have laid it out: from the instance's own metadata, the pods of
/// the node and the cluster's Services.
struct NodeNetwork {
  let plan: NodePlan
  let services: KubeProxyRules?
  /// Hardware addresses by device.
  private let macs: [Int: UInt64]
  /// Uids of the node's pods, and of those of its agents by name.
  let present: Set<String>
  let agents: [String: String]

  /// Nil for nodes whose interfaces nobody knows.
  init?(cluster: String, node: String, instance: String, world: World, changes: NodeChanges?) {
    let metadata = world.ports.instanceMetadata
    let base = "network/interfaces/macs/"
    var macs: [Int: UInt64] = [:]
    var enis: [NodePlan.ENI] = []
    var held: [Int: (addresses: Set<String>, prefixes: [CIDR])] = [:]
    var blocks: [CIDR] = []
    for line in (metadata(instance, base) ?? "").split(separator: "\n") {
      let mac = line.hasSuffix("/") ? String(line.dropLast()) : String(line)
      func value(_ key: String) -> String? { metadata(instance, "\(base)\(mac)/\(key)") }
      guard let device = value("device-number").flatMap({ Int($0) }),
        let subnet = value("subnet-ipv4-cidr-block").flatMap({ CIDR($0) })
      else { continue }
      let addresses = (value("local-ipv4s") ?? "").split(separator: "\n").map(String.init)
      guard let primary = addresses.first.flatMap({ IPv4Address($0) }) else { continue }
      let prefixes = (value("ipv4-prefix") ?? "").split(separator: "\n").compactMap { CIDR($0) }
      macs[device] = InterfaceText.mac(mac)
      enis.append(.init(device: device, primary: primary, subnet: subnet))
      held[device] = (Set(addresses), prefixes)
      if device == 0 { blocks = (value("vpc-ipv4-cidr-blocks") ?? "").split(separator: "\n").compactMap { CIDR($0) } }
    }
    guard enis.contains(where: { $0.device == 0 }), let host = world.kube.host else { return nil }
    let object = host.get(ObjectReference(cluster: cluster, resource: "nodes", namespace: "", name: node))
    let image = object?["status"]["nodeInfo"]["osImage"].string ?? ""
    let present = host.list(cluster: cluster, resource: "pods", namespace: "").map { ObjectView($0) }
      .filter { $0.nodeName == node }
    func agent(_ name: String) -> ObjectView? { present.first { $0.labels["k8s-app"].string == name } }
    let settings = agent("aws-node").map { CNISettings(podSpec: $0.spec) } ?? CNISettings()
    var plan = NodePlan(
      node, enis: enis, settings: settings, vpcBlocks: blocks,
      naming: image.contains("Amazon Linux 2023") ? .ens : .eth)
    for pod in present where pod.spec["hostNetwork"].bool != true {
      let phase = pod.status["phase"].string
      guard phase != "Succeeded", phase != "Failed", let text = pod.status["podIP"].string else { continue }
      if let egress = NodePlan.egress(pod.namespace, pod.name, text, settings) { plan.pods.append(egress) }
      guard let address = IPv4Address(text) else { continue }
      if let branch = PodENI(pod: pod.json), let subnet = CIDR(branch.subnetCIDR) {
        plan.pods.append(
          .init(
            pod.namespace, pod.name, address, branch: .init(vlan: branch.vlan, subnet: subnet), uid: pod.uid))
        continue
      }
      let device = plan.enis.first { eni in
        held[eni.device]?.addresses.contains(text) == true
          || held[eni.device]?.prefixes.contains { $0.contains(address) } == true
      }?.device
      if let device { plan.pods.append(.init(pod.namespace, pod.name, address, device: device, uid: pod.uid)) }
    }
    self.macs = macs
    self.present = Set(present.map(\.uid))
    var agents: [String: String] = [:]
    for name in ["aws-node", "kube-proxy"] { agents[name] = agent(name)?.uid }
    self.agents = agents
    services =
      agent("kube-proxy") == nil
      ? nil
      : KubeProxyRules(
        ServicePort.read(
          services: host.list(cluster: cluster, resource: "services", namespace: ""),
          slices: host.list(cluster: cluster, resource: "endpointslices.discovery.k8s.io", namespace: "")),
        node: node, zone: object?["metadata"]["labels"]["topology.kubernetes.io/zone"].string,
        nodeAddress: plan.primary.primary)
    if let changes, !changes.isEmpty {
      plan.kernel = changes.kernel(of: plan, services, present: self.present)
    }
    self.plan = plan
  }

  static func cores(of instance: String, _ world: World) -> Int {
    world.ports.instanceMetadata(instance, "meta-data/instance-type").flatMap { InstanceLimits.named($0) }?.vCPUs ?? 2
  }

  /// The pod to which a line of policy routing belongs, by its address or interface.
  func pod(_ rule: RoutingRule) -> NodePlan.Pod? {
    plan.pods.first { pod in
      let own = CIDR(pod.address, length: 32)
      if rule.source == own || rule.destination == own { return true }
      guard let input = rule.input else { return false }
      return input == plan.veth(pod) || input == pod.branch.map { InterfaceNames.vlan($0.vlan) }
    }
  }

  func pod(_ route: Route) -> NodePlan.Pod? {
    plan.pods.first { route.destination == CIDR($0.address, length: 32) || route.device == plan.veth($0) }
  }

  /// What iproute2 shows in the node's own network.
  var text: InterfaceText {
    var interfaces = plan.interfaces(podStacks: plan.pods.indices.map { $0 + 1 })
    for eni in plan.enis {
      guard let at = interfaces.firstIndex(where: { $0.name == plan.interfaceName(device: eni.device) }) else {
        continue
      }
      interfaces[at].mac = macs[eni.device] ?? 0
    }
    return InterfaceText(interfaces: interfaces, rules: plan.rulesInForce, routes: plan.routesInForce)
  }

  /// The same in a pod's network; nil for a pod that has none here.
  func text(ofPod address: String) -> InterfaceText? {
    let wanted = IPv4Address(address) ?? IPv6Address(address).map { IPv4Egress.address(ofPod: $0) }
    guard let pod = plan.pods.first(where: { $0.address == wanted }) else {
      // Of an IPv6 cluster without a way to IPv4.
      guard address.contains(":") else { return nil }
      return InterfaceText(
        interfaces: [Interface("lo", addresses: [.init(IPv4Address(bits: 0x7f00_0001), length: 8)], link: .loopback)],
        rules: [RoutingRule(0, lookup: RoutingTables.local)], routes: [])
    }
    let stack = plan.stack(of: pod, node: 0, interface: 0)
    return InterfaceText(
      interfaces: stack.interfaces,
      rules: [
        RoutingRule(0, lookup: RoutingTables.local), RoutingRule(32766, lookup: RoutingTables.main),
        RoutingRule(32767, lookup: RoutingTables.defaults),
      ],
      routes: pod.isEgress
        ? [
          Route(.everything, via: IPv4Egress.gateway, device: IPv4Egress.interface),
          Route(IPv4Egress.block, via: IPv4Egress.gateway, device: IPv4Egress.interface, source: pod.address),
          Route(CIDR(IPv4Egress.gateway, length: 32), device: IPv4Egress.interface, source: pod.address),
        ]
        : [
          Route(.everything, via: NodePlan.podGateway, device: "eth0"),
          Route(CIDR(NodePlan.podGateway, length: 32), device: "eth0"),
        ], neighbours: stack.neighbours)
  }

  /// Every pod's network, as `ip -all netns exec` goes through them.
  func namespaces(_ show: (InterfaceText) -> String) -> String {
    plan.pods.map { pod in
      "\nnetns: cni-\(pod.uid)\n" + (text(ofPod: "\(pod.address)").map(show) ?? "")
    }.joined()
  }

  /// What `iptables-save` prints in the node's own network.
  var tables: String { plan.netfilterInForce(services).save }
}
