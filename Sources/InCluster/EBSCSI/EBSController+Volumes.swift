import Mechanisms
import Wire
import World

/// Volumes made for claims and removed after them.
extension EBSController {
  static let finalizer = "external-provisioner.volume.kubernetes.io/finalizer"
  private static let provisionedBy = "pv.kubernetes.io/provisioned-by"

  private func storageClass(_ claim: ObjectView, _ context: Context) -> ObjectView? {
    let name = VolumeClaim(claim: claim.json).className
    return read("storageclasses.storage.k8s.io", name, context)
  }

  // MARK: - Provisioning

  mutating func provision(_ claim: ObjectView, _ key: String, _ context: Context) {
    let asked = claim.annotations["volume.kubernetes.io/storage-provisioner"].string
    guard asked == Self.driver, claim.spec["volumeName"].isNull, !claim.isTerminating,
      let storage = storageClass(claim, context), read("persistentvolumes", Self.name(for: claim), context) == nil
    else { return }
    let waits = storage["volumeBindingMode"].string == "WaitForFirstConsumer"
    let node = claim.annotations["volume.kubernetes.io/selected-node"].string
    guard !waits || node != nil else { return }
    event(
      claim, context, "Provisioning", "External provisioner is provisioning volume for claim \"\(claim.key)\"")
    guard let zone = zone(node, storage, context) else {
      failProvisioning(
        claim, storage, key,
        "error generating accessibility requirements: no topology key found on CSINode \(node ?? "")", context)
      return
    }
    ec2("create", "CreateVolume", volumeInput(claim, storage, zone: zone), key, context)
  }

  static func name(for claim: ObjectView) -> String { "pvc-\(claim.uid)" }

  /// The zone to make the volume in; nil where the node's driver has not said one.
  private func zone(_ node: String?, _ storage: ObjectView, _ context: Context) -> String? {
    if let node {
      let keys = read("csinodes.storage.k8s.io", node, context)?.spec["drivers"].items
        .first { $0["name"].string == Self.driver }?["topologyKeys"].strings
      guard keys?.isEmpty == false else { return nil }
      return read("nodes", node, context)?.labels["topology.kubernetes.io/zone"].string
    }
    let allowed = storage["allowedTopologies"].items.flatMap { $0["matchLabelExpressions"].items }
      .first { ($0["key"].string ?? "").hasSuffix("/zone") }?["values"].strings
    let nodes = context.world.kube.host?.list(cluster: launch.cluster, resource: "nodes", namespace: "") ?? []
    let zones = Set(nodes.compactMap { $0["metadata"]["labels"]["topology.kubernetes.io/zone"].string }).sorted()
    return allowed?.first ?? zones.first
  }

  private func gibibytes(_ claim: ObjectView) -> Int {
    let bytes = VolumeClaim(claim: claim.json).requested
    return max(1, Int((bytes + (1 << 30) - 1) >> 30))
  }

  private func volumeInput(_ claim: ObjectView, _ storage: ObjectView, zone: String) -> JSON {
    let parameters = storage["parameters"]
    let type = parameters["type"].string ?? "gp3"
    let name = Self.name(for: claim)
    var tags = [
      ("CSIVolumeName", name), ("ebs.csi.aws.com/cluster", "true"),
      ("kubernetes.io/created-for/pv/name", name), ("kubernetes.io/created-for/pvc/name", claim.name),
      ("kubernetes.io/created-for/pvc/namespace", claim.namespace),
    ]
    if let cluster = flag("k8s-tag-cluster-id") {
      tags += [
        ("KubernetesCluster", cluster), ("kubernetes.io/cluster/\(cluster)", "owned"),
        ("Name", "\(cluster)-dynamic-\(name)"),
      ]
    }
    for field in parameters.fields where field.key.hasPrefix("tagSpecification_") {
      let parts = (field.value.string ?? "").split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2 { tags.append((parts[0], parts[1])) }
    }
    return [
      "AvailabilityZone": .string(zone), "ClientToken": .string(name), "Size": JSON(gibibytes(claim)),
      "VolumeType": .string(type), "Encrypted": parameters["encrypted"].string == "true" ? true : .null,
      "KmsKeyId": parameters["kmsKeyId"], "Iops": JSON(parameters["iops"].string.flatMap { Int($0) }),
      "Throughput": JSON(parameters["throughput"].string.flatMap { Int($0) }),
      "TagSpecifications": [
        [
          "ResourceType": "volume",
          "Tags": .array(tags.map { ["Key": .string($0.0), "Value": .string($0.1)] }),
        ]
      ],
    ]
  }

  private mutating func failProvisioning(
    _ claim: ObjectView, _ storage: ObjectView, _ key: String, _ why: String, _ context: Context
  ) {
    event(
      claim, context, type: "Warning", "ProvisioningFailed",
      "failed to provision volume with StorageClass \"\(storage.name)\": \(why)")
    again(key, context)
  }

