import Evidence
import Mechanisms
import Wire

/// What a claim that is not bound waits for, by the control plane's own decision.
struct ClaimUnbound: Link {
  let code = "storage/claim-unbound"
  let explains: [Effect.Kind] = [.claimUnbound]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(
      .persistentVolumeClaims, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let claim = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let verdict = await world.binding(of: claim)
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes(let volume):
      return .refuted(
        "volume \(volume) suits it, and the control plane binds them within 15s",
        [ClaimRoots.claim(claim, "status.phase", "Pending", found.at, "volume \(volume) suits it")])
    case .no: break
    }
    guard let reason = verdict.reasons.last else { return .silent }
    let wanted = VolumeClaim(claim: claim)
    let events = await world.events(about: claim, kind: "PersistentVolumeClaim").events
    let exhibit = ClaimRoots.claim(
      claim, "spec", wanted.className, found.at,
      "\(claim["status"]["phase"].string ?? ""), class \(wanted.className.isEmpty ? "none" : wanted.className)")
    var explanation = Explanation(
      reason.text, entity: effect.entity,
      evidence: [exhibit] + events.prefix(1).map { $0.exhibit(now: world.now) }, lastSymptomAt: events.first?.last)
    let roots = UnboundRoots(claim: claim, wanted: wanted, entity: effect.entity, exhibit: exhibit, world: world)
    switch reason.code {
    case ClaimBinding.provisioner:
      let driver = reason.details["driver"].string ?? ""
      explanation.statement = "its volume is for the driver \(driver) to make, and it has not made it"
      explanation.causes = [
        .init(
          Effect(
            .driverSilent, Entity("CSIDriver", driver), detail: "\(wanted.namespace)/\(wanted.name)"))
      ]
    case ClaimBinding.waitsForConsumer: return await waiting(explanation, wanted, world)
    case ClaimBinding.classMissing: explanation.root = await roots.classMissing()
    case ClaimBinding.noClass: explanation.root = await roots.noClass()
    case ClaimBinding.noPlugin:
      explanation.root = roots.root(
        "storage/provisioner-removed",
        "class \(wanted.className) names a provisioner that Kubernetes has no code of any more: \(reason.text)",
        [exhibit], "make a class whose provisioner is a CSI driver, and the claim anew with it")
    default: explanation.root = await roots.named(reason)
    }
    return .holds(explanation)
  }

  /// That a claim waits for its first pod is no fault; that the pod gets no node may be one.
  private func waiting(_ base: Explanation, _ claim: VolumeClaim, _ world: Investigation) async -> Finding {
    var explanation = base
    let pods = await world.list(.pods, namespace: claim.namespace)
    if let gap = pods.gap { return .open([gap]) }
    let users = pods.items.filter { pod in
      PodVolumes.claims(of: pod).contains { $0.claim == claim.name } && !PodState(pod).isFinished
    }.map(PodState.init)
    explanation.statement =
      "class \(claim.className) makes volumes when the first pod that uses them has a node (WaitForFirstConsumer)"
    if let pod = users.first(where: { $0.node == nil }) {
      explanation.statement += "; \(pod.entity.title) has none"
      explanation.causes = [.init(pod.effect)]
    }
    return .holds(explanation)
  }
}

/// The roots of claims that no volume comes for.
struct UnboundRoots {
  let claim: JSON
  let wanted: VolumeClaim
  let entity: Entity
  let exhibit: Exhibit
  let world: Investigation

  private var verify: String { "ekswhy pvc/\(wanted.name) -n \(wanted.namespace)" }

  func root(
    _ code: String, _ statement: String, _ evidence: [Exhibit], _ advice: String, command: String? = nil,
    undo: String? = nil, touches: [String] = [], owner: String = "unknown"
  ) -> RootCause {
    RootCause(
      code, layer: .kubernetes, entity: entity, statement: statement, evidence: evidence,
      fixes: [
        Fix(
          advice, command: command, owner: command == nil ? owner : "hand",
          touches: touches.isEmpty ? ["persistentvolumeclaim/\(wanted.name)"] : touches, undo: undo, verify: verify,
          expectWithin: command == nil ? nil : "1m")
      ])
  }

  private func classes() async -> [StorageClassOffer] {
    await world.list(.storageClasses).items.map { StorageClassOffer(storageClass: $0) }
  }

  private func listed(_ classes: [StorageClassOffer]) -> Exhibit {
    let names = classes.map { "\($0.name) (\($0.provisioner))" }
    return Exhibit(
      Citation(
        source: "kubernetes", locator: "storageclasses.storage.k8s.io", value: names.joined(separator: ", "),
        at: world.now), text: "k8s storageclasses: \(Count.list(names))")
  }

  func classMissing() async -> RootCause {
    let classes = await classes()
    let near = classes.map(\.name).min {
      NearMiss.distance($0, wanted.className) < NearMiss.distance($1, wanted.className)
    }
    let hint = near.map { "; the nearest is \($0)" } ?? ""
    let manifest: JSON = [
      "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": ["name": .string(wanted.className)],
      "provisioner": .string(StorageDriver.ebs), "parameters": ["type": "gp3"],
      "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
    ]
    return root(
      "storage/class-missing", "there is no StorageClass \(wanted.className)\(hint)", [exhibit, listed(classes)],
      "makes a class of that name, of EBS's volumes; the class of a claim can't be changed, so another one means a new claim",
      command: "\(world.target.kubectl) apply -f - <<'END'\n\(manifest.text())\nEND",
      undo: "\(world.target.kubectl) delete storageclass \(wanted.className)",
      touches: ["storageclass/\(wanted.className)"])
  }

