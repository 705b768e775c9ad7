import Mechanisms
import Wire
import World

/// The way of packets through a cluster: as much of its VPC, nodes and pods as a packet touches is laid out from what
/// EC2, the API server and the agents of nodes say, and the packet walked through that.
///
/// Where no VPC is known (an API server alone) nothing is walked, and nothing stops a packet.
struct ClusterNetwork {
  /// A machine on whose network a packet may come.
  struct Host: Hashable {
    var name: String
    /// Of EC2, or a machine of Fargate.
    var instance: String
    var address: String
  }

  enum Sender {
    case pod(ObjectView)
    case host(Host)
    /// The API servers, from the first of their interfaces.
    case controlPlane
  }

  enum Place {
    case pod(ObjectView)
    case host(Host)
    case controlPlane
    case metadata
    case resolver
    case internet
    /// Something else behind an interface of the VPC.
    case interface
  }

  enum Effect {
    /// There, and an answer back.
    case arrives(Place, port: Int)
    case refused
    case unroutable
    case silence
  }

  /// Where a connection goes.
  struct Target {
    var address: IPv4Address
    var port: UInt16
    var transport = Transport.tcp
  }

  let cluster: String
  let world: World

  var ports: PacketPorts { world.ports.packets }
  private var server: APIServer? { (world.kube.host as? KubernetesStorey)?.server(cluster) }
  var endpoint: EndpointName? {
    let host = EndpointName.host(id: cluster, region: world.region)
    return world.ports.names.endpoints().first { $0.host == host }
  }

  var vpc: String? { endpoint?.vpc }

  /// When clients were seen last by the rules of Services with session affinity, by the rules' lists.
  typealias Affinities = [String: Int]

  /// A connection's way, and what becomes of it.
  struct Walked {
    var effect: Effect
    /// Nil where the way has no end.
    var flow: Flow?
  }

  /// What becomes of a connection; nil where no network is known. `seed` decides where chance does. `pod` is one on
  /// the sender's host of which the API server need not have heard all.
  func effect(
    of target: Target, from sender: Sender, to pod: ObjectView? = nil, seed: UInt64 = 0,
    _ affinities: inout Affinities
  ) -> Effect? {
    walk(to: target, from: sender, to: pod, seed: seed, keepsFlow: false, &affinities)?.effect
  }

  /// The same, and the way itself.
  func walk(
    to target: Target, from sender: Sender, to pod: ObjectView? = nil, seed: UInt64 = 0, keepsFlow: Bool = true,
    _ affinities: inout Affinities
  ) -> Walked? {
    guard let endpoint, let base = ports.fabric(endpoint.vpc) else { return nil }
    var layout = Layout(services: services(to: target), blocks: base.vpcs.flatMap(\.blocks))
    guard lay(sender, &layout, endpoint) else { return nil }
    if let pod, case .host(let host) = sender { layout.add(host, pod) }
    // Each round lays out what the packet met in the one before.
    for _ in 0..<8 {
      var picture = Picture(layout, base: base, self)
      guard let origin = picture.origin(of: sender, endpoint) else { return nil }
      // Of another network than the VPC CNI's.
      if let pod, picture.packets.pods[pod.key] == nil { return nil }
      let packet = Packet(
        target.transport, from: origin.source, 32768 + UInt16(truncatingIfNeeded: seed % 28_232), to: target.address,
        target.port)
      if let node = origin.node { picture.remember(affinities, origin.client, node, at: world.now) }
      var choices = PathChoices(drawing: seed)
      let walk = picture.packets.network.follow(
        packet, from: origin.place, hopLimits: picture.hopLimits, &choices)
      let met = (walk.there + walk.answer).map(\.packet.destination).filter { !layout.seen.contains($0) }
      guard met.isEmpty else {
        for address in met { lay(address, &layout, endpoint) }
        continue
      }
      if let node = origin.node {
        affinities = picture.remembered(origin.client, node, before: affinities, at: world.now)
      }
      tellDenial(walk, picture)
      return Walked(
        effect: effect(of: walk, picture, endpoint), flow: keepsFlow ? picture.flow(of: walk) : nil)
    }
    return Walked(effect: .silence)
  }

