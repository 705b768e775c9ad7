import Wire
import World

extension IAMService {
  static var policyOperations: [String: Operation<IAMService>] {
    [
      "CreatePolicy": createPolicy, "GetPolicy": getPolicy, "ListPolicies": listPolicies,
      "DeletePolicy": deletePolicy, "CreatePolicyVersion": createPolicyVersion,
      "GetPolicyVersion": getPolicyVersion, "ListPolicyVersions": listPolicyVersions,
      "DeletePolicyVersion": deletePolicyVersion, "SetDefaultPolicyVersion": setDefaultPolicyVersion,
      "ListEntitiesForPolicy": listEntitiesForPolicy, "TagPolicy": tagPolicy, "UntagPolicy": untagPolicy,
      "ListPolicyTags": listPolicyTags,
    ]
  }

  private func attachments(_ arn: String) -> Int {
    roles.filter { $0.policies.attached.contains(arn) }.count
      + users.filter { $0.policies.attached.contains(arn) }.count
      + groups.filter { $0.policies.attached.contains(arn) }.count
  }

  private func json(_ policy: IAMPolicyRow) -> JSON {
    [
      "PolicyName": .string(policy.name), "PolicyId": .string(policy.id), "Arn": .string(policy.arn),
      "Path": .string(policy.path), "DefaultVersionId": .string(policy.defaultVersion),
      "AttachmentCount": .int(Int64(attachments(policy.arn))), "PermissionsBoundaryUsageCount": 0,
      "IsAttachable": true, "Description": JSON(policy.description), "CreateDate": .time(policy.createdAt),
      "UpdateDate": .time(policy.updatedAt), "Tags": policy.tags.json,
    ]
  }

  /// AWS's own policies as GetPolicy tells them; they have stood since before the account.
  private func awsJSON(_ arn: String) -> JSON {
    let path =
      arn.contains("/service-role/")
      ? "/service-role/" : arn.contains("/aws-service-role/") ? "/aws-service-role/" : "/"
    let created = Timestamp(year: 2015, month: 2, day: 6, hour: 18, minute: 40, second: 0)
    return [
      "PolicyName": .string(policyName(arn)), "PolicyId": .string("ANPA" + stableID(arn)), "Arn": .string(arn),
      "Path": .string(path), "DefaultVersionId": "v1", "AttachmentCount": .int(Int64(attachments(arn))),
      "PermissionsBoundaryUsageCount": 0, "IsAttachable": true, "CreateDate": .time(created),
      "UpdateDate": .time(created),
    ]
  }

  private func stableID(_ text: String) -> String {
    var stream = RandomStream(seed: 0, entity: text)
    return stream.letters(17, from: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
  }

  private func existingPolicy(_ request: AWSRequest) throws(AWSError) -> IAMPolicyRow {
    let arn = request.input["PolicyArn"].string ?? ""
    if let policy = policies[arn] { return policy }
    if AWSManagedPolicies.document(arn) != nil {
      throw AWSError(code: "AccessDenied", message: "Policy \(arn) is owned by AWS and cannot be changed.", status: 403)
    }
    throw .noSuchEntity("Policy \(arn) was not found.")
  }

  private func createPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let name = input["PolicyName"].string ?? ""
    let path = input["Path"].string ?? "/"
    let document = input["PolicyDocument"].string ?? ""
    if policies.first(where: { $0.name.lowercased() == name.lowercased() }) != nil {
      throw AWSError(
        code: "EntityAlreadyExists",
        message: "A policy called \(name) already exists. Duplicate names are not allowed.", status: 409)
    }
    try checkIdentityPolicy(document, limit: 6144, limitMessage: "Cannot exceed quota for PolicySize: 6144")
    let policy = IAMPolicyRow(
      arn: arn("policy", path, name), name: name, path: path, id: newID("ANPA"),
      description: input["Description"].string, createdAt: request.now, updatedAt: request.now,
      versions: [.init(id: "v1", document: document, createdAt: request.now)], tags: Tags(input["Tags"]))
    policies[policy.arn] = policy
    return ["Policy": json(policy)]
  }

