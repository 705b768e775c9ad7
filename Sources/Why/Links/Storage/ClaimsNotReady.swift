import Evidence
import Mechanisms
import Wire

/// A pod is put on no node while one of its claims is missing, unbound, lost or being deleted.
struct ClaimsNotReady: Link {
  let code = "storage/claims-not-ready"
  let explains: [Effect.Kind] = [.noNodeFits]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let storage = await world.storage(of: pod)
    if let gap = storage.gap { return .open([gap]) }
    guard let problem = storage.value?.problem else { return .silent }
    let claim = Entity("PersistentVolumeClaim", problem.claim, namespace: effect.entity.namespace)
    let evidence = [ClaimRoots.pod(pod, claim: problem.claim, world)]
    func holds(_ causes: [Explanation.Cause], _ root: RootCause? = nil) -> Finding {
      .holds(
        Explanation(
          "the scheduler looks at no node before its claims are ready: \(problem.text)", entity: effect.entity,
          evidence: evidence, causes: causes, root: root))
    }
    switch problem.kind {
    case .unbound: return holds([.init(Effect(.claimUnbound, claim))])
    case .terminating: return holds([.init(Effect(.claimTerminating, claim))])
    case .missing: return holds([], await ClaimRoots.missing(claim, of: effect.entity, evidence, world))
    case .lost: return holds([], ClaimRoots.lost(claim, of: effect.entity, problem.text, evidence, world))
    }
  }
}

/// A pod has a node chosen for it, and waits until the volume of its claim is made there.
struct VolumeBeingMade: Link {
  let code = "storage/volume-being-made"
  let explains: [Effect.Kind] = [.podUnschedulable]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let names = PodVolumes.claims(of: pod).map(\.claim)
    guard !names.isEmpty else { return .silent }
    let claims = await world.list(.persistentVolumeClaims)
    if let gap = claims.gap { return .open([gap]) }
    let waiting = claims.items.filter {
      $0["metadata"]["namespace"].string == effect.entity.namespace
        && names.contains($0["metadata"]["name"].string ?? "")
    }.map { VolumeClaim(claim: $0) }.filter { !$0.isBound && !$0.selectedNode.isEmpty }
    guard let first = waiting.first else { return .silent }
    return .holds(
      Explanation(
        "the scheduler chose \(first.selectedNode) for it, and binds it there when the volume of claim \(first.name) is made",
        entity: effect.entity,
        evidence: waiting.map { claim in
          Exhibit(
            Citation(
              source: "kubernetes", locator: "persistentvolumeclaims/\(claim.namespace)/\(claim.name)",
              field: "metadata.annotations[volume.kubernetes.io/selected-node]", value: claim.selectedNode,
              at: claims.at),
            text:
              "k8s persistentvolumeclaims/\(claim.namespace)/\(claim.name): selected-node \(claim.selectedNode), not bound"
          )
        },
        causes: waiting.map {
          .init(Effect(.claimUnbound, Entity("PersistentVolumeClaim", $0.name, namespace: $0.namespace)))
        }))
  }
}

/// Roots that are plain from the state of a claim alone.
enum ClaimRoots {
  static func pod(_ pod: JSON, claim: String, _ world: Investigation) -> Exhibit {
    let metadata = pod["metadata"]
    let name = "pods/\(metadata["namespace"].string ?? "")/\(metadata["name"].string ?? "")"
    let volume = PodVolumes.claims(of: pod).first { $0.claim == claim }?.volume ?? ""
    return Exhibit(
      Cite.object(
        pod, "Pod", resource: .pods, field: "spec.volumes[\(volume)].persistentVolumeClaim.claimName", value: claim,
        at: metadata["creationTimestamp"].time),
      text: "k8s \(name): volume \(volume) is of claim \(claim)")
  }

  static func claim(_ claim: JSON, _ field: String, _ value: String, _ at: Timestamp, _ text: String) -> Exhibit {
    let metadata = claim["metadata"]
    return Exhibit(
      Cite.object(
        claim, "PersistentVolumeClaim", resource: .persistentVolumeClaims, field: field, value: value, at: at),
      text:
        "k8s persistentvolumeclaims/\(metadata["namespace"].string ?? "")/\(metadata["name"].string ?? ""): \(text)")
  }

  static func missing(
    _ claim: Entity, of pod: Entity, _ evidence: [Exhibit], _ world: Investigation
  ) async -> RootCause {
    let all = await world.list(.persistentVolumeClaims)
    let names = all.items.filter { $0["metadata"]["namespace"].string == claim.namespace }
      .compactMap { $0["metadata"]["name"].string }.sorted()
    let there = names.isEmpty ? "there is no claim in that namespace" : "there are \(Count.list(names))"
    let gone = Exhibit(
      Citation(
        source: "kubernetes", locator: "persistentvolumeclaims/\(claim.namespace ?? "")/\(claim.name)",
        value: "does not exist", at: all.at),
      text: "k8s persistentvolumeclaims/\(claim.namespace ?? "")/\(claim.name) doesn't exist; \(there)")
    return RootCause(
      "storage/claim-missing", layer: .application, entity: claim,
      statement: "claim \(claim.name) doesn't exist in namespace \(claim.namespace ?? "default")",
      evidence: evidence + [gone],
      fixes: [
        Fix(
          "create the claim, or name one that is there in what makes the pod", owner: "unknown",
          touches: ["persistentvolumeclaim/\(claim.name)"],
          verify: "ekswhy \(pod.title) -n \(pod.namespace ?? "default")")
      ])
  }

  static func lost(
    _ claim: Entity, of entity: Entity, _ text: String, _ evidence: [Exhibit], _ world: Investigation
  ) -> RootCause {
    RootCause(
      "storage/volume-gone", layer: .kubernetes, entity: claim,
      statement: "the volume that claim \(claim.name) was bound to is gone: \(text)", evidence: evidence,
      fixes: [
        Fix(
          "make a PersistentVolume of that name for what is left of the data, or delete the claim and make it anew",
          owner: "unknown", touches: ["persistentvolumeclaim/\(claim.name)"], restarts: true,
          verify: "ekswhy pvc/\(claim.name) -n \(claim.namespace ?? "default")")
      ])
  }
}
