import Evidence
import Mechanisms
import Wire

/// Why a NodeClaim of Karpenter is no node yet. Its conditions say how far it came; why it came no further stands
/// with the instance.
struct NodeClaimQuestion: Question {
  let kinds = ["nodeclaim"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let found = await world.object(.nodeClaims, name: subject.name)
    guard let claim = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("NodeClaim \(subject.name)")
    }
    let reading = NodeClaimReading(claim)
    let created = claim["metadata"]["creationTimestamp"].time
    let age = created.map { Ages.text(world.now - $0) } ?? "an unknown time"
    var waits: (String, Timestamp)?
    if let created, world.now - created < NodeQuestion.usual {
      waits = ("its instance to launch and join, usually within 3m", created + NodeQuestion.usual)
    }
    guard let effect = reading.effect else {
      return Inquiry(
        reading.entity, effects: reading.node.map { [.init(Effect(.nodeReady, Entity("Node", $0)))] } ?? [],
        isTrouble: false, summary: "no fault found in \(reading.entity.title): registered and initialized")
    }
    return Inquiry(
      reading.entity, effects: [.init(effect)], isTrouble: true,
      summary: "\(reading.entity.title) was made \(age) ago and is \(reading.state)", waits: waits,
      lastResort: Gap(
        read: "node:cloud-init and kubelet logs", why: "they stand in no public API",
        how: "aws ec2 get-console-output, or journalctl -u kubelet on its instance"))
  }
}

/// How far a NodeClaim came.
struct NodeClaimReading: Sendable {
  let claim: JSON

  init(_ claim: JSON) { self.claim = claim }

  var entity: Entity { Entity("NodeClaim", claim["metadata"]["name"].string ?? "") }
  var instance: String? { NodeState.instanceID(claim["status"]["providerID"].string ?? "") }
  var node: String? { claim["status"]["nodeName"].string.flatMap { $0.isEmpty ? nil : $0 } }

  func condition(_ type: String) -> JSON {
    claim["status"]["conditions"].items.first { $0["type"].string == type } ?? .null
  }
  private func isTrue(_ type: String) -> Bool { condition(type)["status"].string == "True" }

  var state: String {
    if !isTrue("Launched"), instance == nil { return "not launched" }
    return isTrue("Registered") ? "not initialized" : "launched as \(instance ?? "?") and not registered"
  }

  /// What to ask next; nil for one that is a node.
  var effect: Effect? {
    if isTrue("Registered"), isTrue("Initialized") { return nil }
    if isTrue("Registered"), let node { return Effect(.nodeNotReady, Entity("Node", node)) }
    guard let instance else { return Effect(.claimNotLaunched, entity) }
    return Effect(.neverJoined, Entity("Instance", instance))
  }
}

/// Karpenter could launch nothing for a NodeClaim, and says why.
struct ClaimNotLaunched: Link {
  let code = "nodes/claim-not-launched"
  let explains: [Effect.Kind] = [.claimNotLaunched]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.nodeClaims, name: effect.entity.name)
    guard let claim = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let condition = NodeClaimReading(claim).condition("Launched")
    let message = condition["message"].string ?? ""
    guard condition["status"].string != "True", !message.isEmpty else { return .silent }
    let evidence = [
      Exhibit(
        Cite.object(
          claim, "NodeClaim", resource: .nodeClaims, field: "status.conditions[Launched].message", value: message,
          at: condition["lastTransitionTime"].time))
    ]
    return .holds(
      Explanation(
        "Karpenter has no instance for it: \(condition["reason"].string ?? "")", entity: effect.entity,
        evidence: evidence,
        root: LaunchRefusal(message).root(
          effect.entity, role: nil, evidence, verify: "ekswhy \(effect.entity.title)", world)))
  }
}
