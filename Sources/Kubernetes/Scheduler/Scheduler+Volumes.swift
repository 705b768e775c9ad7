import Mechanisms
import Wire
import World

/// The storage of pods: what the rules need to know of it, and binding it before the pod.
extension Scheduler {
  /// How long a pod waits for its volumes to be bound.
  private static let bindPatience: Duration = .seconds(600)

  /// The storage of a pod; nil when it has no claims.
  func storage(of pod: ObjectView, _ wanted: PodTopology.Pod, _ context: Context) -> PodStorage? {
    let uses = PodVolumes.claims(of: pod.json)
    guard !uses.isEmpty else { return nil }
    var storage = PodStorage()
    var hasImmediate = false
    for use in uses {
      guard let object = read("persistentvolumeclaims", "\(pod.namespace)/\(use.claim)", context) else {
        storage.problem =
          use.isEphemeral
          ? "waiting for ephemeral volume controller to create the persistentvolumeclaim \"\(use.claim)\""
          : "persistentvolumeclaim \"\(use.claim)\" not found"
        return storage
      }
      let claim = VolumeClaim(claim: object.json)
      if object.status["phase"].string == "Lost" {
        storage.problem =
          "persistentvolumeclaim \"\(use.claim)\" bound to non-existent persistentvolume \"\(claim.volumeName)\""
        return storage
      }
      if claim.isTerminating {
        storage.problem = "persistentvolumeclaim \"\(use.claim)\" is being deleted"
        return storage
      }
      if claim.accessModes.contains("ReadWriteOncePod"), isUsed(claim, except: pod.uid) { storage.isTaken = true }
      let read = self.claim(claim, context)
      if !(claim.isBound && !claim.volumeName.isEmpty), !(read.waitsForConsumer && claim.volumeName.isEmpty) {
        hasImmediate = true
      }
      storage.claims.append(read)
    }
    if hasImmediate {
      storage.problem = "pod has unbound immediate PersistentVolumeClaims"
      return storage
    }
    if storage.claims.contains(where: { $0.volume == nil }) {
      storage.volumes = list("persistentvolumes", "", context).map { VolumeOffer(volume: $0.json) }
    }
    storage.hasOldTexts = isBefore134
    countAttached(&storage, context)
    return storage
  }

  private func claim(_ claim: VolumeClaim, _ context: Context) -> PodStorage.Claim {
    var read = PodStorage.Claim(claim)
    if !claim.volumeName.isEmpty {
      read.volume = self.read("persistentvolumes", claim.volumeName, context).map { VolumeOffer(volume: $0.json) }
    }
    guard !claim.className.isEmpty,
      let storage = self.read("storageclasses.storage.k8s.io", claim.className, context)
    else { return read }
    read.waitsForConsumer = storage["volumeBindingMode"].string == "WaitForFirstConsumer"
    let named = storage["provisioner"].string ?? ""
    if named != "kubernetes.io/no-provisioner" { read.provisioner = CSIMigration.driver(of: named) ?? named }
    let topologies = storage["allowedTopologies"].items
    if !topologies.isEmpty {
      read.topologies = topologies.map { topology in
        NodeTerm(
          json: [
            "matchExpressions": .array(
              topology["matchLabelExpressions"].items.map {
                ["key": $0["key"], "operator": "In", "values": $0["values"]]
              })
          ])
      }
    }
    return read
  }

  private func isUsed(_ claim: VolumeClaim, except uid: String) -> Bool {
    cache.picture.nodes.contains { node in
      node.pods.contains { $0.uid != uid && $0.namespace == claim.namespace && $0.claims.contains(claim.name) }
    }
  }

