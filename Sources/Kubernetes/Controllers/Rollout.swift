import Wire
import World

/// One look at a Deployment with its ReplicaSets.
struct Rollout {
  let deployment: ObjectView
  let now: Timestamp
  private var sets: [ObjectView]
  private var newSet: ObjectView?
  private var conditions: [JSON]
  private var revisionToNote: String?
  private var collisions: Int
  /// When to look whether the rollout has run out of time.
  private(set) var nextCheck: Duration?

  init(deployment: ObjectView, sets: [ObjectView], now: Timestamp) {
    self.deployment = deployment
    self.now = now
    self.sets = sets.sorted { ($0.createdAt, $0.name) < ($1.createdAt, $1.name) }
    conditions = deployment.status["conditions"].items
    collisions = deployment.status["collisionCount"].int ?? 0
    let template = Self.withoutHash(deployment.spec["template"])
    newSet = self.sets.first { Self.withoutHash($0.spec["template"]) == template }
  }

  private static func withoutHash(_ template: JSON) -> JSON {
    var template = template
    template["metadata"]["labels"][DeploymentController.hashLabel] = .null
    if template["metadata"]["labels"].fields.isEmpty { template["metadata"]["labels"] = .null }
    template["metadata"]["creationTimestamp"] = .null
    if template["metadata"].fields.isEmpty { template["metadata"] = .null }
    return template
  }

  // MARK: - Figures

  private var wanted: Int { deployment.spec["replicas"].int ?? 1 }
  private var isRecreate: Bool { deployment.spec["strategy"]["type"].string == "Recreate" }

  private var maxSurge: Int {
    isRecreate
      ? 0
      : IntOrPercent.value(
        deployment.spec["strategy"]["rollingUpdate"]["maxSurge"], of: wanted, roundUp: true, fallback: "25%")
  }

  private var maxUnavailable: Int {
    guard !isRecreate, wanted > 0 else { return 0 }
    let count = IntOrPercent.value(
      deployment.spec["strategy"]["rollingUpdate"]["maxUnavailable"], of: wanted, roundUp: false, fallback: "25%")
    return min(wanted, maxSurge == 0 && count == 0 ? 1 : count)
  }

  private var oldSets: [ObjectView] { sets.filter { $0.uid != newSet?.uid } }
  private static func replicas(_ set: ObjectView) -> Int { set.spec["replicas"].int ?? 0 }
  private static func available(_ set: ObjectView) -> Int { set.status["availableReplicas"].int ?? 0 }
  private var total: Int { sets.reduce(0) { $0 + Self.replicas($1) } }

  private static func revision(_ object: ObjectView) -> Int {
    object.annotations[DeploymentController.revision].string.flatMap { Int($0) } ?? 0
  }

  /// Whether the wanted number changed since the active ReplicaSets were last sized.
  var isScaling: Bool {
    sets.contains { set in
      guard Self.replicas(set) > 0,
        let desired = set.annotations[DeploymentController.desired].string.flatMap({ Int($0) })
      else { return false }
      return desired != wanted
    }
  }

  // MARK: - The new ReplicaSet

  mutating func findNewSet(createIfMissing: Bool, _ desk: inout Desk) {
    let newRevision = (oldSets.map(Self.revision).max() ?? 0) + 1
    if let newSet {
      var wantedAnnotations = newSet.annotations
      Self.copyAnnotations(deployment, to: &wantedAnnotations)
      let current = Self.revision(newSet)
      if current < newRevision { wantedAnnotations[DeploymentController.revision] = .string("\(newRevision)") }
      let minReady = deployment.spec["minReadySeconds"].int ?? 0
      if wantedAnnotations != newSet.annotations || (newSet.spec["minReadySeconds"].int ?? 0) != minReady {
        var changed = newSet
        changed["metadata"]["annotations"] = wantedAnnotations
        changed["spec"]["minReadySeconds"] = minReady == 0 ? .null : .int(Int64(minReady))
        replace(changed, &desk)
      }
      noteRevision(max(current, newRevision))
      if hasDeadline, condition("Progressing").isNull {
        set("Progressing", "True", "FoundNewReplicaSet", "Found new replica set \"\(newSet.name)\"")
      }
      return
    }
    guard createIfMissing else { return }
    let hash = PodTemplate.hash(deployment.spec["template"], collisions: collisions)
    let name = "\(deployment.name)-\(hash)"
    if let other = desk.get("replicasets.apps", deployment.namespace, name), !other.isControlled(by: deployment) {
      collisions += 1
      return
    }
    var template = deployment.spec["template"]
    template["metadata"]["labels"][DeploymentController.hashLabel] = .string(hash)
    var selector = deployment.spec["selector"]
    selector["matchLabels"][DeploymentController.hashLabel] = .string(hash)
    var annotations: JSON = .emptyObject
    Self.copyAnnotations(deployment, to: &annotations)
    annotations[DeploymentController.revision] = .string("\(newRevision)")
    sizeAnnotations(&annotations)
    let replicas = sizeOfNewSet(current: 0)
    let object: JSON = [
      "apiVersion": "apps/v1", "kind": "ReplicaSet",
      "metadata": [
        "name": .string(name), "namespace": .string(deployment.namespace), "labels": template["metadata"]["labels"],
        "annotations": annotations, "ownerReferences": [deployment.controllerReference],
      ],
      "spec": [
        "replicas": .int(Int64(replicas)), "minReadySeconds": deployment.spec["minReadySeconds"],
        "selector": selector, "template": template,
      ],
    ]
    desk.create("replicasets.apps", deployment.namespace, object)
    guard let made = desk.get("replicasets.apps", deployment.namespace, name) else { return }
    sets.append(made)
    newSet = made
    if replicas > 0 {
      desk.event(deployment, "ScalingReplicaSet", "Scaled up replica set \(name) from 0 to \(replicas)")
    }
    noteRevision(newRevision)
    if hasDeadline {
      set("Progressing", "True", "NewReplicaSetCreated", "Created new replica set \"\(name)\"")
    }
  }

