import Evidence
import Mechanisms
import Wire

/// A link about an add-on of EKS.
protocol AddonLink: Link {
  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding
}

extension AddonLink {
  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    switch await AddonReading.read(effect.entity.name, world) {
    case .unknown(let gap): .open([gap])
    case .known(nil, _): .silent
    case .known(let addon?, _): await test(addon, effect, world)
    }
  }
}

/// An add-on was not applied because fields that it sets are another manager's.
struct AddonConflicts: AddonLink {
  let code = "ownership/addon-conflict"
  let explains: [Effect.Kind] = [.addonTrouble]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let issue = addon.issue("ConfigurationConflict") else { return .silent }
    let conflicts = AddonIssue.conflicts(in: issue["message"].string ?? "")
    var evidence = [
      addon.exhibit("health.issues[ConfigurationConflict]", conflicts.map(\.text).joined(separator: "; "))
    ]
    var managers: [String: [String]] = [:]
    var gaps: [Gap] = []
    for conflict in conflicts {
      let (owner, exhibit, gap) = await owner(of: conflict, world)
      if let gap {
        if !gaps.contains(gap) { gaps.append(gap) }
        continue
      }
      if let exhibit { evidence.append(exhibit) }
      if let owner { managers[owner, default: []].append("\(conflict.name) \(conflict.path)") }
    }
    guard gaps.isEmpty else { return .open(gaps) }
    guard !managers.isEmpty else {
      return .refuted("nobody but eks owns the fields any more that it conflicted in: update it once more", evidence)
    }
    let names = managers.keys.sorted()
    let isAdoption =
      addon.status == "CREATE_FAILED"
      && names.allSatisfy { ["kubectl-client-side-apply", "before-first-apply"].contains($0) }
    let owned = names.map { "\($0) owns \(Count.list(managers[$0] ?? [], limit: 3))" }.joined(separator: "; ")
    let statement =
      isAdoption
      ? "\(addon.name) was in the cluster before it was an add-on, put there by other means, and the add-on may not take it over: \(owned)"
      : "other field managers have set values that the add-on sets otherwise: \(owned)"
    let root = RootCause(
      isAdoption ? "ownership/addon-adoption" : code, layer: .eks, entity: effect.entity, statement: statement,
      evidence: evidence, fixes: fixes(addon, names, world))
    return .holds(
      Explanation(
        "server-side apply as eks conflicted in \(Count.of(conflicts.count, "field")), and without being told what to do about conflicts EKS stops",
        entity: effect.entity, evidence: [evidence[0]], root: root))
  }

  private func owner(
    of conflict: AddonIssue.Conflict, _ world: Investigation
  ) async -> (String?, Exhibit?, Gap?) {
    let resources: [String: KubernetesResource] = [
      "DaemonSet.apps": .daemonSets, "Deployment.apps": .deployments, "ConfigMap": .configMaps,
      "ServiceAccount": .serviceAccounts, "Service": .services, "ClusterRole.rbac.authorization.k8s.io": .clusterRoles,
      "ClusterRoleBinding.rbac.authorization.k8s.io": .clusterRoleBindings,
    ]
    guard let resource = resources[conflict.kind] else {
      return (
        nil, nil, Gap(read: "kubernetes:\(conflict.kind) \(conflict.name)", why: "ekswhy does not read this kind")
      )
    }
    let read = await world.object(
      resource, namespace: resource.isNamespaced ? "kube-system" : nil, name: conflict.name)
    if let gap = read.gap { return (nil, nil, gap) }
    guard let object = read.first else { return (nil, nil, nil) }
    guard let owners = FieldOwners.of(object) else {
      return (
        nil, nil,
        Gap(
          read: "kubernetes:\(resource.fileName)/\(conflict.name) metadata.managedFields", why: "it shows none",
          how: "\(world.target.kubectl) get \(resource.fileName) -A -o json --show-managed-fields")
      )
    }
    let owner = owners.first { $0.path == conflict.path && $0.manager != FieldOwners.eks }
    let citation = Cite.object(
      object, conflict.kind, resource: resource, field: "metadata.managedFields \(conflict.path)",
      value: owner?.manager ?? "nobody but eks", at: owner?.since ?? read.at)
    return (owner?.manager, Exhibit(citation), nil)
  }

  private func fixes(_ addon: AddonReading, _ managers: [String], _ world: Investigation) -> [Fix] {
    func fix(_ mode: String, _ text: String) -> Fix {
      Fix(
        "\(text); add the version or the values that were asked for",
        command: addon.update(world, resolve: mode), owner: "eks-addon",
        touches: ["addon/\(addon.name)"], restarts: true, verify: "ekswhy addon/\(addon.name)", expectWithin: "3m")
    }
    let overwrite = fix("OVERWRITE", "takes the fields over: the add-on's own values take their place")
    guard addon.status != "CREATE_FAILED" else { return [overwrite] }
    let tools = managers.filter { name in ["argocd", "flux", "helm", "kustomize"].contains { name.contains($0) } }
    let keep = fix("PRESERVE", "keeps the values that are there and applies the rest")
    guard tools.isEmpty else {
      return [
        Fix(
          "leave the fields to one of the two: take them out of what \(tools.joined(separator: ", ")) applies, or it sets them again after every update",
          owner: "gitops", touches: ["addon/\(addon.name)"], verify: "ekswhy addon/\(addon.name)"), keep,
      ]
    }
    return [keep, overwrite]
  }
}

