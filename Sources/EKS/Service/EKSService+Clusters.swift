import Mechanisms
import Wire
import World

extension EKSService {
  static let clusterOperations: [String: Operation] = [
    "CreateCluster": createCluster, "DescribeCluster": describeCluster, "ListClusters": listClusters,
    "DeleteCluster": deleteCluster,
  ]

  private func createCluster(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let name = input["name"].string ?? ""
    let token = input["clientRequestToken"].string
    guard registered(name) == nil else {
      throw .inUse("Cluster already exists with name: \(name)", cluster: name)
    }
    if let existing = clusters[name] {
      if let token, existing.requestToken == token { return ["cluster": existing.document] }
      throw .inUse("Cluster already exists with name: \(name)", cluster: name)
    }
    if !input["outpostConfig"].isNull {
      throw .invalidParameter("ekswhy does not simulate outpostConfig; leave it out", cluster: name)
    }
    try check(remoteNetworks: input["remoteNetworkConfig"], cluster: name)
    if input["computeConfig"]["enabled"].bool == true {
      throw .invalidParameter("ekswhy does not simulate EKS Auto Mode; leave computeConfig out", cluster: name)
    }
    guard clusters.count < 100 else {
      throw .eks("ResourceLimitExceeded", "The maximum number of clusters (100) has been reached.")
    }
    let version = input["version"].string ?? ClusterVersion.standard
    guard let offered = ClusterVersion.named(version) else {
      throw .invalidParameter("unsupported Kubernetes version", cluster: name)
    }
    try check(encryption: input["encryptionConfig"], cluster: name)
    let network = try clusterNetwork(input, cluster: name)
    let access = try accessConfig(input["accessConfig"], cluster: name)
    try requireClusterRole(input["roleArn"].string ?? "", cluster: name)
    try ensureServiceLinkedRole("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS", for: request, looksAsCaller: false)

    let id = world.newID { $0.hex(32) }.uppercased()
    var document: JSON = [
      "name": .string(name), "arn": .string("arn:aws:eks:\(request.region):\(request.account):cluster/\(name)"),
      "createdAt": .double(Double(request.now.microseconds / 1000) / 1000), "version": .string(version),
      "roleArn": input["roleArn"], "resourcesVpcConfig": network.vpc, "kubernetesNetworkConfig": network.kubernetes,
      "logging": logging(input["logging"]), "status": "CREATING", "certificateAuthority": .emptyObject,
      "platformVersion": .string(offered.platform), "tags": input["tags"].isNull ? .emptyObject : input["tags"],
      "accessConfig": access, "health": ["issues": []],
      "upgradePolicy": ["supportType": .string(input["upgradePolicy"]["supportType"].string ?? "EXTENDED")],
      "zonalShiftConfig": ["enabled": .bool(input["zonalShiftConfig"]["enabled"].bool ?? false)],
      "deletionProtection": .bool(input["deletionProtection"].bool ?? false),
    ]
    if !input["remoteNetworkConfig"].isNull { document["remoteNetworkConfig"] = input["remoteNetworkConfig"] }
    if !input["encryptionConfig"].isNull { document["encryptionConfig"] = input["encryptionConfig"] }
    clusters[name] = ClusterRow(
      id: id, name: name, document: document, creatorARN: request.principal.roleARN ?? request.principal.arn,
      creatorID: request.principal.userID.split(separator: ":").first.map(String.init) ?? "", createdAt: request.now,
      requestToken: token, installsAddons: input["bootstrapSelfManagedAddons"].bool ?? true,
      logSuffix: world.newID { $0.hex(32) })
    world.spawn(ComponentID("eks-cluster/\(name)"), ClusterLife(name: name))
    return ["cluster": document]
  }

