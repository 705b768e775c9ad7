import Evidence
import Mechanisms
import Wire

/// Which security groups a pod's packets meet, and where they come from.
struct PodGroups: Link {
  let code = "addresses/pod-security-groups"
  let explains: [Effect.Kind] = [.podSecurityGroups]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    let id: String
    let statement: String
    var evidence: [Exhibit] = []
    var interface: JSON?
    if let branch = PodENI(pod: pod) {
      id = branch.eni
      let read = await world.aws(.describeNetworkInterfaces, filters: ["NetworkInterfaceIds": [id]])
      if let gap = read.gap { return .open([gap]) }
      interface = read.first
      statement = "its branch interface \(id)"
      evidence.append(
        Exhibit(
          Cite.object(
            pod, "Pod", resource: .pods, field: "metadata.annotations[\(PodENI.annotation)]", value: id, at: found.at)))
    } else {
      guard let node = state.node else { return .silent }
      guard let pool = await world.pool(of: node) else { return .silent }
      if let gap = pool.interfaces.gap { return .open([gap]) }
      let address = (state.isHostNetwork ? nil : state.address).flatMap { IPv4Address($0) }
      interface =
        address.flatMap { pool.holder(of: $0) }
        ?? pool.interfaces.items.first { $0["Attachment"]["DeviceIndex"].int == 0 }
      id = interface?["NetworkInterfaceId"].string ?? ""
      statement = state.isHostNetwork ? "its node's interface \(id)" : "the node's interface \(id) that has its address"
    }
    guard let interface else { return .silent }
    let groups = interface["Groups"].items.compactMap { $0["GroupId"].string }
    evidence.append(
      Exhibit(
        Cite.aws(.describeNetworkInterfaces, id, field: "Groups", value: groups.joined(separator: ", "), at: world.now))
    )
    return .holds(
      Explanation(
        "its security groups are \(Count.list(groups)), those of \(statement)", entity: effect.entity,
        evidence: evidence, causes: [.init(Effect(.podGroupPolicy, effect.entity), deciding: false)]))
  }
}

/// The policies that gave a pod its groups, or would now and did not when it was created.
struct PodGroupPolicy: Link {
  let code = "addresses/pod-group-policy"
  let explains: [Effect.Kind] = [.podGroupPolicy]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let namespace = effect.entity.namespace ?? "default"
    let policies = await world.list(.securityGroupPolicies, namespace: namespace)
    let account = await world.object(
      .serviceAccounts, namespace: namespace, name: pod["spec"]["serviceAccountName"].string ?? "default")
    let verdict = PodSecurityGroups.decide(
      .init(
        pod: .known(pod, .read(Cite.object(pod, "Pod", resource: .pods, at: found.at))),
        serviceAccount: account.fact(
          Citation(source: "kubernetes", locator: "serviceaccounts/\(namespace)", at: account.at)
        ).map { $0.first ?? .null },
        policies: policies.fact(
          Citation(source: "kubernetes", locator: "securitygrouppolicies/\(namespace)", at: policies.at))))
    let texts = verdict.reasons.map(\.text)
    let evidence = [
      Exhibit(
        Citation(
          source: "kubernetes", locator: "securitygrouppolicies/\(namespace)",
          value: "\(policies.items.count) policies", at: policies.at),
        text: "k8s securitygrouppolicies in \(namespace): \(texts.isEmpty ? "none" : texts.joined(separator: "; "))")
    ]
    let isOwn = PodENI.isWanted(by: pod)
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes(let groups):
      if isOwn {
        return .holds(
          Explanation(
            "it was created when SecurityGroupPolicies matched it; now they say \(Count.list(groups))",
            entity: effect.entity, evidence: evidence))
      }
      let statement =
        "a SecurityGroupPolicy matches it now (\(Count.list(groups))), and it was created without: policies act only when a pod is created"
      return .holds(
        Explanation(
          "it was created before a policy matched it, or while the webhook was not reachable", entity: effect.entity,
          evidence: evidence,
          root: RootCause(
            "addresses/pod-older-than-policy", layer: .eks, entity: effect.entity, statement: statement,
            evidence: evidence,
            fixes: [
              Fix(
                "create the pod anew", owner: "hand", touches: [effect.entity.title], restarts: true,
                verify: "ekswhy security-groups/\(effect.entity.name) -n \(namespace)")
            ])))
    case .no:
      return .holds(
        Explanation(
          isOwn
            ? "it was created when a SecurityGroupPolicy matched it; none does now, and its groups stay"
            : texts.last ?? "no SecurityGroupPolicy matches it", entity: effect.entity, evidence: evidence))
    }
  }
}
