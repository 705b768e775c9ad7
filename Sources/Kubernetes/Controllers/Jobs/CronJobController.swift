import Wire
package import World

/// Makes the Jobs of a CronJob when they are due, and puts old ones away.
///
/// Source: kubernetes `pkg/controller/cronjob`.
package struct CronJobController: Reconciler {
  package static let name = "cronjob-controller"
  package static let resources = ["cronjobs.batch", "jobs.batch"]

  private static let resource = "cronjobs.batch"
  private static let scheduledAt = "batch.kubernetes.io/cronjob-scheduled-timestamp"

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == "jobs.batch" else { return ["\(reference.namespace)/\(reference.name)"] }
    return Ownership.keys(
      ofChild: reference, resource: "jobs.batch", kind: "CronJob", owners: Self.resource, desk)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let cron = desk.get(Self.resource, key: key) else { return }
    let jobs = desk.list("jobs.batch", cron.namespace).filter { $0.isControlled(by: cron) }
    var status = cron.status
    follow(jobs, cron, &status, &desk)
    clean(jobs, cron, &desk)
    defer { desk.updateStatus(Self.resource, desk.get(Self.resource, key: key) ?? cron, status) }
    guard !cron.isTerminating, cron.spec["suspend"].bool != true else { return }
    let text = cron.spec["schedule"].string ?? ""
    guard let schedule = try? CronSchedule(text) else {
      desk.warn(cron, "UnparseableSchedule", "unparseable schedule: \(GoText.quote(text))")
      return
    }
    let name = cron.spec["timeZone"].string ?? ""
    guard let zone = Zone.named(name) else {
      desk.warn(cron, "UnknownTimeZone", "invalid timeZone: \(GoText.quote(name)): unknown time zone \(name)")
      return
    }
    run(cron, schedule, zone, jobs, &status, &desk)
  }

  // MARK: - Jobs that are there

  private static func ending(_ job: ObjectView) -> String? {
    ["Complete", "Failed"].first { job.isConditionTrue($0) }
  }

  private func follow(_ jobs: [ObjectView], _ cron: ObjectView, _ status: inout JSON, _ desk: inout Desk) {
    var active: [JSON] = []
    for reference in status["active"].items {
      guard let job = jobs.first(where: { $0.uid == reference["uid"].string }) else {
        if desk.get("jobs.batch", cron.namespace, reference["name"].string ?? "")?.uid != reference["uid"].string {
          desk.event(cron, "MissingJob", "Active job went missing: \(reference["name"].string ?? "")")
        }
        continue
      }
      guard let ending = Self.ending(job) else {
        active.append(reference)
        continue
      }
      desk.event(cron, "SawCompletedJob", "Saw completed job: \(job.name), condition: \(ending)")
    }
    for job in jobs where Self.ending(job) == nil {
      if !active.contains(where: { $0["uid"].string == job.uid }) { active.append(Self.reference(job)) }
    }
    for job in jobs where Self.ending(job) == "Complete" {
      let done = job.status["completionTime"]
      if let time = done.time, status["lastSuccessfulTime"].time.map({ $0 < time }) ?? true {
        status["lastSuccessfulTime"] = done
      }
    }
    status["active"] = active.isEmpty ? .null : .array(active)
  }

  private static func reference(_ job: ObjectView) -> JSON {
    [
      "kind": "Job", "namespace": .string(job.namespace), "name": .string(job.name), "uid": .string(job.uid),
      "apiVersion": "batch/v1", "resourceVersion": .string(job.resourceVersion),
    ]
  }

  private func clean(_ jobs: [ObjectView], _ cron: ObjectView, _ desk: inout Desk) {
    for (ending, limit) in [
      ("Complete", cron.spec["successfulJobsHistoryLimit"].int), ("Failed", cron.spec["failedJobsHistoryLimit"].int),
    ] {
      guard let limit else { continue }
      let old = jobs.filter { Self.ending($0) == ending && !$0.isTerminating }
        .sorted { ($0.createdAt, $0.name) < ($1.createdAt, $1.name) }
      for job in old.prefix(max(0, old.count - limit)) { remove(job, &desk) }
    }
  }

  private func remove(_ job: ObjectView, _ desk: inout Desk) {
    desk.send(
      desk.client.delete("jobs.batch", job.namespace, job.name, uid: job.uid, propagation: "Background"),
      "delete/\(job.name)")
  }

  // MARK: - When it is due

  private func run(
    _ cron: ObjectView, _ schedule: CronSchedule, _ zone: Zone, _ jobs: [ObjectView], _ status: inout JSON,
    _ desk: inout Desk
  ) {
    var earliest = status["lastScheduleTime"].time ?? cron.createdAt
    let deadline = cron.spec["startingDeadlineSeconds"].int.map { Duration.seconds($0) }
    if let deadline, desk.now - deadline > earliest { earliest = desk.now - deadline }
    var due: Timestamp?
    var missed = 0
    var next = schedule.next(after: earliest, in: zone)
    while let time = next, time <= desk.now, missed < 10_000 {
      due = time
      missed += 1
      next = schedule.next(after: time, in: zone)
    }
    if let next { desk.context.wake("key \(cron.key)", at: next, .background) }
    guard let due else { return }
    if missed > 100 {
      desk.warn(
        cron, "TooManyMissedTimes",
        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
    }
    if let deadline, due + deadline < desk.now {
      desk.warn(cron, "MissSchedule", "Missed scheduled time to start a job: \(due.rfc3339)")
      return
    }
    let name = "\(cron.name)-\(due.microseconds / 60_000_000)"
    if status["lastScheduleTime"].time == due || desk.get("jobs.batch", cron.namespace, name) != nil { return }
    let active = jobs.filter { Self.ending($0) == nil && !$0.isTerminating }
    switch cron.spec["concurrencyPolicy"].string {
    case "Forbid" where !active.isEmpty:
      desk.event(
        cron, "JobAlreadyActive",
        "Not starting job because prior execution is running and concurrency policy is Forbid")
      return
    case "Replace":
      for job in active { remove(job, &desk) }
      status["active"] = .null
    default: break
    }
    let template = cron.spec["jobTemplate"]
    var annotations = template["metadata"]["annotations"]
    annotations[Self.scheduledAt] = .string(due.rfc3339)
    desk.create(
      "jobs.batch", cron.namespace,
      [
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": [
          "name": .string(name), "namespace": .string(cron.namespace), "labels": template["metadata"]["labels"],
          "annotations": annotations, "ownerReferences": [cron.controllerReference],
        ], "spec": template["spec"],
      ])
    if let job = desk.get("jobs.batch", cron.namespace, name) { status["active"].append(Self.reference(job)) }
    status["lastScheduleTime"] = .string(due.rfc3339)
  }

  package func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    guard let cron = desk.get(Self.resource, key: key) else { return false }
    if purpose == "create" {
      if reply.isSuccess {
        desk.event(cron, "SuccessfulCreate", "Created job \(reply.body["metadata"]["name"].string ?? "")")
      } else if reply.reason != "AlreadyExists" {
        desk.warn(cron, "FailedCreate", "Error creating job: \(reply.message)")
      }
    } else if purpose.hasPrefix("delete/"), reply.isSuccess {
      desk.event(cron, "SuccessfulDelete", "Deleted job \(purpose.dropFirst(7))")
    }
    return Desk.isFailure(purpose, reply)
  }
}
