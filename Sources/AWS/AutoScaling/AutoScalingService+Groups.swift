import Wire
import World

extension AutoScalingService {
  static var groupOperations: [String: Operation<AutoScalingService>] {
    [
      "CreateAutoScalingGroup": createGroup, "DescribeAutoScalingGroups": describeGroups,
      "UpdateAutoScalingGroup": updateGroup, "DeleteAutoScalingGroup": deleteGroup,
      "DescribeAutoScalingInstances": describeInstances, "DescribeScalingActivities": describeActivities,
    ]
  }

  private func json(_ member: AutoScalingGroup.Member, of group: AutoScalingGroup) -> JSON {
    [
      "InstanceId": .string(member.id), "InstanceType": .string(member.type),
      "AvailabilityZone": .string(member.zone), "LifecycleState": .string(member.state.rawValue),
      "HealthStatus": member.isHealthy ? "Healthy" : "Unhealthy", "ProtectedFromScaleIn": false,
      "LaunchTemplate": launchTemplate(group, member.version),
    ]
  }

  private func launchTemplate(_ group: AutoScalingGroup, _ version: String) -> JSON {
    var value = group.template
    if value.isNull { value = group.mixed["LaunchTemplate"]["LaunchTemplateSpecification"] }
    value["Version"] = .string(version)
    return value
  }

  func json(_ group: AutoScalingGroup) -> JSON {
    var value: JSON = [
      "AutoScalingGroupName": .string(group.name), "AutoScalingGroupARN": .string(group.arn),
      "LaunchTemplate": group.template, "MixedInstancesPolicy": group.mixed,
      "MinSize": .int(Int64(group.minimum)), "MaxSize": .int(Int64(group.maximum)),
      "DesiredCapacity": .int(Int64(group.desired)), "DefaultCooldown": .int(Int64(group.cooldown)),
      "AvailabilityZones": JSON(group.zones), "LoadBalancerNames": [], "TargetGroupARNs": [],
      "HealthCheckType": .string(group.healthCheck), "HealthCheckGracePeriod": .int(Int64(group.grace)),
      "Instances": .array(group.members.map { json($0, of: group) }), "CreatedTime": .time(group.createdAt),
    ]
    value["SuspendedProcesses"] = .array(
      group.suspended.map { ["ProcessName": .string($0), "SuspensionReason": "User suspended"] })
    value["VPCZoneIdentifier"] = .string(group.subnets.joined(separator: ","))
    value["EnabledMetrics"] = []
    value["Tags"] = .array(group.tags.map { json($0, of: group.name) })
    value["TerminationPolicies"] = ["Default"]
    value["NewInstancesProtectedFromScaleIn"] = .bool(group.protectsNew)
    value["ServiceLinkedRoleARN"] = .string(
      "arn:aws:iam::\(world.account):role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling")
    value["TrafficSources"] = []
    if group.isDeleting { value["Status"] = "Delete in progress" }
    return value
  }

  func json(_ tag: AutoScalingGroup.Tag, of group: String) -> JSON {
    [
      "ResourceId": .string(group), "ResourceType": "auto-scaling-group", "Key": .string(tag.key),
      "Value": .string(tag.value), "PropagateAtLaunch": .bool(tag.propagates),
    ]
  }

  private func subnets(_ input: JSON) throws(AWSError) -> (ids: [String], zones: [String])? {
    guard let text = input["VPCZoneIdentifier"].string, !text.isEmpty else { return nil }
    let ids = text.split(separator: ",").map { String($0.filter { $0 != " " }) }
    let reply = world.aws.perform(call("ec2", "DescribeSubnets", ["SubnetIds": JSON(ids)]))
    guard let rows = reply.output?["Subnets"].items else {
      throw .validation("The subnet ID '\(ids.joined(separator: ","))' does not exist")
    }
    return (ids, Set(rows.compactMap { $0["AvailabilityZone"].string }).sorted())
  }

