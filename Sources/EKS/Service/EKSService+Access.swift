import Mechanisms
import Wire
import World

extension EKSService {
  static let accessOperations: [String: Operation] = [
    "CreateAccessEntry": createAccessEntry, "DescribeAccessEntry": describeAccessEntry,
    "ListAccessEntries": listAccessEntries, "UpdateAccessEntry": updateAccessEntry,
    "DeleteAccessEntry": deleteAccessEntry, "AssociateAccessPolicy": associateAccessPolicy,
    "DisassociateAccessPolicy": disassociateAccessPolicy,
    "ListAssociatedAccessPolicies": listAssociatedAccessPolicies, "ListAccessPolicies": listAccessPolicies,
  ]

  private static let reservedPrefixes = ["system:", "eks:", "aws:", "amazon:", "iam:"]

  /// The cluster, when its mode has entries at all.
  private func clusterWithEntries(_ request: AWSRequest) throws(AWSError) -> ClusterRow {
    let cluster = try cluster(of: request)
    guard AuthenticationMode(rawValue: cluster.mode)?.usesEntries == true else {
      throw .invalidRequest(
        "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
        cluster: cluster.name)
    }
    return cluster
  }

  private func entry(of request: AWSRequest) throws(AWSError) -> AccessEntryRow {
    let cluster = try clusterWithEntries(request)
    guard let row = entries[Key.entry(cluster.name, request.input["principalArn"].string ?? "")] else {
      throw .noPrincipal()
    }
    return row
  }

  private func createAccessEntry(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try clusterWithEntries(request)
    let input = request.input
    let principal = input["principalArn"].string ?? ""
    guard let kind = AccessEntry.Kind(rawValue: input["type"].string ?? "STANDARD") else {
      throw .invalidParameter("The specified access entry type is invalid.", cluster: cluster.name)
    }
    guard let id = principalID(principal), kind == .standard || ARN.parse(principal)?.resourceType == "role" else {
      throw .invalidParameter("The specified principalArn is invalid: invalid principal.", cluster: cluster.name)
    }
    if principal.contains(":role/aws-service-role/") {
      throw .invalidParameter(
        "The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role",
        cluster: cluster.name)
    }
    guard entries[Key.entry(cluster.name, principal)] == nil else {
      throw .inUse("The specified access entry resource is already in use on this cluster.", cluster: cluster.name)
    }
    if kind != .standard, !input["kubernetesGroups"].strings.isEmpty || input["username"].string != nil {
      throw Self.standardOnly
    }
    if let username = input["username"].string { try check(username, cluster: cluster.name) }
    let row = makeEntry(
      cluster: cluster.name, principal: principal, id: id, kind: kind, username: input["username"].string,
      groups: input["kubernetesGroups"].strings, tags: input["tags"], managed: false)
    return ["accessEntry": row.document]
  }

  private static let standardOnly = AWSError.invalidRequest(
    "This operation can only be performed on Access Entries with a type of \"STANDARD\".")

  private func check(_ username: String, cluster: String) throws(AWSError) {
    for prefix in Self.reservedPrefixes where username.hasPrefix(prefix) {
      throw .invalidParameter("The username cannot begin with \(prefix)", cluster: cluster)
    }
    if let session = username.firstRange(of: "{{SessionName}}"), !username[..<session.lowerBound].contains(":") {
      throw .invalidParameter("A colon (:) must precede {{SessionName}} in the username", cluster: cluster)
    }
  }

  /// The unique id of a principal that IAM knows.
  func principalID(_ arn: String) -> String? {
    guard let parsed = ARN.parse(arn), parsed.service == "iam", parsed.account == world.account else { return nil }
    switch parsed.resourceType {
    case "role":
      let role = call("iam", "GetRole", ["RoleName": .string(parsed.name)], by: .plain).output?["Role"] ?? .null
      return role["Arn"].string == arn ? role["RoleId"].string : nil
    case "user":
      let user = call("iam", "GetUser", ["UserName": .string(parsed.name)], by: .plain).output?["User"] ?? .null
      return user["Arn"].string == arn ? user["UserId"].string : nil
    default: return parsed.resource == "root" ? parsed.account : nil
    }
  }

