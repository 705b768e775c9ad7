import Mechanisms
import Wire
import World

extension IAMService {
  /// May the principal do what the request needs? Nil when it may.
  func authorize(_ request: AWSRequest, _ requirements: [AWSRequirement]) -> AWSError? {
    guard !requirements.isEmpty, let facts = policyFacts(of: request.principal) else { return nil }
    let around = isServiceLinked(request.principal) ? .none : surroundings(of: request)
    for requirement in requirements {
      let context = context(of: request, requirement, around)
      for resource in requirement.resources {
        let asked = IAMRequest(principal: facts.principal, action: requirement.action, resource: resource)
        let verdict = IAMPolicy.decide(self.facts(asked, context, facts, around))
        if !verdict.isYes { return denial(asked, verdict.reasons, service: request.call.service) }
      }
    }
    return nil
  }

  /// What stands around a request, whoever makes it.
  struct Surroundings {
    var control: ControlPolicies
    var endpoint: EndpointWay.Endpoint?

    /// Neither control policies nor those of endpoints bind a service's own role.
    static let none = Surroundings(control: ControlPolicies())
  }

  private func isServiceLinked(_ principal: AWSPrincipal) -> Bool {
    guard principal.kind == .assumedRole, principal.service != nil else { return false }
    let id = principal.userID.prefix { $0 != ":" }
    return roles.first { $0.id == id }?.service != nil
  }

  func surroundings(of request: AWSRequest) -> Surroundings {
    Surroundings(control: controlPolicies(), endpoint: endpoint(request.call))
  }

  func facts(
    _ asked: IAMRequest, _ context: PolicyContext, _ facts: PolicyFacts?, _ around: Surroundings,
    resourcePolicy: NamedPolicy? = nil
  ) -> IAMPolicy.Facts {
    IAMPolicy.Facts(
      request: .known(asked), context: .known(context), identityPolicies: .known(facts?.identity ?? []),
      boundary: .known(facts?.boundary), sessionPolicies: .known(facts?.session),
      serviceControlPolicies: .known(around.control.service), resourceControlPolicies: .known(around.control.resource),
      endpointPolicy: .known(around.endpoint?.policy), resourcePolicy: .known(resourcePolicy))
  }

  /// The policies that speak for a principal.
  struct PolicyFacts {
    var principal: PolicyPrincipal
    var identity: [NamedPolicy]
    var boundary: NamedPolicy?
    var session: [NamedPolicy]?
  }

  /// Nil for whom no policy binds: a service by itself, and callers whose rights the operation's own rules decide.
  func policyFacts(of principal: AWSPrincipal) -> PolicyFacts? {
    let holder: PolicyHolder
    var more: [NamedPolicy] = []
    switch principal.kind {
    case .service, .anonymous: return nil
    case .root: return PolicyPrincipal(caller: principal.arn).map { PolicyFacts(principal: $0, identity: []) }
    case .federatedUser: return federated(principal)
    case .user:
      guard let user = users.first(where: { $0.id == principal.userID }) else { return nil }
      holder = user.policies
      more = groups(of: user.name).flatMap { identityPolicies($0.policies) }
    case .assumedRole:
      // A role that was deleted leaves its sessions without any permission.
      let id = principal.userID.prefix { $0 != ":" }
      holder = roles.first { $0.id == id }?.policies ?? PolicyHolder()
    }
    guard let known = PolicyPrincipal(caller: principal.arn, roleARN: principal.roleARN) else { return nil }
    var facts = PolicyFacts(principal: known, identity: identityPolicies(holder) + more)
    facts.boundary = holder.boundary.flatMap { named($0) }
    if !principal.sessionPolicies.isEmpty { facts.session = sessionPolicies(principal) }
    return facts
  }

  private func sessionPolicies(_ principal: AWSPrincipal) -> [NamedPolicy] {
    principal.sessionPolicies.enumerated().compactMap { index, json in
      (try? PolicyDocument(json)).map { NamedPolicy("session-\(index)", $0) }
    }
  }

