import Evidence
import Mechanisms
import Wire

/// Why a workload has not the pods that it wants: told by the pods that it has.
struct WorkloadQuestion: Question {
  let kinds = ["deployment", "daemonset", "statefulset", "replicaset"]

  private static func resource(_ kind: String) -> KubernetesResource {
    switch kind {
    case "daemonset": .daemonSets
    case "statefulset": .statefulSets
    case "replicaset": .replicaSets
    default: .deployments
    }
  }

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let resource = WorkloadQuestion.resource(subject.kind)
    let found = await world.object(resource, namespace: namespace, name: subject.name)
    guard let object = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("\(resource.kind) \(subject.name) in namespace \(namespace)")
    }
    let entity = Entity(resource.kind, subject.name, namespace: namespace)
    let pods = await world.list(.pods, namespace: namespace)
    if let gap = pods.gap { throw .unreachable(gap) }
    let labels = object["spec"]["selector"]["matchLabels"].fields
    let states = pods.items.filter { pod in
      !labels.isEmpty && labels.allSatisfy { pod["metadata"]["labels"][$0.key].string == $0.value.string }
    }.map(PodState.init).filter { !$0.isDeleting }
    let wanted =
      subject.kind == "daemonset"
      ? object["status"]["desiredNumberScheduled"].int ?? states.count : object["spec"]["replicas"].int ?? 1
    let ready = states.count { $0.isReady }
    let counts = "\(ready) of \(Count.of(wanted, "pod")) Ready"
    let broken = states.filter { !$0.isReady && !$0.isFinished }
    let others = [NotChecked("traffic", ask: "ekswhy svc/NAME of its Service")]
    guard let worst = broken.first else {
      let isShort = ready < wanted
      return Inquiry(
        entity, effects: states.first.map { [.init(Effect(.podRunning, $0.entity))] } ?? [], isTrouble: isShort,
        summary: isShort ? "\(entity.title): \(counts)" : "no fault found in \(entity.title): \(counts)",
        hiddenTrouble: "\(entity.title): \(counts), and something its pods need is broken", notChecked: others,
        lastResort: Gap(
          read: "events of \(entity.title)", why: "pods are missing and none is there to ask",
          how: "\(world.target.kubectl) -n \(namespace) describe \(subject.kind) \(subject.name)"))
    }
    // The first pod that isn't Ready stands for the others in its state.
    let pod = try await PodQuestion().inquire(
      Subject(kind: "pod", name: worst.name, namespace: worst.namespace), world)
    return Inquiry(
      entity, effects: pod.effects, isTrouble: true,
      summary: "\(entity.title): \(counts); \(pod.summary)", waits: pod.waits, notChecked: others,
      lastResort: pod.lastResort)
  }
}
