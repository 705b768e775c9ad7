import Evidence
import Mechanisms
import Wire

/// Whether an IAM identity may do something in AWS, by every policy that can be read.
struct AWSAccessReading: Sendable {
  var principal: PrincipalReading
  var action: String
  var resource: String
  var policies: RolePolicies
  var verdict: Verdict<Void, PolicyReason>
  /// The resource's own policy, where it decides and could be read.
  var resourcePolicy: String?
  /// All actions that what the caller does takes, where these are more than one.
  var needed: [String] = []
  /// The trust policy of a role that doesn't trust the caller, and the role.
  var trust: (document: JSON, role: JSON, mends: @Sendable (JSON) -> Bool)?
  var evidence: [Exhibit]
  /// What might still deny it and can't be read.
  var unread: [Gap]
  /// Control policies by their ids, and where they stand.
  var control: [String: String] = [:]
  /// The VPC endpoint that the call goes through.
  var endpoint: String?

  /// What the account or a whole organisation may forbid, which no read of an ordinary operator shows.
  static let organisation = Gap(
    read: "service control policies", why: "they stand in the organisation's management account",
    how: "aws organizations list-policies-for-target, with that account's credentials")
}

extension Investigation {
  /// Of a pod, the VPC endpoint through which it calls counts too.
  func awsAccess(
    _ principal: PrincipalReading, _ action: String, _ resource: String, from pod: Entity? = nil,
    externalID: String? = nil
  ) async -> AWSAccessReading? {
    guard let arn = principal.arn.value, let caller = principal.caller.value, let parsed = ARN.parse(arn) else {
      return nil
    }
    let isRoot = parsed.resourceType == "root"
    let isUser = parsed.resourceType == "user"
    let policies =
      isRoot
      ? RolePolicies(
        roleName: "root", roleARN: arn, identity: .known([]), boundary: .known(nil), names: [],
        evidence: principal.evidence)
      : isUser ? await self.policies(ofUser: arn) : await self.policies(ofRole: arn)
    let who = PolicyPrincipal(
      kind: isRoot ? .root : isUser ? .user : .role, arn: isRoot || isUser ? arn : caller.arn,
      account: parsed.account, roleARN: isRoot || isUser ? "" : arn)
    var reading = AWSAccessReading(
      principal: principal, action: action, resource: resource, policies: policies, verdict: .open([]),
      evidence: policies.evidence, unread: [])
    var facts = IAMPolicy.Facts(
      request: .known(IAMRequest(principal: who, action: action, resource: resource)),
      context: .known(context(who)), identityPolicies: policies.identity, boundary: policies.boundary)
    if let externalID {
      facts.context = facts.context.map { context in
        var context = context
        context.set("sts:ExternalId", externalID)
        return context
      }
    }
    await bind(&facts, &reading, parsed.account)
    if let pod { await lead(&facts, &reading, action, pod) }
    if ["sts:assumerole", "sts:tagsession"].contains(action.lowercased()), let target = ARN.parse(resource),
      target.resourceType == "role"
    {
      return await assuming(resource, who, facts, reading)
    }
    let service = action.prefix { $0 != ":" }
    let ownPolicies: Set<Substring> = ["s3", "kms", "sqs", "sns", "ecr", "secretsmanager", "lambda"]
    if ownPolicies.contains(service) {
      reading.unread.append(
        Gap(read: "the policy of \(resource == "*" ? "the resource" : resource)", why: "ekswhy doesn't read it"))
    }
    if let owner = ARN.parse(resource)?.account, !owner.isEmpty, owner != parsed.account {
      facts.request = .known(
        IAMRequest(principal: who, action: action, resource: resource, resourceAccount: owner))
      facts.resourcePolicy = .unknown(
        Gap(read: "the policy of \(resource)", why: "it is of account \(owner)", how: "ask its owner"))
    }
    reading.verdict = IAMPolicy.decide(facts)
    return reading
  }

  /// What the organisation allows at most, where it can be read.
  private func bind(_ facts: inout IAMPolicy.Facts, _ reading: inout AWSAccessReading, _ account: String) async {
    let organization = await self.organization(of: account)
    guard let control = organization.policies.value else {
      reading.unread.append(AWSAccessReading.organisation)
      return
    }
    facts.serviceControlPolicies = .known(control.service)
    facts.resourceControlPolicies = .known(control.resource)
    reading.control = organization.names
    reading.evidence += organization.evidence
    guard !control.organization.isEmpty else { return }
    facts.context = facts.context.map { context in
      var context = context
      context.set("aws:PrincipalOrgID", control.organization)
      context.set("aws:PrincipalOrgPaths", values: [control.path])
      return context
    }
  }

