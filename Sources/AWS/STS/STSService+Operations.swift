import Mechanisms
import Wire
import World

extension STSService {
  static var identityOperations: [String: Operation<STSService>] {
    ["GetCallerIdentity": getCallerIdentity, "GetAccessKeyInfo": getAccessKeyInfo]
  }

  static var sessionOperations: [String: Operation<STSService>] {
    [
      "AssumeRole": assumeRole, "GetSessionToken": getSessionToken, "GetFederationToken": getFederationToken,
      "AssumeRoleWithWebIdentity": assumeRoleWithWebIdentity,
    ]
  }

  private func getCallerIdentity(_ request: AWSRequest) throws(AWSError) -> JSON {
    [
      "UserId": .string(request.principal.userID), "Account": .string(request.principal.account),
      "Arn": .string(request.principal.arn),
    ]
  }

  private func getAccessKeyInfo(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["Account": .string(world.account)]
  }

  func json(_ session: STSSession, _ credentials: AWSCredentials) -> JSON {
    [
      "AccessKeyId": .string(session.accessKeyID), "SecretAccessKey": .string(credentials.secretAccessKey),
      "SessionToken": JSON(credentials.sessionToken), "Expiration": .time(session.expires),
    ]
  }

  func policies(in input: JSON) throws(AWSError) -> [JSON] {
    var all: [JSON] = []
    if let text = input["Policy"].string {
      guard let value = try? JSON.parse(Array(text.utf8)), value.object != nil else {
        throw .malformedPolicy("The policy is not in the valid JSON format.")
      }
      all.append(value)
    }
    for named in input["PolicyArns"].items {
      let arn = named["arn"].string ?? ""
      guard let text = iam.managedDocument(arn), let value = try? JSON.parse(Array(text.utf8)) else {
        throw AWSError(
          code: "ValidationError", message: "Policy \(arn) does not exist or is not attachable.", status: 400)
      }
      all.append(value)
    }
    return all
  }

  func duration(_ input: JSON, of role: IAMRole) throws(AWSError) -> Duration {
    let seconds = input["DurationSeconds"].int ?? 3600
    guard seconds <= role.maxSession else {
      throw AWSError(
        code: "ValidationError",
        message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", status: 400)
    }
    return .seconds(seconds)
  }

  private func assumeRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let arn = input["RoleArn"].string ?? ""
    let name = input["RoleSessionName"].string ?? ""
    // Transitive tags of the caller's session go on, and may not be given anew.
    let before = sessions[request.principal.accessKeyID]
    let inherited = before?.transitiveTags ?? []
    var tags = Tags(input["Tags"])
    for key in inherited { tags[key] = before?.tags?[key] }
    let transitive = inherited + input["TransitiveTagKeys"].strings.filter { !inherited.contains($0) }
    guard let role = iam.role(arn: arn), role.service == nil || request.principal.service != nil else {
      throw AWSError(
        code: "AccessDenied",
        message: AccessDenied.assumeRoleMessage(caller: request.principal.arn, role: arn), status: 403)
    }
    if let refusal = iam.refusal(toAssume: role, request) { throw refusal }
    if !tags.isEmpty, let refusal = iam.refusal(toAssume: role, request, "sts:TagSession", tags: tags) { throw refusal }
    let identity = before?.sourceIdentity ?? input["SourceIdentity"].string
    if identity != nil {
      guard input["SourceIdentity"].isNull || input["SourceIdentity"].string == identity else {
        throw AWSError(
          code: "AccessDenied",
          message: AccessDenied.assumeRoleMessage(
            caller: request.principal.arn, role: arn, action: "sts:SetSourceIdentity"), status: 403)
      }
      if let refusal = iam.refusal(toAssume: role, request, "sts:SetSourceIdentity") { throw refusal }
    }
    if request.principal.kind == .assumedRole, request.principal.service == nil,
      (input["DurationSeconds"].int ?? 0) > 3600
    {
      throw AWSError(
        code: "ValidationError",
        message: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        status: 400)
    }
    let (session, credentials) = makeSession(
      role: role, name: name, duration: try duration(input, of: role), policies: try policies(in: input),
      tags: tags, transitiveTags: transitive)
    if identity != nil { sessions.update(session.accessKeyID) { $0.sourceIdentity = identity } }
    return [
      "Credentials": json(session, credentials),
      "AssumedRoleUser": ["AssumedRoleId": .string(session.userID), "Arn": .string(session.arn)],
      "SourceIdentity": JSON(identity),
    ]
  }

  /// Credentials for somebody whom a user vouches for: what both the user's policies and the given ones allow.
  private func getFederationToken(_ request: AWSRequest) throws(AWSError) -> JSON {
    let principal = request.principal
    guard principal.kind == .user || principal.kind == .root, let key = iam.keys[principal.accessKeyID] else {
      throw AWSError(
        code: "AccessDenied", message: "Cannot call GetFederationToken with session credentials", status: 403)
    }
    let name = request.input["Name"].string ?? ""
    let tags = Tags(request.input["Tags"])
    let limit = principal.kind == .root ? 3600 : 129_600
    var session = STSSession(
      accessKeyID: iam.newID("ASIA", letters: 16), kind: .federatedUser,
      arn: "arn:aws:sts::\(world.account):federated-user/\(name)", userID: "\(world.account):\(name)",
      user: key.user, policies: try policies(in: request.input), issuedAt: request.now,
      expires: request.now + .seconds(min(limit, request.input["DurationSeconds"].int ?? 43_200)))
    if !tags.isEmpty { session.tags = tags }
    sessions[session.accessKeyID] = session
    return [
      "Credentials": json(session, secrets.make(accessKeyID: session.accessKeyID, temporary: true)),
      "FederatedUser": ["FederatedUserId": .string(session.userID), "Arn": .string(session.arn)],
      "PackedPolicySize": .int(Int64(session.policies.reduce(0) { $0 + $1.text().utf8.count } * 100 / 2048)),
    ]
  }

  private func getSessionToken(_ request: AWSRequest) throws(AWSError) -> JSON {
    let principal = request.principal
    guard principal.kind == .user || principal.kind == .root, iam.keys[principal.accessKeyID] != nil else {
      throw AWSError(
        code: "AccessDenied", message: "Cannot call GetSessionToken with session credentials", status: 403)
    }
    let session = STSSession(
      accessKeyID: iam.newID("ASIA", letters: 16), kind: principal.kind == .root ? .root : .user, arn: principal.arn,
      userID: principal.userID, issuedAt: request.now,
      expires: request.now + .seconds(request.input["DurationSeconds"].int ?? 43_200))
    sessions[session.accessKeyID] = session
    return ["Credentials": json(session, secrets.make(accessKeyID: session.accessKeyID, temporary: true))]
  }
}
