import Mechanisms
import Wire
package import World

/// The node plugin of the EBS CSI driver, in the DaemonSet `ebs-csi-node`: it tells its kubelet of itself.
///
/// Source: kubernetes-sigs/aws-ebs-csi-driver `pkg/driver/node.go`, `NodeGetInfo`.
package struct EBSNode: Component {
  package static let kind = "ebs-csi-node"
  package static func id(_ instance: String) -> ComponentID { ComponentID("ebs-csi-node/\(instance)") }

  let launch: NodeHooks.Launch

  package init(_ launch: NodeHooks.Launch) { self.launch = launch }

  package mutating func step(_ input: Input, _ context: Context) {
    guard case .start = input else { return }
    func metadata(_ path: String) -> String? {
      context.world.ports.instanceMetadata(launch.instanceID, "meta-data/\(path)")
    }
    guard let type = metadata("instance-type"), let zone = metadata("placement/availability-zone") else {
      say(
        "E\(klog(context)) \"Failed to initialize metadata\" err=\"could not get IMDS metadata: operation error ec2imds: GetMetadata, canceled, context deadline exceeded\"",
        context)
      tell(["exit": 1], context)
      return
    }
    let interfaces = metadata("network/interfaces/macs")?.split(separator: "\n").count ?? 1
    let slots = AttachmentSlots.of(type, hypervisor: InstanceLimits.named(type)?.hypervisor ?? "nitro")
    let held = metadata("block-device-mapping")?.split(separator: "\n").filter { $0.hasPrefix("ebs") }.count ?? 0
    say("I\(klog(context)) \"Driver Information\" Driver=\"\(EBSController.driver)\" Version=\"v1.44.0\"", context)
    context.send(
      launch.kubelet, "csi-driver",
      [
        "program": .string(context.id.text), "driver": .string(EBSController.driver),
        "node": .string(launch.instanceID),
        "limit": JSON(slots.allocatable(interfaces: interfaces, volumes: held + 1)),
        "topology": [
          "kubernetes.io/os": "linux", "topology.ebs.csi.aws.com/zone": .string(zone),
          "topology.kubernetes.io/zone": .string(zone),
        ],
      ])
    tell(["ready": true], context)
  }

  private func klog(_ context: Context) -> String {
    let civil = context.now.civil
    return
      "\(civil.month.padded(2))\(civil.day.padded(2)) \(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2)).000000       1 main.go:170]"
  }

  private func say(_ line: String, _ context: Context) { tell(["line": .string(line)], context) }

  private func tell(_ value: JSON, _ context: Context) {
    var value = value
    value["uid"] = launch.pod["metadata"]["uid"]
    value["container"] = .string(launch.container)
    value["id"] = .string(launch.containerID)
    context.send(launch.kubelet, "program", value)
  }
}
