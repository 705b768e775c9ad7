import Wire
import World

/// The hooks that EKS puts on a node group's Auto Scaling group: it hears of every instance that comes or goes.
struct LifecycleHook {
  var name: String
  var transition: String

  static let launching = LifecycleHook(
    name: "Launch-LC-Hook", transition: "autoscaling:EC2_INSTANCE_LAUNCHING")
  static let terminating = LifecycleHook(
    name: "Terminate-LC-Hook", transition: "autoscaling:EC2_INSTANCE_TERMINATING")
  static let all = [launching, terminating]

  func input(_ group: String, region: String) -> JSON {
    [
      "AutoScalingGroupName": .string(group), "LifecycleHookName": .string(name),
      "LifecycleTransition": .string(transition), "HeartbeatTimeout": 1800, "DefaultResult": "CONTINUE",
      "NotificationTargetARN": .string("arn:aws:sns:\(region):602401143452:eks-asg-lifecycle-hook-topic"),
    ]
  }
}

extension NodegroupLife {
  /// An instance that Auto Scaling is to end once its node is drained.
  struct Leaving: Codable {
    var instance: String
    var until: Timestamp
  }

  /// An instance waits in a hook: one that comes goes on at once, one that goes is drained first.
  mutating func hooked(
    _ notice: JSON, _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    let instance = notice["EC2InstanceId"].string ?? ""
    guard notice["LifecycleHookName"].string == LifecycleHook.terminating.name else {
      return letGo(instance, .launching, service, group)
    }
    if let node = nodes(service, row, group, context).first(where: { Self.instance($0) == instance }) {
      cordon(node["metadata"]["name"].string ?? "", EKSUsers.nodeManager(row.id), context)
    }
    leaving = (leaving ?? []) + [Leaving(instance: instance, until: context.now + Self.drainLimit)]
    context.wake("leave", after: .zero)
  }

  mutating func drainLeaving(
    _ service: EKSService, _ row: ClusterRow, _ group: NodegroupRow, _ context: Context
  ) {
    let nodes = nodes(service, row, group, context)
    var left: [Leaving] = []
    for one in leaving ?? [] {
      let names = nodes.filter { Self.instance($0) == one.instance }.compactMap { $0["metadata"]["name"].string }
      let pods = podsToEvict(from: Set(names), row, context)
      if pods.isEmpty || context.now >= one.until {
        letGo(one.instance, .terminating, service, group)
      } else {
        evict(pods, EKSUsers.nodeManager(row.id), context)
        left.append(one)
      }
    }
    leaving = left.isEmpty ? nil : left
    if !left.isEmpty { context.wake("leave", after: Self.evictionRound) }
  }

  private func letGo(_ instance: String, _ hook: LifecycleHook, _ service: EKSService, _ group: NodegroupRow) {
    _ = service.call(
      "autoscaling", "CompleteLifecycleAction",
      [
        "AutoScalingGroupName": .string(group.autoScalingGroup), "LifecycleHookName": .string(hook.name),
        "InstanceId": .string(instance), "LifecycleActionResult": "CONTINUE",
      ], by: .nodegroup)
  }
}
