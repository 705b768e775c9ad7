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
  /// Name and labels of the nodes that are there, to change labels by.
  var conflicts = 0
  /// Until when a drain under way waits for pods.
  var drainUntil: Timestamp?

  init(cluster: String, name: String) {
    self.cluster = cluster
    self.name = name
  }

  private var key: String { Key.nodegroup(cluster, name) }

  package mutating func step(_ input: Input, _ context: Context) {
    guard let service = EKSService.of(context.world), let group = service.nodegroups[key],
      let row = service.clusters[cluster]
    else { return context.stop() }
    switch input {
    case .start: context.wake("next", after: context.durations[.nodegroupScaleUp])
    case .wake("next"): proceed(service, row, group, context)
    case .wake("deadline"): if phase == .waiting { giveUp(service, row, group, context) }
    case .wake("launches"): if phase == .waiting { checkLaunches(service, group, context) }
    case .changed: if phase == .waiting { checkNodes(service, row, group, context) }
    case .kube("aws-auth", let reply): mapped(reply, service, row, group, context)
    case .kube("aws-auth-written", let reply): wroteMapping(reply, service, row, group, context)
    case .message("update", let id): apply(update: id.string ?? "", service, row, group, context)
    case .message("updated", let id): finish(update: id.string ?? "", service)
    case .message("delete", _):
      context.cancel("deadline")
      context.cancel("launches")
      phase = .draining
      context.wake("next", after: context.durations[.nodegroupDelete] / 2)
    default: break
    }
  }

  private mutating func proceed(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
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
  private func prepare(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow) -> Bool {
    let profile = "eks-\(group.uuid)"
    let role = ARN.parse(group.role)?.name ?? ""
    let document = group.document
    for (operation, input) in [
      ("CreateInstanceProfile", ["InstanceProfileName": .string(profile)] as JSON),
      ("AddRoleToInstanceProfile", ["InstanceProfileName": .string(profile), "RoleName": .string(role)] as JSON),
    ] {
      let reply = service.call("iam", operation, input, by: .nodegroup)
      guard reply.error == nil else { return raise(service, reply.error, []) }
    }
    let owned: JSON = [
      ["Key": "eks:cluster-name", "Value": .string(cluster)], ["Key": "eks:nodegroup-name", "Value": .string(name)],
      ["Key": .string("kubernetes.io/cluster/\(cluster)"), "Value": "owned"],
    ]
    let template = service.call(
      "ec2", "CreateLaunchTemplate",
      [
        "LaunchTemplateName": .string(profile),
        "LaunchTemplateData": [
          "ImageId": .string(NodeImage.id(version: document["version"].string ?? "", region: service.world.region)),
          "InstanceType": document["instanceTypes"][0], "IamInstanceProfile": ["Name": .string(profile)],
          "SecurityGroupIds": [.string(row.securityGroup)],
          "MetadataOptions": ["HttpTokens": "required", "HttpPutResponseHopLimit": 2],
          "BlockDeviceMappings": [
            [
              "DeviceName": "/dev/xvda",
              "Ebs": ["VolumeSize": document["diskSize"], "VolumeType": "gp3", "DeleteOnTermination": true],
            ]
          ],
          "UserData": .string(NodeUserData.managed(row, group, region: service.world.region)),
          "TagSpecifications": [["ResourceType": "instance", "Tags": owned]],
        ],
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
    return true
  }

  private func raise(_ service: EKSService, _ error: AWSError?, _ resources: [String]) -> Bool {
    let code =
      switch error?.code {
      case "UnauthorizedOperation", "AccessDenied": "AccessDenied"
      case "NoSuchEntity": "IamNodeRoleNotFound"
      case "LimitExceeded": "IamLimitExceeded"
      case "InvalidSubnetID.NotFound": "Ec2SubnetNotFound"
      case "InvalidGroup.NotFound": "Ec2SecurityGroupNotFound"
      default: "InternalFailure"
      }
    service.nodegroups.update(key) { $0.raise(code, error?.message ?? "", resources) }
    return false
  }

  private func mapByEntry(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow) {
    guard service.entries[Key.entry(cluster, group.role)] == nil, let id = service.principalID(group.role) else {
      return
    }
    service.makeEntry(cluster: cluster, principal: group.role, id: id, kind: .ec2Linux, managed: true)
  }

  /// Adds the role's line to aws-auth when it has none; a ConfigMap that can't be read is left alone.
  private mutating func mapped(
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

  private mutating func wroteMapping(
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

  private mutating func beginWaiting(
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
  private mutating func checkNodes(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context)
  {
    let ready = nodes(row, context).count(where: Self.isReady)
    guard ready >= group.desired else { return }
    phase = .active
    context.cancel("deadline")
    context.cancel("launches")
    context.world.kube.host?.unwatch(cluster: row.id, component: context.id)
    service.nodegroups.update(key) { row in
      row.status = "ACTIVE"
      row.document["health"] = ["issues": []]
    }
  }

  private static func isReady(_ node: JSON) -> Bool {
    node["status"]["conditions"].items.contains { $0["type"].string == "Ready" && $0["status"].string == "True" }
  }

  private func nodes(_ row: ClusterRow, _ context: Context) -> [JSON] {
    (context.world.kube.host?.list(cluster: row.id, resource: "nodes", namespace: "") ?? []).filter {
      $0["metadata"]["labels"]["eks.amazonaws.com/nodegroup"].string == name
    }
  }

  private func instances(_ service: EKSService, _ group: NodegroupRow) -> [String] {
    let reply = service.call(
      "autoscaling", "DescribeAutoScalingGroups", ["AutoScalingGroupNames": [.string(group.autoScalingGroup)]],
      by: .nodegroup)
    return reply.output?["AutoScalingGroups"][0]["Instances"].items.compactMap { $0["InstanceId"].string } ?? []
  }

  private func checkLaunches(_ service: EKSService, _ group: NodegroupRow, _ context: Context) {
    let reply = service.call(
      "autoscaling", "DescribeScalingActivities", ["AutoScalingGroupName": .string(group.autoScalingGroup)],
      by: .nodegroup)
    if let failed = reply.output?["Activities"].items.first(where: { $0["StatusCode"].string == "Failed" }) {
      service.nodegroups.update(key) { row in
        row.raise(
          "AsgInstanceLaunchFailures",
          "Could not launch On-Demand Instances. \(failed["StatusMessage"].string ?? "")", [row.autoScalingGroup])
      }
    }
    context.wake("launches", after: Self.launchCheck, .background)
  }

  private mutating func giveUp(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    phase = .failed
    context.world.kube.host?.unwatch(cluster: row.id, component: context.id)
    let instances = instances(service, group)
    let joined = nodes(row, context)
    service.nodegroups.update(key) { row in
      row.status = "CREATE_FAILED"
      if instances.isEmpty { return }
      row.raise(
        "NodeCreationFailure",
        joined.count < row.desired
          ? "Instances failed to join the kubernetes cluster" : "Unhealthy nodes in the kubernetes cluster", instances)
    }
  }

  // MARK: - Changes

  private mutating func apply(
    update id: String, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    guard let update = service.updates[Key.update(cluster, id)] else { return }
    let scaling = update.change["scalingConfig"]
    if !scaling.isNull {
      _ = service.call(
        "autoscaling", "UpdateAutoScalingGroup",
        [
          "AutoScalingGroupName": .string(group.autoScalingGroup), "MinSize": scaling["minSize"],
          "MaxSize": scaling["maxSize"], "DesiredCapacity": scaling["desiredSize"],
        ], by: .nodegroup)
    }
    let labels = update.change["labels"]
    if !labels.isNull {
      var patch: JSON = .emptyObject
      for field in group.document["labels"].fields where !labels.has(field.key) {
        patch = .object(JSONObject(patch.fields.map { ($0.key, $0.value) } + [(field.key, .null)]))
      }
      for field in labels.fields { patch[field.key] = field.value }
      for node in nodes(row, context) {
        let body = JSON.object(JSONObject([("metadata", .object(JSONObject([("labels", patch)])))]))
        context.submit(
          EKSUsers.nodeManager(row.id).patch("nodes", "", node["metadata"]["name"].string ?? "", body, .merge),
          tag: "label")
      }
    }
    context.send(context.id, "updated", .string(id), after: context.durations[.nodegroupScaleUp])
  }

  private func finish(update id: String, _ service: EKSService) {
    guard let update = service.updates[Key.update(cluster, id)] else { return }
    service.nodegroups.update(key) { row in
      for field in update.change.fields { row.document[field.key] = field.value }
      row.document["modifiedAt"] = .double(Double(service.world.now.microseconds / 1000) / 1000)
      if row.status == "UPDATING" { row.status = "ACTIVE" }
    }
    service.updates.update(Key.update(cluster, id)) { $0.document["status"] = "Successful" }
  }

  // MARK: - Down

  /// How long pods that are on their way out are waited for.
  static let drainLimit = Duration.seconds(15 * 60)
  /// Between two rounds of evictions; one that a disruption budget refused is asked for again.
  static let evictionRound = Duration.seconds(1)

  /// Nodes are taken out of load balancing and of scheduling, their pods are evicted, then the group ends
  /// its instances. Pods that a disruption budget holds are given a few minutes of AWS's own, no more (EKS user
  /// guide, deleting a managed node group).
  private mutating func drain(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    let client = EKSUsers.nodeManager(row.id)
    let names = nodes(row, context).compactMap { $0["metadata"]["name"].string }
    if drainUntil == nil {
      drainUntil = context.now + context.durations[.nodegroupDelete]
      let label: JSON = ["labels": ["node.kubernetes.io/exclude-from-external-load-balancers": "true"]]
      for node in names {
        context.submit(client.patch("nodes", "", node, ["metadata": label], .merge), tag: "cordon")
        context.submit(client.patch("nodes", "", node, ["spec": ["unschedulable": true]], .merge), tag: "cordon")
      }
    }
    let pods = podsToEvict(from: Set(names), row, context)
    let until = drainUntil ?? context.now
    let isWaiting =
      until > context.now
      || until + Self.drainLimit > context.now && pods.contains { !$0["metadata"]["deletionTimestamp"].isNull }
    guard pods.isEmpty || !isWaiting else {
      for pod in pods where pod["metadata"]["deletionTimestamp"].isNull {
        let view = ObjectView(pod)
        let eviction: JSON = [
          "apiVersion": "policy/v1", "kind": "Eviction",
          "metadata": ["name": .string(view.name), "namespace": .string(view.namespace)],
        ]
        let path = "\(KubeClient.path("pods", view.namespace))/\(view.name)/eviction"
        context.submit(client.request("POST", path, body: eviction), tag: "evicted")
      }
      return context.wake("next", after: Self.evictionRound)
    }
    _ = service.call(
      "autoscaling", "DeleteAutoScalingGroup",
      ["AutoScalingGroupName": .string(group.autoScalingGroup), "ForceDelete": true], by: .nodegroup)
    phase = .deleting
    context.wake("next", after: context.durations[.nodegroupDelete] / 2)
  }

  /// Pods that have to leave: not those of DaemonSets, not mirrors, not ended ones.
  private func podsToEvict(from nodes: Set<String>, _ row: ClusterRow, _ context: Context) -> [JSON] {
    (context.world.kube.host?.list(cluster: row.id, resource: "pods", namespace: "") ?? []).filter { pod in
      nodes.contains(pod["spec"]["nodeName"].string ?? "")
        && !pod["metadata"]["ownerReferences"].items.contains { $0["kind"].string == "DaemonSet" }
        && pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].isNull
        && !["Succeeded", "Failed"].contains(pod["status"]["phase"].string ?? "")
    }
  }

  private mutating func takeDown(_ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context) {
    let left = service.call(
      "autoscaling", "DescribeAutoScalingGroups", ["AutoScalingGroupNames": [.string(group.autoScalingGroup)]],
      by: .nodegroup)
    if left.output?["AutoScalingGroups"].items.isEmpty == false {
      return context.wake("next", after: context.durations[.instanceTerminate])
    }
    if let template = group.launchTemplateID {
      _ = service.call("ec2", "DeleteLaunchTemplate", ["LaunchTemplateId": .string(template)], by: .nodegroup)
    }
    if let profile = group.instanceProfile {
      _ = service.call(
        "iam", "RemoveRoleFromInstanceProfile",
        ["InstanceProfileName": .string(profile), "RoleName": .string(ARN.parse(group.role)?.name ?? "")],
        by: .nodegroup)
      _ = service.call("iam", "DeleteInstanceProfile", ["InstanceProfileName": .string(profile)], by: .nodegroup)
    }
    // The mapping goes with the last group that has the role.
    let others = service.nodegroups.rows(prefix: "\(cluster)|").contains {
      $0.row.name != name && $0.row.role == group.role
    }
    if !others {
      if service.entries[Key.entry(cluster, group.role)]?.isManaged == true {
        service.entries[Key.entry(cluster, group.role)] = nil
      } else if AuthenticationMode(rawValue: row.mode)?.usesConfigMap == true {
        return context.submit(
          EKSUsers.nodeManager(row.id).get("configmaps", "kube-system", "aws-auth"), tag: "aws-auth")
      }
    }
    gone(service, context)
  }

  private func unmap(_ reply: KubeReply, _ client: KubeClient, _ group: NodegroupRow, _ context: Context) {
    if reply.isSuccess, let patch = AWSAuthDocument.removing(group.role, from: reply.body) {
      context.submit(client.patch("configmaps", "kube-system", "aws-auth", patch, .merge), tag: "unmapped")
    }
    if let service = EKSService.of(context.world) { gone(service, context) }
  }

  private func gone(_ service: EKSService, _ context: Context) {
    service.nodegroups[key] = nil
    context.stop()
  }
}
