import Wire
import World

extension IAMService {
  static var rolePolicyOperations: [String: Operation<IAMService>] {
    [
      "AttachRolePolicy": attachRolePolicy, "DetachRolePolicy": detachRolePolicy,
      "ListAttachedRolePolicies": listAttachedRolePolicies, "PutRolePolicy": putRolePolicy,
      "GetRolePolicy": getRolePolicy, "DeleteRolePolicy": deleteRolePolicy, "ListRolePolicies": listRolePolicies,
    ]
  }

  private func attachRolePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var role = try existingRole(request)
    try checkModifiable(role)
    try attach(request.input["PolicyArn"].string ?? "", to: &role.policies)
    roles[role.name] = role
    return .emptyObject
  }

  private func detachRolePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var role = try existingRole(request)
    try checkModifiable(role)
    try detach(request.input["PolicyArn"].string ?? "", from: &role.policies)
    roles[role.name] = role
    return .emptyObject
  }

  private func listAttachedRolePolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    try page("AttachedPolicies", attachedList(try existingRole(request).policies), request)
  }

  private func putRolePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var role = try existingRole(request)
    try checkModifiable(role)
    let document = request.input["PolicyDocument"].string ?? ""
    try checkIdentityPolicy(
      document, limit: 10240, limitMessage: "Maximum policy size of 10240 bytes exceeded for role \(role.name)")
    role.policies[inline: request.input["PolicyName"].string ?? ""] = document
    roles[role.name] = role
    return .emptyObject
  }

  private func getRolePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    let name = request.input["PolicyName"].string ?? ""
    guard let document = role.policies[inline: name] else {
      throw .noSuchEntity("The role policy with name \(name) cannot be found.")
    }
    return [
      "RoleName": .string(role.name), "PolicyName": .string(name),
      "PolicyDocument": .string(PercentEncoding.encode(document)),
    ]
  }

  private func deleteRolePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var role = try existingRole(request)
    let name = request.input["PolicyName"].string ?? ""
    guard role.policies[inline: name] != nil else {
      throw .noSuchEntity("The role policy with name \(name) cannot be found.")
    }
    role.policies[inline: name] = nil
    roles[role.name] = role
    return .emptyObject
  }

  private func listRolePolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    return try page("PolicyNames", role.policies.inline.map { ($0.name, .string($0.name)) }, request)
  }
}
