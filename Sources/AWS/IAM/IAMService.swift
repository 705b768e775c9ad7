import Mechanisms
package import Wire
package import World

/// AWS Identity and Access Management: who there is in the account, and what they may.
package final class IAMService: AWSService {
  package let name = "iam"
  unowned let world: World
  let secrets: any SecretKeeper

  let users: Table<IAMUser>
  let keys: Table<AccessKey>
  let roles: Table<IAMRole>
  let policies: Table<IAMPolicyRow>
  let profiles: Table<InstanceProfile>
  let providers: Table<OpenIDProvider>
  let aliases: Table<String>
  let groups: Table<IAMGroup>

  /// What STS knows of a session: the user who federated it, its source identity. Registered by STS.
  var session: (_ accessKeyID: String) -> STSSession? = { _ in nil }

  /// What binds the account from above. Registered by Organizations.
  var controlPolicies: () -> ControlPolicies = { ControlPolicies() }
  /// The VPC endpoint that a call of the world comes through; nil for calls that come another way. Registered by EC2.
  var endpoint: (_ call: AWSCall) -> EndpointWay.Endpoint? = { _ in nil }

  /// Documents by their text, parsed once; only an index.
  var parsed: [String: PolicyDocument] = [:]

  private let operations: [String: Operation<IAMService>]
  package let modelled: Set<String>

  init(world: World, secrets: any SecretKeeper) {
    self.world = world
    self.secrets = secrets
    users = Table("iam-user", in: world)
    keys = Table("iam-key", in: world)
    roles = Table("iam-role", in: world)
    policies = Table("iam-policy", in: world)
    profiles = Table("iam-profile", in: world)
    providers = Table("iam-oidc", in: world)
    aliases = Table("iam-alias", in: world)
    groups = Table("iam-group", in: world)
    operations = .joined([
      Self.userOperations, Self.keyOperations, Self.roleOperations, Self.rolePolicyOperations,
      Self.userPolicyOperations, Self.groupOperations,
      Self.policyOperations, Self.profileOperations, Self.providerOperations, Self.simulationOperations,
    ])
    modelled = Set(operations.keys)
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard let operation = operations[request.operation] else {
      throw .unsupported(service: name, operation: request.operation)
    }
    return try operation(self)(request)
  }

  /// The administrator that a new account begins with.
  static let administratorName = "admin"

  var administratorKey: String { keys.first { $0.user == Self.administratorName }?.id ?? "" }

  /// Furnishes a new account: the administrator with an access key.
  func furnish() {
    let user = IAMUser(
      name: Self.administratorName, path: "/", id: newID("AIDA"), createdAt: world.now,
      policies: PolicyHolder(attached: ["arn:aws:iam::aws:policy/AdministratorAccess"]))
    users[user.name] = user
    _ = makeKey(user: user.name)
  }

  func makeKey(user: String) -> AWSCredentials {
    let key = AccessKey(id: newID("AKIA", letters: 16), user: user, createdAt: world.now)
    keys[key.id] = key
    return secrets.make(accessKeyID: key.id, temporary: false)
  }

  /// `AROA…`: 17 letters and digits behind the prefix, 16 for access keys.
  func newID(_ prefix: String, letters: Int = 17) -> String {
    prefix + world.newID { $0.letters(letters, from: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") }
  }

  func arn(_ kind: String, _ path: String, _ name: String) -> String {
    "arn:aws:iam::\(world.account):\(kind)\(path)\(name)"
  }
  func arn(of user: IAMUser) -> String { arn("user", user.path, user.name) }
  func arn(of role: IAMRole) -> String { arn("role", role.path, role.name) }
  func arn(of profile: InstanceProfile) -> String { arn("instance-profile", profile.path, profile.name) }

  /// The role of an ARN, with its path.
  func role(arn wanted: String) -> IAMRole? {
    guard let name = wanted.split(separator: "/").last, let role = roles[String(name)], arn(of: role) == wanted else {
      return nil
    }
    return role
  }

  package func requirements(_ request: AWSRequest) -> [AWSRequirement] {
    let input = request.input
    var resource = "*"
    if let arn = input["PolicyArn"].string, input["RoleName"].isNull, input["UserName"].isNull,
      input["GroupName"].isNull
    {
      resource = arn
    } else if let name = input["InstanceProfileName"].string {
      resource = profiles[name].map(arn(of:)) ?? arn("instance-profile", input["Path"].string ?? "/", name)
    } else if let name = input["GroupName"].string {
      resource = groups[name].map(arn(of:)) ?? arn("group", input["Path"].string ?? "/", name)
    } else if let name = input["RoleName"].string {
      resource = roles[name].map(arn(of:)) ?? arn("role", input["Path"].string ?? "/", name)
    } else if let name = input["UserName"].string {
      resource = users[name].map(arn(of:)) ?? arn("user", input["Path"].string ?? "/", name)
    } else if let name = input["PolicyName"].string {
      resource = arn("policy", input["Path"].string ?? "/", name)
    } else if let arn = input["OpenIDConnectProviderArn"].string {
      resource = arn
    } else if request.operation.hasSuffix("User") || request.operation.contains("AccessKey") {
      if request.principal.kind == .user { resource = request.principal.arn }
    }
    var context: [String: [String]] = [:]
    if let arn = input["PolicyArn"].string { context["iam:PolicyARN"] = [arn] }
    if let arn = input["PermissionsBoundary"].string { context["iam:PermissionsBoundary"] = [arn] }
    if let service = input["AWSServiceName"].string { context["iam:AWSServiceName"] = [service] }
    for tag in input["Tags"].items {
      if let key = tag["Key"].string { context["aws:RequestTag/\(key)"] = [tag["Value"].string ?? ""] }
    }
    var all = [AWSRequirement("iam:\(request.operation)", resources: [resource], context: context)]
    if request.operation == "AddRoleToInstanceProfile", let name = input["RoleName"].string {
      all.append(
        AWSRequirement(
          "iam:PassRole", resources: [roles[name].map(arn(of:)) ?? arn("role", "/", name)],
          context: ["iam:PassedToService": ["ec2.amazonaws.com"]]))
    }
    return all
  }

  /// A page of a list in IAM's way.
  func page(_ name: String, _ all: [(key: String, value: JSON)], _ request: AWSRequest) throws(AWSError) -> JSON {
    let limit = request.input["MaxItems"].int ?? 100
    guard let page = Page(all, token: request.input["Marker"].string, limit: limit) else {
      throw AWSError(code: "ValidationError", message: "Invalid Marker.", status: 400)
    }
    return [
      name: .array(page.elements), "IsTruncated": .bool(page.next != nil), "Marker": JSON(page.next),
    ]
  }
}

// MARK: - What is said in more than one place

extension AWSError {
  static func noSuchEntity(_ message: String) -> AWSError {
    AWSError(code: "NoSuchEntity", message: message, status: 404)
  }
  static func deleteConflict(_ message: String) -> AWSError {
    AWSError(code: "DeleteConflict", message: message, status: 409)
  }
  static func malformedPolicy(_ message: String) -> AWSError {
    AWSError(code: "MalformedPolicyDocument", message: message, status: 400)
  }
}

extension IAMService {
  func existingRole(_ request: AWSRequest) throws(AWSError) -> IAMRole {
    let name = request.input["RoleName"].string ?? ""
    guard let role = roles[name] else { throw .noSuchEntity("The role with name \(name) cannot be found.") }
    return role
  }

  /// The user an operation names, or the caller's own.
  func existingUser(_ request: AWSRequest) throws(AWSError) -> IAMUser {
    let named = request.input["UserName"].string
    if named == nil, request.principal.kind == .user {
      if let own = users.first(where: { $0.id == request.principal.userID }) { return own }
    }
    guard let named else {
      throw AWSError(
        code: "ValidationError", message: "Must specify userName when calling with non-User credentials", status: 400)
    }
    guard let user = users[named] else { throw .noSuchEntity("The user with name \(named) cannot be found.") }
    return user
  }

  func json(_ tags: Tags) -> JSON { tags.json }

  /// Paths of the account's managed policies and AWS's own.
  func managedDocument(_ arn: String) -> String? {
    if let own = policies[arn] { return own.document }
    return AWSManagedPolicies.document(arn)
  }

  func policyName(_ arn: String) -> String { String(arn.split(separator: "/").last ?? "") }

  /// Attaches a managed policy.
  func attach(_ arn: String, to holder: inout PolicyHolder) throws(AWSError) {
    guard managedDocument(arn) != nil else {
      throw .noSuchEntity("Policy \(arn) does not exist or is not attachable.")
    }
    guard !holder.attached.contains(arn) else { return }
    guard holder.attached.count < 10 else {
      throw AWSError(
        code: "LimitExceeded", message: "Cannot exceed quota for PoliciesPerRole: 10", status: 409)
    }
    holder.attached.append(arn)
  }

  func detach(_ arn: String, from holder: inout PolicyHolder) throws(AWSError) {
    guard let at = holder.attached.firstIndex(of: arn) else { throw .noSuchEntity("Policy \(arn) was not found.") }
    holder.attached.remove(at: at)
  }

  func attachedList(_ holder: PolicyHolder) -> [(key: String, value: JSON)] {
    holder.attached.map { arn in
      (policyName(arn), ["PolicyName": .string(policyName(arn)), "PolicyArn": .string(arn)] as JSON)
    }.sorted { $0.0 < $1.0 }
  }

  func boundary(_ holder: PolicyHolder) -> JSON {
    guard let arn = holder.boundary else { return .null }
    return ["PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": .string(arn)]
  }

  /// Checks a policy document's form.
  func checkDocument(_ text: String, limit: Int, limitMessage: String) throws(AWSError) {
    let size = text.unicodeScalars.count { !$0.properties.isWhitespace }
    guard size <= limit else { throw AWSError(code: "LimitExceeded", message: limitMessage, status: 409) }
    guard let value = try? JSON.parse(Array(text.utf8)), value.object != nil else {
      throw .malformedPolicy("Syntax errors in policy.")
    }
    let version = value["Version"].string
    guard version == nil || version == "2012-10-17" || version == "2008-10-17" else {
      throw .malformedPolicy("Syntax errors in policy.")
    }
    let statements = value["Statement"].array ?? (value["Statement"].object == nil ? [] : [value["Statement"]])
    guard !statements.isEmpty else { throw .malformedPolicy("Syntax errors in policy.") }
    for statement in statements {
      guard ["Allow", "Deny"].contains(statement["Effect"].string) else {
        throw .malformedPolicy("Syntax errors in policy.")
      }
      guard statement.has("Action") || statement.has("NotAction") else {
        throw .malformedPolicy("Policy statement must contain actions.")
      }
    }
  }

  func statements(of text: String) -> [JSON] {
    guard let value = try? JSON.parse(Array(text.utf8)) else { return [] }
    return value["Statement"].array ?? [value["Statement"]]
  }

  /// An identity policy: statements with resources and without principals.
  func checkIdentityPolicy(_ text: String, limit: Int, limitMessage: String) throws(AWSError) {
    try checkDocument(text, limit: limit, limitMessage: limitMessage)
    for statement in statements(of: text) {
      if statement.has("Principal") || statement.has("NotPrincipal") {
        throw .malformedPolicy("Policy document should not specify a principal.")
      }
      guard statement.has("Resource") || statement.has("NotResource") else {
        throw .malformedPolicy("Policy statement must contain resources.")
      }
    }
  }

  /// A role's trust policy: statements with principals and without resources.
  func checkTrustPolicy(_ text: String) throws(AWSError) {
    try checkDocument(text, limit: 2048, limitMessage: "Cannot exceed quota for ACLSizePerRole: 2048")
    for statement in statements(of: text) {
      if statement.has("Resource") || statement.has("NotResource") {
        throw .malformedPolicy("Has prohibited field Resource")
      }
      guard statement.has("Principal") || statement.has("NotPrincipal") else {
        throw .malformedPolicy("Missing required field Principal")
      }
      let actions = statement["Action"].array?.compactMap(\.string) ?? [statement["Action"].string ?? ""]
      for action in actions where !action.lowercased().hasPrefix("sts:") && action != "*" {
        throw .malformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.")
      }
      for principal in statement["Principal"]["AWS"].array ?? [statement["Principal"]["AWS"]] {
        guard let text = principal.string, !isPrincipal(text) else { continue }
        throw .malformedPolicy("Invalid principal in policy: \"AWS\":\"\(text)\"")
      }
    }
  }

  /// Whether a trust policy's AWS principal exists, as far as this account can tell.
  private func isPrincipal(_ text: String) -> Bool {
    if text == "*" || (text.utf8.count == 12 && text.utf8.allSatisfy { (48...57).contains($0) }) { return true }
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 6, parts[0] == "arn" else { return text.hasPrefix("AROA") || text.hasPrefix("AIDA") }
    guard parts[4] == world.account, parts[2] == "iam" else { return parts[2] == "iam" || parts[2] == "sts" }
    if parts[5] == "root" { return true }
    if parts[5].hasPrefix("role/") { return role(arn: text) != nil }
    if parts[5].hasPrefix("user/") { return users.first { arn(of: $0) == text } != nil }
    return false
  }
}
