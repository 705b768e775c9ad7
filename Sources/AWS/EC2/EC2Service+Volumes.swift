import Mechanisms
import Wire
import World

/// A volume of Amazon EBS. The root volumes of instances are told of by their instances alone.
struct Volume: Codable, Sendable {
  struct Attachment: Codable, Sendable {
    var instance: String
    var device: String
    /// When it is attached; attaching before.
    var at: Timestamp
    var deleteOnTermination = false
  }
  struct Modification: Codable, Sendable {
    var originalSize: Int
    var startedAt: Timestamp
    var endsAt: Timestamp
  }

  var id: String
  var zone: String
  /// GiB.
  var size: Int
  var type: String
  var iops: Int?
  var throughput: Int?
  var isEncrypted = false
  var key: String?
  var snapshot: String?
  var isMultiAttach = false
  var createdAt: Timestamp
  /// Being created before.
  var availableAt: Timestamp
  var attachments: [Attachment] = []
  var modification: Modification?
  var tags = Tags()
}

extension EC2Service {
  static var volumeOperations: [String: Operation<EC2Service>] {
    [
      "CreateVolume": createVolume, "DescribeVolumes": describeVolumes, "AttachVolume": attachVolume,
      "DetachVolume": detachVolume, "DeleteVolume": deleteVolume, "ModifyVolume": modifyVolume,
      "DescribeVolumesModifications": describeModifications,
    ]
  }

  private static let volumeDescription = Description(
    list: "Volumes", ids: "VolumeIds", id: "VolumeId", kind: "volume",
    filters: [
      "status": "State", "attachment.instance-id": "Attachments.InstanceId", "attachment.device": "Attachments.Device",
      "attachment.status": "Attachments.State",
      "attachment.delete-on-termination": "Attachments.DeleteOnTermination",
    ])

  /// A root volume's size in GiB.
  private static let rootSize = 20
  /// Sizes in GiB that a type may have.
  private static let sizes: [String: ClosedRange<Int>] = [
    "gp2": 1...16_384, "gp3": 1...65_536, "io1": 4...16_384, "io2": 4...65_536, "st1": 125...16_384,
    "sc1": 125...16_384, "standard": 1...1024,
  ]

  func volume(_ id: String?) throws(AWSError) -> Volume {
    guard let found = volumes[id ?? ""] else { throw .notFound("volume", id) }
    return found
  }

  // MARK: - Telling

  private func json(_ attachment: Volume.Attachment, of volume: Volume, now: Timestamp) -> JSON {
    [
      "VolumeId": .string(volume.id), "InstanceId": .string(attachment.instance), "Device": .string(attachment.device),
      "State": .string(attachment.at <= now ? "attached" : "attaching"), "AttachTime": .time(attachment.at),
      "DeleteOnTermination": .bool(attachment.deleteOnTermination),
    ]
  }

  private func json(_ volume: Volume, now: Timestamp) -> JSON {
    let state = volume.availableAt > now ? "creating" : volume.attachments.isEmpty ? "available" : "in-use"
    return [
      "VolumeId": .string(volume.id), "Size": JSON(volume.size), "AvailabilityZone": .string(volume.zone),
      "AvailabilityZoneId": .string(zoneID(volume.zone)), "State": .string(state),
      "CreateTime": .time(volume.createdAt), "VolumeType": .string(volume.type), "Iops": JSON(volume.iops),
      "Throughput": JSON(volume.throughput), "Encrypted": .bool(volume.isEncrypted), "KmsKeyId": JSON(volume.key),
      "SnapshotId": .string(volume.snapshot ?? ""), "MultiAttachEnabled": .bool(volume.isMultiAttach),
      "Attachments": .array(volume.attachments.map { json($0, of: volume, now: now) }),
      "Tags": volume.tags.json,
    ]
  }

  private func root(of instance: Instance) -> JSON {
    var volume = Volume(
      id: instance.volume, zone: instance.zone, size: Self.rootSize, type: "gp3", iops: 3000, throughput: 125,
      createdAt: instance.launchedAt, availableAt: instance.launchedAt)
    volume.attachments = [
      .init(instance: instance.id, device: "/dev/xvda", at: instance.launchedAt, deleteOnTermination: true)
    ]
    return json(volume, now: world.now)
  }

  /// Block devices of an instance beside its root, as `DescribeInstances` has them.
  func blockDevices(of instance: String) -> [JSON] {
    volumes.all.flatMap { volume in
      volume.attachments.filter { $0.instance == instance }.map { attachment in
        [
          "DeviceName": .string(attachment.device),
          "Ebs": [
            "AttachTime": .time(attachment.at), "DeleteOnTermination": .bool(attachment.deleteOnTermination),
            "Status": .string(attachment.at <= world.now ? "attached" : "attaching"), "VolumeId": .string(volume.id),
          ],
        ]
      }
    }
  }