/// An add-on is applied, and what of it should run doesn't.
struct AddonReplicas: AddonLink {
  let code = "ownership/addon-replicas"
  let explains: [Effect.Kind] = [.addonTrouble]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    let issue = addon.issue("InsufficientNumberOfReplicas")
    // Where something else stopped EKS, what runs there isn't the add-on's yet.
    guard issue != nil || addon.issues.isEmpty else { return .silent }
    let verdict = addon.health
    switch verdict.outcome {
    case .open(let gaps): return issue == nil ? .silent : .open(gaps)
    case .yes:
      return issue == nil
        ? .silent
        : .refuted(
          "all of its pods are ready now", [addon.exhibit("health.issues[InsufficientNumberOfReplicas]", "since gone")])
    case .no: break
    }
    let short = verdict.reasons.filter { $0.code.hasSuffix("/replicas") }
    guard !short.isEmpty else { return .silent }
    var evidence = short.map { reason in
      Exhibit(Citation(source: "kubernetes", locator: "kube-system", value: reason.text), text: "k8s \(reason.text)")
    }
    if let issue {
      evidence.insert(
        addon.exhibit("health.issues[InsufficientNumberOfReplicas]", issue["message"].string ?? ""), at: 0)
    }
    var causes: [Explanation.Cause] = []
    let names = Set(short.compactMap { $0.details["workload"].string?.split(separator: "/").last.map(String.init) })
    for workload in addon.workloads.value ?? [] where names.contains(workload["metadata"]["name"].string ?? "") {
      let pods = await world.list(
        .pods, namespace: workload["metadata"]["namespace"].string,
        labels: workload["spec"]["selector"]["matchLabels"].stringMap)
      if let gap = pods.gap { return .open([gap]) }
      // One stands for all: they come from one template.
      if let pod = pods.items.map(PodState.init).first(where: { !$0.isReady && !$0.isFinished }) {
        causes.append(.init(pod.effect))
      }
    }
    return .holds(
      Explanation(
        "what it runs in the cluster is not all ready: \(short.map(\.text).joined(separator: "; "))",
        entity: effect.entity, evidence: evidence, causes: causes))
  }
}

extension PodState {
  /// What of a pod that isn't ready wants an explanation.
  var effect: Effect {
    if node == nil { return Effect(.podUnschedulable, entity) }
    let hasRun = containers.contains { $0.restarts > 0 || $0.isRunning || !$0.last.isNull } || phase == "Failed"
    return Effect(hasRun ? .podFails : .podNotStarted, entity)
  }
}

/// An add-on is what it should be; what its next update meets.
struct AddonIsWell: AddonLink {
  let code = "ownership/addon-is-well"
  let explains: [Effect.Kind] = [.addonWell]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    let verdict = addon.health
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .no:
      return .refuted(verdict.reasons.map(\.text).joined(separator: "; "), [addon.exhibit("status", addon.status)])
    case .yes: break
    }
    let counts = (addon.workloads.value ?? []).compactMap(AddonHealth.Workload.init)
      .map { "\($0.name) has \($0.ready) of \($0.desired) pods ready" }.joined(separator: "; ")
    return .holds(
      Explanation(
        "\(addon.version) is applied, and \(counts)", entity: effect.entity,
        evidence: [addon.exhibit("addonVersion", addon.version)],
        causes: [.init(Effect(.addonDrift, effect.entity), deciding: false)]))
  }
}

/// Which fields of an add-on are others', and what its next update does with them.
struct AddonDrift: AddonLink {
  let code = "ownership/addon-drift"
  let explains: [Effect.Kind] = [.addonDrift]

  func test(_ addon: AddonReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    if let gap = addon.workloads.gap { return .open([gap]) }
    var texts: [String] = []
    var evidence: [Exhibit] = []
    for workload in addon.workloads.value ?? [] {
      let kind = workload["kind"].string ?? ""
      let name = workload["metadata"]["name"].string ?? ""
      guard let foreign = FieldOwners.foreign(workload) else {
        return .open([
          Gap(
            read: "kubernetes:\(kind.lowercased())s.apps/\(name) metadata.managedFields", why: "it shows none",
            how: "\(world.target.kubectl) -n kube-system get \(kind.lowercased()) \(name) -o yaml --show-managed-fields"
          )
        ])
      }
      for owned in foreign.prefix(5) {
        texts.append("\(owned.manager) owns \(name) \(owned.path)")
        evidence.append(
          Exhibit(
            Cite.object(
              workload, kind, resource: kind == "DaemonSet" ? .daemonSets : .deployments,
              field: "metadata.managedFields \(owned.path)", value: owned.manager, at: owned.since ?? world.now)))
      }
    }
    guard !texts.isEmpty else {
      return .holds(
        Explanation(
          "every field of it is EKS's own: its next update meets no conflict and overwrites nobody's value",
          entity: effect.entity, evidence: [addon.exhibit("status", addon.status)]))
    }
    return .holds(
      Explanation(
        "\(Count.list(texts, limit: 5)). Where the add-on sets such a field to another value, its next update fails with NONE (the default), takes it over with OVERWRITE, leaves it with PRESERVE; what the add-on doesn't set stays as it is",
        entity: effect.entity, evidence: evidence))
  }
}