  /// Checks that the template is there, which Auto Scaling does when a group is made or changed.
  private func checkTemplate(_ specification: JSON) throws(AWSError) {
    let reply = world.aws.perform(
      call(
        "ec2", "DescribeLaunchTemplateVersions",
        [
          "LaunchTemplateId": specification["LaunchTemplateId"],
          "LaunchTemplateName": specification["LaunchTemplateName"],
          "Versions": [specification["Version"].isNull ? "$Default" : specification["Version"]],
        ]))
    if let error = reply.error {
      throw .validation("You must use a valid fully-formed launch template. \(error.message)")
    }
  }

  private func ensureRole() {
    let asked = AWSCall(
      service: "iam", operation: "GetRole", input: ["RoleName": "AWSServiceRoleForAutoScaling"], region: world.region,
      caller: .service("autoscaling.amazonaws.com"))
    guard world.aws.perform(asked).output == nil else { return }
    var made = asked
    made.operation = "CreateServiceLinkedRole"
    made.input = ["AWSServiceName": "autoscaling.amazonaws.com"]
    _ = world.aws.perform(made)
  }

  private func createGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let name = input["AutoScalingGroupName"].string ?? ""
    guard groups[name] == nil else {
      throw AWSError(
        code: "AlreadyExists",
        message: "AutoScalingGroup by this name already exists - A group with the name \(name) already exists",
        status: 400)
    }
    let minimum = input["MinSize"].int ?? 0
    let maximum = input["MaxSize"].int ?? 0
    let desired = input["DesiredCapacity"].int ?? minimum
    try checkSizes(minimum, maximum, desired)
    let mixed = input["MixedInstancesPolicy"]
    let specification =
      mixed.isNull ? input["LaunchTemplate"] : mixed["LaunchTemplate"]["LaunchTemplateSpecification"]
    guard !specification.isNull else {
      throw .validation(
        "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter."
      )
    }
    ensureRole()
    guard let place = try subnets(input) else {
      throw .validation("At least one Availability Zone or VPC Subnet is required.")
    }
    try checkTemplate(specification)
    let group = AutoScalingGroup(
      name: name, arn: arn(name, world.newID { $0.uuid() }), createdAt: request.now, minimum: minimum,
      maximum: maximum, desired: desired, cooldown: input["DefaultCooldown"].int ?? 300,
      healthCheck: input["HealthCheckType"].string ?? "EC2", grace: input["HealthCheckGracePeriod"].int ?? 0,
      subnets: place.ids, zones: place.zones, template: mixed.isNull ? input["LaunchTemplate"] : .null, mixed: mixed,
      types: mixed["LaunchTemplate"]["Overrides"].items.compactMap { $0["InstanceType"].string },
      tags: Self.tags(input["Tags"]), protectsNew: input["NewInstancesProtectedFromScaleIn"].bool ?? false)
    groups[name] = group
    world.spawn(AutoScalingGroupLife.id(name), AutoScalingGroupLife(group: name))
    return .emptyObject
  }

  static func tags(_ json: JSON) -> [AutoScalingGroup.Tag] {
    json.items.map {
      .init(
        key: $0["Key"].string ?? "", value: $0["Value"].string ?? "",
        propagates: $0["PropagateAtLaunch"].bool ?? false)
    }
  }

  func checkSizes(_ minimum: Int, _ maximum: Int, _ desired: Int) throws(AWSError) {
    guard minimum <= maximum else {
      throw .validation("Max bound, \(maximum), must be greater than or equal to min bound, \(minimum)")
    }
    guard desired >= minimum else {
      throw .validation(
        "Desired capacity:\(desired) must be between the specified min size:\(minimum) and max size:\(maximum)")
    }
    guard desired <= maximum else {
      throw .validation(
        "Desired capacity:\(desired) must be between the specified min size:\(minimum) and max size:\(maximum)")
    }
  }

  private func describeGroups(_ request: AWSRequest) throws(AWSError) -> JSON {
    let names = request.input["AutoScalingGroupNames"].strings
    var rows = groups.all.filter { names.isEmpty || names.contains($0.name) }
    for filter in request.input["Filters"].items {
      let values = filter["Values"].strings
      rows = rows.filter { group in
        switch filter["Name"].string ?? "" {
        case "tag-key": group.tags.contains { values.contains($0.key) }
        case "tag-value": group.tags.contains { values.contains($0.value) }
        case let name where name.hasPrefix("tag:"):
          group.tags.contains { $0.key == name.dropFirst(4) && values.contains($0.value) }
        default: true
        }
      }
    }
    return try page("AutoScalingGroups", rows.map { ($0.name, json($0)) }, request)
  }

  private func updateGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    var group = try group(request)
    let input = request.input
    let minimum = input["MinSize"].int ?? group.minimum
    let maximum = input["MaxSize"].int ?? group.maximum
    var desired = input["DesiredCapacity"].int ?? group.desired
    if input["DesiredCapacity"].isNull { desired = min(max(desired, minimum), maximum) }
    try checkSizes(minimum, maximum, desired)
    (group.minimum, group.maximum, group.desired) = (minimum, maximum, desired)
    if let place = try subnets(input) { (group.subnets, group.zones) = (place.ids, place.zones) }
    if !input["LaunchTemplate"].isNull {
      try checkTemplate(input["LaunchTemplate"])
      group.template = input["LaunchTemplate"]
      group.mixed = .null
      group.types = []
    }
    if !input["MixedInstancesPolicy"].isNull {
      group.mixed = input["MixedInstancesPolicy"]
      group.template = .null
      group.types = group.mixed["LaunchTemplate"]["Overrides"].items.compactMap { $0["InstanceType"].string }
    }
    if let seconds = input["DefaultCooldown"].int { group.cooldown = seconds }
    if let type = input["HealthCheckType"].string { group.healthCheck = type }
    if let seconds = input["HealthCheckGracePeriod"].int { group.grace = seconds }
    groups[group.name] = group
    poke(group.name)
    return .emptyObject
  }

  private func deleteGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    guard group.members.isEmpty || request.input["ForceDelete"].bool == true else {
      throw AWSError(
        code: "ResourceInUse",
        message:
          "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.",
        status: 400)
    }
    groups.update(group.name) {
      $0.isDeleting = true
      ($0.minimum, $0.desired) = (0, 0)
    }
    poke(group.name)
    return .emptyObject
  }

  private func describeInstances(_ request: AWSRequest) throws(AWSError) -> JSON {
    let wanted = request.input["InstanceIds"].strings
    let rows = groups.all.flatMap { group in
      group.members.filter { wanted.isEmpty || wanted.contains($0.id) }.map { member in
        var value = json(member, of: group)
        value["AutoScalingGroupName"] = .string(group.name)
        value["HealthStatus"] = member.isHealthy ? "HEALTHY" : "UNHEALTHY"
        return (member.id, value)
      }
    }
    return try page("AutoScalingInstances", rows.sorted { $0.0 < $1.0 }, request)
  }

  private func describeActivities(_ request: AWSRequest) throws(AWSError) -> JSON {
    var rows: [ScalingActivity]
    if request.input["AutoScalingGroupName"].isNull {
      rows = activities.all
    } else {
      let name = request.input["AutoScalingGroupName"].string ?? ""
      rows = activities.filter { $0.group == name }
      if rows.isEmpty { _ = try group(request) }
    }
    let wanted = request.input["ActivityIds"].strings
    if !wanted.isEmpty { rows = rows.filter { wanted.contains($0.id) } }
    // Newest first.
    rows.sort { ($1.startedAt, $1.id) < ($0.startedAt, $0.id) }
    let all = rows.enumerated().map { ($0.offset.padded(6), json($0.element)) }
    return try page("Activities", all, request)
  }

  func json(_ activity: ScalingActivity) -> JSON {
    [
      "ActivityId": .string(activity.id), "AutoScalingGroupName": .string(activity.group),
      "Description": .string(activity.description), "Cause": .string(activity.cause),
      "StartTime": .preciseTime(activity.startedAt), "EndTime": .preciseTime(activity.endedAt),
      "StatusCode": .string(activity.status), "StatusMessage": JSON(activity.message),
      "Progress": .int(Int64(activity.progress)), "Details": .string(activity.details),
      "AutoScalingGroupARN": JSON(groups[activity.group]?.arn),
    ]
  }
}
