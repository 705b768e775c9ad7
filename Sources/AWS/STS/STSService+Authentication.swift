import Wire
import World

extension STSService {
  /// Signature and credentials to principal.
  func authenticate(_ call: AWSCall) -> Result<AWSPrincipal, AWSError> {
    switch call.caller {
    case .service(let service, let roleARN, let session):
      return .success(servicePrincipal(service, roleARN: roleARN, session: session))
    case .credential(let id):
      return principal(id, call)
    case .anonymous:
      guard AWSServiceModel.named(call.service)?.operation(call.operation)?.isUnsigned == true else {
        return .failure(SigV4Failure.missing.error(in: format(call)))
      }
      return .success(AWSPrincipal(kind: .anonymous, account: world.account, arn: "", userID: ""))
    case .signed(let http):
      let model = AWSServiceModel.named(call.service)
      switch judge(http, service: model?.signingName, now: call.callerClock ?? world.now) {
      case .success(let id): return principal(id, call)
      case .failure(let failure):
        if failure == .missing, model?.operation(call.operation)?.isUnsigned == true {
          return .success(AWSPrincipal(kind: .anonymous, account: world.account, arn: "", userID: ""))
        }
        return .failure(failure.error(in: format(call)))
      }
    }
  }

  /// The access key whose secret made the signature. Secrets are the system's chance, so this is an answer from
  /// outside the world.
  private func judge(_ http: HTTPRequest, service: String?, now: Timestamp) -> Result<String, SigV4Failure> {
    let answer = world.inputs.answer("signature") {
      let judged = SigV4.verify(http, service: service, now: now) { [self] id in
        isActive(id) ? secrets.credentials(of: id) : nil
      }
      switch judged {
      case .success(let claim): return ["key": .string(claim.accessKeyID)]
      case .failure(let failure): return ["failure": (try? JSON(encoding: failure)) ?? .null]
      }
    }
    if let id = answer["key"].string { return .success(id) }
    return .failure((try? answer["failure"].decode(SigV4Failure.self)) ?? .missing)
  }

  /// Why credentials that a program in the world was given by hand are none; nil where they hold.
  func fault(of credentials: AWSCredentials, for service: String) -> AWSError? {
    let format = AWSServiceModel.named(service)?.format ?? .restXML
    let failure = world.inputs.answer("credentials") {
      guard let known = isActive(credentials.accessKeyID) ? secrets.credentials(of: credentials.accessKeyID) : nil
      else { return "key" }
      return known == credentials ? .null : known.sessionToken == credentials.sessionToken ? "secret" : "key"
    }
    switch failure.string {
    case "secret": return SigV4Failure.mismatch.error(in: format)
    case "key": return SigV4Failure.unknownKey.error(in: format)
    default: return nil
    }
  }

  private func format(_ call: AWSCall) -> AWSFormat { AWSServiceModel.named(call.service)?.format ?? .query }

  private func isActive(_ id: String) -> Bool { sessions[id] != nil || iam.keys[id]?.isActive == true }

  private func servicePrincipal(_ service: String, roleARN: String?, session: String?) -> AWSPrincipal {
    guard let roleARN, let role = iam.role(arn: roleARN) else {
      var principal = AWSPrincipal(kind: .service, account: world.account, arn: service, userID: service)
      principal.service = service
      return principal
    }
    let name = session ?? String(service.prefix { $0 != "." })
    var principal = AWSPrincipal(
      kind: .assumedRole, account: world.account,
      arn: "arn:aws:sts::\(world.account):assumed-role/\(role.name)/\(name)", userID: "\(role.id):\(name)")
    principal.roleARN = roleARN
    principal.service = service
    return principal
  }

  /// Who holds an access key, now.
  private func principal(_ id: String, _ call: AWSCall) -> Result<AWSPrincipal, AWSError> {
    if let session = sessions[id] {
      guard world.now < session.expires else { return .failure(SigV4Failure.expiredToken(in: format(call))) }
      let kind: AWSPrincipal.Kind =
        switch session.kind {
        case .assumedRole: .assumedRole
        case .user: .user
        case .federatedUser: .federatedUser
        case .root: .root
        }
      var principal = AWSPrincipal(
        kind: kind, account: world.account, arn: session.arn, userID: session.userID, accessKeyID: id)
      principal.roleARN = session.roleARN
      principal.sessionPolicies = session.policies
      principal.issuedAt = session.issuedAt
      principal.provider = session.provider
      for tag in session.tags?.list ?? [] { principal.tags[tag.key] = tag.value }
      return .success(principal)
    }
    guard let key = iam.keys[id], key.isActive else {
      return .failure(SigV4Failure.unknownKey.error(in: format(call)))
    }
    if key.user.isEmpty {
      return .success(
        AWSPrincipal(
          kind: .root, account: world.account, arn: "arn:aws:iam::\(world.account):root", userID: world.account,
          accessKeyID: id))
    }
    guard let user = iam.users[key.user] else { return .failure(SigV4Failure.unknownKey.error(in: format(call))) }
    return .success(
      AWSPrincipal(
        kind: .user, account: world.account, arn: iam.arn(of: user), userID: user.id, accessKeyID: id))
  }
}