  func noClass() async -> RootCause {
    let classes = await classes()
    guard wanted.isClassOpen else { return await noVolume() }
    let candidate = classes.first { $0.driver == StorageDriver.ebs } ?? classes.first { $0.driver != nil }
    guard let candidate else {
      return root(
        "storage/no-default-class", "it names no StorageClass, and there is none to take", [exhibit, listed(classes)],
        "make a StorageClass and mark it as the default, or make a volume for the claim by hand")
    }
    let unmarked = classes.count == 1 ? "the only one is not" : "none of the \(classes.count) is"
    let annotate =
      "\(world.target.kubectl) annotate storageclass \(candidate.name) \(StorageClassOffer.defaultAnnotation)"
    return root(
      "storage/no-default-class",
      "it names no StorageClass, and \(unmarked) marked as the default",
      [exhibit, listed(classes)],
      "marks \(candidate.name) as the default; claims without a class take it, this one too",
      command: "\(annotate)=true --overwrite", undo: "\(annotate)-", touches: ["storageclass/\(candidate.name)"])
  }

  /// What each volume that is there has against the claim.
  private func noVolume() async -> RootCause {
    let volumes = await world.list(.persistentVolumes).items.map { VolumeOffer(volume: $0) }
    let against = volumes.compactMap { volume -> String? in
      VolumeMatch.decide(.init(claim: .known(wanted), volume: .known(volume))).reasons.last.map {
        "\(volume.name): \($0.text)"
      }
    }
    let why = against.isEmpty ? "there is no volume" : Count.list(against)
    let text = Exhibit(
      Citation(source: "kubernetes", locator: "persistentvolumes", value: why, at: world.now),
      text: "k8s persistentvolumes: \(why)")
    return root(
      "storage/no-volume-suits", "it asks for a volume without a class (storageClassName \"\"), and none suits: \(why)",
      [exhibit, text], "make a PersistentVolume that suits, or change what the claim asks for by making it anew")
  }

  /// A claim that names its volume.
  func named(_ reason: Because) async -> RootCause {
    let volume = wanted.volumeName
    switch reason.code {
    case ClaimBinding.volumeMissing:
      return root(
        "storage/named-volume-missing", "it names volume \(volume), and there is none of that name", [exhibit],
        "make the PersistentVolume \(volume), or make the claim anew without spec.volumeName")
    case ClaimBinding.mismatch:
      return root(
        "storage/named-volume-differs",
        "it names volume \(volume), which does not suit it: \(reason.details["why"].string ?? reason.text)", [exhibit],
        "make the claim anew so that it suits \(volume), or change the volume")
    default: return await taken(volume)
    }
  }

  private func taken(_ name: String) async -> RootCause {
    let found = await world.object(.persistentVolumes, name: name)
    let reference = found.first?["spec"]["claimRef"] ?? .null
    let holder = "\(reference["namespace"].string ?? "")/\(reference["name"].string ?? "")"
    let isReleased = found.first?["status"]["phase"].string == "Released"
    let text = Exhibit(
      Citation(
        source: "kubernetes", locator: "persistentvolumes/\(name)", field: "spec.claimRef", value: holder, at: found.at),
      text: "k8s persistentvolumes/\(name): \(found.first?["status"]["phase"].string ?? ""), claimRef \(holder)")
    guard isReleased else {
      return root(
        "storage/named-volume-taken", "volume \(name) is claim \(holder)'s", [exhibit, text],
        "name another volume, or delete claim \(holder)")
    }
    return root(
      "storage/volume-released",
      "volume \(name) still belongs to claim \(holder), which is gone; it is kept so that nobody else gets its data",
      [exhibit, text], "gives the volume free with the data that is on it; the next claim that suits it gets it",
      command: VolumeUnusable.free(name, world), touches: ["persistentvolume/\(name)"])
  }
}

/// A claim is bound to a volume.
struct ClaimIsBound: Link {
  let code = "storage/claim-is-bound"
  let explains: [Effect.Kind] = [.claimBound]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(
      .persistentVolumeClaims, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let claim = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let name = claim["spec"]["volumeName"].string ?? ""
    let read = await world.object(.persistentVolumes, name: name)
    guard let volume = read.first else { return read.gap.map { .open([$0]) } ?? .silent }
    let offer = VolumeOffer(volume: volume)
    let size = volume["spec"]["capacity"]["storage"].string ?? ""
    let handle = offer.handle.isEmpty ? "" : ", \(offer.handle) of \(offer.driver)"
    return .holds(
      Explanation(
        "it is bound to volume \(name) of \(size)\(handle)", entity: effect.entity,
        evidence: [
          ClaimRoots.claim(claim, "spec.volumeName", name, found.at, "Bound to \(name)"),
          Exhibit(
            Cite.object(
              volume, "PersistentVolume", resource: .persistentVolumes, field: "status.phase", value: offer.phase,
              at: read.at), text: "k8s persistentvolumes/\(name): \(offer.phase), \(size)"),
        ]))
  }
}