  /// The cluster's place in the VPC, checked as the API does at once.
  private func clusterNetwork(
    _ input: JSON, cluster: String
  ) throws(AWSError) -> (vpc: JSON, kubernetes: JSON) {
    let asked = input["resourcesVpcConfig"]
    let subnets = asked["subnetIds"].strings
    guard !subnets.isEmpty else {
      throw .invalidParameter("Subnets specified must be in at least two different AZs", cluster: cluster)
    }
    let reply = call("ec2", "DescribeSubnets", ["SubnetIds": JSON(subnets)], by: .plain)
    guard case .ok(let output) = reply else {
      throw .invalidParameter(reply.error?.message ?? "", cluster: cluster)
    }
    let found = output["Subnets"].items
    let place = ClusterSubnets.decide(.init(subnets: .known(found.map(ClusterSubnets.Subnet.init))))
    guard let vpc = place.value else { throw refusal(place, cluster: cluster) }
    let groups = asked["securityGroupIds"].strings
    if !groups.isEmpty,
      case .error(let error) = call("ec2", "DescribeSecurityGroups", ["GroupIds": JSON(groups)], by: .plain)
    {
      throw .invalidParameter(error.message, cluster: cluster)
    }
    let publicAccess = asked["endpointPublicAccess"].bool ?? true
    let privateAccess = asked["endpointPrivateAccess"].bool ?? false
    guard publicAccess || privateAccess else {
      throw .invalidParameter("Private and public endpoint access cannot both be false", cluster: cluster)
    }
    let cidrs = asked["publicAccessCidrs"].strings
    guard cidrs.count <= 40 else {
      throw .invalidParameter("publicAccessCidrs can have at most 40 entries", cluster: cluster)
    }
    for cidr in cidrs where CIDR(cidr) == nil {
      throw .invalidParameter("The following CIDRs are invalid in publicAccessCidrs: [\(cidr)]", cluster: cluster)
    }
    let vpcDocument: JSON = [
      "subnetIds": JSON(subnets), "securityGroupIds": JSON(groups), "vpcId": .string(vpc),
      "endpointPublicAccess": .bool(publicAccess), "endpointPrivateAccess": .bool(privateAccess),
      "publicAccessCidrs": JSON(cidrs.isEmpty ? ["0.0.0.0/0"] : cidrs),
    ]
    let wanted = input["kubernetesNetworkConfig"]
    guard wanted["ipFamily"].string == "ipv6" else {
      return (vpcDocument, try kubernetesNetwork(wanted, vpc: vpc, cluster: cluster))
    }
    guard input["remoteNetworkConfig"].isNull else {
      throw .invalidParameter("remoteNetworkConfig is not supported for clusters with ipFamily ipv6", cluster: cluster)
    }
    return (vpcDocument, try kubernetesIPv6Network(wanted, subnets: found, cluster: cluster))
  }

  private func refusal(_ place: Verdict<String, Because>, cluster: String) -> AWSError {
    guard let reason = place.reasons.last else { return .invalidParameter("", cluster: cluster) }
    guard reason.code.hasSuffix("/zone") else {
      return .invalidParameter(ClusterSubnets.message(reason, cluster: cluster, valid: []), cluster: cluster)
    }
    let all = call("ec2", "DescribeAvailabilityZones", [:], by: .plain).output?["AvailabilityZones"].items ?? []
    let zones = all.filter { !ClusterSubnets.refusedZones.contains($0["ZoneId"].string ?? "") }
      .compactMap { $0["ZoneName"].string }
    return .eks(
      "UnsupportedAvailabilityZone", ClusterSubnets.message(reason, cluster: cluster, valid: zones), 400,
      ["clusterName": .string(cluster), "validZones": JSON(zones)])
  }

