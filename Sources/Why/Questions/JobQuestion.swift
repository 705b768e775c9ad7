import Evidence
import Mechanisms
import Wire

/// Why a Job did not do its work, or does not begin it.
struct JobQuestion: Question {
  let kinds = ["job"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let found = await world.object(.jobs, namespace: namespace, name: subject.name)
    guard let job = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Job \(subject.name) in namespace \(namespace)")
    }
    let state = JobState(job)
    let listed = await world.list(.pods, namespace: namespace)
    if let gap = listed.gap { throw .unreachable(gap) }
    let pods = state.pods(listed.items)
    let wanted = job["spec"]["completions"].int ?? job["spec"]["parallelism"].int ?? 1
    let counts = "\(job["status"]["succeeded"].int ?? 0) of \(Count.of(wanted, "completion"))"
    if state.condition("Complete")["status"].string == "True" {
      return Inquiry(
        state.entity, effects: [], isTrouble: false, summary: "no fault found in \(state.entity.title): it is complete")
    }
    var effects: [Explanation.Cause] = []
    if state.failure != nil || state.isSuspended { effects.append(.init(Effect(.jobFails, state.entity))) }
    let broken = pods.first { !$0.isReady && !$0.isFinished && !$0.isDeleting }
    var waits: (String, Timestamp)?
    var lastResort: Gap?
    var summary = "\(state.entity.title): \(counts)"
    if effects.isEmpty {
      if let broken {
        let pod = try await PodQuestion().inquire(
          Subject(kind: "pod", name: broken.name, namespace: namespace), world)
        effects = pod.effects
        waits = pod.waits
        lastResort = pod.lastResort
        summary += "; \(pod.summary)"
      } else if let failed = pods.last(where: { $0.phase == "Failed" }), !pods.contains(where: \.isReady) {
        effects = [.init(failed.effect)]
      } else if pods.isEmpty {
        effects = [.init(Effect(.podsMissing, state.entity))]
      } else {
        return Inquiry(
          state.entity, effects: pods.last { $0.isReady }.map { [.init(Effect(.podRunning, $0.entity))] } ?? [],
          isTrouble: false, summary: "no fault found in \(summary), and it goes on")
      }
    } else if let failure = state.failure {
      summary += ", and it has failed: \(failure["reason"].string ?? "")"
    } else {
      summary += ", and it is suspended"
    }
    return Inquiry(
      state.entity, effects: effects, isTrouble: true, summary: summary, waits: waits,
      lastResort: lastResort
        ?? Gap(
          read: "events of \(state.entity.title)", why: "nothing that was read tells why",
          how: "\(world.target.kubectl) -n \(namespace) describe job \(subject.name)"))
  }
}

/// Why a CronJob's Jobs do not run, or fail.
struct CronJobQuestion: Question {
  let kinds = ["cronjob"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let found = await world.object(.cronJobs, namespace: namespace, name: subject.name)
    guard let cron = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("CronJob \(subject.name) in namespace \(namespace)")
    }
    let entity = Entity("CronJob", subject.name, namespace: namespace)
    let listed = await world.list(.jobs, namespace: namespace)
    if let gap = listed.gap { throw .unreachable(gap) }
    let jobs = listed.items.filter { WorkloadState.isOwned($0, by: cron) }.map(JobState.init)
      .sorted { ($0.created, $0.entity.name) < ($1.created, $1.entity.name) }
    let last = cron["status"]["lastScheduleTime"].time
    let when = last.map { "last run begun \(Ages.text(world.now - $0)) ago" } ?? "it has never run"
    if cron["spec"]["suspend"].bool == true {
      return Inquiry(
        entity, effects: [.init(Effect(.scheduleHeld, entity))], isTrouble: true,
        summary: "\(entity.title) is suspended; \(when)")
    }
    let lastResort = Gap(
      read: "events of \(entity.title)", why: "nothing that was read tells why",
      how: "\(world.target.kubectl) -n \(namespace) describe cronjob \(subject.name)")
    if let failed = jobs.last, failed.failure != nil {
      return Inquiry(
        entity, effects: [.init(Effect(.jobFails, failed.entity))], isTrouble: true,
        summary: "\(entity.title): its last Job, \(failed.entity.title), has failed; \(when)", lastResort: lastResort)
    }
    let events = await world.events(about: cron, kind: "CronJob")
    if events.events.contains(where: { ScheduleHeld.reasons.contains($0.reason) }) {
      return Inquiry(
        entity, effects: [.init(Effect(.scheduleHeld, entity))], isTrouble: true,
        summary: "\(entity.title): \(when)", lastResort: lastResort)
    }
    return Inquiry(
      entity, effects: [], isTrouble: false,
      summary:
        "no fault found in \(entity.title): \(when)\(events.gap == nil ? "" : ", as far as could be read")",
      notChecked: events.gap.map { [NotChecked("missed runs (\($0.why))", ask: $0.how)] } ?? [])
  }
}

/// What a Job object says of itself.
struct JobState: Sendable {
  var job: JSON
  var entity: Entity
  var created: Timestamp

  init(_ job: JSON) {
    self.job = job
    entity = Entity("Job", job["metadata"]["name"].string ?? "", namespace: job["metadata"]["namespace"].string)
    created = job["metadata"]["creationTimestamp"].time ?? Timestamp(seconds: 0)
  }

  func condition(_ type: String) -> JSON {
    job["status"]["conditions"].items.first { $0["type"].string == type } ?? .null
  }

  var failure: JSON? {
    let failed = condition("Failed")
    return failed["status"].string == "True" ? failed : nil
  }

  var isSuspended: Bool { job["spec"]["suspend"].bool ?? false }

  /// Its pods, the oldest first.
  func pods(_ all: [JSON]) -> [PodState] {
    all.filter { WorkloadState.isOwned($0, by: job) }.map(PodState.init).sorted {
      ($0.created ?? created, $0.name) < ($1.created ?? created, $1.name)
    }
  }
}
