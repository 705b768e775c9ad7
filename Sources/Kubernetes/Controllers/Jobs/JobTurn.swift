import Wire
import World

/// One look at a Job with its pods.
struct JobTurn {
  static let finalizer = "batch.kubernetes.io/job-tracking"
  static let indexKey = "batch.kubernetes.io/job-completion-index"
  static let failuresKey = "batch.kubernetes.io/job-index-failure-count"

  let job: ObjectView
  private var pods: [ObjectView]
  private var status: JSON
  private var conditions: [JSON]
  private var done = JobIndexes()
  private var failedIndexes = JobIndexes()
  private var started = 0

  init(_ job: ObjectView, pods: [ObjectView]) {
    self.job = job
    self.pods = pods
    status = job.status
    conditions = job.status["conditions"].items
    if isIndexed, let completions {
      done = JobIndexes(text: status["completedIndexes"].string ?? "", below: completions)
      failedIndexes = JobIndexes(text: status["failedIndexes"].string ?? "", below: completions)
    }
  }

  // MARK: - What is asked

  private var isIndexed: Bool { job.spec["completionMode"].string == "Indexed" }
  private var completions: Int? { job.spec["completions"].int }
  private var parallelism: Int { job.spec["parallelism"].int ?? 1 }
  private var isSuspended: Bool { job.spec["suspend"].bool == true }
  private var limitPerIndex: Int? { job.spec["backoffLimitPerIndex"].int }
  private var limit: Int { job.spec["backoffLimit"].int ?? (limitPerIndex == nil ? 6 : Int(Int32.max)) }
  private var replacesOnlyFailed: Bool {
    job.spec["podReplacementPolicy"].string == "Failed" || !job.spec["podFailurePolicy"].isNull
  }

  private func hasFailed(_ pod: ObjectView) -> Bool {
    pod.phase == "Failed" || !replacesOnlyFailed && pod.isTerminating && pod.phase != "Succeeded"
  }

  private static func index(_ pod: ObjectView) -> Int? { pod.annotations[indexKey].string.flatMap { Int($0) } }

  private func condition(_ type: String) -> JSON? {
    conditions.first { $0["type"].string == type && $0["status"].string == "True" }
  }

  private var active: [ObjectView] { pods.filter { $0.isPodActive } }
  private var isOver: Bool { condition("SuccessCriteriaMet") != nil || condition("FailureTarget") != nil }

  // MARK: - Acting

  mutating func act(_ desk: inout Desk) {
    if isSuspended {
      status["startTime"] = condition("Suspended") == nil && !status["startTime"].isNull ? .null : status["startTime"]
    } else if status["startTime"].isNull {
      status["startTime"] = desk.now.json
    }
    count(&desk)
    decide(&desk)
    if isOver || isSuspended {
      for pod in active { remove(pod, &desk) }
    } else {
      manage(&desk)
      watchDeadline(&desk)
    }
    if !isOver { noteSuspension(&desk) }
    pods = desk.list("pods", job.namespace).filter { pod in pods.contains { $0.uid == pod.uid } }
    finish(&desk)
    write(&desk)
  }

  /// Counts the pods that ended, each once: first it is noted, then its finalizer goes, then it counts.
  private mutating func count(_ desk: inout Desk) {
    settle(&desk)
    var noted = status["uncountedTerminatedPods"]
    for pod in pods where pod.finalizers.contains(Self.finalizer) {
      if pod.phase == "Succeeded" {
        if isIndexed {
          if let index = Self.index(pod), index < completions ?? 0 { done = done.union([index]) }
          release(pod, &desk)
        } else {
          note(pod, "succeeded", &noted)
        }
      } else if hasFailed(pod) {
        judge(pod, &noted, &desk)
      }
    }
    status["uncountedTerminatedPods"] = noted.isNull ? .emptyObject : noted
    write(&desk)
    let uids = ["succeeded", "failed"].flatMap { noted[$0].strings }
    for pod in pods where uids.contains(pod.uid) { release(pod, &desk) }
    settle(&desk)
  }

  private func note(_ pod: ObjectView, _ list: String, _ noted: inout JSON) {
    if !noted[list].strings.contains(pod.uid) { noted[list].append(.string(pod.uid)) }
  }

