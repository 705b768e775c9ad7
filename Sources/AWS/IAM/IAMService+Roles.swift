import Wire
import World

extension IAMService {
  static var roleOperations: [String: Operation<IAMService>] {
    [
      "CreateRole": createRole, "GetRole": getRole, "ListRoles": listRoles, "DeleteRole": deleteRole,
      "UpdateRole": updateRole, "UpdateRoleDescription": updateRoleDescription,
      "UpdateAssumeRolePolicy": updateAssumeRolePolicy, "TagRole": tagRole, "UntagRole": untagRole,
      "ListRoleTags": listRoleTags, "CreateServiceLinkedRole": createServiceLinkedRole,
      "DeleteServiceLinkedRole": deleteServiceLinkedRole,
      "GetServiceLinkedRoleDeletionStatus": serviceLinkedRoleDeletionStatus,
      "PutRolePermissionsBoundary": putRoleBoundary, "DeleteRolePermissionsBoundary": deleteRoleBoundary,
    ]
  }

  func json(_ role: IAMRole, whole: Bool = true) -> JSON {
    var value: JSON = [
      "Path": .string(role.path), "RoleName": .string(role.name), "RoleId": .string(role.id),
      "Arn": .string(arn(of: role)), "CreateDate": .time(role.createdAt),
      "AssumeRolePolicyDocument": .string(PercentEncoding.encode(role.trust)),
      "Description": JSON(role.description), "MaxSessionDuration": .int(Int64(role.maxSession)),
      "PermissionsBoundary": boundary(role.policies),
    ]
    if whole {
      value["Tags"] = role.tags.json
      value["RoleLastUsed"] =
        role.lastUsed.map {
          ["LastUsedDate": .time($0), "Region": .string(world.region)]
        } ?? .emptyObject
    }
    return value
  }

  private func createRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let name = input["RoleName"].string ?? ""
    let trust = input["AssumeRolePolicyDocument"].string ?? ""
    if input["Path"].string?.hasPrefix("/aws-service-role/") == true {
      throw AWSError(
        code: "ValidationError",
        message: "A path that starts with /aws-service-role/ is for service-linked roles", status: 400)
    }
    if let same = roles.keys.first(where: { $0.lowercased() == name.lowercased() }) {
      throw AWSError(code: "EntityAlreadyExists", message: "Role with name \(same) already exists.", status: 409)
    }
    try checkTrustPolicy(trust)
    var role = IAMRole(
      name: name, path: input["Path"].string ?? "/", id: newID("AROA"), createdAt: request.now, trust: trust,
      description: input["Description"].string, maxSession: input["MaxSessionDuration"].int ?? 3600,
      tags: Tags(input["Tags"]))
    role.policies.boundary = input["PermissionsBoundary"].string
    roles[name] = role
    return ["Role": json(role)]
  }

  private func getRole(_ request: AWSRequest) throws(AWSError) -> JSON { ["Role": json(try existingRole(request))] }

  private func listRoles(_ request: AWSRequest) throws(AWSError) -> JSON {
    let prefix = request.input["PathPrefix"].string ?? "/"
    return try page(
      "Roles", roles.all.filter { $0.path.hasPrefix(prefix) }.map { ($0.name, json($0, whole: false)) }, request)
  }

  private func deleteRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    if role.service != nil {
      throw AWSError(
        code: "UnmodifiableEntity",
        message:
          "Cannot perform the operation on the protected role '\(role.name)' - this role is only modifiable by AWS",
        status: 400)
    }
    if profiles.first(where: { $0.roles.contains(role.name) }) != nil {
      throw .deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    }
    guard role.policies.attached.isEmpty else {
      throw .deleteConflict("Cannot delete entity, must detach all policies first.")
    }
    guard role.policies.inline.isEmpty else {
      throw .deleteConflict("Cannot delete entity, must delete policies first.")
    }
    roles[role.name] = nil
    return .emptyObject
  }

  private func updateRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    var role = try existingRole(request)
    try checkModifiable(role)
    if let text = request.input["Description"].string { role.description = text }
    if let seconds = request.input["MaxSessionDuration"].int { role.maxSession = seconds }
    roles[role.name] = role
    return .emptyObject
  }

  private func updateRoleDescription(_ request: AWSRequest) throws(AWSError) -> JSON {
    var role = try existingRole(request)
    role.description = request.input["Description"].string
    roles[role.name] = role
    return ["Role": json(role)]
  }

  private func updateAssumeRolePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var role = try existingRole(request)
    try checkModifiable(role)
    let trust = request.input["PolicyDocument"].string ?? ""
    try checkTrustPolicy(trust)
    role.trust = trust
    roles[role.name] = role
    return .emptyObject
  }

  private func tagRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    roles.update(role.name) { $0.tags.add(request.input["Tags"]) }
    return .emptyObject
  }

  private func untagRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    roles.update(role.name) { $0.tags.remove(keys: request.input["TagKeys"].strings) }
    return .emptyObject
  }

  private func listRoleTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["Tags": try existingRole(request).tags.jsonOrEmpty, "IsTruncated": false]
  }

  private func putRoleBoundary(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    let boundary = request.input["PermissionsBoundary"].string ?? ""
    guard managedDocument(boundary) != nil else {
      throw .noSuchEntity("Policy \(boundary) does not exist or is not attachable.")
    }
    roles.update(role.name) { $0.policies.boundary = boundary }
    return .emptyObject
  }

  private func deleteRoleBoundary(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    roles.update(role.name) { $0.policies.boundary = nil }
    return .emptyObject
  }

  func checkModifiable(_ role: IAMRole) throws(AWSError) {
    guard role.service == nil else {
      throw AWSError(
        code: "UnmodifiableEntity",
        message:
          "Cannot perform the operation on the protected role '\(role.name)' - this role is only modifiable by AWS",
        status: 400)
    }
  }
}
