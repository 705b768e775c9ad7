import Wire
import World

extension AutoScalingService {
  static var sizeOperations: [String: Operation<AutoScalingService>] {
    [
      "SetDesiredCapacity": setDesiredCapacity, "TerminateInstanceInAutoScalingGroup": terminateInstance,
      "SetInstanceHealth": setInstanceHealth, "SuspendProcesses": suspendProcesses,
      "ResumeProcesses": resumeProcesses,
    ]
  }

  static var hookOperations: [String: Operation<AutoScalingService>] {
    [
      "PutLifecycleHook": putLifecycleHook, "DescribeLifecycleHooks": describeLifecycleHooks,
      "DeleteLifecycleHook": deleteLifecycleHook, "CompleteLifecycleAction": completeLifecycleAction,
      "RecordLifecycleActionHeartbeat": recordHeartbeat,
    ]
  }

  static var tagOperations: [String: Operation<AutoScalingService>] {
    ["CreateOrUpdateTags": createOrUpdateTags, "DeleteTags": deleteTags, "DescribeTags": describeTags]
  }

  private func setDesiredCapacity(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    let desired = request.input["DesiredCapacity"].int ?? 0
    guard desired <= group.maximum else {
      throw .validation(
        "New SetDesiredCapacity value \(desired) is above max value \(group.maximum) for the AutoScalingGroup.")
    }
    guard desired >= group.minimum else {
      throw .validation(
        "New SetDesiredCapacity value \(desired) is below min value \(group.minimum) for the AutoScalingGroup.")
    }
    groups.update(group.name) { $0.desired = desired }
    poke(group.name)
    return .emptyObject
  }

  /// The group that an instance belongs to.
  func group(of instance: String) throws(AWSError) -> AutoScalingGroup {
    guard let group = groups.first(where: { $0.members.contains { $0.id == instance } }) else {
      throw .validation("Instance Id not found - No managed instance found for instance ID: \(instance)")
    }
    return group
  }

  private func terminateInstance(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["InstanceId"].string ?? ""
    let group = try group(of: id)
    let shrinks = request.input["ShouldDecrementDesiredCapacity"].bool == true
    if shrinks {
      guard group.desired > group.minimum else {
        throw .validation(
          "Currently, desiredSize equals minSize (\(group.minimum)). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
        )
      }
      groups.update(group.name) { $0.desired -= 1 }
    }
    let cause =
      "At \(request.now.rfc3339) instance \(id) was taken out of service in response to a user request\(shrinks ? ", shrinking the capacity from \(group.desired) to \(group.desired - 1)" : "")."
    let activity = release(id, from: group.name, cause: cause)
    poke(group.name)
    return ["Activity": activity.map(json) ?? .null]
  }

  private func setInstanceHealth(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["InstanceId"].string ?? ""
    let group = try group(of: id)
    groups.update(group.name) { group in
      if let at = group.members.firstIndex(where: { $0.id == id }) {
        group.members[at].isHealthy = request.input["HealthStatus"].string == "Healthy"
      }
    }
    poke(group.name)
    return .emptyObject
  }

  private func suspendProcesses(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    let all = [
      "Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck",
      "InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions",
    ]
    let wanted = request.input["ScalingProcesses"].strings
    groups.update(group.name) { group in
      for process in wanted.isEmpty ? all : wanted where !group.suspended.contains(process) {
        group.suspended.append(process)
      }
    }
    return .emptyObject
  }

  private func resumeProcesses(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    let wanted = request.input["ScalingProcesses"].strings
    groups.update(group.name) { group in
      group.suspended.removeAll { wanted.isEmpty || wanted.contains($0) }
    }
    poke(group.name)
    return .emptyObject
  }

  // MARK: - Lifecycle hooks

  private func putLifecycleHook(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    let input = request.input
    let hook = AutoScalingGroup.Hook(
      name: input["LifecycleHookName"].string ?? "", transition: input["LifecycleTransition"].string ?? "",
      heartbeat: input["HeartbeatTimeout"].int ?? 3600, result: input["DefaultResult"].string ?? "ABANDON",
      target: input["NotificationTargetARN"].string, role: input["RoleARN"].string,
      metadata: input["NotificationMetadata"].string)
    groups.update(group.name) { group in
      group.hooks.removeAll { $0.name == hook.name }
      group.hooks.append(hook)
      group.hooks.sort { $0.name < $1.name }
    }
    return .emptyObject
  }

  private func describeLifecycleHooks(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    let wanted = request.input["LifecycleHookNames"].strings
    return [
      "LifecycleHooks": .array(
        group.hooks.filter { wanted.isEmpty || wanted.contains($0.name) }.map { hook in
          [
            "LifecycleHookName": .string(hook.name), "AutoScalingGroupName": .string(group.name),
            "LifecycleTransition": .string(hook.transition), "NotificationTargetARN": JSON(hook.target),
            "RoleARN": JSON(hook.role), "NotificationMetadata": JSON(hook.metadata),
            "HeartbeatTimeout": .int(Int64(hook.heartbeat)), "GlobalTimeout": 172_800,
            "DefaultResult": .string(hook.result),
          ]
        })
    ]
  }

  private func deleteLifecycleHook(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    let name = request.input["LifecycleHookName"].string
    groups.update(group.name) { $0.hooks.removeAll { $0.name == name } }
    return .emptyObject
  }

  private func completeLifecycleAction(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    let id = request.input["InstanceId"].string ?? ""
    let waiting: [AutoScalingGroup.Member.Lifecycle] = [.pendingWait, .terminatingWait]
    guard group.members.contains(where: { $0.id == id && waiting.contains($0.state) }) else {
      throw .validation("No active Lifecycle Action found with instance ID \(id)")
    }
    world.schedule(
      AutoScalingGroupLife.id(group.name),
      .message("proceed", ["id": .string(id), "result": request.input["LifecycleActionResult"]]), at: world.now)
    return .emptyObject
  }

  private func recordHeartbeat(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try group(request)
    let id = request.input["InstanceId"].string ?? ""
    world.schedule(AutoScalingGroupLife.id(group.name), .message("heartbeat", .string(id)), at: world.now)
    return .emptyObject
  }

  // MARK: - Tags

  private func createOrUpdateTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    for item in request.input["Tags"].items {
      let name = item["ResourceId"].string ?? ""
      guard groups[name] != nil else {
        throw .validation("AutoScalingGroup name not found - AutoScalingGroup \(name) not found")
      }
    }
    for item in request.input["Tags"].items {
      groups.update(item["ResourceId"].string ?? "") { group in
        let tag = Self.tags([item])[0]
        group.tags.removeAll { $0.key == tag.key }
        group.tags.append(tag)
      }
    }
    return .emptyObject
  }

  private func deleteTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    for item in request.input["Tags"].items {
      groups.update(item["ResourceId"].string ?? "") { $0.tags.removeAll { $0.key == item["Key"].string } }
    }
    return .emptyObject
  }

  private func describeTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    var rows: [(key: String, value: JSON)] = groups.all.flatMap { group in
      group.tags.map { ("\(group.name)/\($0.key)", json($0, of: group.name)) }
    }
    for filter in request.input["Filters"].items {
      let values = filter["Values"].strings
      let member =
        switch filter["Name"].string ?? "" {
        case "auto-scaling-group": "ResourceId"
        case "value": "Value"
        default: "Key"
        }
      rows = rows.filter { values.contains($0.value[member].string ?? "") }
    }
    return try page("Tags", rows.sorted { $0.key < $1.key }, request)
  }
}
