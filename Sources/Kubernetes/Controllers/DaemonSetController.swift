import Mechanisms
import Wire
package import World

/// Keeps one pod of a DaemonSet on every node that should have one.
///
/// Source: kubernetes `pkg/controller/daemon`.
package struct DaemonSetController: Reconciler {
  package static let name = "daemon-set-controller"
  package static let eventSource = "daemonset-controller"
  package static let resources = ["daemonsets.apps", "pods", "nodes"]

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    switch reference.resource {
    case "nodes": return desk.list("daemonsets.apps").map(\.key)
    case "pods":
      return Ownership.keys(
        ofChild: reference, resource: "pods", kind: "DaemonSet", owners: "daemonsets.apps", desk)
    default: return ["\(reference.namespace)/\(reference.name)"]
    }
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let set = desk.get("daemonsets.apps", key: key), !set.isTerminating else { return }
    let history = RevisionHistory(of: set, &desk)
    guard let hash = history.update?.labels["controller-revision-hash"].string else { return }
    let nodes = desk.list("nodes").filter { !$0.isTerminating }
    let pods = Ownership.claim("pods", of: set, Ownership.selector(set), &desk)
    var byNode: [String: [ObjectView]] = [:]
    for pod in pods { byNode[Self.target(of: pod), default: []].append(pod) }
    let template = ObjectView(Self.pod(of: set, on: "", hash: hash))
    var counts = Counts()
    for node in nodes {
      let there = byNode.removeValue(forKey: node.name) ?? []
      let (shouldRun, mayStay) = Self.belongs(template, node)
      manage(set, there, node, shouldRun: shouldRun, mayStay: mayStay, hash: hash, &desk)
      counts.add(there, shouldRun: shouldRun, hash: hash, set: set, now: desk.now)
    }
    // Pods of nodes that are gone are left to the pod collector.
    if Self.isRolling(set) { roll(set, template, nodes, pods, hash: hash, wanted: counts.desired, &desk) }
    let live = pods.compactMap { $0.labels["controller-revision-hash"].string }.map { "\(set.name)-\($0)" }
    history.truncate(keeping: Set(live), &desk)
    writeStatus(set, counts, &desk)
  }

  private func manage(
    _ set: ObjectView, _ there: [ObjectView], _ node: ObjectView, shouldRun: Bool, mayStay: Bool, hash: String,
    _ desk: inout Desk
  ) {
    let living = there.filter { !$0.isTerminating }
    if shouldRun {
      var running: [ObjectView] = []
      for pod in living {
        if pod.phase == "Failed" {
          desk.warn(
            set, "FailedDaemonPod", "Found failed daemon pod \(pod.key) on node \(node.name), will try to kill it")
          remove(pod, &desk)
        } else if pod.phase == "Succeeded" {
          remove(pod, &desk)
        } else {
          running.append(pod)
        }
      }
      if there.isEmpty { create(set, on: node.name, hash: hash, &desk) }
      for extra in surplus(running, set, hash: hash, now: desk.now) { remove(extra, &desk) }
    } else if !mayStay {
      for pod in living { remove(pod, &desk) }
    }
  }

  private func create(_ set: ObjectView, on node: String, hash: String, _ desk: inout Desk) {
    desk.send(desk.client.create("pods", set.namespace, Self.pod(of: set, on: node, hash: hash)), "create")
  }

  /// What is too much on a node. While a new pod is started beside the old one both stay until it is available.
  private func surplus(
    _ running: [ObjectView], _ set: ObjectView, hash: String, now: Timestamp
  ) -> [ObjectView] {
    func oldest(_ pods: [ObjectView]) -> [ObjectView] {
      pods.sorted { ($0.createdAt, $0.name) < ($1.createdAt, $1.name) }
    }
    guard Self.isRolling(set), Self.surge(set, of: 1) > 0 else { return Array(oldest(running).dropFirst()) }
    let new = oldest(running.filter { $0.labels["controller-revision-hash"].string == hash })
    let old = oldest(running.filter { $0.labels["controller-revision-hash"].string != hash })
    let minReady = Duration.seconds(set.spec["minReadySeconds"].int ?? 0)
    let isDone = new.first.map { Availability.isAvailable($0, minReady: minReady, now: now) } ?? false
    return Array(new.dropFirst()) + (isDone ? old : Array(old.dropFirst()))
  }

  private func remove(_ pod: ObjectView, _ desk: inout Desk) {
    desk.send(desk.client.delete("pods", pod.namespace, pod.name, uid: pod.uid), "delete/\(pod.name)")
  }

  // MARK: - Where

  /// The node a pod is for: bound to it, or asking for it by name.
  private static func target(of pod: ObjectView) -> String {
    if !pod.nodeName.isEmpty { return pod.nodeName }
    let terms = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
      "nodeSelectorTerms"]
    for field in terms.items.flatMap({ $0["matchFields"].items }) where field["key"].string == "metadata.name" {
      return field["values"][0].string ?? ""
    }
    return ""
  }

  private static func belongs(_ pod: ObjectView, _ node: ObjectView) -> (shouldRun: Bool, mayStay: Bool) {
    let needs = PodNeeds(pod: pod.json)
    let offer = NodeOffer(node: node.json)
    guard NodeFit.matchesAffinity(needs, offer) else { return (false, false) }
    func tolerated(_ effects: [String]) -> Bool {
      offer.taints.filter { effects.contains($0.effect) }.allSatisfy { taint in
        needs.tolerations.contains { $0.tolerates(taint) }
      }
    }
    return (tolerated(["NoSchedule", "NoExecute"]), tolerated(["NoExecute"]))
  }

  /// The pod for a node; without one the pod as filters see it.
  private static func pod(of set: ObjectView, on node: String, hash: String) -> JSON {
    var pod = PodTemplate.pod(from: set.spec["template"], owner: set, namePrefix: "\(set.name)-")
    pod["metadata"]["labels"]["controller-revision-hash"] = .string(hash)
    pod["metadata"]["labels"]["pod-template-generation"] = .string(
      set.annotations["deprecated.daemonset.template.generation"].string ?? "\(set.generation)")
    var tolerations = pod["spec"]["tolerations"].items
    func add(_ key: String, _ effect: String) {
      let toleration: JSON = ["key": .string(key), "operator": "Exists", "effect": .string(effect)]
      if !tolerations.contains(toleration) { tolerations.append(toleration) }
    }
    add("node.kubernetes.io/not-ready", "NoExecute")
    add("node.kubernetes.io/unreachable", "NoExecute")
    add("node.kubernetes.io/disk-pressure", "NoSchedule")
    add("node.kubernetes.io/memory-pressure", "NoSchedule")
    add("node.kubernetes.io/pid-pressure", "NoSchedule")
    add("node.kubernetes.io/unschedulable", "NoSchedule")
    if pod["spec"]["hostNetwork"].bool == true { add("node.kubernetes.io/network-unavailable", "NoSchedule") }
    pod["spec"]["tolerations"] = .array(tolerations)
    guard !node.isEmpty else { return pod }
    let field: JSON = ["key": "metadata.name", "operator": "In", "values": [.string(node)]]
    let path = "requiredDuringSchedulingIgnoredDuringExecution"
    var terms = pod["spec"]["affinity"]["nodeAffinity"][path]["nodeSelectorTerms"].items
    if terms.isEmpty { terms = [.emptyObject] }
    for index in terms.indices { terms[index]["matchFields"] = [field] }
    pod["spec"]["affinity"]["nodeAffinity"][path]["nodeSelectorTerms"] = .array(terms)
    return pod
  }

  // MARK: - Updates

  private static func isRolling(_ set: ObjectView) -> Bool {
    set.spec["updateStrategy"]["type"].string ?? "RollingUpdate" == "RollingUpdate"
  }

  private static func surge(_ set: ObjectView, of wanted: Int) -> Int {
    IntOrPercent.value(
      set.spec["updateStrategy"]["rollingUpdate"]["maxSurge"], of: wanted, roundUp: true, fallback: .int(0))
  }

  private func roll(
    _ set: ObjectView, _ template: ObjectView, _ nodes: [ObjectView], _ pods: [ObjectView], hash: String, wanted: Int,
    _ desk: inout Desk
  ) {
    let old = pods.filter { !$0.isTerminating && $0.labels["controller-revision-hash"].string != hash }
    guard !old.isEmpty else { return }
    let minReady = Duration.seconds(set.spec["minReadySeconds"].int ?? 0)
    func isAvailable(_ pod: ObjectView) -> Bool {
      !pod.isTerminating && Availability.isAvailable(pod, minReady: minReady, now: desk.now)
    }
    let new = pods.filter { !$0.isTerminating && $0.labels["controller-revision-hash"].string == hash }
    let surge = Self.surge(set, of: wanted)
    if surge > 0 {
      let begun = new.map(Self.target(of:))
      var room = surge - old.count { begun.contains(Self.target(of: $0)) }
      for pod in old where !begun.contains(Self.target(of: pod)) {
        // One that doesn't serve is replaced whatever the room.
        if isAvailable(pod) {
          guard room > 0 else { continue }
          room -= 1
        }
        create(set, on: Self.target(of: pod), hash: hash, &desk)
      }
      return
    }
    let strategy = set.spec["updateStrategy"]["rollingUpdate"]
    let most = max(
      1, IntOrPercent.value(strategy["maxUnavailable"], of: wanted, roundUp: true, fallback: .int(1)))
    let serving = Set((old + new).map(Self.target(of:)))
    let missing = nodes.count { Self.belongs(template, $0).shouldRun && !serving.contains($0.name) }
    var room = most - missing - new.count { !isAvailable($0) }
    for pod in old where !isAvailable(pod) {
      room -= 1
      remove(pod, &desk)
    }
    for pod in old.filter(isAvailable).prefix(max(0, room)) { remove(pod, &desk) }
  }

  // MARK: - Status

  private struct Counts {
    var desired = 0
    var current = 0
    var misscheduled = 0
    var ready = 0
    var available = 0
    var updated = 0
    var next: Duration?

    mutating func add(_ there: [ObjectView], shouldRun: Bool, hash: String, set: ObjectView, now: Timestamp) {
      guard shouldRun else {
        if !there.isEmpty { misscheduled += 1 }
        return
      }
      desired += 1
      guard let pod = there.min(by: { $0.createdAt < $1.createdAt }) else { return }
      current += 1
      if pod.isPodReady {
        ready += 1
        let minReady = Duration.seconds(set.spec["minReadySeconds"].int ?? 0)
        let (count, later) = Availability.count([pod], minReady: minReady, now: now)
        available += count
        if let later { next = next.map { min($0, later) } ?? later }
      }
      if pod.labels["controller-revision-hash"].string == hash { updated += 1 }
    }
  }

  private func writeStatus(_ set: ObjectView, _ counts: Counts, _ desk: inout Desk) {
    func positive(_ count: Int) -> JSON { count > 0 ? .int(Int64(count)) : .null }
    var status = set.status
    status["currentNumberScheduled"] = .int(Int64(counts.current))
    status["numberMisscheduled"] = .int(Int64(counts.misscheduled))
    status["desiredNumberScheduled"] = .int(Int64(counts.desired))
    status["numberReady"] = .int(Int64(counts.ready))
    status["observedGeneration"] = .int(Int64(set.generation))
    status["updatedNumberScheduled"] = positive(counts.updated)
    status["numberAvailable"] = positive(counts.available)
    status["numberUnavailable"] = positive(counts.desired - counts.available)
    desk.updateStatus("daemonsets.apps", desk.get("daemonsets.apps", key: set.key) ?? set, status)
    if let next = counts.next { desk.again(after: next) }
  }

  package func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    guard let set = desk.get("daemonsets.apps", key: key) else { return false }
    if purpose == "create" {
      if reply.isSuccess {
        desk.event(set, "SuccessfulCreate", "Created pod: \(reply.body["metadata"]["name"].string ?? "")")
        return false
      }
      desk.warn(set, "FailedCreate", "Error creating: \(reply.message)")
      return true
    }
    if purpose.hasPrefix("delete/"), reply.isSuccess {
      desk.event(set, "SuccessfulDelete", "Deleted pod: \(purpose.dropFirst(7))")
    }
    return Desk.isFailure(purpose.hasPrefix("delete") ? "delete" : purpose, reply)
  }
}
