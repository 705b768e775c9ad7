import Evidence
import Mechanisms
import Wire

/// The storage objects of a cluster, as far as they were read.
struct StorageReading: Sendable {
  var claims: Investigation.Found
  var offers: Investigation.Found
  var classes: Investigation.Found
  var plugins: Investigation.Found
  var pods: Investigation.Found

  var gap: Gap? { claims.gap ?? offers.gap ?? classes.gap ?? plugins.gap ?? pods.gap }

  func named(_ name: String, in found: Investigation.Found, namespace: String? = nil) -> JSON? {
    found.items.first {
      $0["metadata"]["name"].string == name && (namespace == nil || $0["metadata"]["namespace"].string == namespace)
    }
  }
}

extension StorageReading: StorageView {
  func claim(_ namespace: String, _ name: String) -> JSON? { named(name, in: claims, namespace: namespace) }
  func volume(_ name: String) -> JSON? { named(name, in: offers) }
  func storageClass(_ name: String) -> JSON? { named(name, in: classes) }
  func volumes() -> [JSON] { offers.items }
  func csiNodes() -> [JSON] { plugins.items }

  func forEachPlaced(_ body: (_ node: String, _ pod: PlacedPod) -> Void) {
    for pod in pods.items.compactMap(PodPlacement.Bound.init(pod:)) { body(pod.node, pod.pod.placed) }
  }
}

extension Investigation {
  /// All that decides about volumes, by whole lists.
  func storage() async -> StorageReading {
    async let claims = list(.persistentVolumeClaims)
    async let offers = list(.persistentVolumes)
    async let classes = list(.storageClasses)
    async let plugins = list(.csiNodes)
    async let pods = list(.pods)
    return await StorageReading(claims: claims, offers: offers, classes: classes, plugins: plugins, pods: pods)
  }

  /// The storage of a pod as the scheduler sees it; empty for one that claims none.
  func storage(of pod: JSON) async -> Fact<PodStorage> {
    guard !PodVolumes.claims(of: pod).isEmpty else { return .known(PodStorage()) }
    let reading = await storage()
    if let gap = reading.gap { return .unknown(gap) }
    guard let storage = PodStorage.read(pod, reading) else { return .known(PodStorage()) }
    return .known(
      storage, .read(Citation(source: "kubernetes", locator: "persistentvolumeclaims", at: reading.claims.at)))
  }

  /// What the control plane does with a claim that is not bound.
  func binding(of claim: JSON) async -> Verdict<String, Because> {
    let wanted = VolumeClaim(claim: claim)
    let volumes = await list(.persistentVolumes)
    let classes = await list(.storageClasses)
    let at = Citation(
      source: "kubernetes", locator: "persistentvolumeclaims/\(wanted.namespace)/\(wanted.name)", field: "spec",
      at: now)
    let storage = classes.fact(Citation(source: "kubernetes", locator: "storageclasses.storage.k8s.io", at: classes.at))
      .map { found in
        found.first { $0["metadata"]["name"].string == wanted.className }.map { StorageClassOffer(storageClass: $0) }
      }
    return ClaimBinding.decide(
      .init(
        claim: .known(wanted, .read(at)), storageClass: storage,
        volumes: volumes.fact(Citation(source: "kubernetes", locator: "persistentvolumes", at: volumes.at)).map {
          $0.map { VolumeOffer(volume: $0) }
        }))
  }
}

/// The zones of the volumes that a pod's claims are bound to.
struct VolumeZones {
  static let label = "topology.kubernetes.io/zone"
  var names: [String] = []

  init(_ storage: PodStorage?) {
    var zones: Set<String> = []
    for volume in (storage?.claims ?? []).compactMap(\.volume) {
      for term in volume.nodeTerms ?? [] { zones.formUnion(VolumeZones.values(term)) }
      if let zone = volume.labels[VolumeZones.label] { zones.insert(zone) }
    }
    names = zones.sorted()
  }

  private static func values(_ term: NodeTerm) -> [String] {
    term.labels.filter { $0.op == "In" && $0.key.hasSuffix("/zone") }.flatMap(\.values)
  }
}

/// The workloads of a CSI driver: its controller and its node plugin.
struct StorageDriver: Sendable {
  static let ebs = "ebs.csi.aws.com"

  var name: String
  /// The EKS add-on that brings it; nil for drivers that EKS has none of.
  var addon: String?
  var controller: String?
  var nodePlugin: String?
  /// The managed policy that AWS has for its controller's role.
  var policy: String?

  init(_ name: String) {
    self.name = name
    switch name {
    case StorageDriver.ebs:
      policy = "AmazonEBSCSIDriverPolicy"
      (addon, controller, nodePlugin) = ("aws-ebs-csi-driver", "ebs-csi-controller", "ebs-csi-node")
    case "efs.csi.aws.com":
      policy = "AmazonEFSCSIDriverPolicy"
      (addon, controller, nodePlugin) = ("aws-efs-csi-driver", "efs-csi-controller", "efs-csi-node")
    case "s3.csi.aws.com": (addon, nodePlugin) = ("aws-mountpoint-s3-csi-driver", "s3-csi-node")
    case "fsx.csi.aws.com":
      policy = "AmazonFSxFullAccess"
      (addon, controller, nodePlugin) = ("aws-fsx-csi-driver", "fsx-csi-controller", "fsx-csi-node")
    default: break
    }
  }

  /// The pods of its controller, or those of its node plugin on one node.
  func pods(on node: String? = nil, _ world: Investigation) async -> Investigation.Found {
    let name = node == nil ? controller : nodePlugin
    let found = await world.list(.pods, namespace: "kube-system")
    guard let name else { return Investigation.Found(items: [], gap: found.gap, at: found.at) }
    let items = found.items.filter { pod in
      let isOwn =
        pod["metadata"]["labels"]["app"].string == name
        || (pod["metadata"]["name"].string ?? "").hasPrefix("\(name)-")
      return isOwn && (node == nil || pod["spec"]["nodeName"].string == node)
    }
    return Investigation.Found(items: items, gap: found.gap, at: found.at)
  }
}
