import Wire
import World

/// Volumes attached to instances and detached from them, as VolumeAttachments ask.
extension EBSController {
  private static let resource = "volumeattachments.storage.k8s.io"
  private static let holder = "external-attacher/ebs-csi-aws-com"

  private func volume(_ attachment: ObjectView, _ context: Context) -> ObjectView? {
    attachment.spec["source"]["persistentVolumeName"].string.flatMap { read("persistentvolumes", $0, context) }
  }

  private func handle(_ attachment: ObjectView, _ context: Context) -> String {
    volume(attachment, context)?.spec["csi"]["volumeHandle"].string ?? ""
  }

  /// The instance that a node's driver says it is.
  private func instance(_ attachment: ObjectView, _ context: Context) -> String? {
    read("csinodes.storage.k8s.io", attachment.spec["nodeName"].string ?? "", context)?.spec["drivers"].items
      .first { $0["name"].string == Self.driver }?["nodeID"].string
      ?? attachment.annotations["csi.alpha.kubernetes.io/node-id"].string
  }

  // MARK: - Attaching

  mutating func attach(_ attachment: ObjectView, _ key: String, _ context: Context) {
    guard attachment.spec["attacher"].string == Self.driver, attachment.status["attached"].bool != true else { return }
    guard let instance = instance(attachment, context) else {
      let node = attachment.spec["nodeName"].string ?? ""
      tellAttachError(attachment, key, "CSINode \(node) does not contain driver \(Self.driver)", context)
      return
    }
    guard attachment.finalizers.contains(Self.holder) else {
      send("held", key, context) {
        $0.patch(
          Self.resource, "", attachment.name,
          [
            "metadata": [
              "finalizers": JSON(attachment.finalizers + [Self.holder]),
              "annotations": ["csi.alpha.kubernetes.io/node-id": .string(instance)],
            ]
          ], .merge)
      }
      return
    }
    ec2("devices", "DescribeInstances", ["InstanceIds": [.string(instance)]], key, context)
  }

  /// Takes the first device name that is free, or goes on with the one it has.
  private mutating func attach(_ output: JSON, _ key: String, _ context: Context) {
    guard let attachment = object(key, context), let instance = instance(attachment, context) else { return done(key) }
    let handle = handle(attachment, context)
    let devices = output["Reservations"][0]["Instances"][0]["BlockDeviceMappings"].items
    if let held = devices.first(where: { $0["Ebs"]["VolumeId"].string == handle }) {
      attached(held["DeviceName"].string ?? "", key, context)
      return
    }
    let taken = Set(devices.compactMap { $0["DeviceName"].string })
    let letters = "abcdefghijklmnopqrstuvwxyz"
    let names = letters.flatMap { first in letters.map { "/dev/xvd\(first)\($0)" } }
    let device = names.first { !taken.contains($0) } ?? ""
    ec2(
      "attach", "AttachVolume",
      ["Device": .string(device), "InstanceId": .string(instance), "VolumeId": .string(handle)], key, context)
  }

  private mutating func attached(_ device: String, _ key: String, _ context: Context) {
    guard let attachment = object(key, context) else { return done(key) }
    // The null takes away what an attempt before has left.
    let status = JSONObject([
      ("attached", true), ("attachError", .null), ("attachmentMetadata", ["devicePath": .string(device)]),
    ])
    send("attached", key, context) {
      $0.patch(Self.resource, "", attachment.name, ["status": .object(status)], .merge, subresource: "status")
    }
  }

  private mutating func tellAttachError(_ attachment: ObjectView, _ key: String, _ why: String, _ context: Context) {
    send("refused", key, context) {
      $0.patch(
        Self.resource, "", attachment.name,
        [
          "status": ["attached": false, "attachError": ["message": .string(why), "time": context.now.json]]
        ], .merge, subresource: "status")
    }
  }

  // MARK: - Detaching

  mutating func detach(_ attachment: ObjectView, _ key: String, _ context: Context) {
    guard attachment.spec["attacher"].string == Self.driver, attachment.finalizers.contains(Self.holder) else { return }
    guard let instance = instance(attachment, context) else { return release(attachment, key, context) }
    ec2(
      "detach", "DetachVolume",
      ["InstanceId": .string(instance), "VolumeId": .string(handle(attachment, context))], key, context)
  }

  private mutating func release(_ attachment: ObjectView, _ key: String, _ context: Context) {
    let rest = attachment.finalizers.filter { $0 != Self.holder }
    send("released", key, context) {
      $0.patch(
        Self.resource, "", attachment.name, ["metadata": ["finalizers": JSON(rest)]], .merge)
    }
  }

  // MARK: - Answers

  mutating func attachmentAnswered(_ call: String, _ key: String, _ output: JSON, _ context: Context) {
    switch call {
    case "devices": attach(output, key, context)
    case "attach":
      // Asked again until it is there.
      busy.insert(key)
      guard output["State"].string == "attached" else {
        busy.remove(key)
        context.wake(key, after: context.durations[.interfaceAttach])
        return
      }
      attached(output["Device"].string ?? "", key, context)
    case "detach":
      if let attachment = object(key, context) { release(attachment, key, context) } else { done(key) }
    default: done(key)
    }
  }

  mutating func attachmentAnswered(_ tag: String, _ key: String, _ reply: KubeReply, _ context: Context) {
    switch tag {
    case "refused": again(key, context)
    case "held" where reply.isSuccess:
      done(key)
      if let attachment = object(key, context), !attachment.isTerminating { attach(attachment, key, context) }
    default:
      if reply.isSuccess || reply.status == 404 { done(key) } else { again(key, context) }
    }
  }

  mutating func attachmentFailed(
    _ call: String, _ attachment: ObjectView, _ key: String, _ why: String, _ context: Context
  ) {
    let instance = instance(attachment, context) ?? ""
    let handle = handle(attachment, context)
    if call == "detach" {
      send("refused", key, context) {
        $0.patch(
          Self.resource, "", attachment.name,
          [
            "status": [
              "detachError": [
                "message": .string(
                  "rpc error: code = Internal desc = Could not detach volume \"\(handle)\" from node \"\(instance)\": could not detach volume \"\(handle)\" from node \"\(instance)\": operation error EC2: DetachVolume, \(why)"
                ), "time": context.now.json,
              ]
            ]
          ], .merge, subresource: "status")
      }
      return
    }
    let operation = call == "devices" ? "DescribeInstances" : "AttachVolume"
    tellAttachError(
      attachment, key,
      "rpc error: code = Internal desc = Could not attach volume \"\(handle)\" to node \"\(instance)\": could not attach volume \"\(handle)\" to node \"\(instance)\": operation error EC2: \(operation), \(why)",
      context)
  }
}
