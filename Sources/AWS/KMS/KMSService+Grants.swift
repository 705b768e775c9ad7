import Wire
import World

extension KMSService {
  static var aliasOperations: [String: Operation<KMSService>] {
    [
      "CreateAlias": createAlias, "UpdateAlias": updateAlias, "DeleteAlias": deleteAlias, "ListAliases": listAliases,
    ]
  }

  static var grantOperations: [String: Operation<KMSService>] {
    [
      "CreateGrant": createGrant, "ListGrants": listGrants, "ListRetirableGrants": listRetirableGrants,
      "RetireGrant": retireGrant, "RevokeGrant": revokeGrant,
    ]
  }

  static var tagOperations: [String: Operation<KMSService>] {
    ["TagResource": tagResource, "UntagResource": untagResource, "ListResourceTags": listResourceTags]
  }

  // MARK: - Aliases

  private func alias(in request: AWSRequest) throws(AWSError) -> KMSAlias {
    let name = request.input["AliasName"].string ?? ""
    guard let alias = aliases[name] else { throw .kms("NotFound", "Alias \(arn(name)) is not found.") }
    return alias
  }

  private func createAlias(_ request: AWSRequest) throws(AWSError) -> JSON {
    let name = request.input["AliasName"].string ?? ""
    guard name.hasPrefix("alias/"), name.count > 6 else {
      throw .kms(
        "Validation",
        "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
      )
    }
    guard !name.hasPrefix("alias/aws/") else { throw AWSError(code: "NotAuthorizedException", message: "") }
    guard aliases[name] == nil else {
      throw .kms("AlreadyExists", "An alias with the name \(arn(name)) already exists")
    }
    let key = try key(named: request.input["TargetKeyId"].string)
    aliases[name] = KMSAlias(name: name, key: key.id, createdAt: request.now, updatedAt: request.now)
    return .emptyObject
  }

  private func updateAlias(_ request: AWSRequest) throws(AWSError) -> JSON {
    let alias = try alias(in: request)
    let key = try key(named: request.input["TargetKeyId"].string)
    aliases.update(alias.name) { alias in
      alias.key = key.id
      alias.updatedAt = request.now
    }
    return .emptyObject
  }

  private func deleteAlias(_ request: AWSRequest) throws(AWSError) -> JSON {
    aliases[try alias(in: request).name] = nil
    return .emptyObject
  }

  private func listAliases(_ request: AWSRequest) throws(AWSError) -> JSON {
    let only = request.input["KeyId"].isNull ? nil : try key(of: request).id
    let shown = aliases.all.filter { only == nil || $0.key == only }
    return try page(
      "Aliases",
      shown.map { alias in
        (
          alias.name,
          [
            "AliasName": .string(alias.name), "AliasArn": .string(arn(alias.name)), "TargetKeyId": .string(alias.key),
            "CreationDate": .preciseTime(alias.createdAt), "LastUpdatedDate": .preciseTime(alias.updatedAt),
          ] as JSON
        )
      }, request)
  }

  // MARK: - Grants

  private func json(_ grant: KMSKey.Grant, of key: KMSKey) -> JSON {
    [
      "KeyId": .string(key.arn), "GrantId": .string(grant.id), "Name": JSON(grant.name),
      "CreationDate": .preciseTime(grant.createdAt), "GranteePrincipal": .string(grant.grantee),
      "RetiringPrincipal": JSON(grant.retiring), "IssuingAccount": .string("arn:aws:iam::\(world.account):root"),
      "Operations": JSON(grant.operations), "Constraints": grant.constraints,
    ]
  }

  private func createGrant(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try livingKey(of: request)
    guard key.isEnabled else { throw .kms("Disabled", "\(key.arn) is disabled.") }
    let input = request.input
    let grantee = input["GranteePrincipal"].string ?? ""
    guard grantee.hasPrefix("arn:") || grantee.hasSuffix(".amazonaws.com") else {
      throw .kms("InvalidArn", "ARN does not refer to a valid principal: \(grantee)")
    }
    // A grant of the same name and content is the same grant.
    if let name = input["Name"].string,
      let same = key.grants.first(where: {
        $0.name == name && $0.grantee == grantee && $0.operations == input["Operations"].strings
      })
    {
      return ["GrantId": .string(same.id), "GrantToken": .string(same.token)]
    }
    let grant = KMSKey.Grant(
      id: world.newID { $0.hex(64) }, token: world.newID { $0.hex(64) }, grantee: grantee,
      retiring: input["RetiringPrincipal"].string, operations: input["Operations"].strings,
      name: input["Name"].string, constraints: input["Constraints"], issuer: request.principal.arn,
      createdAt: request.now)
    keys.update(key.id) { $0.grants.append(grant) }
    return ["GrantId": .string(grant.id), "GrantToken": .string(grant.token)]
  }

  private func listGrants(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try key(of: request)
    let input = request.input
    let shown = key.grants.filter { grant in
      (input["GrantId"].isNull || input["GrantId"].string == grant.id)
        && (input["GranteePrincipal"].isNull || input["GranteePrincipal"].string == grant.grantee)
    }
    return try page("Grants", shown.map { ($0.id, json($0, of: key)) }.sorted { $0.0 < $1.0 }, request)
  }

  private func listRetirableGrants(_ request: AWSRequest) throws(AWSError) -> JSON {
    let wanted = request.input["RetiringPrincipal"].string
    let shown = keys.all.flatMap { key in
      key.grants.filter { $0.retiring == wanted }.map { ($0.id, json($0, of: key)) }
    }
    return try page("Grants", shown.sorted { $0.0 < $1.0 }, request)
  }

  private func remove(grant id: String, from key: KMSKey) throws(AWSError) {
    guard key.grants.contains(where: { $0.id == id }) else {
      throw .kms("NotFound", "Grant ID \(id) not found")
    }
    keys.update(key.id) { $0.grants.removeAll { $0.id == id } }
  }

  private func revokeGrant(_ request: AWSRequest) throws(AWSError) -> JSON {
    try remove(grant: request.input["GrantId"].string ?? "", from: try key(of: request))
    return .emptyObject
  }

  private func retireGrant(_ request: AWSRequest) throws(AWSError) -> JSON {
    if let token = request.input["GrantToken"].string {
      guard let key = keys.first(where: { $0.grants.contains { $0.token == token } }) else {
        throw .kms("InvalidGrantToken", "Grant token is invalid")
      }
      keys.update(key.id) { $0.grants.removeAll { $0.token == token } }
    } else {
      try remove(grant: request.input["GrantId"].string ?? "", from: try key(of: request))
    }
    return .emptyObject
  }

  // MARK: - Tags

  private func tagResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try livingKey(of: request)
    keys.update(key.id) { key in
      for tag in request.input["Tags"].items { key.tags[tag["TagKey"].string ?? ""] = tag["TagValue"].string ?? "" }
    }
    return .emptyObject
  }

  private func untagResource(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try livingKey(of: request)
    keys.update(key.id) { key in for name in request.input["TagKeys"].strings { key.tags[name] = nil } }
    return .emptyObject
  }

  private func listResourceTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    let key = try key(of: request)
    return try page(
      "Tags",
      key.tags.sorted { $0.key < $1.key }.map {
        ($0.key, ["TagKey": .string($0.key), "TagValue": .string($0.value)] as JSON)
      }, request)
  }
}
