import Evidence
import Mechanisms
import Wire

/// A pod has its node, and its kubelet waits for a volume.
struct VolumesNotSetUp: Link {
  let code = "storage/volumes-not-set-up"
  let explains: [Effect.Kind] = [.podNotStarted]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let uses = PodVolumes.claims(of: pod)
    guard !uses.isEmpty, let node = pod["spec"]["nodeName"].string else { return .silent }
    var gaps: [Gap] = []
    var fine: [Exhibit] = []
    for use in uses {
      let reading = await SetUpReading.read(use, pod, node, world)
      let verdict = VolumeSetUp.decide(reading.facts)
      switch verdict.outcome {
      case .open(let more): gaps += more
      case .yes: fine.append(ClaimRoots.pod(pod, claim: use.claim, world))
      case .no:
        guard let reason = verdict.reasons.last else { continue }
        return await holds(reason, use, reading, pod, effect, world)
      }
    }
    if !gaps.isEmpty { return .open(gaps) }
    return .refuted("its volumes are attached, and their drivers are on its node", fine)
  }

  private func holds(
    _ reason: Because, _ use: PodVolumes.Use, _ reading: SetUpReading, _ pod: JSON, _ effect: Effect,
    _ world: Investigation
  ) async -> Finding {
    let claim = Entity("PersistentVolumeClaim", use.claim, namespace: effect.entity.namespace)
    let volume = reading.facts.volume.value.flatMap { $0 }
    let node = reading.node
    let events = await world.events(about: pod, kind: "Pod").events
    let told = events.first { $0.reason == "FailedMount" || $0.reason == "FailedAttachVolume" }
    let evidence =
      [ClaimRoots.pod(pod, claim: use.claim, world)] + (told.map { [$0.exhibit(now: world.now)] } ?? [])
    func holds(_ statement: String, _ causes: [Explanation.Cause], _ root: RootCause? = nil) -> Finding {
      .holds(
        Explanation(
          statement, entity: effect.entity, evidence: evidence, causes: causes, root: root, lastSymptomAt: told?.last))
    }
    let opening = "its kubelet waits for volume \(use.volume), of claim \(use.claim)"
    switch reason.code {
    case VolumeSetUp.claimMissing:
      return holds(
        "\(opening), which doesn't exist", [], await ClaimRoots.missing(claim, of: effect.entity, evidence, world))
    case VolumeSetUp.claimTerminating:
      return holds("\(opening), which is being deleted", [.init(Effect(.claimTerminating, claim))])
    case VolumeSetUp.claimUnbound: return holds("\(opening), which isn't bound", [.init(Effect(.claimUnbound, claim))])
    case VolumeSetUp.notAttached:
      let name = volume?.name ?? ""
      return holds(
        "\(opening): \(name) isn't attached to \(node)",
        [.init(Effect(.volumeNotAttached, effect.entity, detail: name))])
    case VolumeSetUp.notRegistered:
      let driver = volume?.driver ?? ""
      return holds(
        "\(opening): its node has no driver \(driver)",
        [.init(Effect(.driverNotOnNode, Entity("Node", node), detail: driver))])
    case VolumeSetUp.otherPlace:
      return holds(
        "\(opening), which its node can't reach", [],
        RootCause(
          "storage/volume-elsewhere", layer: .kubernetes, entity: effect.entity,
          statement:
            "volume \(volume?.name ?? "") is not for node \(node), and the pod was put there past the scheduler",
          evidence: evidence,
          fixes: [
            Fix(
              "take spec.nodeName out of what makes the pod, or name a node in the volume's zone", owner: "unknown",
              touches: [effect.entity.title], restarts: true)
          ]))
    default: return holds(opening, [], ClaimRoots.lost(claim, of: effect.entity, reason.text, evidence, world))
    }
  }
}

/// What the kubelet's decision about one volume needs.
struct SetUpReading: Sendable {
  var node: String
  var facts: VolumeSetUp.Facts

