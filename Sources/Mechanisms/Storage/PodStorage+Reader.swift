package import Wire

/// The objects that storage is decided by, as whoever decides sees them. Nil is what is not there.
package protocol StorageView {
  func claim(_ namespace: String, _ name: String) -> JSON?
  func volume(_ name: String) -> JSON?
  func storageClass(_ name: String) -> JSON?
  func volumes() -> [JSON]
  func csiNodes() -> [JSON]
  /// The pods that are on nodes.
  func forEachPlaced(_ body: (_ node: String, _ pod: PlacedPod) -> Void)
}

extension PodStorage {
  /// The storage of a pod; nil when it has no claims (kubernetes `pkg/scheduler/framework/plugins/volumebinding`,
  /// `PreFilter`, and `nodevolumelimits`).
  package static func read(_ pod: JSON, _ view: some StorageView) -> PodStorage? {
    let uses = PodVolumes.claims(of: pod)
    guard !uses.isEmpty else { return nil }
    let namespace = pod["metadata"]["namespace"].string ?? ""
    let uid = pod["metadata"]["uid"].string ?? ""
    var storage = PodStorage()
    var hasImmediate = false
    for use in uses {
      guard let object = view.claim(namespace, use.claim) else {
        storage.problem = Problem(
          .missing, use.claim,
          use.isEphemeral
            ? "waiting for ephemeral volume controller to create the persistentvolumeclaim \"\(use.claim)\""
            : "persistentvolumeclaim \"\(use.claim)\" not found")
        return storage
      }
      let claim = VolumeClaim(claim: object)
      if claim.phase == "Lost" {
        storage.problem = Problem(
          .lost, use.claim,
          "persistentvolumeclaim \"\(use.claim)\" bound to non-existent persistentvolume \"\(claim.volumeName)\"")
        return storage
      }
      if claim.isTerminating {
        storage.problem = Problem(
          .terminating, use.claim, "persistentvolumeclaim \"\(use.claim)\" is being deleted")
        return storage
      }
      if claim.accessModes.contains("ReadWriteOncePod") {
        view.forEachPlaced { _, other in
          if other.uid != uid, other.namespace == claim.namespace, other.claims.contains(claim.name) {
            storage.isTaken = true
          }
        }
      }
      let read = Claim(claim, view)
      if !(claim.isBound && !claim.volumeName.isEmpty), !(read.waitsForConsumer && claim.volumeName.isEmpty) {
        hasImmediate = true
      }
      storage.claims.append(read)
    }
    if hasImmediate {
      let unbound = storage.claims.first { !$0.claim.isBound }?.claim.name ?? ""
      storage.problem = Problem(.unbound, unbound, "pod has unbound immediate PersistentVolumeClaims")
      return storage
    }
    if storage.claims.contains(where: { $0.volume == nil }) {
      storage.volumes = view.volumes().map { VolumeOffer(volume: $0) }
    }
    storage.countAttached(view)
    return storage
  }

  /// What the nodes have attached, where their drivers tell a limit.
  private mutating func countAttached(_ view: some StorageView) {
    let drivers = Set(
      claims.compactMap { claim in claim.volume.map(\.driver) ?? claim.provisioner }.filter { !$0.isEmpty })
    guard !drivers.isEmpty else { return }
    var limits: [String: [String: Int]] = [:]
    for node in view.csiNodes() {
      for driver in node["spec"]["drivers"].items {
        guard let name = driver["name"].string, drivers.contains(name), let count = driver["allocatable"]["count"].int
        else { continue }
        limits[node["metadata"]["name"].string ?? "", default: [:]][name] = count
      }
    }
    self.limits = limits
    guard !limits.isEmpty else { return }
    var attached: [String: [String: Set<String>]] = [:]
    view.forEachPlaced { node, pod in
      guard limits[node] != nil else { return }
      for name in pod.claims {
        guard let claim = view.claim(pod.namespace, name), let volume = claim["spec"]["volumeName"].string,
          let object = view.volume(volume)
        else { continue }
        let offer = VolumeOffer(volume: object)
        if !offer.driver.isEmpty { attached[node, default: [:]][offer.driver, default: []].insert(offer.handle) }
      }
    }
    self.attached = attached
  }
}

extension PodStorage.Claim {
  /// A claim with its volume and what its class says.
  package init(_ claim: VolumeClaim, _ view: some StorageView) {
    self.init(claim)
    if !claim.volumeName.isEmpty { volume = view.volume(claim.volumeName).map { VolumeOffer(volume: $0) } }
    guard !claim.className.isEmpty, let object = view.storageClass(claim.className) else { return }
    let storage = StorageClassOffer(storageClass: object)
    waitsForConsumer = storage.waitsForConsumer
    provisioner = storage.driver
    topologies = storage.topologies
  }
}
