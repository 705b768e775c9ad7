import Wire

/// What the control plane does with a claim that is not bound: the volume that it gets, or what it waits for
/// (kubernetes `pkg/controller/volume/persistentvolume`, `syncUnboundClaim`).
package enum ClaimBinding: Rule {
  package static let name = "storage/claim-binding"

  package struct Facts: FactSet {
    package var claim: Fact<VolumeClaim>
    /// Its class, nil where there is none of that name. A claim without a class needs none.
    package var storageClass: Fact<StorageClassOffer?>
    package var volumes: Fact<[VolumeOffer]>

    package init(
      claim: Fact<VolumeClaim>, storageClass: Fact<StorageClassOffer?>, volumes: Fact<[VolumeOffer]>
    ) {
      self.claim = claim
      self.storageClass = storageClass
      self.volumes = volumes
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.claim), hider(\.storageClass), hider(\.volumes),
    ]
  }

  package static let noClass = "storage/claim-binding/no-class"
  package static let classMissing = "storage/claim-binding/class-missing"
  package static let waitsForConsumer = "storage/claim-binding/waits-for-consumer"
  package static let noPlugin = "storage/claim-binding/no-plugin"
  /// Its volume is for the driver in `details.driver` to make.
  package static let provisioner = "storage/claim-binding/provisioner"
  package static let volumeMissing = "storage/claim-binding/volume-missing"
  package static let mismatch = "storage/claim-binding/mismatch"
  package static let taken = "storage/claim-binding/taken"

  /// A `yes` gives the name of the volume.
  package static func decide(_ facts: Facts) -> Verdict<String, Because> {
    guard let claim = facts.claim.value else { return .open([facts.claim.gap!]) }
    guard let volumes = facts.volumes.value else { return .open([facts.volumes.gap!]) }
    guard claim.volumeName.isEmpty else { return named(claim, volumes, facts) }
    if !claim.className.isEmpty, let gap = facts.storageClass.gap { return .open([gap]) }
    let storage = claim.className.isEmpty ? nil : facts.storageClass.value.flatMap { $0 }
    let waits = storage?.waitsForConsumer == true
    if let best = VolumeMatch.best(for: claim, among: volumes, waitsForConsumer: waits) { return .yes(best.name) }
    func no(_ code: String, _ text: String, _ details: JSON = .null) -> Verdict<String, Because> {
      .no([Because(code, text, evidence: [facts.claim.citation, facts.storageClass.citation], details: details)])
    }
    if waits, claim.selectedNode.isEmpty {
      return no(waitsForConsumer, "waiting for first consumer to be created before binding")
    }
    if claim.className.isEmpty {
      return no(noClass, "no persistent volumes available for this claim and no storage class is set")
    }
    guard let storage else {
      return no(classMissing, "storageclass.storage.k8s.io \"\(claim.className)\" not found")
    }
    // The control plane has no provisioner of its own any more.
    let driver = storage.driver ?? storage.provisioner
    guard !driver.hasPrefix("kubernetes.io/") else {
      return no(noPlugin, "no volume plugin matched name: \(driver)")
    }
    return no(
      provisioner,
      "Waiting for a volume to be created either by the external provisioner '\(driver)' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
      ["driver": .string(driver)])
  }

  /// A claim that names its volume.
  private static func named(
    _ claim: VolumeClaim, _ volumes: [VolumeOffer], _ facts: Facts
  ) -> Verdict<String, Because> {
    let evidence = [facts.claim.citation, facts.volumes.citation]
    guard let volume = volumes.first(where: { $0.name == claim.volumeName }) else {
      return .no([
        Because(volumeMissing, "persistentvolume \"\(claim.volumeName)\" not found", evidence: evidence)
      ])
    }
    if volume.claim != nil {
      guard !volume.isFor(claim) else { return .yes(volume.name) }
      return .no([
        Because(taken, "volume \"\(volume.name)\" already bound to a different claim.", evidence: evidence)
      ])
    }
    let verdict = VolumeMatch.decide(.init(claim: .known(claim), volume: .known(volume), isAskedByName: true))
    guard verdict.isYes else {
      let why = verdict.reasons.last?.text ?? ""
      return .no([
        Because(
          mismatch, "Cannot bind to requested volume \"\(volume.name)\": \(why)", evidence: evidence,
          details: ["why": .string(why)])
      ])
    }
    return .yes(volume.name)
  }
}