  private mutating func judge(_ pod: ObjectView, _ noted: inout JSON, _ desk: inout Desk) {
    switch JobPolicies.action(job.spec["podFailurePolicy"], on: pod) {
    case .ignore:
      release(pod, &desk)
      return
    case .failJob(let message):
      if !isOver { set("FailureTarget", "PodFailurePolicy", message, desk.now) }
    case .failIndex:
      if limitPerIndex != nil, let index = Self.index(pod) { failedIndexes = failedIndexes.union([index]) }
    case .count:
      if let limitPerIndex, let index = Self.index(pod), Self.failures(pod) >= limitPerIndex, !done.contains(index) {
        failedIndexes = failedIndexes.union([index])
      }
    }
    note(pod, "failed", &noted)
  }

  private static func failures(_ pod: ObjectView) -> Int {
    pod.annotations[failuresKey].string.flatMap { Int($0) } ?? 0
  }

  /// Counts those noted whose finalizer is gone.
  private mutating func settle(_ desk: inout Desk) {
    var noted = status["uncountedTerminatedPods"]
    for list in ["succeeded", "failed"] {
      var left: [JSON] = []
      for uid in noted[list].strings {
        let isHeld = desk.list("pods", job.namespace).contains {
          $0.uid == uid && $0.finalizers.contains(Self.finalizer)
        }
        if isHeld { left.append(.string(uid)) } else { status[list] = .int(Int64((status[list].int ?? 0) + 1)) }
      }
      if !noted[list].isNull { noted[list] = left.isEmpty ? .null : .array(left) }
    }
    status["uncountedTerminatedPods"] = noted.isNull ? .emptyObject : noted
  }

  private func release(_ pod: ObjectView, _ desk: inout Desk) {
    guard pod.finalizers.contains(Self.finalizer) else { return }
    desk.send(
      desk.client.patch(
        "pods", pod.namespace, pod.name,
        ["metadata": ["$deleteFromPrimitiveList/finalizers": [.string(Self.finalizer)]]]), "delete")
  }

  private var succeeded: Int {
    isIndexed
      ? done.count : (status["succeeded"].int ?? 0) + status["uncountedTerminatedPods"]["succeeded"].items.count
  }
  private var failed: Int { (status["failed"].int ?? 0) + status["uncountedTerminatedPods"]["failed"].items.count }

  // MARK: - Whether it is over

  private mutating func decide(_ desk: inout Desk) {
    guard !isOver else { return }
    if isIndexed, let completions, !job.spec["successPolicy"].isNull,
      let message = JobPolicies.success(job.spec["successPolicy"], done, of: completions)
    {
      set("SuccessCriteriaMet", "SuccessPolicy", message, desk.now)
    } else if failed > limit || exceedsRestarts {
      set("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit", desk.now)
    } else if isOverdue(desk.now) {
      set("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline", desk.now)
    } else if let most = job.spec["maxFailedIndexes"].int, failedIndexes.count > most {
      set(
        "FailureTarget", "MaxFailedIndexesExceeded",
        "Job has exceeded the specified maximal number of failed indexes", desk.now)
    } else if let completions, isIndexed, failedIndexes.count > 0, done.count + failedIndexes.count >= completions {
      set("FailureTarget", "FailedIndexes", "Job has failed indexes", desk.now)
    } else if completions.map({ succeeded >= $0 && active.isEmpty }) ?? (succeeded > 0 && active.isEmpty), !isSuspended
    {
      set("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods", desk.now)
    }
  }

  /// With restarts in place it is the restarts that count.
  private var exceedsRestarts: Bool {
    guard job.spec["template"]["spec"]["restartPolicy"].string == "OnFailure" else { return false }
    let restarts = pods.filter { $0.phase == "Running" || $0.phase == "Pending" }.reduce(0) { sum, pod in
      sum
        + (pod.status["initContainerStatuses"].items + pod.status["containerStatuses"].items)
        .reduce(0) { $0 + ($1["restartCount"].int ?? 0) }
    }
    return limit == 0 ? restarts > 0 : restarts >= limit
  }

