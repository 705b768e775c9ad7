import AWS
import Testing
import Wire
import World

/// IPv6 in VPCs: blocks, addresses and prefixes of interfaces, routes, egress-only gateways.
@Suite struct IPv6Tests {
  /// A VPC with Amazon's block and a subnet with its first /64.
  private struct Network {
    let account: Account
    let vpc: JSON
    let subnet: JSON
    /// `2600:1f18:…`, the block without its last two digits and `::/56`.
    let block: IPv6CIDR

    init() throws {
      account = try Account()
      vpc = try account.ok("ec2", "CreateVpc", ["CidrBlock": "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock": true])[
        "Vpc"]["VpcId"]
      let told = try account.ok("ec2", "DescribeVpcs", ["VpcIds": [vpc]])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]
      #expect(told["Ipv6CidrBlockState"]["State"] == "associated" && told["Ipv6Pool"] == "Amazon")
      block = try #require(IPv6CIDR(told["Ipv6CidrBlock"].string ?? ""))
      subnet = try account.ok(
        "ec2", "CreateSubnet",
        [
          "VpcId": vpc, "CidrBlock": "10.0.1.0/24",
          "Ipv6CidrBlock": .string(IPv6CIDR(block.base, length: 64).description),
        ]
      )["Subnet"]["SubnetId"]
    }

