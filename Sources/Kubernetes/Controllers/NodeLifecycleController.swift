import Wire
import World

/// Watches over the life signs of nodes: conditions to Unknown when they stop, taints by condition.
///
/// Source: kubernetes `pkg/controller/nodelifecycle`. Instead of looking every 5 s it looks when the first
/// life sign could be overdue.
package struct NodeLifecycleController: Reconciler {
  package static let name = "node-controller"
  package static let resources = ["nodes"]

  /// How long a node may be silent (50 s since 1.32).
  static let grace: Duration = .seconds(50)
  /// The same for one that has never said anything.
  static let startupGrace: Duration = .seconds(60)
  private static let interval: Duration = .seconds(5)

  private static let conditionTaints = [
    "MemoryPressure": "node.kubernetes.io/memory-pressure", "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure", "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
  ]
  private static let notReady = "node.kubernetes.io/not-ready"
  private static let unreachable = "node.kubernetes.io/unreachable"
  private static let unschedulable = "node.kubernetes.io/unschedulable"

  /// What was last seen of a node's life, and when.
  private struct Seen: Codable {
    var sign: String
    var at: Timestamp
    var wasReady: String
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
    desk.again(after: max(due, Self.interval), .background)
  }

  /// Marks the node Unknown when its life signs are overdue; says when they next could be.
  private mutating func watchLife(of node: ObjectView, _ desk: inout Desk) -> Duration {
    let lease = desk.get("leases.coordination.k8s.io", "kube-node-lease", node.name)
    let ready = node.condition("Ready")
    let sign = "\(lease?.spec["renewTime"].string ?? "") \(ready["lastHeartbeatTime"].string ?? "")"
    var record = seen[node.name] ?? Seen(sign: sign, at: node.createdAt, wasReady: ready["status"].string ?? "")
    let beats = [
      lease?.spec["renewTime"].time, ready["status"].string == "Unknown" ? nil : ready["lastHeartbeatTime"].time,
    ]
    let last = beats.compactMap { $0 }.max() ?? node.createdAt
    record.sign = sign
    record.at = max(record.at, last)
    defer { seen[node.name] = record }
    let grace = ready.isNull || beats.allSatisfy { $0 == nil } ? Self.startupGrace : Self.grace
    let left = record.at + grace - desk.now
    guard left <= .zero else {
      noteReadiness(node, &record, &desk)
      return left
    }
    markUnknown(node, &desk)
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

  private func markUnknown(_ node: ObjectView, _ desk: inout Desk) {
    var status = node.status
    var conditions = status["conditions"].items
    for type in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
      if let at = conditions.firstIndex(where: { $0["type"].string == type }) {
        guard conditions[at]["status"].string != "Unknown" else { continue }
        conditions[at]["status"] = "Unknown"
        conditions[at]["reason"] = "NodeStatusUnknown"
        conditions[at]["message"] = "Kubelet stopped posting node status."
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
    switch node.condition("Ready")["status"].string {
    case "True": break
    case "Unknown": wanted += [(Self.unreachable, "NoSchedule"), (Self.unreachable, "NoExecute")]
    case "False": wanted += [(Self.notReady, "NoSchedule"), (Self.notReady, "NoExecute")]
    default: wanted += [(Self.notReady, "NoSchedule")]
    }
    for (type, key) in Self.conditionTaints.sorted(by: { $0.key < $1.key }) where node.isConditionTrue(type) {
      wanted.append((key, "NoSchedule"))
    }
    if node.spec["unschedulable"].bool == true { wanted.append((Self.unschedulable, "NoSchedule")) }
    let mine = [Self.notReady, Self.unreachable, Self.unschedulable] + Self.conditionTaints.values.sorted()
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
    for name in known { seen[name]?.at = desk.now }
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
