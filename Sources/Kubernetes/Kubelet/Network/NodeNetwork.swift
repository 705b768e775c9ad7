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

  /// Nil for nodes whose interfaces nobody knows.
  init?(cluster: String, node: String, instance: String, world: World) {
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
      guard phase != "Succeeded", phase != "Failed", let text = pod.status["podIP"].string,
        let address = IPv4Address(text)
      else { continue }
      if let branch = PodENI(pod: pod.json), let subnet = CIDR(branch.subnetCIDR) {
        plan.pods.append(
          .init(pod.namespace, pod.name, address, branch: .init(vlan: branch.vlan, subnet: subnet)))
        continue
      }
      let device = plan.enis.first { eni in
        held[eni.device]?.addresses.contains(text) == true
          || held[eni.device]?.prefixes.contains { $0.contains(address) } == true
      }?.device
      if let device { plan.pods.append(.init(pod.namespace, pod.name, address, device: device)) }
    }
    self.plan = plan
    self.macs = macs
    services =
      agent("kube-proxy") == nil
      ? nil
      : KubeProxyRules(
        ServicePort.read(
          services: host.list(cluster: cluster, resource: "services", namespace: ""),
          slices: host.list(cluster: cluster, resource: "endpointslices.discovery.k8s.io", namespace: "")),
        node: node, zone: object?["metadata"]["labels"]["topology.kubernetes.io/zone"].string,
        nodeAddress: plan.primary.primary)
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
    return InterfaceText(interfaces: interfaces, rules: plan.rules, routes: plan.routes)
  }

  /// The same in a pod's network; nil for a pod that has none here.
  func text(ofPod address: String) -> InterfaceText? {
    guard let wanted = IPv4Address(address), let pod = plan.pods.first(where: { $0.address == wanted }) else {
      return nil
    }
    let stack = plan.stack(of: pod, node: 0, interface: 0)
    return InterfaceText(
      interfaces: stack.interfaces,
      rules: [
        RoutingRule(0, lookup: RoutingTables.local), RoutingRule(32766, lookup: RoutingTables.main),
        RoutingRule(32767, lookup: RoutingTables.defaults),
      ],
      routes: [
        Route(.everything, via: NodePlan.podGateway, device: "eth0"),
        Route(CIDR(NodePlan.podGateway, length: 32), device: "eth0"),
      ], neighbours: stack.neighbours)
  }

  /// What `iptables-save` prints in the node's own network.
  var tables: String { plan.netfilter(services).save }
}
