import Wire

/// Whether the kubelet of a node can give a pod the volume of one of its claims (kubernetes
/// `pkg/kubelet/volumemanager`, `pkg/volume/csi`).
package enum VolumeSetUp: Rule {
  package static let name = "storage/volume-set-up"

  package struct Facts: FactSet {
    package var namespace: String
    package var use: PodVolumes.Use
    /// Nil where there is none.
    package var claim: Fact<VolumeClaim?>
    package var volume: Fact<VolumeOffer?>
    package var node: Fact<NodeOffer>
    /// The driver's CSIDriver does not say that its volumes need no attaching.
    package var needsAttaching: Fact<Bool>
    /// The VolumeAttachment to the node says that it is attached.
    package var isAttached: Fact<Bool>
    /// The node's CSINode names the driver.
    package var isRegistered: Fact<Bool>

    package init(
      namespace: String, use: PodVolumes.Use, claim: Fact<VolumeClaim?>, volume: Fact<VolumeOffer?>,
      node: Fact<NodeOffer>, needsAttaching: Fact<Bool>, isAttached: Fact<Bool>, isRegistered: Fact<Bool>
    ) {
      self.namespace = namespace
      self.use = use
      self.claim = claim
      self.volume = volume
      self.node = node
      self.needsAttaching = needsAttaching
      self.isAttached = isAttached
      self.isRegistered = isRegistered
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.claim), hider(\.volume), hider(\.node), hider(\.needsAttaching), hider(\.isAttached),
      hider(\.isRegistered),
    ]
  }

  package static let claimMissing = "storage/volume-set-up/claim-missing"
  package static let claimTerminating = "storage/volume-set-up/claim-terminating"
  package static let claimUnbound = "storage/volume-set-up/claim-unbound"
  package static let volumeMissing = "storage/volume-set-up/volume-missing"
  package static let otherPlace = "storage/volume-set-up/other-place"
  package static let notAttached = "storage/volume-set-up/not-attached"
  package static let notRegistered = "storage/volume-set-up/not-registered"

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    let use = facts.use
    func no(_ code: String, _ text: String, _ evidence: [Citation?]) -> Verdict<Void, Because> {
      .no([Because(code, text, evidence: evidence)])
    }
    func unprocessed(_ code: String, _ why: String) -> Verdict<Void, Because> {
      no(
        code,
        "Unable to attach or mount volumes: unmounted volumes=[\(use.volume)], unattached volumes=[], failed to process volumes=[\(use.volume)]: error processing PVC \(facts.namespace)/\(use.claim): \(why)",
        [facts.claim.citation, facts.volume.citation])
    }
    guard let known = facts.claim.value else { return .open([facts.claim.gap!]) }
    guard let claim = known else {
      return unprocessed(
        claimMissing, "failed to fetch PVC from API server: persistentvolumeclaims \"\(use.claim)\" not found")
    }
    if claim.isTerminating { return unprocessed(claimTerminating, "can't start pod because PVC is being deleted") }
    guard claim.phase == "Bound", !claim.volumeName.isEmpty else {
      return unprocessed(claimUnbound, "PVC is not bound")
    }
    guard let found = facts.volume.value else { return .open([facts.volume.gap!]) }
    guard let volume = found else {
      return unprocessed(
        volumeMissing,
        "failed to fetch PV \(claim.volumeName) from API server: persistentvolumes \"\(claim.volumeName)\" not found")
    }
    guard let node = facts.node.value else { return .open([facts.node.gap!]) }
    guard volume.isReached(from: node) else {
      return no(
        otherPlace,
        "MountVolume.NodeAffinity check failed for volume \"\(volume.name)\" : no matching NodeSelectorTerms",
        [facts.volume.citation, facts.node.citation])
    }
    guard !volume.driver.isEmpty else { return .yes() }
    let attached = !Truth(facts.needsAttaching) || Truth(facts.isAttached)
    if case .open(let gaps) = attached { return .open(gaps) }
    guard attached.isYes else {
      return no(
        notAttached,
        "Unable to attach or mount volumes: unmounted volumes=[\(use.volume)], unattached volumes=[], failed to process volumes=[]: context deadline exceeded",
        [facts.isAttached.citation])
    }
    guard let isRegistered = facts.isRegistered.value else { return .open([facts.isRegistered.gap!]) }
    guard isRegistered else {
      return no(
        notRegistered,
        "MountVolume.MountDevice failed for volume \"\(volume.name)\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name \(volume.driver) not found in the list of registered CSI drivers",
        [facts.isRegistered.citation])
    }
    return .yes()
  }
}
