package import Wire
package import World

/// The API servers of all clusters of the world.
///
/// Belongs to the world's thread. Answers to the outside and watch events leave after the commit that holds
/// what they tell; answers to components are events.
package final class KubernetesStorey: KubernetesHost {
  package unowned let world: World
  package var hooks = StoreyHooks()
  /// The kubelets, for logs. Set by whoever composes the world.
  package weak var containers: (any ContainerRuntime)?

  let documents = DocumentCache()
  let fates: NetworkFates
  let streamIDs: StreamIDs
  let sessions: SessionHub
  private var servers: [String: APIServer] = [:]

  /// Opens the storey with what the store holds, and registers it with the world.
  package init(world: World) {
    self.world = world
    streamIDs = StreamIDs(world)
    sessions = SessionHub(world)
    fates = NetworkFates(world.ports.packets)
    world.know(WatchTimer.self, SuspendedRequest.self, WatchConversion.self)
    // Both are the world's ports, unless whoever composes it registers others.
    hooks.authorizeAccessPolicy = { [unowned world] cluster, user, request in
      world.ports.accessPolicyAllows(cluster, user, request).map { .allowed($0) }
    }
    hooks.audit = { [unowned world] cluster, event in world.ports.audit(cluster, event) }
    for (key, value) in world.takeLoaded(prefix: "k8s-cluster/") {
      servers[key] = APIServer(restoring: key, value, in: self)
    }
    world.kube.host = self
    world.ports.packets.traffic = { [unowned world] instance in
      let traffic = world.state(of: NodeTraffic.id(instance), as: NodeTraffic.self)
      return (traffic?.minutes ?? []).map { minute in
        PacketPorts.TrafficMinute(
          number: minute.number, bytesIn: minute.counter.receivedBytes, bytesOut: minute.counter.sentBytes,
          packetsIn: minute.counter.receivedPackets, packetsOut: minute.counter.sentPackets)
      }
    }
    world.ports.packets.toResolver = { [unowned world] instance, address in
      NodeTraffic.sendToResolver(from: address, instance, world)
    }
    world.ports.packets.dial = { [unowned world] cluster, node, address, port in
      let network = ClusterNetwork(cluster: cluster, world: world)
      guard let host = network.host(named: node), let target = IPv4Address(address), let port = UInt16(exactly: port)
      else { return nil }
      return network.effect(of: .init(address: target, port: port), from: .host(host))?.failure(address, Int(port))
    }
  }

  /// Ids of the clusters, in order.
  package var clusters: [String] { servers.keys.sorted() }
  package func options(of cluster: String) -> ClusterOptions? { servers[cluster]?.options }
  package func exists(_ cluster: String) -> Bool { servers[cluster] != nil }

  /// Starts an API server and puts into it what a new EKS cluster has.
  package func createCluster(_ options: ClusterOptions) {
    precondition(servers[options.id] == nil, "there is a cluster \(options.id) already")
    let server = APIServer(options, in: self)
    servers[options.id] = server
    server.seed()
  }

  /// Changes what an API server runs with: version, endpoints, authority. Its id stays.
  package func updateCluster(_ id: String, _ change: (inout ClusterOptions) -> Void) {
    guard let server = servers[id] else { return }
    change(&server.options)
  }

  /// Ends an API server, its watches and every row of it.
  package func deleteCluster(_ id: String) {
    guard let server = servers.removeValue(forKey: id) else { return }
    server.removeEverything()
  }

  // MARK: - Requests

  package func handle(_ request: KubeRequest, _ target: KubeReplyTarget) {
    guard let server = servers[request.cluster] else {
      return world.kube.answer(
        target, status: 503, headers: ["Content-Type": "application/json"],
        body: KubeStatus.unavailable("the cluster \(request.cluster) has no API server").json)
    }
    server.handle(request, target)
  }

  // MARK: - Watches

  package func watch(
    cluster: String, resources: [String], credential: KubeRequest.Credential, component: ComponentID
  ) -> KubeReply {
    guard let server = servers[cluster] else {
      return KubeReply(status: 503, body: KubeStatus.unavailable("the cluster \(cluster) has no API server").json)
    }
    return server.watch(resources: resources, credential: credential, component: component)
  }

  package func unwatch(cluster: String, component: ComponentID) { servers[cluster]?.unwatch(component) }

  /// Ends a watch or a followed log whose client is gone. Called on the world's thread.
  package func endStream(_ id: UInt64) {
    for cluster in clusters { servers[cluster]?.endStream(id) }
    sessions.closed(id)
  }

  /// A message of the client of a session came in. Called on the world's thread.
  package func streamMessage(_ id: UInt64, _ bytes: [UInt8]) { sessions.received(id, bytes) }

  /// How a session tells, from a connection's thread, what its client sent: the world's owner is to call
  /// ``streamMessage(_:_:)`` on its own thread. Registered by whoever composes the world.
  package var onStreamMessage: @Sendable (_ id: UInt64, _ bytes: [UInt8]) -> Void = { _, _ in }

  /// How a stream tells, from a connection's thread, that its client is gone: the world's owner is to call
  /// ``endStream(_:)`` on its own thread. Registered by whoever composes the world.
  package var onStreamClosed: @Sendable (_ id: UInt64) -> Void = { _ in }

  /// Lets those who follow a container's output read on.
  package func containerOutputChanged(cluster: String, namespace: String, pod: String, container: String) {
    servers[cluster]?.containerOutputChanged(namespace: namespace, pod: pod, container: container)
  }

  func server(_ cluster: String) -> APIServer? { servers[cluster] }

  func tendStreams(of cluster: String) { servers[cluster]?.tendStreams() }

  // MARK: - Reading

  package func get(_ reference: ObjectReference) -> JSON? {
    servers[reference.cluster]?.read(reference.resource, reference.namespace, reference.name)
  }

  package func list(cluster: String, resource: String, namespace: String) -> [JSON] {
    servers[cluster]?.read(resource, namespace: namespace) ?? []
  }

  package func children(cluster: String, resource: String, namespace: String, of controller: String) -> [JSON] {
    servers[cluster]?.children(resource, namespace: namespace, of: controller) ?? []
  }
}