  /// Goes on when the volume is there for good.
  private mutating func followUp(_ output: JSON, _ key: String, _ context: Context) {
    busy.insert(key)
    if output["State"].string == "available" { return made(output, key, context) }
    context.wake(
      "\(Self.awaits)\(output["VolumeId"].string ?? "") \(key)", after: context.durations[.interfaceAttach])
  }

  mutating func lookAtNew(_ timer: String, _ context: Context) {
    let parts = timer.split(separator: " ", maxSplits: 2).map(String.init)
    guard parts.count == 3 else { return }
    ec2("made", "DescribeVolumes", ["VolumeIds": [.string(parts[1])]], parts[2], context)
  }

  private mutating func made(_ output: JSON, _ key: String, _ context: Context) {
    guard let claim = object(key, context), let storage = storageClass(claim, context) else { return done(key) }
    let name = Self.name(for: claim)
    let parameters = storage["parameters"]
    let type = parameters["csi.storage.k8s.io/fstype"].string ?? parameters["fsType"].string ?? "ext4"
    let isBlock = claim.spec["volumeMode"].string == "Block"
    send("volume", key, context) { client in
      client.create(
        "persistentvolumes", "",
        [
          "apiVersion": "v1", "kind": "PersistentVolume",
          "metadata": [
            "name": .string(name), "finalizers": [.string(Self.finalizer)],
            "annotations": [
              "pv.kubernetes.io/provisioned-by": .string(Self.driver),
              "volume.kubernetes.io/provisioner-deletion-secret-name": "",
              "volume.kubernetes.io/provisioner-deletion-secret-namespace": "",
            ],
          ],
          "spec": [
            "accessModes": claim.spec["accessModes"],
            "capacity": ["storage": .string("\(output["Size"].int ?? 1)Gi")],
            "claimRef": [
              "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": .string(claim.name),
              "namespace": .string(claim.namespace), "uid": .string(claim.uid),
              "resourceVersion": .string(claim.resourceVersion),
            ],
            "csi": [
              "driver": .string(Self.driver), "volumeHandle": output["VolumeId"],
              "fsType": isBlock ? .null : .string(type),
              "volumeAttributes": [
                "storage.kubernetes.io/csiProvisionerIdentity":
                  .string("\(context.now.microseconds / 1000)-\(abs(claim.uid.hashCode) % 10_000)-\(Self.driver)")
              ],
            ],
            "nodeAffinity": [
              "required": [
                "nodeSelectorTerms": [
                  [
                    "matchExpressions": [
                      [
                        "key": "topology.kubernetes.io/zone", "operator": "In",
                        "values": [output["AvailabilityZone"]],
                      ]
                    ]
                  ]
                ]
              ]
            ],
            "persistentVolumeReclaimPolicy": .string(storage["reclaimPolicy"].string ?? "Delete"),
            "storageClassName": .string(storage.name), "mountOptions": storage["mountOptions"],
            "volumeMode": .string(isBlock ? "Block" : "Filesystem"),
          ],
        ])
    }
  }

  // MARK: - Removal

  mutating func remove(_ volume: ObjectView, _ key: String, _ context: Context) {
    guard volume.spec["csi"]["driver"].string == Self.driver,
      volume.annotations[Self.provisionedBy].string == Self.driver,
      volume.status["phase"].string == "Released", volume.spec["persistentVolumeReclaimPolicy"].string == "Delete",
      volume.finalizers.contains(Self.finalizer)
    else { return }
    let attachment = context.world.kube.host?.list(
      cluster: launch.cluster, resource: "volumeattachments.storage.k8s.io", namespace: ""
    ).first { $0["spec"]["source"]["persistentVolumeName"].string == volume.name }
    if let node = attachment?["spec"]["nodeName"].string {
      event(
        volume, context, type: "Warning", "VolumeFailedDelete",
        "persistentvolume \(volume.name) is still attached to node \(node)")
      again(key, context)
      return
    }
    ec2("delete", "DeleteVolume", ["VolumeId": volume.spec["csi"]["volumeHandle"]], key, context)
  }

  private mutating func removed(_ key: String, _ context: Context) {
    guard let volume = object(key, context) else { return done(key) }
    let rest = volume.finalizers.filter { $0 != Self.finalizer }
    send("unheld", key, context) {
      $0.patch(
        "persistentvolumes", "", volume.name, ["metadata": ["finalizers": JSON(rest)]], .merge)
    }
  }

  // MARK: - Growth

  /// Makes a volume larger whose claim asks for more than it has.
  mutating func resize(_ claim: ObjectView, _ key: String, _ context: Context) {
    guard !busy.contains(key), claim.status["phase"].string == "Bound",
      let volume = claim.spec["volumeName"].string.flatMap({ read("persistentvolumes", $0, context) }),
      volume.spec["csi"]["driver"].string == Self.driver,
      VolumeOffer(volume: volume.json).capacity < VolumeClaim(claim: claim.json).requested
    else { return }
    event(claim, context, "Resizing", "External resizer is resizing volume \(volume.name)")
    ec2(
      "modify", "ModifyVolume",
      ["VolumeId": volume.spec["csi"]["volumeHandle"], "Size": JSON(gibibytes(claim))], key, context)
  }

