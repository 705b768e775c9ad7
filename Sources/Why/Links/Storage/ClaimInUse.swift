import Evidence
import Mechanisms
import Wire

/// A claim that is being deleted stays as long as a pod uses it.
struct ClaimInUse: Link {
  let code = "storage/claim-in-use"
  let explains: [Effect.Kind] = [.claimTerminating]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(
      .persistentVolumeClaims, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let claim = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let finalizers = claim["metadata"]["finalizers"].strings
    let since = claim["metadata"]["deletionTimestamp"].string ?? ""
    let evidence = [
      ClaimRoots.claim(
        claim, "metadata.finalizers", finalizers.joined(separator: ", "), found.at,
        "being deleted since \(since), finalizers \(Count.list(finalizers))")
    ]
    guard finalizers.contains(ClaimProtection.finalizer) else {
      guard let first = finalizers.first else { return .silent }
      return .holds(
        Explanation(
          "it is being deleted, and waits for whoever set the finalizer \(first)", entity: effect.entity,
          evidence: evidence,
          root: RootCause(
            "storage/claim-finalizer", layer: .application, entity: effect.entity,
            statement: "the finalizer \(first) was not taken off by whoever set it", evidence: evidence,
            fixes: [
              Fix(
                "have its controller take it off; by hand only once what it guards is cleaned up", owner: "unknown",
                touches: [effect.entity.title])
            ])))
    }
    let pods = await world.list(.pods, namespace: effect.entity.namespace)
    if let gap = pods.gap { return .open([gap]) }
    let holders = ClaimProtection.holders(of: effect.entity.name, among: pods.items)
    guard let first = holders.first else {
      return .refuted(
        "no pod on a node uses it any more; it goes by itself",
        [Exhibit(Citation(source: "kubernetes", locator: "pods", value: "none uses it", at: pods.at))])
    }
    let names = holders.map { $0["metadata"]["name"].string ?? "" }.sorted()
    let namespace = effect.entity.namespace ?? "default"
    let users = ClaimRoots.pod(first, claim: effect.entity.name, world)
    let owner = first["metadata"]["ownerReferences"][0]
    let fix =
      owner["kind"].string == nil
      ? Fix(
        "ends \(Count.of(names.count, "pod")) that use it; the claim, and with reclaim policy Delete its data, goes then",
        command: "\(world.target.kubectl) -n \(namespace) delete pod \(names.joined(separator: " "))", owner: "hand",
        touches: names.map { "pod/\($0)" }, restarts: true, verify: "ekswhy pvc/\(effect.entity.name) -n \(namespace)",
        expectWithin: "1m")
      : Fix(
        "scale \(owner["kind"].string?.lowercased() ?? "")/\(owner["name"].string ?? "") down, or take the claim out of its template; it would make the pods again",
        owner: "unknown", touches: names.map { "pod/\($0)" }, restarts: true,
        verify: "ekswhy pvc/\(effect.entity.name) -n \(namespace)")
    return .holds(
      Explanation(
        "it is being deleted, and \(Count.list(names)) on a node still \(names.count == 1 ? "uses" : "use") it",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          code, layer: .kubernetes, entity: effect.entity,
          statement:
            "a claim is not deleted from under a pod (\(ClaimProtection.finalizer)), and \(Count.list(names)) \(names.count == 1 ? "uses" : "use") it",
          evidence: evidence + [users], fixes: [fix])))
  }
}

/// A claim asks for more than its volume has.
struct ClaimNotGrown: Link {
  let code = "storage/claim-not-grown"
  let explains: [Effect.Kind] = [.claimTooSmall]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(
      .persistentVolumeClaims, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let claim = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let asked = claim["spec"]["resources"]["requests"]["storage"].string ?? ""
    let has = claim["status"]["capacity"]["storage"].string ?? ""
    let evidence = [
      ClaimRoots.claim(claim, "status.capacity.storage", has, found.at, "asks for \(asked), has \(has)")
    ]
    let read = await world.events(about: claim, kind: "PersistentVolumeClaim")
    if let gap = read.gap { return .open([gap]) }
    let isLarger = claim["status"]["conditions"].items.contains {
      $0["type"].string == "FileSystemResizePending" && $0["status"].string == "True"
    }
    if isLarger { return await fileSystem(claim, effect, evidence, world) }
    guard let event = read.events.first(where: { $0.reason == "VolumeResizeFailed" }) else {
      return .holds(
        Explanation(
          "its volume is to grow from \(has) to \(asked)", entity: effect.entity, evidence: evidence,
          causes: [
            .init(
              Effect(
                .driverSilent, Entity("CSIDriver", StorageDriver.ebs),
                detail: "\(effect.entity.namespace ?? "")/\(effect.entity.name)"))
          ]))
    }
    return await AWSRefusal(event.message).finding(
      "its volume can't be made larger", StorageDriver(StorageDriver.ebs), effect.entity,
      evidence + [event.exhibit(now: world.now)], event.last, world)
  }

