import Evidence
import Mechanisms
import Wire

/// The way from a pod to its Pod Identity role is broken: no agent on the node, no association, a node role that may
/// not ask, a role that does not trust EKS Pod Identity.
struct PodIdentityRefused: Link {
  let code = "identity/pod-identity-refused"
  let explains: [Effect.Kind] = [.podAgentCredentials]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let check = await PodIdentityCheck.make(effect, world)
    guard let check else { return .silent }
    if let root = check.root(world) {
      return .holds(
        Explanation(check.symptom, entity: effect.entity, evidence: check.evidence, root: root))
    }
    // That it is taken is the statement of another link; whether its way leads there may be open beside that.
    let gaps = check.gaps + (check.path?.verdict.gaps ?? [])
    return gaps.isEmpty ? .silent : .open(gaps)
  }
}

/// EKS Auth takes the pod's token.
struct PodIdentityGranted: Link {
  let code = "identity/pod-identity-granted"
  let explains: [Effect.Kind] = [.podAgentCredentials]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let check = await PodIdentityCheck.make(effect, world)
    guard let check, check.gaps.isEmpty, let association = check.exchange.value, check.agent.value == true,
      check.mayAsk.isYes, check.path?.verdict.isNo != true, check.target?.verdict.isNo != true
    else { return .silent }
    return .holds(
      Explanation(
        "the agent on its node gets it the role \(association.roleARN) of association \(association.id)\(check.target.map { ", and by that the target role \($0.resource)" } ?? "")",
        entity: effect.entity, evidence: check.evidence + (check.target?.evidence ?? [])))
  }
}

/// What happens when a pod asks the agent of its node.
struct PodIdentityCheck: Sendable {
  var reading: PodIdentityReading
  var node: String
  var agent: Fact<Bool>
  var nodeRole: String
  /// Whether the node's role may call EKS Auth.
  var mayAsk: Verdict<Void, PolicyReason>
  var exchange: Verdict<PodIdentityExchange.Association, Because>
  var trust: Verdict<Void, PolicyReason>?
  /// Of the call that the trust policy judges.
  var context = PolicyContext()
  var document: JSON
  var roleTags: JSON
  var evidence: [Exhibit]
  /// The node, and whether it reaches EKS Auth, where that could be read.
  var instance: String = ""
  var path: ConnectionReading?

  /// Whether the association's role may go on to its target role; nil where it has none.
  var target: AWSAccessReading?

  var gaps: [Gap] {
    (agent.gap.map { [$0] } ?? []) + mayAsk.gaps + exchange.gaps + (target?.verdict.gaps ?? [])
  }

  var symptom: String {
    if case .known(false, _) = agent {
      return "no Pod Identity agent answers on \(node): could not connect to 169.254.170.23"
    }
    if exchange.isNo, let reason = exchange.reasons.last {
      return "EKS Auth refuses: (\(PodIdentityExchange.errorCode(reason))): \(reason.text)"
    }
    if let target, target.verdict.isNo {
      return
        "EKS Auth takes \(target.principal.title) for it and can't go on to the target role: (AccessDeniedException): \(PodIdentityExchange.trustText)"
    }
    if path?.verdict.isNo == true { return "the agent of \(node) does not reach EKS Auth, and gives up" }
    return "the agent of \(node) may not ask EKS Auth"
  }

