import Evidence
import Mechanisms
import Wire

/// The resource controller has a branch for the pod in its cache, and the pod has no annotation of it.
struct BranchCacheClash: Link {
  let code = "addresses/branch-cache-clash"
  let explains: [Effect.Kind] = [.branchMissing]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let (events, gap) = await world.events(about: pod, kind: "Pod")
    guard let event = events.first(where: { $0.reason == "BranchAllocationFailed" }) else {
      return gap.map { .open([$0]) } ?? .silent
    }
    guard event.message.contains(PodENI.clash) else { return .silent }
    let evidence = [event.exhibit(now: world.now)]
    return .holds(
      Explanation(
        "EKS's resource controller made a branch interface for it before, and makes no other one for the same pod",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          code, layer: .eks, entity: effect.entity,
          statement:
            "the controller's cache has a branch interface for this very pod, whose annotation \(PodENI.annotation) is gone or was never kept",
          evidence: evidence, fixes: [BranchFix.again(effect.entity, world)]), lastSymptomAt: event.last))
  }
}

/// The pod had its node before this had a trunk, and the resource controller passed over it.
struct BranchOverlooked: Link {
  let code = "addresses/branch-overlooked"
  let explains: [Effect.Kind] = [.branchMissing]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let nodeRead = await world.node(effect.detail)
    guard let node = nodeRead.first, let id = NodeState(node).instanceID else {
      return nodeRead.gap.map { .open([$0]) } ?? .silent
    }
    let interfaces = await world.aws(.describeNetworkInterfaces, filters: ["attachment.instance-id": [id]])
    let trunk = interfaces.items.first { $0["InterfaceType"].string == "trunk" }
    let (events, gap) = await world.events(about: pod, kind: "Pod")
    let told = events.filter { $0.reason == "SecurityGroupRequested" || $0.reason == "BranchAllocationFailed" }
    let scheduled = PodState(pod).condition("PodScheduled")["lastTransitionTime"].time
    let bound = scheduled ?? pod["metadata"]["creationTimestamp"].time
    func source(_ citation: Citation) -> Source { .read(citation) }
    let facts = BranchAttention.Facts(
      boundAt: bound.map {
        .known(
          $0,
          source(
            Cite.object(
              pod, "Pod", resource: .pods, field: "status.conditions[PodScheduled].lastTransitionTime",
              value: $0.rfc3339, at: found.at)))
      } ?? .unknown(Gap(read: "kubernetes:get pods/\(effect.entity.name)", why: "when it had its node isn't told")),
      trunkAt: interfaces.gap.map { .unknown($0) }
        ?? .known(
          trunk?["Attachment"]["AttachTime"].time,
          source(
            Cite.aws(
              .describeNetworkInterfaces, trunk?["NetworkInterfaceId"].string ?? "no trunk",
              field: "Attachment.AttachTime", value: trunk?["Attachment"]["AttachTime"].string ?? "",
              at: interfaces.at))),
      isTold: gap.map { told.isEmpty ? .unknown($0) : .known(true) } ?? .known(!told.isEmpty))
    let verdict = BranchAttention.decide(facts)
    let evidence = verdict.reasons.flatMap(\.evidence).map { Exhibit($0) }
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes: return .silent
    case .no: break
    }
    return .holds(
      Explanation(
        verdict.reasons.last?.text ?? "", entity: effect.entity, evidence: evidence,
        root: RootCause(
          code, layer: .eks, entity: effect.entity,
          statement:
            "EKS's resource controller passed over it, for its node had no trunk interface when the pod was bound to it; it looks at all pods again after \(BranchAttention.resync / 60) minutes at most",
          evidence: evidence,
          fixes: [
            BranchFix.again(effect.entity, world),
            Fix(
              "for good: whatever binds pods to new nodes must wait until they offer \(PodENI.resource); with Karpenter, the NodePool's label vpc.amazonaws.com/has-trunk-attached: \"false\"",
              owner: "hand", touches: ["nodepool"]),
          ])))
  }
}

/// What helps where the controller will do nothing for the pod as it is.
enum BranchFix {
  static func again(_ pod: Entity, _ world: Investigation) -> Fix {
    let namespace = pod.namespace ?? "default"
    return Fix(
      "deletes the pod, so that its controller makes another, which gets a branch interface of its own",
      command: "\(world.target.kubectl) -n \(namespace) delete pod \(pod.name)", owner: "hand", touches: [pod.title],
      restarts: true, verify: "\(world.target.kubectl) -n \(namespace) get pods", expectWithin: "2m")
  }
}
