import Mechanisms
import Wire
import World

extension ClusterNetwork {
  /// What is laid out, ready for packets.
  struct Picture {
    var packets: ClusterPackets
    /// Those of the metadata services, by the stacks that ask.
    private(set) var hopLimits: [Int: UInt8] = [:]
    private let layout: Layout

    init(_ layout: Layout, base: Fabric, _ network: ClusterNetwork) {
      self.layout = layout
      let world = network.world
      let endpoints = world.ports.names.endpoints()
      let endpoint = endpoints.first { $0.host == EndpointName.host(id: network.cluster, region: world.region) }
      var fabric = base
      fabric.add(layout.interfaces)
      let own = layout.hosts.map { network.interfaces(of: $0.host, endpoint) }
      for interfaces in own { fabric.add(interfaces) }
      for (_, pods) in layout.hosts { fabric.add(pods.compactMap { network.branchInterface(of: $0) }) }
      for other in endpoints where other.isPublic {
        let blocks = other.publicAddresses.compactMap { IPv4Address($0) }.map { CIDR($0, length: 32) }
        fabric.hosts.append(.init(other.host, blocks: blocks, admits: .known(other.admits)))
      }
      packets = ClusterPackets(fabric, services: layout.services)
      for (place, (host, pods)) in layout.hosts.enumerated() {
        let node = network.node(host)
        let present = network.pods(on: host)
        func agent(_ name: String) -> ObjectView? { present.first { $0.labels["k8s-app"].string == name } }
        let spec = agent("aws-node")?.spec ?? network.daemonSet("aws-node")?["spec"]["template"]["spec"]
        // What runs on Fargate brings a kube-proxy of its own.
        let isFargate = host.isFargate
        let changes = NodeKernelState.changes(of: host.instance, in: network.world)
        let uids = changes == nil ? [] : Set(present.map(\.uid))
        let isLaidOut = packets.add(
          ClusterPackets.Node(
            host.name, interfaces: own[place], pods: isFargate ? [] : pods.map(\.json),
            settings: spec.map { CNISettings(podSpec: $0) } ?? CNISettings(),
            zone: node?.labels["topology.kubernetes.io/zone"].string,
            osImage: node?.status["nodeInfo"]["osImage"].string ?? "",
            hasProxy: isFargate || agent("kube-proxy") != nil,
            policies: isFargate ? nil : world.ports.packets.policies(host.instance).map { .known($0) },
            kernel: { plan, services in changes?.kernel(of: plan, services, present: uids) }))
        if isLaidOut, let stack = packets.nodes[host.name],
          let options = world.ports.instanceMetadataOptions(host.instance)
        {
          hopLimits[stack] = options.tokensRequired ? UInt8(clamping: options.hopLimit) : 64
        }
      }
    }

    struct Origin {
      var place: PacketNetwork.Origin
      var source: IPv4Address
      /// The address by which the rules of its node know it.
      var client: IPv4Address
      /// The node whose rules it meets first.
      var node: Int?
    }

    /// Where a sender's packets set out; nil for one that isn't of this network.
    func origin(of sender: Sender, _ endpoint: EndpointName) -> Origin? {
      switch sender {
      case .host(let host):
        guard let stack = packets.nodes[host.name] else { return nil }
        return Self.process(stack, host.address)
      case .pod(let pod):
        guard let node = packets.nodes[pod.nodeName] else { return nil }
        let text = pod.status["podIP"].string ?? ""
        // A pod of an IPv6 cluster sets out by its node's way to IPv4.
        let egress = IPv6Address(text).map { IPv4Egress.address(ofPod: $0) }
        guard let address = IPv4Address(text) ?? egress else { return nil }
        if !pod.isInHostNetwork, let stack = packets.pods[pod.key] {
          return Origin(place: .stack(stack), source: address, client: address, node: node)
        }
        let isMachine = layout.hosts.contains { $0.host.name == pod.nodeName && $0.host.address == text }
        return pod.isInHostNetwork || isMachine ? Self.process(node, text) : nil
      case .controlPlane:
        guard let address = endpoint.addresses.first.flatMap({ IPv4Address($0) }),
          let vpc = packets.network.fabric.vpcs.firstIndex(where: { $0.id == endpoint.vpc }),
          let port = packets.network.fabric.port(of: address, vpc: vpc)
        else { return nil }
        return Origin(place: .port(port), source: address, client: address, node: nil)
      }
    }

    /// A process of a node: the route gives its packets their source.
    private static func process(_ stack: Int, _ address: String) -> Origin {
      let none = IPv4Address(bits: 0)
      return Origin(place: .stack(stack), source: none, client: IPv4Address(address) ?? none, node: stack)
    }

    func pod(ofStack stack: Int) -> ObjectView? {
      guard let key = packets.pod(ofStack: stack) else { return nil }
      return layout.hosts.lazy.flatMap(\.pods).first { $0.key == key }
    }

    func host(ofStack stack: Int) -> Host? {
      guard let name = packets.node(ofStack: stack) else { return nil }
      return layout.hosts.first { $0.host.name == name }?.host
    }

    // MARK: - Session affinity

    /// Longer no rule keeps a client, seconds.
    private static let affinityLimit = 86_400

    /// What the nodes' rules know of a client, by its own node's lists and by those of others, with their names.
    private func lists(_ node: Int) -> [(prefix: String, stack: Int)] {
      packets.nodes.sorted { $0.key < $1.key }.map { ($0.value == node ? "" : $0.key + " ", $0.value) }
    }

    mutating func remember(_ affinities: Affinities, _ client: IPv4Address, _ node: Int, at now: Timestamp) {
      for (prefix, stack) in lists(node) {
        packets.network.stacks[stack].now = Int(now.seconds)
        for list in affinities.keys.sorted() where prefix.isEmpty ? !list.contains(" ") : list.hasPrefix(prefix) {
          packets.network.stacks[stack].remember(
            client, in: String(list.dropFirst(prefix.count)), at: affinities[list]!)
        }
      }
    }

    /// With what was known before: the picture has the rules of one Service only.
    func remembered(_ client: IPv4Address, _ node: Int, before: Affinities, at now: Timestamp) -> Affinities {
      var known = before
      for (prefix, stack) in lists(node) {
        for (list, at) in packets.network.stacks[stack].remembered(client) { known[prefix + list] = at }
      }
      return known.filter { Int(now.seconds) - $0.value <= Self.affinityLimit }
    }
  }
}
