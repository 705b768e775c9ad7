import Evidence
import Mechanisms
import Wire

/// Nobody gave the pod a role; what it can do is what its node may, if that is within reach.
struct PodRoleNotConfigured: Link {
  let code = "identity/pod-role-not-configured"
  let explains: [Effect.Kind] = [.podNotInjected]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (found, gap) = await world.podIdentity(effect.entity)
    guard let reading = found else { return gap.map { .open([$0]) } ?? .silent }
    let today = PodIdentityWebhook.decide(
      .init(
        pod: .known(reading.pod), serviceAccount: reading.account.map { $0 ?? .null },
        hasAssociation: reading.association.map { $0 != nil }))
    guard today.isNo, today.reasons.last?.code == "\(PodIdentityWebhook.name)/no-role" else { return .silent }
    let account = reading.accountEntity.title
    if let misplaced = Misplaced.find(reading) {
      return .holds(
        Explanation(
          "\(account) has no role: no annotation \(PodIdentityReading.roleKey) names one, and no Pod Identity association covers it",
          entity: reading.accountEntity, evidence: reading.evidence, root: misplaced.root(reading, world)))
    }
    let node = await world.nodeCredentials(reading.pod)
    var statement = "\(account) has no role: no annotation names one, and no Pod Identity association covers it"
    if let other = await namesake(reading, world) { statement += "; \(other)" }
    guard node.verdict.isNo else {
      return .holds(Explanation(statement, entity: reading.accountEntity, evidence: reading.evidence))
    }
    return .holds(
      Explanation(
        statement, entity: reading.accountEntity, evidence: reading.evidence,
        root: RootCause(
          "identity/pod-without-credentials", layer: .eks, entity: effect.entity,
          statement:
            "nothing gives the pod credentials: \(account) never had a role, and \(node.verdict.reasons.last?.text ?? "the node's are out of reach")",
          evidence: reading.evidence + node.evidence,
          fixes: [
            Fix(
              "give \(account) a role: an association (aws eks create-pod-identity-association) or the annotation \(PodIdentityReading.roleKey), and make the pod anew",
              owner: "unknown", touches: ["serviceaccount/\(reading.accountName)"], restarts: true,
              verify: "ekswhy credentials/\(effect.entity.name) -n \(reading.namespace)")
          ])))
  }

  /// An association of the account's name in another namespace. It may well be meant for that one.
  private func namesake(_ reading: PodIdentityReading, _ world: Investigation) async -> String? {
    guard let cluster = world.target.cluster else { return nil }
    let listed = await world.aws(.listPodIdentityAssociations, ["clusterName": cluster])
    let other = listed.items.first {
      $0["serviceAccount"].string == reading.accountName && $0["namespace"].string != reading.namespace
    }
    guard let other, let id = other["associationId"].string, let namespace = other["namespace"].string else {
      return nil
    }
    return "association \(id) is for the service account of that name in namespace \(namespace)"
  }
}

/// A role that was written where the webhook doesn't look: on the pod, or under another key of its own.
private struct Misplaced {
  var entity: Entity
  var key: String
  var role: String

  static func find(_ reading: PodIdentityReading) -> Misplaced? {
    let account = reading.account.value.flatMap { $0 } ?? .null
    for (entity, object) in [(reading.accountEntity, account), (reading.entity, reading.pod)] {
      for field in object["metadata"]["annotations"].fields.sorted(by: { $0.key < $1.key }) {
        guard let role = field.value.string.flatMap({ ARN.parse($0.trimmingASCIISpace) }), role.resourceType == "role",
          field.key.hasPrefix("\(PodIdentityWebhook.prefix)/")
            || NearMiss.distance(field.key, PodIdentityReading.roleKey) <= 2
        else { continue }
        return Misplaced(entity: entity, key: field.key, role: field.value.string ?? "")
      }
    }
    return nil
  }

  func root(_ reading: PodIdentityReading, _ world: Investigation) -> RootCause {
    let account = reading.accountEntity
    let isPod = entity.kind == "Pod"
    let object = isPod ? reading.pod : reading.account.value.flatMap { $0 } ?? .null
    let resource = isPod ? KubernetesResource.pods : .serviceAccounts
    let evidence = [
      Exhibit(
        Cite.object(
          object, entity.kind, resource: resource, field: "metadata.annotations[\(key)]", value: role, at: world.now))
    ]
    let owner = FieldOwner.shown(by: reading.account.value.flatMap { $0 } ?? .null, .serviceAccounts, at: world.now)
    let annotate =
      "\(world.target.kubectl) -n \(Shell.quote(reading.namespace)) annotate serviceaccount \(Shell.quote(account.name)) \(PodIdentityReading.roleKey)"
    var command: String?
    let isAlone = reading.pod["metadata"]["ownerReferences"].items.isEmpty
    if case .hand = owner.owner {
      command = "\(annotate)=\(Shell.quote(role.trimmingASCIISpace)) && \(world.recreate(reading.pod))"
    }
    return RootCause(
      "identity/role-annotation-misplaced", layer: .eks, entity: account,
      statement: isPod
        ? "role \(role) stands in annotation \(key) of the pod, and the webhook reads \(PodIdentityReading.roleKey) of its service account"
        : "role \(role) stands in annotation \(key) of \(account.title), and the webhook reads \(PodIdentityReading.roleKey)",
      evidence: evidence + reading.evidence,
      fixes: [
        Fix(
          "names the role in the annotation that the webhook reads, and makes the pod anew\(isAlone ? " from what is read of it" : "")",
          command: command, owner: command == nil ? "unknown" : "hand", touches: ["serviceaccount/\(account.name)"],
          restarts: true, undo: command == nil ? nil : "\(annotate)-",
          verify: "ekswhy credentials/\(reading.entity.name) -n \(reading.namespace)", expectWithin: "1m")
      ])
  }
}
