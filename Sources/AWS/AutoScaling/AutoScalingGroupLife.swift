import Wire
import World

/// What keeps a group at its size: launches and ends instances, replaces those that were lost.
struct AutoScalingGroupLife: Component {
  static let kind = "asg"

  var group: String
  /// Launches that failed in a row; the next try waits longer.
  var failures = 0

  static func id(_ group: String) -> ComponentID { ComponentID("\(kind)/\(group)") }

  mutating func step(_ input: Input, _ context: Context) {
    guard let service = context.world.aws.services["autoscaling"] as? AutoScalingService else { return }
    switch input {
    case .start: context.wake("look", after: context.durations[.nodegroupScaleUp])
    case .message("instance", let change): heard(change, service, context)
    case .message("waiting", let wait):
      context.wake(
        "heartbeat/\(wait["id"].string ?? "")", after: .seconds(wait["seconds"].int ?? 3600), .background)
    case .message("heartbeat", let id):
      let seconds = hook(of: id.string ?? "", service)?.heartbeat ?? 3600
      context.wake("heartbeat/\(id.string ?? "")", after: .seconds(seconds), .background)
    case .message("proceed", let answer):
      proceed(answer["id"].string ?? "", answer["result"].string ?? "CONTINUE", service, context)
    case .wake(let timer) where timer.hasPrefix("heartbeat/"):
      let id = String(timer.dropFirst("heartbeat/".count))
      proceed(id, hook(of: id, service)?.result ?? "ABANDON", service, context)
    case .message("look", _), .wake("look"): look(service, context)
    default: break
    }
  }

  private mutating func look(_ service: AutoScalingService, _ context: Context) {
    guard let row = service.groups[group] else { return context.stop() }
    if row.isDeleting, row.members.isEmpty {
      service.groups[group] = nil
      return context.stop()
    }
    replaceLost(row, service, context)
    guard let row = service.groups[group] else { return }
    let present = row.present
    if present.count < row.desired, !row.suspended.contains("Launch") {
      if service.launch(in: row) != nil {
        failures += 1
        // Auto Scaling backs off; such a failure mostly repeats.
        let seconds = min(600, 15 << min(failures, 5))
        context.wake("look", after: .seconds(seconds), .background)
      } else {
        failures = 0
        look(service, context)
      }
    } else if present.count > row.desired, !row.suspended.contains("Terminate") {
      shrink(row, service, context)
    }
  }

  /// Instances that fail their health check are taken out and replaced.
  private func replaceLost(_ row: AutoScalingGroup, _ service: AutoScalingService, _ context: Context) {
    guard !row.suspended.contains("ReplaceUnhealthy") else { return }
    for member in row.present where !member.isHealthy {
      service.release(
        member.id, from: group,
        cause:
          "At \(context.now.rfc3339) an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped."
      )
    }
  }

  /// Ends what is too much: in the zone with the most members, the oldest launch first.
  private func shrink(_ row: AutoScalingGroup, _ service: AutoScalingService, _ context: Context) {
    var row = row
    while row.present.count > row.desired {
      let counts = Dictionary(grouping: row.present, by: \.zone).mapValues(\.count)
      let most = counts.values.max() ?? 0
      let zone = counts.filter { $0.value == most }.keys.sorted()[0]
      guard let member = row.present.first(where: { $0.zone == zone }) else { return }
      service.release(
        member.id, from: group,
        cause:
          "At \(context.now.rfc3339) an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from \(row.present.count) to \(row.present.count - 1). At \(context.now.rfc3339) instance \(member.id) was selected for termination."
      )
      guard let after = service.groups[group], after.present.count < row.present.count else { return }
      row = after
    }
  }

  /// EC2 told that an instance's state changed.
  private mutating func heard(_ change: JSON, _ service: AutoScalingService, _ context: Context) {
    let id = change["id"].string ?? ""
    guard let row = service.groups[group], let member = row.members.first(where: { $0.id == id }) else { return }
    switch change["state"].string {
    case "running" where member.state == .pending:
      if let hook = row.hooks.first(where: { $0.transition == AutoScalingGroup.launching }), !row.isDeleting {
        set(.pendingWait, id, service)
        service.notify(hook, id, of: group)
      } else {
        set(.inService, id, service)
        service.finish(member.activity, "Successful")
      }
    case "shutting-down" where !member.isLeaving, "stopping" where !member.isLeaving:
      // Somebody else ended or stopped it.
      service.groups.update(group) { group in
        if let at = group.members.firstIndex(where: { $0.id == id }) { group.members[at].isHealthy = false }
      }
      context.wake("look", after: .seconds(5))
    case "terminated":
      service.groups.update(group) { $0.members.removeAll { $0.id == id } }
      service.finish(member.activity, "Successful")
      context.cancel("heartbeat/\(id)")
      look(service, context)
    default: break
    }
  }

  private func set(_ state: AutoScalingGroup.Member.Lifecycle, _ id: String, _ service: AutoScalingService) {
    service.groups.update(group) { group in
      if let at = group.members.firstIndex(where: { $0.id == id }) { group.members[at].state = state }
    }
  }

  /// The hook in which an instance waits.
  private func hook(of id: String, _ service: AutoScalingService) -> AutoScalingGroup.Hook? {
    guard let row = service.groups[group], let member = row.members.first(where: { $0.id == id }) else { return nil }
    let transition = member.isLeaving ? AutoScalingGroup.terminating : AutoScalingGroup.launching
    return row.hooks.first { $0.transition == transition }
  }

  /// The hook lets an instance go on: one that came into service, unless it is abandoned, one that goes to its end.
  private func proceed(_ id: String, _ result: String, _ service: AutoScalingService, _ context: Context) {
    context.cancel("heartbeat/\(id)")
    guard let member = service.groups[group]?.members.first(where: { $0.id == id }) else { return }
    switch member.state {
    case .pendingWait where result == "CONTINUE":
      set(.inService, id, service)
      service.finish(member.activity, "Successful")
    case .pendingWait, .terminatingWait:
      set(.terminatingProceed, id, service)
      service.terminate(id)
    default: break
    }
  }
}
