import Mechanisms
import Wire
package import World

/// The default scheduler of a cluster: binds pods to nodes, and tells of those it cannot place.
///
/// Source: kubernetes `pkg/scheduler` (queue with back-off of 1 to 10 s, filters, least allocated and
/// spread as scores).
package struct Scheduler: Component {
  package static let kind = "scheduler"
  package static func id(_ cluster: String) -> ComponentID { ComponentID("scheduler/\(cluster)") }

  private static let credential = KubeClient.user("system:kube-scheduler")
  private static let name = "default-scheduler"

  /// A pod that no node took.
  private struct Waiting: Codable {
    var attempts: Int
    /// Not before.
    var notBefore: Timestamp
    /// Something has changed since that may have made room.
    var isMoved = false
  }

  package let facts: ClusterFacts
  private var active: [String] = []
  private var unschedulable: [String: Waiting] = [:]
  /// Bindings under way: pod to node.
  private var assumed: [String: String] = [:]
  private var events = EventRecorder(component: Scheduler.name)

  package init(_ facts: ClusterFacts) { self.facts = facts }

  private var client: KubeClient {
    KubeClient(cluster: facts.id, credential: Self.credential, userAgent: "kube-scheduler")
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start, .wake("watch"): watch(context)
    case .changed(let reference): changed(reference, context)
    case .wake("work"): schedule(context)
    case .wake("flush"):
      retrySoon(context)
    case .wake("retry"):
      for (key, waiting) in unschedulable.sorted(by: { $0.key < $1.key })
      where waiting.isMoved && waiting.notBefore <= context.now && !active.contains(key) { active.append(key) }
      schedule(context)
      wakeMoved(context)
    case .kube(let tag, let reply): replied(tag, reply, context)
    default: break
    }
  }

  private func watch(_ context: Context) {
    let reply = context.world.kube.host?.watch(
      cluster: facts.id, resources: ["pods", "nodes"], credential: Self.credential, component: context.id)
    if reply?.isSuccess != true { context.wake("watch", after: .seconds(1), .background) }
  }

  private mutating func changed(_ reference: ObjectReference, _ context: Context) {
    guard reference.resource == "pods" else {
      retrySoon(context)
      return
    }
    let key = "\(reference.namespace)/\(reference.name)"
    guard let json = context.world.kube.host?.get(reference) else {
      forget(key)
      retrySoon(context)
      return
    }
    let pod = ObjectView(json)
    guard needsNode(pod) else {
      forget(key)
      if pod.isPodFinished || pod.isTerminating { retrySoon(context) }
      return
    }
    if unschedulable[key] == nil, !active.contains(key) { active.append(key) }
    poke(context)
  }

  private mutating func forget(_ key: String) {
    active.removeAll { $0 == key }
    unschedulable[key] = nil
    assumed[key] = nil
  }

  private func needsNode(_ pod: ObjectView) -> Bool {
    pod.nodeName.isEmpty && !pod.isTerminating && !pod.isPodFinished
      && pod.spec["schedulerName"].string ?? Self.name == Self.name
      && pod.spec["schedulingGates"].items.isEmpty
  }

  private func poke(_ context: Context) {
    if !active.isEmpty, !context.isWaiting(for: "work") { context.wake("work", after: .zero) }
  }

  /// Something changed that may give room: those that wait are tried once their pause is over.
  private mutating func retrySoon(_ context: Context) {
    for key in unschedulable.keys { unschedulable[key]?.isMoved = true }
    wakeMoved(context)
  }

  private func wakeMoved(_ context: Context) {
    let moved = unschedulable.values.filter(\.isMoved)
    guard let next = moved.map(\.notBefore).min() else { return }
    context.wake("retry", at: max(next, context.now), moved.allSatisfy { $0.attempts > 6 } ? .background : .foreground)
  }

  // MARK: - A round

  private mutating func schedule(_ context: Context) {
    guard let host = context.world.kube.host, !active.isEmpty else { return }
    let nodes = host.list(cluster: facts.id, resource: "nodes", namespace: "").map { ObjectView($0) }
      .filter { !$0.isTerminating }
    var picture = NodePicture(nodes)
    var pods: [ObjectView] = []
    for json in host.list(cluster: facts.id, resource: "pods", namespace: "") {
      let pod = ObjectView(json)
      let place = pod.nodeName.isEmpty ? assumed[pod.key] ?? "" : pod.nodeName
      if place.isEmpty {
        if active.contains(pod.key), needsNode(pod) { pods.append(pod) }
      } else if !pod.isPodFinished {
        picture.add(pod, to: place)
      }
    }
    active.removeAll()
    pods.sort { a, b in
      let (first, second) = (a.spec["priority"].int ?? 0, b.spec["priority"].int ?? 0)
      return first != second ? first > second : (a.createdAt, a.key) < (b.createdAt, b.key)
    }
    for pod in pods { place(pod, &picture, context) }
  }

  private mutating func place(_ pod: ObjectView, _ picture: inout NodePicture, _ context: Context) {
    let wanted = PodTopology.Pod(pod: pod.json)
    let needs = wanted.needs
    var fitting: [NodePicture.Entry] = []
    var misfits: [[NodeFit.Reason]] = []
    for entry in picture.entries {
      let found = picture.misfits(wanted, entry)
      if found.isEmpty { fitting.append(entry) } else { misfits.append(found) }
    }
    guard let best = picture.best(pod, needs, among: fitting)?.object else {
      let preemption = SchedulingFailure.preemption(nodes: misfits, neverPreempts: needs.neverPreempts)
      refuse(pod, SchedulingFailure.message(nodes: misfits, preemption: preemption), context)
      return
    }
    picture.add(pod, to: best.name)
    unschedulable[pod.key] = nil
    assumed[pod.key] = best.name
    context.submit(
      client.request(
        "POST", "\(KubeClient.path("pods", pod.namespace))/\(pod.name)/binding",
        body: [
          "apiVersion": "v1", "kind": "Binding",
          "metadata": [
            "name": .string(pod.name), "namespace": .string(pod.namespace), "uid": .string(pod.uid),
          ], "target": ["kind": "Node", "name": .string(best.name)],
        ]), tag: "bind \(pod.key)")
  }

  private mutating func refuse(_ pod: ObjectView, _ message: String, _ context: Context) {
    let attempts = (unschedulable[pod.key]?.attempts ?? 0) + 1
    let pause = Duration.seconds(min(10, 1 << min(attempts - 1, 4)))
    unschedulable[pod.key] = Waiting(attempts: attempts, notBefore: context.now + pause)
    let condition = pod.condition("PodScheduled")
    if condition["status"].string != "False" || condition["message"].string != message {
      context.submit(
        client.patch(
          "pods", pod.namespace, pod.name,
          [
            "status": [
              "conditions": [
                [
                  "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": .string(message),
                  "lastProbeTime": .null,
                  "lastTransitionTime": condition["status"].string == "False"
                    ? condition["lastTransitionTime"] : context.now.json,
                ]
              ]
            ]
          ], subresource: "status"), tag: "status", weight: .background)
    }
    context.record(
      &events, client, about: pod.reference, type: "Warning", reason: "FailedScheduling", message)
    // Upstream flushes what waits for long every 5 minutes.
    if !context.isWaiting(for: "flush") { context.wake("flush", after: .seconds(300), .background) }
  }

  private mutating func replied(_ tag: String, _ reply: KubeReply, _ context: Context) {
    guard tag.hasPrefix("bind ") else { return }
    let key = String(tag.dropFirst(5))
    let node = assumed.removeValue(forKey: key)
    let slash = key.firstIndex(of: "/") ?? key.startIndex
    let reference = ObjectReference(
      cluster: facts.id, resource: "pods", namespace: String(key[..<slash]),
      name: String(key[key.index(after: slash)...]))
    guard let json = context.world.kube.host?.get(reference) else { return }
    let pod = ObjectView(json)
    if reply.isSuccess {
      context.record(
        &events, client, about: pod.reference, reason: "Scheduled",
        "Successfully assigned \(key) to \(node ?? pod.nodeName)")
    } else if needsNode(pod) {
      let attempts = (unschedulable[key]?.attempts ?? 0) + 1
      let pause = Duration.seconds(min(10, 1 << min(attempts - 1, 4)))
      unschedulable[key] = Waiting(attempts: attempts, notBefore: context.now + pause)
      context.record(
        &events, client, about: pod.reference, type: "Warning", reason: "FailedScheduling",
        "running Bind plugin \"DefaultBinder\": \(reply.message)")
      unschedulable[key]?.isMoved = true
      wakeMoved(context)
    }
  }
}
