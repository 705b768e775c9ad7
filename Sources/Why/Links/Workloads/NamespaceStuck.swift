import Evidence
import Mechanisms
import Wire

/// A namespace stays Terminating: something in it has finalizers, or an API can't be asked.
struct NamespaceStuck: Link {
  let code = "workloads/namespace-stuck"
  let explains: [Effect.Kind] = [.namespaceStuck]
  /// Kinds whose objects are named where they hold a namespace up.
  private static let named: [KubernetesResource] = KubernetesResource.all.filter { $0.isNamespaced && $0 != .events }

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let name = effect.entity.name
    let found = await world.object(.namespaces, name: name)
    guard let namespace = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    func condition(_ type: String) -> JSON? {
      namespace["status"]["conditions"].items.first { $0["type"].string == type && $0["status"].string == "True" }
    }
    func exhibit(_ condition: JSON) -> Exhibit {
      Exhibit(
        Cite.object(
          namespace, "Namespace", resource: .namespaces, field: "status.conditions[\(condition["type"].string ?? "")]",
          value: condition["message"].string ?? "", at: condition["lastTransitionTime"].time))
    }
    let verify = "ekswhy ns/\(name)"
    if let failed = condition("NamespaceDeletionDiscoveryFailure") {
      return await undiscovered(failed, exhibit(failed), effect, verify, world)
    }
    let finalizers = condition("NamespaceFinalizersRemaining")
    guard
      let remaining = finalizers ?? condition("NamespaceContentRemaining")
        ?? condition("NamespaceDeletionContentFailure")
    else { return .silent }
    let evidence = [finalizers, condition("NamespaceContentRemaining")].compactMap { $0.map(exhibit) }
    let message = remaining["message"].string ?? ""
    guard finalizers != nil else {
      return .holds(
        Explanation(
          "something is left in it", entity: effect.entity, evidence: evidence,
          root: RootCause(
            "workloads/namespace-content", layer: .kubernetes, entity: effect.entity,
            statement: "\(effect.entity.title) is not empty yet: \(Ages.shortened(message, 240))", evidence: evidence,
            fixes: [
              Fix(
                "see what keeps these objects: pods that are ending, claims in use", owner: "unknown",
                touches: [effect.entity.title], verify: verify)
            ])))
    }
    return .holds(await held(message, evidence, effect, verify, world))
  }

  private func held(
    _ message: String, _ evidence: [Exhibit], _ effect: Effect, _ verify: String, _ world: Investigation
  ) async -> Explanation {
    let name = effect.entity.name
    // `has 1 resource instances` of `configmaps.`: the condition names kinds, not objects.
    let content = evidence.last?.citation.value ?? ""
    var told = Explanation(
      "what is left in it has finalizers", entity: effect.entity, evidence: evidence)
    var objects: [(resource: KubernetesResource, object: JSON)] = []
    for resource in NamespaceStuck.named where content.contains("\(resource.name).\(resource.group) has ") {
      let listed = await world.list(resource, namespace: name)
      if let gap = listed.gap { told.notNeeded.append(gap) }
      objects += listed.items.filter { !$0["metadata"]["finalizers"].items.isEmpty }.map { (resource, $0) }
    }
    let list = message.firstRange(of: "finalizers remaining: ").map { String(message[$0.upperBound...]) } ?? message
    var statement = "objects in \(effect.entity.title) wait for their finalizers to be removed: \(list)"
    var fixes: [Fix] = []
    let titles = objects.map { "\($0.resource.kind.lowercased())/\($0.object["metadata"]["name"].string ?? "")" }
    if !titles.isEmpty { statement += " (\(Count.list(titles)))" }
    fixes.append(
      Fix(
        "let the controller that set the finalizers do its work: see that it is there and well", owner: "unknown",
        touches: titles.isEmpty ? [effect.entity.title] : titles, verify: verify))
    if let first = objects.first {
      let title = "\(first.resource.kind.lowercased())/\(first.object["metadata"]["name"].string ?? "")"
      fixes.append(
        Fix(
          "only if that controller is gone for good: takes the finalizers of \(title) away; what they were to clean up stays",
          command:
            "\(world.target.kubectl) -n \(name) patch \(title) --type=merge -p \(Shell.quote("{\"metadata\":{\"finalizers\":null}}"))",
          owner: "hand", touches: [title], verify: verify, expectWithin: "1m"))
    }
    told.root = RootCause(
      "workloads/namespace-finalizers", layer: .kubernetes, entity: effect.entity, statement: statement,
      evidence: evidence, fixes: fixes)
    return told
  }

  private func undiscovered(
    _ condition: JSON, _ exhibit: Exhibit, _ effect: Effect, _ verify: String, _ world: Investigation
  ) async -> Finding {
    let listed = await world.list(.apiServices)
    if let gap = listed.gap { return .open([gap]) }
    let broken = listed.items.filter { service in
      service["status"]["conditions"].items.contains {
        $0["type"].string == "Available" && $0["status"].string != "True"
      }
    }
    guard let first = broken.first, let name = first["metadata"]["name"].string else { return .silent }
    let available = first["status"]["conditions"].items.first { $0["type"].string == "Available" } ?? .null
    let other = Exhibit(
      Cite.object(
        first, "APIService", resource: .apiServices, field: "status.conditions[Available]",
        value: "\(available["reason"].string ?? ""): \(available["message"].string ?? "")",
        at: available["lastTransitionTime"].time))
    return .holds(
      Explanation(
        "an API of the cluster can't be asked what is left in it", entity: effect.entity, evidence: [exhibit, other],
        root: RootCause(
          "workloads/namespace-undiscovered", layer: .kubernetes, entity: Entity("APIService", name),
          statement:
            "apiservice/\(name) is not available (\(available["message"].string ?? available["reason"].string ?? "")), so nobody can tell whether \(effect.entity.title) is empty",
          evidence: [other],
          fixes: [
            Fix(
              "bring back what serves it, or delete the APIService if that is gone for good:"
                + " kubectl delete apiservice \(name)", owner: "unknown", touches: ["apiservice/\(name)"],
              verify: verify)
          ])))
  }
}

