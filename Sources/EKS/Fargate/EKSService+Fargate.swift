import Mechanisms
import Wire
import World

/// Fargate profiles.
extension EKSService {
  static let fargateOperations: [String: Operation] = [
    "CreateFargateProfile": createFargateProfile, "DescribeFargateProfile": describeFargateProfile,
    "ListFargateProfiles": listFargateProfiles, "DeleteFargateProfile": deleteFargateProfile,
  ]

  /// Most profiles of a cluster, selectors of a profile and labels of a selector.
  private static let profileLimit = 10
  private static let selectorLimit = 5
  private static let labelLimit = 5
  /// Kept in the record beside what `DescribeFargateProfile` shows.
  static let hiddenMembers = ["clientRequestToken", "mapsRole"]

  func fargateKey(_ cluster: String, _ name: String) -> String { recordKey(cluster, .fargate, name) }

  /// The profiles of a cluster as rules take them.
  func fargateProfiles(_ cluster: String) -> [FargateProfile] {
    records(of: cluster, .fargate).map(FargateProfile.init(describe:))
  }

  private func shown(_ profile: JSON) -> JSON {
    var profile = profile
    for member in Self.hiddenMembers { profile[member] = .null }
    return ["fargateProfile": profile]
  }

  private func fargateProfile(_ request: AWSRequest) throws(AWSError) -> (key: String, value: JSON) {
    let name = request.input["fargateProfileName"].string ?? ""
    return try record(request, .fargate, name) { _ in "No Fargate Profile found with name: \(name)." }
  }

  /// One profile of a cluster is made or deleted at a time.
  private func requireNoneUnderWay(_ cluster: ClusterRow, to verb: String, _ name: String) throws(AWSError) {
    for profile in records(of: cluster.name, .fargate) where profile["fargateProfileName"].string != name {
      guard let status = profile["status"].string, status == "CREATING" || status == "DELETING" else { continue }
      let other = profile["fargateProfileName"].string ?? ""
      throw .inUse(
        "Cannot \(verb) Fargate Profile \(name) because cluster \(cluster.name) currently has Fargate profile \(other) in status \(status)",
        cluster: cluster.name)
    }
  }