  /// What the nodes have attached, where their drivers tell a limit.
  private func countAttached(_ storage: inout PodStorage, _ context: Context) {
    let drivers = Set(
      storage.claims.compactMap { claim in claim.volume.map(\.driver) ?? claim.provisioner }.filter { !$0.isEmpty })
    guard !drivers.isEmpty else { return }
    for node in list("csinodes.storage.k8s.io", "", context) {
      for driver in node.spec["drivers"].items {
        guard let name = driver["name"].string, drivers.contains(name), let count = driver["allocatable"]["count"].int
        else { continue }
        storage.limits[node.name, default: [:]][name] = count
      }
    }
    guard !storage.limits.isEmpty else { return }
    for node in cache.picture.nodes where storage.limits[node.node.name] != nil {
      for pod in node.pods {
        for name in pod.claims {
          guard let claim = read("persistentvolumeclaims", "\(pod.namespace)/\(name)", context),
            let volume = claim.spec["volumeName"].string,
            let object = read("persistentvolumes", volume, context)
          else { continue }
          let offer = VolumeOffer(volume: object.json)
          if !offer.driver.isEmpty {
            storage.attached[node.node.name, default: [:]][offer.driver, default: []].insert(offer.handle)
          }
        }
      }
    }
  }

  // MARK: - Binding

  /// Has the volumes of a pod bound or made for its node; the pod is bound after.
  mutating func prepareVolumes(_ pod: ObjectView, _ node: String, _ plan: VolumeFit.Plan, _ context: Context) {
    for (claim, volume) in plan.bindings.sorted(by: { $0.key < $1.key }) {
      guard let object = read("persistentvolumeclaims", "\(pod.namespace)/\(claim)", context),
        var changed = read("persistentvolumes", volume, context)
      else { continue }
      if changed.spec["claimRef"].isNull {
        changed["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] = "yes"
      }
      changed["spec"]["claimRef"] = [
        "kind": "PersistentVolumeClaim", "namespace": .string(object.namespace), "name": .string(object.name),
        "uid": .string(object.uid), "apiVersion": "v1", "resourceVersion": .string(object.resourceVersion),
      ]
      context.submit(client.update("persistentvolumes", changed.json), tag: "volume", weight: .background)
    }
    for claim in plan.provisions {
      guard var object = read("persistentvolumeclaims", "\(pod.namespace)/\(claim)", context) else { continue }
      object["metadata"]["annotations"][PersistentVolumeController.selectedNode] = .string(node)
      context.submit(client.update("persistentvolumeclaims", object.json), tag: "volume", weight: .background)
    }
    let claims = plan.bindings.keys.sorted() + plan.provisions
    volumeWaits = volumeWaits ?? [:]
    volumeWaits?[pod.key] = VolumeWait(node: node, since: context.now, claims: claims)
    checkVolumeWaits(context)
  }

  /// Binds the pods whose volumes are bound, and gives up on those that wait too long.
  mutating func checkVolumeWaits(_ context: Context) {
    guard let waits = volumeWaits, !waits.isEmpty else { return }
    var next: Timestamp?
    for (key, wait) in waits.sorted(by: { $0.key < $1.key }) {
      guard let pod = read("pods", key, context), needsNode(pod) else {
        volumeWaits?[key] = nil
        continue
      }
      let claims = wait.claims.compactMap { read("persistentvolumeclaims", "\(pod.namespace)/\($0)", context) }
      if claims.count == wait.claims.count,
        claims.allSatisfy({ !$0.annotations[PersistentVolumeController.bindCompleted].isNull })
      {
        volumeWaits?[key] = nil
        bind(pod, to: wait.node, context)
      } else if claims.count < wait.claims.count || wait.since + Self.bindPatience <= context.now {
        let why =
          claims.count < wait.claims.count ? "a claim of the pod is gone" : "context deadline exceeded"
        failBinding(pod, "running PreBind plugin \"VolumeBinding\": binding volumes: \(why)", context)
      } else {
        next = min(next ?? wait.since + Self.bindPatience, wait.since + Self.bindPatience)
      }
    }
    if let next { context.wake("volumes", at: next, .background) }
  }
}
