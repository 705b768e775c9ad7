import Mechanisms
import Wire
import World

extension EKSService {
  static let nodegroupOperations: [String: Operation] = [
    "CreateNodegroup": createNodegroup, "DescribeNodegroup": describeNodegroup, "ListNodegroups": listNodegroups,
    "UpdateNodegroupConfig": updateNodegroupConfig, "DeleteNodegroup": deleteNodegroup,
  ]

  private func nodegroup(of request: AWSRequest) throws(AWSError) -> NodegroupRow {
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
    for field in ["launchTemplate", "remoteAccess", "warmPoolConfig"] where !input[field].isNull {
      throw .invalidParameter(
        "ekswhy does not simulate node groups with \(field); leave it out", cluster: cluster.name, nodegroup: name)
    }
    let scaling = try scalingConfig(input["scalingConfig"], default: 2, cluster: cluster.name, nodegroup: name)
    let types = input["instanceTypes"].strings.isEmpty ? ["t3.medium"] : input["instanceTypes"].strings
    for type in types where InstanceLimits.named(type) == nil {
      throw .invalidParameter(
        "[\(type)] is not a valid instance type for requested amiType AL2023_x86_64_STANDARD", cluster: cluster.name,
        nodegroup: name)
    }
    let ami = input["amiType"].string ?? "AL2023_x86_64_STANDARD"
    guard ami == "AL2023_x86_64_STANDARD" else {
      throw .invalidParameter(
        "ekswhy simulates AL2023_x86_64_STANDARD nodes, not \(ami)", cluster: cluster.name, nodegroup: name)
    }
    let subnets = try nodegroupSubnets(input["subnets"].strings, cluster: cluster, nodegroup: name)
    try requireNodeRole(input["nodeRole"].string ?? "", cluster: cluster.name, nodegroup: name)
    ensureServiceLinkedRole("eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup")
    let version = input["version"].string ?? cluster.version
    guard let offered = ClusterVersion.named(version), version <= cluster.version else {
      throw .invalidParameter(
        "Nodegroup Kubernetes version \(version) must not be newer than the cluster's, \(cluster.version)",
        cluster: cluster.name, nodegroup: name)
    }
    let uuid = uuid()
    let time = JSON.double(Double(request.now.microseconds / 1000) / 1000)
    let document: JSON = [
      "nodegroupName": .string(name),
      "nodegroupArn": .string(
        "arn:aws:eks:\(request.region):\(request.account):nodegroup/\(cluster.name)/\(name)/\(uuid)"),
      "clusterName": .string(cluster.name), "version": .string(version),
      "releaseVersion": .string("\(offered.patch)-20261101"), "createdAt": time, "modifiedAt": time,
      "status": "CREATING", "capacityType": .string(input["capacityType"].string ?? "ON_DEMAND"),
      "scalingConfig": scaling, "instanceTypes": JSON(types), "subnets": JSON(subnets), "amiType": .string(ami),
      "nodeRole": input["nodeRole"], "labels": input["labels"].isNull ? .emptyObject : input["labels"],
      "taints": input["taints"], "diskSize": .int(Int64(input["diskSize"].int ?? 20)), "health": ["issues": []],
      "updateConfig": input["updateConfig"].isNull ? ["maxUnavailable": 1] : input["updateConfig"],
      "nodeRepairConfig": ["enabled": .bool(input["nodeRepairConfig"]["enabled"].bool ?? false)],
      "tags": input["tags"].isNull ? .emptyObject : input["tags"],
    ]
    nodegroups[key] = NodegroupRow(
      cluster: cluster.name, name: name, document: document, requestToken: input["clientRequestToken"].string,
      uuid: uuid)
    world.spawn(ComponentID("eks-nodegroup/\(cluster.name)/\(name)"), NodegroupLife(cluster: cluster.name, name: name))
    return ["nodegroup": document]
  }

  private func scalingConfig(
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

  private func updateNodegroupConfig(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try nodegroup(of: request)
    let input = request.input
    guard row.status == "ACTIVE" || row.status == "DEGRADED" else {
      throw .inUse(
        "Nodegroup cannot be updated as it is currently not in Active State", cluster: row.cluster, nodegroup: row.name)
    }
    var change: JSON = .emptyObject
    var params: [JSON] = []
    func note(_ type: String, _ value: JSON) {
      params.append(["type": .string(type), "value": .string(value.string ?? value.text())])
    }
    if !input["scalingConfig"].isNull {
      var merged = row.document["scalingConfig"]
      for field in input["scalingConfig"].fields { merged[field.key] = field.value }
      change["scalingConfig"] = try scalingConfig(
        merged, default: row.desired, cluster: row.cluster, nodegroup: row.name)
      for (field, type) in [("minSize", "MinSize"), ("maxSize", "MaxSize"), ("desiredSize", "DesiredSize")]
      where input["scalingConfig"].has(field) { note(type, change["scalingConfig"][field]) }
    }
    if !input["labels"].isNull {
      var labels = row.document["labels"]
      for field in input["labels"]["addOrUpdateLabels"].fields { labels[field.key] = field.value }
      for name in input["labels"]["removeLabels"].strings { labels[name] = .null }
      change["labels"] = labels
      if input["labels"].has("addOrUpdateLabels") { note("LabelsToAdd", input["labels"]["addOrUpdateLabels"]) }
      if input["labels"].has("removeLabels") { note("LabelsToRemove", input["labels"]["removeLabels"]) }
    }
    if !input["taints"].isNull {
      var taints = row.document["taints"].items
      func same(_ a: JSON, _ b: JSON) -> Bool { a["key"] == b["key"] && a["effect"] == b["effect"] }
      for taint in input["taints"]["removeTaints"].items { taints.removeAll { same($0, taint) } }
      for taint in input["taints"]["addOrUpdateTaints"].items {
        taints.removeAll { same($0, taint) }
        taints.append(taint)
      }
      change["taints"] = .array(taints)
      if input["taints"].has("addOrUpdateTaints") { note("TaintsToAdd", input["taints"]["addOrUpdateTaints"]) }
      if input["taints"].has("removeTaints") { note("TaintsToRemove", input["taints"]["removeTaints"]) }
    }
    if !input["updateConfig"].isNull {
      change["updateConfig"] = input["updateConfig"]
      for field in input["updateConfig"].fields {
        note(field.key == "maxUnavailable" ? "MaxUnavailable" : "MaxUnavailablePercentage", field.value)
      }
    }
    let update = newUpdate(
      cluster: row.cluster, nodegroup: row.name, type: "ConfigUpdate", params: params, change: change)
    nodegroups.update(Key.nodegroup(row.cluster, row.name)) { $0.status = "UPDATING" }
    world.schedule(
      ComponentID("eks-nodegroup/\(row.cluster)/\(row.name)"), .message("update", update["id"]), at: world.now)
    return ["update": update]
  }
}
