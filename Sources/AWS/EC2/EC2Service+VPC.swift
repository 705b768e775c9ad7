import Mechanisms
import Wire
import World

extension EC2Service {
  static var vpcOperations: [String: Operation<EC2Service>] {
    [
      "CreateVpc": createVpc, "DescribeVpcs": describeVpcs, "DeleteVpc": deleteVpc,
      "ModifyVpcAttribute": modifyVpcAttribute, "DescribeVpcAttribute": describeVpcAttribute,
      "CreateDefaultVpc": createDefaultVpc,
    ]
  }

  static let vpcDescription = Description(
    list: "Vpcs", ids: "VpcIds", id: "VpcId", kind: "vpc",
    filters: [
      "cidr": "CidrBlock", "cidr-block": "CidrBlock", "isDefault": "IsDefault",
      "cidr-block-association.cidr-block": "CidrBlockAssociationSet.CidrBlock",
      "ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
      "ipv6-cidr-block-association.association-id": "Ipv6CidrBlockAssociationSet.AssociationId",
    ])

  func json(_ vpc: VPC) -> JSON {
    [
      "OwnerId": .string(world.account), "InstanceTenancy": "default",
      "CidrBlockAssociationSet": .array(
        ([VPCBlock(association: Self.primaryAssociation(of: vpc), cidr: vpc.cidr)] + (vpc.moreBlocks ?? [])).map {
          json($0, state: "associated")
        }),
      "Ipv6CidrBlockAssociationSet": vpc.blocks6.map { .array($0.map { json6($0, state: "associated", ofVPC: true) }) }
        ?? .null,
      "IsDefault": .bool(vpc.isDefault), "Tags": vpc.tags.json, "VpcId": .string(vpc.id), "State": "available",
      "CidrBlock": .string(vpc.cidr), "DhcpOptionsId": .string(vpc.dhcpOptions),
    ]
  }

  /// Makes a VPC with what comes with each: main route table, default security group, default NACL.
  func makeVPC(cidr: String, isDefault: Bool, tags: Tags = Tags()) -> VPC {
    var vpc = VPC(id: newID("vpc"), cidr: cidr, isDefault: isDefault, dhcpOptions: dhcpOptions, tags: tags)
    vpc.dnsHostnames = isDefault
    vpcs[vpc.id] = vpc
    let table = RouteTable(
      id: newID("rtb"), vpc: vpc.id, routes: [.init(destination: cidr, gateway: "local", origin: "CreateRouteTable")],
      associations: [.init(id: newID("rtbassoc"), subnet: nil)])
    routeTables[table.id] = table
    let acl = NetworkACL(id: newID("acl"), vpc: vpc.id, isDefault: true)
    acls[acl.id] = acl
    var group = SecurityGroup(
      id: newID("sg"), name: "default", description: "default VPC security group", vpc: vpc.id)
    group.rules = [
      .init(id: newID("sgr"), isEgress: false, ipProtocol: "-1", group: group.id),
      .init(id: newID("sgr"), isEgress: true, ipProtocol: "-1", cidr: "0.0.0.0/0"),
    ]
    groups[group.id] = group
    return vpc
  }

  /// Furnishes a new account: the default VPC with a public subnet in each zone.
  func furnish() { _ = makeDefaultVPC() }

  private func makeDefaultVPC() -> VPC {
    let vpc = makeVPC(cidr: "172.31.0.0/16", isDefault: true)
    let gateway = InternetGateway(id: newID("igw"), vpc: vpc.id)
    internetGateways[gateway.id] = gateway
    if let main = mainTable(of: vpc.id) {
      routeTables.update(main.id) {
        $0.routes.append(.init(destination: "0.0.0.0/0", gateway: gateway.id, origin: "CreateRoute"))
      }
    }
    for (index, zone) in zones.enumerated() {
      var subnet = Subnet(id: newID("subnet"), vpc: vpc.id, cidr: "172.31.\(index * 16).0/20", zone: zone.name)
      subnet.isDefault = true
      subnet.mapPublicIPs = true
      add(subnet)
    }
    return vpc
  }

