import Evidence
import Mechanisms
import Wire

/// A node's role is mapped, but not to the user that its kubelet has to be: `system:node:` and its own name, in
/// group `system:nodes`. It is let in and may do nothing.
struct NodeMappedAsAnother: Link {
  let code = "identity/node-mapped-as-another"
  let explains: [Effect.Kind] = [.kubeletSilent, .neverJoined]
  let worlds = Worlds.instanceRole

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (node, id) = await world.nodeAndInstance(of: effect)
    guard let id else { return .silent }
    let mapping = await world.mapping(ofNode: node, instance: id)
    // Nobody is NodeLockedOut's to explain.
    guard case .yes(let identity) = mapping.verdict.outcome else { return .silent }
    let facts = await world.joining(node: node, instance: id)
    let because = mapping.verdict.reasons.last?.text ?? "its role is mapped"
    switch JoinSequence.truth(.identity, facts) {
    case .yes: return .refuted("it is mapped to the user of its own node: \(because)", mapping.evidence)
    case .open(let gaps): return .open(gaps)
    case .no: break
    }
    let name = facts.nodeName.value ?? id
    let evidence = mapping.evidence + (facts.nodeName.citation.map { [Exhibit($0)] } ?? [])
    return .holds(
      Explanation(
        "the API server knows its kubelet as \(identity.username) in groups [\(identity.groups.joined(separator: ", "))], and forbids it (403) to write node \(name)",
        entity: effect.entity, evidence: mapping.role.evidence + evidence,
        root: root(mapping, identity, name, evidence, world)))
  }

  private func root(
    _ mapping: RoleMapping, _ identity: MappedIdentity, _ name: String, _ evidence: [Exhibit], _ world: Investigation
  ) -> RootCause {
    let place: String
    let fixes: [Fix]
    let verify = "ekswhy instance/\(mapping.role.instanceID)"
    switch identity.origin {
    case .accessEntry(let arn):
      place = "the access entry of \(arn)"
      fixes = [RoleMappingFix.entryAnew(mapping, isAutoMode: false, verify, world)]
    case .configMap(let line), .account(let line), .builtIn(let line):
      place = "aws-auth \(line)"
      fixes = RoleMappingFix.lineCorrected(mapping, verify, world).map { [$0] } ?? []
    }
    var faults: [String] = []
    if identity.username != "system:node:\(name)" {
      faults.append("as \(identity.username), where a node may write only itself, as system:node:\(name)")
    }
    if !identity.groups.contains("system:nodes") { faults.append("without the group system:nodes") }
    return RootCause(
      code, layer: .eks, entity: Entity("Role", mapping.role.roleName ?? mapping.roleARN),
      statement:
        "node role \(mapping.role.roleName ?? mapping.roleARN) is mapped wrongly: \(place) maps it \(faults.joined(separator: " and "))",
      evidence: evidence, fixes: fixes)
  }
}