  private func kubernetesNetwork(_ asked: JSON, vpc: String, cluster: String) throws(AWSError) -> JSON {
    let described = call("ec2", "DescribeVpcs", ["VpcIds": [.string(vpc)]], by: .plain).output?["Vpcs"][0] ?? .null
    let blocks =
      described["CidrBlockAssociationSet"].items.compactMap { $0["CidrBlock"].string }
      + [described["CidrBlock"].string].compactMap { $0 }
    var service = "10.100.0.0/16"
    if let custom = asked["serviceIpv4Cidr"].string {
      guard let cidr = CIDR(custom), (12...24).contains(cidr.length),
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].compactMap({ CIDR($0) }).contains(where: { $0.contains(cidr) }
        )
      else {
        throw .invalidParameter(
          "Invalid service CIDR \(custom): it must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 and between /24 and /12",
          cluster: cluster)
      }
      guard !blocks.compactMap({ CIDR($0) }).contains(where: { $0.overlaps(cidr) }) else {
        throw .invalidParameter(
          "Invalid service CIDR \(custom): it overlaps with the CIDR of the VPC", cluster: cluster)
      }
      service = custom
    } else if blocks.contains(where: { $0.hasPrefix("10.") }) {
      service = "172.20.0.0/16"
    }
    return ["serviceIpv4Cidr": .string(service), "ipFamily": "ipv4", "elasticLoadBalancing": ["enabled": false]]
  }

  /// EKS chooses the block of an IPv6 cluster's Services itself: a /108 of unique local addresses.
  private func kubernetesIPv6Network(_ asked: JSON, subnets: [JSON], cluster: String) throws(AWSError) -> JSON {
    guard asked["serviceIpv4Cidr"].isNull else {
      throw .invalidParameter("serviceIpv4Cidr can not be specified when ipFamily is ipv6", cluster: cluster)
    }
    let without = subnets.filter { $0["Ipv6CidrBlockAssociationSet"].items.isEmpty }.compactMap {
      $0["SubnetId"].string
    }
    guard without.isEmpty else {
      throw .invalidParameter(
        "Subnets specified must have an IPv6 CIDR block when ipFamily is ipv6: [\(without.joined(separator: ", "))]",
        cluster: cluster)
    }
    let random = world.newID { $0.next() >> 24 }
    let base = IPv6Address(high: 0xfd << 56 | random << 16, low: 0)
    return [
      "serviceIpv6Cidr": .string(IPv6CIDR(base, length: 108).description), "ipFamily": "ipv6",
      "elasticLoadBalancing": ["enabled": false],
    ]
  }

  private func accessConfig(_ asked: JSON, cluster: String) throws(AWSError) -> JSON {
    let mode = asked["authenticationMode"].string ?? "CONFIG_MAP"
    let bootstrap = asked["bootstrapClusterCreatorAdminPermissions"].bool ?? true
    if mode == "CONFIG_MAP", !bootstrap {
      throw .invalidParameter(
        "bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP",
        cluster: cluster)
    }
    return ["bootstrapClusterCreatorAdminPermissions": .bool(bootstrap), "authenticationMode": .string(mode)]
  }

  /// EKS tries the role when the cluster is made.
  private func requireClusterRole(_ arn: String, cluster: String) throws(AWSError) {
    let reply = call("sts", "AssumeRole", ["RoleArn": .string(arn), "RoleSessionName": "AmazonEKS"], by: .plain)
    guard reply.error == nil else {
      throw .invalidParameter(
        "Role with arn: \(arn), could not be assumed because it does not exist or the trusted entity is not correct",
        cluster: cluster)
    }
  }

  static let logTypes = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  /// Types that are on in one element, types that are off in another, as the API shows them.
  func logging(_ asked: JSON, from present: [String] = []) -> JSON {
    var on = Set(present)
    for element in asked["clusterLogging"].items {
      for type in element["types"].strings {
        if element["enabled"].bool ?? false { on.insert(type) } else { on.remove(type) }
      }
    }
    let enabled = Self.logTypes.filter { on.contains($0) }
    let disabled = Self.logTypes.filter { !on.contains($0) }
    var elements: [JSON] = []
    if !enabled.isEmpty { elements.append(["types": JSON(enabled), "enabled": true]) }
    if !disabled.isEmpty { elements.append(["types": JSON(disabled), "enabled": false]) }
    return ["clusterLogging": .array(elements)]
  }

  private func describeCluster(_ request: AWSRequest) throws(AWSError) -> JSON {
    if let found = registered(request.input["name"].string ?? "") { return ["cluster": found] }
    return ["cluster": try cluster(of: request).document]
  }

  private func listClusters(_ request: AWSRequest) throws(AWSError) -> JSON {
    // Registered clusters are told only where all are asked for.
    let others = request.input["include"].strings.contains("all") ? registeredNames : []
    return try page((clusters.keys + others).sorted(), request.input, "clusters")
  }

  private func deleteCluster(_ request: AWSRequest) throws(AWSError) -> JSON {
    let row = try cluster(of: request)
    guard nodegroups.rows(prefix: "\(row.name)|").isEmpty else {
      throw .inUse("Cluster has nodegroups attached", cluster: row.name)
    }
    guard records(of: row.name, .fargate).isEmpty else {
      throw .inUse("Cluster has fargate profiles attached", cluster: row.name)
    }
    guard row.document["deletionProtection"].bool != true else {
      throw .invalidRequest("Cluster \(row.name) has deletion protection enabled", cluster: row.name)
    }
    guard row.currentUpdate == nil else {
      throw .inUse("Cannot delete because cluster \(row.name) currently has an update in progress", cluster: row.name)
    }
    guard row.status != "CREATING" else {
      throw .inUse("Cannot delete because cluster \(row.name) is currently being created", cluster: row.name)
    }
    if row.status != "DELETING" {
      clusters.update(row.name) { $0.status = "DELETING" }
      world.schedule(ComponentID("eks-cluster/\(row.name)"), .message("delete", .null), at: world.now)
    }
    return ["cluster": try cluster(row.name).document]
  }
}
