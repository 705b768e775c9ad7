import Mechanisms
import Wire
import World

extension EKSService {
  static let updateOperations: [String: Operation] = [
    "UpdateClusterConfig": updateClusterConfig, "UpdateClusterVersion": updateClusterVersion,
    "DescribeUpdate": describeUpdate, "ListUpdates": listUpdates,
  ]

  /// Keeps a new update, under way, and returns what `DescribeUpdate` shows of it.
  func newUpdate(
    cluster: String, nodegroup: String? = nil, addon: String? = nil, type: String, params: [JSON], change: JSON
  ) -> JSON {
    let id = uuid()
    let document: JSON = [
      "id": .string(id), "status": "InProgress", "type": .string(type), "params": .array(params),
      "createdAt": .double(Double(world.now.microseconds / 1000) / 1000), "errors": [],
    ]
    updates[Key.update(cluster, id)] = UpdateRow(
      cluster: cluster, nodegroup: nodegroup, addon: addon, document: document, change: change)
    return document
  }

  /// Starts an update of a cluster: one at a time.
  func begin(_ row: ClusterRow, _ type: String, _ params: [JSON], change: JSON) throws(AWSError) -> JSON {
    if let current = row.currentUpdate {
      throw .inUse(
        "Cannot \(type) because cluster \(row.name) currently has update \(current) in progress", cluster: row.name)
    }
    guard row.status == "ACTIVE" else {
      throw .invalidRequest("Cluster '\(row.name)' is not in ACTIVE status", cluster: row.name)
    }
    let update = newUpdate(cluster: row.name, type: type, params: params, change: change)
    clusters.update(row.name) { row in
      row.status = "UPDATING"
      row.currentUpdate = update["id"].string
    }
    world.schedule(ComponentID("eks-cluster/\(row.name)"), .message("update", update["id"]), at: world.now)
    return ["update": update]
  }

  private func updateClusterConfig(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    let input = request.input
    let vpc = input["resourcesVpcConfig"]
    let endpoint = vpc.has("endpointPublicAccess") || vpc.has("endpointPrivateAccess") || vpc.has("publicAccessCidrs")
    let simple = ["upgradePolicy", "zonalShiftConfig", "deletionProtection", "remoteNetworkConfig"].filter {
      input.has($0)
    }
    let kinds = [
      input.has("logging"), endpoint, vpc.has("subnetIds") || vpc.has("securityGroupIds"), input.has("accessConfig"),
    ]
    let asked = kinds.count { $0 } + simple.count
    for field in [
      "computeConfig", "storageConfig", "kubernetesNetworkConfig", "controlPlaneScalingConfig",
    ]
    where input.has(field) {
      throw .invalidParameter("ekswhy does not simulate updates of \(field)", cluster: row.name)
    }
    guard asked <= 1 else { throw .invalidParameter("Only one type of update can be allowed", cluster: row.name) }
    if input.has("logging") {
      let present = Self.logTypes.filter { row.logs($0) }
      let next = logging(input["logging"], from: present)
      guard next != row.document["logging"] else {
        throw .invalidParameter("No changes needed for the logging config provided", cluster: row.name)
      }
      return try begin(
        row, "LoggingUpdate", [["type": "ClusterLogging", "value": .string(input["logging"].text())]],
        change: ["logging": next])
    }
    if endpoint { return try updateEndpoint(row, vpc) }
    if kinds[2] { return try updateNetwork(row, vpc) }
    if input.has("accessConfig") {
      let wanted = input["accessConfig"]["authenticationMode"].string ?? ""
      guard let next = AuthenticationMode(rawValue: wanted), let present = AuthenticationMode(rawValue: row.mode),
        next != present, present.mayBecome(next)
      else {
        throw .invalidParameter(
          "Unsupported authentication mode update from \(row.mode) to \(wanted)", cluster: row.name)
      }
      var access = row.document["accessConfig"]
      access["authenticationMode"] = .string(wanted)
      return try begin(
        row, "AccessConfigUpdate", [["type": "AuthenticationMode", "value": .string(wanted)]],
        change: ["accessConfig": access])
    }
    guard let field = simple.first else { throw .invalidParameter("No changes needed", cluster: row.name) }
    try check(remoteNetworks: input["remoteNetworkConfig"], cluster: row.name)
    let (type, parameter) =
      switch field {
      case "remoteNetworkConfig": ("RemoteNetworkConfigUpdate", "RemoteNetworkConfig")
      case "upgradePolicy": ("UpgradePolicyUpdate", "UpgradePolicy")
      case "zonalShiftConfig": ("ZonalShiftConfigUpdate", "ZonalShiftConfig")
      default: ("DeletionProtectionUpdate", "DeletionProtection")
      }
    return try begin(
      row, type, [["type": .string(parameter), "value": .string(input[field].text())]], change: [field: input[field]])
  }