  private func describeVolumes(_ request: AWSRequest) throws(AWSError) -> JSON {
    let roots = instances.filter(\.isThere).map(root)
    let own = volumes.all.map { json($0, now: request.now) }
    return try describe(Self.volumeDescription, own + roots, request)
  }

  // MARK: - Life

  private func createVolume(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let zone =
      input["AvailabilityZone"].string ?? zones.first { $0.id == input["AvailabilityZoneId"].string }?.name ?? ""
    guard zones.contains(where: { $0.name == zone }) else {
      throw .ec2("InvalidZone.NotFound", "The zone '\(zone)' does not exist.")
    }
    let type = input["VolumeType"].string ?? "gp2"
    guard let size = input["Size"].int else {
      throw .ec2("MissingParameter", "The request must contain the parameter size/snapshot")
    }
    guard let allowed = Self.sizes[type] else {
      throw .ec2("UnknownVolumeType", "Unsupported volume type '\(type)' for volume creation.")
    }
    guard allowed.contains(size) else {
      let bound = size < allowed.lowerBound ? "smaller than \(allowed.lowerBound)" : "larger than \(allowed.upperBound)"
      throw .ec2("InvalidParameterValue", "Volume of \(size)GiB is invalid. \(type) volumes cannot be \(bound) GiB")
    }
    var iops = input["Iops"].int
    switch type {
    case "gp3": iops = iops ?? 3000
    case "gp2": iops = min(16_000, max(100, size * 3))
    case "io1", "io2":
      guard iops != nil else {
        throw .ec2("MissingParameter", "The request must contain the parameter iops")
      }
    default: break
    }
    if type == "gp3", let iops, iops > max(3000, size * 500) {
      throw .ec2(
        "InvalidParameterCombination", "Iops to volume size ratio of \(iops / size) is too high; maximum is 500")
    }
    var volume = Volume(
      id: newID("vol"), zone: zone, size: size, type: type, iops: iops,
      throughput: input["Throughput"].int ?? (type == "gp3" ? 125 : nil), createdAt: request.now,
      availableAt: request.now + world.durations[.interfaceAttach])
    volume.isEncrypted = input["Encrypted"].bool ?? false
    volume.key = input["KmsKeyId"].string
    volume.snapshot = input["SnapshotId"].string
    volume.isMultiAttach = input["MultiAttachEnabled"].bool ?? false
    volume.tags = newTags("volume", input)
    volumes[volume.id] = volume
    VolumeChange.begin(volume.id, in: world)
    return json(volume, now: request.now)
  }

  private func deleteVolume(_ request: AWSRequest) throws(AWSError) -> JSON {
    let volume = try volume(request.input["VolumeId"].string)
    if let attachment = volume.attachments.first {
      throw .ec2("VolumeInUse", "Volume \(volume.id) is currently attached to \(attachment.instance)")
    }
    volumes[volume.id] = nil
    return .emptyObject
  }

  // MARK: - Attachments

  private func attachVolume(_ request: AWSRequest) throws(AWSError) -> JSON {
    let volume = try volume(request.input["VolumeId"].string)
    let instance = try instance(request.input["InstanceId"].string)
    let device = request.input["Device"].string ?? ""
    guard instance.isThere else {
      throw .ec2("IncorrectState", "Instance '\(instance.id)' is not 'running'.")
    }
    guard volume.zone == instance.zone else {
      throw .ec2(
        "InvalidVolume.ZoneMismatch",
        "The volume '\(volume.id)' is not in the same availability zone as instance '\(instance.id)'")
    }
    guard volume.availableAt <= request.now else {
      throw .ec2("IncorrectState", "Volume '\(volume.id)' is not 'available'.")
    }
    let isHere = volume.attachments.contains { $0.instance == instance.id }
    guard volume.attachments.isEmpty || volume.isMultiAttach && !isHere else {
      throw .ec2("VolumeInUse", "\(volume.id) is already attached to an instance")
    }
    let held = volumes.all.flatMap(\.attachments).filter { $0.instance == instance.id }
    guard device != "/dev/xvda", !held.contains(where: { $0.device == device }) else {
      throw .ec2(
        "InvalidParameterValue",
        "Invalid value '\(device)' for unixDevice. Attachment point \(device) is already in use")
    }
    let slots = AttachmentSlots.of(
      instance.type, hypervisor: InstanceLimits.named(instance.type)?.hypervisor ?? "nitro")
    let interfaces = attached(to: instance.id).count
    guard held.count + 1 < slots.volumes(interfaces: interfaces) else {
      throw .ec2(
        "AttachmentLimitExceeded",
        "The maximum number of attachments has been reached for instance '\(instance.id)'")
    }
    let attachment = Volume.Attachment(
      instance: instance.id, device: device, at: request.now + world.durations[.interfaceAttach])
    volumes.update(volume.id) { $0.attachments.append(attachment) }
    VolumeChange.begin(volume.id, in: world)
    return json(attachment, of: volume, now: request.now)
  }

