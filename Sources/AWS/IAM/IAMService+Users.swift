import Wire
import World

extension IAMService {
  static var userOperations: [String: Operation<IAMService>] {
    [
      "CreateUser": createUser, "GetUser": getUser, "ListUsers": listUsers, "DeleteUser": deleteUser,
      "TagUser": tagUser, "UntagUser": untagUser, "ListUserTags": listUserTags,
      "CreateAccountAlias": createAccountAlias, "DeleteAccountAlias": deleteAccountAlias,
      "ListAccountAliases": listAccountAliases,
    ]
  }

  static var keyOperations: [String: Operation<IAMService>] {
    [
      "CreateAccessKey": createAccessKey, "ListAccessKeys": listAccessKeys, "UpdateAccessKey": updateAccessKey,
      "DeleteAccessKey": deleteAccessKey,
    ]
  }

  static var userPolicyOperations: [String: Operation<IAMService>] {
    [
      "AttachUserPolicy": attachUserPolicy, "DetachUserPolicy": detachUserPolicy,
      "ListAttachedUserPolicies": listAttachedUserPolicies, "PutUserPolicy": putUserPolicy,
      "GetUserPolicy": getUserPolicy, "DeleteUserPolicy": deleteUserPolicy, "ListUserPolicies": listUserPolicies,
    ]
  }

  func json(_ user: IAMUser) -> JSON {
    [
      "Path": .string(user.path), "UserName": .string(user.name), "UserId": .string(user.id),
      "Arn": .string(arn(of: user)), "CreateDate": .time(user.createdAt), "Tags": user.tags.json,
      "PermissionsBoundary": boundary(user.policies),
    ]
  }

  private func createUser(_ request: AWSRequest) throws(AWSError) -> JSON {
    let name = request.input["UserName"].string ?? ""
    if let same = users.keys.first(where: { $0.lowercased() == name.lowercased() }) {
      throw AWSError(code: "EntityAlreadyExists", message: "User with name \(same) already exists.", status: 409)
    }
    var user = IAMUser(
      name: name, path: request.input["Path"].string ?? "/", id: newID("AIDA"), createdAt: request.now,
      tags: Tags(request.input["Tags"]))
    user.policies.boundary = request.input["PermissionsBoundary"].string
    users[name] = user
    return ["User": json(user)]
  }

  private func getUser(_ request: AWSRequest) throws(AWSError) -> JSON {
    if request.input["UserName"].isNull, request.principal.kind == .root {
      return [
        "User": [
          "Path": "/", "UserName": "root", "UserId": .string(world.account), "Arn": .string(request.principal.arn),
          "CreateDate": .time(users.all.first?.createdAt),
        ]
      ]
    }
    return ["User": json(try existingUser(request))]
  }

  private func listUsers(_ request: AWSRequest) throws(AWSError) -> JSON {
    let prefix = request.input["PathPrefix"].string ?? "/"
    return try page("Users", users.all.filter { $0.path.hasPrefix(prefix) }.map { ($0.name, json($0)) }, request)
  }

  private func deleteUser(_ request: AWSRequest) throws(AWSError) -> JSON {
    let user = try existingUser(request)
    guard keys.first(where: { $0.user == user.name }) == nil else {
      throw .deleteConflict("Cannot delete entity, must delete access keys first.")
    }
    guard user.policies.attached.isEmpty else {
      throw .deleteConflict("Cannot delete entity, must detach all policies first.")
    }
    guard user.policies.inline.isEmpty else {
      throw .deleteConflict("Cannot delete entity, must delete policies first.")
    }
    users[user.name] = nil
    return .emptyObject
  }

  private func tagUser(_ request: AWSRequest) throws(AWSError) -> JSON {
    let user = try existingUser(request)
    users.update(user.name) { $0.tags.add(request.input["Tags"]) }
    return .emptyObject
  }

  private func untagUser(_ request: AWSRequest) throws(AWSError) -> JSON {
    let user = try existingUser(request)
    users.update(user.name) { $0.tags.remove(keys: request.input["TagKeys"].strings) }
    return .emptyObject
  }

