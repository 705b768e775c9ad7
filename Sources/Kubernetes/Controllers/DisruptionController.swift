import Wire
package import World

/// Tells how many pods of a PodDisruptionBudget may be evicted now.
///
/// Source: kubernetes `pkg/controller/disruption`.
package struct DisruptionController: Reconciler {
  package static let name = "disruption-controller"
  package static let eventSource = "controllermanager"
  package static let resources = ["poddisruptionbudgets.policy", "pods"]

  private static let resource = "poddisruptionbudgets.policy"
  /// So long an evicted pod counts as going although it is not yet.
  private static let patience = Duration.seconds(120)

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == "pods" else { return ["\(reference.namespace)/\(reference.name)"] }
    let budgets = desk.list(Self.resource, reference.namespace)
    guard let pod = desk.get("pods", reference.namespace, reference.name) else { return budgets.map(\.key) }
    return budgets.filter { Ownership.selector($0).matches(pod.labels) }.map(\.key)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let budget = desk.get(Self.resource, key: key) else { return }
    let selector = Ownership.selector(budget)
    let pods = desk.list("pods", budget.namespace).filter { selector.matches($0.labels) }
    if pods.isEmpty { desk.event(budget, "NoPods", "No matching pods found") }
    let expected: Expected
    do throws(Fault) { expected = try expectation(pods, budget, desk) } catch {
      desk.warn(
        budget, "CalculateExpectedPodCountFailed",
        "Failed to calculate the number of expected pods: \(error.message)")
      return failSafe(budget, error, &desk)
    }
    if expected.hasUnmanaged { warnOfUnmanaged(budget, &desk) }
    let going = disrupted(pods, budget, &desk)
    let healthy = pods.count { $0.isPodReady && !$0.isTerminating && going[$0.name].isNull }
    let allowed = expected.pods > 0 ? max(0, healthy - expected.healthy) : 0
    var status = budget.status
    status["disruptedPods"] = going.fields.isEmpty ? .null : going
    status["currentHealthy"] = .int(Int64(healthy))
    status["desiredHealthy"] = .int(Int64(expected.healthy))
    status["expectedPods"] = .int(Int64(expected.pods))
    status["disruptionsAllowed"] = .int(Int64(allowed))
    status["observedGeneration"] = .int(Int64(budget.generation))
    say(
      allowed > 0, allowed > 0 ? "SufficientPods" : "InsufficientPods", "", budget.generation, budget, &status, desk.now
    )
    desk.updateStatus(Self.resource, budget, status)
  }

  private func say(
    _ isAllowed: Bool, _ reason: String, _ message: String, _ generation: Int, _ budget: ObjectView,
    _ status: inout JSON, _ now: Timestamp
  ) {
    let old = budget.condition("DisruptionAllowed")
    let value = isAllowed ? "True" : "False"
    status["conditions"] = .array(
      status["conditions"].items.filter { $0["type"].string != "DisruptionAllowed" } + [
        [
          "type": "DisruptionAllowed", "status": .string(value), "observedGeneration": .int(Int64(generation)),
          "lastTransitionTime": old["status"].string == value ? old["lastTransitionTime"] : now.json,
          "reason": .string(reason), "message": .string(message),
        ]
      ])
  }

  /// Nothing may be evicted while it isn't known how many pods there should be.
  private func failSafe(_ budget: ObjectView, _ fault: Fault, _ desk: inout Desk) {
    var status = budget.status
    status["disruptionsAllowed"] = 0
    // What upstream's type always writes.
    for count in ["currentHealthy", "desiredHealthy", "expectedPods"] where status[count].isNull { status[count] = 0 }
    say(
      false, "SyncFailed", fault.message, status["observedGeneration"].int ?? 0, budget, &status, desk.now)
    desk.updateStatus(Self.resource, budget, status)
  }

  /// Those that were evicted and are still there.
  private func disrupted(_ pods: [ObjectView], _ budget: ObjectView, _ desk: inout Desk) -> JSON {
    var going = JSON.emptyObject
    var soonest: Duration?
    for pod in pods where !pod.isTerminating {
      guard let since = budget.status["disruptedPods"][pod.name].time else { continue }
      let left = since + Self.patience - desk.now
      if left < .zero {
        desk.warn(
          pod, "NotDeleted",
          "Pod was expected by PDB \(budget.namespace)/\(budget.namespace) to be deleted but it wasn't")
      } else {
        going[pod.name] = budget.status["disruptedPods"][pod.name]
        soonest = min(soonest ?? left, left)
      }
    }
    if let soonest { desk.again(after: soonest + .seconds(1)) }
    return going
  }

  // MARK: - How many there should be

  private struct Fault: Error {
    var message: String
  }

  private struct Expected {
    var pods: Int
    var healthy: Int
    var hasUnmanaged = false
  }

  private func expectation(
    _ pods: [ObjectView], _ budget: ObjectView, _ desk: Desk
  ) throws(Fault) -> Expected {
    let most = budget.spec["maxUnavailable"]
    let least = budget.spec["minAvailable"]
    if most.isNull, let number = least.int { return Expected(pods: pods.count, healthy: number) }
    if most.isNull, least.isNull { return Expected(pods: 0, healthy: 0) }
    let (wanted, hasUnmanaged) = try scales(of: pods, desk)
    let healthy =
      most.isNull
      ? IntOrPercent.value(least, of: wanted, roundUp: true)
      : max(0, wanted - IntOrPercent.value(most, of: wanted, roundUp: true))
    return Expected(pods: wanted, healthy: healthy, hasUnmanaged: hasUnmanaged)
  }

  /// What the controllers of the pods want, each counted once.
  private func scales(of pods: [ObjectView], _ desk: Desk) throws(Fault) -> (wanted: Int, hasUnmanaged: Bool) {
    var seen: Set<String> = []
    var wanted = 0
    var hasUnmanaged = false
    for pod in pods {
      guard let controller = pod.controller else {
        hasUnmanaged = true
        continue
      }
      if seen.contains(controller["uid"].string ?? "") { continue }
      let (uid, replicas) = try scale(of: pod, controller, desk)
      if seen.insert(uid).inserted { wanted += replicas }
    }
    return (wanted, hasUnmanaged)
  }

  /// Who keeps the pod's number, and what that is; of a Deployment's pods it is the Deployment, however many
  /// ReplicaSets a rollout has.
  private func scale(
    of pod: ObjectView, _ controller: JSON, _ desk: Desk
  ) throws(Fault) -> (uid: String, replicas: Int) {
    let kind = controller["kind"].string ?? ""
    let version = controller["apiVersion"].string ?? ""
    let group = version.split(separator: "/").dropLast().joined()
    guard let row = ClusterKinds.row(kind: kind, group: group, desk) else {
      throw Fault(message: "no matches for kind \(GoText.quote(kind)) in version \(GoText.quote(version))")
    }
    guard row.subresource("scale") != nil else {
      throw Fault(message: "\(row.qualifiedName) does not implement the scale subresource")
    }
    guard let owner = desk.get(row.qualifiedName, pod.namespace, controller["name"].string ?? ""),
      owner.uid == controller["uid"].string
    else { throw Fault(message: "found no controllers for pod \(GoText.quote(pod.name))") }
    if kind == "ReplicaSet", let above = owner.controller, above["kind"].string == "Deployment",
      let deployment = desk.get("deployments.apps", pod.namespace, above["name"].string ?? ""),
      deployment.uid == above["uid"].string
    {
      return (deployment.uid, deployment.spec["replicas"].int ?? 1)
    }
    return (owner.uid, owner.spec["replicas"].int ?? 0)
  }

  private func warnOfUnmanaged(_ budget: ObjectView, _ desk: inout Desk) {
    let selector = budget.spec["selector"]
    let labels = selector["matchLabels"].fields.sorted { $0.key < $1.key }
      .map { "\($0.key): \($0.value.string ?? "")," }.joined()
    let expressions = selector["matchExpressions"].items.map { one in
      "LabelSelectorRequirement{Key:\(one["key"].string ?? ""),Operator:\(one["operator"].string ?? ""),"
        + "Values:[\(one["values"].strings.joined(separator: " "))],},"
    }.joined()
    desk.warn(
      budget, "UnmanagedPods",
      "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{\(labels)},"
        + "MatchExpressions:[]LabelSelectorRequirement{\(expressions)},}) were found to be unmanaged. As a result, the "
        + "status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for "
        + "these pods please set \".spec.minAvailable\" field of the PDB to an integer value.")
  }
}