  private mutating func grown(_ key: String, _ context: Context) {
    guard let claim = object(key, context), let volume = claim.spec["volumeName"].string else { return done(key) }
    let size = gibibytes(claim)
    send("grown", key, context) {
      $0.patch(
        "persistentvolumes", "", volume, ["spec": ["capacity": ["storage": .string("\(size)Gi")]]], .merge)
    }
  }

  /// The volume is larger; its file system is grown by the kubelet of the node that has it mounted.
  private mutating func tellGrown(_ key: String, _ context: Context) {
    guard let claim = object(key, context) else { return done(key) }
    event(claim, context, "FileSystemResizeRequired", "Require file system resize of volume on node")
    send("told", key, context) {
      $0.patch(
        "persistentvolumeclaims", claim.namespace, claim.name,
        [
          "status": [
            "conditions": [
              [
                "type": "FileSystemResizePending", "status": "True", "lastTransitionTime": context.now.json,
                "lastProbeTime": .null,
                "message": "Waiting for user to (re-)start a pod to finish file system resize of volume on node.",
              ]
            ]
          ]
        ], .merge, subresource: "status")
    }
  }

  // MARK: - Answers

  mutating func kubeAnswered(_ tag: String, _ key: String, _ reply: KubeReply, _ context: Context) {
    let isDone = reply.isSuccess || reply.status == 404
    switch tag {
    case "volume":
      guard reply.isSuccess || reply.reason == "AlreadyExists", let claim = object(key, context) else {
        return again(key, context)
      }
      event(claim, context, "ProvisioningSucceeded", "Successfully provisioned volume \(Self.name(for: claim))")
      done(key)
    case "unheld" where isDone:
      guard let volume = object(key, context), !volume.isTerminating else { return done(key) }
      send("deleted", key, context) { $0.delete("persistentvolumes", "", volume.name) }
    case "grown" where isDone: tellGrown(key, context)
    case "deleted" where isDone, "told" where isDone: done(key)
    default: attachmentAnswered(tag, key, reply, context)
    }
  }

  mutating func ec2Answered(_ call: String, _ key: String, _ reply: AWSReply, request: String, _ context: Context) {
    if let error = reply.error, !(call == "delete" && error.code == "InvalidVolume.NotFound"),
      !(call == "detach" && ["IncorrectState", "InvalidAttachment.NotFound"].contains(error.code))
    {
      ec2Failed(call, key, Self.text(error, request: request), code: error.code, context)
      return
    }
    let output = reply.output ?? .null
    switch call {
    case "create": followUp(output, key, context)
    case "made": followUp(output["Volumes"][0], key, context)
    case "delete": removed(key, context)
    case "modify": grown(key, context)
    default: attachmentAnswered(call, key, output, context)
    }
  }

  /// The call that an object comes down to as it is now, for what waited for credentials.
  func pendingCall(_ key: String, _ context: Context) -> String {
    guard let object = object(key, context) else { return "create" }
    switch key.prefix(while: { $0 != " " }) {
    case "persistentvolumeclaims": return object.spec["volumeName"].isNull ? "create" : "modify"
    case "persistentvolumes": return "delete"
    default: return object.isTerminating ? "detach" : "attach"
    }
  }

  mutating func ec2Failed(_ call: String, _ key: String, _ why: String, code: String, _ context: Context) {
    guard let object = object(key, context) else { return done(key) }
    switch call {
    case "create", "made":
      guard let storage = storageClass(object, context) else { return done(key) }
      let name = Self.name(for: object)
      say("E", "GRPC error: could not create volume in EC2: operation error EC2: CreateVolume, \(why)", context)
      failProvisioning(
        object, storage, key,
        "rpc error: code = Internal desc = Could not create volume \"\(name)\": could not create volume in EC2: operation error EC2: CreateVolume, \(why)",
        context)
    case "delete":
      let id = object.spec["csi"]["volumeHandle"].string ?? ""
      event(
        object, context, type: "Warning", "VolumeFailedDelete",
        "rpc error: code = Internal desc = Could not delete volume ID \"\(id)\": DeleteDisk could not delete volume: operation error EC2: DeleteVolume, \(why)"
      )
      again(key, context)
    case "modify":
      let volume = object.spec["volumeName"].string ?? ""
      let id = read("persistentvolumes", volume, context)?.spec["csi"]["volumeHandle"].string ?? ""
      event(
        object, context, type: "Warning", "VolumeResizeFailed",
        "resize volume \"\(volume)\" by resizer \"\(Self.driver)\" failed: rpc error: code = Internal desc = Could not resize volume \"\(id)\": could not modify volume \"\(id)\": operation error EC2: ModifyVolume, \(why)"
      )
      again(key, context)
    default: attachmentFailed(call, object, key, why, context)
    }
  }
}

extension String {
  /// A number that follows from its letters, the same in every process.
  fileprivate var hashCode: Int { utf8.reduce(7) { ($0 &* 31 &+ Int($1)) % 1_000_003 } }
}