  private func isOverdue(_ now: Timestamp) -> Bool {
    guard let limit = job.spec["activeDeadlineSeconds"].int, !isSuspended, let start = status["startTime"].time else {
      return false
    }
    return now - start >= .seconds(limit)
  }

  private func watchDeadline(_ desk: inout Desk) {
    guard let limit = job.spec["activeDeadlineSeconds"].int, let start = status["startTime"].time else { return }
    desk.context.wake("retry \(job.key)", at: start + .seconds(limit), .background)
  }

  /// The last condition comes when no pod is left that runs.
  private mutating func finish(_ desk: inout Desk) {
    guard condition("Complete") == nil, condition("Failed") == nil, pods.allSatisfy(\.isPodFinished),
      status["uncountedTerminatedPods"].fields.allSatisfy({ $0.value.items.isEmpty })
    else { return }
    if let met = condition("SuccessCriteriaMet") {
      set("Complete", met["reason"].string ?? "", met["message"].string ?? "", desk.now)
      status["completionTime"] = desk.now.json
      desk.event(job, "Completed", "Job completed")
    } else if let target = condition("FailureTarget") {
      set("Failed", target["reason"].string ?? "", target["message"].string ?? "", desk.now)
      desk.warn(job, target["reason"].string ?? "", target["message"].string ?? "")
    }
  }

  private mutating func set(
    _ type: String, _ reason: String, _ message: String, _ now: Timestamp, status value: String = "True"
  ) {
    conditions.removeAll { $0["type"].string == type }
    conditions.append([
      "type": .string(type), "status": .string(value), "lastProbeTime": now.json, "lastTransitionTime": now.json,
      "reason": .string(reason), "message": .string(message),
    ])
  }

  private mutating func noteSuspension(_ desk: inout Desk) {
    let known = conditions.first { $0["type"].string == "Suspended" }?["status"].string
    if isSuspended, known != "True" {
      set("Suspended", "JobSuspended", "Job suspended", desk.now)
      desk.event(job, "Suspended", "Job suspended")
    } else if !isSuspended, known == "True" {
      set("Suspended", "JobResumed", "Job resumed", desk.now, status: "False")
      status["startTime"] = desk.now.json
      desk.event(job, "Resumed", "Job resumed")
    }
  }

  // MARK: - Pods

  private mutating func manage(_ desk: inout Desk) {
    let terminating = replacesOnlyFailed ? pods.count { $0.isTerminating && !$0.isPodFinished } : 0
    let left = completions.map { $0 - succeeded - failedIndexes.count }
    let wanted =
      left.map { max(0, min(parallelism, $0)) } ?? (succeeded > 0 ? min(active.count, parallelism) : parallelism)
    if active.count > wanted {
      let related: [String: Int] = [:]
      for pod in PodRank.inOrderOfDeletion(active, related: related, now: desk.now).prefix(active.count - wanted) {
        remove(pod, &desk)
      }
      return
    }
    let room = wanted - active.count - terminating
    guard room > 0 else { return }
    isIndexed ? startIndexes(room, &desk) : startPlain(room, &desk)
  }

  private mutating func startPlain(_ count: Int, _ desk: inout Desk) {
    let ended = pods.filter(\.isPodFinished).sorted { Self.endedAt($0) > Self.endedAt($1) }
    let inARow = ended.prefix { $0.phase == "Failed" }
    if let last = inARow.first.map(Self.endedAt), pauses(until: last, failures: inARow.count, &desk) { return }
    for _ in 0..<count { create(index: nil, failures: nil, &desk) }
  }