  /// Packets that policies stop stand in the agent's log of their node.
  private func tellDenial(_ walk: PacketWalk, _ picture: Picture) {
    guard let hop = walk.last, hop.kind == .policyDenied, let pod = picture.pod(ofStack: Int(hop.place)),
      let host = host(named: pod.nodeName)
    else { return }
    let packet = hop.packet
    let direction = hop.a == 1 ? "egress" : "ingress"
    let line =
      "Flow Info: Src IP: \(packet.source) Src Port: \(packet.sourcePort) Dest IP: \(packet.destination) Dest Port: \(packet.destinationPort) Proto \(packet.transport.description.uppercased()) Verdict DENY Direction \(direction), Tier \(hop.b == 0 ? "NETWORK_POLICY" : "DEFAULT")"
    world.logs.append(
      "node/\(cluster)/\(host.instance)/network-policy-agent", at: world.now,
      "{\"level\":\"info\",\"ts\":\"\(world.now.rfc3339Milli)\",\"msg\":\(JSON.string(line).text())}")
  }

  func effect(of target: Target, from sender: Sender, to pod: ObjectView? = nil) -> Effect? {
    var affinities: Affinities = [:]
    return effect(of: target, from: sender, to: pod, &affinities)
  }

  private func effect(of walk: PacketWalk, _ picture: Picture, _ endpoint: EndpointName) -> Effect {
    switch walk.effect {
    case .refused: return .refused
    case .unroutable: return .unroutable
    case .silence, .open: return .silence
    case .answered: break
    }
    guard case .delivered(let place) = walk.fate.outcome else { return .silence }
    let packet = walk.fate.packet
    let port = Int(packet.destinationPort)
    switch place {
    case .stack(let stack):
      if let pod = picture.pod(ofStack: stack) { return .arrives(.pod(pod), port: port) }
      return picture.host(ofStack: stack).map { .arrives(.host($0), port: port) } ?? .silence
    case .port:
      let isOwn = endpoint.addresses.contains("\(packet.destination)")
      return .arrives(isOwn ? .controlPlane : .interface, port: port)
    case .metadata: return .arrives(.metadata, port: port)
    case .resolver: return .arrives(.resolver, port: port)
    case .internet:
      let isOwn = endpoint.isPublic && endpoint.publicAddresses.contains("\(packet.destination)")
      return .arrives(isOwn ? .controlPlane : .internet, port: port)
    case .endpoint: return .arrives(.internet, port: port)
    }
  }

  // MARK: - Laying out

  /// What is to be laid out.
  struct Layout {
    var services: [ServicePort]
    /// Of the VPCs: beyond them nobody is laid out.
    var blocks: [CIDR]
    /// In order of their being met, each with the pods that are.
    var hosts: [(host: Host, pods: [ObjectView])] = []
    var interfaces: [JSON] = []
    /// Addresses whose owners, if any, are laid out.
    var seen: Set<IPv4Address> = []

    mutating func add(_ host: Host, _ pod: ObjectView? = nil) {
      let place: Int
      if let found = hosts.firstIndex(where: { $0.host == host }) {
        place = found
      } else {
        place = hosts.count
        hosts.append((host, []))
        if let address = IPv4Address(host.address) { seen.insert(address) }
      }
      guard let pod, !hosts[place].pods.contains(where: { $0.uid == pod.uid }) else { return }
      hosts[place].pods.append(pod)
      if let address = pod.status["podIP"].string.flatMap({ IPv4Address($0) }) { seen.insert(address) }
    }
  }

