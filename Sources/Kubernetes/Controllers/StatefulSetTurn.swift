import Wire
import World

/// One look at a StatefulSet with its pods.
struct StatefulSetTurn {
  let set: ObjectView
  let pods: [ObjectView]
  let history: RevisionHistory
  let update: ObjectView
  /// The revision that a rollout comes from.
  let current: ObjectView
  let now: Timestamp
  private var byOrdinal: [Int: ObjectView] = [:]
  private var next: Duration?

  init(set: ObjectView, pods: [ObjectView], history: RevisionHistory, update: ObjectView, now: Timestamp) {
    self.set = set
    self.pods = pods
    self.history = history
    self.update = update
    self.now = now
    current = history.named(set.status["currentRevision"].string) ?? update
    for pod in pods { if let ordinal = StatefulSetController.ordinal(of: pod, set) { byOrdinal[ordinal] = pod } }
  }

  private var start: Int { self.set.spec["ordinals"]["start"].int ?? 0 }
  private var wanted: Int { self.set.spec["replicas"].int ?? 1 }
  private var isParallel: Bool { self.set.spec["podManagementPolicy"].string == "Parallel" }
  private var minReady: Duration { .seconds(set.spec["minReadySeconds"].int ?? 0) }
  private var isRolling: Bool { self.set.spec["updateStrategy"]["type"].string ?? "RollingUpdate" == "RollingUpdate" }
  private var partition: Int? { self.set.spec["updateStrategy"]["rollingUpdate"]["partition"].int }

  private func isHealthy(_ pod: ObjectView) -> Bool { pod.isPodReady && !pod.isTerminating && pod.phase == "Running" }

  private func isAvailable(_ pod: ObjectView) -> Bool {
    isHealthy(pod) && Availability.isAvailable(pod, minReady: minReady, now: now)
  }

  // MARK: - Acting

  mutating func act(_ desk: inout Desk) {
    for ordinal in start..<(start + wanted) {
      keepClaims(ordinal, condemned: nil, &desk)
      guard settle(ordinal, &desk) else { return }
    }
    guard condemn(&desk) else { return }
    if isRolling { roll(&desk) }
  }

  /// Brings one pod to where it should be; false when the rest must wait for it.
  private mutating func settle(_ ordinal: Int, _ desk: inout Desk) -> Bool {
    guard let pod = byOrdinal[ordinal] else {
      create(ordinal, &desk)
      return isParallel
    }
    if pod.isPodFinished {
      guard !pod.isTerminating else { return isParallel }
      let isFailed = pod.phase == "Failed"
      desk.warn(
        set, isFailed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
        "StatefulSet \(set.key) is recreating \(isFailed ? "failed" : "terminated") Pod \(pod.name)")
      remove(pod, &desk)
      return isParallel
    }
    // The pod may wait for a claim that went.
    if pod.phase == "Pending" { makeClaims(ordinal, pod.name, &desk) }
    return isParallel || isAvailable(pod)
  }

  /// Takes away what is beyond the wanted number, the highest first; false as long as there is some.
  private mutating func condemn(_ desk: inout Desk) -> Bool {
    let surplus = byOrdinal.filter { $0.key < start || $0.key >= start + wanted }.sorted { $0.key > $1.key }
    guard !surplus.isEmpty else { return true }
    let firstIll = byOrdinal.sorted { $0.key < $1.key }.first { !isHealthy($0.value) }?.value
    for (ordinal, pod) in surplus {
      if pod.isTerminating {
        if isParallel { continue }
        return false
      }
      if !isParallel, !isHealthy(pod), let firstIll, firstIll.uid != pod.uid, firstIll.uid != surplus[0].value.uid {
        return false
      }
      keepClaims(ordinal, condemned: pod, &desk)
      remove(pod, &desk)
      if !isParallel { return false }
    }
    return false
  }

  /// Replaces pods of an older template, the highest first, one at a time.
  private func roll(_ desk: inout Desk) {
    for ordinal in (start..<(start + wanted)).reversed() where ordinal >= partition ?? 0 {
      guard let pod = byOrdinal[ordinal] else { return }
      if pod.isTerminating { return }
      if pod.labels[StatefulSetController.revisionLabel].string != update.name {
        remove(pod, &desk)
        return
      }
      if !isAvailable(pod) { return }
    }
  }

  private func remove(_ pod: ObjectView, _ desk: inout Desk) {
    desk.send(desk.client.delete("pods", pod.namespace, pod.name, uid: pod.uid), "delete/\(pod.name)")
  }

  /// Which template a pod that is missing comes from: below the partition the one the rollout comes from.
  private func revision(for ordinal: Int) -> ObjectView {
    guard isRolling, current.uid != update.uid else { return update }
    if let partition { return ordinal < start + partition ? current : update }
    return ordinal < start + (set.status["currentReplicas"].int ?? 0) ? current : update
  }

