import Containers
import Wire
import World

/// How containers are stopped: the hook, the turn, SIGTERM, and SIGKILL when the grace is over.
///
/// Source: kubernetes `kuberuntime_container.go`, `killContainer`, and `kuberuntime_termination_order.go`.
extension Kubelet {
  /// What a container is left at least between its signal and its end.
  private static let leastGrace: Duration = .seconds(2)

  /// Takes a pod that is being deleted towards its end.
  mutating func terminate(_ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context) {
    let grace = pod.metadata["deletionGracePeriodSeconds"].int ?? 30
    if let deadline = record.killAt {
      if context.now + .seconds(grace) < deadline { hurry(&record, to: context.now + .seconds(grace)) }
    } else {
      record.killAt = context.now + .seconds(grace)
      stopAll(&record, pod, grace: grace, context)
    }
    endContainers(&record, pod, &turn, context)
    for container in record.containers where container.isRunning {
      if let ends = container.ends { turn.at(ends) }
    }
  }

  /// Stops what runs of a pod: sidecars after all others, the last one first.
  mutating func stopAll(_ record: inout PodRecord, _ pod: ObjectView, grace: Int, _ context: Context) {
    for index in record.containers.indices where record.containers[index].isRunning {
      stop(&record, index, pod, grace: grace, context, inTurn: record.containers[index].isSidecar)
    }
  }

  /// A deletion with less grace came after the first.
  private func hurry(_ record: inout PodRecord, to deadline: Timestamp) {
    record.killAt = deadline
    for index in record.containers.indices where record.containers[index].isRunning {
      guard var stopping = record.containers[index].stopping else { continue }
      stopping.deadline = min(stopping.deadline, deadline)
      stopping.hookEnds = stopping.hookEnds.map { min($0, deadline) }
      if stopping.isSignalled {
        record.containers[index].ends = record.containers[index].ends.map { min($0, deadline) }
      }
      record.containers[index].stopping = stopping
    }
  }

  /// Begins to stop a container: tells it and runs its hook.
  mutating func stop(
    _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, grace: Int, _ context: Context, why: String? = nil,
    inTurn: Bool = false
  ) {
    guard record.containers[index].isRunning, !record.containers[index].wasToldToStop else { return }
    record.containers[index].wasToldToStop = true
    record.containers[index].postStart = nil
    let name = record.containers[index].name
    event(about(record.containers[index], pod), context, "Killing", why ?? "Stopping container \(name)")
    var stopping = ContainerRecord.Stopping(deadline: context.now + .seconds(grace), waitsForTurn: inTurn)
    if grace > 0 {
      switch beginHook(.preStop, record.containers[index], record, pod, context) {
      case .absent, .over(nil): break
      case .over(.some): tellFailedPreStop(record.containers[index], pod, context)
      case .until(let end): stopping.hookEnds = min(end, stopping.deadline)
      case .running: stopping.hookEnds = stopping.deadline
      }
    }
    record.containers[index].stopping = stopping
  }

  /// Takes those on that are being stopped: each gets its signal when its hook is over and its turn has come.
  mutating func goOnStopping(_ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context) {
    for index in record.containers.indices.reversed() where record.containers[index].isRunning {
      guard let stopping = record.containers[index].stopping, !stopping.isSignalled else { continue }
      if let hookEnds = stopping.hookEnds, hookEnds > context.now {
        turn.at(hookEnds)
        continue
      }
      if stopping.waitsForTurn, context.now < stopping.deadline, !isLast(index, record) {
        turn.at(stopping.deadline)
        continue
      }
      signal(&record, index, pod, context)
      if let ends = record.containers[index].ends { turn.at(ends) }
    }
  }

  /// Whether no container runs that ends before this sidecar.
  private func isLast(_ index: Int, _ record: PodRecord) -> Bool {
    !record.containers.indices.contains { other in
      other != index && record.containers[other].isRunning && (!record.containers[other].isSidecar || other > index)
    }
  }

  /// Sends the signal that ends a container, and sets when it is killed.
  private mutating func signal(_ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ context: Context) {
    guard let stopping = record.containers[index].stopping else { return }
    record.containers[index].stopping?.isSignalled = true
    let name = record.containers[index].name
    let killAt = context.now + max(stopping.deadline - context.now, Self.leastGrace)
    var (ends, code) = (killAt, 137)
    switch plan(of: name, pod).kind {
    case .serves(let behaviour) where !behaviour.stop.isIgnored:
      let end = context.now + behaviour.stop.after
      if end <= killAt { (ends, code) = (end, behaviour.stop.code) }
    case .serves: break
    default:
      // Its own processes say when they are done; what they leave undone is killed.
      let wanted = spec(of: name, pod)["lifecycle"]["stopSignal"].string
      context.send(
        PodRuntime.id(pod.uid), "signal",
        ["container": .string(name), "signal": .int(Int64(wanted.map(ContainerPlan.signal) ?? 15))])
    }
    if let program = record.containers[index].program {
      (ends, code) = (context.now + .milliseconds(40), 0)
      stop(program, context)
      record.containers[index].program = nil
    }
    if let own = record.containers[index].ends, own <= ends { return }
    record.containers[index].ends = ends
    record.containers[index].endCode = code
    record.containers[index].endsByMemory = nil
  }
}
