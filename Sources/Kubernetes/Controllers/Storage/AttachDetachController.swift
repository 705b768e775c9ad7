import Mechanisms
import Wire
package import World

/// Asks for volumes of CSI drivers to be attached to the nodes whose pods use them, and to be let go after.
///
/// Source: kubernetes `pkg/controller/volume/attachdetach`.
package struct AttachDetachController: Reconciler {
  package static let name = "attachdetach-controller"
  package static let resources = [
    "pods", "persistentvolumeclaims", "persistentvolumes", "volumeattachments.storage.k8s.io",
    "csidrivers.storage.k8s.io",
  ]

  private static let resource = "volumeattachments.storage.k8s.io"
  /// How long a driver has to attach a volume before that counts as failed.
  private static let patience: Duration = .seconds(120)

  /// Attachments whose success was told, by name.
  private var told: [String] = []
  /// Since when attachments to nodes that do not answer are to go, by name.
  private var unanswered: [String: Timestamp]?
  /// How long a node is given to unmount a volume before it is taken from it all the same.
  private static let unmountPatience: Duration = .seconds(360)

  package init() {}

  /// Keys are names of persistent volumes.
  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    switch reference.resource {
    case "persistentvolumes": return [reference.name]
    case "persistentvolumeclaims":
      let claim = desk.get("persistentvolumeclaims", reference.namespace, reference.name)
      return [claim?.spec["volumeName"].string].compactMap { $0 }
    case "pods":
      guard let pod = desk.get("pods", reference.namespace, reference.name) else {
        // Whichever it used: those that are attached.
        return desk.list(Self.resource).compactMap { $0.spec["source"]["persistentVolumeName"].string }.unique
      }
      guard !pod.nodeName.isEmpty else { return [] }
      return PodVolumes.claims(of: pod.json).compactMap { use in
        desk.get("persistentvolumeclaims", pod.namespace, use.claim)?.spec["volumeName"].string
      }
    case Self.resource:
      if let there = desk.get(Self.resource, "", reference.name) {
        return [there.spec["source"]["persistentVolumeName"].string].compactMap { $0 }
      }
      return desk.list("persistentvolumes").filter { !$0.spec["csi"].isNull }.map(\.name)
    default: return desk.list("persistentvolumes").filter { !$0.spec["csi"].isNull }.map(\.name)
    }
  }

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    let attached = desk.list(Self.resource).filter { $0.spec["source"]["persistentVolumeName"].string == key }
    guard let volume = desk.get("persistentvolumes", "", key), let claim = volume.spec["claimRef"].object else {
      for attachment in attached where !attachment.isTerminating { desk.delete(Self.resource, attachment) }
      return
    }
    let offer = VolumeOffer(volume: volume.json)
    guard !offer.driver.isEmpty, isAttachable(offer.driver, desk) else { return }
    let users = users(of: JSON.object(claim), desk)
    let nodes = users.map(\.nodeName).unique
    for attachment in attached where !nodes.contains(attachment.spec["nodeName"].string ?? "") {
      guard mayDetach(attachment, &desk) else { continue }
      told.removeAll { $0 == attachment.name }
      if !attachment.isTerminating { desk.delete(Self.resource, attachment) }
    }
    let holders = attached.map { $0.spec["nodeName"].string ?? "" }
    let takers = users.map { VolumeAttach.User(pod: $0.name, node: $0.nodeName) }
    for node in nodes {
      let here = users.filter { $0.nodeName == node }
      if let attachment = attached.first(where: { $0.spec["nodeName"].string == node }) {
        tell(attachment, offer, here, &desk)
        continue
      }
      let verdict = VolumeAttach.decide(
        .init(node: node, volume: .known(offer), attached: .known(holders), users: .known(takers)))
      if let reason = verdict.reasons.last {
        for pod in here { desk.warn(pod, "FailedAttachVolume", reason.text) }
        continue
      }
      attach(offer, node, &desk)
      desk.again(after: Self.patience, .background)
    }
  }

  /// Whether a volume may be taken from a node: at once when it has unmounted it, which a node that is Ready does as
  /// soon as its pod is gone; after six minutes from one that does not answer.
  private mutating func mayDetach(_ attachment: ObjectView, _ desk: inout Desk) -> Bool {
    let name = attachment.name
    let node = desk.get("nodes", "", attachment.spec["nodeName"].string ?? "")
    let isOut = node?.spec["taints"].items.contains { $0["key"].string == "node.kubernetes.io/out-of-service" } ?? true
    guard let node, !isOut, !node.isConditionTrue("Ready"), !attachment.isTerminating else {
      unanswered?[name] = nil
      if unanswered?.isEmpty == true { unanswered = nil }
      return true
    }
    let since = unanswered?[name] ?? desk.now
    let left = since + Self.unmountPatience - desk.now
    guard left > .zero else {
      unanswered?[name] = nil
      return true
    }
    unanswered = unanswered ?? [:]
    unanswered![name] = since
    desk.again(after: left, .background)
    return false
  }

  /// Pods on nodes that use the claim, those first that came first.
  private func users(of claim: JSON, _ desk: Desk) -> [ObjectView] {
    desk.list("pods", claim["namespace"].string ?? "").filter { pod in
      !pod.nodeName.isEmpty && !pod.isPodFinished
        && PodVolumes.claims(of: pod.json).contains { $0.claim == claim["name"].string }
    }.sorted { ($0.createdAt, $0.name) < ($1.createdAt, $1.name) }
  }

  private func isAttachable(_ driver: String, _ desk: Desk) -> Bool {
    desk.get("csidrivers.storage.k8s.io", "", driver)?.spec["attachRequired"].bool ?? true
  }

  private func attach(_ volume: VolumeOffer, _ node: String, _ desk: inout Desk) {
    desk.create(
      Self.resource, "",
      [
        "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment",
        "metadata": ["name": .string(Self.name(of: volume, node))],
        "spec": [
          "attacher": .string(volume.driver), "nodeName": .string(node),
          "source": ["persistentVolumeName": .string(volume.name)],
        ],
      ])
  }

  /// The name follows from volume, driver and node.
  private static func name(of volume: VolumeOffer, _ node: String) -> String {
    var digits = RandomStream(seed: 0, entity: "attachment/\(volume.handle)\(volume.driver)\(node)")
    return "csi-" + digits.hex(64)
  }

  private mutating func tell(_ attachment: ObjectView, _ volume: VolumeOffer, _ pods: [ObjectView], _ desk: inout Desk)
  {
    if attachment.status["attached"].bool == true {
      guard !told.contains(attachment.name) else { return }
      told.append(attachment.name)
      for pod in pods {
        desk.event(pod, "SuccessfulAttachVolume", "AttachVolume.Attach succeeded for volume \"\(volume.name)\" ")
      }
      return
    }
    var why = attachment.status["attachError"]["message"].string
    if why == nil {
      let since = desk.now - attachment.createdAt
      guard since >= Self.patience else { return desk.again(after: Self.patience - since, .background) }
      why = "timed out waiting for external-attacher of \(volume.driver) CSI driver to attach volume \(volume.handle)"
    }
    for pod in pods {
      desk.warn(
        pod, "FailedAttachVolume", "AttachVolume.Attach failed for volume \"\(volume.name)\" : \(why ?? "")")
    }
    desk.again(after: Self.patience, .background)
  }
}

extension Array where Element: Hashable {
  /// Each once, in the order of their first place.
  var unique: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
