import Mechanisms
import Wire
import World

/// Watches over the life signs of nodes: conditions to Unknown when they stop, taints by condition.
///
/// Source: kubernetes `pkg/controller/nodelifecycle`. Instead of looking every 5 s it looks when the first
/// life sign could be overdue.
package struct NodeLifecycleController: Reconciler {
  package static let name = "node-controller"
  package static let resources = ["nodes"]

  private static let conditionTaints = [
    "MemoryPressure": "node.kubernetes.io/memory-pressure", "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure", "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
  ]
  private static let unschedulable = "node.kubernetes.io/unschedulable"

  private struct Seen: Codable {
    var wasReady: String
    /// Life is counted from here at the earliest: nobody could beat while the world stood still.
    var from: Timestamp?
  }

  private var seen: [String: Seen] = [:]
  private var known: [String] = []

  package init() {}

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    guard let node = desk.get("nodes", "", key) else {
      if let at = known.firstIndex(of: key) {
        known.remove(at: at)
        seen[key] = nil
        desk.eventOnNode(key, "RemovingNode", "Node \(key) event: Removing Node \(key) from Controller")
      }
      return
    }
    if !known.contains(key) {
      known.append(key)
      desk.event(node, "RegisteredNode", "Node \(key) event: Registered Node \(key) in Controller")
    }
    let due = watchLife(of: node, &desk)
    guard let present = desk.get("nodes", "", key) else { return }
    writeTaints(present, &desk)
    desk.again(after: max(due, NodeLifecycle.monitorPeriod), .background)
  }

  /// Marks the node Unknown when its life signs are overdue; says when they next could be.
  private mutating func watchLife(of node: ObjectView, _ desk: inout Desk) -> Duration {
    let lease = desk.get("leases.coordination.k8s.io", "kube-node-lease", node.name)
    var record = seen[node.name] ?? Seen(wasReady: node.condition("Ready")["status"].string ?? "")
    defer { seen[node.name] = record }
    let minor = KubernetesVersion(desk.facts.version)?.minor ?? 33
    let grace = NodeLifecycle.grace(minor: minor)
    var facts = NodeLifecycle.Facts(
      node: .known(node.json), lease: .known(lease?.json ?? .null), now: .known(desk.now), grace: .known(grace))
    // What the controller wrote itself is no sign of the kubelet.
    if node.condition("Ready")["status"].string == "Unknown" { facts.lastStatus = .known(nil) }
    if let from = record.from, let renewal = facts.lastRenewal.value, renewal.map({ $0 < from }) ?? true {
      facts.lastRenewal = .known(from)
    }
    let verdict = NodeLifecycle.decide(facts)
    let last = [facts.lastStatus.value ?? nil, facts.lastRenewal.value ?? nil].compactMap { $0 }.max()
    guard let reason = NodeLifecycle.unknownReason(verdict) else {
      noteReadiness(node, &record, &desk)
      let end = last.map { $0 + .seconds(grace) } ?? node.createdAt + NodeLifecycle.startupGrace
      return end - desk.now + .milliseconds(1)
    }
    markUnknown(node, reason, verdict.reasons.last?.text ?? "", &desk)
    if record.wasReady == "True" {
      record.wasReady = "Unknown"
      tellNotReady(node, &desk)
    }
    return .seconds(30)
  }

  private func noteReadiness(_ node: ObjectView, _ record: inout Seen, _ desk: inout Desk) {
    let now = node.condition("Ready")["status"].string ?? ""
    if record.wasReady == "True", now != "True" { tellNotReady(node, &desk) }
    record.wasReady = now
  }

  private func tellNotReady(_ node: ObjectView, _ desk: inout Desk) {
    desk.event(node, "NodeNotReady", "Node \(node.name) status is now: NodeNotReady")
    for pod in desk.list("pods") where pod.nodeName == node.name && pod.isPodReady {
      let conditions: JSON = [
        [
          "type": "Ready", "status": "False", "lastTransitionTime": desk.now.json,
          "lastProbeTime": .null,
        ]
      ]
      desk.send(
        desk.client.patch(
          "pods", pod.namespace, pod.name, ["status": ["conditions": conditions]], subresource: "status"), "delete")
      desk.warn(pod, "NodeNotReady", "Node is not ready")
    }
  }

  private func markUnknown(_ node: ObjectView, _ reason: String, _ message: String, _ desk: inout Desk) {
    var status = node.status
    var conditions = status["conditions"].items
    for type in NodeLifecycle.conditions {
      if let at = conditions.firstIndex(where: { $0["type"].string == type }) {
        guard conditions[at]["status"].string != "Unknown" else { continue }
        conditions[at]["status"] = "Unknown"
        conditions[at]["reason"] = .string(reason)
        conditions[at]["message"] = .string(message)
        conditions[at]["lastTransitionTime"] = desk.now.json
      } else {
        conditions.append([
          "type": .string(type), "status": "Unknown", "reason": "NodeStatusNeverUpdated",
          "message": "Kubelet never posted node status.", "lastHeartbeatTime": node.createdAt.json,
          "lastTransitionTime": desk.now.json,
        ])
      }
    }
    status["conditions"] = .array(conditions)
    desk.updateStatus("nodes", node, status)
  }

  private func writeTaints(_ node: ObjectView, _ desk: inout Desk) {
    var wanted: [(key: String, effect: String)] = []
    if let ready = node.condition("Ready")["status"].string {
      wanted = NodeLifecycle.taints(ready: ready).map { ($0.key, $0.effect) }
    } else {
      wanted = [(NodeRegistration.notReadyTaint.key, NodeRegistration.notReadyTaint.effect)]
    }
    for (type, key) in Self.conditionTaints.sorted(by: { $0.key < $1.key }) where node.isConditionTrue(type) {
      wanted.append((key, "NoSchedule"))
    }
    if node.spec["unschedulable"].bool == true { wanted.append((Self.unschedulable, "NoSchedule")) }
    let mine =
      [NodeRegistration.notReadyTaint.key, "node.kubernetes.io/unreachable", Self.unschedulable]
      + Self.conditionTaints.values.sorted()
    let present = node.spec["taints"].items
    var taints = present.filter { taint in
      let key = taint["key"].string ?? ""
      return !mine.contains(key) || wanted.contains { $0.key == key && $0.effect == taint["effect"].string }
    }
    for taint in wanted
    where !taints.contains(where: { $0["key"].string == taint.key && $0["effect"].string == taint.effect }) {
      taints.append([
        "key": .string(taint.key), "effect": .string(taint.effect),
        "timeAdded": taint.key == Self.unschedulable || taint.effect == "NoExecute" ? desk.now.json : .null,
      ])
    }
    guard taints != present else { return }
    desk.send(
      desk.client.patch(
        "nodes", "", node.name,
        [
          "metadata": ["resourceVersion": .string(node.resourceVersion)],
          "spec": ["taints": taints.isEmpty ? .array([]) : .array(taints)],
        ], .merge), "update")
  }

  package mutating func resumed(after gap: Duration, _ desk: inout Desk) {
    // Nobody was there to beat while the world stood still.
    for name in known { seen[name]?.from = desk.now }
  }
}

extension Desk {
  /// An event about a node that may be gone; kubelets and controllers write its name as uid.
  mutating func eventOnNode(_ name: String, _ reason: String, _ message: String) {
    context.record(
      &events, client, about: ["kind": "Node", "name": .string(name), "uid": .string(name), "apiVersion": "v1"],
      reason: reason, message)
  }
}
