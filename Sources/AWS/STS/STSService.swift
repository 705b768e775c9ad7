package import Wire
package import World

/// The Security Token Service: who a caller is, and temporary credentials.
package final class STSService: AWSService {
  package let name = "sts"
  unowned let world: World
  let iam: IAMService
  let secrets: any SecretKeeper
  let sessions: Table<STSSession>

  private let operations: [String: Operation<STSService>]
  package let modelled: Set<String>

  init(world: World, iam: IAMService, secrets: any SecretKeeper) {
    self.world = world
    self.iam = iam
    self.secrets = secrets
    sessions = Table("sts-session", in: world)
    operations = .joined([Self.identityOperations, Self.sessionOperations])
    modelled = Set(operations.keys)
    iam.session = { [sessions] in sessions[$0] }
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard let operation = operations[request.operation] else {
      throw .unsupported(service: name, operation: request.operation)
    }
    return try operation(self)(request)
  }

  /// GetCallerIdentity needs no permission, and whether a role may be assumed its own trust decides too.
  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    switch request.operation {
    case "GetCallerIdentity", "GetSessionToken", "AssumeRole", "AssumeRoleWithWebIdentity": []
    // A session is refused by the operation itself, whatever its policies say.
    case "GetFederationToken" where iam.keys[request.principal.accessKeyID] == nil: []
    case "GetFederationToken":
      [
        AWSRequirement(
          "sts:GetFederationToken",
          resources: ["arn:aws:sts::\(world.account):federated-user/\(request.input["Name"].string ?? "")"])
      ]
    default: [AWSRequirement("sts:\(request.operation)")]
    }
  }

  /// Makes a session of a role and keeps it.
  func makeSession(
    role: IAMRole, name: String, duration: Duration, policies: [JSON] = [], instance: String? = nil,
    provider: String? = nil,
    tags: Tags = Tags(), transitiveTags: [String] = []
  ) -> (STSSession, AWSCredentials) {
    prune()
    var session = STSSession(
      accessKeyID: iam.newID("ASIA", letters: 16), kind: .assumedRole,
      arn: "arn:aws:sts::\(world.account):assumed-role/\(role.name)/\(name)", userID: "\(role.id):\(name)",
      roleARN: iam.arn(of: role), policies: policies, issuedAt: world.now, expires: world.now + duration,
      instance: instance, provider: provider)
    if !tags.isEmpty { (session.tags, session.transitiveTags) = (tags, transitiveTags) }
    sessions[session.accessKeyID] = session
    iam.roles.update(role.name) { $0.lastUsed = world.now }
    return (session, secrets.make(accessKeyID: session.accessKeyID, temporary: true))
  }

  /// Drops sessions that have been over for a day; until then their use is answered as expired.
  private func prune() {
    guard sessions.count > 256 else { return }
    for session in sessions.all where session.expires + .seconds(86_400) < world.now {
      sessions[session.accessKeyID] = nil
      secrets.forget(accessKeyID: session.accessKeyID)
    }
  }

  /// The credentials that an instance's metadata service hands out: those of its profile's role, renewed
  /// some minutes before their end. Nil where the instance has no role.
  package func instanceCredentials(_ instanceID: String, profile: String) -> (accessKeyID: String, expires: Timestamp)?
  {
    guard let profile = iam.profiles[profile], let role = profile.roles.first.flatMap({ iam.roles[$0] }) else {
      return nil
    }
    let arn = iam.arn(of: role)
    let current = sessions.all.last {
      $0.instance == instanceID && $0.roleARN == arn && $0.userID.hasPrefix("\(role.id):")
        && world.now < $0.expires - .seconds(300)
    }
    if let current { return (current.accessKeyID, current.expires) }
    let (made, _) = makeSession(role: role, name: instanceID, duration: .seconds(21_600), instance: instanceID)
    return (made.accessKeyID, made.expires)
  }
}
