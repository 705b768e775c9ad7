import Evidence
import Mechanisms
import Wire

/// A node gets no connection to an image's registry.
struct RegistryUnreached: Link {
  let code = "nodes/registry-unreached"
  let explains: [Effect.Kind] = [.imagePullRefused]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let events = await world.events(about: pod, kind: "Pod").events
    let state = PodState(pod)
    let said = events.first { $0.reason == "Failed" && $0.message.contains("pull") }
    let message = said?.message ?? state.containers.map { $0.waitingMessage }.first { $0.contains("pull") } ?? ""
    guard message.contains("i/o timeout") || message.contains("401 Unauthorized") || message.contains("no such host"),
      let node = pod["spec"]["nodeName"].string, let host = Self.host(message)
    else { return .silent }
    // Where the registry refuses, the host with its credentials may be the one that is not reached.
    var hosts = [host]
    if message.contains("401 Unauthorized") {
      hosts = Array(PublicNames.hosts(ofRegistry: host).dropFirst().prefix(1))
    }
    guard let wanted = hosts.first else { return .silent }
    return await ServiceConnection(node: node, host: wanted, entity: effect.entity).finding(
      said.map { [$0.exhibit(now: world.now)] } ?? [state.exhibit(world.now)], at: said?.last, world)
  }

  /// That of the first URL in a text.
  static func host(_ text: String) -> String? {
    guard let start = text.firstRange(of: "https://") else { return nil }
    let host = text[start.upperBound...].prefix { $0 != "/" && $0 != "\"" && $0 != ":" }
    return host.isEmpty ? nil : String(host)
  }
}

/// The VPC CNI's agent gets no connection to EC2.
struct CNIServiceUnreached: Link {
  let code = "nodes/cni-service-unreached"
  let explains: [Effect.Kind] = [.cniAgentBroken, .poolCannotGrow]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let node = effect.entity.kind == "Node" ? effect.entity.name : effect.detail
    guard let region = world.target.region, !node.isEmpty else { return .silent }
    if let pod = await world.cniPod(on: node).first, let event = await CNICalls.refusals(told: pod, world).first {
      return .refuted("EC2 answers it", [event.exhibit(now: world.now)])
    }
    return await ServiceConnection(node: node, host: "ec2.\(region).amazonaws.com", entity: effect.entity)
      .finding([], at: nil, world)
  }
}
