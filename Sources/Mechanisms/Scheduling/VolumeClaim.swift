package import Wire

/// What a PersistentVolumeClaim asks for.
package struct VolumeClaim: Sendable, Equatable {
  package var namespace = ""
  package var name = ""
  package var uid = ""
  /// Empty for no class.
  package var className = ""
  /// Whether the class was left open, so that a default may be taken.
  package var isClassOpen = false
  package var accessModes: [String] = []
  package var mode = "Filesystem"
  /// Bytes.
  package var requested: Int64 = 0
  /// Nil takes any labels.
  package var selector: LabelSelector?
  package var volumeName = ""
  /// Whether the binding is complete.
  package var isBound = false
  package var isTerminating = false
  package var phase = ""
  /// The node that the scheduler has chosen for the pod that waits for it; empty before.
  package var selectedNode = ""

  package init() {}

  package init(claim: JSON) {
    let metadata = claim["metadata"]
    let spec = claim["spec"]
    namespace = metadata["namespace"].string ?? ""
    name = metadata["name"].string ?? ""
    uid = metadata["uid"].string ?? ""
    let old = metadata["annotations"]["volume.beta.kubernetes.io/storage-class"].string
    className = old ?? spec["storageClassName"].string ?? ""
    isClassOpen = old == nil && spec["storageClassName"].isNull
    accessModes = spec["accessModes"].strings
    mode = spec["volumeMode"].string ?? "Filesystem"
    requested = VolumeOffer.bytes(spec["resources"]["requests"]["storage"])
    if spec["selector"].object != nil { selector = (try? LabelSelector(labelSelector: spec["selector"])) ?? .nothing }
    volumeName = spec["volumeName"].string ?? ""
    isBound = !metadata["annotations"]["pv.kubernetes.io/bind-completed"].isNull
    isTerminating = !metadata["deletionTimestamp"].isNull
    phase = claim["status"]["phase"].string ?? ""
    selectedNode = metadata["annotations"]["volume.kubernetes.io/selected-node"].string ?? ""
  }
}

/// What a PersistentVolume is.
package struct VolumeOffer: Sendable, Equatable {
  /// The claim it is for.
  package struct Claim: Sendable, Equatable {
    package var namespace: String
    package var name: String
    /// Empty while it is only set aside for a claim of that name.
    package var uid: String

    package init(namespace: String, name: String, uid: String = "") {
      self.namespace = namespace
      self.name = name
      self.uid = uid
    }
  }

  package var name = ""
  package var labels: [String: String] = [:]
  package var className = ""
  package var accessModes: [String] = []
  package var mode = "Filesystem"
  /// Bytes.
  package var capacity: Int64 = 0
  package var phase = "Available"
  package var isTerminating = false
  package var claim: Claim?
  /// One term is enough; nil for every node.
  package var nodeTerms: [NodeTerm]?
  /// Name of its CSI driver; empty for others.
  package var driver = ""
  /// What its driver calls it.
  package var handle = ""

  package init() {}

  package init(volume: JSON) {
    let metadata = volume["metadata"]
    let spec = volume["spec"]
    name = metadata["name"].string ?? ""
    labels = metadata["labels"].stringMap
    className =
      metadata["annotations"]["volume.beta.kubernetes.io/storage-class"].string ?? spec["storageClassName"].string ?? ""
    accessModes = spec["accessModes"].strings
    mode = spec["volumeMode"].string ?? "Filesystem"
    capacity = Self.bytes(spec["capacity"]["storage"])
    phase = volume["status"]["phase"].string ?? "Pending"
    isTerminating = !metadata["deletionTimestamp"].isNull
    let reference = spec["claimRef"]
    if reference.object != nil {
      claim = Claim(
        namespace: reference["namespace"].string ?? "", name: reference["name"].string ?? "",
        uid: reference["uid"].string ?? "")
    }
    let required = spec["nodeAffinity"]["required"]
    if required.object != nil { nodeTerms = required["nodeSelectorTerms"].items.map(NodeTerm.init(json:)) }
    driver = spec["csi"]["driver"].string ?? ""
    handle = spec["csi"]["volumeHandle"].string ?? ""
  }

  /// Bytes of a quantity, rounded up.
  package static func bytes(_ json: JSON) -> Int64 {
    guard let quantity = Quantity(json.string ?? json.int.map { String($0) } ?? "") else { return 0 }
    return Int64(clamping: (quantity.nano + 999_999_999) / 1_000_000_000)
  }

  package func isReached(from node: NodeOffer) -> Bool { nodeTerms.map { $0.contains { $0.matches(node) } } ?? true }

  /// Whether it is set aside for the claim or bound to it.
  package func isFor(_ other: VolumeClaim) -> Bool {
    guard let claim else { return false }
    return claim.name == other.name && claim.namespace == other.namespace
      && (claim.uid.isEmpty || claim.uid == other.uid)
  }
}
