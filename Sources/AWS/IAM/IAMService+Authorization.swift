import Mechanisms
import Wire
import World

extension IAMService {
  /// May the principal do what the request needs? Nil when it may.
  func authorize(_ request: AWSRequest, _ requirements: [AWSRequirement]) -> AWSError? {
    guard !requirements.isEmpty, let facts = policyFacts(of: request.principal) else { return nil }
    for requirement in requirements {
      for resource in requirement.resources {
        let asked = IAMRequest(principal: facts.principal, action: requirement.action, resource: resource)
        let verdict = IAMPolicy.decide(
          .init(
            request: .known(asked), context: .known(context(of: request, requirement)),
            identityPolicies: .known(facts.identity), boundary: .known(facts.boundary),
            sessionPolicies: .known(facts.session)))
        if !verdict.isYes { return denial(asked, verdict.reasons, service: request.call.service) }
      }
    }
    return nil
  }

  /// The policies that speak for a principal.
  struct PolicyFacts {
    var principal: PolicyPrincipal
    var identity: [NamedPolicy]
    var boundary: NamedPolicy?
    var session: [NamedPolicy]?
  }

  /// Nil for whom no policy binds: root, a service by itself, and callers whose rights the operation's own
  /// rules decide.
  func policyFacts(of principal: AWSPrincipal) -> PolicyFacts? {
    let holder: PolicyHolder
    var more: [NamedPolicy] = []
    switch principal.kind {
    case .root, .service, .anonymous: return nil
    case .federatedUser: return federated(principal)
    case .user:
      guard let user = users.first(where: { $0.id == principal.userID }) else { return nil }
      holder = user.policies
      more = groups(of: user.name).flatMap { identityPolicies($0.policies) }
    case .assumedRole:
      // A role that was deleted leaves its sessions without any permission.
      let id = principal.userID.prefix { $0 != ":" }
      let role = roles.first { $0.id == id }
      // What a service's own role may is AWS's business; nobody can change it.
      if let role, role.service != nil { return nil }
      holder = role?.policies ?? PolicyHolder()
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

  func context(of request: AWSRequest, _ requirement: AWSRequirement? = nil) -> PolicyContext {
    let principal = request.principal
    var context = PolicyContext()
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
    if !request.call.sourceIP.isEmpty { context.set("aws:SourceIp", request.call.sourceIP) }
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

  /// Whether the role's trust (and where it only names the account, the caller's own policies) lets the
  /// caller assume it.
  func mayAssume(
    _ role: IAMRole, _ request: AWSRequest, _ action: String = "sts:AssumeRole", tags: Tags? = nil
  ) -> Bool {
    let principal = request.principal
    let asking: PolicyPrincipal? =
      principal.kind == .service
      ? .service(principal.service ?? principal.arn)
      : PolicyPrincipal(caller: principal.arn, roleARN: principal.roleARN)
    guard let asking, let trust = document(role.trust) else { return false }
    var context = context(of: request)
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
    let verdict = TrustPolicy.decide(
      .init(
        trust: .known(NamedPolicy(arn(of: role), trust)), principal: .known(asking),
        action: .known(action), context: .known(context)))
    switch verdict.value {
    case .direct: return true
    case .account:
      return authorize(request, [AWSRequirement(action, resources: [arn(of: role)])]) == nil
    case nil: return false
    }
  }

  /// Whether the role's trust lets the holder of a web identity assume it.
  func mayAssume(
    _ role: IAMRole, _ claims: WebIdentityToken.Claims, provider: String, _ request: AWSRequest
  ) -> Bool {
    guard let trust = document(role.trust) else { return false }
    var context = context(of: request)
    context.add(WebIdentityToken.context(claims))
    context.set("sts:RoleSessionName", request.input["RoleSessionName"].string)
    return TrustPolicy.decide(
      .init(
        trust: .known(NamedPolicy(arn(of: role), trust)), principal: .known(.webIdentity(provider: provider)),
        action: .known("sts:AssumeRoleWithWebIdentity"), context: .known(context))
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
