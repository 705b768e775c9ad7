import Mechanisms
import Wire
package import World

/// An EC2 instance from its boot to its kubelet: cloud-init, nodeadm, the files they write.
///
/// Source: awslabs/amazon-eks-ami, `nodeadm`.
package struct NodeBoot: Component {
  package static let kind = "node"
  package static func id(_ instance: String) -> ComponentID { ComponentID("node/\(instance)") }

  private enum Phase: String, Codable {
    case starting, describing, running, failed
  }

  private let instanceID: String
  private let region: String
  private var phase = Phase.starting
  private var config = JSON.emptyObject
  private var attempts = 0

  package init(instanceID: String, region: String) {
    self.instanceID = instanceID
    self.region = region
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: readUserData(context)
    case .wake("describe"): describe(context)
    case .aws(_, let reply): described(reply, context)
    default: break
    }
  }

  private func log(_ message: String, _ context: Context, level: String = "info", fields: String = "") {
    let cluster = config["spec"]["cluster"]["name"].string.flatMap { context.world.ports.clusterID($0) } ?? "none"
    context.world.logs.append(
      "node/\(cluster)/\(instanceID)/nodeadm", at: context.now,
      "{\"level\":\"\(level)\",\"ts\":\(Double(context.now.microseconds) / 1_000_000),\"msg\":\(JSON.string(message).text())\(fields)}"
    )
  }

  private mutating func fail(_ message: String, _ context: Context) {
    phase = .failed
    log("Command failed", context, level: "fatal", fields: ",\"error\":\(JSON.string(message).text())")
  }

  // MARK: - nodeadm

  private mutating func readUserData(_ context: Context) {
    let text = context.world.ports.instanceMetadata(instanceID, "user-data") ?? ""
    guard let config = UserData.nodeConfig(text) else {
      fail("could not find NodeConfig within UserData", context)
      return
    }
    self.config = config
    for line in ["Checking user is root..", "Loading configuration.."] { log(line, context) }
    let cluster = config["spec"]["cluster"]
    let wanted = [
      ("name", "Name is missing in cluster configuration"),
      ("apiServerEndpoint", "Apiserver endpoint is missing in cluster configuration"),
      ("certificateAuthority", "Certificate authority is missing in cluster configuration"),
      ("cidr", "CIDR is missing in cluster configuration"),
    ]
    for (field, message) in wanted where (cluster[field].string ?? "").isEmpty {
      fail(message, context)
      return
    }
    for line in ["Enriching configuration..", "Fetching kubelet version..", "Fetching instance details.."] {
      log(line, context)
    }
    describe(context)
  }

  private mutating func describe(_ context: Context) {
    phase = .describing
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
        userAgent: "aws-sdk-go-v2 nodeadm"), tag: "describe", weight: attempts > 4 ? .background : .foreground)
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
    for line in [
      "Instance details populated", "Loaded configuration", "Validating configuration..", "Creating daemon manager..",
      "Configuring daemons...", "Setup IP for node", "Writing kubelet config to file..", "Running daemons...",
      "Ensuring daemon is running..", "done!",
    ] { log(line, context) }
    start(instance, name: name, context)
  }

  // MARK: - kubelet

  private mutating func start(_ instance: JSON, name: String, _ context: Context) {
    phase = .running
    let cluster = config["spec"]["cluster"]
    let endpoint = cluster["apiServerEndpoint"].string ?? ""
    let facts = context.world.nodes.cluster(endpoint)
    let type = instance["InstanceType"].string ?? ""
    let kubelet = config["spec"]["kubelet"]
    let flags = KubeletFlags(kubelet["flags"].strings)
    let identity = MachineIdentity(
      instanceID: instanceID,
      cluster: facts?.id ?? cluster["name"].string.flatMap { context.world.ports.clusterID($0) } ?? "",
      clusterName: cluster["name"].string ?? "", nodeName: flags["hostname-override"] ?? name, region: region,
      zone: instance["Placement"]["AvailabilityZone"].string ?? "", instanceType: type,
      imageID: instance["ImageId"].string ?? "", address: instance["PrivateIpAddress"].string ?? "",
      kubeletVersion: NodeImage.kubeletVersion(facts?.version ?? "1.33"),
      maxPods: flags["max-pods"].flatMap { Int($0) } ?? kubelet["config"]["maxPods"].int ?? MaxPods.nodeadm(type),
      clusterDNS: Self.dns(cluster["cidr"].string ?? ""), labels: flags.labels, taints: flags.taints)
    var reach = Kubelet.Reach.yes
    if facts == nil {
      reach = .noHost(Self.host(endpoint))
    } else if cluster["certificateAuthority"].string != facts?.certificateAuthority {
      reach = .wrongAuthority(endpoint)
    }
    context.spawn(Kubelet.id(instanceID), Kubelet(identity, reach: reach))
    context.spawn(LeaseKeeper.id(instanceID), LeaseKeeper(identity))
  }

  private static func host(_ endpoint: String) -> String {
    let tail = endpoint.split(separator: "/").dropFirst().first ?? ""
    return String(tail.prefix { $0 != ":" })
  }

  /// The cluster's DNS service: the tenth address of its service block.
  private static func dns(_ cidr: String) -> String {
    let base = cidr.prefix { $0 != "/" }
    guard let dot = base.lastIndex(of: ".") else { return "\(base)a" }
    return "\(base[..<dot]).10"
  }
}

/// Flags of a kubelet as `--name=value`; the last one counts.
struct KubeletFlags {
  private var values: [String: String] = [:]

  init(_ flags: [String]) {
    for flag in flags where flag.hasPrefix("--") {
      let parts = flag.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      values[String(parts[0])] = parts.count == 2 ? String(parts[1]) : "true"
    }
  }

  subscript(name: String) -> String? { values[name] }

  var labels: [String: String] {
    var labels: [String: String] = [:]
    for pair in (values["node-labels"] ?? "").split(separator: ",") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      labels[parts[0]] = parts.count == 2 ? parts[1] : ""
    }
    return labels
  }

  /// `key=value:Effect,…`.
  var taints: [JSON] {
    (values["register-with-taints"] ?? "").split(separator: ",").map { text in
      let parts = text.split(separator: ":").map(String.init)
      let pair = parts[0].split(separator: "=", maxSplits: 1).map(String.init)
      return [
        "key": .string(pair[0]), "value": pair.count == 2 ? .string(pair[1]) : .null,
        "effect": .string(parts.count == 2 ? parts[1] : "NoSchedule"),
      ]
    }
  }
}

/// What the EKS optimized image of a version holds.
enum NodeImage {
  static let osImage = "Amazon Linux 2023.9.20251117"
  static let kernel = "6.1.158-178.288.amzn2023.x86_64"
  static let runtime = "containerd://2.1.4"

  static func kubeletVersion(_ version: String) -> String {
    let builds = [
      "1.30": "v1.30.14-eks-113cf36", "1.31": "v1.31.13-eks-113cf36", "1.32": "v1.32.9-eks-113cf36",
      "1.33": "v1.33.5-eks-113cf36", "1.34": "v1.34.1-eks-113cf36",
    ]
    return builds[version] ?? "v\(version).0-eks-113cf36"
  }
}
