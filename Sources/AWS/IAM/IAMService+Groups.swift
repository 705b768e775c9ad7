import Wire
import World

/// Groups: users who have policies in common.
struct IAMGroup: Codable, Sendable {
  var name: String
  var path: String
  var id: String
  var createdAt: Timestamp
  var policies = PolicyHolder()
  /// Names of users, sorted.
  var members: [String] = []
}

extension IAMService {
  static var groupOperations: [String: Operation<IAMService>] {
    [
      "CreateGroup": createGroup, "GetGroup": getGroup, "ListGroups": listGroups, "DeleteGroup": deleteGroup,
      "AddUserToGroup": addUserToGroup, "RemoveUserFromGroup": removeUserFromGroup,
      "ListGroupsForUser": listGroupsForUser, "AttachGroupPolicy": attachGroupPolicy,
      "DetachGroupPolicy": detachGroupPolicy, "ListAttachedGroupPolicies": listAttachedGroupPolicies,
      "PutGroupPolicy": putGroupPolicy, "GetGroupPolicy": getGroupPolicy, "DeleteGroupPolicy": deleteGroupPolicy,
      "ListGroupPolicies": listGroupPolicies,
    ]
  }

  func arn(of group: IAMGroup) -> String { arn("group", group.path, group.name) }

  func groups(of user: String) -> [IAMGroup] { groups.filter { $0.members.contains(user) } }

  private func json(_ group: IAMGroup) -> JSON {
    [
      "Path": .string(group.path), "GroupName": .string(group.name), "GroupId": .string(group.id),
      "Arn": .string(arn(of: group)), "CreateDate": .time(group.createdAt),
    ]
  }

  private func existingGroup(_ request: AWSRequest) throws(AWSError) -> IAMGroup {
    let name = request.input["GroupName"].string ?? ""
    guard let group = groups[name] else { throw .noSuchEntity("The group with name \(name) cannot be found.") }
    return group
  }

  private func createGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let name = request.input["GroupName"].string ?? ""
    if let same = groups.keys.first(where: { $0.lowercased() == name.lowercased() }) {
      throw AWSError(code: "EntityAlreadyExists", message: "Group with name \(same) already exists.", status: 409)
    }
    let group = IAMGroup(
      name: name, path: request.input["Path"].string ?? "/", id: newID("AGPA"), createdAt: request.now)
    groups[name] = group
    return ["Group": json(group)]
  }

  private func getGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try existingGroup(request)
    var answer = try page("Users", group.members.compactMap { users[$0] }.map { ($0.name, json($0)) }, request)
    answer["Group"] = json(group)
    return answer
  }

  private func listGroups(_ request: AWSRequest) throws(AWSError) -> JSON {
    let prefix = request.input["PathPrefix"].string ?? "/"
    return try page("Groups", groups.filter { $0.path.hasPrefix(prefix) }.map { ($0.name, json($0)) }, request)
  }

  private func deleteGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try existingGroup(request)
    guard group.members.isEmpty else {
      throw .deleteConflict("Cannot delete entity, must remove users from group first.")
    }
    guard group.policies.attached.isEmpty else {
      throw .deleteConflict("Cannot delete entity, must detach all policies first.")
    }
    guard group.policies.inline.isEmpty else {
      throw .deleteConflict("Cannot delete entity, must delete policies first.")
    }
    groups[group.name] = nil
    return .emptyObject
  }

  // MARK: - Members

  private func addUserToGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try existingGroup(request)
    let user = try existingUser(request)
    guard groups(of: user.name).count < 10 || group.members.contains(user.name) else {
      throw AWSError(code: "LimitExceeded", message: "Cannot exceed quota for GroupsPerUser: 10", status: 409)
    }
    groups.update(group.name) { group in
      if !group.members.contains(user.name) { group.members = (group.members + [user.name]).sorted() }
    }
    return .emptyObject
  }

  private func removeUserFromGroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try existingGroup(request)
    let user = try existingUser(request)
    guard group.members.contains(user.name) else {
      throw .noSuchEntity("The user with name \(user.name) is not in group \(group.name).")
    }
    groups.update(group.name) { $0.members.removeAll { $0 == user.name } }
    return .emptyObject
  }

  private func listGroupsForUser(_ request: AWSRequest) throws(AWSError) -> JSON {
    let user = try existingUser(request)
    return try page("Groups", groups(of: user.name).map { ($0.name, json($0)) }, request)
  }

  // MARK: - Policies

  private func attachGroupPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var group = try existingGroup(request)
    try attach(request.input["PolicyArn"].string ?? "", to: &group.policies)
    groups[group.name] = group
    return .emptyObject
  }

  private func detachGroupPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var group = try existingGroup(request)
    try detach(request.input["PolicyArn"].string ?? "", from: &group.policies)
    groups[group.name] = group
    return .emptyObject
  }

  private func listAttachedGroupPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    try page("AttachedPolicies", attachedList(try existingGroup(request).policies), request)
  }

  private func putGroupPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var group = try existingGroup(request)
    let document = request.input["PolicyDocument"].string ?? ""
    try checkIdentityPolicy(
      document, limit: 5120, limitMessage: "Maximum policy size of 5120 bytes exceeded for group \(group.name)")
    group.policies[inline: request.input["PolicyName"].string ?? ""] = document
    groups[group.name] = group
    return .emptyObject
  }

  private func inline(_ request: AWSRequest) throws(AWSError) -> (group: IAMGroup, name: String, document: String) {
    let group = try existingGroup(request)
    let name = request.input["PolicyName"].string ?? ""
    guard let document = group.policies[inline: name] else {
      throw .noSuchEntity("The group policy with name \(name) cannot be found.")
    }
    return (group, name, document)
  }

  private func getGroupPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (group, name, document) = try inline(request)
    return [
      "GroupName": .string(group.name), "PolicyName": .string(name),
      "PolicyDocument": .string(PercentEncoding.encode(document)),
    ]
  }

  private func deleteGroupPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (group, name, _) = try inline(request)
    groups.update(group.name) { $0.policies[inline: name] = nil }
    return .emptyObject
  }

  private func listGroupPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    let group = try existingGroup(request)
    return try page("PolicyNames", group.policies.inline.map { ($0.name, .string($0.name)) }, request)
  }
}
