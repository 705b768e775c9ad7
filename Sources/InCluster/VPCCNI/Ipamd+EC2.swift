import Mechanisms
import Wire
import World

/// ipamd's calls to EC2, in upstream's order.
extension Ipamd {
  /// A new interface on its way into the instance.
  struct Growth: Codable {
    var count: Int
    var prefixes: Bool
    var subnets: [String] = []
    /// Those of the ENIConfig; nil for the primary interface's.
    var groups: [String]?
    var interface: JSON = .null
    var device = 0
    var attachment = ""
    /// Why the last subnet refused.
    var code = ""
    var message = ""
  }

  func metadata(_ path: String, _ context: Context) -> String {
    context.world.ports.instanceMetadata(launch.instanceID, "meta-data/\(path)") ?? ""
  }

  /// The code of errors that no service answered.
  static let noConnection = "RequestError"

  // MARK: - Start

  /// The interfaces that the instance has, by its metadata and EC2.
  mutating func discover(_ context: Context) {
    let macs = metadata("network/interfaces/macs", context).split(separator: "\n").map { $0.filter { $0 != "/" } }
    let ids = macs.map { metadata("network/interfaces/macs/\($0)/interface-id", context) }.filter { !$0.isEmpty }
    call("DescribeNetworkInterfaces", ["NetworkInterfaceIds": JSON(ids)], "discover", context)
  }

  private mutating func discovered(_ reply: AWSReply, _ context: Context) {
    guard let output = reply.output else {
      let error = reply.error!
      attempts += 1
      failed("DescribeNetworkInterfaces", error, context)
      guard attempts < 5 else {
        exit("ipamd init: failed to retrieve attached ENIs info: \(error.code): \(error.message)", context)
        return
      }
      context.wake("discover", after: .milliseconds(100 << attempts))
      return
    }
    attempts = 0
    var enis = output["NetworkInterfaces"].items.map { eni($0, context) }
    if pool.settings.withIPv6 == true {
      pool.enis = enis
      return discoveredIPv6(output["NetworkInterfaces"].items, context)
    }
    restoreLeases(&enis, context)
    phase = .prescaling
    take(.start(enis), context)
    if !busy { serve(context) }
  }

  /// Pods that are on the node already keep their addresses, as the checkpoint has them.
  private func restoreLeases(_ enis: inout [IPPool.ENI], _ context: Context) {
    let pods = context.world.kube.host?.list(cluster: launch.cluster, resource: "pods", namespace: "") ?? []
    for pod in pods.map({ ObjectView($0) }) {
      guard pod.nodeName == launch.nodeName, pod.spec["hostNetwork"].bool != true, !pod.isPodFinished,
        let address = pod.status["podIP"].string.flatMap({ IPv4Address($0) })
      else { continue }
      for index in enis.indices {
        for at in enis[index].blocks.indices where enis[index].blocks[at].cidr.contains(address) {
          enis[index].blocks[at].leases.append(
            .init(address: address, pod: pod.uid, assignedAt: pod.createdAt, unassignedAt: nil))
        }
      }
    }
  }

  func eni(_ json: JSON, _ context: Context) -> IPPool.ENI {
    let device = json["Attachment"]["DeviceIndex"].int ?? 0
    let attached = json["Attachment"]["AttachTime"].time ?? context.now
    let mac = json["MacAddress"].string ?? ""
    return IPPool.ENI(
      id: json["NetworkInterfaceId"].string ?? "", device: device, isPrimary: device == 0,
      isTrunk: json["InterfaceType"].string == "trunk", isEFA: json["InterfaceType"].string == "efa",
      address: json["PrivateIpAddress"].string ?? "", mac: mac, subnetID: json["SubnetId"].string ?? "",
      subnetCIDR: metadata("network/interfaces/macs/\(mac)/subnet-ipv4-cidr-block", context),
      createdAt: device == 0
        ? attached : max(attached, json["Attachment"]["AttachTime"].isNull ? context.now : attached),
      cidrs: Self.blocks(json))
  }

