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
    let claim = read("persistentvolumeclaims", pod.namespace, use.claim, context).map { VolumeClaim(claim: $0.json) }
    let name = claim?.volumeName ?? ""
    let volume =
      name.isEmpty ? nil : read("persistentvolumes", "", name, context).map { VolumeOffer(volume: $0.json) }
    let driver = volume?.driver ?? ""
    let isCSI = !driver.isEmpty
    let object = isCSI ? read("csidrivers.storage.k8s.io", "", driver, context) : nil
    let attachments =
      isCSI
      ? context.world.kube.host?.list(
        cluster: identity.cluster, resource: "volumeattachments.storage.k8s.io", namespace: "") ?? [] : []
    let attachment = attachments.first {
      $0["spec"]["source"]["persistentVolumeName"].string == name
        && $0["spec"]["nodeName"].string == identity.nodeName
    }
    let plugins = isCSI ? read("csinodes.storage.k8s.io", "", identity.nodeName, context)?.spec["drivers"].items : []
    guard let node = read("nodes", "", identity.nodeName, context) else { return .waiting(volumes: [use.volume]) }
    let verdict = VolumeSetUp.decide(
      .init(
        namespace: pod.namespace, use: use, claim: .known(claim), volume: .known(volume),
        node: .known(NodeOffer(node: node.json)), needsAttaching: .known(object?.spec["attachRequired"].bool ?? true),
        isAttached: .known(attachment?["status"]["attached"].bool == true),
        isRegistered: .known(plugins?.contains { $0["name"].string == driver } == true)))
    guard let reason = verdict.reasons.last else { return nil }
    return reason.code == VolumeSetUp.notAttached ? .waiting(volumes: [use.volume]) : .failed(reason.text)
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