  private func listUserTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["Tags": try existingUser(request).tags.jsonOrEmpty, "IsTruncated": false]
  }

  /// An account has one at most: another takes its place.
  private func createAccountAlias(_ request: AWSRequest) throws(AWSError) -> JSON {
    for alias in aliases.all { aliases[alias] = nil }
    let alias = request.input["AccountAlias"].string ?? ""
    aliases[alias] = alias
    return .emptyObject
  }

  private func deleteAccountAlias(_ request: AWSRequest) throws(AWSError) -> JSON {
    let alias = request.input["AccountAlias"].string ?? ""
    guard aliases[alias] != nil else {
      throw .noSuchEntity("The Account Alias \(alias) is not associated with this account.")
    }
    aliases[alias] = nil
    return .emptyObject
  }

  private func listAccountAliases(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["AccountAliases": JSON(aliases.all), "IsTruncated": false]
  }

  // MARK: - Access keys

  private func createAccessKey(_ request: AWSRequest) throws(AWSError) -> JSON {
    let user = try existingUser(request)
    guard keys.filter({ $0.user == user.name }).count < 2 else {
      throw AWSError(code: "LimitExceeded", message: "Cannot exceed quota for AccessKeysPerUser: 2", status: 409)
    }
    let made = makeKey(user: user.name)
    return [
      "AccessKey": [
        "UserName": .string(user.name), "AccessKeyId": .string(made.accessKeyID), "Status": "Active",
        "SecretAccessKey": .string(made.secretAccessKey), "CreateDate": .time(request.now),
      ]
    ]
  }

  private func listAccessKeys(_ request: AWSRequest) throws(AWSError) -> JSON {
    let user = try existingUser(request)
    let all = keys.filter { $0.user == user.name }.map { key in
      (
        key.id,
        [
          "UserName": .string(user.name), "AccessKeyId": .string(key.id),
          "Status": key.isActive ? "Active" : "Inactive", "CreateDate": .time(key.createdAt),
        ] as JSON
      )
    }
    return try page("AccessKeyMetadata", all, request)
  }

  private func existingKey(_ request: AWSRequest) throws(AWSError) -> AccessKey {
    let user = try existingUser(request)
    let id = request.input["AccessKeyId"].string ?? ""
    guard let key = keys[id], key.user == user.name else {
      throw .noSuchEntity("The Access Key with id \(id) cannot be found.")
    }
    return key
  }

  private func updateAccessKey(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try existingKey(request)
    keys.update(key.id) { $0.isActive = request.input["Status"].string == "Active" }
    return .emptyObject
  }

  private func deleteAccessKey(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try existingKey(request)
    keys[key.id] = nil
    secrets.forget(accessKeyID: key.id)
    return .emptyObject
  }

  // MARK: - Policies

  private func attachUserPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var user = try existingUser(request)
    try attach(request.input["PolicyArn"].string ?? "", to: &user.policies)
    users[user.name] = user
    return .emptyObject
  }

  private func detachUserPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var user = try existingUser(request)
    try detach(request.input["PolicyArn"].string ?? "", from: &user.policies)
    users[user.name] = user
    return .emptyObject
  }

  private func listAttachedUserPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    try page("AttachedPolicies", attachedList(try existingUser(request).policies), request)
  }

  private func putUserPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var user = try existingUser(request)
    let document = request.input["PolicyDocument"].string ?? ""
    try checkIdentityPolicy(
      document, limit: 2048, limitMessage: "Maximum policy size of 2048 bytes exceeded for user \(user.name)")
    user.policies[inline: request.input["PolicyName"].string ?? ""] = document
    users[user.name] = user
    return .emptyObject
  }

  private func getUserPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let user = try existingUser(request)
    let name = request.input["PolicyName"].string ?? ""
    guard let document = user.policies[inline: name] else {
      throw .noSuchEntity("The user policy with name \(name) cannot be found.")
    }
    return [
      "UserName": .string(user.name), "PolicyName": .string(name),
      "PolicyDocument": .string(PercentEncoding.encode(document)),
    ]
  }

  private func deleteUserPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    var user = try existingUser(request)
    let name = request.input["PolicyName"].string ?? ""
    guard user.policies[inline: name] != nil else {
      throw .noSuchEntity("The user policy with name \(name) cannot be found.")
    }
    user.policies[inline: name] = nil
    users[user.name] = user
    return .emptyObject
  }

  private func listUserPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    let user = try existingUser(request)
    return try page("PolicyNames", user.policies.inline.map { ($0.name, .string($0.name)) }, request)
  }
}
