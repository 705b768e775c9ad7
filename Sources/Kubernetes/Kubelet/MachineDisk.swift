import Wire
package import World

/// What lies on the disk of a machine that is off: its pods as containerd and the kubelet knew them last.
package struct MachineDisk: Component {
  package static let kind = "machine-disk"
  static func id(_ instance: String) -> ComponentID { ComponentID("\(kind)/\(instance)") }

  private(set) var pods: [String: PodRecord]
  let images: [String]
  /// Files of static pods that were written on the machine.
  let manifests: [String: String]?
  /// How often it has booted before.
  let boots: Int

  init(_ kubelet: Kubelet, at time: Timestamp) {
    pods = kubelet.pods.mapValues { $0.cutOff(at: time) }
    images = kubelet.images
    manifests = kubelet.manifests
    boots = (kubelet.boots ?? 0) + 1
  }

  package mutating func step(_ input: Input, _ context: Context) {}
}

extension PodRecord {
  /// The same after its machine went down under it: no sandbox is left, and what ran ended in a way nobody saw.
  ///
  /// Source: containerd `pkg/cri`, which finds a container whose task is gone and tells 255 and `Unknown`.
  func cutOff(at time: Timestamp) -> PodRecord {
    var record = self
    record.sandbox = .none
    record.sandboxID = ""
    record.address = ""
    record.askedAt = nil
    record.failedSandboxes = 0
    record.failedMounts = 0
    record.notBefore = nil
    record.volumesSince = nil
    // The grace of those that were being ended counts on: a deadline is a time.
    record.containers = containers.map { $0.cutOff(at: time) }
    return record
  }
}

extension ContainerRecord {
  func cutOff(at time: Timestamp) -> ContainerRecord {
    var container = ContainerRecord(name: name, isInit: isInit, isSidecar: isSidecar, state: state)
    container.isEphemeral = isEphemeral
    container.restarts = restarts
    container.id = id
    container.hasImage = hasImage
    container.last = last
    if let since = runningSince {
      container.state = .terminated(
        ContainerExit(code: 255, reason: "Unknown", startedAt: since, finishedAt: time, containerID: id))
    }
    // A new sandbox begins with the init containers again.
    if isInit, let exit = container.exit {
      container.last = exit
      container.state = .waiting(reason: "PodInitializing", message: "")
    }
    return container
  }
}
