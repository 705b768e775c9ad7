import Mechanisms
import Wire
package import World

/// Binds claims to persistent volumes, and lets go of volumes whose claim is gone.
///
/// Source: kubernetes `pkg/controller/volume/persistentvolume`.
package struct PersistentVolumeController: Reconciler {
  package static let name = "persistent-volume-binder"
  package static let eventSource = "persistentvolume-controller"
  package static let resources = ["persistentvolumes", "persistentvolumeclaims", "storageclasses.storage.k8s.io"]

  /// How often what waits is looked at again.
  private static let resync: Duration = .seconds(15)
  static let bindCompleted = "pv.kubernetes.io/bind-completed"
  static let boundByController = "pv.kubernetes.io/bound-by-controller"
  static let selectedNode = "volume.kubernetes.io/selected-node"
  static let provisionedBy = "pv.kubernetes.io/provisioned-by"

  package init() {}

  /// Keys are `claim namespace/name` and `volume name`.
  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    switch reference.resource {
    case "persistentvolumes":
      let volume = desk.get("persistentvolumes", "", reference.name)
      if let claim = volume?.spec["claimRef"], claim.object != nil {
        return ["volume \(reference.name)", "claim \(claim["namespace"].string ?? "")/\(claim["name"].string ?? "")"]
      }
      // A free or lost volume may concern whoever waits or was bound to it.
      return ["volume \(reference.name)"]
        + desk.list("persistentvolumeclaims").filter {
          $0.spec["volumeName"].isNull || $0.spec["volumeName"].string == reference.name
        }.map { "claim \($0.key)" }
    case "storageclasses.storage.k8s.io":
      return desk.list("persistentvolumeclaims").filter { $0.spec["volumeName"].isNull }.map { "claim \($0.key)" }
    default:
      let key = "\(reference.namespace)/\(reference.name)"
      let claim = desk.get("persistentvolumeclaims", reference.namespace, reference.name)
      let volumes = desk.list("persistentvolumes").filter {
        let wanted = $0.spec["claimRef"]
        return $0.name == claim?.spec["volumeName"].string
          || wanted["namespace"].string == reference.namespace && wanted["name"].string == reference.name
      }
      return ["claim \(key)"] + volumes.map { "volume \($0.name)" }
    }
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    let name = String(key.drop { $0 != " " }.dropFirst())
    if key.hasPrefix("volume ") {
      if let volume = desk.get("persistentvolumes", "", name) { look(at: volume, &desk) }
    } else if let claim = desk.get("persistentvolumeclaims", key: name) {
      if claim.annotations[Self.bindCompleted].isNull { bind(claim, &desk) } else { check(claim, &desk) }
    }
  }

  // MARK: - Claims that are not bound

  private func bind(_ object: ObjectView, _ desk: inout Desk) {
    var object = object
    guard !object.isTerminating else { return }
    takeDefaultClass(&object, &desk)
    let claim = VolumeClaim(claim: object.json)
    let volumes =
      claim.volumeName.isEmpty
      ? desk.list("persistentvolumes")
      : [desk.get("persistentvolumes", "", claim.volumeName)].compactMap { $0 }
    let storage = storageClass(claim, desk).map { StorageClassOffer(storageClass: $0.json) }
    let verdict = ClaimBinding.decide(
      .init(
        claim: .known(claim), storageClass: .known(storage),
        volumes: .known(volumes.map { VolumeOffer(volume: $0.json) })))
    if let volume = verdict.value {
      bind(object, to: volume, &desk)
      if !claim.volumeName.isEmpty { desk.again(after: Self.resync, .background) }
      return
    }
    if let reason = verdict.reasons.last { tell(reason, object, storage, &desk) }
    setPhase(of: desk.get("persistentvolumeclaims", key: object.key) ?? object, "Pending", &desk)
    desk.again(after: Self.resync, .background)
  }

  /// Tells a claim what it waits for.
  private func tell(_ reason: Because, _ claim: ObjectView, _ storage: StorageClassOffer?, _ desk: inout Desk) {
    switch reason.code {
    case ClaimBinding.waitsForConsumer: tellWaiting(claim, &desk)
    case ClaimBinding.noClass: desk.event(claim, "FailedBinding", reason.text)
    case ClaimBinding.classMissing, ClaimBinding.noPlugin: desk.warn(claim, "ProvisioningFailed", reason.text)
    case ClaimBinding.mismatch: desk.warn(claim, "VolumeMismatch", reason.text)
    case ClaimBinding.taken:
      if claim.annotations[Self.boundByController].isNull { desk.warn(claim, "FailedBinding", reason.text) }
    case ClaimBinding.provisioner:
      if let storage { provision(claim, storage, &desk) }
      desk.event(claim, "ExternalProvisioning", reason.text)
    default: break
    }
  }

  private func takeDefaultClass(_ claim: inout ObjectView, _ desk: inout Desk) {
    guard VolumeClaim(claim: claim.json).isClassOpen, let chosen = DefaultStorageClass.find(desk) else { return }
    claim["spec"]["storageClassName"] = .string(chosen)
    desk.update("persistentvolumeclaims", claim.json)
    claim = desk.get("persistentvolumeclaims", key: claim.key) ?? claim
  }

  private func storageClass(_ claim: VolumeClaim, _ desk: Desk) -> ObjectView? {
    claim.className.isEmpty ? nil : desk.get("storageclasses.storage.k8s.io", "", claim.className)
  }

  private func tellWaiting(_ claim: ObjectView, _ desk: inout Desk) {
    let pods = desk.list("pods", claim.namespace).filter { pod in
      pod.nodeName.isEmpty && pod.isPodActive && PodVolumes.claims(of: pod.json).contains { $0.claim == claim.name }
    }.map(\.name)
    let reason = pods.isEmpty ? "WaitForFirstConsumer" : "WaitForPodScheduled"
    let message =
      switch pods.count {
      case 0: "waiting for first consumer to be created before binding"
      case 1: "waiting for pod \(pods[0]) to be scheduled"
      default: "waiting for pods \(pods.joined(separator: ",")) to be scheduled"
      }
    desk.event(claim, reason, message)
  }

  /// Asks whoever provisions volumes of the class for one.
  private func provision(_ object: ObjectView, _ storage: StorageClassOffer, _ desk: inout Desk) {
    let provisioner = storage.driver ?? storage.provisioner
    let annotations = [
      "volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner",
    ]
    guard annotations.contains(where: { object.annotations[$0].string != provisioner }) else { return }
    var changed = object
    for annotation in annotations { changed["metadata"]["annotations"][annotation] = .string(provisioner) }
    desk.update("persistentvolumeclaims", changed.json)
  }

  // MARK: - Binding

  private func bind(_ object: ObjectView, to name: String, _ desk: inout Desk) {
    guard var volume = desk.get("persistentvolumes", "", name) else { return }
    let before = volume
    let hadReference = volume.spec["claimRef"].object != nil
    volume["spec"]["claimRef"]["apiVersion"] = "v1"
    volume["spec"]["claimRef"]["kind"] = "PersistentVolumeClaim"
    volume["spec"]["claimRef"]["name"] = .string(object.name)
    volume["spec"]["claimRef"]["namespace"] = .string(object.namespace)
    if volume.spec["claimRef"]["uid"].string != object.uid {
      volume["spec"]["claimRef"]["resourceVersion"] = .string(object.resourceVersion)
    }
    volume["spec"]["claimRef"]["uid"] = .string(object.uid)
    if !hadReference { volume["metadata"]["annotations"][Self.boundByController] = "yes" }
    if volume.json != before.json {
      desk.update("persistentvolumes", volume.json)
      guard let now = desk.get("persistentvolumes", "", name), VolumeOffer(volume: now.json).claim?.uid == object.uid
      else { return }
      volume = now
    }
    setPhase(ofVolume: volume, "Bound", &desk)
    var claim = desk.get("persistentvolumeclaims", key: object.key) ?? object
    let old = claim
    if claim.spec["volumeName"].string != name {
      claim["spec"]["volumeName"] = .string(name)
      claim["metadata"]["annotations"][Self.boundByController] = "yes"
    }
    claim["metadata"]["annotations"][Self.bindCompleted] = "yes"
    if claim.json != old.json {
      desk.update("persistentvolumeclaims", claim.json)
      claim = desk.get("persistentvolumeclaims", key: object.key) ?? claim
    }
    guard !claim.annotations[Self.bindCompleted].isNull else { return }
    setPhase(of: claim, "Bound", volume: volume, &desk)
  }

  /// A claim that was bound: its volume may have gone.
  private func check(_ object: ObjectView, _ desk: inout Desk) {
    let claim = VolumeClaim(claim: object.json)
    func lose(_ reason: String, _ message: String) {
      if object.status["phase"].string != "Lost" { desk.warn(object, reason, message) }
      setPhase(of: object, "Lost", &desk)
    }
    guard !claim.volumeName.isEmpty else {
      lose("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!")
      return
    }
    guard let volume = desk.get("persistentvolumes", "", claim.volumeName) else {
      lose("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
      return
    }
    let owner = VolumeOffer(volume: volume.json).claim
    if owner == nil || owner?.uid == object.uid {
      bind(object, to: volume.name, &desk)
    } else {
      lose("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
    }
  }

  private func setPhase(of claim: ObjectView, _ phase: String, volume: ObjectView? = nil, _ desk: inout Desk) {
    var status = claim.status
    status["phase"] = .string(phase)
    if let volume, phase == "Bound" {
      status["accessModes"] = volume.spec["accessModes"]
      // An expansion under way is told by who does it.
      if claim.status["phase"].string != "Bound" || status["capacity"].isNull {
        status["capacity"] = volume.spec["capacity"]
      }
    } else if phase == "Pending" {
      status["accessModes"] = .null
      status["capacity"] = .null
    }
    desk.updateStatus("persistentvolumeclaims", claim, status)
  }

  // MARK: - Volumes

  private func look(at volume: ObjectView, _ desk: inout Desk) {
    guard let reference = VolumeOffer(volume: volume.json).claim, !reference.uid.isEmpty else {
      setPhase(ofVolume: volume, "Available", &desk)
      return
    }
    let claim = desk.get("persistentvolumeclaims", reference.namespace, reference.name)
    guard let claim, claim.uid == reference.uid else {
      if volume.status["phase"].string != "Failed" { setPhase(ofVolume: volume, "Released", &desk) }
      reclaim(desk.get("persistentvolumes", "", volume.name) ?? volume, &desk)
      return
    }
    if claim.spec["volumeName"].string == volume.name { setPhase(ofVolume: volume, "Bound", &desk) }
    // Bound elsewhere meanwhile: what the controller set aside is free again.
    if let other = claim.spec["volumeName"].string, other != volume.name {
      release(volume, &desk)
    }
  }

  private func release(_ volume: ObjectView, _ desk: inout Desk) {
    guard !volume.annotations[Self.boundByController].isNull else { return }
    var free = volume
    free["spec"]["claimRef"] = .null
    free["metadata"]["annotations"][Self.boundByController] = .null
    desk.update("persistentvolumes", free.json)
    if let now = desk.get("persistentvolumes", "", volume.name) { setPhase(ofVolume: now, "Available", &desk) }
  }

  private func reclaim(_ volume: ObjectView, _ desk: inout Desk) {
    guard volume.spec["persistentVolumeReclaimPolicy"].string == "Delete", !volume.isTerminating else { return }
    // What a CSI driver made its provisioner deletes.
    let maker = volume.annotations[Self.provisionedBy].string ?? ""
    if !maker.isEmpty || volume.spec["csi"].object != nil { return }
    let message =
      "error getting deleter volume plugin for volume \"\(volume.name)\": no deletable volume plugin matched"
    if volume.status["phase"].string != "Failed" {
      desk.warn(volume, "VolumeFailedDelete", message)
      setPhase(ofVolume: volume, "Failed", message: message, &desk)
    }
  }

  private func setPhase(ofVolume volume: ObjectView, _ phase: String, message: String = "", _ desk: inout Desk) {
    var status = volume.status
    if status["phase"].string != phase { status["lastPhaseTransitionTime"] = desk.now.json }
    status["phase"] = .string(phase)
    status["message"] = message.isEmpty ? .null : .string(message)
    desk.updateStatus("persistentvolumes", volume, status)
  }
}

/// The class that claims without one take.
enum DefaultStorageClass {
  static func find(_ desk: Desk) -> String? {
    StorageClassOffer.chosen(
      desk.list("storageclasses.storage.k8s.io").map { StorageClassOffer(storageClass: $0.json) })?.name
  }
}
