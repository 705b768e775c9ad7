import Mechanisms
import Wire
package import World

/// What EKS does to bring a managed node group up, to change it and to take it down.
package struct NodegroupLife: Component {
  package static let kind = "eks-nodegroup"

  /// How long EKS waits for nodes before it gives a new group up (user reports: 15 to 25 minutes).
  static let joinDeadline = Duration.seconds(20 * 60)
  /// How often it looks whether its Auto Scaling group could launch.
  static let launchCheck = Duration.seconds(30)

  enum Phase: String, Codable { case preparing, mapping, waiting, active, failed, draining, deleting }

  var cluster: String
  var name: String
  var phase = Phase.preparing
  /// How often aws-auth changed between its reading and its writing.
  var conflicts = 0
  /// Until when a drain under way waits for pods.
  var drainUntil: Timestamp?
  /// The replacement of nodes that is under way.
  var rollout: Rollout?
  /// Instances that Auto Scaling ends as soon as they are drained.
  var leaving: [Leaving]?

  init(cluster: String, name: String) {
    self.cluster = cluster
    self.name = name
  }

  var key: String { Key.nodegroup(cluster, name) }

  package mutating func step(_ input: Input, _ context: Context) {
    guard let service = EKSService.of(context.world), let group = service.nodegroups[key],
      let row = service.clusters[cluster]
    else { return context.stop() }
    switch input {
    case .start: context.wake("next", after: context.durations[.nodegroupScaleUp])
    case .wake("next"): proceed(service, row, group, context)
    case .wake("deadline"): if phase == .waiting { giveUp(service, row, group, context) }
    case .wake("launches"): if phase == .waiting { checkLaunches(service, group, context) }
    case .wake("roll"): roll(service, row, group, context)
    case .wake("leave"): drainLeaving(service, row, group, context)
    case .wake("health"): checkHealth(service, row, group, context)
    case .changed:
      if phase == .waiting { checkNodes(service, row, group, context) }
      if rollout?.stage == .surging { roll(service, row, group, context) }
    case .kube("aws-auth", let reply): mapped(reply, service, row, group, context)
    case .kube("aws-auth-written", let reply): wroteMapping(reply, service, row, group, context)
    case .message("update", let id): apply(update: id.string ?? "", service, row, group, context)
    case .message("updated", let id): finish(update: id.string ?? "", service)
    case .message("hook", let notice): hooked(notice, service, row, group, context)
    case .message("delete", _):
      for timer in ["deadline", "launches", "roll", "leave", "health"] { context.cancel(timer) }
      if rollout != nil { abandon(service, row, context) }
      phase = .draining
      context.wake("next", after: context.durations[.nodegroupDelete] / 2)
    default: break
    }
  }

  mutating func proceed(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    switch phase {
    case .preparing:
      guard prepare(service, row, group) else {
        phase = .failed
        service.nodegroups.update(key) { $0.status = "CREATE_FAILED" }
        return
      }
      phase = .mapping
      if AuthenticationMode(rawValue: row.mode)?.usesEntries == true {
        mapByEntry(service, row, group)
        beginWaiting(service, row, group, context)
      } else {
        context.submit(EKSUsers.nodeManager(row.id).get("configmaps", "kube-system", "aws-auth"), tag: "aws-auth")
      }
    case .draining: drain(service, row, group, context)
    case .deleting: takeDown(service, row, group, context)
    default: break
    }
  }

  // MARK: - Up

  /// Instance profile, launch template and Auto Scaling group.
  func prepare(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow) -> Bool {
    let profile = "eks-\(group.uuid)"
    let role = ARN.parse(group.role)?.name ?? ""
    let document = group.document
    let unaddressed = document["launchTemplate"].isNull ? unaddressedSubnets(service, row, group) : []
    guard unaddressed.isEmpty else {
      service.nodegroups.update(key) {
        $0.raise(
          "Ec2SubnetInvalidConfiguration",
          "One or more Amazon EC2 Subnets of [\(unaddressed.joined(separator: ", "))] for node group \(name) does not "
            + "automatically assign public IP addresses to instances launched into it. If you want your instances to be "
            + "assigned a public IP address, then you need to enable auto-assign public IP address for the subnet. See "
            + "IP addressing in VPC guide: "
            + "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-ip-addressing.html#subnet-public-ip", unaddressed)
      }
      return false
    }
    let without = row.isIPv6 ? subnetsWithoutIPv6(service, group) : []
    guard without.isEmpty else {
      service.nodegroups.update(key) {
        $0.raise(
          "Ec2SubnetMissingIpv6Assignment",
          "One or more Amazon EC2 Subnets of [\(without.joined(separator: ", "))] for node group \(name) does not "
            + "automatically assign IPv6 addresses to instances launched into it.", without)
      }
      return false
    }
    for (operation, input) in [
      ("CreateInstanceProfile", ["InstanceProfileName": .string(profile)] as JSON),
      ("AddRoleToInstanceProfile", ["InstanceProfileName": .string(profile), "RoleName": .string(role)] as JSON),
    ] {
      let reply = service.call("iam", operation, input, by: .nodegroup)
      guard reply.error == nil else { return raise(service, reply.error, []) }
    }
    let plan = NodegroupTemplate(service: service, cluster: row, group: group)
    let data: JSON
    do {
      data = try plan.data(profile: profile)
    } catch {
      service.nodegroups.update(key) { row in
        row.instanceProfile = profile
        row.raise(error.code, error.message, error.resources)
      }
      return false
    }
    let owned = plan.tags
    let template = service.call(
      "ec2", "CreateLaunchTemplate",
      [
        "LaunchTemplateName": .string(profile), "LaunchTemplateData": data,
        "TagSpecifications": [["ResourceType": "launch-template", "Tags": owned]],
      ], by: .nodegroup)
    guard let templateID = template.output?["LaunchTemplate"]["LaunchTemplateId"].string else {
      return raise(service, template.error, [])
    }
    service.nodegroups.update(key) { row in
      row.launchTemplateID = templateID
      row.instanceProfile = profile
    }
    let scaling = document["scalingConfig"]
    let made = service.call(
      "autoscaling", "CreateAutoScalingGroup",
      [
        "AutoScalingGroupName": .string(group.autoScalingGroup),
        "LaunchTemplate": ["LaunchTemplateId": .string(templateID), "Version": "1"], "MinSize": scaling["minSize"],
        "MaxSize": scaling["maxSize"], "DesiredCapacity": scaling["desiredSize"],
        "VPCZoneIdentifier": .string(document["subnets"].strings.joined(separator: ",")),
        "Tags": .array(
          owned.items.map { tag in
            ["Key": tag["Key"], "Value": tag["Value"], "PropagateAtLaunch": true]
          } + [
            ["Key": "k8s.io/cluster-autoscaler/enabled", "Value": "true", "PropagateAtLaunch": true],
            ["Key": .string("k8s.io/cluster-autoscaler/\(cluster)"), "Value": "owned", "PropagateAtLaunch": true],
          ]),
      ], by: .nodegroup)
    guard made.error == nil else { return raise(service, made.error, document["subnets"].strings) }
    service.nodegroups.update(key) { row in
      row.document["resources"] = ["autoScalingGroups": [["name": .string(row.autoScalingGroup)]]]
    }
    for hook in LifecycleHook.all {
      _ = service.call(
        "autoscaling", "PutLifecycleHook", hook.input(group.autoScalingGroup, region: service.world.region),
        by: .nodegroup)
    }
    return true
  }

  func raise(_ service: EKSService, _ error: AWSError?, _ resources: [String]) -> Bool {
    let code =
      switch error?.code {
      case "UnauthorizedOperation", "AccessDenied": "AccessDenied"
      case "NoSuchEntity": "IamNodeRoleNotFound"
      case "LimitExceeded": "IamLimitExceeded"
      case "InvalidSubnetID.NotFound": "Ec2SubnetNotFound"
      case "InvalidGroup.NotFound": "Ec2SecurityGroupNotFound"
      case "InvalidAMIID.NotFound": "AmiIdNotFound"
      default: "InternalFailure"
      }
    service.nodegroups.update(key) { $0.raise(code, error?.message ?? "", resources) }
    return false
  }

  func mapByEntry(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow) {
    guard service.entries[Key.entry(cluster, group.role)] == nil, let id = service.principalID(group.role) else {
      return
    }
    service.makeEntry(cluster: cluster, principal: group.role, id: id, kind: .ec2Linux, managed: true)
  }

  /// Adds the role's line to aws-auth when it has none; a ConfigMap that can't be read is left alone.
  mutating func mapped(
    _ reply: KubeReply, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    let client = EKSUsers.nodeManager(row.id)
    if phase == .deleting { return unmap(reply, client, group, context) }
    guard reply.isSuccess || reply.status == 404 else {
      service.nodegroups.update(key) { row in
        row.raise("AccessDenied", reply.message, [])
        row.status = "CREATE_FAILED"
      }
      phase = .failed
      return
    }
    switch AWSAuthDocument.adding(group.role, to: reply.isSuccess ? reply.body : JSON?.none) {
    case .unchanged: beginWaiting(service, row, group, context)
    case .create(let object):
      context.submit(client.create("configmaps", "kube-system", object), tag: "aws-auth-written")
    case .patch(let patch):
      context.submit(client.patch("configmaps", "kube-system", "aws-auth", patch, .merge), tag: "aws-auth-written")
    }
  }

  mutating func wroteMapping(
    _ reply: KubeReply, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    guard phase == .mapping else { return }
    if reply.isSuccess { return beginWaiting(service, row, group, context) }
    conflicts += 1
    guard conflicts < 5 else {
      service.nodegroups.update(key) { row in
        row.raise("AccessDenied", reply.message, [])
        row.status = "CREATE_FAILED"
      }
      phase = .failed
      return
    }
    context.submit(EKSUsers.nodeManager(row.id).get("configmaps", "kube-system", "aws-auth"), tag: "aws-auth")
  }

  mutating func beginWaiting(
    _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    phase = .waiting
    context.wake("deadline", after: Self.joinDeadline, .background)
    context.wake("launches", after: Self.launchCheck, .background)
    let reply =
      context.world.kube.host?.watch(
        cluster: row.id, resources: ["nodes"], credential: EKSUsers.nodeManager(row.id).credential,
        component: context.id) ?? KubeReply(status: 503, body: .null)
    if !reply.isSuccess { service.nodegroups.update(key) { $0.raise("AccessDenied", reply.message, []) } }
    checkNodes(service, row, group, context)
  }

  /// ACTIVE once as many nodes as wanted are Ready with the group's label.
  mutating func checkNodes(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    let nodes = nodes(service, row, group, context)
    for node in nodes { complete(node, service, row, group, context) }
    let ready = nodes.count { Self.isReady($0) && Self.isLabelled($0) }
    guard ready >= group.desired else { return }
    phase = .active
    context.cancel("deadline")
    context.cancel("launches")
    context.world.kube.host?.unwatch(cluster: row.id, component: context.id)
    context.wake("health", after: Self.healthCheck, .background)
    service.nodegroups.update(key) { row in
      row.status = "ACTIVE"
      row.document["health"] = ["issues": []]
    }
  }

  static func isReady(_ node: JSON) -> Bool {
    node["status"]["conditions"].items.contains { $0["type"].string == "Ready" && $0["status"].string == "True" }
  }

  static func isLabelled(_ node: JSON) -> Bool {
    !node["metadata"]["labels"]["eks.amazonaws.com/nodegroup"].isNull
  }

  /// Id of the instance that a node runs on.
  static func instance(_ node: JSON) -> String {
    node["spec"]["providerID"].string?.split(separator: "/").last.map(String.init) ?? ""
  }

  /// The nodes of the group: those that say so, and those of its instances.
  func nodes(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) -> [JSON] {
    let all = context.world.kube.host?.list(cluster: row.id, resource: "nodes", namespace: "") ?? []
    let mine = group.document["amiType"].string == "CUSTOM" ? members(service, group).map(\.id) : []
    return all.filter {
      $0["metadata"]["labels"]["eks.amazonaws.com/nodegroup"].string == name || mine.contains(Self.instance($0))
    }
  }

  /// Nodes of an image of the user's own come without the group's labels and taints: EKS puts them.
  func complete(
    _ node: JSON, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    guard !Self.isLabelled(node) else { return }
    let labels = NodeUserData.labels(group, image: group.document["releaseVersion"].string ?? "")
    var patch: JSON = [
      "metadata": ["labels": .object(JSONObject(labels.map { ($0.key, .string($0.value)) }))]
    ]
    let taints = group.document["taints"].items.map { NodeUserData.taint($0).json }
    if !taints.isEmpty { patch["spec"]["taints"] = .array(node["spec"]["taints"].items + taints) }
    context.submit(
      EKSUsers.nodeManager(row.id).patch("nodes", "", node["metadata"]["name"].string ?? "", patch, .merge),
      tag: "label")
  }

  /// An instance of the group, as Auto Scaling has it.
  struct Member {
    var id: String
    var zone: String
    var isInService: Bool
    /// Of EKS's launch template.
    var version: String
  }

  func members(_ service: EKSService, _ group: NodegroupRow) -> [Member] {
    let reply = service.call(
      "autoscaling", "DescribeAutoScalingGroups", ["AutoScalingGroupNames": [.string(group.autoScalingGroup)]],
      by: .nodegroup)
    return (reply.output?["AutoScalingGroups"][0]["Instances"].items ?? []).map {
      Member(
        id: $0["InstanceId"].string ?? "", zone: $0["AvailabilityZone"].string ?? "",
        isInService: $0["LifecycleState"].string == "InService",
        version: $0["LaunchTemplate"]["Version"].string ?? "")
    }
  }

  func checkLaunches(_ service: EKSService, _ group: NodegroupRow, _ context: Context) {
    let reply = service.call(
      "autoscaling", "DescribeScalingActivities", ["AutoScalingGroupName": .string(group.autoScalingGroup)], by: .plain)
    if let failed = reply.output?["Activities"].items.first(where: { $0["StatusCode"].string == "Failed" }) {
      service.nodegroups.update(key) { row in
        let message = failed["StatusMessage"].string ?? ""
        row.raise(
          Self.code(ofLaunch: message), "Could not launch On-Demand Instances. \(message)", [row.autoScalingGroup])
      }
    }
    context.wake("launches", after: Self.launchCheck, .background)
  }

  mutating func giveUp(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    phase = .failed
    context.world.kube.host?.unwatch(cluster: row.id, component: context.id)
    let instances = members(service, group).map(\.id)
    let joined = nodes(service, row, group, context)
    service.nodegroups.update(key) { row in
      row.status = "CREATE_FAILED"
      if instances.isEmpty { return }
      row.raise(
        "NodeCreationFailure",
        joined.count < row.desired
          ? "Instances failed to join the kubernetes cluster" : "Unhealthy nodes in the kubernetes cluster", instances)
    }
  }
}
