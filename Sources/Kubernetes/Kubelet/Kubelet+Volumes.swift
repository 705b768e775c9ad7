import Mechanisms
import Wire
import World

/// Volumes of a pod: what they come from must be there before its containers start.
extension Kubelet {
  /// How long a pod worker waits for volumes before it says so and tries again.
  private static let volumePatience: Duration = .seconds(123)

  /// What keeps a pod's volumes from being mounted.
  enum VolumeFault {
    /// A mount was tried and failed.
    case failed(String)
    /// The controllers have not done their part; told when the patience is over.
    case waiting(volumes: [String])
  }

  /// Whether all volumes are mounted; tells what is missing and sets when to try again otherwise.
  mutating func mountVolumes(
    _ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) -> Bool {
    guard let fault = volumeFault(pod, context) else {
      record.volumesSince = nil
      record.failedMounts = 0
      return true
    }
    let since = record.volumesSince ?? context.now
    record.volumesSince = since
    // The volume manager's back-off: half a second doubling up to two minutes and two seconds.
    var pause = min(Duration.milliseconds(500 << min(record.failedMounts, 8)), .seconds(122))
    switch fault {
    case .failed(let text): event(pod.reference, context, type: "Warning", "FailedMount", text)
    case .waiting(let volumes):
      let left = since + Self.volumePatience - context.now
      if left <= .zero {
        event(
          pod.reference, context, type: "Warning", "FailedMount",
          "Unable to attach or mount volumes: unmounted volumes=[\(volumes.joined(separator: " "))], unattached volumes=[], failed to process volumes=[]: context deadline exceeded"
        )
        record.volumesSince = context.now
      } else {
        pause = min(pause, left, .seconds(8))
      }
    }
    record.failedMounts += 1
    record.notBefore = context.now + pause
    turn.at(context.now + pause, quietly: record.failedMounts > 6)
    return false
  }

  private func volumeFault(_ pod: ObjectView, _ context: Context) -> VolumeFault? {
    if let missing = missingSource(pod, context) {
      return .failed("MountVolume.SetUp failed for volume \"\(missing.volume)\" : \(missing.why)")
    }
    for volume in pod.spec["volumes"].items {
      if let why = HostPaths.fault(volume["hostPath"]) {
        return .failed("MountVolume.SetUp failed for volume \"\(volume["name"].string ?? "")\" : \(why)")
      }
    }
    var waiting: [String] = []
    for use in PodVolumes.claims(of: pod.json) {
      switch claimFault(use, pod, context) {
      case nil: continue
      case .waiting: waiting.append(use.volume)
      case .failed(let text): return .failed(text)
      }
    }
    return waiting.isEmpty ? nil : .waiting(volumes: waiting)
  }

  private func claimFault(_ use: PodVolumes.Use, _ pod: ObjectView, _ context: Context) -> VolumeFault? {
    func unprocessed(_ why: String) -> VolumeFault {
      .failed(
        "Unable to attach or mount volumes: unmounted volumes=[\(use.volume)], unattached volumes=[], failed to process volumes=[\(use.volume)]: error processing PVC \(pod.namespace)/\(use.claim): \(why)"
      )
    }
    guard let claim = read("persistentvolumeclaims", pod.namespace, use.claim, context) else {
      return unprocessed("failed to fetch PVC from API server: persistentvolumeclaims \"\(use.claim)\" not found")
    }
    if claim.isTerminating { return unprocessed("can't start pod because PVC is being deleted") }
    guard claim.status["phase"].string == "Bound", let name = claim.spec["volumeName"].string else {
      return unprocessed("PVC is not bound")
    }
    guard let object = read("persistentvolumes", "", name, context) else {
      return unprocessed("failed to fetch PV \(name) from API server: persistentvolumes \"\(name)\" not found")
    }
    let volume = VolumeOffer(volume: object.json)
    if let node = read("nodes", "", identity.nodeName, context), !volume.isReached(from: NodeOffer(node: node.json)) {
      return .failed("MountVolume.NodeAffinity check failed for volume \"\(name)\" : no matching NodeSelectorTerms")
    }
    guard !volume.driver.isEmpty else { return nil }
    let driver = read("csidrivers.storage.k8s.io", "", volume.driver, context)
    if driver?.spec["attachRequired"].bool ?? true {
      let attachment = context.world.kube.host?.list(
        cluster: identity.cluster, resource: "volumeattachments.storage.k8s.io", namespace: ""
      ).first {
        $0["spec"]["source"]["persistentVolumeName"].string == name
          && $0["spec"]["nodeName"].string == identity.nodeName
      }
      guard attachment?["status"]["attached"].bool == true else { return .waiting(volumes: [use.volume]) }
    }
    let isRegistered = read("csinodes.storage.k8s.io", "", identity.nodeName, context)?.spec["drivers"].items
      .contains { $0["name"].string == volume.driver }
    guard isRegistered == true else {
      return .failed(
        "MountVolume.MountDevice failed for volume \"\(name)\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name \(volume.driver) not found in the list of registered CSI drivers"
      )
    }
    return nil
  }

  /// The first volume whose ConfigMap or Secret is missing, and why that is.
  private func missingSource(_ pod: ObjectView, _ context: Context) -> (volume: String, why: String)? {
    for volume in pod.spec["volumes"].items {
      let name = volume["name"].string ?? ""
      let sources: [JSON] = volume["projected"]["sources"].items + [volume]
      for source in sources {
        for (field, resource, key) in [
          ("configMap", "configmaps", "name"), ("secret", "secrets", volume["secret"].isNull ? "name" : "secretName"),
        ] {
          let reference = source[field]
          guard let target = reference[key].string, reference["optional"].bool != true else { continue }
          let kind = field == "configMap" ? "configmap" : "secret"
          guard let object = read(resource, pod.namespace, target, context) else {
            return (name, "\(kind) \"\(target)\" not found")
          }
          for item in reference["items"].items {
            let wanted = item["key"].string ?? ""
            if !object["data"].has(wanted), !object["binaryData"].has(wanted) {
              return (
                name, "\(kind) references non-existent \(kind == "configmap" ? "config" : "secret") key: \(wanted)"
              )
            }
          }
        }
      }
    }
    return nil
  }
}
