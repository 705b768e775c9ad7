import AWS
import Testing
import Wire
import World

/// What a VPC is made of beyond its first block: blocks, reservations, peering, endpoints, options of names.
@Suite struct VPCTests {
  private func makeVPC(_ account: Account, _ block: String) throws -> JSON {
    try account.ok("ec2", "CreateVpc", ["CidrBlock": .string(block)])["Vpc"]["VpcId"]
  }

  @Test func secondaryBlocks() throws {
    let account = try Account()
    let vpc = try makeVPC(account, "10.0.0.0/16")
    let made = try account.ok("ec2", "AssociateVpcCidrBlock", ["VpcId": vpc, "CidrBlock": "100.64.0.0/16"])
    #expect(made["CidrBlockAssociation"]["CidrBlockState"]["State"] == "associating")
    let told = try account.ok("ec2", "DescribeVpcs", ["VpcIds": [vpc]])["Vpcs"][0]["CidrBlockAssociationSet"].items
    #expect(told.map { $0["CidrBlock"].string } == ["10.0.0.0/16", "100.64.0.0/16"])
    let subnet = try account.ok("ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": "100.64.1.0/24"])["Subnet"]
    let table = try account.ok(
      "ec2", "DescribeRouteTables", ["Filters": [["Name": "vpc-id", "Values": [vpc]]]])["RouteTables"][0]
    #expect(table["Routes"].items.map { $0["DestinationCidrBlock"].string } == ["10.0.0.0/16", "100.64.0.0/16"])
    let id = made["CidrBlockAssociation"]["AssociationId"]
    #expect(
      account.failure("ec2", "DisassociateVpcCidrBlock", ["AssociationId": id])
        == "InvalidCidrBlock.InUse: The vpc \(vpc.string!) currently has a subnet within CIDR block 100.64.0.0/16")
    _ = try account.ok("ec2", "DeleteSubnet", ["SubnetId": subnet["SubnetId"]])
    _ = try account.ok("ec2", "DisassociateVpcCidrBlock", ["AssociationId": id])
    #expect(
      account.failure("ec2", "DisassociateVpcCidrBlock", ["AssociationId": told[0]["AssociationId"]])?
        .hasPrefix("OperationNotPermitted: The vpc CIDR block with association ID") == true)
  }

  @Test(
    arguments: [
      ("10.0.128.0/17", "CidrConflict"), ("172.16.0.0/16", "InvalidVpc.Range"), ("192.168.0.0/16", "InvalidVpc.Range"),
      ("198.19.0.0/16", "InvalidVpc.Range"), ("10.8.0.0/8", "InvalidVpc.Range"), ("abc", "InvalidParameterValue"),
      ("10.8.0.0/16", nil), ("100.64.0.0/16", nil), ("198.18.0.0/16", nil),
    ] as [(String, String?)])
  func whichBlocksAVPCMayHave(block: String, code: String?) throws {
    let account = try Account()
    let vpc = try makeVPC(account, "10.0.0.0/16")
    let reply = account.call("ec2", "AssociateVpcCidrBlock", ["VpcId": vpc, "CidrBlock": .string(block)])
    #expect(reply.error?.code == code)
  }

  @Test func fiveBlocksAreTheQuota() throws {
    let account = try Account()
    let vpc = try makeVPC(account, "10.0.0.0/16")
    for index in 64..<68 {
      _ = try account.ok("ec2", "AssociateVpcCidrBlock", ["VpcId": vpc, "CidrBlock": .string("100.\(index).0.0/16")])
    }
    #expect(
      account.failure("ec2", "AssociateVpcCidrBlock", ["VpcId": vpc, "CidrBlock": "100.90.0.0/16"])
        == "CidrLimitExceeded: This network '\(vpc.string!)' has met its maximum number of allowed CIDRs: 5")
  }

  @Test func aReservationKeepsARangeForPrefixes() throws {
    let account = try Account()
    let subnet = try account.makeSubnet("10.0.1.0/24")
    let made = try account.ok(
      "ec2", "CreateSubnetCidrReservation",
      ["SubnetId": .string(subnet), "Cidr": "10.0.1.128/25", "ReservationType": "prefix"])["SubnetCidrReservation"]
    // Single addresses fall outside it, prefixes inside.
    for _ in 0..<60 {
      let made = try account.ok("ec2", "CreateNetworkInterface", ["SubnetId": .string(subnet)])["NetworkInterface"]
      let last = made["PrivateIpAddress"].string?.split(separator: ".").last.flatMap { Int($0) } ?? 255
      #expect(last < 128)
    }
    let eni = try account.ok(
      "ec2", "CreateNetworkInterface", ["SubnetId": .string(subnet), "Ipv4PrefixCount": 7])["NetworkInterface"]
    #expect(
      eni["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string }.sorted().first == "10.0.1.128/28")
    #expect(
      account.call(
        "ec2", "AssignPrivateIpAddresses", ["NetworkInterfaceId": eni["NetworkInterfaceId"], "Ipv4PrefixCount": 8]
      )
      .error?.code == "InsufficientCidrBlocks")
    let listed = try account.ok("ec2", "GetSubnetCidrReservations", ["SubnetId": .string(subnet)])
    #expect(listed["SubnetIpv4CidrReservations"].items.count == 1)
    _ = try account.ok(
      "ec2", "DeleteSubnetCidrReservation", ["SubnetCidrReservationId": made["SubnetCidrReservationId"]])
    #expect(
      account.failure("ec2", "DeleteSubnetCidrReservation", ["SubnetCidrReservationId": "scr-1"])
        == "InvalidSubnetCidrReservationID.NotFound: The subnet CIDR reservation ID 'scr-1' does not exist")
  }

  @Test func peering() throws {
    let account = try Account()
    let (a, b) = (try makeVPC(account, "10.0.0.0/16"), try makeVPC(account, "10.1.0.0/16"))
    let made = try account.ok("ec2", "CreateVpcPeeringConnection", ["VpcId": a, "PeerVpcId": b])["VpcPeeringConnection"]
    let id = made["VpcPeeringConnectionId"]
    func status() throws -> String? {
      try account.ok("ec2", "DescribeVpcPeeringConnections", ["VpcPeeringConnectionIds": [id]])[
        "VpcPeeringConnections"][0]["Status"]["Code"].string
    }
    #expect(try status() == "pending-acceptance")
    let table = try account.ok(
      "ec2", "DescribeRouteTables", ["Filters": [["Name": "vpc-id", "Values": [a]]]])["RouteTables"][0]["RouteTableId"]
    _ = try account.ok(
      "ec2", "CreateRoute",
      ["RouteTableId": table, "DestinationCidrBlock": "10.1.0.0/16", "VpcPeeringConnectionId": id])
    func route() throws -> JSON {
      try account.ok("ec2", "DescribeRouteTables", ["RouteTableIds": [table]])["RouteTables"][0]["Routes"][1]
    }
    #expect(try route()["State"] == "blackhole")
    _ = try account.ok("ec2", "AcceptVpcPeeringConnection", ["VpcPeeringConnectionId": id])
    #expect(try status() == "active")
    #expect(try route()["State"] == "active")
    #expect(try route()["VpcPeeringConnectionId"] == id)
    _ = try account.ok("ec2", "DeleteVpcPeeringConnection", ["VpcPeeringConnectionId": id])
    #expect(try status() == "deleted")
    #expect(try route()["State"] == "blackhole")
    #expect(
      account.call("ec2", "AcceptVpcPeeringConnection", ["VpcPeeringConnectionId": id]).error?.code
        == "InvalidStateTransition")
    // Blocks that overlap cannot be joined.
    let c = try makeVPC(account, "10.1.128.0/17")
    let failed = try account.ok("ec2", "CreateVpcPeeringConnection", ["VpcId": b, "PeerVpcId": c])
    #expect(failed["VpcPeeringConnection"]["Status"]["Code"] == "failed")
  }

  @Test func endpoints() throws {
    let account = try Account()
    let vpc = try makeVPC(account, "10.0.0.0/16")
    let subnet = try account.ok("ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": "10.0.1.0/24"])["Subnet"]["SubnetId"]
    let table = try account.ok(
      "ec2", "DescribeRouteTables", ["Filters": [["Name": "vpc-id", "Values": [vpc]]]])["RouteTables"][0][
        "RouteTableId"]
    let gateway = try account.ok(
      "ec2", "CreateVpcEndpoint",
      ["VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": [table]])["VpcEndpoint"]
    let routes = try account.ok("ec2", "DescribeRouteTables", ["RouteTableIds": [table]])["RouteTables"][0]["Routes"]
    #expect(routes[1]["DestinationPrefixListId"].string?.hasPrefix("pl-") == true)
    #expect(routes[1]["GatewayId"] == gateway["VpcEndpointId"])
    #expect(
      account.call(
        "ec2", "CreateVpcEndpoint",
        ["VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": [table]]
      ).error?.code == "RouteAlreadyExists")
    let interface: JSON = [
      "VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.ecr.api", "VpcEndpointType": "Interface",
      "SubnetIds": [subnet],
    ]
    #expect(
      account.failure("ec2", "CreateVpcEndpoint", interface)
        == "InvalidParameter: Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for \(vpc.string!)"
    )
    _ = try account.ok("ec2", "ModifyVpcAttribute", ["VpcId": vpc, "EnableDnsHostnames": ["Value": true]])
    let made = try account.ok("ec2", "CreateVpcEndpoint", interface)["VpcEndpoint"]
    #expect(made["PrivateDnsEnabled"] == true)
    #expect(made["DnsEntries"].items.last?["DnsName"] == "api.ecr.us-east-1.amazonaws.com")
    let eni = try account.ok("ec2", "DescribeNetworkInterfaces", ["NetworkInterfaceIds": made["NetworkInterfaceIds"]])
    #expect(eni["NetworkInterfaces"][0]["InterfaceType"] == "vpc_endpoint")
    #expect(
      eni["NetworkInterfaces"][0]["Description"].string == "VPC Endpoint Interface \(made["VpcEndpointId"].string!)")
    #expect(
      account.failure("ec2", "CreateVpcEndpoint", interface)
        == "InvalidParameter: private-dns-enabled cannot be set because there is already a conflicting DNS domain for api.ecr.us-east-1.amazonaws.com in the VPC \(vpc.string!)"
    )
    #expect(
      account.failure("ec2", "CreateVpcEndpoint", ["VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.none"])
        == "InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.us-east-1.none' does not exist")
    let gone = try account.ok(
      "ec2", "DeleteVpcEndpoints", ["VpcEndpointIds": [made["VpcEndpointId"], gateway["VpcEndpointId"], "vpce-1"]])
    #expect(gone["Unsuccessful"][0]["Error"]["Code"] == "InvalidVpcEndpointId.NotFound")
    #expect(try account.ok("ec2", "DescribeVpcEndpoints")["VpcEndpoints"].items.isEmpty)
    _ = try account.ok("ec2", "DeleteSubnet", ["SubnetId": subnet])
  }

  @Test func optionsOfNames() throws {
    let account = try Account()
    let vpc = try makeVPC(account, "10.0.0.0/16")
    let made = try account.ok(
      "ec2", "CreateDhcpOptions",
      ["DhcpConfigurations": [["Key": "domain-name", "Values": ["corp.example"]]]])["DhcpOptions"]
    let id = made["DhcpOptionsId"]
    _ = try account.ok("ec2", "AssociateDhcpOptions", ["DhcpOptionsId": id, "VpcId": vpc])
    #expect(try account.ok("ec2", "DescribeVpcs", ["VpcIds": [vpc]])["Vpcs"][0]["DhcpOptionsId"] == id)
    #expect(account.call("ec2", "DeleteDhcpOptions", ["DhcpOptionsId": id]).error?.code == "DependencyViolation")
    _ = try account.ok("ec2", "AssociateDhcpOptions", ["DhcpOptionsId": "default", "VpcId": vpc])
    _ = try account.ok("ec2", "DeleteDhcpOptions", ["DhcpOptionsId": id])
    #expect(
      account.call("ec2", "CreateDhcpOptions", ["DhcpConfigurations": [["Key": "color", "Values": ["red"]]]]).error?
        .code == "InvalidParameterValue")
  }

  @Test func trunksAndBranches() throws {
    let account = try Account()
    let subnet = try account.makeSubnet("10.0.1.0/24")
    func make(_ kind: String) throws -> JSON {
      try account.ok("ec2", "CreateNetworkInterface", ["SubnetId": .string(subnet), "InterfaceType": .string(kind)])[
        "NetworkInterface"]["NetworkInterfaceId"]
    }
    let (trunk, branch, plain) = (try make("trunk"), try make("branch"), try make("interface"))
    let made = try account.ok(
      "ec2", "AssociateTrunkInterface", ["TrunkInterfaceId": trunk, "BranchInterfaceId": branch, "VlanId": 1])[
        "InterfaceAssociation"]
    #expect(made["InterfaceProtocol"] == "VLAN")
    let told = try account.ok("ec2", "DescribeNetworkInterfaces", ["NetworkInterfaceIds": [branch]])[
      "NetworkInterfaces"]
    #expect(told[0]["Status"] == "in-use")
    #expect(told[0]["InterfaceType"] == "branch")
    #expect(
      account.call("ec2", "DeleteNetworkInterface", ["NetworkInterfaceId": branch]).error?.code
        == "InvalidParameterValue")
    #expect(
      account.call(
        "ec2", "AssociateTrunkInterface", ["TrunkInterfaceId": plain, "BranchInterfaceId": branch, "VlanId": 2]
      ).error?.code == "InvalidParameterValue")
    _ = try account.ok("ec2", "DisassociateTrunkInterface", ["AssociationId": made["AssociationId"]])
    _ = try account.ok("ec2", "DeleteNetworkInterface", ["NetworkInterfaceId": branch])
    #expect(try account.ok("ec2", "DescribeTrunkInterfaceAssociations")["InterfaceAssociations"].items.isEmpty)
  }
}
