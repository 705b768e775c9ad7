import Mechanisms
import Wire
import World

extension EC2Service {
  static var subnetOperations: [String: Operation<EC2Service>] {
    [
      "CreateSubnet": createSubnet, "DescribeSubnets": describeSubnets, "DeleteSubnet": deleteSubnet,
      "ModifySubnetAttribute": modifySubnetAttribute, "AssociateSubnetCidrBlock": associateSubnetBlock,
      "DisassociateSubnetCidrBlock": disassociateSubnetBlock,
    ]
  }

  static let subnetDescription = Description(
    list: "Subnets", ids: "SubnetIds", id: "SubnetId", kind: "subnet",
    filters: [
      "cidr": "CidrBlock", "cidrBlock": "CidrBlock", "availabilityZone": "AvailabilityZone",
      "defaultForAz": "DefaultForAz", "default-for-az": "DefaultForAz",
      "available-ip-address-count": "AvailableIpAddressCount",
      "map-public-ip-on-launch": "MapPublicIpOnLaunch",
      "ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
      "ipv6-cidr-block-association.association-id": "Ipv6CidrBlockAssociationSet.AssociationId",
    ])

  func add(_ subnet: Subnet) {
    subnets[subnet.id] = subnet
    occupied[subnet.id] = SubnetSpace(subnet.block)
    guard let acl = acls.first(where: { $0.vpc == subnet.vpc && $0.isDefault }) else { return }
    acls.update(acl.id) { $0.associations.append(.init(id: newID("aclassoc"), subnet: subnet.id)) }
  }

  func zoneID(_ name: String) -> String { zones.first { $0.name == name }?.id ?? "" }

  func json(_ subnet: Subnet) -> JSON {
    [
      "AvailabilityZoneId": .string(zoneID(subnet.zone)), "MapCustomerOwnedIpOnLaunch": false,
      "OwnerId": .string(world.account), "AssignIpv6AddressOnCreation": .bool(subnet.assignsIPv6 == true),
      "Ipv6CidrBlockAssociationSet": .array(
        [subnet.block6].compactMap { $0 }.map { json6($0, state: "associated", ofVPC: false) }),
      "Tags": subnet.tags.json, "SubnetArn": .string(arn("subnet", subnet.id)), "EnableDns64": false,
      "Ipv6Native": false,
      "PrivateDnsNameOptionsOnLaunch": [
        "HostnameType": subnet.resourceNames ? "resource-name" : "ip-name", "EnableResourceNameDnsARecord": false,
        "EnableResourceNameDnsAAAARecord": false,
      ],
      "SubnetId": .string(subnet.id), "State": "available", "VpcId": .string(subnet.vpc),
      "CidrBlock": .string(subnet.cidr), "AvailableIpAddressCount": .int(Int64(occupied[subnet.id]?.freeCount ?? 0)),
      "AvailabilityZone": .string(subnet.zone), "DefaultForAz": .bool(subnet.isDefault),
      "MapPublicIpOnLaunch": .bool(subnet.mapPublicIPs),
    ]
  }

  private func createSubnet(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let vpc = try vpc(input["VpcId"].string)
    guard input["Ipv6Native"].bool != true else {
      throw .ec2("UnsupportedOperation", "The local EKS has no subnets of IPv6 alone.")
    }
    let text = input["CidrBlock"].string ?? ""
    guard let block = CIDR(text) else {
      throw .ec2(
        "InvalidParameterValue", "Value (\(text)) for parameter cidrBlock is invalid. This is not a valid CIDR block.")
    }
    guard (16...28).contains(block.length), vpc.blocks.contains(where: { $0.contains(block) }) else {
      throw .ec2("InvalidSubnet.Range", "The CIDR '\(text)' is invalid.")
    }
    guard subnets.first(where: { $0.vpc == vpc.id && $0.block.overlaps(block) }) == nil else {
      throw .ec2("InvalidSubnet.Conflict", "The CIDR '\(text)' conflicts with another subnet")
    }
    var zone = input["AvailabilityZone"].string
    if let id = input["AvailabilityZoneId"].string { zone = zones.first { $0.id == id }?.name ?? id }
    let chosen = zone ?? zones[0].name
    guard zones.contains(where: { $0.name == chosen }) else {
      let names = zones.map(\.name).joined(separator: ", ")
      throw .ec2(
        "InvalidParameterValue",
        "Value (\(chosen)) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: \(names)."
      )
    }
    var subnet = Subnet(id: newID("subnet"), vpc: vpc.id, cidr: block.description, zone: chosen)
    subnet.tags = newTags("subnet", input)
    if let wanted = input["Ipv6CidrBlock"].string { subnet.block6 = try subnetBlock(wanted, in: vpc) }
    add(subnet)
    return ["Subnet": json(subnet)]
  }

  private func describeSubnets(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(Self.subnetDescription, subnets.all.map(json), request)
  }

  private func deleteSubnet(_ request: AWSRequest) throws(AWSError) -> JSON {
    let subnet = try subnet(request.input["SubnetId"].string)
    guard interfaces.first(where: { $0.subnet == subnet.id }) == nil else { throw .dependency("subnet", subnet.id) }
    for row in reservations.filter({ $0.subnet == subnet.id }) { reservations[row.id] = nil }
    for table in routeTables.filter({ $0.associations.contains { $0.subnet == subnet.id } }) {
      routeTables.update(table.id) { $0.associations.removeAll { $0.subnet == subnet.id } }
    }
    for acl in acls.filter({ $0.associations.contains { $0.subnet == subnet.id } }) {
      acls.update(acl.id) { $0.associations.removeAll { $0.subnet == subnet.id } }
    }
    subnets[subnet.id] = nil
    occupied[subnet.id] = nil
    return .emptyObject
  }

  private func modifySubnetAttribute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let subnet = try subnet(request.input["SubnetId"].string)
    if request.input["AssignIpv6AddressOnCreation"]["Value"].bool == true, subnet.block6 == nil {
      throw .ec2(
        "InvalidParameterValue",
        "Invalid value 'true' for assignIpv6AddressOnCreation. Subnet \(subnet.id) does not have an IPv6 CIDR block.")
    }
    guard request.input["EnableDns64"]["Value"].bool != true else {
      throw .ec2("UnsupportedOperation", "The local EKS's resolver has no DNS64.")
    }
    subnets.update(subnet.id) {
      if let on = request.input["AssignIpv6AddressOnCreation"]["Value"].bool { $0.assignsIPv6 = on ? true : nil }
      if let on = request.input["MapPublicIpOnLaunch"]["Value"].bool { $0.mapPublicIPs = on }
      if let type = request.input["PrivateDnsHostnameTypeOnLaunch"].string {
        $0.resourceNames = type == "resource-name"
      }
    }
    return .emptyObject
  }
}
