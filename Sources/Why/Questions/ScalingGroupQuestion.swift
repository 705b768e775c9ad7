import Evidence
import Mechanisms
import Wire

/// Why an Auto Scaling group of self-managed nodes lacks nodes.
struct ScalingGroupQuestion: Question {
  let kinds = ["autoscalinggroup"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let found = await world.aws(.describeAutoScalingGroups, filters: ["AutoScalingGroupNames": [subject.name]])
    guard let group = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Auto Scaling group \(subject.name)")
    }
    let nodes = await world.list(.nodes)
    if let gap = nodes.gap { throw .unreachable(gap) }
    let entity = Entity("AutoScalingGroup", subject.name)
    let joined = Set(nodes.items.compactMap { NodeState.instanceID($0["spec"]["providerID"].string ?? "") })
    let instances = group["Instances"].items.compactMap { $0["InstanceId"].string }
    let absent = instances.filter { !joined.contains($0) }
    let desired = group["DesiredCapacity"].int ?? 0
    let there = instances.count - absent.count
    // One stands for all: they are launched by one template.
    var effects = absent.prefix(1).map { Explanation.Cause(Effect(.neverJoined, Entity("Instance", $0))) }
    if instances.count < desired { effects.append(.init(Effect(.launchFails, entity))) }
    let counts = "\(there) of \(Count.of(desired, "node"))"
    return Inquiry(
      entity, effects: effects, isTrouble: !effects.isEmpty,
      summary: effects.isEmpty
        ? "no fault found in \(entity.title): \(counts) joined" : "\(entity.title) has \(counts)",
      lastResort: Gap(
        read: "node:cloud-init and kubelet logs", why: "they stand in no public API",
        how: "aws ec2 get-console-output, or journalctl -u kubelet on an instance of the group"))
  }
}

/// An Auto Scaling group has fewer instances than it wants, and its last launch failed.
struct LaunchFails: Link {
  let code = "nodes/launch-fails"
  let explains: [Effect.Kind] = [.launchFails]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    await world.launchFailure(of: effect.entity, role: nil, verify: "ekswhy \(effect.entity.title)")
  }
}

extension Investigation {
  /// The last launch of an Auto Scaling group, where it failed; `role` is that of its instances, where it is known.
  func launchFailure(of group: Entity, role: String?, verify: String) async -> Finding {
    let activities = await aws(.describeScalingActivities, ["AutoScalingGroupName": group.name])
    if let gap = activities.gap { return .open([gap]) }
    guard let failed = activities.items.first(where: { $0["StatusCode"].string == "Failed" }) else { return .silent }
    let message = failed["StatusMessage"].string ?? ""
    let at = failed["EndTime"].time ?? failed["StartTime"].time
    let evidence = [
      Exhibit(
        Cite.aws(.describeScalingActivities, group.name, field: "StatusMessage", value: message, at: at),
        text:
          "autoscaling DescribeScalingActivities \(group.name): Failed \(at.map { Ages.clock($0, now: now) } ?? ""): \"\(Ages.shortened(message, 200))\""
      )
    ]
    return .holds(
      Explanation(
        "its Auto Scaling group can't launch instances", entity: group, evidence: evidence,
        root: LaunchRefusal(message).root(group, role: role, evidence, verify: verify, self), lastSymptomAt: at))
  }
}
