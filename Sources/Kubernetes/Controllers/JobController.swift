import Wire
package import World

/// Runs a Job's pods until enough of them succeeded or too many failed.
///
/// Source: kubernetes `pkg/controller/job`, without indexed completion and pod failure policies.
package struct JobController: Reconciler {
  package static let name = "job-controller"
  package static let resources = ["jobs.batch", "pods"]

  private static let finalizer = "batch.kubernetes.io/job-tracking"

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == "pods" else { return ["\(reference.namespace)/\(reference.name)"] }
    return Ownership.keys(ofChild: reference, resource: "pods", kind: "Job", owners: "jobs.batch", desk)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let job = desk.get("jobs.batch", key: key), !job.isTerminating else { return }
    let pods = Ownership.claim("pods", of: job, Ownership.selector(job), &desk)
    for pod in pods where pod.isPodFinished || pod.isTerminating { release(pod, &desk) }
    if job.isConditionTrue("Complete") || job.isConditionTrue("Failed") {
      expire(job, &desk)
      return
    }
    var status = job.status
    if status["startTime"].isNull, job.spec["suspend"].bool != true { status["startTime"] = desk.now.json }
    // Pods that were counted may be gone by now: the counts never go back.
    let succeeded = max(pods.count { $0.phase == "Succeeded" }, status["succeeded"].int ?? 0)
    let failed = max(pods.count { $0.phase == "Failed" }, status["failed"].int ?? 0)
    let active = pods.filter(\.isPodActive)
    let limit = job.spec["backoffLimit"].int ?? 6
    let completions = job.spec["completions"].int
    let parallelism = job.spec["parallelism"].int ?? 1
    var running = active.count
    if failed > limit {
      finish(job, &status, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit", &desk)
      for pod in active { remove(pod, &desk) }
      running = 0
    } else if isOverdue(job, status, desk) {
      finish(job, &status, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline", &desk)
      for pod in active { remove(pod, &desk) }
      running = 0
    } else if completions.map({ succeeded >= $0 }) ?? (succeeded > 0 && active.isEmpty) {
      finish(
        job, &status, "Complete", "CompletionsReached", "Reached expected number of succeeded pods", &desk)
      status["completionTime"] = desk.now.json
      desk.event(job, "Completed", "Job completed")
    } else if job.spec["suspend"].bool == true {
      for pod in active { remove(pod, &desk) }
      running = 0
    } else {
      let wanted = completions.map { min(parallelism, $0 - succeeded) } ?? (succeeded > 0 ? active.count : parallelism)
      if active.count < wanted {
        running += start(job, wanted - active.count, failed: failed, pods, &desk)
      } else {
        for pod in active.prefix(active.count - max(0, wanted)) { remove(pod, &desk) }
      }
      watchDeadline(job, status, &desk)
    }
    status["active"] = running > 0 ? .int(Int64(running)) : .null
    status["ready"] = .int(Int64(active.count(where: \.isPodReady)))
    status["succeeded"] = succeeded > 0 ? .int(Int64(succeeded)) : .null
    status["failed"] = failed > 0 ? .int(Int64(failed)) : .null
    status["terminating"] = .int(Int64(pods.count { $0.isTerminating && !$0.isPodFinished }))
    status["uncountedTerminatedPods"] = .emptyObject
    desk.updateStatus("jobs.batch", desk.get("jobs.batch", key: key) ?? job, status)
  }

  /// Starts pods, after a failure only when its pause (10 s doubling, at most 10 minutes) is over.
  private func start(
    _ job: ObjectView, _ count: Int, failed: Int, _ pods: [ObjectView], _ desk: inout Desk
  ) -> Int {
    if failed > 0 {
      let pause = Duration.seconds(min(600, 10 << min(failed - 1, 6)))
      let last =
        pods.filter { $0.phase == "Failed" }.compactMap {
          $0.status["containerStatuses"][0]["state"]["terminated"]["finishedAt"].time ?? $0.createdAt
        }.max() ?? desk.now
      if last + pause > desk.now {
        desk.again(after: last + pause - desk.now)
        return 0
      }
    }
    var template = PodTemplate.pod(from: job.spec["template"], owner: job, namePrefix: "\(job.name)-")
    template["metadata"]["finalizers"].append(.string(Self.finalizer))
    for _ in 0..<count { desk.send(desk.client.create("pods", job.namespace, template), "create") }
    return count
  }

  private func release(_ pod: ObjectView, _ desk: inout Desk) {
    guard pod.finalizers.contains(Self.finalizer) else { return }
    desk.send(
      desk.client.patch(
        "pods", pod.namespace, pod.name,
        ["metadata": ["$deleteFromPrimitiveList/finalizers": [.string(Self.finalizer)]]]), "delete")
  }

  private func remove(_ pod: ObjectView, _ desk: inout Desk) {
    desk.send(desk.client.delete("pods", pod.namespace, pod.name, uid: pod.uid), "delete/\(pod.name)")
  }

  private func finish(
    _ job: ObjectView, _ status: inout JSON, _ type: String, _ reason: String, _ message: String, _ desk: inout Desk
  ) {
    var conditions = status["conditions"].items
    let stages = type == "Complete" ? ["SuccessCriteriaMet", "Complete"] : ["FailureTarget", "Failed"]
    for stage in stages {
      conditions.append([
        "type": .string(stage), "status": "True", "lastProbeTime": desk.now.json,
        "lastTransitionTime": desk.now.json, "reason": .string(reason), "message": .string(message),
      ])
    }
    status["conditions"] = .array(conditions)
    if type == "Failed" { desk.warn(job, reason, message) }
  }

  private func isOverdue(_ job: ObjectView, _ status: JSON, _ desk: Desk) -> Bool {
    guard let limit = job.spec["activeDeadlineSeconds"].int, let start = status["startTime"].time else { return false }
    return desk.now - start >= .seconds(limit)
  }

  private func watchDeadline(_ job: ObjectView, _ status: JSON, _ desk: inout Desk) {
    guard let limit = job.spec["activeDeadlineSeconds"].int, let start = status["startTime"].time else { return }
    desk.context.wake("key \(job.key)", at: start + .seconds(limit), .background)
  }

  /// Deletes a finished Job once its time to live is over.
  private func expire(_ job: ObjectView, _ desk: inout Desk) {
    guard let seconds = job.spec["ttlSecondsAfterFinished"].int else { return }
    let done = job.status["conditions"].items.compactMap { $0["lastTransitionTime"].time }.max() ?? desk.now
    let left = done + .seconds(seconds) - desk.now
    if left > .zero {
      desk.again(after: left, .background)
    } else {
      desk.send(
        desk.client.delete("jobs.batch", job.namespace, job.name, uid: job.uid, propagation: "Foreground"), "delete")
    }
  }

  package func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    guard let job = desk.get("jobs.batch", key: key) else { return false }
    if purpose == "create" {
      if reply.isSuccess {
        desk.event(job, "SuccessfulCreate", "Created pod: \(reply.body["metadata"]["name"].string ?? "")")
        return false
      }
      desk.warn(job, "FailedCreate", "Error creating: \(reply.message)")
    }
    if purpose.hasPrefix("delete/"), reply.isSuccess {
      desk.event(job, "SuccessfulDelete", "Deleted pod: \(purpose.dropFirst(7))")
    }
    return Desk.isFailure(purpose, reply)
  }
}
