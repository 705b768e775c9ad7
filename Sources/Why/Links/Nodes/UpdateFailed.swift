import Evidence
import Mechanisms
import Wire

/// The last update of a node group failed, and EKS went back to what was before.
struct UpdateFailed: Link {
  let code = "nodes/update-failed"
  let explains: [Effect.Kind] = [.nodegroupUpdate]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let scope = ["name": world.target.cluster ?? "", "nodegroupName": effect.entity.name]
    let updates = await world.updates(scope)
    if let gap = updates.gap { return .open([gap]) }
    guard let update = updates.value?.first, update["status"].string == "Failed" else { return .silent }
    let error = update["errors"][0]
    let code = error["errorCode"].string ?? ""
    let evidence = [
      Exhibit(
        Cite.aws(
          .describeUpdate, update["id"].string ?? "", field: "errors[0]",
          value: "\(code): \(error["errorMessage"].string ?? "")", at: update["createdAt"].time))
    ]
    if code == "PodEvictionFailure" {
      return await blocked(error["resourceIds"].strings, update, evidence, effect, world)
    }
    if code == "NodeCreationFailure" {
      // The nodes that didn't come are gone with the way back; what is wrong with the group keeps its own links.
      return .open([
        Gap(
          read: "node logs of the instances that were ended again",
          why: "the update failed because its new nodes did not join, and EKS took them away",
          how: "start the update again, and ask about one of its instances while it is there")
      ])
    }
    return .holds(
      Explanation(
        "its last update failed: \(code)", entity: effect.entity, evidence: evidence,
        root: RootCause(
          "nodes/update-\(AWSCall.kebab(code))", layer: .eks, entity: effect.entity,
          statement: "EKS reports \(code): \(Ages.shortened(error["errorMessage"].string ?? "", 200))",
          evidence: evidence,
          fixes: [
            Fix(
              "remove what EKS names, and start the update again", owner: "hand", touches: [effect.entity.title],
              verify: "ekswhy \(effect.entity.title)")
          ])))
  }

  /// Pods that did not leave their nodes in time, because a disruption budget lets none go.
  private func blocked(
    _ nodes: [String], _ update: JSON, _ evidence: [Exhibit], _ effect: Effect, _ world: Investigation
  ) async -> Finding {
    let budgets = await world.list(.disruptionBudgets)
    if let gap = budgets.gap { return .open([gap]) }
    let pods = await world.list(.pods)
    if let gap = pods.gap { return .open([gap]) }
    let here = pods.items.filter { nodes.contains($0["spec"]["nodeName"].string ?? "") }
    for budget in budgets.items where budget["status"]["disruptionsAllowed"].int ?? 0 == 0 {
      guard let selector = try? LabelSelector(labelSelector: budget["spec"]["selector"]),
        let pod = here.first(where: {
          $0["metadata"]["namespace"] == budget["metadata"]["namespace"] && selector.matches($0["metadata"]["labels"])
        })
      else { continue }
      return .holds(
        Explanation(
          "its last update failed: pods of \(Count.list(nodes, limit: 3)) could not be evicted within 15 minutes",
          entity: effect.entity, evidence: evidence,
          root: root(budget, pod, evidence, update, effect, world)))
    }
    return .open([
      Gap(
        read: "who kept pods on \(Count.list(nodes, limit: 3))",
        why:
          "no disruption budget blocks a pod there now; one that did may be gone, or pods come back by a toleration of everything",
        how: "start the update again, and look at the events of the pods that stay")
    ])
  }

  private func root(
    _ budget: JSON, _ pod: JSON, _ evidence: [Exhibit], _ update: JSON, _ effect: Effect, _ world: Investigation
  ) -> RootCause {
    let name = budget["metadata"]["name"].string ?? ""
    let namespace = budget["metadata"]["namespace"].string ?? "default"
    let status = budget["status"]
    let (needs, has) = (status["desiredHealthy"].int ?? 0, status["currentHealthy"].int ?? 0)
    let exhibit = Exhibit(
      Cite.object(
        budget, "PodDisruptionBudget", resource: .disruptionBudgets, field: "status.disruptionsAllowed", value: "0",
        at: world.now))
    let cluster = Shell.quote(world.target.cluster ?? "CLUSTER")
    let asked = update["params"].items
    func param(_ type: String) -> String? { asked.first { $0["type"].string == type }?["value"].string }
    var again =
      "aws eks update-nodegroup-version --cluster-name \(cluster) --nodegroup-name \(Shell.quote(effect.entity.name))"
    if let version = param("Version") { again += " --kubernetes-version \(version)" }
    func patch(_ spec: JSON) -> String {
      "\(world.target.kubectl) -n \(Shell.quote(namespace)) patch pdb \(Shell.quote(name)) --type merge -p \(Shell.quote((["spec": spec] as JSON).text()))"
    }
    let old: JSON = [
      "minAvailable": budget["spec"]["minAvailable"], "maxUnavailable": budget["spec"]["maxUnavailable"],
    ]
    let looser: JSON = ["minAvailable": .null, "maxUnavailable": 1]
    let verify = "ekswhy \(effect.entity.title)"
    return RootCause(
      "nodes/eviction-blocked", layer: .application,
      entity: Entity("PodDisruptionBudget", name, namespace: namespace),
      statement:
        "PodDisruptionBudget \(namespace)/\(name) lets no pod go: it needs \(Count.of(needs, "healthy pod")) and has \(has), and \(pod["metadata"]["name"].string ?? "") is one of them",
      evidence: evidence + [exhibit],
      fixes: [
        Fix(
          has < needs
            ? "make the budget's pods healthy; or let one go, and start the update again"
            : "lets one pod go at a time, and starts the update again; more replicas than the budget needs do as well",
          command: "\(patch(looser)) && \(again)\(world.target.awsOptions)", owner: "hand",
          touches: ["poddisruptionbudget/\(name)", effect.entity.title], restarts: true, undo: patch(old),
          verify: verify, expectWithin: "30m"),
        Fix(
          "lets EKS delete the pods that don't go by themselves", command: "\(again) --force\(world.target.awsOptions)",
          owner: "hand", touches: [effect.entity.title, "pod/\(pod["metadata"]["name"].string ?? "")"], restarts: true,
          verify: verify, expectWithin: "30m"),
      ])
  }
}
