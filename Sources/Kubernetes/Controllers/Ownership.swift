import Wire
import World

/// Which objects belong to which: controllers adopt what fits their selector and let go what no longer does.
///
/// Source: kubernetes `pkg/controller/controller_ref_manager.go`.
enum Ownership {
  static func selector(_ owner: ObjectView) -> LabelSelector {
    if owner.kind == "ReplicationController" {
      return owner.spec["selector"].fields.isEmpty ? .nothing : LabelSelector(matchLabels: owner.spec["selector"])
    }
    return (try? LabelSelector(labelSelector: owner.spec["selector"])) ?? .nothing
  }

  /// Keys of the owners that a changed child concerns. A child that is gone is recognised by its name,
  /// which begins with its owner's.
  static func keys(
    ofChild reference: ObjectReference, resource: String, kind: String, owners: String, _ desk: Desk
  ) -> [String] {
    guard let child = desk.get(resource, reference.namespace, reference.name) else {
      return desk.list(owners, reference.namespace).map(\.name)
        .filter { reference.name.hasPrefix("\($0.prefix(57))-") || reference.name.hasPrefix(String($0.prefix(58))) }
        .map { "\(reference.namespace)/\($0)" }
    }
    if let controller = child.controller {
      guard controller["kind"].string == kind, let name = controller["name"].string else { return [] }
      return ["\(reference.namespace)/\(name)"]
    }
    guard !child.labels.fields.isEmpty else { return [] }
    return desk.list(owners, reference.namespace).filter { selector($0).matches(child.labels) }.map(\.key)
  }

  /// The children that `owner` controls, after adopting and releasing. Its finalizer comes and goes with that.
  static func claim(
    _ resource: String, of owner: ObjectView, _ selector: LabelSelector, _ desk: inout Desk, finalizer: String? = nil,
    where fits: (ObjectView) -> Bool = { _ in true }
  ) -> [ObjectView] {
    var mine: [ObjectView] = []
    for child in desk.children(resource, of: owner) {
      let matches = selector.matches(child.labels)
      if let controller = child.controller {
        guard controller["uid"].string == owner.uid else { continue }
        if matches {
          if fits(child) { mine.append(child) }
        } else if !owner.isTerminating {
          var metadata: JSON = [
            "uid": .string(child.uid), "ownerReferences": [["$patch": "delete", "uid": .string(owner.uid)]],
          ]
          if let finalizer { metadata["$deleteFromPrimitiveList/finalizers"] = [.string(finalizer)] }
          desk.send(
            desk.client.patch(resource, child.namespace, child.name, ["metadata": metadata]), "delete")
        }
      } else if matches, !owner.isTerminating, !child.isTerminating, fits(child) {
        var metadata: JSON = ["uid": .string(child.uid), "ownerReferences": [owner.controllerReference]]
        if let finalizer { metadata["finalizers"] = [.string(finalizer)] }
        desk.send(desk.client.patch(resource, child.namespace, child.name, ["metadata": metadata]), "adopt")
        if let now = desk.get(resource, child.namespace, child.name), now.isControlled(by: owner) { mine.append(now) }
      }
    }
    return mine
  }
}

/// Pods from the template of a controller.
enum PodTemplate {
  static func pod(from template: JSON, owner: ObjectView, namePrefix: String) -> JSON {
    var metadata: JSON = ["generateName": .string(namePrefix)]
    for key in ["labels", "annotations", "finalizers"] where !template["metadata"][key].isNull {
      metadata[key] = template["metadata"][key]
    }
    metadata["ownerReferences"] = [owner.controllerReference]
    return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]]
  }

  /// Hash of a template as it stands in names: FNV-1a, letters as upstream's `SafeEncodeString`.
  static func hash(_ template: JSON, collisions: Int = 0) -> String {
    var hash: UInt32 = 2_166_136_261
    func mix(_ byte: UInt8) { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    for byte in template.sorted.bytes() { mix(byte) }
    if collisions > 0 { for byte in "\(collisions)".utf8 { mix(byte) } }
    let letters = Array("bcdfghjklmnpqrstvwxz2456789")
    return String("\(hash)".utf8.map { letters[Int($0) % letters.count] })
  }
}