  private func createFargateProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let input = request.input
    let name = input["fargateProfileName"].string ?? ""
    let key = fargateKey(cluster.name, name)
    if let present = records[key] {
      if !input["clientRequestToken"].isNull, present["clientRequestToken"] == input["clientRequestToken"] {
        return shown(present)
      }
      throw .inUse("A Fargate Profile already exists with this name in this cluster.", cluster: cluster.name)
    }
    guard !cluster.isIPv6 else {
      throw .invalidParameter("ekswhy does not simulate Fargate in clusters of the IPv6 family", cluster: cluster.name)
    }
    guard cluster.status == "ACTIVE" || cluster.status == "UPDATING" else {
      throw .invalidRequest("Cluster '\(cluster.name)' is not in ACTIVE status", cluster: cluster.name)
    }
    guard !name.hasPrefix("eks-") else {
      throw .invalidParameter(
        "The prefix eks- is reserved and can't begin a Fargate profile's name.", cluster: cluster.name)
    }
    try requireNoneUnderWay(cluster, to: "create", name)
    guard records(of: cluster.name, .fargate).count < Self.profileLimit else {
      throw .eks(
        "ResourceLimitExceeded",
        "The maximum number of Fargate profiles per cluster (\(Self.profileLimit)) has been reached.")
    }
    let selectors = try selectors(input["selectors"], cluster)
    let subnets = try fargateSubnets(input["subnets"].strings, cluster)
    let arn = eksARN("fargateprofile/\(cluster.name)/\(name)/\(uuid())")
    let role = input["podExecutionRoleArn"].string ?? ""
    try requireExecutionRole(role, profileARN: arn, cluster)
    try ensureServiceLinkedRole("eks-fargate.amazonaws.com", "AWSServiceRoleForAmazonEKSForFargate", for: request)
    let profile: JSON = [
      "fargateProfileName": .string(name), "fargateProfileArn": .string(arn), "clusterName": .string(cluster.name),
      "createdAt": timeNow, "podExecutionRoleArn": .string(role), "subnets": JSON(subnets), "selectors": selectors,
      "status": "CREATING", "tags": input["tags"].isNull ? .emptyObject : input["tags"], "health": ["issues": []],
      "clientRequestToken": input["clientRequestToken"],
    ]
    records[key] = profile
    world.spawn(FargateLife.id(cluster.name, name), FargateLife(cluster: cluster.name, name: name))
    return shown(profile)
  }

  private func selectors(_ asked: JSON, _ cluster: ClusterRow) throws(AWSError) -> JSON {
    guard !asked.items.isEmpty else {
      throw .invalidParameter("Fargate Profile requires at least one selector.", cluster: cluster.name)
    }
    guard asked.items.count <= Self.selectorLimit else {
      throw .invalidParameter(
        "Fargate Profile has more than \(Self.selectorLimit) selectors", cluster: cluster.name)
    }
    var selectors: [JSON] = []
    for asked in asked.items {
      guard let namespace = asked["namespace"].string, !namespace.isEmpty else {
        throw .invalidParameter(
          "Fargate Profile must have at least one selector with at least one namespace value.", cluster: cluster.name)
      }
      guard asked["labels"].fields.count <= Self.labelLimit else {
        throw .invalidParameter(
          "Request contains Selector with more than \(Self.labelLimit) Label pairs", cluster: cluster.name)
      }
      var selector = asked
      if selector["labels"].isNull { selector["labels"] = .emptyObject }
      selectors.append(selector)
    }
    return .array(selectors)
  }

  /// Private subnets of the cluster's VPC; the cluster's own private ones where none are asked for.
  private func fargateSubnets(_ asked: [String], _ cluster: ClusterRow) throws(AWSError) -> [String] {
    let reply = call("ec2", "DescribeSubnets", ["SubnetIds": JSON(asked.isEmpty ? cluster.subnets : asked)], by: .plain)
    guard let subnets = reply.output?["Subnets"].items else {
      throw .invalidParameter(reply.error?.message ?? "", cluster: cluster.name)
    }
    let vpc = cluster.document["resourcesVpcConfig"]["vpcId"].string ?? ""
    for subnet in subnets where subnet["VpcId"].string != vpc {
      throw .invalidParameter(
        "Subnet \(subnet["SubnetId"].string ?? "") is not in the VPC of the cluster, \(vpc)", cluster: cluster.name)
    }
    let tables = routeTables(vpc)
    let ids = subnets.compactMap { $0["SubnetId"].string }
    let open = ids.filter { id in
      FargateLaunch.Way.table(of: id, vpc: vpc, in: tables).map(FargateLaunch.Way.isPublic) ?? false
    }
    guard !asked.isEmpty else {
      let closed = ids.filter { !open.contains($0) }
      guard let first = open.first, closed.isEmpty else { return closed }
      throw .notPrivate(first, cluster.name)
    }
    if let first = open.first { throw .notPrivate(first, cluster.name) }
    return asked
  }

  func routeTables(_ vpc: String) -> [JSON] {
    call(
      "ec2", "DescribeRouteTables", ["Filters": [["Name": "vpc-id", "Values": [.string(vpc)]]]], by: .plain
    ).output?["RouteTables"].items ?? []
  }

  private func requireExecutionRole(_ arn: String, profileARN: String, _ cluster: ClusterRow) throws(AWSError) {
    let name = ARN.parse(arn)?.name ?? arn
    guard call("iam", "GetRole", ["RoleName": .string(name)], by: .plain).output?["Role"]["Arn"].string == arn else {
      throw .invalidParameter("The role with name \(name) cannot be found.", cluster: cluster.name)
    }
    guard executionRoleIsTrusted(arn, profileARN: profileARN) else {
      throw .invalidParameter(
        "Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal",
        cluster: cluster.name)
    }
  }

  private func describeFargateProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    shown(try fargateProfile(request).value)
  }

  private func listFargateProfiles(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    return try page(
      records(of: cluster.name, .fargate).compactMap { $0["fargateProfileName"].string }, request.input,
      "fargateProfileNames")
  }

  private func deleteFargateProfile(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    let (key, profile) = try fargateProfile(request)
    guard profile["status"].string != "DELETING" else { return shown(profile) }
    let name = profile["fargateProfileName"].string ?? ""
    try requireNoneUnderWay(cluster, to: "delete", name)
    records.update(key) { $0["status"] = "DELETING" }
    world.schedule(FargateLife.id(cluster.name, name), .message("delete", .null), at: world.now)
    return shown(records[key] ?? .null)
  }
}

extension AWSError {
  fileprivate static func notPrivate(_ subnet: String, _ cluster: String) -> AWSError {
    invalidParameter("Subnet \(subnet) provided in Fargate Profile is not a private subnet", cluster: cluster)
  }
}