    func interface(_ more: JSON = .emptyObject) throws -> JSON {
      var input: JSON = ["SubnetId": subnet]
      for field in more.fields { input[field.key] = field.value }
      return try account.ok("ec2", "CreateNetworkInterface", input)["NetworkInterface"]
    }
  }

  @Test func aBlockOfAmazonsOpensTheDefaults() throws {
    let network = try Network()
    #expect(network.block.length == 56 && network.block.description.hasPrefix("2600:1f18:"))
    let filter: JSON = ["Filters": [["Name": "vpc-id", "Values": [network.vpc]]]]
    let routes = try network.account.ok("ec2", "DescribeRouteTables", filter)["RouteTables"][0]["Routes"].items
    #expect(routes.map { $0["DestinationCidrBlock"].string } == ["10.0.0.0/16", nil])
    #expect(routes.map { $0["DestinationIpv6CidrBlock"].string } == [nil, network.block.description])
    let entries = try network.account.ok("ec2", "DescribeNetworkAcls", filter)["NetworkAcls"][0]["Entries"].items
    #expect(entries.map { $0["RuleNumber"].int } == [100, 101, 32767, 32768, 100, 101, 32767, 32768])
    let group = try network.account.ok("ec2", "DescribeSecurityGroups", filter)["SecurityGroups"][0]
    #expect(group["IpPermissionsEgress"][0]["Ipv6Ranges"][0]["CidrIpv6"] == "::/0")
  }

  @Test func whatASubnetMayHave() throws {
    let network = try Network()
    let account = network.account
    let other = "2001:db8::/64"
    let inside = IPv6CIDR(IPv6Address(high: network.block.base.high | 1, low: 0), length: 64).description
    func failure(_ text: String) -> String? {
      account.failure(
        "ec2", "CreateSubnet", ["VpcId": network.vpc, "CidrBlock": "10.0.2.0/24", "Ipv6CidrBlock": .string(text)])
    }
    #expect(failure(other) == "InvalidSubnet.Range: The CIDR '\(other)' is invalid.")
    let taken = IPv6CIDR(network.block.base, length: 64).description
    #expect(failure(taken) == "InvalidSubnet.Conflict: The CIDR '\(taken)' conflicts with another subnet")
    #expect(failure("10.0.0.0/8")?.hasPrefix("InvalidParameterValue: Value (10.0.0.0/8) for parameter") == true)
    let plain = try account.ok("ec2", "CreateSubnet", ["VpcId": network.vpc, "CidrBlock": "10.0.2.0/24"])["Subnet"]
    let turnOn: JSON = ["SubnetId": plain["SubnetId"], "AssignIpv6AddressOnCreation": ["Value": true]]
    #expect(account.failure("ec2", "ModifySubnetAttribute", turnOn)?.hasPrefix("InvalidParameterValue") == true)
    let made = try account.ok(
      "ec2", "AssociateSubnetCidrBlock", ["SubnetId": plain["SubnetId"], "Ipv6CidrBlock": .string(inside)])
    _ = try account.ok("ec2", "ModifySubnetAttribute", turnOn)
    let shown = try account.ok("ec2", "DescribeSubnets", ["SubnetIds": [plain["SubnetId"]]])["Subnets"][0]
    #expect(shown["AssignIpv6AddressOnCreation"] == true)
    #expect(shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].string == inside)
    let vpcBlock = try account.ok("ec2", "DescribeVpcs", ["VpcIds": [network.vpc]])["Vpcs"][0][
      "Ipv6CidrBlockAssociationSet"][0]["AssociationId"]
    #expect(
      account.failure("ec2", "DisassociateVpcCidrBlock", ["AssociationId": vpcBlock])?
        .hasPrefix("InvalidCidrBlock.InUse") == true)
    let interface = try account.ok("ec2", "CreateNetworkInterface", ["SubnetId": plain["SubnetId"]])["NetworkInterface"]
    let address = try #require(IPv6Address(interface["Ipv6Addresses"][0]["Ipv6Address"].string ?? ""))
    #expect(IPv6CIDR(inside)?.contains(address) == true)
    let release: JSON = ["AssociationId": made["Ipv6CidrBlockAssociation"]["AssociationId"]]
    #expect(account.failure("ec2", "DisassociateSubnetCidrBlock", release)?.hasPrefix("InvalidCidrBlock.InUse") == true)
    _ = try account.ok(
      "ec2", "DeleteNetworkInterface", ["NetworkInterfaceId": interface["NetworkInterfaceId"]])
    _ = try account.ok("ec2", "DisassociateSubnetCidrBlock", release)
  }

  @Test func addressesAndPrefixesOfInterfaces() throws {
    let network = try Network()
    let account = network.account
    let wanted = (network.block.base + 0x10).description
    let first = try network.interface([
      "Ipv6Addresses": [["Ipv6Address": .string(wanted)]], "Ipv6PrefixCount": 1,
    ])
    #expect(first["Ipv6Address"].string == wanted)
    let prefix = try #require(IPv6CIDR(first["Ipv6Prefixes"][0]["Ipv6Prefix"].string ?? ""))
    #expect(prefix.length == 80 && network.block.contains(prefix))
    let second = try network.interface()
    let id = second["NetworkInterfaceId"]
    #expect(second["Ipv6Addresses"] == [] && second["Ipv6Prefixes"].isNull)
    func failure(_ input: JSON) -> String? {
      var input = input
      input["NetworkInterfaceId"] = id
      return account.failure("ec2", "AssignIpv6Addresses", input)
    }
    #expect(failure(["Ipv6Addresses": [.string(wanted)]]) == "InvalidIPAddress.InUse: Address \(wanted) is in use.")
    #expect(failure(["Ipv6Prefixes": [.string(prefix.description)]])?.hasSuffix("is in use.") == true)
    #expect(failure(["Ipv6Addresses": ["2001:db8::1"]])?.hasPrefix("InvalidParameterValue") == true)
    #expect(failure(["Ipv6Addresses": [.string((prefix.base + 5).description)]])?.hasPrefix("InvalidIPAddress") == true)
    #expect(failure(.emptyObject)?.hasPrefix("MissingParameter") == true)
    let given = try account.ok(
      "ec2", "AssignIpv6Addresses", ["NetworkInterfaceId": id, "Ipv6AddressCount": 2, "Ipv6PrefixCount": 1])
    #expect(given["AssignedIpv6Addresses"].items.count == 2 && given["AssignedIpv6Prefixes"].items.count == 1)
    let found = try account.ok(
      "ec2", "DescribeNetworkInterfaces",
      ["Filters": [["Name": "ipv6-addresses.ipv6-address", "Values": [given["AssignedIpv6Addresses"][1]]]]])
    #expect(found["NetworkInterfaces"].items.map { $0["NetworkInterfaceId"] } == [id])
    _ = try account.ok(
      "ec2", "UnassignIpv6Addresses",
      [
        "NetworkInterfaceId": id, "Ipv6Addresses": given["AssignedIpv6Addresses"],
        "Ipv6Prefixes": given["AssignedIpv6Prefixes"],
      ])
    #expect(
      account.failure("ec2", "UnassignIpv6Addresses", ["NetworkInterfaceId": id, "Ipv6Addresses": ["::9"]])?
        .hasPrefix("InvalidParameterValue") == true)
    let plain = try account.makeSubnet("10.0.7.0/24")
    #expect(
      account.failure("ec2", "CreateNetworkInterface", ["SubnetId": .string(plain), "Ipv6AddressCount": 1])
        == "InvalidParameterValue: No IPv6 CIDR block is associated with subnet '\(plain)'.")
  }

  @Test func aWayOutForIPv6() throws {
    let network = try Network()
    let account = network.account
    let gateway = try account.ok("ec2", "CreateEgressOnlyInternetGateway", ["VpcId": network.vpc])[
      "EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    let table = try account.ok("ec2", "CreateRouteTable", ["VpcId": network.vpc])["RouteTable"]["RouteTableId"]
    func route(_ block: String, _ field: String) -> JSON {
      ["RouteTableId": table, "EgressOnlyInternetGatewayId": gateway, field: .string(block)]
    }
    #expect(
      account.failure("ec2", "CreateRoute", route("0.0.0.0/0", "DestinationCidrBlock"))?
        .hasPrefix("InvalidParameterValue") == true)
    _ = try account.ok("ec2", "CreateRoute", route("::/0", "DestinationIpv6CidrBlock"))
    func last() throws -> JSON {
      try account.ok("ec2", "DescribeRouteTables", ["RouteTableIds": [table]])["RouteTables"][0]["Routes"].items.last!
    }
    #expect(try last()["State"] == "active")
    #expect(try last()["EgressOnlyInternetGatewayId"] == gateway)
    _ = try account.ok("ec2", "DeleteEgressOnlyInternetGateway", ["EgressOnlyInternetGatewayId": gateway])
    #expect(try last()["State"] == "blackhole")
    _ = try account.ok("ec2", "DeleteRoute", ["RouteTableId": table, "DestinationIpv6CidrBlock": "::/0"])
    #expect(
      account.failure("ec2", "DeleteRoute", ["RouteTableId": table, "DestinationIpv6CidrBlock": "::/0"])
        == "InvalidRoute.NotFound: no route with destination-ipv6-cidr-block ::/0 in route table \(table.string!)")
  }

  @Test func rangesOfGroups() throws {
    let network = try Network()
    let account = network.account
    let group = try account.ok(
      "ec2", "CreateSecurityGroup", ["GroupName": "six", "Description": "six", "VpcId": network.vpc])["GroupId"]
    func permit(_ range: String) -> JSON {
      [
        "GroupId": group,
        "IpPermissions": [
          ["IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "Ipv6Ranges": [["CidrIpv6": .string(range)]]]
        ],
      ]
    }
    _ = try account.ok("ec2", "AuthorizeSecurityGroupIngress", permit("2001:DB8:0::/32"))
    #expect(
      account.failure("ec2", "AuthorizeSecurityGroupIngress", permit("2001:db8::/32"))?
        .hasPrefix("InvalidPermission.Duplicate") == true)
    #expect(
      account.failure("ec2", "AuthorizeSecurityGroupIngress", permit("2001:db8::"))
        == "InvalidParameterValue: CIDR block 2001:db8:: is malformed")
  }
}