  static func make(_ effect: Effect, _ world: Investigation) async -> PodIdentityCheck? {
    guard let reading = await world.podIdentity(effect.entity).reading else { return nil }
    let node = reading.pod["spec"]["nodeName"].string ?? ""
    var evidence = reading.evidence
    let pods = await world.pods(on: node)
    let found = pods.items.first { pod in
      pod["spec"]["containers"].items.contains { $0["image"].string?.contains("/eks-pod-identity-agent:") == true }
        && pod["status"]["containerStatuses"].items.contains { !$0["state"]["running"].isNull }
    }
    let agentCitation = Citation(
      source: "kubernetes", locator: "pods on \(node)", field: "image eks-pod-identity-agent",
      value: found?["metadata"]["name"].string ?? "none runs", at: pods.at)
    let agent: Fact<Bool> =
      found != nil
      ? .known(true, .read(agentCitation)) : pods.gap.map { .unknown($0) } ?? .known(false, .read(agentCitation))
    if agent.isKnown { evidence.append(Exhibit(agentCitation)) }

    let nodeObject = await world.node(node)
    let id = nodeObject.first?["spec"]["providerID"].string?.split(separator: "/").last.map(String.init) ?? node
    let role = await world.role(ofNode: nodeObject.first, instance: id)
    let mayAsk: Verdict<Void, PolicyReason>
    if let arn = role.arn.value {
      let policies = await world.policies(ofRole: arn)
      let cluster = await world.cluster().first?["arn"].string ?? "*"
      mayAsk = policies.allows(
        "eks-auth:AssumeRoleForPodIdentity", resource: cluster, region: world.target.region)
      evidence += policies.evidence
    } else {
      mayAsk = .open(role.arn.gap.map { [$0] } ?? [])
    }

    var check = PodIdentityCheck(
      reading: reading, node: node, agent: agent, nodeRole: role.arn.value ?? "", mayAsk: mayAsk, exchange: .open([]),
      document: .null, roleTags: .null, evidence: evidence)
    if let instance = role.instance.value.flatMap({ $0 }), agent.value == true {
      check.instance = id
      check.path = await world.connection(
        of: instance, to: .service(PublicNames.eksAuth(world.target.region ?? "us-east-1")))
    }
    let row = reading.association.value.flatMap { $0 }
    let association = reading.association.map { value in
      value.map {
        PodIdentityExchange.Association(id: $0["associationId"].string ?? "", roleARN: $0["roleArn"].string ?? "")
      }
    }
    var trust: Fact<NamedPolicy?> = association.gap.map { .unknown($0) } ?? .known(nil)
    if let arn = row?["roleArn"].string {
      let read = await world.trustPolicy(ofRole: arn)
      trust = read.trust
      check.document = read.document
      check.roleTags = read.role["Tags"]
      if let citation = read.trust.citation { check.evidence.append(Exhibit(citation)) }
    }
    var context = PolicyContext(
      rest: Gap(read: "the condition keys of the call", why: "they aren't known from outside"))
    context.setTime(world.now)
    let metadata = reading.pod["metadata"]
    if row?["disableSessionTags"].bool != true {
      context.set("aws:RequestTag/kubernetes-namespace", reading.namespace)
      context.set("aws:RequestTag/kubernetes-service-account", reading.accountName)
      context.set("aws:RequestTag/kubernetes-pod-name", metadata["name"].string)
      context.set("aws:RequestTag/kubernetes-pod-uid", metadata["uid"].string)
      context.set("aws:RequestTag/eks-cluster-name", world.target.cluster)
    }
    check.context = context
    if let policy = trust.value.flatMap({ $0 }) {
      check.trust = PodIdentityExchange.trust(.known(policy), context: .known(context))
    }
    check.exchange = PodIdentityExchange.decide(
      .init(
        claims: .known(
          WebIdentityToken.Claims(
            issuer: "", subject: reading.subject, audience: [PodIdentityExchange.audience],
            // The kubelet renews it long before its end.
            expires: world.now.seconds + 3600)), isVerified: .known(true), now: .known(world.now),
        association: association, trust: trust, context: .known(context)))
    if let role = row?["roleArn"].string, let target = row?["targetRoleArn"].string,
      let principal = await world.reading(of: .iam(arn: role))
    {
      // The session's tags go on to the target, which has to be allowed on its own.
      let isTagged = row?["disableSessionTags"].bool != true
      for action in ["sts:AssumeRole"] + (isTagged ? ["sts:TagSession"] : []) where check.target?.verdict.isNo != true {
        let found = await world.awsAccess(principal, action, target, externalID: row?["externalId"].string)
        if check.target == nil || found?.verdict.isYes == false { check.target = found }
      }
      check.target?.needed = isTagged ? ["sts:AssumeRole", "sts:TagSession"] : ["sts:AssumeRole"]
    }
    return check
  }

