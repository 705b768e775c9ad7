import Mechanisms
import Wire
import World

/// Where a packet that a pod sends arrives: the seam between programs and the network.
///
/// It is walked through the cluster's network. Where there is none to walk through, Services lead to their ready
/// endpoints, addresses to who has them, and nothing on the way stops a packet.
struct Reach {
  enum Destination {
    /// A pod's own port, with the Service that led there.
    case pod(ObjectView, port: Int)
    /// The VPC's resolver.
    case resolver(vpc: String)
    /// The cluster's API server.
    case apiServer
    /// Somewhere in the Internet.
    case outside(String)
    /// Nobody listens: it is said at once.
    case refused
    /// No way leads there, and that is said.
    case unroutable
    /// Nothing comes back.
    case silence
  }

  let cluster: String
  let pod: ObjectView
  /// The instance of the pod's node; nil for nodes that are none.
  let instance: String?
  let context: Context

  private var network: ClusterNetwork { ClusterNetwork(cluster: cluster, world: context.world) }

  /// Where a connection leads, and its way where that is known.
  struct Found {
    var destination: Destination
    var flow: Flow?
  }

  /// The destination of a packet from the pod to an address and port. `affinities` are those of the pod.
  func reach(
    _ address: String, _ port: Int, _ transport: Transport, _ affinities: inout ClusterNetwork.Affinities?
  ) -> Found {
    var flow: Flow?
    let destination = destination(address, port, transport, &affinities, &flow)
    return Found(destination: destination, flow: flow)
  }

  private func destination(
    _ address: String, _ port: Int, _ transport: Transport, _ affinities: inout ClusterNetwork.Affinities?,
    _ flow: inout Flow?
  ) -> Destination {
    if address.hasPrefix("127.") || address == "::1" { return .pod(pod, port: port) }
    if let plain = IPv4Address(address), let number = UInt16(exactly: port) {
      let target = ClusterNetwork.Target(address: plain, port: number, transport: transport)
      var known = affinities ?? [:]
      let seed = context.random { $0.next() }
      if let walked = network.walk(to: target, from: .pod(pod), seed: seed, &known) {
        affinities = known.isEmpty ? nil : known
        flow = walked.flow
        return destination(walked.effect, address)
      }
      // Its only way to IPv4 is the interface that the CNI's egress plug-in makes.
      if !pod.isInHostNetwork, pod.status["podIP"].string?.contains(":") == true { return .unroutable }
    }
    return reachDirectly(address, port, transport)
  }

  private func destination(_ effect: ClusterNetwork.Effect, _ address: String) -> Destination {
    switch effect {
    case .refused: return .refused
    case .unroutable: return .unroutable
    case .silence: return .silence
    case .arrives(let place, let port):
      switch place {
      case .pod(let found): return .pod(found, port: port)
      case .host(let host): return process(of: host, port)
      case .controlPlane: return port == 443 ? .apiServer : .silence
      case .resolver: return network.vpc.map { .resolver(vpc: $0) } ?? .silence
      case .internet: return .outside(address)
      case .metadata, .interface: return .silence
      }
    }
  }

  /// The pod in a host's own network that has a port.
  private func process(of host: ClusterNetwork.Host, _ port: Int) -> Destination {
    let pods = network.pods(on: host).filter { ($0.isInHostNetwork || host.isFargate) && !$0.isPodFinished }
    let named = pods.first { pod in
      pod.spec["containers"].items.contains { $0["ports"].items.contains { $0["containerPort"].int == port } }
    }
    if let found = named ?? (host.isFargate ? pods.first : nil) { return .pod(found, port: port) }
    let containers = (context.world.kube.host as? KubernetesStorey)?.containers
    let listening = pods.first { pod in
      guard let containers else { return false }
      return
        (try? containers.answer(cluster: cluster, pod: pod.json, port: port, method: "GET", path: "/", posted: .null)
        .get())
        != nil
    }
    return listening.map { .pod($0, port: port) } ?? .refused
  }

  // MARK: - Without a network

  private func reachDirectly(_ address: String, _ port: Int, _ transport: Transport) -> Destination {
    if let service = service(with: address) { return through(service, port, transport) }
    let vpc = instance.flatMap { context.world.ports.vpcID(ofInstance: $0) }
    let names = vpc.flatMap { context.world.ports.names.names(ofVPC: $0) }
    if let vpc, address == VPCResolver.linkLocal || address == names?.resolver { return .resolver(vpc: vpc) }
    if let found = list("pods").first(where: { holds(address, $0) }) { return .pod(ObjectView(found), port: port) }
    if controlPlane.contains(address) { return port == 443 ? .apiServer : .silence }
    guard let plain = IPv4Address(address) else { return .silence }
    return names?.blocks.contains { $0.contains(plain) } == true ? .silence : .outside(address)
  }

  private func list(_ resource: String, _ namespace: String = "") -> [JSON] {
    context.world.kube.host?.list(cluster: cluster, resource: resource, namespace: namespace) ?? []
  }

  private func holds(_ address: String, _ pod: JSON) -> Bool {
    let phase = pod["status"]["phase"].string
    return pod["status"]["podIP"].string == address && phase != "Succeeded" && phase != "Failed"
  }

  private var controlPlane: [String] {
    slices(of: "kubernetes", "default").flatMap { $0["endpoints"].items.flatMap { $0["addresses"].strings } }
  }

  private func service(with address: String) -> JSON? {
    list("services").first { ClusterNames.Service($0).addresses.contains(address) }
  }

  private func slices(of service: String, _ namespace: String) -> [JSON] {
    list("endpointslices.discovery.k8s.io", namespace).filter {
      $0["metadata"]["labels"]["kubernetes.io/service-name"].string == service
    }
  }

  /// What kube-proxy's rules make of a packet to a Service: by the same choice of endpoints as its chains.
  private func through(_ service: JSON, _ port: Int, _ transport: Transport) -> Destination {
    let view = ObjectView(service)
    var book = AddressBook()
    let ports = ServicePort.read(
      services: [book.replaced(service)], slices: slices(of: view.name, view.namespace).map { book.replaced($0) })
    // A port that it doesn't have is nobody's rule: the packet goes out and gets lost.
    guard
      let wanted = ports.first(where: {
        Int($0.port) == port && $0.transport == transport
      })
    else { return .silence }
    let choice = wanted.choose(node: pod.nodeName, zone: zone)
    let targets = wanted.isInternalLocal ? choice.local : choice.cluster
    // Without any endpoint it is refused; without one on this node, where only those count, it is dropped.
    guard !targets.isEmpty else { return choice.hasAny ? .silence : .refused }
    let chosen = targets[context.random { Int($0.next() % UInt64(targets.count)) }]
    if view.name == "kubernetes", view.namespace == "default" { return .apiServer }
    let address = book.text(of: chosen.address)
    if let found = list("pods", view.namespace).first(where: { holds(address, $0) }) {
      return .pod(ObjectView(found), port: Int(chosen.port))
    }
    return beyond(address)
  }

  private var zone: String? {
    let node = context.world.kube.host?.get(
      ObjectReference(cluster: cluster, resource: "nodes", namespace: "", name: pod.nodeName))
    return node?["metadata"]["labels"]["topology.kubernetes.io/zone"].string
  }

  private func beyond(_ address: String) -> Destination {
    guard let plain = IPv4Address(address) else { return .silence }
    let vpc = instance.flatMap { context.world.ports.vpcID(ofInstance: $0) }
    let blocks = vpc.flatMap { context.world.ports.names.vpc($0) }?.blocks ?? []
    return blocks.contains { $0.contains(plain) } ? .silence : .outside(address)
  }
}