  /// A federated user may what the user may who asked for it and what it was given, so without policies nothing.
  private func federated(_ principal: AWSPrincipal) -> PolicyFacts? {
    guard let known = PolicyPrincipal(caller: principal.arn) else { return nil }
    let name = session(principal.accessKeyID)?.user
    let user = name.flatMap { users[$0] }
    var facts = PolicyFacts(principal: known, identity: user.map(identityPolicies(of:)) ?? [])
    // Root may everything.
    if name == "" { facts.identity = [named("arn:aws:iam::aws:policy/AdministratorAccess")].compactMap { $0 } }
    facts.boundary = user?.policies.boundary.flatMap { named($0) }
    facts.session = sessionPolicies(principal)
    return facts
  }

  /// A user's own policies and those of the groups it is in.
  func identityPolicies(of user: IAMUser) -> [NamedPolicy] {
    identityPolicies(user.policies) + groups(of: user.name).flatMap { identityPolicies($0.policies) }
  }

  func identityPolicies(_ holder: PolicyHolder) -> [NamedPolicy] {
    holder.attached.compactMap { named($0) }
      + holder.inline.compactMap { inline in document(inline.document).map { NamedPolicy(inline.name, $0) } }
  }

  func named(_ arn: String) -> NamedPolicy? {
    if let managed = AWSManagedPolicies.named(arn) { return NamedPolicy(arn, managed.document) }
    return policies[arn].flatMap { document($0.document) }.map { NamedPolicy(arn, $0) }
  }

  /// The document of a text, parsed once.
  func document(_ text: String) -> PolicyDocument? {
    if let known = parsed[text] { return known }
    guard let document = try? PolicyDocument(text: text) else { return nil }
    if parsed.count > 1000 { parsed.removeAll() }
    parsed[text] = document
    return document
  }

  func context(
    of request: AWSRequest, _ requirement: AWSRequirement? = nil, _ around: Surroundings? = nil
  ) -> PolicyContext {
    let principal = request.principal
    var context = PolicyContext()
    add(around ?? surroundings(of: request), request, to: &context)
    context.set("aws:PrincipalArn", principal.roleARN ?? principal.arn)
    context.set("aws:PrincipalAccount", principal.account)
    context.set("aws:userid", principal.userID)
    let type =
      switch principal.kind {
      case .root: "Account"
      case .user: "User"
      case .federatedUser: "FederatedUser"
      default: "AssumedRole"
      }
    context.set("aws:PrincipalType", type)
    context.set("aws:SourceIdentity", session(principal.accessKeyID)?.sourceIdentity)
    if principal.kind == .user {
      context.set("aws:username", principal.arn.split(separator: "/").last.map(String.init))
    }
    for (key, value) in principal.tags { context.set("aws:PrincipalTag/\(key)", value) }
    context.set("aws:CurrentTime", request.now.rfc3339)
    context.set("aws:EpochTime", String(request.now.seconds))
    context.set("aws:RequestedRegion", request.region)
    context.set("aws:SecureTransport", "true")
    if !request.call.userAgent.isEmpty { context.set("aws:UserAgent", request.call.userAgent) }
    if let source = request.call.sourceARN {
      context.set("aws:SourceArn", source)
      context.set("aws:SourceAccount", request.account)
    }
    for (key, values) in (requirement?.context ?? [:]).sorted(by: { $0.key < $1.key }) {
      context.set(key, values: values)
    }
    return context
  }

  /// Where the call comes from, and to whose organisation the caller and the resource belong.
  private func add(_ around: Surroundings, _ request: AWSRequest, to context: inout PolicyContext) {
    if let endpoint = around.endpoint {
      context.set("aws:SourceVpce", endpoint.id)
      context.set("aws:SourceVpc", endpoint.vpc)
      context.set("aws:VpcSourceIp", request.call.sourceIP)
    } else if !request.call.sourceIP.isEmpty {
      context.set("aws:SourceIp", request.call.sourceIP)
    }
    context.set("aws:ResourceAccount", request.account)
    let isService = request.principal.kind == .service
    context.set("aws:PrincipalIsAWSService", isService ? "true" : "false")
    guard !around.control.organization.isEmpty else { return }
    context.set("aws:ResourceOrgID", around.control.organization)
    context.set("aws:ResourceOrgPaths", values: [around.control.path])
    guard !isService, request.principal.kind != .anonymous else { return }
    context.set("aws:PrincipalOrgID", around.control.organization)
    context.set("aws:PrincipalOrgPaths", values: [around.control.path])
  }