  /// Networks outside AWS are told in CIDR notation.
  func check(remoteNetworks config: JSON, cluster: String) throws(AWSError) {
    for list in ["remoteNodeNetworks", "remotePodNetworks"] {
      for cidr in config[list].items.flatMap({ $0["cidrs"].strings }) where CIDR(cidr) == nil {
        throw .invalidParameter("The following CIDRs are invalid in \(list): [\(cidr)]", cluster: cluster)
      }
    }
  }

  /// Other subnets or security groups for the interfaces of the control plane.
  private func updateNetwork(_ row: ClusterRow, _ vpc: JSON) throws(AWSError) -> JSON {
    var next = row.document["resourcesVpcConfig"]
    var params: [JSON] = []
    if vpc.has("subnetIds") {
      let ids = vpc["subnetIds"].strings
      let described = call("ec2", "DescribeSubnets", ["SubnetIds": JSON(ids)])
      if let error = described.error {
        throw .invalidParameter(error.message, cluster: row.name)
      }
      let subnets = described.output?["Subnets"].items ?? []
      guard subnets.allSatisfy({ $0["VpcId"] == next["vpcId"] }) else {
        throw .invalidParameter("Provided subnets belong to different VPCs than the cluster's", cluster: row.name)
      }
      let place = ClusterSubnets.decide(.init(subnets: .known(subnets.map(ClusterSubnets.Subnet.init))))
      if place.isNo, let reason = place.reasons.last {
        throw .invalidParameter(ClusterSubnets.message(reason, cluster: row.name, valid: []), cluster: row.name)
      }
      next["subnetIds"] = vpc["subnetIds"]
      params.append(["type": "Subnets", "value": .string(vpc["subnetIds"].text())])
    }
    if vpc.has("securityGroupIds") {
      next["securityGroupIds"] = vpc["securityGroupIds"]
      params.append(["type": "SecurityGroups", "value": .string(vpc["securityGroupIds"].text())])
    }
    return try begin(row, "VpcConfigUpdate", params, change: ["resourcesVpcConfig": next])
  }

  private func updateEndpoint(_ row: ClusterRow, _ vpc: JSON) throws(AWSError) -> JSON {
    var next = row.document["resourcesVpcConfig"]
    var params: [JSON] = []
    for (field, type) in [
      ("endpointPrivateAccess", "EndpointPrivateAccess"), ("endpointPublicAccess", "EndpointPublicAccess"),
      ("publicAccessCidrs", "PublicAccessCidrs"),
    ] where vpc.has(field) {
      next[field] = vpc[field]
      params.append(["type": .string(type), "value": .string(vpc[field].text())])
    }
    let isPublic = next["endpointPublicAccess"].bool ?? true
    let isPrivate = next["endpointPrivateAccess"].bool ?? false
    guard isPublic || isPrivate else {
      throw .invalidParameter("Private and public endpoint access cannot both be false", cluster: row.name)
    }
    let cidrs = next["publicAccessCidrs"].strings
    for cidr in cidrs where CIDR(cidr) == nil {
      throw .invalidParameter("The following CIDRs are invalid in publicAccessCidrs: [\(cidr)]", cluster: row.name)
    }
    guard next != row.document["resourcesVpcConfig"] else {
      throw .invalidParameter(
        "Cluster is already at the desired configuration with endpointPrivateAccess: \(isPrivate) , endpointPublicAccess: \(isPublic), and Public Endpoint Restrictions: [\(cidrs.joined(separator: ", "))]",
        cluster: row.name)
    }
    return try begin(row, "EndpointAccessUpdate", params, change: ["resourcesVpcConfig": next])
  }

  private func updateClusterVersion(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    let wanted = request.input["version"].string ?? ""
    let names = ClusterVersion.all.map(\.version)
    guard let next = ClusterVersion.named(wanted), let to = names.firstIndex(of: wanted) else {
      throw .invalidParameter("unsupported Kubernetes version", cluster: row.name)
    }
    guard let from = names.firstIndex(of: row.version), to == from + 1 else {
      throw .invalidParameter(
        "Unsupported Kubernetes minor version update from \(row.version) to \(wanted)", cluster: row.name)
    }
    return try begin(
      row, "VersionUpdate",
      [["type": "Version", "value": .string(wanted)], ["type": "PlatformVersion", "value": .string(next.platform)]],
      change: ["version": .string(wanted), "platformVersion": .string(next.platform)])
  }

  private func describeUpdate(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    let id = request.input["updateId"].string ?? ""
    guard let update = updates[Key.update(row.name, id)],
      request.input["nodegroupName"].isNull || request.input["nodegroupName"].string == update.nodegroup,
      request.input["addonName"].isNull || request.input["addonName"].string == update.addon
    else { throw .eks("ResourceNotFound", "No update found for ID: \(id)", 404, ["clusterName": .string(row.name)]) }
    return ["update": update.document]
  }

  private func listUpdates(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    let group = request.input["nodegroupName"].string
    let addon = request.input["addonName"].string
    let rows = updates.rows(prefix: "\(row.name)|").map(\.row).filter { $0.nodegroup == group && $0.addon == addon }
    return try page(rows.compactMap { $0.document["id"].string }, request.input, "updateIds")
  }
}
