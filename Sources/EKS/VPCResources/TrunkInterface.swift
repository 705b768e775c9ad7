import Mechanisms
import Wire
package import World

/// The trunk of one node with the branches on it: made when the node asks for security groups of pods, then a branch
/// for every pod that wants one.
///
/// Source: aws/amazon-vpc-resource-controller-k8s `pkg/provider/branch`, `pkg/provider/branch/trunk`.
package struct TrunkInterface: Component {
  package static let kind = "trunk-eni"
  static func id(_ cluster: String, _ node: String) -> ComponentID { ComponentID("\(kind)/\(cluster)/\(node)") }

  enum Phase: String, Codable { case describing, creating, attaching, keeping, ready, failed }

  /// A branch on the trunk, from when it is made until it is deleted.
  struct Branch: Codable {
    var pod: String
    var uid: String
    var eni: String
    var mac: String
    var address: String
    var vlan: Int
    var association = ""
    /// When its pod was gone.
    var freedAt: Timestamp?
  }

  let cluster: String
  let clusterName: String
  let role: String
  let node: String
  let instance: String
  var phase = Phase.describing
  var limit = 0
  var subnet = ""
  var subnetCIDR = ""
  var groups: [String] = []
  var trunk = ""
  var device = 0
  var attempts = 0
  var branches: [Branch] = []
  /// Pods that wait for a branch, `namespace/name`, in order.
  var waiting: [String] = []
  /// The pod whose branch is being made.
  var current: String?
  var events: EventRecorder

  init(cluster: String, clusterName: String, role: String, node: String, instance: String) {
    self.cluster = cluster
    self.clusterName = clusterName
    self.role = role
    self.node = node
    self.instance = instance
    events = EventRecorder(component: "vpc-resource-controller")
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start, .wake("init"): begin(context)
    case .wake("queue"): deleteCooledDown(context)
    case .wake("next"): allocateNext(context)
    case .message("gone", _): nodeIsGone(context)
    case .message("pod", let value):
      podChanged("\(value["namespace"].string ?? "")/\(value["name"].string ?? "")", context)
    case .aws(let tag, let reply): answered(tag, reply, context)
    case .kube(let tag, let reply): answered(tag, reply, context)
    case .message, .wake, .changed: break
    }
  }

  var client: KubeClient { VPCResourceController.client(cluster) }
  var reads: (Context) -> VPCResourceReads { { VPCResourceReads(world: $0.world, cluster: cluster) } }

  /// Calls EC2: what changes the account's interfaces as the cluster's role, the rest as EKS itself,
  /// whom no policy of the account binds.
  func ec2(_ operation: String, _ input: JSON, _ tag: String, asEKS: Bool = false, _ context: Context) {
    context.submit(
      AWSCall(
        service: "ec2", operation: operation, input: input, region: context.world.region,
        caller: asEKS
          ? EKSActor.plain.caller(account: context.world.account)
          : .service("eks.amazonaws.com", roleARN: role, session: "aws-vpc-resource-controller"),
        sourceIP: "eks.amazonaws.com", userAgent: "eks.amazonaws.com"), tag: tag)
  }

  var tags: JSON {
    [
      ["Key": "eks:eni:owner", "Value": "eks-vpc-resource-controller"],
      ["Key": .string("kubernetes.io/cluster/\(clusterName)"), "Value": "owned"],
    ]
  }

  mutating func tellNode(_ type: String, _ reason: String, _ message: String, _ context: Context) {
    guard let object = reads(context).object("nodes", "", node) else { return }
    context.record(
      &events, client, about: ObjectView(object).reference, type: type, reason: reason, message)
  }

  mutating func tellPod(_ pod: JSON, _ type: String, _ reason: String, _ message: String, _ context: Context) {
    context.record(&events, client, about: ObjectView(pod).reference, type: type, reason: reason, message)
  }

  // MARK: - The trunk

  private mutating func begin(_ context: Context) {
    guard reads(context).object("nodes", "", node) != nil else { return context.stop() }
    phase = .describing
    ec2("DescribeInstances", ["InstanceIds": [.string(instance)]], "instance", asEKS: true, context)
  }

  private mutating func described(_ output: JSON, _ context: Context) {
    let described = output["Reservations"][0]["Instances"][0]
    let type = described["InstanceType"].string ?? ""
    guard let limits = InstanceLimits.named(type), limits.supportsTrunk else {
      phase = .failed
      tellNode(
        "Warning", "Unsupported",
        "The instance type \(type) is not supported for trunk interface (Security Group for Pods)", context)
      return
    }
    limit = limits.maxBranchENIs
    let interfaces = described["NetworkInterfaces"].items
    let primary = interfaces.first { $0["Attachment"]["DeviceIndex"].int == 0 } ?? .null
    subnet = primary["SubnetId"].string ?? ""
    groups = primary["Groups"].items.compactMap { $0["GroupId"].string }
    if let present = interfaces.first(where: { $0["InterfaceType"].string == "trunk" }) {
      trunk = present["NetworkInterfaceId"].string ?? ""
      ready(context)
      return
    }
    let used = interfaces.compactMap { $0["Attachment"]["DeviceIndex"].int }
    guard let free = (1..<max(limits.maxENIs, 2)).last(where: { !used.contains($0) }), used.count < limits.maxENIs
    else {
      trunkFailed(nil, context)
      return
    }
    device = free
    phase = .creating
    ec2(
      "CreateNetworkInterface",
      [
        "SubnetId": .string(subnet), "Groups": JSON(groups), "Description": "aws-k8s-trunk-eni",
        "InterfaceType": "trunk",
        "TagSpecifications": [["ResourceType": "network-interface", "Tags": tags]],
      ], "trunk", context)
  }

  /// Told to the node; tried again, since a policy may be attached later.
  private mutating func trunkFailed(_ error: AWSError?, _ context: Context) {
    phase = .failed
    if let error {
      let hint =
        error.code == "UnauthorizedOperation"
        ? ": Please verify the cluster IAM role has AmazonEKSVPCResourceController policy" : ""
      tellNode(
        "Warning", "TrunkENICreationFailed", "Failed to create trunk interface: Error Code: \(error.code)\(hint)",
        context)
    }
    tellNode("Normal", "NodeTrunkFailedInit", "The node failed initializing trunk interface", context)
    attempts += 1
    context.wake("init", after: .seconds(min(1000, 5 << min(attempts, 7))), .background)
  }

  private mutating func ready(_ context: Context) {
    phase = .ready
    attempts = 0
    let amount: JSON = .string(String(limit))
    context.tell(
      client.patch(
        "nodes", "", node,
        ["status": ["capacity": [.init(PodENI.resource): amount], "allocatable": [.init(PodENI.resource): amount]]],
        subresource: "status"))
    tellNode("Normal", "NodeTrunkInitiated", "The node has trunk interface initialized successfully", context)
    ec2("DescribeSubnets", ["SubnetIds": [.string(subnet)]], "subnet", asEKS: true, context)
  }

  // MARK: - Answers

  private mutating func answered(_ tag: String, _ reply: AWSReply, _ context: Context) {
    switch (tag, reply) {
    case ("instance", .ok(let output)): described(output, context)
    case ("instance", .error): context.wake("init", after: .seconds(5), .background)
    case ("trunk", .ok(let output)):
      trunk = output["NetworkInterface"]["NetworkInterfaceId"].string ?? ""
      phase = .attaching
      ec2(
        "AttachNetworkInterface",
        [
          "DeviceIndex": JSON(device), "InstanceId": .string(instance), "NetworkInterfaceId": .string(trunk),
        ], "attach", context)
    case ("attach", .ok(let output)):
      phase = .keeping
      ec2(
        "ModifyNetworkInterfaceAttribute",
        [
          "NetworkInterfaceId": .string(trunk),
          "Attachment": ["AttachmentId": output["AttachmentId"], "DeleteOnTermination": true],
        ], "keep", context)
    case ("keep", _): ready(context)
    case ("trunk", .error(let error)): trunkFailed(error, context)
    case ("attach", .error(let error)):
      ec2("DeleteNetworkInterface", ["NetworkInterfaceId": .string(trunk)], "dropped", context)
      trunkFailed(error, context)
    case ("subnet", .ok(let output)):
      subnetCIDR = output["Subnets"][0]["CidrBlock"].string ?? ""
      allocateNext(context)
    default: branchAnswered(tag, reply, context)
    }
  }
}