  /// The endpoint by which the pod's calls of that service leave its VPC, and its policy.
  private func lead(
    _ facts: inout IAMPolicy.Facts, _ reading: inout AWSAccessReading, _ action: String, _ pod: Entity
  ) async {
    let service = AWSServiceModel.all.first { $0.actionPrefix == action.prefix { $0 != ":" } }
    guard service?.globalEndpoint == nil || service?.id == "sts" else { return }
    let host = service.map { $0.id == "eks-auth" ? $0.id : $0.endpointPrefix } ?? String(action.prefix { $0 != ":" })
    let way = await endpoint(ofPod: pod, host: host)
    reading.evidence += way.evidence
    switch way.endpoint {
    case .known(let endpoint, _):
      facts.endpointPolicy = .known(endpoint?.policy)
      guard let endpoint else { return }
      reading.endpoint = endpoint.id
      facts.context = facts.context.map { context in
        var context = context
        context.set("aws:SourceVpce", endpoint.id)
        context.set("aws:SourceVpc", endpoint.vpc)
        return context
      }
    case .unknown(let gap): reading.unread.append(gap)
    }
  }

  private func context(_ who: PolicyPrincipal) -> PolicyContext {
    var context = PolicyContext(
      [
        "aws:PrincipalArn": [who.kind == .role ? who.roleARN : who.arn], "aws:PrincipalAccount": [who.account],
        "aws:PrincipalType": [who.kind == .user ? "User" : "AssumedRole"],
      ], rest: Gap(read: "the condition keys of the call", why: "they aren't known from outside"))
    context.setTime(now)
    if let region = target.region {
      context.set("aws:RequestedRegion", region)
      context.set("ec2:Region", region)
    }
    return context
  }

  /// A role is assumed when it trusts the caller; where it names the account alone, the caller's policies count too.
  private func assuming(
    _ role: String, _ who: PolicyPrincipal, _ facts: IAMPolicy.Facts, _ before: AWSAccessReading
  ) async -> AWSAccessReading {
    var reading = before
    let (trust, document, found) = await trustPolicy(ofRole: role)
    if let citation = trust.citation { reading.evidence.append(Exhibit(citation)) }
    switch trust {
    case .unknown(let gap): reading.verdict = .open([gap])
    case .known(nil, _): reading.verdict = .no([.implicitDeny(.resource)])
    case .known(let policy?, let source):
      let context = facts.context
      @Sendable func trusts(_ policy: NamedPolicy) -> Verdict<TrustPolicy.Grant, PolicyReason> {
        TrustPolicy.decide(
          .init(
            trust: .known(policy, source), principal: .known(who), action: .known(before.action), context: context))
      }
      if trusts(policy).isNo {
        reading.resourcePolicy = ARN.parse(role)?.name
        reading.trust = (
          document, found,
          { changed in
            (try? PolicyDocument(changed)).map { !trusts(NamedPolicy("its trust policy", $0)).isNo } ?? false
          }
        )
      }
      var facts = facts
      facts.request = facts.request.map { request in
        var request = request
        request.resourceAccount = ARN.parse(role)?.account ?? ""
        return request
      }
      reading.verdict = TrustedUse.decide(.init(trust: .known(policy, source), policies: facts))
    }
    return reading
  }

  /// The role as which the programs of a pod call AWS; nil with the gaps where it can't be told.
  func awsRole(ofPod entity: Entity) async -> (arn: String?, gaps: [Gap], isNode: Bool) {
    let (found, gap) = await podIdentity(entity)
    guard let reading = found else { return (nil, gap.map { [$0] } ?? [], false) }
    let chain = Mechanisms.CredentialChain.decide(.init(environment: reading.environment))
    switch chain.value {
    case .webIdentity(let role, _): return (role, [], false)
    case .container:
      let row = reading.association.value.flatMap { $0 }
      return (row?["targetRoleArn"].string ?? row?["roleArn"].string, reading.association.gap.map { [$0] } ?? [], false)
    case .instance:
      let node = await nodeCredentials(reading.pod)
      return (node.verdict.value, node.verdict.gaps, true)
    case .environment, .sharedFile:
      return (
        nil,
        [
          Gap(
            read: "the credentials in the container", why: "they are its own, and only STS knows whose",
            how: "\(target.kubectl) -n \(reading.namespace) exec \(entity.name) -- aws sts get-caller-identity")
        ], false
      )
    case nil: return (nil, chain.gaps, false)
    }
  }
}