/// A PodDisruptionBudget that lets no pod go.
struct NoDisruption: Link {
  let code = "workloads/no-disruption"
  let explains: [Effect.Kind] = [.noDisruption]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let namespace = effect.entity.namespace ?? "default"
    let found = await world.object(.disruptionBudgets, namespace: namespace, name: effect.entity.name)
    guard let budget = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let status = budget["status"]
    let spec = budget["spec"]
    let (healthy, wanted, expected) = (
      status["currentHealthy"].int ?? 0, status["desiredHealthy"].int ?? 0, status["expectedPods"].int ?? 0
    )
    let field = spec["minAvailable"].isNull ? "maxUnavailable" : "minAvailable"
    let value = spec[field].string ?? spec[field].int.map(String.init) ?? ""
    let exhibit = Exhibit(
      Cite.object(
        budget, "PodDisruptionBudget", resource: .disruptionBudgets, field: "status",
        value: "disruptionsAllowed 0, currentHealthy \(healthy), desiredHealthy \(wanted), expectedPods \(expected)",
        at: found.at))
    if healthy < wanted {
      let pods = await world.list(.pods, namespace: namespace)
      if let gap = pods.gap { return .open([gap]) }
      let selector = LabelSelector(matchLabels: spec["selector"]["matchLabels"])
      let broken = pods.items.filter { selector.matches($0["metadata"]["labels"]) }.map(PodState.init)
        .filter { !$0.isReady && !$0.isFinished && !$0.isDeleting }
      if !broken.isEmpty {
        return .holds(
          Explanation(
            "only \(healthy) of its pods are Ready, and it wants \(wanted)", entity: effect.entity,
            evidence: [exhibit] + broken.prefix(2).map { $0.exhibit(world.now) },
            causes: broken.prefix(1).map { .init($0.effect) }))
      }
    }
    let owner = FieldOwner.shown(by: budget, .disruptionBudgets, at: world.now)
    let fix: Fix
    if field == "minAvailable" {
      fix = owner.patch(
        "lets one pod go at a time; or run one replica more than it wants", effect.entity,
        patch: [.step("remove", "/spec/minAvailable"), .step("add", "/spec/maxUnavailable", 1)],
        undo: [.step("remove", "/spec/maxUnavailable"), .step("add", "/spec/minAvailable", spec[field])],
        verify: "ekswhy pdb/\(effect.entity.name) -n \(namespace)", world)
    } else {
      fix = owner.patch(
        "lets one pod go at a time", effect.entity, patch: [.step("replace", "/spec/maxUnavailable", 1)],
        undo: [.step("replace", "/spec/maxUnavailable", spec[field])],
        verify: "ekswhy pdb/\(effect.entity.name) -n \(namespace)", world)
    }
    return .holds(
      Explanation(
        "all its pods are needed for what it wants", entity: effect.entity, evidence: [exhibit],
        root: RootCause(
          "workloads/budget-allows-nothing", layer: .kubernetes, entity: effect.entity,
          statement:
            "\(effect.entity.title) wants \(wanted) of its \(Count.of(expected, "pod")) to stay (\(field) \(value)), and \(healthy == 1 ? "1 is" : "\(healthy) are") healthy, so none may be evicted",
          evidence: [exhibit], fixes: [fix])))
  }
}