/// Which of its pods a controller deletes first.
///
/// Source: kubernetes `pkg/controller/controller_utils.go`, `ActivePodsWithRanks.Less`.
enum PodRank {
  /// Pods by node that the ReplicaSets of the same owner run, so that crowded nodes give first.
  static func related(to set: ObjectView, _ desk: Desk) -> [String: Int] {
    var uids: Set<String> = [set.uid]
    if let owner = set.controller?["uid"].string {
      for other in desk.list("replicasets.apps", set.namespace) where other.controller?["uid"].string == owner {
        uids.insert(other.uid)
      }
    }
    var count: [String: Int] = [:]
    for pod in desk.list("pods", set.namespace) where pod.isPodActive {
      if let owner = pod.controller?["uid"].string, uids.contains(owner) { count[pod.nodeName, default: 0] += 1 }
    }
    return count
  }

  static func inOrderOfDeletion(_ pods: [ObjectView], related: [String: Int], now: Timestamp) -> [ObjectView] {
    pods.sorted { goesBefore($0, $1, related, now) }
  }

  private static func goesBefore(_ a: ObjectView, _ b: ObjectView, _ related: [String: Int], _ now: Timestamp) -> Bool {
    if a.nodeName.isEmpty != b.nodeName.isEmpty { return a.nodeName.isEmpty }
    let phases = ["Pending": 0, "Unknown": 1, "Running": 2]
    let (phaseA, phaseB) = (phases[a.phase] ?? 0, phases[b.phase] ?? 0)
    if phaseA != phaseB { return phaseA < phaseB }
    if a.isPodReady != b.isPodReady { return !a.isPodReady }
    let (costA, costB) = (cost(a), cost(b))
    if costA != costB { return costA < costB }
    let (rankA, rankB) = (related[a.nodeName] ?? 0, related[b.nodeName] ?? 0)
    if rankA != rankB { return rankA > rankB }
    if a.isPodReady, b.isPodReady {
      let (sinceA, sinceB) = (bucket(readySince(a), now), bucket(readySince(b), now))
      if sinceA != sinceB { return sinceA < sinceB }
    }
    let (restartsA, restartsB) = (restarts(a), restarts(b))
    if restartsA != restartsB { return restartsA > restartsB }
    let (ageA, ageB) = (bucket(a.createdAt, now), bucket(b.createdAt, now))
    if ageA != ageB { return ageA < ageB }
    return a.uid < b.uid
  }

  private static func cost(_ pod: ObjectView) -> Int {
    pod.annotations["controller.kubernetes.io/pod-deletion-cost"].string.flatMap { Int($0) } ?? 0
  }

  private static func readySince(_ pod: ObjectView) -> Timestamp {
    pod.condition("Ready")["lastTransitionTime"].time ?? pod.createdAt
  }

  private static func restarts(_ pod: ObjectView) -> Int {
    pod.status["containerStatuses"].items.map { $0["restartCount"].int ?? 0 }.max() ?? 0
  }

  /// Ages on a logarithmic scale: pods of about the same age are alike.
  private static func bucket(_ since: Timestamp, _ now: Timestamp) -> Int {
    let nanoseconds = max(1, (now - since).microseconds * 1000)
    return Int64.bitWidth - nanoseconds.leadingZeroBitCount
  }
}

/// Which ready pods count as available.
enum Availability {
  /// How many are, and when the next one will be.
  static func count(_ ready: [ObjectView], minReady: Duration, now: Timestamp) -> (count: Int, next: Duration?) {
    guard minReady > .zero else { return (ready.count, nil) }
    var count = 0
    var next: Duration?
    for pod in ready {
      let since = pod.condition("Ready")["lastTransitionTime"].time ?? pod.createdAt
      let left = since + minReady - now
      if left <= .zero { count += 1 } else { next = next.map { min($0, left) } ?? left }
    }
    return (count, next)
  }

  static func isAvailable(_ pod: ObjectView, minReady: Duration, now: Timestamp) -> Bool {
    pod.isPodReady && count([pod], minReady: minReady, now: now).count == 1
  }
}

/// A number of pods, or a part of them in percent.
enum IntOrPercent {
  static func value(_ json: JSON, of total: Int, roundUp: Bool, fallback: JSON = .null) -> Int {
    let json = json.isNull ? fallback : json
    if let number = json.int { return number }
    guard let text = json.string, text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
    return roundUp ? (total * percent + 99) / 100 : total * percent / 100
  }
}