  private func create(_ ordinal: Int, _ desk: inout Desk) {
    let name = "\(set.name)-\(ordinal)"
    let revision = revision(for: ordinal)
    var pod = PodTemplate.pod(from: RevisionHistory.template(revision), owner: set, namePrefix: "")
    pod["metadata"]["generateName"] = .string("\(set.name)-")
    pod["metadata"]["name"] = .string(name)
    pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = .string(name)
    pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = .string("\(ordinal)")
    pod["metadata"]["labels"][StatefulSetController.revisionLabel] = .string(revision.name)
    pod["spec"]["hostname"] = .string(name)
    pod["spec"]["subdomain"] = set.spec["serviceName"]
    var volumes = pod["spec"]["volumes"].items
    for claim in set.spec["volumeClaimTemplates"].items {
      let volume = claim["metadata"]["name"].string ?? ""
      volumes.removeAll { $0["name"].string == volume }
      volumes.append([
        "name": .string(volume), "persistentVolumeClaim": ["claimName": .string("\(volume)-\(name)")],
      ])
    }
    if !volumes.isEmpty { pod["spec"]["volumes"] = .array(volumes) }
    makeClaims(ordinal, name, &desk)
    desk.send(desk.client.create("pods", set.namespace, pod), "create/\(name)")
  }

  // MARK: - Claims

  private func makeClaims(_ ordinal: Int, _ pod: String, _ desk: inout Desk) {
    for claim in set.spec["volumeClaimTemplates"].items {
      let name = "\(claim["metadata"]["name"].string ?? "")-\(pod)"
      guard desk.get("persistentvolumeclaims", set.namespace, name) == nil else { continue }
      var object = claim
      object["apiVersion"] = "v1"
      object["kind"] = "PersistentVolumeClaim"
      object["metadata"]["name"] = .string(name)
      object["metadata"]["namespace"] = .string(set.namespace)
      for label in set.spec["selector"]["matchLabels"].fields { object["metadata"]["labels"][label.key] = label.value }
      if deletesWithSet { object["metadata"]["ownerReferences"] = [set.controllerReference] }
      object["status"] = .null
      desk.send(desk.client.create("persistentvolumeclaims", set.namespace, object), "create/\(name)/\(pod)")
    }
  }

  private var deletesWithSet: Bool {
    self.set.spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"].string == "Delete"
  }

  /// Lets the claims of a pod go with the set, or with the pod that is put away, as the policy says.
  private func keepClaims(_ ordinal: Int, condemned pod: ObjectView?, _ desk: inout Desk) {
    guard !set.spec["persistentVolumeClaimRetentionPolicy"].isNull else { return }
    let isScaledAway =
      pod != nil && set.spec["persistentVolumeClaimRetentionPolicy"]["whenScaled"].string == "Delete"
    for template in set.spec["volumeClaimTemplates"].items {
      let name = "\(template["metadata"]["name"].string ?? "")-\(set.name)-\(ordinal)"
      guard var claim = desk.get("persistentvolumeclaims", set.namespace, name), !claim.isTerminating else { continue }
      var owners = claim.owners.filter { owner in
        owner["uid"].string != set.uid
          && !(owner["kind"].string == "Pod" && owner["name"].string == "\(set.name)-\(ordinal)")
      }
      if isScaledAway, let pod {
        owners.append(pod.controllerReference)
      } else if deletesWithSet {
        owners.append(set.controllerReference)
      }
      guard owners != claim.owners else { continue }
      claim["metadata"]["ownerReferences"] = owners.isEmpty ? .null : .array(owners)
      desk.update("persistentvolumeclaims", claim.json)
    }
  }

  // MARK: - Status

  mutating func writeStatus(_ desk: inout Desk) {
    let ready = pods.filter(isHealthy)
    let (available, next) = Availability.count(ready, minReady: minReady, now: now)
    func count(_ revision: ObjectView) -> Int {
      pods.count { $0.labels[StatefulSetController.revisionLabel].string == revision.name && !$0.isTerminating }
    }
    func positive(_ count: Int) -> JSON { count > 0 ? .int(Int64(count)) : .null }
    var status = set.status
    status["observedGeneration"] = .int(Int64(set.generation))
    status["replicas"] = .int(Int64(pods.count))
    status["readyReplicas"] = positive(ready.count)
    status["availableReplicas"] = .int(Int64(available))
    status["updatedReplicas"] = positive(count(update))
    let isOver = isRolling && count(update) == pods.count && ready.count == pods.count && pods.count == wanted
    let shown = isOver ? update : current
    status["currentRevision"] = .string(shown.name)
    status["currentReplicas"] = positive(count(shown))
    status["updateRevision"] = .string(update.name)
    status["collisionCount"] = .int(Int64(history.collisions))
    desk.updateStatus("statefulsets.apps", desk.get("statefulsets.apps", key: set.key) ?? set, status)
    if let next { desk.again(after: next) }
  }
}