  private mutating func startIndexes(_ count: Int, _ desk: inout Desk) {
    guard let completions else { return }
    let taken = Set(pods.filter { $0.isPodActive || replacesOnlyFailed && !$0.isPodFinished }.compactMap(Self.index))
    let pending = (0..<completions).filter { !taken.contains($0) && !done.contains($0) && !failedIndexes.contains($0) }
    if limitPerIndex == nil {
      let ended = pods.filter(\.isPodFinished).sorted { Self.endedAt($0) > Self.endedAt($1) }
      let inARow = ended.prefix { $0.phase == "Failed" }
      if let last = inARow.first.map(Self.endedAt), pauses(until: last, failures: inARow.count, &desk) { return }
    }
    for index in pending.prefix(count) {
      var failures: Int?
      if limitPerIndex != nil {
        let earlier = pods.filter { Self.index($0) == index && hasFailed($0) }
        let ignored = earlier.filter { JobPolicies.action(job.spec["podFailurePolicy"], on: $0) == .ignore }
        failures =
          earlier.map { pod in Self.failures(pod) + (ignored.contains { $0.uid == pod.uid } ? 0 : 1) }.max() ?? 0
        if let last = earlier.map(Self.endedAt).max(), let failures, failures > 0,
          pauses(until: last, failures: failures, &desk)
        {
          continue
        }
      }
      create(index: index, failures: failures, &desk)
    }
  }

  /// Whether the pause after failures (10 s doubling, at most 10 minutes) is not over yet.
  private func pauses(until last: Timestamp, failures: Int, _ desk: inout Desk) -> Bool {
    let pause = Duration.seconds(min(600, 10 << min(max(0, failures - 1), 6)))
    guard last + pause > desk.now else { return false }
    desk.again(after: last + pause - desk.now)
    return true
  }

  private static func endedAt(_ pod: ObjectView) -> Timestamp {
    pod.status["containerStatuses"].items.compactMap { $0["state"]["terminated"]["finishedAt"].time }.max()
      ?? pod.metadata["deletionTimestamp"].time ?? pod.createdAt
  }

  private mutating func create(index: Int?, failures: Int?, _ desk: inout Desk) {
    started += 1
    let prefix = index.map { "\(job.name)-\($0)-" } ?? "\(job.name)-"
    var pod = PodTemplate.pod(from: job.spec["template"], owner: job, namePrefix: prefix)
    pod["metadata"]["finalizers"].append(.string(Self.finalizer))
    if let index {
      pod["metadata"]["annotations"][Self.indexKey] = .string("\(index)")
      pod["metadata"]["labels"][Self.indexKey] = .string("\(index)")
      if (pod["spec"]["hostname"].string ?? "").isEmpty { pod["spec"]["hostname"] = .string("\(job.name)-\(index)") }
      let variable: JSON = [
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": ["fieldRef": ["fieldPath": .string("metadata.labels['\(Self.indexKey)']")]],
      ]
      for list in ["initContainers", "containers"] {
        pod["spec"].ifPresent(list) { containers in
          containers.changeEach { container in
            if !container["env"].items.contains(where: { $0["name"].string == "JOB_COMPLETION_INDEX" }) {
              container["env"].append(variable)
            }
          }
        }
      }
    }
    if let failures { pod["metadata"]["annotations"][Self.failuresKey] = .string("\(failures)") }
    desk.send(desk.client.create("pods", job.namespace, pod), "create")
  }

  private func remove(_ pod: ObjectView, _ desk: inout Desk) {
    desk.send(desk.client.delete("pods", pod.namespace, pod.name, uid: pod.uid), "delete/\(pod.name)")
  }

  // MARK: - Status

  private mutating func write(_ desk: inout Desk) {
    func positive(_ count: Int) -> JSON { count > 0 ? .int(Int64(count)) : .null }
    status["active"] = positive(isOver || isSuspended ? active.count { !$0.isTerminating } : active.count + started)
    status["ready"] = .int(Int64(active.count(where: \.isPodReady)))
    status["terminating"] = .int(Int64(pods.count { $0.isTerminating && !$0.isPodFinished }))
    if isIndexed {
      status["succeeded"] = positive(done.count)
      status["completedIndexes"] = done.count == 0 ? .null : .string(done.text)
      if limitPerIndex != nil { status["failedIndexes"] = .string(failedIndexes.text) }
    }
    status["conditions"] = conditions.isEmpty ? .null : .array(conditions)
    if status["uncountedTerminatedPods"].isNull { status["uncountedTerminatedPods"] = .emptyObject }
    desk.updateStatus("jobs.batch", desk.get("jobs.batch", key: job.key) ?? job, status)
  }
}
