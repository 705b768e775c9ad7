import Wire
import World

/// What is stored and told again, without behaviour: Fargate profiles.
extension EKSService {
  static let recordedOperations: [String: Operation] = fargateOperations

  enum RecordKind: String {
    case fargate, association, provider
  }

  func recordKey(_ cluster: String, _ kind: RecordKind, _ name: String) -> String {
    "\(cluster)|\(kind.rawValue)|\(name)"
  }

  func records(of cluster: String, _ kind: RecordKind) -> [JSON] {
    records.rows(prefix: "\(cluster)|\(kind.rawValue)|").map(\.row)
  }

  func record(
    _ request: AWSRequest, _ kind: RecordKind, _ name: String, _ missing: (String) -> String
  ) throws(AWSError) -> (key: String, value: JSON) {
    let cluster = try cluster(of: request)
    let key = recordKey(cluster.name, kind, name)
    guard let value = records[key] else {
      throw .eks("ResourceNotFound", missing(cluster.name), 404, ["clusterName": .string(cluster.name)])
    }
    return (key, value)
  }

  var timeNow: JSON { .double(Double(world.now.microseconds / 1000) / 1000) }

  func eksARN(_ rest: String) -> String { "arn:aws:eks:\(world.region):\(world.account):\(rest)" }

  /// An update that is done as soon as it is asked for, since nothing behaves.
  func doneUpdate(_ cluster: String, _ type: String, _ params: [JSON]) -> JSON {
    var update = newUpdate(cluster: cluster, type: type, params: params, change: .emptyObject)
    let key = Key.update(cluster, update["id"].string ?? "")
    updates.update(key) { $0.document["status"] = "Successful" }
    clusters.update(cluster) { if $0.currentUpdate == update["id"].string { $0.currentUpdate = nil } }
    update["status"] = "Successful"
    return update
  }

  // MARK: - Fargate profiles

  static let fargateOperations: [String: Operation] = [
    "CreateFargateProfile": createFargateProfile, "DescribeFargateProfile": describeFargateProfile,
    "ListFargateProfiles": listFargateProfiles, "DeleteFargateProfile": deleteFargateProfile,
  ]

  private func fargateProfile(_ request: AWSRequest) throws(AWSError) -> (key: String, value: JSON) {
    let name = request.input["fargateProfileName"].string ?? ""
    return try record(request, .fargate, name) { _ in "No Fargate Profile found with name: \(name)." }
  }

  private func createFargateProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let input = request.input
    let name = input["fargateProfileName"].string ?? ""
    let key = recordKey(cluster.name, .fargate, name)
    if let present = records[key] {
      if !input["clientRequestToken"].isNull, present["clientRequestToken"] == input["clientRequestToken"] {
        return ["fargateProfile": present]
      }
      throw .inUse("A Fargate Profile already exists with this name in this cluster.", cluster: cluster.name)
    }
    let profile: JSON = [
      "fargateProfileName": .string(name), "clusterName": .string(cluster.name),
      "fargateProfileArn": .string(eksARN("fargateprofile/\(cluster.name)/\(name)/\(uuid())")),
      "createdAt": timeNow, "podExecutionRoleArn": input["podExecutionRoleArn"],
      "subnets": input["subnets"].isNull ? JSON(cluster.subnets) : input["subnets"],
      "selectors": .array(
        input["selectors"].items.map { selector in
          var selector = selector
          if selector["labels"].isNull { selector["labels"] = .emptyObject }
          return selector
        }),
      "status": "ACTIVE", "tags": input["tags"].isNull ? .emptyObject : input["tags"], "health": ["issues": []],
    ]
    records[key] = profile
    return ["fargateProfile": profile]
  }

  private func describeFargateProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["fargateProfile": try fargateProfile(request).value]
  }

  private func listFargateProfiles(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    return try page(
      records(of: cluster.name, .fargate).compactMap { $0["fargateProfileName"].string }, request.input,
      "fargateProfileNames")
  }

  private func deleteFargateProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    var (key, profile) = try fargateProfile(request)
    records[key] = nil
    profile["status"] = "DELETING"
    return ["fargateProfile": profile]
  }
}