  /// The volume is larger, its file system is grown when it is mounted.
  private func fileSystem(
    _ claim: JSON, _ effect: Effect, _ evidence: [Exhibit], _ world: Investigation
  ) async -> Finding {
    let pods = await world.list(.pods, namespace: effect.entity.namespace)
    if let gap = pods.gap { return .open([gap]) }
    let running = ClaimProtection.holders(of: effect.entity.name, among: pods.items)
    guard running.isEmpty else {
      return .holds(
        Explanation(
          "its volume is larger already; the kubelet grows the file system within a minute", entity: effect.entity,
          evidence: evidence))
    }
    return .holds(
      Explanation(
        "its volume is larger already, and its file system grows when a pod mounts it", entity: effect.entity,
        evidence: evidence,
        root: RootCause(
          "storage/file-system-waits", layer: .kubernetes, entity: effect.entity,
          statement: "the file system of a volume is grown on the node that mounts it, and no pod uses the claim",
          evidence: evidence,
          fixes: [
            Fix("start a pod that uses the claim", owner: "unknown", touches: [effect.entity.title], restarts: false)
          ])))
  }
}

/// A volume that no claim can get.
struct VolumeUnusable: Link {
  let code = "storage/volume-unusable"
  let explains: [Effect.Kind] = [.volumeUnusable]

  /// Takes the claim that is gone from a volume.
  static func free(_ name: String, _ world: Investigation) -> String {
    "\(world.target.kubectl) patch pv \(name) --type json -p '[{\"op\":\"remove\",\"path\":\"/spec/claimRef\"}]'"
  }

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.persistentVolumes, name: effect.entity.name)
    guard let volume = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let offer = VolumeOffer(volume: volume)
    let policy = volume["spec"]["persistentVolumeReclaimPolicy"].string ?? ""
    let holder = "\(offer.claim?.namespace ?? "")/\(offer.claim?.name ?? "")"
    let evidence = [
      Exhibit(
        Cite.object(
          volume, "PersistentVolume", resource: .persistentVolumes, field: "status.phase", value: offer.phase,
          at: found.at),
        text:
          "k8s persistentvolumes/\(offer.name): \(offer.phase), reclaim policy \(policy), claimRef \(holder)")
    ]
    let read = await world.events(about: volume, kind: "PersistentVolume")
    if let gap = read.gap { return .open([gap]) }
    if let event = read.events.first(where: { $0.reason == "VolumeFailedDelete" }) {
      return await AWSRefusal(event.message).finding(
        "it can't be deleted", StorageDriver(offer.driver), effect.entity,
        evidence + [event.exhibit(now: world.now)], event.last, world)
    }
    guard offer.phase == "Released", policy != "Delete" else { return .silent }
    return .holds(
      Explanation(
        "its claim \(holder) is gone, and its reclaim policy \(policy) keeps it as it is", entity: effect.entity,
        evidence: evidence,
        root: RootCause(
          "storage/volume-released", layer: .kubernetes, entity: effect.entity,
          statement:
            "volume \(offer.name) still belongs to claim \(holder), which is gone; it is kept so that nobody else gets its data",
          evidence: evidence,
          fixes: [
            Fix(
              "gives the volume free with the data that is on it; the next claim that suits it gets it",
              command: VolumeUnusable.free(offer.name, world), owner: "hand",
              touches: ["persistentvolume/\(offer.name)"], verify: "ekswhy pv/\(offer.name)", expectWithin: "1m")
          ])))
  }
}