  private func denial(_ asked: IAMRequest, _ reasons: [PolicyReason], service: String) -> AWSError {
    switch service {
    case "ec2":
      AWSError(
        code: "UnauthorizedOperation", message: AccessDenied.ec2Message(asked, reasons, encoded: nil), status: 403)
    case "eks": AWSError(code: "AccessDeniedException", message: AccessDenied.message(asked, reasons), status: 403)
    case "logs", "cloudtrail", "kms", "eks-auth":
      AWSError(code: "AccessDeniedException", message: AccessDenied.message(asked, reasons), status: 400)
    default: AWSError(code: "AccessDenied", message: AccessDenied.message(asked, reasons), status: 403)
    }
  }

  // MARK: - Trust

  /// Why the caller may not assume the role, in AWS's words: by the role's trust, by the caller's own policies where
  /// the trust names the account alone, or by what stands above both. Nil when it may.
  func refusal(
    toAssume role: IAMRole, _ request: AWSRequest, _ action: String = "sts:AssumeRole", tags: Tags? = nil
  ) -> AWSError? {
    let principal = request.principal
    let asking: PolicyPrincipal? =
      principal.kind == .service
      ? .service(principal.service ?? principal.arn)
      : PolicyPrincipal(caller: principal.arn, roleARN: principal.roleARN)
    let around = surroundings(of: request)
    var context = context(of: request, nil, around)
    context.set("sts:RoleSessionName", request.input["RoleSessionName"].string)
    let tags = tags ?? Tags(request.input["Tags"])
    for tag in tags.list { context.set("aws:RequestTag/\(tag.key)", tag.value) }
    if !tags.isEmpty { context.set("aws:TagKeys", values: tags.list.map(\.key)) }
    if !request.input["TransitiveTagKeys"].isNull {
      context.set("sts:TransitiveTagKeys", values: request.input["TransitiveTagKeys"].strings)
    }
    context.set("sts:ExternalId", request.input["ExternalId"].string)
    context.set(
      "sts:SourceIdentity", request.input["SourceIdentity"].string ?? session(principal.accessKeyID)?.sourceIdentity)
    var reasons: [PolicyReason] = []
    if let asking, let trust = document(role.trust) {
      let asked = IAMRequest(principal: asking, action: action, resource: arn(of: role))
      let verdict = TrustedUse.decide(
        .init(
          trust: .known(NamedPolicy(arn(of: role), trust)),
          policies: facts(asked, context, policyFacts(of: principal), around)))
      if verdict.isYes { return nil }
      reasons = verdict.reasons
    }
    return AWSError(
      code: "AccessDenied",
      message: AccessDenied.assumeRoleMessage(
        caller: principal.arn, role: arn(of: role), action: action, reasons: reasons),
      status: 403)
  }

  /// Whether the role's trust lets the holder of a web identity assume it.
  func mayAssume(
    _ role: IAMRole, _ claims: WebIdentityToken.Claims, provider: String, _ request: AWSRequest
  ) -> Bool {
    guard let trust = document(role.trust) else { return false }
    let around = surroundings(of: request)
    var context = context(of: request, nil, around)
    context.add(WebIdentityToken.context(claims))
    context.set("sts:RoleSessionName", request.input["RoleSessionName"].string)
    let asked = IAMRequest(
      principal: .webIdentity(provider: provider), action: "sts:AssumeRoleWithWebIdentity", resource: arn(of: role))
    return TrustedUse.decide(
      .init(trust: .known(NamedPolicy(arn(of: role), trust)), policies: facts(asked, context, nil, around))
    ).isYes
  }
}

/// AWS's own managed policies.
enum AWSManagedPolicies {
  private static let byARN: [String: ManagedPolicy] = Dictionary(ManagedPolicy.all.map { ($0.arn, $0) }) { $1 }

  static var arns: [String] { ManagedPolicy.all.map(\.arn) }
  static func named(_ arn: String) -> ManagedPolicy? { byARN[arn] }
  static func document(_ arn: String) -> String? { byARN[arn]?.json.text() }
}