  private func detachVolume(_ request: AWSRequest) throws(AWSError) -> JSON {
    let volume = try volume(request.input["VolumeId"].string)
    let wanted = request.input["InstanceId"].string
    guard let attachment = volume.attachments.first(where: { wanted == nil || $0.instance == wanted }) else {
      throw wanted == nil || volume.attachments.isEmpty
        ? .ec2("IncorrectState", "Volume '\(volume.id)' is in the 'available' state.")
        : .ec2(
          "InvalidAttachment.NotFound", "Volume '\(volume.id)' is not attached to instance '\(wanted ?? "")'.")
    }
    volumes.update(volume.id) { $0.attachments.removeAll { $0.instance == attachment.instance } }
    var value = json(attachment, of: volume, now: request.now)
    value["State"] = "detaching"
    return value
  }

  /// Lets go of what an instance held that is gone.
  func detachVolumes(of instance: String) {
    for volume in volumes.all {
      guard let attachment = volume.attachments.first(where: { $0.instance == instance }) else { continue }
      if attachment.deleteOnTermination {
        volumes[volume.id] = nil
      } else {
        volumes.update(volume.id) { $0.attachments.removeAll { $0.instance == instance } }
      }
    }
  }

  // MARK: - Changes

  private func modifyVolume(_ request: AWSRequest) throws(AWSError) -> JSON {
    let volume = try volume(request.input["VolumeId"].string)
    if let last = volume.modification, request.now - last.startedAt < .seconds(6 * 3600) {
      throw .ec2(
        "VolumeModificationRateExceeded",
        "You've reached the maximum modification rate per volume limit. Wait at least 6 hours between modifications per EBS volume."
      )
    }
    let size = request.input["Size"].int ?? volume.size
    guard size >= volume.size else {
      throw .ec2("InvalidParameterValue", "New size cannot be smaller than existing size")
    }
    let input = request.input
    volumes.update(volume.id) { row in
      row.modification = .init(
        originalSize: row.size, startedAt: request.now,
        endsAt: request.now + world.durations[.interfaceAttach])
      row.size = size
      row.type = input["VolumeType"].string ?? row.type
      row.iops = input["Iops"].int ?? row.iops
      row.throughput = input["Throughput"].int ?? row.throughput
    }
    VolumeChange.begin(volume.id, in: world)
    return ["VolumeModification": modification(of: volumes[volume.id]!, now: request.now)]
  }

  private func modification(of volume: Volume, now: Timestamp) -> JSON {
    guard let change = volume.modification else { return .null }
    let isDone = change.endsAt <= now
    return [
      "VolumeId": .string(volume.id), "ModificationState": isDone ? "completed" : "modifying",
      "OriginalSize": JSON(change.originalSize), "TargetSize": JSON(volume.size),
      "TargetVolumeType": .string(volume.type), "OriginalVolumeType": .string(volume.type),
      "TargetIops": JSON(volume.iops), "Progress": isDone ? 100 : 0, "StartTime": .time(change.startedAt),
      "EndTime": isDone ? .time(change.endsAt) : .null,
    ]
  }

  private func describeModifications(_ request: AWSRequest) throws(AWSError) -> JSON {
    let rows = volumes.all.map { modification(of: $0, now: request.now) }.filter { !$0.isNull }
    let what = Description(list: "VolumesModifications", ids: "VolumeIds", id: "VolumeId", kind: "volumeModification")
    return try describe(what, rows, request)
  }
}

/// A change of a volume that takes its time: its states follow from the clock, and this moves it.
struct VolumeChange: Component {
  static let kind = "ec2-volume"

  static func begin(_ volume: String, in world: World) {
    let id = ComponentID("\(kind)/\(volume)")
    world.stop(id)
    world.spawn(id, VolumeChange())
  }

  mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: context.wake("done", after: context.durations[.interfaceAttach])
    default: context.stop()
    }
  }
}
