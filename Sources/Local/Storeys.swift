import AWS
import EKS
import InCluster
import Kubernetes
import Wire
import World

/// The storeys of one world and the hooks by which they meet. Everything in here is used on the world's
/// thread, or before that thread is started.
final class Storeys {
  let world: World
  let kubernetes: KubernetesStorey
  let aws: AWSStorey
  let eks: EKSStorey
  /// Held here: the API servers know it weakly.
  private let containers: ContainerLogs
  private let clusters: RecordedHost
  private let calls: OutboundCalls
  /// Which parts of the control planes run.
  private var selection = ControlPlane.Selection.everything
  private static let selectionRow = "control-plane/"
  private var limitsRates = false
  private static let ratesRow = "request-rates/"

  /// `host` and `secrets` keep what stays outside the world's state; `authorities` (PEM) are believed beside the
  /// system's; `post` hands something to the world's thread from any other.
  init(
    world: World, host: any ClusterHost, ports: ClusterPorts, secrets: any SecretKeeper, authorities: String = "",
    post: @escaping @Sendable (@escaping @Sendable (World) -> Void) -> Void
  ) {
    self.world = world
    calls = OutboundCalls(authorities: authorities)
    clusters = RecordedHost(host, ports: ports, in: world)
    world.ports.clusters = clusters
    // Keys of others are the outside's: what they say of a signature is an answer that a replay is given.
    world.ports.verifyWebToken = { [unowned world] token, keys in
      world.inputs.answer("webToken") { .bool(JSONWebKeys.verify(token, keys: keys)) }.bool ?? false
    }
    aws = AWSStorey(world: world, secrets: secrets)
    eks = EKSStorey(world: world)
    kubernetes = KubernetesStorey(world: world)
    containers = ContainerLogs(world: world)
    kubernetes.containers = containers
    ControlPlane.know(in: world)
    for (_, bytes) in world.takeLoaded(prefix: Self.selectionRow) {
      selection = (try? JSON.parse(bytes).decode(ControlPlane.Selection.self)) ?? .everything
    }
    limitsRates = world.takeLoaded(prefix: Self.ratesRow).contains { $0.1 == Array("on".utf8) }
    aws.limitRates(limitsRates, in: world)
    Machine.know(in: world)
    InCluster.register(in: world)
    connectKubernetes(post)
    connectClusters()
    connectMachines()
    world.ports.webIdentity = { [unowned world, unowned eks] token, isInside in
      WebIdentities(world: world, clusterID: { eks.clusterID(issuer: $0) }).read(token, isInside: isInside)
    }
    world.inputs.listen("control-plane") { [unowned self] in select($0) }
    world.inputs.listen("request-rates") { [unowned self] in limitRates($0.bool == true) }
    world.inputs.listen("endpoint") { [unowned eks] in eks.localOrigins = [$0.string ?? ""] }
    world.outbound.send = { [calls] ticket, call in
      calls.send(call) { reply in post { world in world.outbound.answer(ticket, reply) } }
    }
  }

  deinit { calls.stop() }

  private func connectKubernetes(_ post: @escaping @Sendable (@escaping @Sendable (World) -> Void) -> Void) {
    let ports = world.ports
    kubernetes.hooks.verifyServiceAccountToken = { ports.clusters?.verifyToken($0, token: $1) }
    kubernetes.hooks.signServiceAccountToken = { ports.clusters?.signToken($0, claims: $1) }
    kubernetes.hooks.authorizeAccessPolicy = { cluster, user, request in
      ports.accessPolicyAllows(cluster, user, request).map { .allowed($0) }
    }
    kubernetes.hooks.audit = { ports.audit($0, $1) }
    kubernetes.onStreamClosed = { id in
      post { world in world.inputs.tell("stream-closed", .string(String(id))) }
    }
    kubernetes.onStreamMessage = { id, bytes in
      post { world in
        world.inputs.tell("stream-message", ["id": .string(String(id)), "data": .string(Base64.encode(bytes))])
      }
    }
    world.inputs.listen("stream-message") { [unowned kubernetes] value in
      guard let id = value["id"].string.flatMap(UInt64.init), let data = value["data"].string.flatMap(Base64.decode)
      else { return }
      kubernetes.streamMessage(id, data)
    }
    world.inputs.listen("stream-closed") { [unowned kubernetes] id in
      id.string.flatMap(UInt64.init).map(kubernetes.endStream)
    }
  }

  /// EKS asks for API servers and their controllers; told of a cluster that is there, they change with it.
  private func connectClusters() {
    let (world, kubernetes) = (world, kubernetes)
    world.ports.clusterCreated = { [unowned self, unowned world, unowned kubernetes] facts in
      guard !kubernetes.exists(facts.id) else {
        return kubernetes.updateCluster(facts.id) { options in
          options.version = facts.version
          options.platformVersion = facts.platformVersion
          options.endpoints = facts.serverAddresses
        }
      }
      kubernetes.createCluster(
        ClusterOptions(
          id: facts.id, version: facts.version, platformVersion: facts.platformVersion, serviceCIDR: facts.serviceCIDR,
          endpoints: facts.serverAddresses, certificateAuthority: facts.authorityPEM, issuer: facts.issuer,
          createdAt: world.now))
      ControlPlane.start(facts, selection, in: world)
    }
    world.ports.clusterDeleted = { [unowned world, unowned kubernetes] cluster in
      ControlPlane.stop(cluster: cluster, in: world)
      kubernetes.deleteCluster(cluster)
    }
    world.nodes.cluster = { [unowned eks] in eks.facts(endpoint: $0) }
  }

  /// An instance that runs is a machine that boots.
  private func connectMachines() {
    world.ports.instanceRunning = { [unowned world] in Machine.boot(instanceID: $0, in: world) }
    world.ports.instanceShutsDown = { [unowned world] in Machine.shutDown(instanceID: $0, in: world) }
    world.ports.instanceDiscarded = { [unowned world] in Machine.discard(instanceID: $0, in: world) }
    world.ports.shutdownGrace = { [unowned world] in Machine.shutdownGrace(instanceID: $0, in: world) }
    world.nodes.startFargate = { [unowned world] in Machine.start($0, in: world) }
    world.nodes.stopFargate = { [unowned world] in Machine.terminate(instanceID: $0, in: world) }
  }

  /// Which parts of the control planes are to run from now on.
  func choose(_ wanted: ControlPlane.Selection) {
    guard wanted != selection, let json = try? JSON(encoding: wanted) else { return }
    world.inputs.tell("control-plane", json)
  }

  private func select(_ json: JSON) {
    guard let wanted = try? json.decode(ControlPlane.Selection.self) else { return }
    selection = wanted
    world.put(Self.selectionRow, json.bytes())
    for cluster in kubernetes.clusters { ControlPlane.change(cluster: cluster, to: wanted, in: world) }
  }

  /// Whether calls are throttled at AWS's rates from now on.
  func chooseRates(_ isOn: Bool) {
    if isOn != limitsRates { world.inputs.tell("request-rates", .bool(isOn)) }
  }

  private func limitRates(_ isOn: Bool) {
    limitsRates = isOn
    world.put(Self.ratesRow, Array((isOn ? "on" : "off").utf8))
    aws.limitRates(isOn, in: world)
  }

  /// Tokens signed for this endpoint are the local EKS's own.
  func began(endpoint: String) { world.inputs.tell("endpoint", .string(endpoint)) }
}

extension ClusterFacts {
  fileprivate var authorityPEM: String {
    Base64.decode(certificateAuthority).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
