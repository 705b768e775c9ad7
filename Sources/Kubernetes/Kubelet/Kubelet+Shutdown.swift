import Mechanisms
import Wire
import World

/// A node whose system shuts down: its pods end first, in groups by priority.
///
/// Source: kubernetes `pkg/kubelet/nodeshutdown/nodeshutdown_manager_linux.go`.
extension Kubelet {
  struct ShutdownRecord: Codable, Sendable {
    /// Which group ends now.
    var group = 0
    /// Until when that group is waited for.
    var deadline: Timestamp
  }

  mutating func beginShutdown(_ context: Context) {
    guard shutdown == nil, let plan = identity.settings?.shutdown else { return Machine.off(self, context) }
    log(
      "I", "nodeshutdown_manager_linux.go:265", "\"Shutdown manager detected new shutdown event\" event=\"shutdown\"",
      context)
    event(identity.reference, context, "NodeShutdown", "Shutdown manager detected shutdown event")
    shutdown = ShutdownRecord(deadline: context.now + .seconds(plan.groups[0].seconds))
    writeNodeStatus(context)
    endGroup(plan, context)
    goOnShuttingDown(context)
  }

  private func active(inGroup group: Int, _ plan: NodeShutdown, _ context: Context) -> [(String, ObjectView)] {
    pods.keys.sorted().compactMap { uid in
      guard let record = pods[uid], record.containers.contains(where: { $0.isRunning || $0.isYetToRun }),
        let pod = read("pods", record.namespace, record.name, context), pod.uid == uid,
        plan.group(ofPriority: pod.spec["priority"].int ?? 0) == group
      else { return nil }
      return (uid, pod)
    }
  }

  private mutating func endGroup(_ plan: NodeShutdown, _ context: Context) {
    guard let group = shutdown?.group else { return }
    for (uid, pod) in active(inGroup: group, plan, context) {
      guard var record = pods[uid], record.failure == nil else { continue }
      let grace = plan.grace(ofGroup: group, own: pod.spec["terminationGracePeriodSeconds"].int)
      log(
        "I", "nodeshutdown_manager_linux.go:358",
        "\"Shutdown manager killing pod with gracePeriod\" pod=\"\(record.key)\" gracePeriod=\(grace)", context)
      record.failure = .init(reason: NodeShutdown.reason, message: NodeShutdown.message)
      if record.killAt == nil { stopAll(&record, pod, grace: grace, context) }
      pods[uid] = record
      context.wake("pod \(uid)", after: .zero)
    }
  }

  /// Takes up the next group when the one before has ended or its time is over; the machine goes after the last.
  mutating func goOnShuttingDown(_ context: Context) {
    guard let plan = identity.settings?.shutdown else { return }
    while let step = shutdown {
      let isOver = !active(inGroup: step.group, plan, context).contains { uid, _ in
        pods[uid]?.containers.contains(where: \.isRunning) == true || pods[uid]?.failure == nil
      }
      guard isOver || step.deadline <= context.now else {
        context.wake("shutdown", at: step.deadline)
        return
      }
      guard step.group + 1 < plan.groups.count else {
        log(
          "I", "nodeshutdown_manager_linux.go:316",
          "\"Shutdown manager completed processing shutdown event, node will shutdown shortly\"", context)
        return Machine.off(self, context)
      }
      shutdown = ShutdownRecord(
        group: step.group + 1, deadline: context.now + .seconds(plan.groups[step.group + 1].seconds))
      endGroup(plan, context)
    }
  }
}
