import Mechanisms
import Wire
import World

/// The storage of pods: what the rules need to know of it, and binding it before the pod.
extension Scheduler {
  /// How long a pod waits for its volumes to be bound.
  private static let bindPatience: Duration = .seconds(600)

  /// The storage of a pod; nil when it has no claims.
  func storage(of pod: ObjectView, _ context: Context) -> PodStorage? {
    var storage = PodStorage.read(pod.json, StorageOfCluster(scheduler: self, context: context))
    storage?.hasOldTexts = isBefore134
    return storage
  }

  /// The objects as the scheduler sees them.
  private struct StorageOfCluster: StorageView {
    let scheduler: Scheduler
    let context: Context

    func claim(_ namespace: String, _ name: String) -> JSON? { read("persistentvolumeclaims", "\(namespace)/\(name)") }
    func volume(_ name: String) -> JSON? { read("persistentvolumes", name) }
    func storageClass(_ name: String) -> JSON? { read("storageclasses.storage.k8s.io", name) }
    func volumes() -> [JSON] { scheduler.list("persistentvolumes", "", context).map(\.json) }
    func csiNodes() -> [JSON] { scheduler.list("csinodes.storage.k8s.io", "", context).map(\.json) }

    func forEachPlaced(_ body: (_ node: String, _ pod: PlacedPod) -> Void) {
      for node in scheduler.cache.picture.nodes {
        for pod in node.pods { body(node.node.name, pod) }
      }
    }

    private func read(_ resource: String, _ key: String) -> JSON? { scheduler.read(resource, key, context)?.json }
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