  private mutating func noteRevision(_ revision: Int) {
    if Self.revision(deployment) != revision { revisionToNote = "\(revision)" }
  }

  private func sizeAnnotations(_ annotations: inout JSON) {
    annotations[DeploymentController.desired] = .string("\(wanted)")
    annotations[DeploymentController.most] = .string("\(wanted + maxSurge)")
  }

  private static func copyAnnotations(_ deployment: ObjectView, to annotations: inout JSON) {
    let kept = [
      "kubectl.kubernetes.io/last-applied-configuration", DeploymentController.revision,
      "deployment.kubernetes.io/revision-history", DeploymentController.desired, DeploymentController.most,
      "deprecated.deployment.rollback.to",
    ]
    for field in deployment.annotations.fields where !kept.contains(field.key) {
      annotations[field.key] = field.value
    }
  }

  private func sizeOfNewSet(current: Int) -> Int {
    if isRecreate { return wanted }
    let others = total - current
    let room = wanted + maxSurge - others - current
    return room <= 0 ? current : current + min(room, wanted - current)
  }

  // MARK: - Steps

  mutating func roll(_ desk: inout Desk) {
    findNewSet(createIfMissing: true, &desk)
    guard let newSet else { return }
    let current = Self.replicas(newSet)
    if current > wanted {
      scale(newSet, to: wanted, &desk)
    } else if current < wanted {
      let size = sizeOfNewSet(current: current)
      if size != current {
        scale(newSet, to: size, &desk)
        return
      }
    }
    shrinkOld(&desk)
    if isComplete(counts()) { dropHistory(&desk) }
  }

  private mutating func shrinkOld(_ desk: inout Desk) {
    guard let newSet, oldSets.contains(where: { Self.replicas($0) > 0 }) else { return }
    let minAvailable = wanted - maxUnavailable
    let newUnavailable = Self.replicas(newSet) - Self.available(newSet)
    var room = total - minAvailable - newUnavailable
    guard room > 0 else { return }
    // Unhealthy old replicas go first, then healthy ones while enough stay available.
    for old in oldSets where Self.replicas(old) > 0 && room > 0 {
      let unhealthy = Self.replicas(old) - Self.available(old)
      guard unhealthy > 0 else { continue }
      let step = min(room, unhealthy)
      scale(old, to: Self.replicas(old) - step, &desk)
      room -= step
    }
    var surplus = sets.reduce(0) { $0 + Self.available($1) } - minAvailable
    for old in oldSets where Self.replicas(old) > 0 && surplus > 0 {
      let step = min(Self.replicas(old), surplus)
      scale(old, to: Self.replicas(old) - step, &desk)
      surplus -= step
    }
  }

  mutating func recreate(_ desk: inout Desk) {
    findNewSet(createIfMissing: false, &desk)
    var shrunk = false
    for old in oldSets where Self.replicas(old) > 0 {
      scale(old, to: 0, &desk)
      shrunk = true
    }
    if shrunk { return }
    let olds = oldSets.map(\.uid)
    let stillThere = desk.list("pods", deployment.namespace).contains { pod in
      !pod.isPodFinished && pod.controller?["uid"].string.map(olds.contains) == true
    }
    if stillThere { return }
    findNewSet(createIfMissing: true, &desk)
    if let newSet, Self.replicas(newSet) != wanted { scale(newSet, to: wanted, &desk) }
    if isComplete(counts()) { dropHistory(&desk) }
  }

