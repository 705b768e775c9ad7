import Wire
import World

/// What the keeper of a group does.
extension AutoScalingService {
  func newActivity(
    _ group: String, _ description: String, cause: String, details: JSON
  ) -> ScalingActivity {
    let activity = ScalingActivity(
      id: world.newID { $0.uuid() }, group: group, description: description, cause: cause, startedAt: world.now,
      status: "InProgress", progress: 50, details: details.text())
    activities[activity.id] = activity
    return activity
  }

  func finish(_ activity: String, _ status: String, _ message: String? = nil) {
    activities.update(activity) {
      guard $0.status == "InProgress" else { return }
      $0.status = status
      $0.message = message
      $0.progress = 100
      $0.endedAt = world.now
    }
  }

  /// Subnets to launch in: of the zone with the fewest members first, as given within a zone.
  func places(_ group: AutoScalingGroup) -> [(subnet: String, zone: String)] {
    let reply = world.aws.perform(call("ec2", "DescribeSubnets", ["SubnetIds": JSON(group.subnets)]))
    let rows = (reply.output?["Subnets"].items ?? []).map {
      (subnet: $0["SubnetId"].string ?? "", zone: $0["AvailabilityZone"].string ?? "")
    }
    func members(_ zone: String) -> Int { group.present.count { $0.zone == zone } }
    return rows.sorted { a, b in
      (members(a.zone), a.zone, group.subnets.firstIndex(of: a.subnet) ?? 0)
        < (members(b.zone), b.zone, group.subnets.firstIndex(of: b.subnet) ?? 0)
    }
  }

  /// Launches one instance, in the first place that takes it.
  func launch(in group: AutoScalingGroup) -> AWSError? {
    let cause =
      "At \(world.now.rfc3339) an instance was started in response to a difference between desired and actual capacity, increasing the capacity from \(group.present.count) to \(group.present.count + 1)."
    var failure = AWSError(code: "ValidationError", message: "No subnet of the group exists.")
    let candidates = places(group)
    let specification =
      group.template.isNull ? group.mixed["LaunchTemplate"]["LaunchTemplateSpecification"] : group.template
    var tags: [JSON] = group.tags.filter(\.propagates).map {
      ["Key": .string($0.key), "Value": .string($0.value)]
    }
    tags.append(["Key": .string(EC2Service.groupTag), "Value": .string(group.name)])
    for place in candidates {
      var input: JSON = [
        "LaunchTemplate": specification, "MinCount": 1, "MaxCount": 1, "SubnetId": .string(place.subnet),
        "TagSpecifications": [["ResourceType": "instance", "Tags": .array(tags)]],
      ]
      if let type = group.types.first { input["InstanceType"] = .string(type) }
      switch world.aws.perform(call("ec2", "RunInstances", input)) {
      case .ok(let output):
        let made = output["Instances"][0]
        let id = made["InstanceId"].string ?? ""
        let activity = newActivity(
          group.name, "Launching a new EC2 instance: \(id)", cause: cause,
          details: ["Subnet ID": .string(place.subnet), "Availability Zone": .string(place.zone)])
        let version = launchedVersion(specification)
        groups.update(group.name) {
          $0.members.append(
            .init(
              id: id, zone: place.zone, type: made["InstanceType"].string ?? "", version: version,
              activity: activity.id))
        }
        return nil
      case .error(let error): failure = error
      }
    }
    let place = candidates.first
    let activity = newActivity(
      group.name, "Launching a new EC2 instance", cause: cause,
      details: [
        "Subnet ID": .string(place?.subnet ?? ""), "Availability Zone": .string(place?.zone ?? ""),
      ])
    finish(
      activity.id, "Failed",
      "\(failure.code) - \(failure.message) Launching EC2 instance failed.")
    return failure
  }

  /// The number behind `$Latest` and `$Default`.
  private func launchedVersion(_ specification: JSON) -> String {
    let reply = world.aws.perform(
      call(
        "ec2", "DescribeLaunchTemplateVersions",
        [
          "LaunchTemplateId": specification["LaunchTemplateId"],
          "LaunchTemplateName": specification["LaunchTemplateName"],
          "Versions": [specification["Version"].isNull ? "$Default" : specification["Version"]],
        ]))
    return reply.output?["LaunchTemplateVersions"][0]["VersionNumber"].int.map(String.init) ?? "1"
  }

  /// Takes an instance out of the group: at once, or after a hook lets it go.
  @discardableResult
  func release(_ id: String, from name: String, cause: String) -> ScalingActivity? {
    guard let group = groups[name], let member = group.members.first(where: { $0.id == id }), !member.isLeaving else {
      return nil
    }
    finish(member.activity, "Cancelled")
    let activity = newActivity(
      name, "Terminating EC2 instance: \(id)", cause: cause,
      details: ["Availability Zone": .string(member.zone)])
    let hook = group.hooks.first { $0.transition == AutoScalingGroup.terminating }
    // A group that is deleted by force waits for nobody.
    let waits = hook != nil && !group.isDeleting
    groups.update(name) { group in
      guard let at = group.members.firstIndex(where: { $0.id == id }) else { return }
      group.members[at].state = waits ? .terminatingWait : .terminating
      group.members[at].activity = activity.id
    }
    if waits, let hook {
      notify(hook, id, of: name)
    } else {
      terminate(id)
    }
    return activity
  }

  /// An instance waits in a hook: its time runs, and who put the hook hears of it.
  func notify(_ hook: AutoScalingGroup.Hook, _ id: String, of group: String) {
    world.schedule(
      AutoScalingGroupLife.id(group),
      .message("waiting", ["id": .string(id), "seconds": .int(Int64(hook.heartbeat))]), at: world.now)
    world.ports.lifecycleAction([
      "AutoScalingGroupName": .string(group), "LifecycleHookName": .string(hook.name), "EC2InstanceId": .string(id),
      "LifecycleTransition": .string(hook.transition), "NotificationTargetARN": JSON(hook.target),
    ])
  }

  func terminate(_ id: String) {
    _ = world.aws.perform(call("ec2", "TerminateInstances", ["InstanceIds": [.string(id)]]))
  }
}
