import Wire
package import World

/// Keeps a StatefulSet's pods: numbered, in order, each with its own claims.
///
/// Source: kubernetes `pkg/controller/statefulset`.
package struct StatefulSetController: Reconciler {
  package static let name = "statefulset-controller"
  package static let resources = ["statefulsets.apps", "pods"]

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == "pods" else { return ["\(reference.namespace)/\(reference.name)"] }
    return Ownership.keys(
      ofChild: reference, resource: "pods", kind: "StatefulSet", owners: "statefulsets.apps", desk)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let set = desk.get("statefulsets.apps", key: key), !set.isTerminating else { return }
    let hash = PodTemplate.hash(set.spec["template"])
    let pods = Ownership.claim("pods", of: set, Ownership.selector(set), &desk)
    let wanted = set.spec["replicas"].int ?? 1
    let start = set.spec["ordinals"]["start"].int ?? 0
    let isParallel = set.spec["podManagementPolicy"].string == "Parallel"
    var byOrdinal: [Int: ObjectView] = [:]
    for pod in pods { if let ordinal = Self.ordinal(of: pod, set) { byOrdinal[ordinal] = pod } }
    var isBlocked = false
    for ordinal in start..<(start + wanted) where !isBlocked {
      if let pod = byOrdinal[ordinal] {
        if pod.isPodFinished, !pod.isTerminating { remove(pod, &desk) }
        if !isParallel, !pod.isPodReady || pod.isTerminating { isBlocked = true }
      } else {
        create(set, ordinal, hash, &desk)
        if !isParallel { isBlocked = true }
      }
    }
    let surplus = byOrdinal.filter { $0.key < start || $0.key >= start + wanted }.sorted { $0.key > $1.key }
    if isParallel {
      for (_, pod) in surplus where !pod.isTerminating { remove(pod, &desk) }
    } else if !isBlocked, let (_, pod) = surplus.first, !pod.isTerminating {
      remove(pod, &desk)
    }
    if !isBlocked, surplus.isEmpty { roll(set, byOrdinal, hash, &desk) }
    writeStatus(set, pods, hash, &desk)
  }

  private static func ordinal(of pod: ObjectView, _ set: ObjectView) -> Int? {
    guard pod.name.hasPrefix("\(set.name)-") else { return nil }
    return Int(pod.name.dropFirst(set.name.count + 1))
  }

  private func remove(_ pod: ObjectView, _ desk: inout Desk) {
    desk.send(desk.client.delete("pods", pod.namespace, pod.name, uid: pod.uid), "delete/\(pod.name)")
  }

  private func create(_ set: ObjectView, _ ordinal: Int, _ hash: String, _ desk: inout Desk) {
    let name = "\(set.name)-\(ordinal)"
    var pod = PodTemplate.pod(from: set.spec["template"], owner: set, namePrefix: "")
    pod["metadata"]["generateName"] = .string("\(set.name)-")
    pod["metadata"]["name"] = .string(name)
    pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = .string(name)
    pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = .string("\(ordinal)")
    pod["metadata"]["labels"]["controller-revision-hash"] = .string("\(set.name)-\(hash)")
    pod["spec"]["hostname"] = .string(name)
    pod["spec"]["subdomain"] = set.spec["serviceName"]
    var volumes = pod["spec"]["volumes"].items
    for claim in set.spec["volumeClaimTemplates"].items {
      let volume = claim["metadata"]["name"].string ?? ""
      let claimName = "\(volume)-\(name)"
      if desk.get("persistentvolumeclaims", set.namespace, claimName) == nil {
        var object = claim
        object["apiVersion"] = "v1"
        object["kind"] = "PersistentVolumeClaim"
        object["metadata"]["name"] = .string(claimName)
        object["metadata"]["namespace"] = .string(set.namespace)
        for label in set.spec["selector"]["matchLabels"].fields {
          object["metadata"]["labels"][label.key] = label.value
        }
        object["status"] = .null
        desk.create("persistentvolumeclaims", set.namespace, object)
      }
      volumes.removeAll { $0["name"].string == volume }
      volumes.append(["name": .string(volume), "persistentVolumeClaim": ["claimName": .string(claimName)]])
    }
    if !volumes.isEmpty { pod["spec"]["volumes"] = .array(volumes) }
    desk.send(desk.client.create("pods", set.namespace, pod), "create/\(name)")
  }

  /// Replaces pods of an older template, the highest first, one at a time.
  private func roll(_ set: ObjectView, _ pods: [Int: ObjectView], _ hash: String, _ desk: inout Desk) {
    guard set.spec["updateStrategy"]["type"].string ?? "RollingUpdate" == "RollingUpdate" else { return }
    let partition = set.spec["updateStrategy"]["rollingUpdate"]["partition"].int ?? 0
    for (ordinal, pod) in pods.sorted(by: { $0.key > $1.key }) where ordinal >= partition {
      if pod.isTerminating { return }
      if pod.labels["controller-revision-hash"].string != "\(set.name)-\(hash)" {
        remove(pod, &desk)
        return
      }
      if !pod.isPodReady { return }
    }
  }

  private func writeStatus(_ set: ObjectView, _ pods: [ObjectView], _ hash: String, _ desk: inout Desk) {
    let revision = "\(set.name)-\(hash)"
    let minReady = Duration.seconds(set.spec["minReadySeconds"].int ?? 0)
    let ready = pods.filter { $0.isPodReady && !$0.isTerminating }
    let (available, next) = Availability.count(ready, minReady: minReady, now: desk.now)
    let updated = pods.count { $0.labels["controller-revision-hash"].string == revision }
    func positive(_ count: Int) -> JSON { count > 0 ? .int(Int64(count)) : .null }
    var status = set.status
    status["observedGeneration"] = .int(Int64(set.generation))
    status["replicas"] = .int(Int64(pods.count))
    status["readyReplicas"] = positive(ready.count)
    status["availableReplicas"] = .int(Int64(available))
    status["updatedReplicas"] = positive(updated)
    if updated == pods.count || status["currentRevision"].isNull { status["currentRevision"] = .string(revision) }
    status["currentReplicas"] = positive(
      pods.count { $0.labels["controller-revision-hash"] == status["currentRevision"] })
    status["updateRevision"] = .string(revision)
    if status["collisionCount"].isNull { status["collisionCount"] = 0 }
    desk.updateStatus("statefulsets.apps", desk.get("statefulsets.apps", key: set.key) ?? set, status)
    if let next { desk.again(after: next) }
  }

  package func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    guard let set = desk.get("statefulsets.apps", key: key) else { return false }
    let parts = purpose.split(separator: "/").map(String.init)
    if parts.count == 2, reply.reason != "AlreadyExists" {
      let (verb, pod) = (parts[0], parts[1])
      if reply.isSuccess {
        desk.event(
          set, "Successful\(verb == "create" ? "Create" : "Delete")",
          "\(verb) Pod \(pod) in StatefulSet \(set.name) successful")
      } else if reply.status != 404 {
        desk.warn(
          set, "Failed\(verb == "create" ? "Create" : "Delete")",
          "\(verb) Pod \(pod) in StatefulSet \(set.name) failed error: \(reply.message)")
      }
    }
    return Desk.isFailure(purpose, reply)
  }
}