  /// Sizes the ReplicaSets when only the wanted number changed or the rollout is paused.
  mutating func scaleProportionally(_ desk: inout Desk) {
    let active = sets.filter { Self.replicas($0) > 0 }
    if active.count <= 1 {
      guard let only = active.first ?? newSet ?? sets.last else { return }
      scale(only, to: wanted, &desk)
      return
    }
    if let newSet, Self.replicas(newSet) == wanted, Self.available(newSet) == wanted {
      for old in oldSets where Self.replicas(old) > 0 { scale(old, to: 0, &desk) }
      return
    }
    guard !isRecreate else { return }
    let allowed = wanted > 0 ? wanted + maxSurge : 0
    let toAdd = allowed - total
    var added = 0
    let ordered = active.sorted { a, b in
      let (sizeA, sizeB) = (Self.replicas(a), Self.replicas(b))
      if sizeA != sizeB { return sizeA > sizeB }
      return toAdd > 0 ? a.createdAt > b.createdAt : a.createdAt < b.createdAt
    }
    var sizes: [Int] = []
    for set in ordered {
      var size = Self.replicas(set)
      if toAdd != 0 {
        let before = set.annotations[DeploymentController.most].string.flatMap { Int($0) } ?? wanted
        let share = Double(size * allowed) / Double(max(before, 1))
        let part = Int(share.rounded()) - size
        let left = toAdd - added
        let step = toAdd > 0 ? min(max(part, 0), left) : max(min(part, 0), left)
        size += step
        added += step
      }
      sizes.append(size)
    }
    if toAdd != added { sizes[0] = max(0, sizes[0] + toAdd - added) }
    for (set, size) in zip(ordered, sizes) { scale(set, to: size, &desk) }
  }

  private mutating func scale(_ set: ObjectView, to size: Int, _ desk: inout Desk) {
    let before = Self.replicas(set)
    var changed = set
    var annotations = set.annotations
    sizeAnnotations(&annotations)
    guard before != size || annotations != set.annotations else { return }
    changed["spec"]["replicas"] = .int(Int64(size))
    changed["metadata"]["annotations"] = annotations
    replace(changed, &desk)
    if before != size {
      desk.event(
        deployment, "ScalingReplicaSet",
        "Scaled \(size > before ? "up" : "down") replica set \(set.name) from \(before) to \(size)")
    }
  }

  /// Writes a ReplicaSet and goes on with what is there then.
  private mutating func replace(_ changed: ObjectView, _ desk: inout Desk) {
    desk.update("replicasets.apps", changed.json)
    let now = desk.get("replicasets.apps", changed.namespace, changed.name) ?? changed
    if let at = sets.firstIndex(where: { $0.uid == changed.uid }) { sets[at] = now }
    if newSet?.uid == changed.uid { newSet = now }
  }

  private func dropHistory(_ desk: inout Desk) {
    guard let limit = deployment.spec["revisionHistoryLimit"].int else { return }
    let idle = oldSets.filter { !$0.isTerminating }.sorted { Self.revision($0) < Self.revision($1) }
    for set in idle.prefix(max(0, idle.count - limit))
    where Self.replicas(set) == 0 && (set.status["replicas"].int ?? 0) == 0
      && set.generation <= set.status["observedGeneration"].int ?? 0
    {
      desk.delete("replicasets.apps", set)
    }
  }
}

// MARK: - Status

extension Rollout {
  private struct Counts: Equatable {
    var replicas = 0
    var updated = 0
    var ready = 0
    var available = 0
    var unavailable = 0
  }

  private func counts() -> Counts {
    var counts = Counts()
    for set in sets {
      counts.replicas += set.status["replicas"].int ?? 0
      counts.ready += set.status["readyReplicas"].int ?? 0
      counts.available += Self.available(set)
    }
    counts.updated = newSet?.status["replicas"].int ?? 0
    counts.unavailable = max(0, total - counts.available)
    return counts
  }

  private func isComplete(_ counts: Counts) -> Bool {
    counts.updated == wanted && counts.replicas == wanted && counts.available == wanted
      && (deployment.status["observedGeneration"].int ?? 0) >= deployment.generation
  }

  private var hasDeadline: Bool {
    let deadline = deployment.spec["progressDeadlineSeconds"].int
    return deadline != nil && deadline != Int(Int32.max)
  }