  private static func blocks(_ json: JSON) -> [CIDR] {
    let own = json["PrivateIpAddress"].string
    let addresses = json["PrivateIpAddresses"].items
      .filter { $0["Primary"].bool != true && $0["PrivateIpAddress"].string != own }
      .compactMap { $0["PrivateIpAddress"].string.flatMap { IPv4Address($0) } }.map { CIDR($0, length: 32) }
    return addresses + json["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string.flatMap { CIDR($0) } }
  }

  // MARK: - Errors

  /// Logs a refusal; for want of permission tells it as an event of its pod too.
  mutating func failed(_ operation: String, _ error: AWSError, _ context: Context) {
    let why =
      error.code == Self.noConnection
      ? "operation error EC2: \(operation), \(error.message)" : "api error \(error.code): \(error.message)"
    log(
      "error", "Failed to call ec2:\(operation): \(why)", context,
      caller: "awsutils/awsutils.go")
    guard ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"].contains(error.code) else { return }
    guard let token else {
      // Forgotten with a restart of the world: the next refusal can be told.
      context.send(
        launch.kubelet, "token", ["uid": launch.pod["metadata"]["uid"], "program": .string(context.id.text)])
      return
    }
    let client = KubeClient(
      cluster: launch.cluster, credential: .bearer(token), userAgent: "amazon-k8s-agent",
      sourceIP: metadata("local-ipv4", context))
    context.record(
      &events, client, about: ObjectView(launch.pod).reference, type: "Warning", reason: "MissingIAMPermissions",
      "Unauthorized operation: failed to call ec2:\(operation) due to missing permissions. Please refer https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/iam-policy.md to attach relevant policy to IAM role"
    )
  }

  // MARK: - Effects

  mutating func ask(_ effect: IPPool.Effect, _ context: Context) {
    switch effect {
    case .assign(let eni, let count, let prefixes):
      let field = prefixes ? "Ipv4PrefixCount" : "SecondaryPrivateIpAddressCount"
      call(
        "AssignPrivateIpAddresses", ["NetworkInterfaceId": .string(eni), field: JSON(count)],
        "assign", context)
    case .unassign(let eni, let cidrs):
      let prefixes = cidrs.filter { $0.length < 32 }
      let addresses = cidrs.filter { $0.length == 32 }
      call(
        "UnassignPrivateIpAddresses",
        [
          "NetworkInterfaceId": .string(eni),
          "PrivateIpAddresses": addresses.isEmpty ? .null : JSON(addresses.map { "\($0.base)" }),
          "Ipv4Prefixes": prefixes.isEmpty ? .null : JSON(prefixes.map(\.description)),
        ], "unassign", context)
    case .readENI(let id):
      call("DescribeNetworkInterfaces", ["NetworkInterfaceIds": [.string(id)]], "read", context)
    case .deleteENI(let id):
      growth = Growth(count: 0, prefixes: false, interface: ["NetworkInterfaceId": .string(id)])
      call("DescribeNetworkInterfaces", ["NetworkInterfaceIds": [.string(id)]], "doomed", context)
    case .createENI(let count, let prefixes):
      growth = Growth(count: count, prefixes: prefixes)
      chooseSubnets(context)
    case .give, .refuse, .released, .log: break
    }
  }

  mutating func answered(_ tag: String, _ reply: AWSReply, _ context: Context) {
    switch tag {
    case "session": sessionCame(reply, context)
    case "discover": discovered(reply, context)
    case "reconcile": reconciled(reply, context)
    case "prefix6": assignedIPv6(reply, context)
    case "assign": assigned(reply, context)
    case "unassign":
      if let error = reply.error { failed("UnassignPrivateIpAddresses", error, context) }
      finished(nil, context)
    case "read":
      if let error = reply.error {
        failed("DescribeNetworkInterfaces", error, context)
        finished(.failed(code: error.code, message: error.message), context)
      } else {
        finished(.assigned(Self.blocks(reply.output?["NetworkInterfaces"][0] ?? .null)), context)
      }
    default: interfaceAnswered(tag, reply, context)
    }
  }

  private mutating func assigned(_ reply: AWSReply, _ context: Context) {
    if let error = reply.error {
      failed("AssignPrivateIpAddresses", error, context)
      finished(.failed(code: error.code, message: error.message), context)
      return
    }
    let output = reply.output ?? .null
    let addresses = output["AssignedPrivateIpAddresses"].items
      .compactMap { $0["PrivateIpAddress"].string.flatMap { IPv4Address($0) } }.map { CIDR($0, length: 32) }
    let prefixes = output["AssignedIpv4Prefixes"].items
      .compactMap { $0["Ipv4Prefix"].string.flatMap { CIDR($0) } }
    finished(.assigned(addresses + prefixes), context)
  }

  // MARK: - A new interface

  private mutating func chooseSubnets(_ context: Context) {
    if pool.settings.customNetworking {
      findConfiguration(context)
      return
    }
    guard pool.settings.subnetDiscovery else {
      decideSubnets([], context)
      return
    }
    let mac = metadata("mac", context)
    call(
      "DescribeSubnets",
      [
        "Filters": [
          ["Name": "vpc-id", "Values": [.string(metadata("network/interfaces/macs/\(mac)/vpc-id", context))]],
          ["Name": "availability-zone", "Values": [.string(metadata("placement/availability-zone", context))]],
        ]
      ], "subnets", context)
  }

  private mutating func decideSubnets(_ subnets: [JSON], _ context: Context) {
    let mac = metadata("mac", context)
    let verdict = SubnetChoice.decide(
      SubnetChoice.Facts(
        nodeSubnet: .known(metadata("network/interfaces/macs/\(mac)/subnet-id", context)),
        subnets: .known(
          SubnetChoice.read(
            subnets: subnets, vpc: metadata("network/interfaces/macs/\(mac)/vpc-id", context),
            zone: metadata("placement/availability-zone", context))), settings: .known(pool.settings)))
    growth?.subnets = verdict.value ?? []
    if growth?.subnets.isEmpty == true {
      growth?.code = "NoSubnet"
      growth?.message = "no valid subnets available for the creation of secondary ENI"
    }
    createInterface(context)
  }

  mutating func createInterface(_ context: Context) {
    guard var growth, let subnet = growth.subnets.first else {
      let (code, message) = (self.growth?.code ?? "", self.growth?.message ?? "")
      self.growth = nil
      finished(.failed(code: code, message: message), context)
      return
    }
    growth.subnets.removeFirst()
    self.growth = growth
    let mac = metadata("mac", context)
    let own = metadata("network/interfaces/macs/\(mac)/security-group-ids", context).split(separator: "\n")
    let groups = growth.groups ?? own.map(String.init)
    var tags: [JSON] = [
      ["Key": "node.k8s.amazonaws.com/instance_id", "Value": .string(launch.instanceID)],
      ["Key": "node.k8s.amazonaws.com/createdAt", "Value": .string(context.now.rfc3339)],
      ["Key": "eks:eni:owner", "Value": "amazon-vpc-cni"],
    ]
    if !pool.settings.clusterName.isEmpty {
      tags.append(["Key": "cluster.k8s.amazonaws.com/name", "Value": .string(pool.settings.clusterName)])
    }
    call(
      "CreateNetworkInterface",
      [
        "Description": .string("aws-K8S-\(launch.instanceID)"), "SubnetId": .string(subnet),
        "Groups": JSON(groups),
        growth.prefixes ? "Ipv4PrefixCount" : "SecondaryPrivateIpAddressCount": JSON(growth.count),
        "TagSpecifications": [["ResourceType": "network-interface", "Tags": .array(tags)]],
      ], "create", context)
  }

  private mutating func interfaceAnswered(_ tag: String, _ reply: AWSReply, _ context: Context) {
    guard growth != nil else { return }
    switch tag {
    case "subnets":
      if let error = reply.error {
        failed("DescribeSubnets", error, context)
        // Without the list only the node's own subnet is tried.
        let mac = metadata("mac", context)
        let own = metadata("network/interfaces/macs/\(mac)/subnet-id", context)
        growth?.subnets = [own]
        createInterface(context)
      } else {
        decideSubnets(reply.output?["Subnets"].items ?? [], context)
      }
    case "create":
      if let error = reply.error {
        failed("CreateNetworkInterface", error, context)
        growth?.code = error.code
        growth?.message = error.message
        createInterface(context)
      } else {
        growth?.interface = reply.output?["NetworkInterface"] ?? .null
        log("info", "Created a new ENI: \(interfaceID)", context, caller: "awsutils/awsutils.go")
        call("DescribeInstances", ["InstanceIds": [.string(launch.instanceID)]], "devices", context)
      }
    case "devices":
      let used = reply.output?["Reservations"][0]["Instances"][0]["NetworkInterfaces"].items
        .compactMap { $0["Attachment"]["DeviceIndex"].int }
      if let error = reply.error { failed("DescribeInstances", error, context) }
      let taken = used ?? pool.enis.map(\.device)
      growth?.device = (0...).first { !taken.contains($0) } ?? 1
      call(
        "AttachNetworkInterface",
        [
          "DeviceIndex": JSON(growth?.device), "InstanceId": .string(launch.instanceID),
          "NetworkInterfaceId": .string(interfaceID), "NetworkCardIndex": 0,
        ], "attach", context)
    case "attach":
      if let error = reply.error {
        failed("AttachNetworkInterface", error, context)
        growth?.code = error.code
        growth?.message = error.message
        call("DeleteNetworkInterface", ["NetworkInterfaceId": .string(interfaceID)], "abandoned", context)
      } else {
        growth?.attachment = reply.output?["AttachmentId"].string ?? ""
        call(
          "ModifyNetworkInterfaceAttribute",
          [
            "Attachment": [
              "AttachmentId": .string(growth?.attachment ?? ""), "DeleteOnTermination": true,
            ], "NetworkInterfaceId": .string(interfaceID),
          ], "modify", context)
      }
    case "modify":
      if let error = reply.error { failed("ModifyNetworkInterfaceAttribute", error, context) }
      // The instance's metadata shows it after a while.
      context.wake("attached", after: context.durations[.interfaceAttach])
    case "abandoned":
      let (code, message) = (growth?.code ?? "", growth?.message ?? "")
      growth = nil
      finished(.failed(code: code, message: message), context)
    default: removalAnswered(tag, reply, context)
    }
  }

  private var interfaceID: String { growth?.interface["NetworkInterfaceId"].string ?? "" }

  mutating func attached(_ context: Context) {
    guard let growth else { return }
    var made = eni(growth.interface, context)
    made.device = growth.device
    made.isPrimary = false
    made.createdAt = context.now
    self.growth = nil
    log(
      "info", "Successfully created and attached a new ENI \(made.id) to instance", context,
      caller: "awsutils/awsutils.go")
    finished(.created(made), context)
  }

  // MARK: - An interface too many

  private mutating func removalAnswered(_ tag: String, _ reply: AWSReply, _ context: Context) {
    switch tag {
    case "doomed":
      if let error = reply.error { failed("DescribeNetworkInterfaces", error, context) }
      let attachment = reply.output?["NetworkInterfaces"][0]["Attachment"]["AttachmentId"].string
      guard let attachment else {
        deleteDetached(context)
        return
      }
      call("DetachNetworkInterface", ["AttachmentId": .string(attachment), "Force": false], "detach", context)
    case "detach":
      if let error = reply.error { failed("DetachNetworkInterface", error, context) }
      // Two seconds between the two, as upstream sleeps.
      context.wake("delete", after: .seconds(2))
    case "delete":
      if let error = reply.error { failed("DeleteNetworkInterface", error, context) }
      log("info", "Successfully freed ENI \(interfaceID)", context, caller: "awsutils/awsutils.go")
      growth = nil
      finished(nil, context)
    default: break
    }
  }

  mutating func deleteDetached(_ context: Context) {
    guard growth != nil else { return }
    call("DeleteNetworkInterface", ["NetworkInterfaceId": .string(interfaceID)], "delete", context)
  }
}