  static func read(_ use: PodVolumes.Use, _ pod: JSON, _ node: String, _ world: Investigation) async -> SetUpReading {
    let namespace = pod["metadata"]["namespace"].string ?? ""
    func cite(_ found: Investigation.Found, _ what: String) -> Citation {
      Citation(source: "kubernetes", locator: what, at: found.at)
    }
    let claimRead = await world.object(.persistentVolumeClaims, namespace: namespace, name: use.claim)
    let claim = claimRead.fact(cite(claimRead, "persistentvolumeclaims/\(namespace)/\(use.claim)")).map {
      $0.first.map { VolumeClaim(claim: $0) }
    }
    let name = claim.value.flatMap { $0 }?.volumeName ?? ""
    var volume: Fact<VolumeOffer?> = claim.map { _ in nil }
    if !name.isEmpty {
      let read = await world.object(.persistentVolumes, name: name)
      volume = read.fact(cite(read, "persistentvolumes/\(name)")).map { $0.first.map { VolumeOffer(volume: $0) } }
    }
    let driver = volume.value.flatMap { $0 }?.driver ?? ""
    let nodeRead = await world.node(node)
    let offer: Fact<NodeOffer> =
      nodeRead.first.map { .known(NodeOffer(node: $0), .read(cite(nodeRead, "nodes/\(node)"))) }
      ?? .unknown(nodeRead.gap ?? Gap(read: "kubernetes:get nodes/\(node)", why: "there is no such node"))
    let drivers = await world.list(.csiDrivers)
    let attachments = await world.list(.volumeAttachments)
    let plugins = await world.list(.csiNodes)
    return SetUpReading(
      node: node,
      facts: .init(
        namespace: namespace, use: use, claim: claim, volume: volume, node: offer,
        needsAttaching: drivers.fact(cite(drivers, "csidrivers.storage.k8s.io")).map { found in
          found.first { $0["metadata"]["name"].string == driver }?["spec"]["attachRequired"].bool ?? true
        },
        isAttached: attachments.fact(cite(attachments, "volumeattachments.storage.k8s.io")).map { found in
          found.contains {
            $0["spec"]["source"]["persistentVolumeName"].string == name && $0["spec"]["nodeName"].string == node
              && $0["status"]["attached"].bool == true
          }
        },
        isRegistered: plugins.fact(cite(plugins, "csinodes.storage.k8s.io")).map { found in
          found.first { $0["metadata"]["name"].string == node }?["spec"]["drivers"].items
            .contains { $0["name"].string == driver } == true
        }))
  }
}

/// A volume for one node at a time is on another one.
struct UsedOnAnotherNode: Link {
  let code = "storage/used-on-another-node"
  let explains: [Effect.Kind] = [.volumeNotAttached]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let node = pod["spec"]["nodeName"].string ?? ""
    let volumeRead = await world.object(.persistentVolumes, name: effect.detail)
    guard let volume = volumeRead.first else { return volumeRead.gap.map { .open([$0]) } ?? .silent }
    let offer = VolumeOffer(volume: volume)
    let attachments = await world.list(.volumeAttachments)
    let pods = await world.list(.pods, namespace: effect.entity.namespace)
    if let gap = attachments.gap ?? pods.gap { return .open([gap]) }
    let own = attachments.items.filter { $0["spec"]["source"]["persistentVolumeName"].string == effect.detail }
    let holders = own.compactMap { $0["spec"]["nodeName"].string }
    let users = ClaimProtection.holders(of: offer.claim?.name ?? "", among: pods.items).filter {
      !PodState($0).isFinished
    }.sorted {
      ($0["metadata"]["creationTimestamp"].string ?? "", $0["metadata"]["name"].string ?? "")
        < ($1["metadata"]["creationTimestamp"].string ?? "", $1["metadata"]["name"].string ?? "")
    }
    let takers = users.map {
      VolumeAttach.User(pod: $0["metadata"]["name"].string ?? "", node: $0["spec"]["nodeName"].string ?? "")
    }
    let verdict = VolumeAttach.decide(
      .init(node: node, volume: .known(offer), attached: .known(holders), users: .known(takers)))
    let modes = offer.accessModes.joined(separator: ", ")
    let holder = holders.first { $0 != node } ?? takers.first { $0.node != node }?.node ?? ""
    let place =
      own.first { $0["spec"]["nodeName"].string == holder }.map {
        "k8s volumeattachments/\($0["metadata"]["name"].string?.prefix(16) ?? ""): \(effect.detail) on \(holder)"
      } ?? "k8s pods: \(holder) has the first pod that uses \(effect.detail)"
    let evidence = [
      Exhibit(
        Citation(
          source: "kubernetes", locator: "volumeattachments.storage.k8s.io", field: "spec.nodeName", value: holder,
          at: attachments.at), text: "\(place); access modes \(modes)")
    ]
    guard verdict.isNo else {
      return .refuted(
        holders.contains(node) ? "the volume is on no other node" : "it is attached nowhere, and this pod is the first",
        [Exhibit(evidence[0].citation, text: "k8s volumeattachments of \(effect.detail): \(Count.list(holders))")])
    }
    let others = takers.filter { $0.node != node }.map(\.pod)
    let nodeRead = await world.node(holder)
    if let gap = nodeRead.gap { return .open([gap]) }
    let isLost = nodeRead.first.map { !NodeState($0).isReady } ?? true
    let statement = "volume \(effect.detail) can be on one node at a time (\(modes)), and is on \(holder)"
    if isLost, nodeRead.first != nil {
      return .holds(
        Explanation(
          "\(statement), which isn't Ready: it is taken from there 6m after its pods are gone", entity: effect.entity,
          evidence: evidence, causes: [.init(Effect(.nodeNotReady, Entity("Node", holder)))]))
    }
    return .holds(
      Explanation(
        statement, entity: effect.entity, evidence: evidence,
        root: root(others, holder, offer, users, effect, evidence, world)))
  }

  private func root(
    _ others: [String], _ holder: String, _ volume: VolumeOffer, _ users: [JSON], _ effect: Effect,
    _ evidence: [Exhibit], _ world: Investigation
  ) -> RootCause {
    let namespace = effect.entity.namespace ?? "default"
    let verify = "ekswhy \(effect.entity.title) -n \(namespace)"
    let claim = volume.claim?.name ?? ""
    let first = users.first { others.contains($0["metadata"]["name"].string ?? "") }
    let owner = first?["metadata"]["ownerReferences"][0]["kind"].string
    var fixes: [Fix] = []
    if others.isEmpty {
      fixes.append(
        Fix(
          "wait until it is detached from \(holder): no pod uses it there any more", owner: "unknown",
          touches: ["persistentvolume/\(volume.name)"], verify: verify, expectWithin: "6m"))
    } else {
      fixes.append(
        Fix(
          "ends \(Count.list(others)) on \(holder), so that the volume comes here"
            + (owner == nil
              ? "" : "; its \(owner ?? "") makes another, and the two contend anew unless only one is wanted"),
          command: "\(world.target.kubectl) -n \(namespace) delete pod \(others.joined(separator: " "))", owner: "hand",
          touches: others.map { "pod/\($0)" }, restarts: true, verify: verify, expectWithin: "2m"))
      if owner == "ReplicaSet" {
        fixes.append(
          Fix(
            "give the Deployment strategy Recreate, or a StatefulSet's claim templates: a rolling update runs old and new pod at once",
            owner: "unknown", touches: ["persistentvolumeclaim/\(claim)"], verify: verify))
      }
    }
    return RootCause(
      code, layer: .application, entity: Entity("PersistentVolumeClaim", claim, namespace: namespace),
      statement: others.isEmpty
        ? "volume \(volume.name) is still attached to \(holder)"
        : "claim \(claim) is for one node at a time, and \(Count.list(others)) on \(holder) \(others.count == 1 ? "uses" : "use") it",
      evidence: evidence, fixes: fixes)
  }
}