  private func lay(_ sender: Sender, _ layout: inout Layout, _ endpoint: EndpointName) -> Bool {
    switch sender {
    case .pod(let pod):
      guard let host = host(named: pod.nodeName) else { return false }
      layout.add(host, pod.isInHostNetwork ? nil : pod)
    case .host(let host): layout.add(host)
    case .controlPlane:
      guard let address = endpoint.addresses.first.flatMap({ IPv4Address($0) }) else { return false }
      lay(address, &layout, endpoint)
    }
    return true
  }

  private func lay(_ address: IPv4Address, _ layout: inout Layout, _ endpoint: EndpointName) {
    guard layout.seen.insert(address).inserted, layout.blocks.contains(where: { $0.contains(address) }) else { return }
    let text = "\(address)"
    let pods = (server?.read("pods", .podAddress, text) ?? []).map { ObjectView($0) }
    if let pod = pods.first(where: { !$0.isInHostNetwork }), let host = host(named: pod.nodeName) {
      layout.add(host, pod)
    } else if let node = server?.read("nodes", .nodeAddress, text).first, let host = host(ObjectView(node)) {
      layout.add(host)
    } else if let interface = ports.interface(endpoint.vpc, address) {
      layout.interfaces.append(interface)
    }
  }

  func host(named name: String) -> Host? {
    server?.read("nodes", "", name).flatMap { host(ObjectView($0)) }
  }

  /// A node's machine; those of IPv6 clusters are reached by their IPv4 address too, and only IPv4 is walked.
  func host(_ node: ObjectView) -> Host? {
    guard var host = Host(node: node) else { return nil }
    guard host.address.contains(":") else { return host }
    let primary = ports.interfaces(host.instance).first { $0["Attachment"]["DeviceIndex"].int == 0 }
    host.address = primary?["PrivateIpAddress"].string ?? ""
    return host
  }

  /// The ports of Services whose rules a packet can meet: those that have its address, or its port on nodes.
  private func services(to target: Target) -> [ServicePort] {
    guard let server else { return [] }
    var found = server.read("services", .serviceAddress, "\(target.address)")
    if target.port >= 30000 { found += server.read("services", .serviceAddress, "port \(target.port)") }
    guard !found.isEmpty else { return [] }
    let slices = found.flatMap { service -> [JSON] in
      let view = ObjectView(service)
      return server.read("endpointslices.discovery.k8s.io", .sliceService, view.key)
    }
    return ServicePort.read(services: found, slices: slices)
  }

  // MARK: - What is on a host

  func pods(on host: Host) -> [ObjectView] { (server?.read("pods", .podNode, host.name) ?? []).map { ObjectView($0) } }

  func node(_ host: Host) -> ObjectView? { server?.read("nodes", "", host.name).map { ObjectView($0) } }

  func daemonSet(_ name: String) -> JSON? { server?.read("daemonsets.apps", "kube-system", name) }

  func interfaces(of host: Host, _ endpoint: EndpointName?) -> [JSON] {
    let own = ports.interfaces(host.instance)
    guard own.isEmpty, let vpc = endpoint?.vpc, let address = IPv4Address(host.address),
      var interface = ports.interface(vpc, address)
    else { return own }
    // A machine of Fargate: the interface is EKS's, and the first that the machine has.
    interface["Attachment"]["DeviceIndex"] = 0
    return [interface]
  }

  func branchInterface(of pod: ObjectView) -> JSON? {
    guard let vpc = endpoint?.vpc, let branch = PodENI(pod: pod.json), let address = IPv4Address(branch.address) else {
      return nil
    }
    return ports.interface(vpc, address)
  }
}

extension ClusterNetwork.Host {
  var isFargate: Bool { name.hasPrefix("fargate-") }

  init?(node: ObjectView) {
    guard let instance = node.spec["providerID"].string.flatMap(MachineIdentity.id(providerID:)) else { return nil }
    let address = node.status["addresses"].items.first { $0["type"].string == "InternalIP" }
    self.init(name: node.name, instance: instance, address: address?["address"].string ?? "")
  }
}

extension ObjectView {
  var isInHostNetwork: Bool { spec["hostNetwork"].bool == true }
}
