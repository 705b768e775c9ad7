package import Mechanisms
package import Wire
package import World

/// What a node knows of itself and of its cluster once it is configured.
package struct MachineIdentity: Codable, Sendable {
  package var instanceID: String
  /// The cluster's id in the world.
  package var cluster: String
  /// The name that its tokens carry.
  package var clusterName: String
  package var nodeName: String
  package var region: String
  package var zone: String
  package var instanceType: String
  package var imageID: String
  package var address: String
  /// Its IPv4 address, where the cluster knows it by its IPv6 one.
  package var plainAddress: String?
  package var kubeletVersion: String
  package var maxPods: Int
  package var clusterDNS: String
  package var labels: [Label]
  package var taints: [JSON]
  /// Nil in states of before there were others than AL2023.
  package var system: NodeSystem?
  /// Nil for the kernel that its system comes with.
  package var kernel: String?
  /// What its kubelet is told beside what every one is; nil for nothing.
  package var settings: KubeletSettings?
  /// What a machine of Fargate has; nil for an EC2 instance.
  package var fargate: Fargate?

  package struct Fargate: Codable, Sendable {
    package var milliCPU: Int
    package var memoryMiB: Int
    package var diskGiB: Int
  }

  package struct Label: Codable, Sendable {
    package var key: String
    package var value: String

    package init(key: String, value: String) {
      self.key = key
      self.value = value
    }
  }

  package init(
    instanceID: String, cluster: String, clusterName: String, nodeName: String, region: String, zone: String,
    instanceType: String, imageID: String, address: String, kubeletVersion: String, maxPods: Int, clusterDNS: String,
    labels: [Label] = [], taints: [JSON] = [], system: NodeSystem? = nil
  ) {
    self.instanceID = instanceID
    self.cluster = cluster
    self.clusterName = clusterName
    self.nodeName = nodeName
    self.region = region
    self.zone = zone
    self.instanceType = instanceType
    self.imageID = imageID
    self.address = address
    self.kubeletVersion = kubeletVersion
    self.maxPods = maxPods
    self.clusterDNS = clusterDNS
    self.labels = labels
    self.taints = taints
    self.system = system
  }

  package init(fargate machine: NodeHooks.FargateMachine) {
    let zone = machine.zone
    self.init(
      instanceID: machine.id, cluster: machine.cluster.id, clusterName: machine.cluster.name,
      nodeName: machine.nodeName, region: machine.region, zone: zone, instanceType: "", imageID: "",
      address: machine.address, kubeletVersion: KubernetesRelease.build(of: machine.cluster.version), maxPods: 1,
      clusterDNS: Bootstrap.clusterDNS(serviceCIDR: machine.cluster.serviceCIDR),
      labels: [Label(key: FargateMatch.computeType, value: "fargate")],
      taints: [["key": .string(FargateMatch.computeType), "value": "fargate", "effect": "NoSchedule"]])
    fargate = Fargate(milliCPU: machine.milliCPU, memoryMiB: machine.memoryMiB, diskGiB: machine.diskGiB)
  }

  package var providerID: String {
    fargate == nil
      ? NodeName.providerID(zone: zone, instanceID: instanceID)
      : NodeName.providerID(zone: zone, instanceID: "\(instanceID)/\(nodeName)")
  }
  /// The machine that a provider id names: an instance, or what stands before a Fargate node's name.
  static func id(providerID: String) -> String? {
    let parts = providerID.split(separator: "/")
    return (parts.last?.hasPrefix("fargate-") == true ? parts.dropLast() : parts).last.map(String.init)
  }

  package var reference: JSON {
    ["kind": "Node", "name": .string(nodeName), "uid": .string(nodeName), "apiVersion": "v1"]
  }

  /// The machine as packets come to it.
  var host: ClusterNetwork.Host { .init(name: nodeName, instance: instanceID, address: plainAddress ?? address) }

  /// Why a request doesn't get to the API server, in the words of Go's client; nil where it does.
  func failureToReachServer(_ method: String, _ path: String, _ context: Context) -> String? {
    let network = ClusterNetwork(cluster: cluster, world: context.world)
    guard let why = network.failureToReachServer(from: host) else { return nil }
    return "\(method) \"https://\(EndpointName.host(id: cluster, region: region))\(path)\": \(why)"
  }

  package func log(_ unit: String) -> String { "node/\(cluster)/\(instanceID)/\(unit)" }
}

/// The exec plugin of a kubelet's kubeconfig: tokens by the role of the instance, kept until they expire.
struct NodeCredential: Codable {
  /// As long as `aws eks get-token` says its tokens live.
  static let lifetime: Duration = .seconds(14 * 60)

  private var mintedAt: Timestamp?
  /// The token itself is never kept in the state: it follows from its time and the role's credentials.
  private var token: String?

  private enum CodingKeys: String, CodingKey { case mintedAt }

  init() {}

  /// A client of the API server as this node; nil when the plugin cannot make a token.
  mutating func client(_ identity: MachineIdentity, _ context: Context) -> KubeClient? {
    if let mintedAt, context.now - mintedAt >= Self.lifetime { token = nil }
    if token == nil {
      guard let credentials = context.world.ports.instanceCredentials(identity.instanceID) else { return nil }
      let now = mintedAt.flatMap { context.now - $0 < Self.lifetime ? $0 : nil } ?? context.now
      mintedAt = now
      token = EKSToken.mint(
        cluster: identity.clusterName, region: identity.region, credentials: credentials, now: now)
    }
    guard let token else { return nil }
    return KubeClient(
      cluster: identity.cluster, credential: .bearer(token),
      userAgent: "kubelet/\(identity.kubeletVersion) (linux/amd64) kubernetes/\(identity.kubeletVersion)",
      sourceIP: identity.host.address)
  }

  /// Forgets the token, as client-go does after a 401.
  mutating func refuse() {
    token = nil
    mintedAt = nil
  }

  /// What the exec plugin's failure looks like to its caller.
  static let failure = "getting credentials: exec: executable aws failed with exit code 253"
}

/// Lines of a node's journal.
struct Journal {
  let stream: String
  let pid: Int

  /// One line as klog writes it: severity, time, thread, place in the source, message.
  func write(_ severity: String, _ place: String, _ message: String, _ context: Context) {
    let civil = context.now.civil
    let micro = Int(context.now.microseconds - context.now.seconds * 1_000_000).padded(6)
    let time =
      "\(civil.month.padded(2))\(civil.day.padded(2)) \(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2)).\(micro)"
    context.world.logs.append(
      stream, at: context.now, "kubelet[\(pid)]: \(severity)\(time)    \(pid) \(place)] \(message)")
  }
}
