import Mechanisms
import Wire
package import World

/// An EC2 instance from its boot to its kubelet: cloud-init, then nodeadm, `bootstrap.sh` or Bottlerocket's settings.
///
/// Source: awslabs/amazon-eks-ami, `nodeadm` and `bootstrap.sh`.
package struct NodeBoot: Component {
  package static let kind = "node"
  package static func id(_ instance: String) -> ComponentID { ComponentID("node/\(instance)") }

  enum Phase: String, Codable {
    case starting, describing, running, failed
  }

  let instanceID: String
  let region: String
  var phase = Phase.starting
  /// User data is read again when it is needed: it does not change.
  private var clusterName = ""
  private var attempts = 0
  /// How often `bootstrap.sh` has asked EKS for the cluster, and what it was told.
  var asked: Int?
  var learned: JSON?

  package init(instanceID: String, region: String) {
    self.instanceID = instanceID
    self.region = region
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: readUserData(context)
    case .wake("describe"): describe(context)
    case .wake("cluster"): askForCluster(context)
    case .aws("cluster", let reply): clusterTold(reply, context)
    case .aws(_, let reply): described(reply, context)
    default: break
    }
  }

  private func log(_ message: String, _ context: Context, level: String = "info", fields: String = "") {
    write(
      "nodeadm",
      "{\"level\":\"\(level)\",\"ts\":\(Double(context.now.microseconds) / 1_000_000),\"msg\":\(JSON.string(message).text())\(fields)}",
      context)
  }

  /// A line of one of the node's logs.
  func write(_ unit: String, _ line: String, _ context: Context) {
    let cluster = context.world.ports.clusterID(clusterName) ?? "none"
    context.world.logs.append("node/\(cluster)/\(instanceID)/\(unit)", at: context.now, line)
  }

  mutating func fail(_ message: String, _ context: Context) {
    phase = .failed
    switch system(context) {
    case .al2023:
      log("Command failed", context, level: "fatal", fields: ",\"error\":\(JSON.string(message).text())")
    case .al2: failScript(message, context)
    case .bottlerocket: write("cloud-init-output", message, context)
    }
  }

  // MARK: - What it is told

  func userData(_ context: Context) -> String {
    context.world.ports.instanceMetadata(instanceID, "user-data") ?? ""
  }

  func metadata(_ path: String, _ context: Context) -> String {
    context.world.ports.instanceMetadata(instanceID, "meta-data/\(path)") ?? ""
  }

  /// Of the image it boots; of somebody else's image by what its user data is written for, and AL2023 where that
  /// doesn't tell.
  func system(_ context: Context) -> NodeSystem {
    OptimizedImage.named(metadata("ami-id", context), region: region)?.system ?? NodeSystem(
      writtenIn: userData(context)) ?? .al2023
  }

  /// With what it has learned of the cluster since.
  private func config(_ context: Context) -> NodeConfig? {
    guard var script = BootstrapScript(userData: userData(context)), system(context) == .al2 else {
      return NodeConfig(userData: userData(context), system: system(context))
    }
    if let learned { script.learn(learned) }
    let mac = metadata("mac", context)
    let ranges = metadata("network/interfaces/macs/\(mac)/vpc-ipv4-cidr-blocks", context)
    return NodeConfig(script, vpcRanges: ranges.split(whereSeparator: \.isNewline).map(String.init))
  }

  /// The steps of joining, as far as the machine knows them by itself.
  private func steps(_ context: Context) -> JoinSequence.Facts {
    var facts = JoinSequence.Facts.unknown(Gap(read: "node", why: "it has not come so far"))
    facts.read(userData: userData(context), system: system(context))
    return facts
  }

  private mutating func readUserData(_ context: Context) {
    let facts = steps(context)
    clusterName = facts.tokenCluster.value ?? ""
    tellMilestones(Bootstrap.milestones.prefix(2), context)
    if system(context) == .al2 { writeScript("INFO: starting...", context) }
    if JoinSequence.failing(JoinSequence.decide(facts))?.step == .bootstrap {
      fail(facts.bootstrapFault.value.flatMap { $0 } ?? "", context)
      return
    }
    tellMilestones(Bootstrap.milestones.dropFirst(2).prefix(3), context)
    if system(context) == .al2, let script = BootstrapScript(userData: userData(context)), !script.knowsCluster {
      askForCluster(context)
    } else {
      describe(context)
    }
  }

  /// What nodeadm writes as it goes.
  private func tellMilestones(_ lines: ArraySlice<String>, _ context: Context) {
    if system(context) == .al2023 { for line in lines { log(line, context) } }
  }

  mutating func describe(_ context: Context) {
    phase = .describing
    if let error = unreached("ec2", context) { return described(.error(error), context) }
    guard let credentials = context.world.ports.instanceCredentials(instanceID) else {
      described(
        .error(
          AWSError(
            code: "NoCredentials",
            message:
              "failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata")),
        context)
      return
    }
    context.submit(
      AWSCall(
        service: "ec2", operation: "DescribeInstances", input: ["InstanceIds": [.string(instanceID)]], region: region,
        caller: .credential(accessKeyID: credentials.accessKeyID),
        sourceIP: context.world.ports.instanceMetadata(instanceID, "meta-data/local-ipv4") ?? "",
        userAgent: system(context) == .al2023 ? "aws-sdk-go-v2 nodeadm" : "aws-cli/1.18"), tag: "describe",
      weight: attempts > 4 ? .background : .foreground)
  }

  /// What the SDK says where the network keeps it from a service.
  func unreached(_ service: String, _ context: Context) -> AWSError? {
    let host = "\(service).\(region).amazonaws.com"
    guard let obstacle = context.world.ports.obstacle(from: instanceID, to: host) else { return nil }
    let dial = obstacle.dialError(host, resolver: VPCResolver.linkLocal)
    return AWSError(
      code: "RequestError",
      message:
        "https response error StatusCode: 0, RequestID: , request send failed, Post \"https://\(host)/\": \(dial)")
  }

  private mutating func described(_ reply: AWSReply, _ context: Context) {
    let instance = reply.output?["Reservations"][0]["Instances"][0]
    guard let instance, let name = instance["PrivateDnsName"].string, !name.isEmpty else {
      attempts += 1
      let error = reply.error.map { "\($0.code): \($0.message)" } ?? "PrivateDnsName is not available yet"
      guard attempts < 30 else {
        fail("operation error EC2: DescribeInstances, exceeded maximum number of attempts, 30, \(error)", context)
        return
      }
      // The SDK's back-off: doubling up to 20 s.
      context.wake(
        "describe", after: .seconds(min(20, 1 << min(attempts, 5))), attempts > 4 ? .background : .foreground)
      return
    }
    tellMilestones(Bootstrap.milestones.dropFirst(5), context)
    if system(context) == .al2 { writeScript("INFO: complete!", context) }
    start(instance, name: name, context)
  }

  // MARK: - kubelet

  private mutating func start(_ json: JSON, name: String, _ context: Context) {
    guard let config = config(context) else { return }
    phase = .running
    let facts = context.world.nodes.cluster(config.apiServerEndpoint)
    let instance = Bootstrap.Instance(
      id: instanceID, type: json["InstanceType"].string ?? "", region: region,
      zone: json["Placement"]["AvailabilityZone"].string ?? "",
      address: json["PrivateIpAddress"].string.flatMap { IPv4Address($0) } ?? IPv4Address(bits: 0),
      ipv6: json["Ipv6Address"].string.flatMap { IPv6Address($0) }, privateDNSName: name)
    guard !Bootstrap.nodeIP(instance, config).isEmpty else {
      fail("the cluster's family is ipv6, and the instance has no IPv6 address", context)
      return
    }
    let flags = Bootstrap.kubeletFlags(instance, config)
    var identity = MachineIdentity(
      instanceID: instanceID, cluster: facts?.id ?? context.world.ports.clusterID(config.clusterName) ?? "",
      clusterName: config.clusterName,
      nodeName: Bootstrap.flag("hostname-override", flags) ?? Bootstrap.nodeName(instance, config), region: region,
      zone: instance.zone, instanceType: instance.type, imageID: json["ImageId"].string ?? "",
      address: Bootstrap.nodeIP(instance, config),
      kubeletVersion: OptimizedImage.named(json["ImageId"].string ?? "", region: region)?.kubelet
        ?? KubernetesRelease.build(of: facts?.version ?? "1.33"),
      maxPods: Bootstrap.maxPods(instance, config), clusterDNS: Bootstrap.clusterDNS(config),
      labels: Bootstrap.nodeLabels(flags).map { MachineIdentity.Label(key: $0.0, value: $0.1) },
      taints: Bootstrap.registerTaints(flags, config).map(\.json), system: config.system)
    identity.settings = KubeletSettings(config)
    identity.kernel = config.system.kernel(userData: userData(context))
    if config.isIPv6 { identity.plainAddress = "\(instance.address)" }
    var join = steps(context)
    join.read(instanceType: instance.type, config)
    join.resolvesEndpoint = .known(facts != nil)
    if let facts {
      join.read(config, endpoint: config.apiServerEndpoint, certificateAuthority: facts.certificateAuthority)
    }
    var reach = Kubelet.Reach.yes
    switch JoinSequence.failing(JoinSequence.decide(join))?.step {
    case .kubelet:
      phase = .failed
      let error = join.kubeletFault.value.flatMap { $0 } ?? ""
      Journal(stream: identity.log("kubelet"), pid: Kubelet.pid).write(
        "E", "run.go:72", "\"command failed\" err=\(GoText.quote(error))", context)
      return
    case .resolve: reach = .noHost(Self.host(config.apiServerEndpoint))
    case .certificate: reach = .wrongAuthority(config.apiServerEndpoint)
    default: break
    }
    context.spawn(Kubelet.id(instanceID), Kubelet(identity, reach: reach))
    context.spawn(LeaseKeeper.id(instanceID), LeaseKeeper(identity))
  }

  private static func host(_ endpoint: String) -> String {
    let tail = endpoint.split(separator: "/").dropFirst().first ?? ""
    return String(tail.prefix { $0 != ":" })
  }
}
