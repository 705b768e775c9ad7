import Mechanisms
import Wire
import World

/// Pod Identity associations: which role the pods of a service account get.
extension EKSService {
  static let podIdentityOperations: [String: Operation] = [
    "CreatePodIdentityAssociation": createAssociation, "DescribePodIdentityAssociation": describeAssociation,
    "ListPodIdentityAssociations": listAssociations, "UpdatePodIdentityAssociation": updateAssociation,
    "DeletePodIdentityAssociation": deleteAssociation,
  ]

  /// The association of a service account.
  func association(cluster: String, namespace: String, serviceAccount: String) -> JSON? {
    records(of: cluster, .association).first {
      $0["namespace"].string == namespace && $0["serviceAccount"].string == serviceAccount
    }
  }

  private func association(_ request: AWSRequest) throws(AWSError) -> (key: String, value: JSON) {
    let id = request.input["associationId"].string ?? ""
    return try record(request, .association, id) { _ in "No association found with ID: \(id)" }
  }

  private func createAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["association": try makeAssociation(try cluster(of: request), request.input)]
  }

  /// Makes an association; one that an add-on owns carries the add-on's ARN.
  func makeAssociation(_ cluster: ClusterRow, _ input: JSON, owner: String? = nil) throws(AWSError) -> JSON {
    let namespace = input["namespace"].string ?? ""
    let account = input["serviceAccount"].string ?? ""
    if let same = association(cluster: cluster.name, namespace: namespace, serviceAccount: account) {
      throw .inUse("Association already exists: \(same["associationId"].string ?? "")", cluster: cluster.name)
    }
    guard records(of: cluster.name, .association).count < Self.associationLimit else {
      throw .eks(
        "ResourceLimitExceeded", "Pod identity associations limit exceeded for cluster \(cluster.name).", 400,
        ["clusterName": .string(cluster.name)])
    }
    try checkRole(input["roleArn"].string ?? "", cluster.name)
    try checkPolicy(input, .emptyObject, cluster.name)
    let id = "a-" + world.newID { $0.letters(17, from: "abcdefghijklmnopqrstuvwxyz0123456789") }
    var association: JSON = [
      "clusterName": .string(cluster.name), "namespace": input["namespace"],
      "serviceAccount": input["serviceAccount"], "roleArn": input["roleArn"],
      "associationArn": .string(eksARN("podidentityassociation/\(cluster.name)/\(id)")),
      "associationId": .string(id), "tags": input["tags"].isNull ? .emptyObject : input["tags"],
      "createdAt": timeNow, "modifiedAt": timeNow,
      "ownerArn": JSON(owner), "disableSessionTags": .bool(input["disableSessionTags"].bool ?? false),
      "policy": input["policy"],
    ]
    setTarget(input["targetRoleArn"].string, &association)
    records[recordKey(cluster.name, .association, id)] = association
    return association
  }

  static let associationLimit = 5000

  /// The role must be there and let EKS Pod Identity assume it and tag its session. Later edits of its trust policy
  /// are not looked at again.
  func checkRole(_ arn: String, _ cluster: String) throws(AWSError) {
    guard let trust = trustPolicy(of: arn) else {
      throw .invalidParameter("Role provided in the request does not exist", cluster: cluster)
    }
    // What its conditions ask of the call is not known before there is one.
    let rest = Gap(read: "the condition keys of the call", why: "there is no call yet")
    guard !PodIdentityExchange.trust(.known(trust), context: .known(PolicyContext(rest: rest))).isNo else {
      throw .invalidParameter("Trust policy of the role provided is invalid.", cluster: cluster)
    }
  }

  /// Session tags and an inline policy don't fit into one session.
  private func checkPolicy(_ input: JSON, _ before: JSON, _ cluster: String) throws(AWSError) {
    let policy = input["policy"].string ?? before["policy"].string ?? ""
    guard !policy.isEmpty else { return }
    guard (try? PolicyDocument(text: policy)) != nil else {
      throw .invalidParameter("The policy provided in the request is not a valid IAM policy.", cluster: cluster)
    }
    guard input["disableSessionTags"].bool ?? before["disableSessionTags"].bool ?? false else {
      throw .invalidParameter("disableSessionTags must be true when a policy is provided.", cluster: cluster)
    }
  }

  /// The target is assumed by the role, with an external id that EKS makes for the association.
  private func setTarget(_ arn: String?, _ association: inout JSON) {
    guard let arn, !arn.isEmpty else {
      association["targetRoleArn"] = .null
      association["externalId"] = .null
      return
    }
    association["targetRoleArn"] = .string(arn)
    association["externalId"] = .string(
      [
        world.region, world.account, association["clusterName"].string ?? "", association["namespace"].string ?? "",
        association["serviceAccount"].string ?? "",
      ].joined(separator: "/"))
  }

  /// The trust policy of a role; nil where there is no such role.
  func trustPolicy(of arn: String) -> NamedPolicy? {
    let name = arn.split(separator: "/").last.map(String.init) ?? ""
    let role = call("iam", "GetRole", ["RoleName": .string(name)], by: .plain).output?["Role"] ?? .null
    guard role["Arn"].string == arn, let text = role["AssumeRolePolicyDocument"].string,
      let document = try? PolicyDocument(text: PercentEncoding.decode(text) ?? text)
    else { return nil }
    return NamedPolicy(arn, document)
  }

  private func describeAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["association": try association(request).value]
  }

  private func listAssociations(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let rows = records(of: cluster.name, .association).filter { row in
      (request.input["namespace"].isNull || row["namespace"] == request.input["namespace"])
        && (request.input["serviceAccount"].isNull || row["serviceAccount"] == request.input["serviceAccount"])
    }
    let shown: [JSON] = rows.map { row in
      [
        "clusterName": row["clusterName"], "namespace": row["namespace"], "serviceAccount": row["serviceAccount"],
        "associationArn": row["associationArn"], "associationId": row["associationId"],
        "ownerArn": row["ownerArn"],
      ]
    }
    return try page(shown, request.input, "associations")
  }

  private func updateAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (key, before) = try association(request)
    let input = request.input
    let cluster = input["clusterName"].string ?? ""
    if let role = input["roleArn"].string { try checkRole(role, cluster) }
    try checkPolicy(input, before, cluster)
    var changed = before
    for member in ["roleArn", "disableSessionTags", "policy"] where !input[member].isNull {
      changed[member] = input[member]
    }
    if let target = input["targetRoleArn"].string { setTarget(target, &changed) }
    changed["modifiedAt"] = timeNow
    records[key] = changed
    return ["association": changed]
  }

  private func deleteAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (key, value) = try association(request)
    records[key] = nil
    return ["association": value]
  }
}