/// EC2, or the driver, refuses to attach a volume.
struct AttachingRefused: Link {
  let code = "storage/attaching-refused"
  let explains: [Effect.Kind] = [.volumeNotAttached]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let node = pod["spec"]["nodeName"].string ?? ""
    let volumeRead = await world.object(.persistentVolumes, name: effect.detail)
    guard let volume = volumeRead.first else { return volumeRead.gap.map { .open([$0]) } ?? .silent }
    let driver = StorageDriver(VolumeOffer(volume: volume).driver)
    let attachments = await world.list(.volumeAttachments)
    if let gap = attachments.gap { return .open([gap]) }
    let own = attachments.items.first {
      $0["spec"]["source"]["persistentVolumeName"].string == effect.detail && $0["spec"]["nodeName"].string == node
    }
    // None is made while the volume is another node's.
    guard let own else { return .silent }
    let name = own["metadata"]["name"].string ?? ""
    let text = own["status"]["attachError"]["message"].string ?? ""
    let at = own["status"]["attachError"]["time"].time
    let evidence = [
      Exhibit(
        Cite.object(
          own, "VolumeAttachment", resource: .volumeAttachments, field: "status.attachError", value: text,
          at: at ?? attachments.at),
        text: "k8s volumeattachments/\(name.prefix(16)): attached \(own["status"]["attached"].bool == true)"
          + (text.isEmpty ? ", no attempt is told" : ", \"\(Ages.shortened(text, 240))\""))
    ]
    let statement = "volume \(effect.detail) is not attached to \(node)"
    if text.contains("does not contain driver") {
      return .holds(
        Explanation(
          "\(statement): the driver is not on that node", entity: effect.entity, evidence: evidence,
          causes: [.init(Effect(.driverNotOnNode, Entity("Node", node), detail: driver.name))], lastSymptomAt: at))
    }
    guard text.isEmpty else {
      return await AWSRefusal(text).finding(statement, driver, effect.entity, evidence, at, world)
    }
    return .holds(
      Explanation(
        "\(statement), and the driver's controller has not said why", entity: effect.entity, evidence: evidence,
        causes: [.init(Effect(.driverSilent, Entity("CSIDriver", driver.name)))]))
  }
}
