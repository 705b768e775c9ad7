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

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == "pods" else { return ["\(reference.namespace)/\(reference.name)"] }
    let budgets = desk.list(Self.resource, reference.namespace)
    guard let pod = desk.get("pods", reference.namespace, reference.name) else { return budgets.map(\.key) }
    return budgets.filter { Ownership.selector($0).matches(pod.labels) }.map(\.key)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let budget = desk.get(Self.resource, key: key), !budget.isTerminating else { return }
    let selector = Ownership.selector(budget)
    let pods = desk.list("pods", budget.namespace).filter { selector.matches($0.labels) && !$0.isPodFinished }
    let expected = expectedPods(pods, budget, desk)
    let desired: Int
    if budget.spec["maxUnavailable"].isNull {
      desired = IntOrPercent.value(budget.spec["minAvailable"], of: expected, roundUp: true)
    } else {
      desired = max(0, expected - IntOrPercent.value(budget.spec["maxUnavailable"], of: expected, roundUp: true))
    }
    let healthy = pods.count { $0.isPodReady && !$0.isTerminating }
    let allowed = pods.isEmpty ? 0 : max(0, healthy - desired)
    var status = budget.status
    status["disruptedPods"] = .null
    status["currentHealthy"] = .int(Int64(healthy))
    status["desiredHealthy"] = .int(Int64(desired))
    status["expectedPods"] = .int(Int64(expected))
    status["disruptionsAllowed"] = .int(Int64(allowed))
    status["observedGeneration"] = .int(Int64(budget.generation))
    let old = budget.condition("DisruptionAllowed")
    let value = allowed > 0 ? "True" : "False"
    status["conditions"] = [
      [
        "type": "DisruptionAllowed", "status": .string(value), "observedGeneration": .int(Int64(budget.generation)),
        "lastTransitionTime": old["status"].string == value ? old["lastTransitionTime"] : desk.now.json,
        "reason": allowed > 0 ? "SufficientPods" : "InsufficientPods", "message": "",
      ]
    ]
    desk.updateStatus(Self.resource, budget, status)
  }

  /// What the controllers of the pods want; the pods themselves where a number of them is to stay.
  private func expectedPods(_ pods: [ObjectView], _ budget: ObjectView, _ desk: Desk) -> Int {
    if budget.spec["maxUnavailable"].isNull, budget.spec["minAvailable"].int != nil { return pods.count }
    var seen: Set<String> = []
    var expected = 0
    for pod in pods {
      guard let (uid, replicas) = scale(of: pod, desk), seen.insert(uid).inserted else { continue }
      expected += replicas
    }
    return expected
  }

  /// Who keeps the pod's number, and what that is; of a Deployment's pods it is the Deployment, however many
  /// ReplicaSets a rollout has.
  private func scale(of pod: ObjectView, _ desk: Desk) -> (uid: String, replicas: Int)? {
    guard let controller = pod.controller, let kind = controller["kind"].string else { return nil }
    let group = (controller["apiVersion"].string ?? "").split(separator: "/").dropLast().joined()
    guard let row = ClusterKinds.row(kind: kind, group: group, desk),
      let owner = desk.get(row.qualifiedName, pod.namespace, controller["name"].string ?? ""),
      owner.uid == controller["uid"].string
    else { return nil }
    if kind == "ReplicaSet", let above = owner.controller, above["kind"].string == "Deployment",
      let deployment = desk.get("deployments.apps", pod.namespace, above["name"].string ?? ""),
      deployment.uid == above["uid"].string
    {
      return (deployment.uid, deployment.spec["replicas"].int ?? 1)
    }
    return (owner.uid, owner.spec["replicas"].int ?? 0)
  }
}
