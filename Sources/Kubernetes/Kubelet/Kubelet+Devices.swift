import Containers
import Mechanisms
import Wire
import World

/// Devices that plugins offer as extended resources of their node.
///
/// Source: kubernetes `pkg/kubelet/cm/devicemanager/manager.go`.
extension Kubelet {
  struct DeviceRecord: Codable, Sendable {
    var count: Int
    /// The pod of the plugin.
    var plugin: String
    /// Since when the plugin is gone: its devices count as unhealthy.
    var stoppedAt: Timestamp?
  }

  private static let socketDirectory = "/var/lib/kubelet/device-plugins"
  /// How long what a plugin offered is kept after its end.
  private static let stopGrace: Duration = .seconds(300)

  /// Whether a pod can reach the kubelet's registration socket.
  private static func mountsSocket(_ pod: ObjectView) -> Bool {
    pod.spec["volumes"].items.contains {
      guard let path = $0["hostPath"]["path"].string else { return false }
      return path.hasPrefix(socketDirectory)
    }
  }

  /// Sees which plugins run in a pod; nil for one that is gone.
  mutating func noticeDevices(_ record: PodRecord, _ pod: ObjectView?, _ context: Context) {
    let isPlugin = pod.map(Self.mountsSocket) ?? false
    guard isPlugin || devices != nil else { return }
    var offered: [String: Int] = [:]
    if isPlugin, let pod {
      let here = InstanceLimits.named(identity.instanceType)?.devices ?? [:]
      for container in record.containers where container.isRunning {
        let image = spec(of: container.name, pod)["image"].string ?? ""
        guard let resource = ImageCatalogue.entry(image)?.device, let count = here[resource] else { continue }
        offered[resource] = count
      }
    }
    var changed = false
    for (resource, count) in offered.sorted(by: { $0.key < $1.key }) {
      if let known = devices?[resource], known.stoppedAt == nil { continue }
      log(
        "I", "server.go:144",
        "\"Got registration request from device plugin with resource\" resourceName=\"\(resource)\"",
        context)
      devices = devices ?? [:]
      devices?[resource] = DeviceRecord(count: count, plugin: record.uid)
      changed = true
    }
    for (resource, device) in (devices ?? [:]).sorted(by: { $0.key < $1.key })
    where device.plugin == record.uid && device.stoppedAt == nil && offered[resource] == nil {
      log("I", "manager.go:299", "\"Endpoint became unhealthy\" resourceName=\"\(resource)\"", context)
      devices?[resource]?.stoppedAt = context.now
      context.wake("devices", after: Self.stopGrace, .background)
      changed = true
    }
    if changed { writeNodeStatus(context) }
  }

  /// What was offered by a plugin that has not come back is no more.
  mutating func forgetDevices(_ context: Context) {
    for (resource, device) in (devices ?? [:]).sorted(by: { $0.key < $1.key }) {
      if let stoppedAt = device.stoppedAt, stoppedAt + Self.stopGrace <= context.now { devices?[resource]?.count = 0 }
    }
    writeNodeStatus(context)
  }

  /// The node's resources with its devices; unhealthy ones can't be given.
  func withDevices(_ capacity: JSON, _ allocatable: JSON) -> (capacity: JSON, allocatable: JSON) {
    guard let devices else { return (capacity, allocatable) }
    var (capacity, allocatable) = (capacity, allocatable)
    for (resource, device) in devices.sorted(by: { $0.key < $1.key }) {
      capacity[resource] = .string(String(device.count))
      allocatable[resource] = .string(device.stoppedAt == nil ? String(device.count) : "0")
    }
    return (capacity, allocatable)
  }

  /// Why a pod can't be given the devices that it asks for; nil where it can.
  func deviceRefusal(of pod: ObjectView, _ context: Context) -> Refusal? {
    guard let devices else { return nil }
    let asked = PodNeeds(pod: pod.json).requests
    for (resource, device) in devices.sorted(by: { $0.key < $1.key }) {
      guard let milli = asked[resource], milli > 0 else { continue }
      var why: String?
      if device.stoppedAt != nil {
        why = "no healthy devices present; cannot allocate unhealthy devices \(resource)"
      } else {
        var taken = 0
        for record in pods.values where record.uid != pod.uid {
          guard let other = read("pods", record.namespace, record.name, context), !other.isPodFinished else { continue }
          taken += Int((PodNeeds(pod: other.json).requests[resource] ?? 0) / 1000)
        }
        let left = device.count - taken
        if Int(milli / 1000) > left {
          why =
            "requested number of devices unavailable for \(resource). Requested: \(milli / 1000), Available: \(left)"
        }
      }
      if let why {
        return Refusal(
          reason: "UnexpectedAdmissionError", message: "Allocate failed due to \(why), which is unexpected")
      }
    }
    return nil
  }
}
