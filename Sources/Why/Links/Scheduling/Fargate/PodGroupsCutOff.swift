import Evidence
import Mechanisms
import Wire

/// A pod on Fargate has the security groups of a SecurityGroupPolicy in place of the cluster's, and with these its
/// machine does not reach the API server.
struct PodGroupsCutOff: Link {
  let code = "scheduling/fargate-pod-groups"
  let explains: [Effect.Kind] = [.fargateNoMachine]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let ids = PodSecurityGroups.ofFargatePod(pod)
    guard !ids.isEmpty else { return .silent }
    let citation = FargatePod(pod).cite(
      "metadata.annotations[\(PodSecurityGroups.fargateAnnotation)]", ids.joined(separator: ","), world)
    switch await world.fargateProfile(FargatePod(pod).profile ?? "") {
    case .unknown(let gap): return .open([gap])
    case .known(let profile, _):
      guard let profile else { return .silent }
      return await judge(ids, profile, citation, effect, world)
    }
  }

  private func judge(
    _ ids: [String], _ profile: FargateProfileReading, _ citation: Citation, _ effect: Effect, _ world: Investigation
  ) async -> Finding {
    let evidence = [Exhibit(citation)]
    // One subnet stands for all: groups are asked before routes.
    guard let subnet = profile.profile.subnets.first,
      let path = await world.connection(ofGroups: ids, in: subnet)
    else { return .silent }
    switch path.verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .yes: return .refuted("with the groups of its policies it reaches the API server", evidence)
    case .no: break
    }
    let hop = path.way?.walk.last?.kind
    guard hop == .groupEgressDenied || hop == .groupIngressDenied else { return .silent }
    let reason = path.verdict.reasons.last?.text ?? ""
    let cluster = await world.cluster().first?["resourcesVpcConfig"]["clusterSecurityGroupId"].string
    let root = RootCause(
      code, layer: .eks, entity: effect.entity,
      statement:
        "a SecurityGroupPolicy gives the pod \(Count.list(ids)) in place of the cluster's security group, and with these its machine is cut off from the API server: \(reason)",
      evidence: evidence, fixes: await fixes(ids, cluster, effect, world))
    return .holds(
      Explanation(
        "its machine has the security groups that a SecurityGroupPolicy gave the pod when it was created",
        entity: effect.entity, evidence: evidence, root: root))
  }

  /// Every policy that matches gets the cluster's group beside its own.
  private func fixes(
    _ ids: [String], _ cluster: String?, _ effect: Effect, _ world: Investigation
  ) async -> [Fix] {
    let namespace = effect.entity.namespace ?? "default"
    let verify = "ekswhy \(effect.entity.title) -n \(namespace)"
    let policies = await world.list(.securityGroupPolicies, namespace: namespace)
    guard let cluster,
      let policy = policies.items.first(where: {
        $0["spec"]["securityGroups"]["groupIds"].strings.contains { ids.contains($0) }
      }), let name = policy["metadata"]["name"].string
    else {
      return [
        Fix(
          "put the cluster's security group into the policy beside its own, and make the pod anew", owner: "hand",
          touches: ["securitygrouppolicy"], restarts: true, verify: verify)
      ]
    }
    let own = policy["spec"]["securityGroups"]["groupIds"].strings
    func patch(_ ids: [String]) -> String {
      let body: JSON = ["spec": ["securityGroups": ["groupIds": JSON(ids)]]]
      return
        "\(world.target.kubectl) -n \(Shell.quote(namespace)) patch securitygrouppolicy \(Shell.quote(name)) --type merge -p \(Shell.quote(body.text()))"
    }
    let pod = await world.object(.pods, namespace: namespace, name: effect.entity.name)
    let anew = pod.first.map { world.recreate($0) }
    return [
      Fix(
        "puts the cluster's security group beside the policy's own, and makes the pod anew",
        command: anew.map { "\(patch(own + [cluster])) && \($0)" }, owner: "hand",
        touches: ["securitygrouppolicy/\(name)", effect.entity.title], restarts: true, undo: patch(own), verify: verify,
        expectWithin: "3m")
    ]
  }
}
