import Wire
import World

extension IAMService {
  static var profileOperations: [String: Operation<IAMService>] {
    [
      "CreateInstanceProfile": createInstanceProfile, "GetInstanceProfile": getInstanceProfile,
      "ListInstanceProfiles": listInstanceProfiles, "ListInstanceProfilesForRole": listInstanceProfilesForRole,
      "DeleteInstanceProfile": deleteInstanceProfile, "AddRoleToInstanceProfile": addRoleToInstanceProfile,
      "RemoveRoleFromInstanceProfile": removeRoleFromInstanceProfile,
    ]
  }

  private func json(_ profile: InstanceProfile) -> JSON {
    [
      "Path": .string(profile.path), "InstanceProfileName": .string(profile.name),
      "InstanceProfileId": .string(profile.id), "Arn": .string(arn(of: profile)),
      "CreateDate": .time(profile.createdAt),
      "Roles": .array(profile.roles.compactMap { roles[$0] }.map { json($0, whole: false) }),
      "Tags": profile.tags.json,
    ]
  }

  private func existingProfile(_ request: AWSRequest) throws(AWSError) -> InstanceProfile {
    let name = request.input["InstanceProfileName"].string ?? ""
    guard let profile = profiles[name] else {
      throw .noSuchEntity("Instance Profile \(name) cannot be found.")
    }
    return profile
  }

  private func createInstanceProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    let name = request.input["InstanceProfileName"].string ?? ""
    if profiles[name] != nil {
      throw AWSError(
        code: "EntityAlreadyExists", message: "Instance Profile \(name) already exists.", status: 409)
    }
    let profile = InstanceProfile(
      name: name, path: request.input["Path"].string ?? "/", id: newID("AIPA"), createdAt: request.now,
      tags: Tags(request.input["Tags"]))
    profiles[name] = profile
    return ["InstanceProfile": json(profile)]
  }

  private func getInstanceProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["InstanceProfile": json(try existingProfile(request))]
  }

  private func listInstanceProfiles(_ request: AWSRequest) throws(AWSError) -> JSON {
    let prefix = request.input["PathPrefix"].string ?? "/"
    return try page(
      "InstanceProfiles", profiles.all.filter { $0.path.hasPrefix(prefix) }.map { ($0.name, json($0)) }, request)
  }

  private func listInstanceProfilesForRole(_ request: AWSRequest) throws(AWSError) -> JSON {
    let role = try existingRole(request)
    return try page(
      "InstanceProfiles", profiles.filter { $0.roles.contains(role.name) }.map { ($0.name, json($0)) }, request)
  }

  private func deleteInstanceProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    let profile = try existingProfile(request)
    guard profile.roles.isEmpty else {
      throw .deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    }
    profiles[profile.name] = nil
    return .emptyObject
  }

  private func addRoleToInstanceProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    let profile = try existingProfile(request)
    let role = try existingRole(request)
    guard profile.roles.isEmpty else {
      throw AWSError(
        code: "LimitExceeded", message: "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", status: 409)
    }
    profiles.update(profile.name) { $0.roles = [role.name] }
    return .emptyObject
  }

  private func removeRoleFromInstanceProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    let profile = try existingProfile(request)
    let role = try existingRole(request)
    guard profile.roles.contains(role.name) else {
      throw .noSuchEntity("Role with name \(role.name) is not in instance profile \(profile.name).")
    }
    profiles.update(profile.name) { $0.roles = [] }
    return .emptyObject
  }
}
