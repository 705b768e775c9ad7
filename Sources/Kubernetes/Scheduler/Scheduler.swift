import Mechanisms
import Wire
package import World

/// The default scheduler of a cluster: binds pods to nodes, and tells of those it cannot place.
///
/// Source: kubernetes `pkg/scheduler` (queue with back-off of 1 to 10 s and hints, filters, scores, preemption).
package struct Scheduler: Component {
  package static let kind = "scheduler"
  package static func id(_ cluster: String) -> ComponentID { ComponentID("scheduler/\(cluster)") }

  static let credential = KubeClient.user("system:kube-scheduler")
  static let name = "default-scheduler"

  /// A pod that no node took.
  struct Waiting: Codable {
    var attempts: Int
    /// Not before.
    var notBefore: Timestamp
    /// Something has changed since that may have made room.
    var isMoved = false
    /// The plugins that refused it; nil for all.
    var plugins: [String]?
  }

  /// A pod that has a node and waits for its volumes.
  struct VolumeWait: Codable {
    var node: String
    var since: Timestamp
    var claims: [String]
  }

  package let facts: ClusterFacts
  var active: [String] = []
  var unschedulable: [String: Waiting] = [:]
  /// Bindings under way: pod to node.
  var assumed: [String: String] = [:]
  var volumeWaits: [String: VolumeWait]?
  /// Where the search among many nodes goes on.
  var nextNode: Int?
  var events = EventRecorder(component: Scheduler.name)
  let cache = SchedulerCache()

  private enum CodingKeys: String, CodingKey {
    case facts, active, unschedulable, assumed, volumeWaits, nextNode, events
  }

  package init(_ facts: ClusterFacts) { self.facts = facts }

  var client: KubeClient {
    KubeClient(cluster: facts.id, credential: Self.credential, userAgent: "kube-scheduler")
  }

  /// Texts changed with Kubernetes 1.34.
  var isBefore134: Bool { KubernetesVersion(facts.version).map { $0 < KubernetesVersion(minor: 34) } ?? false }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start, .wake("watch"): watch(context)
    case .changed(let reference): changed(reference, context)
    case .wake("work"): schedule(context)
    case .wake("flush"):
      for key in unschedulable.keys { unschedulable[key]?.isMoved = true }
      wakeMoved(context)
    case .wake("retry"):
      for (key, waiting) in unschedulable.sorted(by: { $0.key < $1.key })
      where waiting.isMoved && waiting.notBefore <= context.now && !active.contains(key) { active.append(key) }
      schedule(context)
      wakeMoved(context)
    case .wake("volumes"): checkVolumeWaits(context)
    case .kube(let tag, let reply): replied(tag, reply, context)
    default: break
    }
  }

  private func watch(_ context: Context) {
    let reply = context.world.kube.host?.watch(
      cluster: facts.id,
      resources: [
        "pods", "nodes", "namespaces", "persistentvolumeclaims", "persistentvolumes",
        "storageclasses.storage.k8s.io", "csinodes.storage.k8s.io",
      ], credential: Self.credential, component: context.id)
    if reply?.isSuccess != true { context.wake("watch", after: .seconds(1), .background) }
  }

  // MARK: - Changes

  private mutating func changed(_ reference: ObjectReference, _ context: Context) {
    guard let host = context.world.kube.host else { return }
    cache.fill(host, facts.id, assumed: assumed)
    let object = host.get(reference).map { ObjectView($0) }
    switch reference.resource {
    case "pods": podChanged("\(reference.namespace)/\(reference.name)", object, context)
    case "nodes": move(cache.nodeChanged(reference.name, object), context)
    case "namespaces":
      if let object { cache.namespaceChanged(object) }
    default:
      checkVolumeWaits(context)
      moveThose(refusedBy: NodeFit.Reason.Plugin.storage, context)
    }
  }

  private mutating func podChanged(_ key: String, _ pod: ObjectView?, _ context: Context) {
    let change = cache.podChanged(key, pod)
    guard let pod, needsNode(pod) else {
      if let uid = pod?.uid, assumed[key] != nil, pod?.nodeName.isEmpty == true { cache.forget(uid) }
      forget(key)
      move(change, context)
      return
    }
    move(change, context)
    // A new version of a pod that waits is worth a new try only for what the pod itself asks.
    if unschedulable[key] == nil, assumed[key] == nil, !isActive(key) { active.append(key) }
    poke(context)
  }

  private func isActive(_ key: String) -> Bool { active.last == key || active.contains(key) }

  mutating func forget(_ key: String) {
    if !active.isEmpty { active.removeAll { $0 == key } }
    unschedulable[key] = nil
    assumed[key] = nil
    volumeWaits?[key] = nil
  }

  func needsNode(_ pod: ObjectView) -> Bool {
    pod.nodeName.isEmpty && !pod.isTerminating && !pod.isPodFinished
      && pod.spec["schedulerName"].string ?? Self.name == Self.name
      && pod.spec["schedulingGates"].items.isEmpty
  }

  func poke(_ context: Context) {
    if !active.isEmpty, !context.isWaiting(for: "work") { context.wake("work", after: .zero) }
  }

  // MARK: - Those that wait

  /// Something changed that may give room: those whose refusal it concerns are tried once their pause is over.
  private mutating func move(_ change: SchedulerCache.Change, _ context: Context) {
    switch change {
    case .nothing, .nodeGone: break
    case .nodeAdded, .nodeChanged:
      moveThose(
        refusedBy: [
          .unschedulable, .name, .taints, .affinity, .ports, .resources, .spread, .podAffinity,
        ] + NodeFit.Reason.Plugin.storage, context)
    case .podGone:
      moveThose(refusedBy: [.resources, .ports, .spread, .podAffinity] + NodeFit.Reason.Plugin.storage, context)
    case .podPlaced, .podChanged: moveThose(refusedBy: [.spread, .podAffinity], context)
    }
  }

  mutating func moveThose(refusedBy plugins: [NodeFit.Reason.Plugin], _ context: Context) {
    guard !unschedulable.isEmpty else { return }
    var isAny = false
    for (key, waiting) in unschedulable where !waiting.isMoved {
      guard waiting.plugins?.contains(where: { name in plugins.contains { $0.rawValue == name } }) ?? true else {
        continue
      }
      unschedulable[key]?.isMoved = true
      isAny = true
    }
    if isAny { wakeMoved(context) }
  }

  func wakeMoved(_ context: Context) {
    let moved = unschedulable.values.filter(\.isMoved)
    guard let next = moved.map(\.notBefore).min() else { return }
    context.wake("retry", at: max(next, context.now), moved.allSatisfy { $0.attempts > 6 } ? .background : .foreground)
  }

  /// Puts a pod aside; the pause doubles from 1 s to 10 s.
  mutating func putAside(_ key: String, plugins: [String]?, _ context: Context) {
    let attempts = (unschedulable[key]?.attempts ?? 0) + 1
    let pause = Duration.seconds(min(10, 1 << min(attempts - 1, 4)))
    unschedulable[key] = Waiting(attempts: attempts, notBefore: context.now + pause, plugins: plugins)
    // Upstream flushes what waits for long every 5 minutes.
    if !context.isWaiting(for: "flush") { context.wake("flush", after: .seconds(300), .background) }
  }

  // MARK: - A round

  private mutating func schedule(_ context: Context) {
    guard let host = context.world.kube.host, !active.isEmpty else { return }
    cache.fill(host, facts.id, assumed: assumed)
    let keys = active
    active.removeAll()
    var pods: [(pod: ObjectView, priority: Int, since: Timestamp)] = []
    for key in keys {
      guard let pod = read("pods", key, context), needsNode(pod), assumed[key] == nil else { continue }
      pods.append((pod, pod.spec["priority"].int ?? 0, pod.createdAt))
    }
    pods.sort { a, b in
      if a.priority != b.priority { return a.priority > b.priority }
      return a.since != b.since ? a.since < b.since : a.pod.key < b.pod.key
    }
    var round = Round()
    for entry in pods { place(entry.pod, &round, context) }
  }

  func read(_ resource: String, _ key: String, _ context: Context) -> ObjectView? {
    let (namespace, name) = Desk.parts(key)
    return context.world.kube.host?.get(
      ObjectReference(cluster: facts.id, resource: resource, namespace: namespace, name: name)
    ).map { ObjectView($0) }
  }

  func list(_ resource: String, _ namespace: String = "", _ context: Context) -> [ObjectView] {
    (context.world.kube.host?.list(cluster: facts.id, resource: resource, namespace: namespace) ?? [])
      .map { ObjectView($0) }
  }

  /// What a round reads once.
  struct Round {
    /// Selectors of Services by namespace.
    var services: [String: [JSON]] = [:]
    /// Pods of the same owners and services by node, by what selects them.
    var siblings: [Siblings: [Int]] = [:]
    /// Pods that have a node set aside by preemption, by that node.
    var nominated: [String: [Nominee]]?

    struct Siblings: Hashable {
      var namespace: String
      var selector: LabelSelector
    }

    struct Nominee {
      var uid: String
      var needs: PodNeeds
    }
  }
}
