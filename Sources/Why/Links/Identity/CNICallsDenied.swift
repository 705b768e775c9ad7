import Evidence
import Mechanisms
import Wire

/// The VPC CNI's EC2 calls are refused: seen in an event, or told by the role's policies.
struct CNICallsDenied: Link {
  let code = "identity/cni-calls-denied"
  let explains: [Effect.Kind] = [.cniAgentBroken, .poolCannotGrow]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let nodeName = effect.entity.kind == "Node" ? effect.entity.name : effect.detail
    let found = await world.cniPod(on: nodeName)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let agent = await world.cniAgent(pod, node: nodeName)
    let calls =
      effect.kind == .cniAgentBroken
      ? VPCCNICalls.atStart(isIPv6: agent.isIPv6) : VPCCNICalls.all(isIPv6: agent.isIPv6)
    let check = await CNICalls.check(agent, calls, world)
    let events = await CNICalls.refusals(told: pod, world)
    let refused = events.first.flatMap { VPCCNICalls.refusedAction(inEvent: $0.message) } ?? check.denied.first
    let who = agent.roleARN.value.map { "role \(ARN.parse($0)?.name ?? $0)" } ?? "its role"
    let cause = Effect(
      .cniRoleDenied, Entity("Pod", pod["metadata"]["name"].string ?? "", namespace: "kube-system"), detail: nodeName)
    if let event = events.first, check.denied.isEmpty, !check.isOpen {
      // The policies allow it now: the event tells of a time before.
      return .refuted(
        "the role may make the CNI's EC2 calls now; the refusal is older",
        check.evidence + [event.exhibit(now: world.now)])
    }
    if let refused, !events.isEmpty || !check.denied.isEmpty {
      return .holds(
        Explanation(
          "EC2 refuses its calls, \(refused) for one: they are made as \(who)",
          entity: Entity("Pod", pod["metadata"]["name"].string ?? "", namespace: "kube-system"),
          evidence: events.prefix(1).map { $0.exhibit(now: world.now) } + agent.evidence, causes: [.init(cause)],
          lastSymptomAt: events.first?.last))
    }
    if !check.gaps.isEmpty { return .open(check.gaps) }
    return .refuted("the role may make the CNI's EC2 calls", check.evidence)
  }
}

/// The VPC CNI is to have a role of its own, and gets no credentials for it: no EC2 call is even made.
struct CNIWithoutCredentials: Link {
  let code = "identity/cni-without-credentials"
  let explains: [Effect.Kind] = [.cniAgentBroken, .poolCannotGrow]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let nodeName = effect.entity.kind == "Node" ? effect.entity.name : effect.detail
    let found = await world.cniPod(on: nodeName)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let agent = await world.cniAgent(pod, node: nodeName)
    guard case .serviceAccountRole = agent.identity, let role = agent.roleARN.value else { return .silent }
    let entity = Entity("Pod", pod["metadata"]["name"].string ?? "", namespace: "kube-system")
    let web = Effect(.podWebIdentity, entity, detail: role)
    guard let check = await WebIdentityCheck.make(web, world) else { return .silent }
    guard check.gaps.isEmpty else { return .open(check.gaps) }
    guard check.root(world) != nil else {
      return .refuted("STS gives aws-node its role", check.evidence)
    }
    return .holds(
      Explanation(
        "it gets no credentials for its own role \(ARN.parse(role)?.name ?? role), and does not fall back to the node's",
        entity: entity, evidence: agent.evidence, causes: [.init(web)]))
  }
}

/// A role lacks the permissions that the VPC CNI needs.
struct CNIPolicyMissing: Link {
  let code = "identity/cni-policy-missing"
  let explains: [Effect.Kind] = [.cniRoleDenied]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let pod = await world.object(.pods, namespace: "kube-system", name: effect.entity.name)
    guard let item = pod.first else { return pod.gap.map { .open([$0]) } ?? .silent }
    let agent = await world.cniAgent(item, node: effect.detail)
    let check = await CNICalls.check(agent, VPCCNICalls.all(isIPv6: agent.isIPv6), world)
    guard !check.denied.isEmpty else {
      return check.gaps.isEmpty ? .refuted("the role's policies allow them", check.evidence) : .open(check.gaps)
    }
    let arn = agent.roleARN.value ?? ""
    let role = Entity("Role", ARN.parse(arn)?.name ?? arn)
    let count = VPCCNICalls.all(isIPv6: agent.isIPv6).count
    let root = await CNICalls.root(check, agent, role, world, nodeName: effect.detail)
    return .holds(
      Explanation(
        "of the \(count) EC2 calls the VPC CNI makes, \(check.denied.count == count ? "none is" : "\(check.denied.count) aren't") allowed by the policies of role \(role.name)\(check.reason.map { ": \($0)" } ?? "")",
        entity: role, evidence: check.evidence, root: root))
  }
}

/// A role allows what the VPC CNI needs; or doesn't any more, behind a node that still looks well.
struct CNICallsAreAllowed: Link {
  let code = "identity/cni-calls-allowed"
  let explains: [Effect.Kind] = [.cniCallsAllowed]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let pod = await world.object(.pods, namespace: "kube-system", name: effect.entity.name)
    guard let item = pod.first else { return pod.gap.map { .open([$0]) } ?? .silent }
    let agent = await world.cniAgent(item, node: effect.detail)
    let check = await CNICalls.check(agent, VPCCNICalls.all(isIPv6: agent.isIPv6), world)
    let role = Entity("Role", agent.roleARN.value.flatMap { ARN.parse($0)?.name } ?? "")
    if !check.denied.isEmpty {
      return .holds(
        Explanation(
          "aws-node lives on what it has: EC2 would refuse its next call, \(check.denied[0])", entity: role,
          evidence: agent.evidence + check.evidence,
          root: await CNICalls.root(check, agent, role, world, nodeName: effect.detail)))
    }
    if !check.gaps.isEmpty { return .open(check.gaps) }
    return .holds(
      Explanation(
        "role \(role.name) allows all \(VPCCNICalls.all(isIPv6: agent.isIPv6).count) EC2 calls that the VPC CNI makes",
        entity: role,
        evidence: agent.evidence + check.evidence))
  }
}
