import Evidence
import Mechanisms
import Wire

/// Why a PersistentVolumeClaim is not bound, not deleted or not grown; or what it is bound to.
struct ClaimQuestion: Question {
  let kinds = ["persistentvolumeclaim"]
  static let usual: Duration = .seconds(60)

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let found = await world.object(.persistentVolumeClaims, namespace: namespace, name: subject.name)
    guard let object = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("PersistentVolumeClaim \(subject.name) in namespace \(namespace)")
    }
    let claim = VolumeClaim(claim: object)
    let entity = Entity("PersistentVolumeClaim", claim.name, namespace: claim.namespace)
    let created = object["metadata"]["creationTimestamp"].time
    let age = created.map { Ages.text(world.now - $0) } ?? "an unknown time"
    if claim.isTerminating {
      let since = object["metadata"]["deletionTimestamp"].time.map { Ages.text(world.now - $0) } ?? ""
      return Inquiry(
        entity, effects: [.init(Effect(.claimTerminating, entity))], isTrouble: true,
        summary: "\(entity.title) has been Terminating for \(since)")
    }
    if claim.phase == "Bound" { return bound(object, claim, entity, age) }
    var waits: (String, Timestamp)?
    let others = [NotChecked("scheduling", ask: "ekswhy pod/NAME of a pod that uses it")]
    // That a claim waits for its first pod is how its class wants it.
    let verdict = await world.binding(of: object)
    if verdict.reasons.last?.code == ClaimBinding.waitsForConsumer {
      let pods = await world.list(.pods, namespace: namespace)
      let waiting = pods.items.contains { pod in
        PodVolumes.claims(of: pod).contains { $0.claim == claim.name } && !PodState(pod).isFinished
      }
      if pods.gap == nil, !waiting {
        return Inquiry(
          entity, effects: [.init(Effect(.claimUnbound, entity))], isTrouble: false,
          summary: "no fault found in \(entity.title): it waits for the first pod that uses it", notChecked: others)
      }
    }
    if let created, world.now - created < ClaimQuestion.usual {
      waits = ("its volume, usually made within 1m", created + ClaimQuestion.usual)
    }
    return Inquiry(
      entity, effects: [.init(Effect(.claimUnbound, entity))], isTrouble: true,
      summary: "\(entity.title) has been \(claim.phase.isEmpty ? "Pending" : claim.phase) for \(age)", waits: waits,
      notChecked: others,
      lastResort: Gap(
        read: "logs of the driver's controller", why: "why it makes no volume stands there",
        how: "\(world.target.kubectl) -n kube-system logs deploy/ebs-csi-controller -c csi-provisioner"))
  }

  private func bound(_ object: JSON, _ claim: VolumeClaim, _ entity: Entity, _ age: String) -> Inquiry {
    let capacity = VolumeOffer.bytes(object["status"]["capacity"]["storage"])
    let others = [NotChecked("attachment", ask: "ekswhy pod/NAME of a pod that uses it")]
    guard capacity < claim.requested else {
      return Inquiry(
        entity, effects: [.init(Effect(.claimBound, entity))], isTrouble: false,
        summary: "no fault found in \(entity.title): Bound, made \(age) ago", notChecked: others)
    }
    return Inquiry(
      entity, effects: [.init(Effect(.claimTooSmall, entity))], isTrouble: true,
      summary:
        "\(entity.title) asks for \(object["spec"]["resources"]["requests"]["storage"].string ?? "") and has \(object["status"]["capacity"]["storage"].string ?? "")",
      notChecked: others)
  }
}

/// Why a PersistentVolume serves nobody; or whom it serves.
struct VolumeQuestion: Question {
  let kinds = ["persistentvolume"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let found = await world.object(.persistentVolumes, name: subject.name)
    guard let object = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("PersistentVolume \(subject.name)")
    }
    let volume = VolumeOffer(volume: object)
    let entity = Entity("PersistentVolume", volume.name)
    let holder = volume.claim.map { "\($0.namespace)/\($0.name)" }
    if volume.phase == "Bound", !volume.isTerminating {
      let claim = volume.claim.map { Entity("PersistentVolumeClaim", $0.name, namespace: $0.namespace) }
      return Inquiry(
        entity, effects: claim.map { [.init(Effect(.claimBound, $0))] } ?? [], isTrouble: false,
        summary: "no fault found in \(entity.title): it is claim \(holder ?? "")'s")
    }
    if volume.phase == "Available", !volume.isTerminating {
      return Inquiry(
        entity, effects: [], isTrouble: false, summary: "no fault found in \(entity.title): Available, no claim has it")
    }
    return Inquiry(
      entity, effects: [.init(Effect(.volumeUnusable, entity))], isTrouble: true,
      summary: "\(entity.title) is \(volume.isTerminating ? "Terminating" : volume.phase)")
  }
}

/// Whether volumes of a StorageClass can be made.
struct StorageClassQuestion: Question {
  let kinds = ["storageclass"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let found = await world.object(.storageClasses, name: subject.name)
    guard let object = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("StorageClass \(subject.name)")
    }
    let storage = StorageClassOffer(storageClass: object)
    let entity = Entity("StorageClass", storage.name)
    guard let driver = storage.driver else {
      return Inquiry(
        entity, effects: [], isTrouble: false,
        summary: "no fault found in \(entity.title): its volumes are made by hand (\(storage.provisioner))")
    }
    let drivers = await world.list(.csiDrivers)
    if let gap = drivers.gap { throw .unreachable(gap) }
    let isThere = drivers.items.contains { $0["metadata"]["name"].string == driver }
    let effect = Effect(.storageClassUnusable, Entity("CSIDriver", driver))
    guard isThere else {
      return Inquiry(
        entity, effects: [.init(effect)], isTrouble: true, summary: "\(entity.title): nobody makes its volumes")
    }
    let when =
      storage.waitsForConsumer ? "when their first pod has a node" : "at once, in a zone of the driver's choice"
    return Inquiry(
      entity, effects: [], isTrouble: false,
      summary:
        "no fault found in \(entity.title): \(driver) makes its volumes \(when)\(storage.isDefault ? "; it is the default" : "")"
    )
  }
}