  func root(_ world: Investigation) -> RootCause? {
    let verify = "ekswhy credentials/\(reading.entity.name) -n \(reading.namespace)"
    let options = world.target.awsOptions
    let cluster = Shell.quote(world.target.cluster ?? "CLUSTER")
    if case .known(false, _) = agent {
      return RootCause(
        "identity/no-pod-identity-agent", layer: .inCluster, entity: Entity("Node", node),
        statement: "no pod of DaemonSet eks-pod-identity-agent runs on \(node)", evidence: evidence,
        fixes: [
          Fix(
            "installs the agent on every node",
            command: "aws eks create-addon --cluster-name \(cluster) --addon-name eks-pod-identity-agent\(options)",
            owner: "hand", touches: ["addon/eks-pod-identity-agent"],
            undo: "aws eks delete-addon --cluster-name \(cluster) --addon-name eks-pod-identity-agent\(options)",
            verify: verify, expectWithin: "2m")
        ])
    }
    if mayAsk.isNo {
      let name = ARN.parse(nodeRole)?.name ?? nodeRole
      return RootCause(
        "identity/node-role-lacks-eks-auth", layer: .aws, entity: Entity("Role", name),
        statement:
          "node role \(name) may not call eks-auth:AssumeRoleForPodIdentity: \(mayAsk.reasons.last?.because.text ?? "")",
        evidence: evidence,
        fixes: [
          Fix(
            "attaches the policy that nodes are meant to have",
            command:
              "aws iam attach-role-policy --role-name \(Shell.quote(name)) --policy-arn arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy\(options)",
            owner: "hand", touches: ["role/\(name)"], verify: verify, expectWithin: "1m")
        ])
    }
    if !exchange.isNo, let target, target.verdict.isNo {
      let asked = AccessAsked(
        .iam(arn: target.principal.arn.value ?? ""), .aws(action: target.action, resource: target.resource))
      var root = AWSAccessFix.root(target, asked, Entity("Role", target.principal.name), world)
      for index in root.fixes.indices { root.fixes[index].verify = verify }
      return root
    }
    guard exchange.isNo, let reason = exchange.reasons.last else {
      var root = path?.root(of: instance, world)
      for index in root?.fixes.indices ?? 0..<0 { root?.fixes[index].verify = verify }
      return root
    }
    if reason.code == "\(PodIdentityExchange.name)/no-association" {
      return RootCause(
        "identity/association-is-gone", layer: .eks, entity: reading.accountEntity,
        statement:
          "the pod was made for Pod Identity, and \(reading.accountEntity.title) has no association any more",
        evidence: evidence,
        fixes: [
          Fix(
            "associate a role with the service account again (aws eks create-pod-identity-association), or make the pod anew without",
            owner: "unknown", touches: ["serviceaccount/\(reading.accountName)"], verify: verify)
        ])
    }
    guard reason.code == "\(PodIdentityExchange.name)/trust" else { return nil }
    let arn = reading.association.value.flatMap { $0 }?["roleArn"].string ?? ""
    let name = ARN.parse(arn)?.name ?? arn
    guard let trust else {
      return RootCause(
        "identity/role-does-not-exist", layer: .aws, entity: Entity("Role", name),
        statement: "there is no role \(arn), which the association names", evidence: evidence,
        fixes: [
          Fix(
            "make the role, or give the association another one", owner: "unknown", touches: ["role/\(name)"],
            verify: verify)
        ])
    }
    let difference = trust.reasons.first { if case .implicitDeny = $0 { false } else { true } } ?? trust.reasons.last
    let mended = TrustPolicyFix(document: document) { changed in
      guard let policy = try? PolicyDocument(changed) else { return false }
      return !PodIdentityExchange.trust(.known(NamedPolicy("its trust policy", policy)), context: .known(context)).isNo
    }.podIdentity(trust.reasons)
    return RootCause(
      "identity/role-does-not-trust-pod-identity", layer: .aws, entity: Entity("Role", name),
      statement:
        "role \(name) does not let pods.eks.amazonaws.com assume it and tag the session: \(difference?.because.text ?? "no statement is for it")",
      evidence: evidence,
      fixes: [
        TagOwner(tags: roleTags).fix(
          Fix(
            "lets EKS Pod Identity assume the role",
            command: mended.map {
              "aws iam update-assume-role-policy --role-name \(Shell.quote(name)) --policy-document \(Shell.quote($0.text()))\(options)"
            },
            owner: "hand", touches: ["role/\(name)"],
            undo:
              "aws iam update-assume-role-policy --role-name \(Shell.quote(name)) --policy-document \(Shell.quote(document.text()))\(options)",
            verify: verify, expectWithin: "1m"),
          instead: "let pods.eks.amazonaws.com assume role \(name) with sts:AssumeRole and sts:TagSession")
      ])
  }
}
