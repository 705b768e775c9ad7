import Mechanisms
import Wire
import World

extension EKSService {
  static let nodegroupOperations: [String: Operation] = [
    "CreateNodegroup": createNodegroup, "DescribeNodegroup": describeNodegroup, "ListNodegroups": listNodegroups,
    "DeleteNodegroup": deleteNodegroup,
  ]

  func nodegroup(of request: AWSRequest) throws(AWSError) -> NodegroupRow {
    let cluster = try cluster(of: request)
    let name = request.input["nodegroupName"].string ?? ""
    guard let row = nodegroups[Key.nodegroup(cluster.name, name)] else {
      throw .noNodegroup(name, cluster: cluster.name)
    }
    return row
  }

  private func createNodegroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let cluster = try cluster(of: request)
    let name = input["nodegroupName"].string ?? ""
    let key = Key.nodegroup(cluster.name, name)
    if let existing = nodegroups[key] {
      if let token = input["clientRequestToken"].string, existing.requestToken == token {
        return ["nodegroup": existing.document]
      }
      throw .inUse(
        "NodeGroup already exists with name \(name) and cluster name \(cluster.name)", cluster: cluster.name,
        nodegroup: name)
    }
    guard cluster.status == "ACTIVE" || cluster.status == "UPDATING" else {
      throw .invalidRequest("Cluster '\(cluster.name)' is not in ACTIVE status", cluster: cluster.name)
    }
    guard nodegroups.rows(prefix: "\(cluster.name)|").count < 30 else {
      throw .eks("ResourceLimitExceeded", "The maximum number of node groups per cluster (30) has been reached.")
    }
    let source = try sourceTemplate(input["launchTemplate"], cluster: cluster.name, nodegroup: name)
    if let source { try check(source, with: input, cluster: cluster.name, nodegroup: name) }
    for field in ["remoteAccess", "warmPoolConfig"] where !input[field].isNull {
      throw .invalidParameter(
        "ekswhy does not simulate node groups with \(field); leave it out", cluster: cluster.name, nodegroup: name)
    }
    let scaling = try scalingConfig(input["scalingConfig"], default: 2, cluster: cluster.name, nodegroup: name)
    let version = input["version"].string ?? cluster.version
    let image = try nodeImage(input, source, version: version, cluster: cluster.name, nodegroup: name)
    let subnets = try nodegroupSubnets(input["subnets"].strings, cluster: cluster, nodegroup: name)
    try requireNodeRole(input["nodeRole"].string ?? "", cluster: cluster.name, nodegroup: name)
    try ensureServiceLinkedRole("eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup", for: request)
    guard ClusterVersion.named(version) != nil, version <= cluster.version else {
      throw .invalidParameter(
        "Nodegroup Kubernetes version \(version) must not be newer than the cluster's, \(cluster.version)",
        cluster: cluster.name, nodegroup: name)
    }
    let uuid = uuid()
    let time = JSON.double(Double(request.now.microseconds / 1000) / 1000)
    var document: JSON = [
      "nodegroupName": .string(name),
      "nodegroupArn": .string(
        "arn:aws:eks:\(request.region):\(request.account):nodegroup/\(cluster.name)/\(name)/\(uuid)"),
      "clusterName": .string(cluster.name), "version": .string(version),
      "releaseVersion": .string(image.release), "createdAt": time, "modifiedAt": time,
      "status": "CREATING", "capacityType": .string(input["capacityType"].string ?? "ON_DEMAND"),
      "scalingConfig": scaling, "subnets": JSON(subnets), "amiType": .string(image.type),
      "nodeRole": input["nodeRole"], "labels": input["labels"].isNull ? .emptyObject : input["labels"],
      "taints": input["taints"], "health": ["issues": []],
      "updateConfig": input["updateConfig"].isNull ? ["maxUnavailable": 1] : input["updateConfig"],
      "nodeRepairConfig": ["enabled": .bool(input["nodeRepairConfig"]["enabled"].bool ?? false)],
      "tags": input["tags"].isNull ? .emptyObject : input["tags"],
    ]
    if !image.instanceTypes.isEmpty { document["instanceTypes"] = JSON(image.instanceTypes) }
    if let source {
      document["launchTemplate"] = source.document
    } else {
      document["diskSize"] = .int(Int64(input["diskSize"].int ?? 20))
    }
    nodegroups[key] = NodegroupRow(
      cluster: cluster.name, name: name, document: document, requestToken: input["clientRequestToken"].string,
      uuid: uuid)
    world.spawn(ComponentID("eks-nodegroup/\(cluster.name)/\(name)"), NodegroupLife(cluster: cluster.name, name: name))
    return ["nodegroup": document]
  }

  /// Which image the nodes get, and the instance types that are asked for by the API.
  private func nodeImage(
    _ input: JSON, _ source: SourceTemplate?, version: String, cluster: String, nodegroup: String
  ) throws(AWSError) -> (type: String, release: String, instanceTypes: [String]) {
    func refuse(_ message: String) -> AWSError { .invalidParameter(message, cluster: cluster, nodegroup: nodegroup) }
    var types = input["instanceTypes"].strings
    let all = types.isEmpty ? source?.data["InstanceType"].string.map { [$0] } ?? ["t3.medium"] : types
    if types.isEmpty, source?.data["InstanceType"].isNull != false { types = all }
    if let image = source?.image { return ("CUSTOM", image, types) }
    let asked = input["amiType"].string
    if asked == "CUSTOM" {
      throw refuse("You must specify an image id in the launch template when the AMI type is CUSTOM")
    }
    let ami = asked ?? OptimizedImage.types[all.allSatisfy(OptimizedImage.needsARM) ? 1 : 0]
    if ami.hasPrefix("AL2_"), version > OptimizedImage.lastOfAL2 {
      throw refuse(
        "AMI Type \(ami) is only supported for kubernetes versions \(OptimizedImage.lastOfAL2) or earlier")
    }
    guard OptimizedImage.types.contains(ami) else {
      throw refuse("ekswhy simulates \(OptimizedImage.types.joined(separator: " and ")) nodes, not \(ami)")
    }
    for type in all
    where InstanceLimits.named(type) == nil || OptimizedImage.needsARM(type) != ami.contains("ARM_64") {
      throw refuse("[\(type)] is not a valid instance type for requested amiType \(ami)")
    }
    let release = try release(input["releaseVersion"].string, version: version, type: ami)
    return (ami, release, types)
  }

  /// The release that is asked for, else the newest.
  func release(_ asked: String?, version: String, type: String) throws(AWSError) -> String {
    let releases = OptimizedImage.releases(version, type: type).map(\.release)
    guard let asked else { return releases.last ?? "" }
    guard releases.contains(asked) else {
      throw .invalidParameter("Requested release version \(asked) is not valid for kubernetes version \(version).")
    }
    return asked
  }

  func scalingConfig(
    _ asked: JSON, default standard: Int, cluster: String, nodegroup: String
  ) throws(AWSError) -> JSON {
    let minimum = asked["minSize"].int ?? standard
    let maximum = asked["maxSize"].int ?? max(standard, minimum)
    let desired = asked["desiredSize"].int ?? max(minimum, min(standard, maximum))
    guard minimum <= desired else {
      throw .invalidParameter(
        "Minimum capacity \(minimum) can't be greater than desired size \(desired)", cluster: cluster,
        nodegroup: nodegroup)
    }
    guard desired <= maximum else {
      throw .invalidParameter(
        "desired capacity \(desired) can't be greater than max size \(maximum)", cluster: cluster, nodegroup: nodegroup)
    }
    guard maximum <= 450 else {
      throw .eks("ResourceLimitExceeded", "The maximum number of nodes per node group (450) has been exceeded.")
    }
    return ["minSize": JSON(minimum), "maxSize": JSON(maximum), "desiredSize": JSON(desired)]
  }

  private func nodegroupSubnets(
    _ subnets: [String], cluster: ClusterRow, nodegroup: String
  ) throws(AWSError) -> [String] {
    let reply = call("ec2", "DescribeSubnets", ["SubnetIds": JSON(subnets)], by: .plain)
    guard case .ok(let output) = reply else {
      throw .invalidParameter(reply.error?.message ?? "", cluster: cluster.name, nodegroup: nodegroup)
    }
    let vpc = cluster.document["resourcesVpcConfig"]["vpcId"]
    for subnet in output["Subnets"].items where subnet["VpcId"] != vpc {
      throw .invalidParameter(
        "Subnet \(subnet["SubnetId"].string ?? "") is not in the VPC of the cluster, \(vpc.string ?? "")",
        cluster: cluster.name, nodegroup: nodegroup)
    }
    return subnets
  }

  /// The role has to trust EC2, or no instance could take it.
  private func requireNodeRole(_ arn: String, cluster: String, nodegroup: String) throws(AWSError) {
    let name = ARN.parse(arn)?.name ?? arn
    guard case .ok(let output) = call("iam", "GetRole", ["RoleName": .string(name)], by: .plain),
      output["Role"]["Arn"].string == arn
    else {
      throw .invalidParameter("The role with name \(name) cannot be found.", cluster: cluster, nodegroup: nodegroup)
    }
    let text = output["Role"]["AssumeRolePolicyDocument"].string ?? ""
    let trusted: Bool
    if let document = try? PolicyDocument(text: PercentEncoding.decode(text) ?? text) {
      trusted =
        TrustPolicy.decide(
          .init(
            trust: .known(NamedPolicy(arn, document)), principal: .known(.service("ec2.amazonaws.com")),
            action: .known("sts:AssumeRole"), context: .known(PolicyContext()))
        ).isYes
    } else {
      trusted = false
    }
    guard trusted else {
      throw .invalidParameter(
        "Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole \(arn)",
        cluster: cluster, nodegroup: nodegroup)
    }
  }

  private func describeNodegroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    ["nodegroup": try nodegroup(of: request).document]
  }

  private func listNodegroups(_ request: AWSRequest) throws(AWSError) -> JSON {
    let cluster = try cluster(of: request)
    return try page(nodegroups.rows(prefix: "\(cluster.name)|").map(\.row.name), request.input, "nodegroups")
  }

  private func deleteNodegroup(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try nodegroup(of: request)
    let key = Key.nodegroup(row.cluster, row.name)
    if row.status != "DELETING" {
      nodegroups.update(key) { $0.status = "DELETING" }
      world.schedule(
        ComponentID("eks-nodegroup/\(row.cluster)/\(row.name)"), .message("delete", .null), at: world.now)
    }
    return ["nodegroup": nodegroups[key]?.document ?? .null]
  }
}
