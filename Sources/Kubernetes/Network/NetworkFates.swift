import Mechanisms
import Wire
import World

/// Fates of connections that are made again and again: walked once, and once more when the network is another.
final class NetworkFates {
  let effects: FateCache<ClusterNetwork.Effect?>
  let failures: FateCache<String?>
  let obstacles: FateCache<ConnectionObstacle?>

  init(_ ports: PacketPorts) {
    effects = FateCache(ports)
    failures = FateCache(ports)
    obstacles = FateCache(ports)
  }
}

extension ClusterNetwork.Effect {
  /// What Go's dialer says of it; nil where there is a connection.
  func failure(_ address: String, _ port: Int) -> String? {
    switch self {
    case .arrives: nil
    case .refused: "dial tcp \(address):\(port): connect: connection refused"
    case .unroutable: "dial tcp \(address):\(port): connect: no route to host"
    case .silence: "dial tcp \(address):\(port): i/o timeout"
    }
  }
}

extension ClusterNetwork {
  /// The host with what of its interfaces may decide.
  private func shape(_ host: Host) -> String {
    "\(host.instance) \(host.address) \(ports.shape(host.instance))\(kernelKey(host))"
  }

  /// What programs of the node have changed, and the agents that may have undone it; nothing for most.
  private func kernelKey(_ host: Host) -> String {
    guard let kernel = world.state(of: NodeKernelState.id(host.instance), as: NodeKernelState.self),
      !kernel.changes.isEmpty
    else { return "" }
    let agents = pods(on: host).filter { ["aws-node", "kube-proxy"].contains($0.labels["k8s-app"].string) }
    return " \(kernel.revision) \(agents.map(\.uid).sorted())"
  }

  private var fates: NetworkFates? { (world.kube.host as? KubernetesStorey)?.fates }

  /// What policies have to say to packets of a pod; nothing for most.
  private func policyKey(_ pod: ObjectView, _ host: Host) -> String {
    guard let policy = policies(of: pod.json, host), policy.deniesEverything || policy.nodeAddresses.isEmpty else {
      return ""
    }
    return policy.deniesEverything ? " closed" : " \(pod.uid)"
  }

  private func policies(of pod: JSON, _ host: Host) -> PodPolicy? { ports.policies(host.instance)?.policy(of: pod) }

  /// From a node to one of its own pods, as its kubelet probes it.
  func probe(_ pod: ObjectView, _ address: String, _ port: Int, from host: Host) -> Effect? {
    guard let target = IPv4Address(address), let number = UInt16(exactly: port) else { return nil }
    let key: String
    if PodENI(pod: pod.json) == nil {
      // Such pods have the same way from their node, whatever their port: a route by their own pair.
      let isChanged = !kernelKey(host).isEmpty
      key = "probe \(shape(host))\(policyKey(pod, host))\(isChanged ? " \(pod.uid)" : "")"
    } else {
      let agent = pods(on: host).first { $0.labels["k8s-app"].string == "aws-node" }
      key = "probe \(pod.uid) \(port) \(agent?.uid ?? "")\(policyKey(pod, host))"
    }
    var pod = pod
    pod["status"]["podIP"] = .string(address)
    return fates?.effects.value(key) { effect(of: Target(address: target, port: number), from: .host(host), to: pod) }
  }

  /// From the API servers to a node's kubelet.
  func kubelet(of host: Host) -> Effect? {
    guard let target = IPv4Address(host.address) else { return nil }
    return fates?.effects.value("kubelet \(cluster) \(shape(host))") {
      effect(of: Target(address: target, port: 10250), from: .controlPlane)
    }
  }

  /// From the API servers to an endpoint of a Service.
  func callOut(to address: String, _ port: Int) -> Effect? {
    guard let target = IPv4Address(address), let number = UInt16(exactly: port) else { return nil }
    return effect(of: Target(address: target, port: number), from: .controlPlane)
  }

  /// What keeps a program in a pod from a host, by the names that the VPC's resolver knows; nil where nothing does.
  func obstacle(from pod: ObjectView, to host: String) -> ConnectionObstacle? {
    guard let vpc, ports.fabric(vpc) != nil, let node = self.host(named: pod.nodeName) else { return nil }
    return fates?.obstacles.value("pod \(pod.uid) \(shape(node)) \(host)") {
      guard case .reply(let reply) = world.ports.names.ask(vpc: vpc, DNSQuestion(host, .a)) else { return .noResolver }
      let addresses = reply.answers.compactMap { $0.type == .a ? IPv4Address($0.data) : nil }
      guard let first = addresses.first else { return .noSuchHost }
      for address in addresses {
        switch effect(of: Target(address: address, port: 443), from: .pod(pod)) {
        case .arrives?, nil: return nil
        case .refused?, .unroutable?, .silence?: continue
        }
      }
      return .silence(first)
    }
  }

  /// Why a program in a node's own network gets no connection to the API server's endpoint, in the words of Go's
  /// dialer; nil where it gets one.
  func failureToReachServer(from host: Host) -> String? {
    fates?.failures.value("server \(cluster) \(shape(host))") { walkToServer(from: host) }
  }

  private func walkToServer(from host: Host) -> String? {
    guard let endpoint, let names = world.ports.names.names(ofVPC: endpoint.vpc) else { return nil }
    guard case .reply(let reply) = world.ports.names.ask(vpc: endpoint.vpc, DNSQuestion(endpoint.host, .a)) else {
      return "dial tcp: lookup \(endpoint.host): i/o timeout"
    }
    let addresses = reply.answers.map(\.data)
    guard !addresses.isEmpty else {
      return "dial tcp: lookup \(endpoint.host) on \(names.resolver ?? "169.254.169.253"):53: no such host"
    }
    var failure: String?
    for address in addresses {
      guard let target = IPv4Address(address) else { continue }
      let found = effect(of: Target(address: target, port: 443), from: .host(host))
      guard let found, let why = found.failure(address, 443) else { return nil }
      failure = failure ?? why
    }
    return failure
  }
}