  private func getPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let arn = request.input["PolicyArn"].string ?? ""
    if let policy = policies[arn] { return ["Policy": json(policy)] }
    guard AWSManagedPolicies.document(arn) != nil else { throw .noSuchEntity("Policy \(arn) was not found.") }
    return ["Policy": awsJSON(arn)]
  }

  private func listPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    let scope = request.input["Scope"].string ?? "All"
    let prefix = request.input["PathPrefix"].string ?? "/"
    var all: [(key: String, value: JSON)] = []
    if scope != "AWS" { all += policies.all.map { ($0.arn, json($0)) } }
    if scope != "Local" { all += AWSManagedPolicies.arns.map { ($0, awsJSON($0)) } }
    if request.input["OnlyAttached"].bool == true { all.removeAll { attachments($0.key) == 0 } }
    all.removeAll { !($0.value["Path"].string ?? "/").hasPrefix(prefix) }
    return try page("Policies", all.sorted { $0.key < $1.key }, request)
  }

  private func deletePolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let policy = try existingPolicy(request)
    guard attachments(policy.arn) == 0 else {
      throw .deleteConflict("Cannot delete a policy attached to entities.")
    }
    guard policy.versions.count == 1 else {
      throw .deleteConflict(
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."
      )
    }
    policies[policy.arn] = nil
    return .emptyObject
  }

  private func json(_ version: IAMPolicyRow.Version, of policy: IAMPolicyRow, whole: Bool) -> JSON {
    [
      "Document": whole ? .string(PercentEncoding.encode(version.document)) : .null,
      "VersionId": .string(version.id), "IsDefaultVersion": .bool(version.id == policy.defaultVersion),
      "CreateDate": .time(version.createdAt),
    ]
  }

  private func createPolicyVersion(_ request: AWSRequest) throws(AWSError) -> JSON {
    var policy = try existingPolicy(request)
    let document = request.input["PolicyDocument"].string ?? ""
    try checkIdentityPolicy(document, limit: 6144, limitMessage: "Cannot exceed quota for PolicySize: 6144")
    guard policy.versions.count < 5 else {
      throw AWSError(
        code: "LimitExceeded",
        message:
          "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
        status: 409)
    }
    let version = IAMPolicyRow.Version(id: "v\(policy.nextVersion)", document: document, createdAt: request.now)
    policy.nextVersion += 1
    policy.versions.append(version)
    policy.updatedAt = request.now
    if request.input["SetAsDefault"].bool == true { policy.defaultVersion = version.id }
    policies[policy.arn] = policy
    return ["PolicyVersion": json(version, of: policy, whole: false)]
  }

  private func getPolicyVersion(_ request: AWSRequest) throws(AWSError) -> JSON {
    let arn = request.input["PolicyArn"].string ?? ""
    let wanted = request.input["VersionId"].string ?? ""
    if policies[arn] == nil, let document = AWSManagedPolicies.document(arn) {
      guard wanted == "v1" else {
        throw .noSuchEntity("Policy \(arn) version \(wanted) does not exist or is not attachable.")
      }
      return [
        "PolicyVersion": [
          "Document": .string(PercentEncoding.encode(document)), "VersionId": "v1", "IsDefaultVersion": true,
          "CreateDate": awsJSON(arn)["CreateDate"],
        ]
      ]
    }
    let policy = try existingPolicy(request)
    guard let version = policy.versions.first(where: { $0.id == wanted }) else {
      throw .noSuchEntity("Policy \(arn) version \(wanted) does not exist or is not attachable.")
    }
    return ["PolicyVersion": json(version, of: policy, whole: true)]
  }

  private func listPolicyVersions(_ request: AWSRequest) throws(AWSError) -> JSON {
    let arn = request.input["PolicyArn"].string ?? ""
    if policies[arn] == nil, AWSManagedPolicies.document(arn) != nil {
      return [
        "Versions": [["VersionId": "v1", "IsDefaultVersion": true, "CreateDate": awsJSON(arn)["CreateDate"]]],
        "IsTruncated": false,
      ]
    }
    let policy = try existingPolicy(request)
    let all = policy.versions.reversed().enumerated().map {
      ($0.offset.padded(4), json($0.element, of: policy, whole: false))
    }
    return try page("Versions", all, request)
  }

  private func deletePolicyVersion(_ request: AWSRequest) throws(AWSError) -> JSON {
    var policy = try existingPolicy(request)
    let id = request.input["VersionId"].string ?? ""
    guard policy.versions.contains(where: { $0.id == id }) else {
      throw .noSuchEntity("Policy \(policy.arn) version \(id) does not exist or is not attachable.")
    }
    guard id != policy.defaultVersion else {
      throw .deleteConflict("Cannot delete the default version of a policy.")
    }
    policy.versions.removeAll { $0.id == id }
    policies[policy.arn] = policy
    return .emptyObject
  }

  private func setDefaultPolicyVersion(_ request: AWSRequest) throws(AWSError) -> JSON {
    var policy = try existingPolicy(request)
    let id = request.input["VersionId"].string ?? ""
    guard policy.versions.contains(where: { $0.id == id }) else {
      throw .noSuchEntity("Policy \(policy.arn) version \(id) does not exist or is not attachable.")
    }
    policy.defaultVersion = id
    policy.updatedAt = request.now
    policies[policy.arn] = policy
    return .emptyObject
  }

  private func listEntitiesForPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let arn = request.input["PolicyArn"].string ?? ""
    guard managedDocument(arn) != nil else { throw .noSuchEntity("Policy \(arn) was not found.") }
    let holders = roles.filter { $0.policies.attached.contains(arn) }
    let people = users.filter { $0.policies.attached.contains(arn) }
    return [
      "PolicyRoles": .array(holders.map { ["RoleName": .string($0.name), "RoleId": .string($0.id)] }),
      "PolicyUsers": .array(people.map { ["UserName": .string($0.name), "UserId": .string($0.id)] }),
      "PolicyGroups": [], "IsTruncated": false,
    ]
  }

  private func tagPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let policy = try existingPolicy(request)
    policies.update(policy.arn) { $0.tags.add(request.input["Tags"]) }
    return .emptyObject
  }

  private func untagPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let policy = try existingPolicy(request)
    policies.update(policy.arn) { $0.tags.remove(keys: request.input["TagKeys"].strings) }
    return .emptyObject
  }

  private func listPolicyTags(_ request: AWSRequest) throws(AWSError) -> JSON {
    let arn = request.input["PolicyArn"].string ?? ""
    if policies[arn] == nil, AWSManagedPolicies.document(arn) != nil { return ["Tags": [], "IsTruncated": false] }
    return ["Tags": try existingPolicy(request).tags.jsonOrEmpty, "IsTruncated": false]
  }
}