  private func condition(_ type: String) -> JSON { conditions.first { $0["type"].string == type } ?? .null }

  private mutating func set(
    _ type: String, _ status: String, _ reason: String, _ message: String, keepsTransition: Bool = false,
    force: Bool = false
  ) {
    let old = condition(type)
    if !force, old["status"].string == status, old["reason"].string == reason { return }
    let transition = old["status"].string == status || keepsTransition ? old["lastTransitionTime"] : now.json
    conditions.removeAll { $0["type"].string == type }
    conditions.append([
      "type": .string(type), "status": .string(status), "lastUpdateTime": now.json,
      "lastTransitionTime": transition.isNull ? now.json : transition, "reason": .string(reason),
      "message": .string(message),
    ])
  }

  mutating func notePause() {
    guard hasDeadline else { return }
    let reason = condition("Progressing")["reason"].string
    if reason == "ProgressDeadlineExceeded" { return }
    let paused = deployment.spec["paused"].bool == true
    if paused, reason != "DeploymentPaused" {
      set("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    } else if !paused, reason == "DeploymentPaused" {
      set("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    }
  }

  mutating func writeStatus(_ desk: inout Desk) {
    let counts = counts()
    // What was noted above counts as this status' starting point, as upstream writes it at once.
    let completeNow = isComplete(counts)
    if !hasDeadline { conditions.removeAll { $0["type"].string == "Progressing" } }
    if counts.available >= wanted - maxUnavailable {
      set("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
      set(
        "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    }
    noteProgress(counts, completeNow)
    let failure = ([newSet] + oldSets.map { $0 }).compactMap { $0?.condition("ReplicaFailure") }.first { !$0.isNull }
    conditions.removeAll { $0["type"].string == "ReplicaFailure" }
    if var failure {
      failure["lastUpdateTime"] = failure["lastTransitionTime"]
      conditions.append(failure)
    }
    var status = deployment.status
    func positive(_ count: Int) -> JSON { count > 0 ? .int(Int64(count)) : .null }
    status["observedGeneration"] = .int(Int64(deployment.generation))
    status["replicas"] = positive(counts.replicas)
    status["updatedReplicas"] = positive(counts.updated)
    status["readyReplicas"] = positive(counts.ready)
    status["availableReplicas"] = positive(counts.available)
    status["unavailableReplicas"] = positive(counts.unavailable)
    status["collisionCount"] = positive(collisions)
    status["conditions"] = conditions.isEmpty ? .null : .array(conditions)
    if let revisionToNote {
      var noted = (desk.get("deployments.apps", deployment.namespace, deployment.name) ?? deployment).json
      noted["metadata"]["annotations"][DeploymentController.revision] = .string(revisionToNote)
      desk.send(desk.client.update("deployments.apps", noted), "update")
    }
    let present = desk.get("deployments.apps", deployment.namespace, deployment.name) ?? deployment
    desk.updateStatus("deployments.apps", present, status)
  }

  private mutating func noteProgress(_ counts: Counts, _ isComplete: Bool) {
    guard hasDeadline, deployment.spec["paused"].bool != true else { return }
    let progressing = condition("Progressing")
    if counts.replicas == counts.updated, progressing["reason"].string == "NewReplicaSetAvailable" { return }
    let subject = newSet.map { "ReplicaSet \"\($0.name)\"" } ?? "Deployment \"\(deployment.name)\""
    let old = deployment.status
    let moved =
      counts.updated > old["updatedReplicas"].int ?? 0
      || counts.replicas - counts.updated < (old["replicas"].int ?? 0) - (old["updatedReplicas"].int ?? 0)
      || counts.ready > old["readyReplicas"].int ?? 0 || counts.available > old["availableReplicas"].int ?? 0
    if isComplete {
      set("Progressing", "True", "NewReplicaSetAvailable", "\(subject) has successfully progressed.")
      return
    }
    if moved {
      set(
        "Progressing", "True", "ReplicaSetUpdated", "\(subject) is progressing.",
        keepsTransition: progressing["status"].string == "True", force: true)
    }
    let since = condition("Progressing")["lastUpdateTime"].time ?? now
    let deadline = Duration.seconds(deployment.spec["progressDeadlineSeconds"].int ?? 600)
    guard condition("Progressing")["reason"].string != "ProgressDeadlineExceeded", newSet != nil else { return }
    if now - since >= deadline {
      set("Progressing", "False", "ProgressDeadlineExceeded", "\(subject) has timed out progressing.")
    } else {
      nextCheck = deadline - (now - since) + .seconds(1)
    }
  }
}