  private func createDefaultVpc(_ request: AWSRequest) throws(AWSError) -> JSON {
    if let vpc = vpcs.first(where: { $0.isDefault }) {
      throw .ec2(
        "DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region (\(vpc.id)).")
    }
    return ["Vpc": json(makeDefaultVPC())]
  }

  private func createVpc(_ request: AWSRequest) throws(AWSError) -> JSON {
    let text = request.input["CidrBlock"].string ?? ""
    guard let block = CIDR(text) else {
      throw .ec2(
        "InvalidParameterValue", "Value (\(text)) for parameter cidrBlock is invalid. This is not a valid CIDR block.")
    }
    guard (16...28).contains(block.length) else {
      throw .ec2("InvalidVpc.Range", "The CIDR '\(text)' is invalid.")
    }
    guard vpcs.count < 100 else {
      throw .ec2("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
    }
    try Self.requireProvidedBlock(request.input)
    var vpc = makeVPC(cidr: block.description, isDefault: false, tags: newTags("vpc", request.input))
    var value = json(vpc)
    if request.input["AmazonProvidedIpv6CidrBlock"].bool == true {
      let made = addIPv6Block(to: &vpc)
      value["Ipv6CidrBlockAssociationSet"] = [json6(made, state: "associating", ofVPC: true)]
    }
    value["State"] = "pending"
    return ["Vpc": value]
  }

  private func describeVpcs(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(Self.vpcDescription, vpcs.all.map(json), request)
  }

  private func deleteVpc(_ request: AWSRequest) throws(AWSError) -> JSON {
    let vpc = try vpc(request.input["VpcId"].string)
    let inUse =
      subnets.first { $0.vpc == vpc.id } != nil || interfaces.first { $0.vpc == vpc.id } != nil
      || internetGateways.first { $0.vpc == vpc.id } != nil || endpoints.first { $0.vpc == vpc.id } != nil
      || egressOnlyGateways.first { $0.vpc == vpc.id } != nil
      || groups.first { $0.vpc == vpc.id && $0.name != "default" } != nil
      || routeTables.first { table in table.vpc == vpc.id && !table.associations.contains { $0.isMain } } != nil
    guard !inUse else { throw .dependency("vpc", vpc.id) }
    for peering in peerings.filter({ $0.state != .deleted && ($0.requester == vpc.id || $0.accepter == vpc.id) }) {
      end(peering, .deleted, request.now)
    }
    for table in routeTables.filter({ $0.vpc == vpc.id }) { routeTables[table.id] = nil }
    for group in groups.filter({ $0.vpc == vpc.id }) { groups[group.id] = nil }
    for acl in acls.filter({ $0.vpc == vpc.id }) { acls[acl.id] = nil }
    vpcs[vpc.id] = nil
    return .emptyObject
  }

  private func modifyVpcAttribute(_ request: AWSRequest) throws(AWSError) -> JSON {
    var vpc = try vpc(request.input["VpcId"].string)
    if let on = request.input["EnableDnsSupport"]["Value"].bool { vpc.dnsSupport = on }
    if let on = request.input["EnableDnsHostnames"]["Value"].bool { vpc.dnsHostnames = on }
    if let on = request.input["EnableNetworkAddressUsageMetrics"]["Value"].bool { vpc.addressUsageMetrics = on }
    vpcs[vpc.id] = vpc
    return .emptyObject
  }

  private func describeVpcAttribute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let vpc = try vpc(request.input["VpcId"].string)
    var answer: JSON = ["VpcId": .string(vpc.id)]
    switch request.input["Attribute"].string {
    case "enableDnsSupport": answer["EnableDnsSupport"] = ["Value": .bool(vpc.dnsSupport)]
    case "enableDnsHostnames": answer["EnableDnsHostnames"] = ["Value": .bool(vpc.dnsHostnames)]
    case "enableNetworkAddressUsageMetrics":
      answer["EnableNetworkAddressUsageMetrics"] = ["Value": .bool(vpc.addressUsageMetrics)]
    default:
      throw .ec2(
        "InvalidParameterValue",
        "Value (\(request.input["Attribute"].string ?? "")) for parameter attribute is invalid. ")
    }
    return answer
  }
}
