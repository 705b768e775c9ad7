import Evidence
import Mechanisms
import Wire

/// EKS may not do in the cluster what it must to look after a node group.
struct NodeManagerDenied: Link {
  let code = "nodes/node-manager-denied"
  let explains: [Effect.Kind] = [.nodegroupTrouble]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let group = await NodegroupReading.read(effect.entity.name, world)
    guard group.issue("AccessDenied")?["message"].string?.contains(NodeManager.user) == true else { return .silent }
    let told = group.evidence.filter { $0.citation.field.contains("[AccessDenied]") }
    var refused: (AccessRequest, GrantReading)?
    for request in NodeManager.requests {
      let grant = await world.grant(request, policies: [], entry: nil)
      if !grant.verdict.gaps.isEmpty { return .open(grant.verdict.gaps) }
      if grant.verdict.isNo {
        refused = (request, grant)
        break
      }
    }
    guard let (request, grant) = refused else {
      return .refuted("\(NodeManager.user) may do now all that it must; EKS looks again within minutes", told)
    }
    let objects: JSON = ["apiVersion": "v1", "kind": "List", "items": .array(NodeManager.objects)]
    let root = RootCause(
      code, layer: .kubernetes, entity: Entity("ClusterRole", NodeManager.user),
      statement:
        "nothing in the cluster lets user \(NodeManager.user) \(request.verb) \(request.fullResource): its ClusterRole or ClusterRoleBinding is gone or changed",
      evidence: told + grant.evidence,
      fixes: [
        Fix(
          "puts the role and its binding back as EKS makes them; EKS looks again within minutes",
          command: "printf %s \(Shell.quote(objects.text())) | \(world.target.kubectl) apply -f -", owner: "hand",
          touches: ["clusterrole/\(NodeManager.user)", "clusterrolebinding/\(NodeManager.user)"],
          verify: "ekswhy \(effect.entity.title)", expectWithin: "10m")
      ])
    return .holds(
      Explanation(
        "the API server refuses what EKS does with the group's nodes", entity: effect.entity, evidence: told, root: root
      ))
  }
}

extension NodegroupReading {
  func issue(_ code: String) -> JSON? { group["health"]["issues"].items.first { $0["code"].string == code } }
}
