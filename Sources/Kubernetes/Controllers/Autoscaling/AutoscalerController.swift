import Mechanisms
import Wire
package import World

/// Brings the replicas of what HorizontalPodAutoscalers name to what their metrics ask for.
///
/// Source: kubernetes `pkg/controller/podautoscaler`.
package struct AutoscalerController: Reconciler {
  package static let name = "horizontal-pod-autoscaler"
  package static let resources = [resource]

  static let resource = "horizontalpodautoscalers.autoscaling"
  /// How often a target is looked at; a new one after the same time.
  private static let interval: Duration = .seconds(15)

  /// How far it is with a target.
  struct Turn: Codable {
    var path: String
    var scale: JSON
    var status: JSON
    /// What it is to have, and why; set once the metrics are there.
    var desired = 0
    var reason = ""
  }

  private var turns: [String: Turn] = [:]
  var histories: [String: ScalingHistory] = [:]

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    let key = "\(reference.namespace)/\(reference.name)"
    if !desk.context.isWaiting(for: "key \(key)") {
      desk.context.wake("key \(key)", after: Self.interval, .background)
    }
    return []
  }

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    guard let autoscaler = desk.get(Self.resource, key: key) else {
      turns[key] = nil
      histories[key] = nil
      return
    }
    desk.again(after: Self.interval, .background)
    let target = autoscaler.spec["scaleTargetRef"]
    guard let path = ScaleTarget(target, desk).path(autoscaler.namespace) else {
      let group = GroupVersion(target["apiVersion"].string ?? "")?.group ?? ""
      let why =
        "no matches for kind \(GoText.quote(target["kind"].string ?? "")) in group \(GoText.quote(group))"
      noScale(autoscaler, "unable to determine resource for scale target reference: \(why)", &desk)
      return
    }
    turns[key] = Turn(path: path, scale: .null, status: autoscaler.status)
    desk.send(desk.client.request("GET", path), "scale")
  }

  package mutating func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    guard let autoscaler = desk.get(Self.resource, key: key), var turn = turns[key] else { return false }
    switch purpose {
    case "scale":
      guard reply.isSuccess else {
        noScale(autoscaler, reply.message, &desk)
        return false
      }
      turn.scale = reply.body
      Self.set(
        &turn.status, "AbleToScale", true, "SucceededGetScale",
        "the HPA controller was able to get the target's current scale", desk.now)
      begin(autoscaler, &turn, &desk)
    case "metrics": measured(autoscaler, &turn, reply, &desk)
    case "rescale": rescaled(autoscaler, &turn, reply, &desk)
    default: return false
    }
    if turns[key] != nil { turns[key] = turn }
    return false
  }

  // MARK: - The turn

  private mutating func noScale(_ autoscaler: ObjectView, _ why: String, _ desk: inout Desk) {
    var status = autoscaler.status
    desk.warn(autoscaler, "FailedGetScale", why)
    Self.set(
      &status, "AbleToScale", false, "FailedGetScale",
      "the HPA controller was unable to get the target's current scale: \(why)", desk.now)
    write(autoscaler, status, &desk)
  }

  private mutating func begin(_ autoscaler: ObjectView, _ turn: inout Turn, _ desk: inout Desk) {
    let current = turn.scale["spec"]["replicas"].int ?? 0
    histories[desk.key, default: ScalingHistory()].begin(current, desk.now)
    let least = autoscaler.spec["minReplicas"].int ?? 1
    let most = autoscaler.spec["maxReplicas"].int ?? 0
    if current == 0, least != 0 {
      Self.set(
        &turn.status, "ScalingActive", false, "ScalingDisabled",
        "scaling is disabled since the replica count of the target is zero", desk.now)
      turn.desired = 0
      finish(autoscaler, &turn, metrics: .null, &desk)
    } else if current > most {
      rescale(autoscaler, &turn, to: most, "Current number of replicas above Spec.MaxReplicas", .null, &desk)
    } else if current < least {
      rescale(autoscaler, &turn, to: least, "Current number of replicas below Spec.MinReplicas", .null, &desk)
    } else {
      guard let selector = selector(autoscaler, &turn, &desk) else { return }
      desk.send(
        desk.client.request(
          "GET", "/apis/\(AggregatedGroups.metrics)/namespaces/\(autoscaler.namespace)/pods",
          query: [(name: "labelSelector", value: selector)]), "metrics")
    }
  }

  /// The target's selector; nil with a condition where it has none or shares its pods.
  private func selector(_ autoscaler: ObjectView, _ turn: inout Turn, _ desk: inout Desk) -> String? {
    func fail(_ reason: String, _ message: String, _ event: String, _ turn: inout Turn, _ desk: inout Desk) {
      desk.warn(autoscaler, event, message)
      desk.warn(autoscaler, "FailedComputeMetricsReplicas", message)
    }
    guard let text = turn.scale["status"]["selector"].string, !text.isEmpty else {
      Self.set(
        &turn.status, "ScalingActive", false, "InvalidSelector", "the HPA target's scale is missing a selector",
        desk.now)
      fail("InvalidSelector", "selector is required", "SelectorRequired", &turn, &desk)
      write(autoscaler, counted(turn, autoscaler), &desk)
      return nil
    }
    return text
  }

  private mutating func measured(
    _ autoscaler: ObjectView, _ turn: inout Turn, _ reply: KubeReply, _ desk: inout Desk
  ) {
    let current = turn.scale["spec"]["replicas"].int ?? 0
    let selector = (try? LabelSelector(parsing: turn.scale["status"]["selector"].string ?? "")) ?? .nothing
    let pods = desk.list("pods", autoscaler.namespace).filter { selector.matches($0.labels) }
    let behavior = autoscaler.spec["behavior"]
    func share(_ direction: String) -> Double { behavior[direction]["tolerance"].quantity?.double ?? 0.1 }
    let metrics = AutoscalerMetrics(
      namespace: autoscaler.namespace, reply: reply, pods: pods,
      calculator: ReplicaCalculator(
        now: desk.now, current: current, tolerance: (up: share("scaleUp"), down: share("scaleDown"))))
    let outcome = metrics.evaluate(autoscaler.spec["metrics"].items)
    for failure in outcome.failures { desk.warn(autoscaler, failure.reason, failure.message) }
    let isBlind = outcome.failures.count >= autoscaler.spec["metrics"].items.count
    if let first = outcome.failures.first, isBlind || outcome.replicas < current {
      Self.set(
        &turn.status, "ScalingActive", false, first.reason,
        "the HPA was unable to compute the replica count: \(first.message)", desk.now)
      desk.warn(autoscaler, "FailedComputeMetricsReplicas", outcome.summary)
      var status = counted(turn, autoscaler)
      status["currentMetrics"] = outcome.statuses
      write(autoscaler, status, &desk)
      return
    }
    Self.set(
      &turn.status, "ScalingActive", true, "ValidMetricFound",
      "the HPA was able to successfully calculate a replica count from \(outcome.name)", desk.now)
    var reason = ""
    if outcome.replicas > current { reason = "\(outcome.name) above target" }
    if outcome.replicas < current { reason = "All metrics below target" }
    let least = autoscaler.spec["minReplicas"].int ?? 1
    let most = max(least, autoscaler.spec["maxReplicas"].int ?? least)
    let decision = histories[desk.key, default: ScalingHistory()].decide(
      outcome.replicas, current: current, range: least...most, behavior: behavior, desk.now)
    Self.set(&turn.status, "AbleToScale", true, decision.able.reason, decision.able.message, desk.now)
    Self.set(
      &turn.status, "ScalingLimited", decision.limited.isTrue, decision.limited.reason, decision.limited.message,
      desk.now)
    if decision.replicas != current {
      rescale(autoscaler, &turn, to: decision.replicas, reason, outcome.statuses, &desk)
    } else {
      turn.desired = current
      finish(autoscaler, &turn, metrics: outcome.statuses, &desk)
    }
  }

  private mutating func rescale(
    _ autoscaler: ObjectView, _ turn: inout Turn, to replicas: Int, _ reason: String, _ metrics: JSON,
    _ desk: inout Desk
  ) {
    turn.desired = replicas
    turn.reason = reason
    turn.status["currentMetrics"] = metrics
    var scale = turn.scale
    scale["spec"]["replicas"] = .int(Int64(replicas))
    desk.send(desk.client.request("PUT", turn.path, body: scale), "rescale")
  }

  private mutating func rescaled(
    _ autoscaler: ObjectView, _ turn: inout Turn, _ reply: KubeReply, _ desk: inout Desk
  ) {
    let current = turn.scale["spec"]["replicas"].int ?? 0
    guard reply.isSuccess else {
      desk.warn(
        autoscaler, "FailedRescale", "New size: \(turn.desired); reason: \(turn.reason); error: \(reply.message)")
      Self.set(
        &turn.status, "AbleToScale", false, "FailedUpdateScale",
        "the HPA controller was unable to update the target scale: \(reply.message)", desk.now)
      write(autoscaler, counted(turn, autoscaler), &desk)
      return
    }
    Self.set(
      &turn.status, "AbleToScale", true, "SucceededRescale",
      "the HPA controller was able to update the target scale to \(turn.desired)", desk.now)
    desk.event(autoscaler, "SuccessfulRescale", "New size: \(turn.desired); reason: \(turn.reason)")
    histories[desk.key, default: ScalingHistory()].scaled(from: current, to: turn.desired, desk.now)
    turn.status["lastScaleTime"] = desk.now.json
    finish(autoscaler, &turn, metrics: turn.status["currentMetrics"], &desk)
  }

  // MARK: - Status

  private func finish(_ autoscaler: ObjectView, _ turn: inout Turn, metrics: JSON, _ desk: inout Desk) {
    turn.status["currentReplicas"] = turn.scale["spec"]["replicas"]
    turn.status["desiredReplicas"] = .int(Int64(turn.desired))
    turn.status["currentMetrics"] = metrics
    write(autoscaler, turn.status, &desk)
  }

  /// The status of a turn that came to nothing.
  private func counted(_ turn: Turn, _ autoscaler: ObjectView) -> JSON {
    var status = turn.status
    status["currentReplicas"] = turn.scale["spec"]["replicas"]
    status["desiredReplicas"] = .int(Int64(autoscaler.status["desiredReplicas"].int ?? 0))
    return status
  }

  private func write(_ autoscaler: ObjectView, _ status: JSON, _ desk: inout Desk) {
    guard autoscaler.status != status else { return }
    var object = autoscaler.json
    object["status"] = status
    object["apiVersion"] = "autoscaling/v2"
    desk.send(
      desk.client.request(
        "PUT",
        "/apis/autoscaling/v2/namespaces/\(autoscaler.namespace)/horizontalpodautoscalers/\(autoscaler.name)/status",
        body: object), "status")
  }

  /// Sets a condition; the time is that of the last change of its status.
  private static func set(
    _ status: inout JSON, _ type: String, _ isTrue: Bool, _ reason: String, _ message: String, _ now: Timestamp
  ) {
    var conditions = status["conditions"].items
    let value: JSON = isTrue ? "True" : "False"
    let at = conditions.firstIndex { $0["type"].string == type }
    var changed = now.json
    if let at, conditions[at]["status"] == value { changed = conditions[at]["lastTransitionTime"] }
    let condition: JSON = [
      "type": .string(type), "status": value, "lastTransitionTime": changed, "reason": .string(reason),
      "message": .string(message),
    ]
    if let at { conditions[at] = condition } else { conditions.append(condition) }
    status["conditions"] = .array(conditions)
  }
}

/// What an autoscaler's target is to the API: the path of its scale.
private struct ScaleTarget {
  private let row: KubeResource?
  private let name: String

  init(_ reference: JSON, _ desk: Desk) {
    name = reference["name"].string ?? ""
    let group = GroupVersion(reference["apiVersion"].string ?? "")?.group ?? ""
    let kind = reference["kind"].string ?? ""
    row = ClusterKinds.row(kind: kind, group: group, desk)
  }

  func path(_ namespace: String) -> String? { row.map { "\($0.path(namespace: namespace))/\(name)/scale" } }
}
