import Evidence
import Mechanisms
import Wire

/// Why a pod does not run, or why it does.
struct PodQuestion: Question {
  let kinds = ["pod"]
  /// From creation to running, usually.
  static let usual: Duration = .seconds(60)
  /// How long a pod may be there after the end of its grace.
  static let late: Duration = .seconds(15)

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let found = await world.object(.pods, namespace: namespace, name: subject.name)
    guard let pod = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Pod \(subject.name) in namespace \(namespace)")
    }
    let state = PodState(pod)
    let entity = state.entity
    let age = state.since.map { Ages.text(world.now - $0) } ?? "an unknown time"
    let others = [
      NotChecked("packets", ask: "ekswhy trace \(entity.title) TO:PORT"),
      NotChecked("identity", ask: "ekswhy credentials/\(subject.name) -n \(namespace)"),
    ]
    if state.isDeleting {
      // Deletion is told with the end of its grace.
      let until = pod["metadata"]["deletionTimestamp"].time ?? world.now
      let since = until - .seconds(pod["metadata"]["deletionGracePeriodSeconds"].int ?? 0)
      return Inquiry(
        entity, effects: until + PodQuestion.late < world.now ? [.init(Effect(.podStaysOn, entity))] : [],
        isTrouble: true, summary: "\(entity.title) has been Terminating for \(Ages.text(world.now - since))",
        waits: ("its containers to end", until + PodQuestion.late), notChecked: others)
    }
    if pod["status"]["reason"].string == "Evicted" {
      return Inquiry(
        entity, effects: [.init(Effect(.podEvicted, entity))], isTrouble: true,
        summary: "\(entity.title) was evicted", notChecked: others)
    }
    if state.phase == "Succeeded" {
      return Inquiry(
        entity, effects: [], isTrouble: false, summary: "no fault found in \(entity.title): it ran to its end",
        notChecked: others)
    }
    // Where it is meant to have AWS credentials of its own, these are looked at too.
    var asked: [Explanation.Cause] = []
    if await world.podIdentity(entity).reading?.isConfigured == true {
      asked = [.init(Effect(.podCredentials, entity), deciding: false)]
    }
    asked.append(.init(Effect(.podAdmission, entity), deciding: false))
    let fargate = FargatePod(pod)
    if fargate.isFargates { asked.append(.init(Effect(.podOnFargate, entity), deciding: false)) }
    if state.isReady, let container = state.crashing(now: world.now) {
      return Inquiry(
        entity, effects: [.init(Effect(.podFails, entity))] + asked, isTrouble: true,
        summary:
          "\(entity.title) is Ready for \(age), and its container \(container.name) was started again \(Count.of(container.restarts, "time"))",
        notChecked: others)
    }
    if state.isReady {
      return Inquiry(
        entity, effects: [.init(Effect(.podRunning, entity))] + asked, isTrouble: false,
        summary: "no fault found in \(entity.title): Ready for \(age)",
        hiddenTrouble: "\(entity.title) is Ready, and something it needs is broken", notChecked: others)
    }
    let word = state.word
    let effect = state.effect
    let effects: [Explanation.Cause] = [.init(effect)] + (effect.kind == .podFails ? asked : [])
    var waits: (String, Timestamp)?
    if fargate.isFargates, state.node == nil, let created = state.created,
      world.now - created < FargatePod.usual
    {
      waits = ("Fargate to make its machine, usually within 2m of the pod's creation", created + FargatePod.usual)
    } else if let created = state.created, world.now - created < PodQuestion.usual,
      state.crashing(now: world.now) == nil
    {
      let what =
        state.node == nil
        ? "the scheduler to place it" : "its images and network, usually ready within 1m of its creation"
      waits = (what, created + PodQuestion.usual)
    }
    return Inquiry(
      entity, effects: effects, isTrouble: true, summary: "\(entity.title) has been \(word) for \(age)", waits: waits,
      notChecked: others,
      lastResort: Gap(
        read: "logs of \(entity.title)", why: "what happens inside of a container stands in its logs only",
        how:
          "\(world.target.kubectl) -n \(namespace) logs \(subject.name) --all-containers --previous; \(world.target.kubectl) -n \(namespace) describe pod \(subject.name)"
      ))
  }
}
