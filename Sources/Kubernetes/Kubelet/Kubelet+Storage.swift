import Containers
import Mechanisms
import Wire
import World

/// What pods use of their node's disk, and file systems that grow.
///
/// Source: kubernetes `pkg/kubelet/eviction/eviction_manager.go`, `localStorageEviction`.
extension Kubelet {
  static let evicted = "Evicted"
  /// How often the eviction manager looks.
  private static let evictionInterval: Duration = .seconds(10)
  /// What an evicted pod is left.
  private static let evictionGrace = 1

  /// Evicts a pod that uses more of the disk than it may. Pods without a limit are not looked at.
  mutating func checkStorage(_ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context) {
    let containers = pod.spec["containers"].items
    let limits = containers.map { Self.bytes($0["resources"]["limits"]["ephemeral-storage"]) }
    let sized = pod.spec["volumes"].items.filter { Self.bytes($0["emptyDir"]["sizeLimit"]) != nil }
    guard limits.contains(where: { $0 != nil }) || !sized.isEmpty,
      record.containers.contains(where: \.isRunning)
    else { return }
    guard let why = excess(record, pod, sized, limits, context) else {
      turn.at(context.now + Self.evictionInterval, quietly: true)
      return
    }
    record.failure = .init(reason: Self.evicted, message: why)
    event(pod.reference, context, type: "Warning", Self.evicted, why)
    stopAll(&record, pod, grace: Self.evictionGrace, context)
  }

  private static func bytes(_ json: JSON) -> Int? {
    (json.string ?? json.int.map { String($0) }).flatMap { Quantity($0) }.map { Int($0.milliValue / 1000) }
  }

  /// What is used beyond a limit, in the kubelet's words; nil where nothing is.
  private func excess(
    _ record: PodRecord, _ pod: ObjectView, _ sized: [JSON], _ limits: [Int?], _ context: Context
  ) -> String? {
    let inside = context.world.state(of: PodRuntime.id(record.uid), as: PodRuntime.self)
    for volume in sized {
      let name = volume["name"].string ?? ""
      let limit = volume["emptyDir"]["sizeLimit"].string ?? ""
      if (inside?.volumeBytes(name) ?? 0) > Self.bytes(volume["emptyDir"]["sizeLimit"]) ?? .max {
        return "Usage of EmptyDir volume \"\(name)\" exceeds the limit \"\(limit)\". "
      }
    }
    let containers = pod.spec["containers"].items
    let used = containers.map { spec -> Int in
      let name = spec["name"].string ?? ""
      let age = record.containers.first { $0.name == name }?.runningSince.map { context.now - $0 } ?? .zero
      return (inside?.writtenBytes(name) ?? 0) + plan(of: name, pod).diskUse(after: age)
    }
    if limits.allSatisfy({ $0 != nil }) {
      let total = limits.reduce(0) { $0 + ($1 ?? 0) }
      let volumes = pod.spec["volumes"].items.filter { $0["emptyDir"].object != nil }
        .reduce(0) { $0 + (inside?.volumeBytes($1["name"].string ?? "") ?? 0) }
      if used.reduce(volumes, +) > total {
        let text = containers.count == 1 ? containers[0]["resources"]["limits"]["ephemeral-storage"].string : nil
        return
          "Pod ephemeral local storage usage exceeds the total limit of containers \(text ?? String(total)). "
      }
    }
    for (index, spec) in containers.enumerated() {
      guard let limit = limits[index], used[index] > limit else { continue }
      return
        "Container \(spec["name"].string ?? "") exceeded its local ephemeral storage limit \"\(spec["resources"]["limits"]["ephemeral-storage"].string ?? "")\". "
    }
    return nil
  }

  // MARK: - Growth

  /// How often mounted volumes are compared with what their claims say.
  private static let growthInterval: Duration = .seconds(60)

  /// Grows the file systems of volumes that have become larger, and tells the claims.
  mutating func growFileSystems(_ pod: ObjectView, _ turn: inout Turn, _ context: Context) {
    let uses = PodVolumes.claims(of: pod.json)
    guard !uses.isEmpty else { return }
    turn.at(context.now + Self.growthInterval, quietly: true)
    for use in uses {
      guard let claim = read("persistentvolumeclaims", pod.namespace, use.claim, context),
        claim.isConditionTrue("FileSystemResizePending"),
        let volume = read("persistentvolumes", "", claim.spec["volumeName"].string ?? "", context)
      else { continue }
      let rest = claim.status["conditions"].items.filter { $0["type"].string != "FileSystemResizePending" }
      send("claim-status \(pod.uid)", context) {
        $0.patch(
          "persistentvolumeclaims", claim.namespace, claim.name,
          [
            "status": [
              "capacity": ["storage": volume.spec["capacity"]["storage"]],
              "conditions": .array(rest),
            ]
          ], .merge, subresource: "status")
      }
      for subject in [pod, claim] {
        event(
          subject.reference, context, "FileSystemResizeSuccessful",
          "MountVolume.NodeExpandVolume succeeded for volume \"\(volume.name)\" \(identity.nodeName)")
      }
    }
  }
}
