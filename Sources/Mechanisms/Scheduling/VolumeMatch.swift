import Wire

/// Whether a persistent volume can be bound to a claim
/// (kubernetes `component-helpers/storage/volume/pv_helpers.go`, `FindMatchingVolume` and `CheckVolumeSatisfyClaim`).
package enum VolumeMatch: Rule {
  package static let name = "scheduling/volume-match"

  package struct Facts: FactSet {
    package var claim: Fact<VolumeClaim>
    package var volume: Fact<VolumeOffer>
    /// Whether the claim asks for this volume by name; the controller then checks less.
    package var isAskedByName: Bool

    package init(claim: Fact<VolumeClaim>, volume: Fact<VolumeOffer>, isAskedByName: Bool = false) {
      self.claim = claim
      self.volume = volume
      self.isAskedByName = isAskedByName
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.claim), hider(\.volume)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let claim = facts.claim.value else { return .open([facts.claim.gap!]) }
    guard let volume = facts.volume.value else { return .open([facts.volume.gap!]) }
    let evidence = [facts.claim.citation, facts.volume.citation]
    let text = facts.isAskedByName ? named(claim, volume) : found(claim, volume)
    guard let text else { return .yes() }
    return .no([Because("scheduling/volume-match", text, evidence: evidence)])
  }

  /// What the volume that a claim names must have.
  private static func named(_ claim: VolumeClaim, _ volume: VolumeOffer) -> String? {
    if volume.capacity < claim.requested { return "requested PV is too small" }
    if volume.className != claim.className { return "storageClassName does not match" }
    if volume.mode != claim.mode { return "incompatible volumeMode" }
    if !hasModes(claim, volume) { return "incompatible accessMode" }
    return nil
  }

  /// What a volume must have that nobody named.
  private static func found(_ claim: VolumeClaim, _ volume: VolumeOffer) -> String? {
    if volume.mode != claim.mode { return "incompatible volumeMode" }
    if volume.isTerminating { return "the volume is being deleted" }
    if volume.capacity < claim.requested { return "requested PV is too small" }
    if volume.claim != nil { return volume.isFor(claim) ? nil : "the volume is for another claim" }
    if volume.phase != "Available" { return "the volume is \(volume.phase)" }
    if let selector = claim.selector, !selector.matches(volume.labels) { return "the selector does not match" }
    if volume.className != claim.className { return "storageClassName does not match" }
    if !hasModes(claim, volume) { return "incompatible accessMode" }
    return nil
  }

  private static func hasModes(_ claim: VolumeClaim, _ volume: VolumeOffer) -> Bool {
    claim.accessModes.allSatisfy(volume.accessModes.contains)
  }

  /// The best of the volumes: one set aside for the claim, else the smallest that is large enough, of those with the
  /// fewest access modes. With a node only those that it reaches; for a claim that waits for its consumer and no node
  /// only one set aside.
  package static func best(
    for claim: VolumeClaim, among volumes: [VolumeOffer], node: NodeOffer? = nil, waitsForConsumer: Bool = false,
    except taken: Set<String> = []
  ) -> VolumeOffer? {
    let fitting = volumes.filter { volume in
      !taken.contains(volume.name)
        && decide(Facts(claim: .known(claim), volume: .known(volume))).isYes
        && node.map(volume.isReached) ?? true
    }
    if let own = fitting.first(where: { $0.isFor(claim) }) { return own }
    if waitsForConsumer, node == nil { return nil }
    return fitting.min { ($0.accessModes.count, $0.capacity, $0.name) < ($1.accessModes.count, $1.capacity, $1.name) }
  }
}
