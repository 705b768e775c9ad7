import Evidence
import Mechanisms
import Wire

/// Why a workload has not the pods that it wants, or not of its present template: told by the pods that it has, or by
/// why it can't have them.
struct WorkloadQuestion: Question {
  let kinds = ["deployment", "daemonset", "statefulset", "replicaset"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let state = try await WorkloadState.read(
      WorkloadState.resource(subject.kind) ?? .deployments, namespace, subject.name, world)
    let entity = state.entity
    var counts = "\(state.ready) of \(Count.of(state.wanted, "pod")) Ready"
    if state.isRolling, state.wanted > 0 { counts += ", \(Count.of(state.updated, "pod")) of the present template" }
    let others = [NotChecked("traffic", ask: "ekswhy svc/NAME -n \(namespace) of its Service")]
    let lastResort =
      state.gap
      ?? Gap(
        read: "events of \(entity.title)", why: "pods are missing, and nothing that was read tells why",
        how: "\(world.target.kubectl) -n \(namespace) describe \(subject.kind) \(subject.name)")

    // The first pod that isn't Ready stands for the others in its state; one of the present template before the rest.
    let broken = (state.newPods + state.pods).first { !$0.isReady && !$0.isFinished }
    let there = state.resource == .deployments ? state.newPods.count : state.pods.count
    var effects: [Explanation.Cause] = []
    if state.isPaused, state.isRolling { effects.append(.init(Effect(.rolloutHeld, entity))) }
    if state.resource == .daemonSets, state.wanted == 0 { effects.append(.init(Effect(.daemonsNowhere, entity))) }
    let isHeld = state.resource == .statefulSets && broken != nil
    if there < state.wanted, !isHeld, effects.isEmpty {
      let maker = state.newest.map {
        Entity("ReplicaSet", $0["metadata"]["name"].string ?? "", namespace: namespace)
      }
      if broken == nil || state.createFails { effects.append(.init(Effect(.podsMissing, maker ?? entity))) }
    }
    guard let broken else {
      return whole(state, counts, effects, others, lastResort, world)
    }
    let pod = try await PodQuestion().inquire(
      Subject(kind: "pod", name: broken.name, namespace: broken.namespace), world)
    var summary = "\(entity.title): \(counts); \(pod.summary)"
    if isHeld, there < state.wanted, state.object["spec"]["podManagementPolicy"].string != "Parallel" {
      summary += "; the pods behind it wait for it (OrderedReady)"
    }
    return Inquiry(
      entity, effects: effects + pod.effects, isTrouble: true, summary: summary, waits: pod.waits,
      notChecked: others, lastResort: pod.lastResort)
  }

  /// All pods that there are are Ready.
  private func whole(
    _ state: WorkloadState, _ counts: String, _ effects: [Explanation.Cause], _ others: [NotChecked],
    _ lastResort: Gap, _ world: Investigation
  ) -> Inquiry {
    let entity = state.entity
    let isShort = state.ready < state.wanted || state.isRolling || !effects.isEmpty
    guard isShort else {
      let none = state.wanted == 0 ? "it is scaled to no pods" : counts
      return Inquiry(
        entity, effects: state.pods.first.map { [.init(Effect(.podRunning, $0.entity))] } ?? [], isTrouble: false,
        summary: "no fault found in \(entity.title): \(none)",
        hiddenTrouble: "\(entity.title): \(counts), and something its pods need is broken", notChecked: others)
    }
    var effects = effects
    if effects.isEmpty, state.isRolling { effects = [.init(Effect(.rolloutHeld, entity))] }
    var summary = "\(entity.title): \(counts)"
    let progressing = state.condition("Progressing")
    if progressing["reason"].string == "ProgressDeadlineExceeded" { summary += "; its rollout is stuck" }
    // A rollout that goes on has until its deadline.
    var waits: (String, Timestamp)?
    if state.resource == .deployments, !state.isPaused, !state.createFails, progressing["status"].string == "True",
      let since = progressing["lastUpdateTime"].time ?? progressing["lastTransitionTime"].time,
      world.now - since < PodQuestion.usual
    {
      waits = ("its rollout to go on", since + PodQuestion.usual)
    }
    return Inquiry(
      entity, effects: effects, isTrouble: true, summary: summary, waits: waits, notChecked: others,
      lastResort: lastResort)
  }
}

extension WorkloadState {
  /// It says itself that it can't create pods.
  var createFails: Bool {
    (newest ?? object)["status"]["conditions"].items.contains {
      $0["type"].string == "ReplicaFailure" && $0["status"].string == "True"
    }
  }
}
