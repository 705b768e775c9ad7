import Mechanisms
import Wire
import World

/// Whether a node takes a pod that was bound to it: the kubelet asks the scheduler's rules once more.
///
/// Source: kubernetes `pkg/kubelet/lifecycle/predicate.go`.
extension Kubelet {
  struct Refusal {
    var reason: String
    var message: String
  }

  /// Why the pod is not taken; nil when it is.
  func refusal(of pod: ObjectView, _ context: Context) -> Refusal? {
    guard pod.phase == "Pending", !pod.isTerminating, let node = read("nodes", "", identity.nodeName, context) else {
      return nil
    }
    if shutdown != nil {
      return Refusal(reason: NodeShutdown.rejected.reason, message: NodeShutdown.rejected.message)
    }
    if let refusal = pressureRefusal(of: pod) ?? deviceRefusal(of: pod, context) { return refusal }
    // What keeps new pods away has nothing to say to one that is here.
    var offer = offer(of: node)
    offer.taints = []
    offer.isUnschedulable = false
    var needs = PodNeeds(pod: pod.json)
    needs.nodeName = ""
    var use = NodeUse()
    for record in pods.values where record.uid != pod.uid {
      guard let other = read("pods", record.namespace, record.name, context), !other.isPodFinished else { continue }
      use.add(self.needs(of: other))
    }
    let verdict = NodeFit.decide(.init(pod: .known(needs), node: .known(offer), use: .known(use)))
    guard verdict.isNo, let reason = verdict.reasons.first else { return nil }
    guard reason.plugin == .resources else {
      return Refusal(
        reason: reason.plugin.rawValue, message: "Predicate \(reason.plugin.rawValue) failed: \(reason.text)")
    }
    let name = reason.text == "Too many pods" ? "pods" : String(reason.text.split(separator: " ").last ?? "")
    func amount(_ milli: Int64) -> Int64 { name == "cpu" ? milli : milli / 1000 }
    let (asked, used) =
      name == "pods" ? (1, Int64(use.pods)) : (amount(needs.requests[name] ?? 0), amount(use.requested[name] ?? 0))
    return Refusal(
      reason: "OutOf\(name)",
      message:
        "Node didn't have enough resource: \(name), requested: \(asked), used: \(used), capacity: \(amount(offer.allocatable[name] ?? 0))"
    )
  }

  /// What a pod here asks for; read from its specification again when that has changed.
  private func needs(of pod: ObjectView) -> PodNeeds {
    if let known = known.needs[pod.uid], known.spec.sharesStorage(with: pod.spec) { return known.needs }
    let needs = PodNeeds(pod: pod.json)
    known.needs[pod.uid] = (pod.spec, needs)
    return needs
  }

  private func offer(of node: ObjectView) -> NodeOffer {
    if let read = known.offer, read.node.sharesStorage(with: node.json) { return read.offer }
    let offer = NodeOffer(node: node.json)
    known.offer = (node.json, offer)
    return offer
  }

  /// What was read from objects, so that it needn't be read again. Not saved: it follows from them.
  final class Known {
    var needs: [String: (spec: JSON, needs: PodNeeds)] = [:]
    var offer: (node: JSON, offer: NodeOffer)?
  }

  /// Fails a pod that is not taken.
  mutating func reject(_ pod: ObjectView, _ refusal: Refusal, _ context: Context) {
    event(pod.reference, context, type: "Warning", refusal.reason, refusal.message)
    fail(pod, refusal.reason, "Pod was rejected: \(refusal.message)", context)
  }

  /// Writes a pod's failure that doesn't come from its containers.
  private mutating func fail(_ pod: ObjectView, _ reason: String, _ message: String, _ context: Context) {
    let now = context.now
    send("pod-status \(pod.uid)", context) { client in
      client.patch(
        "pods", pod.namespace, pod.name,
        [
          "metadata": ["uid": .string(pod.uid)],
          "status": [
            "phase": "Failed", "reason": .string(reason), "message": .string(message), "startTime": now.json,
          ],
        ], subresource: "status")
    }
  }

  // MARK: - Deadlines

  /// When the pod has run for as long as it may; nil without a limit.
  func deadline(of record: PodRecord, _ pod: ObjectView) -> Timestamp? {
    pod.spec["activeDeadlineSeconds"].int.map { record.startedAt + .seconds($0) }
  }

  /// Ends a pod whose time is over; true when that is so.
  mutating func exceedsDeadline(
    _ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) -> Bool {
    guard let deadline = deadline(of: record, pod) else { return false }
    guard deadline <= context.now else {
      turn.at(deadline, quietly: true)
      return false
    }
    if record.failure == nil {
      let message = "Pod was active on the node longer than the specified deadline"
      record.failure = .init(reason: "DeadlineExceeded", message: message)
      event(pod.reference, context, "DeadlineExceeded", message)
      let grace = pod.spec["terminationGracePeriodSeconds"].int ?? 30
      stopAll(&record, pod, grace: grace, context)
    }
    endFailed(&record, pod, &turn, context)
    return true
  }
}
