import Wire
package import World

/// Runs a Job's pods until enough of them succeeded or too many failed.
///
/// Source: kubernetes `pkg/controller/job`.
package struct JobController: Reconciler {
  package static let name = "job-controller"
  package static let resources = ["jobs.batch", "pods"]

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == "pods" else { return ["\(reference.namespace)/\(reference.name)"] }
    return Ownership.keys(ofChild: reference, resource: "pods", kind: "Job", owners: "jobs.batch", desk)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let job = desk.get("jobs.batch", key: key) else { return releaseOrphans(key, &desk) }
    // Who says so manages it from elsewhere.
    if let manager = job.spec["managedBy"].string, manager != "kubernetes.io/job-controller" { return }
    let pods = Ownership.claim("pods", of: job, Ownership.selector(job), &desk, finalizer: JobTurn.finalizer)
    // Pods of a Job that goes go first where it was so asked, and nothing may hold them.
    if job.isTerminating || job.isConditionTrue("Complete") || job.isConditionTrue("Failed") {
      for pod in pods { release(pod, &desk) }
      return
    }
    var turn = JobTurn(job, pods: pods)
    turn.act(&desk)
  }

  /// Pods of a Job that is gone are not held back.
  private func releaseOrphans(_ key: String, _ desk: inout Desk) {
    let (namespace, name) = Desk.parts(key)
    for pod in desk.list("pods", namespace) {
      guard pod.finalizers.contains(JobTurn.finalizer),
        pod.controller.map({ $0["kind"].string == "Job" && $0["name"].string == name }) ?? false
      else { continue }
      release(pod, &desk)
    }
  }

  private func release(_ pod: ObjectView, _ desk: inout Desk) {
    guard pod.finalizers.contains(JobTurn.finalizer) else { return }
    desk.send(
      desk.client.patch(
        "pods", pod.namespace, pod.name,
        ["metadata": ["$deleteFromPrimitiveList/finalizers": [.string(JobTurn.finalizer)]]]), "delete")
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

/// Deletes finished Jobs once their time to live is over.
///
/// Source: kubernetes `pkg/controller/ttlafterfinished`.
package struct TTLAfterFinishedController: Reconciler {
  package static let name = "ttl-after-finished-controller"
  package static let resources = ["jobs.batch"]

  package init() {}

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let job = desk.get("jobs.batch", key: key), !job.isTerminating,
      let seconds = job.spec["ttlSecondsAfterFinished"].int,
      let end = ["Complete", "Failed"].map({ job.condition($0) }).first(where: { $0["status"].string == "True" }),
      let done = end["lastTransitionTime"].time
    else { return }
    let left = done + .seconds(seconds) - desk.now
    if left > .zero {
      desk.again(after: left, .background)
    } else {
      desk.send(
        desk.client.delete("jobs.batch", job.namespace, job.name, uid: job.uid, propagation: "Foreground"), "delete")
    }
  }
}