  @discardableResult
  func makeEntry(
    cluster: String, principal: String, id: String, kind: AccessEntry.Kind, username: String? = nil,
    groups: [String] = [], tags: JSON = .null, managed: Bool
  ) -> AccessEntryRow {
    let arn = ARN.parse(principal)
    let now = JSON.double(Double(world.now.microseconds / 1000) / 1000)
    let kindWord = arn?.resourceType ?? "role"
    let path = arn?.resource.split(separator: "/").dropFirst().joined(separator: "/") ?? principal
    let document: JSON = [
      "clusterName": .string(cluster), "principalArn": .string(principal),
      "kubernetesGroups": JSON(kind == .standard ? groups : AccessEntry.defaultGroups(kind)),
      "accessEntryArn": .string(
        "arn:aws:eks:\(world.region):\(world.account):access-entry/\(cluster)/\(kindWord)/\(world.account)/\(path)/\(uuid())"
      ),
      "createdAt": now, "modifiedAt": now, "tags": tags.isNull ? .emptyObject : tags,
      "username": .string(username ?? AccessEntry.defaultUsername(kind, principal)), "type": .string(kind.rawValue),
    ]
    let row = AccessEntryRow(cluster: cluster, document: document, principalID: id, isManaged: managed)
    entries[Key.entry(cluster, principal)] = row
    return row
  }

  private func describeAccessEntry(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["accessEntry": try entry(of: request).document]
  }

  private func listAccessEntries(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try clusterWithEntries(request)
    var rows = entries.rows(prefix: "\(cluster.name)|").map(\.row)
    if let policy = request.input["associatedPolicyArn"].string {
      rows.removeAll { row in !row.policies.contains { $0["policyArn"].string == policy } }
    }
    return try page(rows.map(\.principal), request.input, "accessEntries")
  }

  private func updateAccessEntry(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try entry(of: request)
    guard row.document["type"].string == "STANDARD" else { throw Self.standardOnly }
    let input = request.input
    if let username = input["username"].string { try check(username, cluster: row.cluster) }
    let key = Key.entry(row.cluster, row.principal)
    entries.update(key) { row in
      if !input["kubernetesGroups"].isNull { row.document["kubernetesGroups"] = input["kubernetesGroups"] }
      if !input["username"].isNull { row.document["username"] = input["username"] }
      row.document["modifiedAt"] = .double(Double(request.now.microseconds / 1000) / 1000)
    }
    return ["accessEntry": entries[key]?.document ?? .null]
  }

  private func deleteAccessEntry(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try entry(of: request)
    entries[Key.entry(row.cluster, row.principal)] = nil
    return .emptyObject
  }

  private func associateAccessPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try entry(of: request)
    let input = request.input
    guard let kind = AccessEntry.Kind(rawValue: row.document["type"].string ?? ""), AccessEntry.mayHavePolicies(kind)
    else {
      throw Self.standardOnly
    }
    let arn = input["policyArn"].string ?? ""
    guard AccessPolicy.names.contains(where: { "\(AccessPolicy.arnPrefix)\($0)" == arn }) else {
      throw .invalidParameter("The policyArn parameter format is not valid", cluster: row.cluster)
    }
    let scope = input["accessScope"]
    let namespaces = scope["namespaces"].strings
    switch scope["type"].string {
    case "namespace" where namespaces.isEmpty:
      throw .invalidParameter(
        "The namespaces parameter is required when the access scope is namespace", cluster: row.cluster)
    case "cluster" where !namespaces.isEmpty:
      throw .invalidParameter(
        "The namespaces parameter is not allowed when the access scope is cluster", cluster: row.cluster)
    default: break
    }
    let now = JSON.double(Double(request.now.microseconds / 1000) / 1000)
    let associated: JSON = [
      "policyArn": .string(arn),
      "accessScope": ["type": scope["type"], "namespaces": JSON(namespaces)],
      "associatedAt": row.policies.first { $0["policyArn"].string == arn }?["associatedAt"] ?? now, "modifiedAt": now,
    ]
    entries.update(Key.entry(row.cluster, row.principal)) { row in
      row.policies.removeAll { $0["policyArn"].string == arn }
      row.policies.append(associated)
    }
    return [
      "clusterName": .string(row.cluster), "principalArn": .string(row.principal), "associatedAccessPolicy": associated,
    ]
  }

  private func disassociateAccessPolicy(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try entry(of: request)
    let arn = request.input["policyArn"].string ?? ""
    guard row.policies.contains(where: { $0["policyArn"].string == arn }) else {
      throw .eks("ResourceNotFound", "The specified policyArn is not associated with the access entry.", 404)
    }
    entries.update(Key.entry(row.cluster, row.principal)) { row in
      row.policies.removeAll { $0["policyArn"].string == arn }
    }
    return .emptyObject
  }

  private func listAssociatedAccessPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try entry(of: request)
    var answer = try page(row.policies, request.input, "associatedAccessPolicies")
    answer["clusterName"] = .string(row.cluster)
    answer["principalArn"] = .string(row.principal)
    return answer
  }

  private func listAccessPolicies(_ request: AWSRequest) throws(AWSError) -> JSON {
    let policies = AccessPolicy.names.map { name -> JSON in
      ["name": .string(name), "arn": .string("\(AccessPolicy.arnPrefix)\(name)")]
    }
    return try page(policies, request.input, "accessPolicies")
  }
}
