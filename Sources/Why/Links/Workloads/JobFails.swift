import Evidence
import Mechanisms
import Wire

/// A Job has failed, or is suspended.
struct JobFails: Link {
  let code = "workloads/job-fails"
  let explains: [Effect.Kind] = [.jobFails]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let namespace = effect.entity.namespace ?? "default"
    let found = await world.object(.jobs, namespace: namespace, name: effect.entity.name)
    guard let job = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = JobState(job)
    let verify = "ekswhy \(effect.entity.title) -n \(namespace)"
    guard let failure = state.failure else {
      guard state.isSuspended else { return .silent }
      return .holds(suspended(job, effect, verify, world))
    }
    let reason = failure["reason"].string ?? ""
    let exhibit = Exhibit(
      Cite.object(
        job, "Job", resource: .jobs, field: "status.conditions[Failed]",
        value: "\(reason): \(failure["message"].string ?? "")", at: failure["lastTransitionTime"].time))
    if reason == "DeadlineExceeded" { return .holds(late(state, exhibit, effect, verify, world)) }
    let listed = await world.list(.pods, namespace: namespace)
    if let gap = listed.gap { return .open([gap]) }
    let count = Count.of(job["status"]["failed"].int ?? 0, "pod")
    let statement =
      reason == "BackoffLimitExceeded"
      ? "\(count) of it failed, more than its backoffLimit of \(job["spec"]["backoffLimit"].int ?? 6) allows"
      : "it was given up: \(failure["message"].string ?? reason)"
    // The last pod that failed stands for the others.
    if let pod = state.pods(listed.items).last(where: { $0.phase == "Failed" || $0.crashing(now: world.now) != nil }) {
      return .holds(
        Explanation(
          "\(effect.entity.title): \(statement)", entity: effect.entity, evidence: [exhibit],
          causes: [.init(Effect(.podFails, pod.entity))], lastSymptomAt: failure["lastTransitionTime"].time))
    }
    return .holds(
      Explanation(
        "\(effect.entity.title): \(statement), and none of its pods is left to ask", entity: effect.entity,
        evidence: [exhibit],
        causes: [.init(Effect(.podsMissing, effect.entity))],
        lastSymptomAt: failure["lastTransitionTime"].time))
  }

  private func suspended(_ job: JSON, _ effect: Effect, _ verify: String, _ world: Investigation) -> Explanation {
    let owner = FieldOwner.shown(by: job, .jobs, at: world.now)
    let exhibit = Exhibit(
      Cite.object(job, "Job", resource: .jobs, field: "spec.suspend", value: "true", at: world.now))
    return Explanation(
      "it is suspended", entity: effect.entity, evidence: [exhibit],
      root: RootCause(
        "workloads/job-suspended", layer: .kubernetes, entity: effect.entity,
        statement: "\(effect.entity.title) is suspended, so it makes no pods", evidence: [exhibit],
        fixes: [
          owner.patch(
            "lets it run", effect.entity, patch: [.step("replace", "/spec/suspend", false)],
            undo: [.step("replace", "/spec/suspend", true)], verify: verify, world)
        ]))
  }

  private func late(
    _ state: JobState, _ exhibit: Exhibit, _ effect: Effect, _ verify: String, _ world: Investigation
  ) -> Explanation {
    let limit = Duration.seconds(state.job["spec"]["activeDeadlineSeconds"].int ?? 0)
    return Explanation(
      "it ran out of time", entity: effect.entity, evidence: [exhibit],
      root: RootCause(
        "workloads/job-deadline", layer: .application, entity: effect.entity,
        statement: "\(effect.entity.title) was not done within its activeDeadlineSeconds of \(Ages.text(limit))",
        evidence: [exhibit],
        fixes: [
          Fix(
            "make it anew with a longer activeDeadlineSeconds, or make its work shorter; a Job that failed never runs again",
            owner: "unknown", touches: [effect.entity.title], verify: verify)
        ]))
  }
}

/// A CronJob starts no Jobs: suspended, over its starting deadline, or held by a run that goes on.
struct ScheduleHeld: Link {
  let code = "workloads/schedule-held"
  let explains: [Effect.Kind] = [.scheduleHeld]
  /// Events that tell of runs that did not begin.
  static let reasons = [
    "MissSchedule", "TooManyMissedTimes", "JobAlreadyActive", "UnparseableSchedule", "UnknownTimeZone", "FailedCreate",
  ]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let namespace = effect.entity.namespace ?? "default"
    let found = await world.object(.cronJobs, namespace: namespace, name: effect.entity.name)
    guard let cron = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let verify = "ekswhy \(effect.entity.title) -n \(namespace)"
    let owner = FieldOwner.shown(by: cron, .cronJobs, at: world.now)
    func holds(_ code: String, _ statement: String, _ evidence: [Exhibit], _ fix: Fix) -> Finding {
      .holds(
        Explanation(
          "it starts no Jobs", entity: effect.entity, evidence: evidence,
          root: RootCause(
            "workloads/\(code)", layer: .kubernetes, entity: effect.entity, statement: statement, evidence: evidence,
            fixes: [fix])))
    }
    if cron["spec"]["suspend"].bool == true {
      let exhibit = Exhibit(
        Cite.object(cron, "CronJob", resource: .cronJobs, field: "spec.suspend", value: "true", at: found.at))
      return holds(
        "schedule-suspended", "\(effect.entity.title) is suspended, so nothing of it runs", [exhibit],
        owner.patch(
          "lets it run again", effect.entity, patch: [.step("replace", "/spec/suspend", false)],
          undo: [.step("replace", "/spec/suspend", true)], verify: verify, world))
    }
    let events = await world.events(about: cron, kind: "CronJob")
    guard let event = events.events.first(where: { ScheduleHeld.reasons.contains($0.reason) }) else {
      return events.gap.map { .open([$0]) } ?? .silent
    }
    let evidence = [event.exhibit(now: world.now)]
    func advice(_ text: String) -> Fix {
      Fix(text, owner: "unknown", touches: [effect.entity.title], verify: verify)
    }
    switch event.reason {
    case "JobAlreadyActive":
      return holds(
        "schedule-forbids", "\(effect.entity.title) does not start a Job while one goes on (concurrencyPolicy Forbid)",
        evidence, advice("see why the present Job takes so long (ekswhy job/NAME), or set concurrencyPolicy Replace"))
    case "MissSchedule", "TooManyMissedTimes":
      return holds(
        "schedule-missed", "\(effect.entity.title) has missed its time: \(event.message)", evidence,
        advice("set spec.startingDeadlineSeconds to what a late start may be, at least some tens of seconds"))
    case "UnparseableSchedule", "UnknownTimeZone":
      return holds(
        "schedule-invalid", "\(effect.entity.title) has no schedule that can be read: \(event.message)", evidence,
        advice("correct spec.schedule or spec.timeZone"))
    default:
      return holds(
        "schedule-refused", "\(effect.entity.title)'s Jobs are refused: \(Ages.shortened(event.message, 240))",
        evidence,
        advice("change what the message names"))
    }
  }
}
