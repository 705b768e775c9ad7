import AWS
import Testing
import Wire
import World

@Suite struct NetworkTests {
  @Test func aNewAccountHasItsDefaultNetwork() throws {
    let account = try Account()
    let vpcs = try account.ok("ec2", "DescribeVpcs", ["Filters": [["Name": "is-default", "Values": ["true"]]]])["Vpcs"]
    #expect(vpcs.items.map { $0["CidrBlock"].string } == ["172.31.0.0/16"])
    let subnets = try account.ok("ec2", "DescribeSubnets")["Subnets"].items
    #expect(Set(subnets.compactMap { $0["AvailabilityZone"].string }) == ["us-east-1a", "us-east-1b", "us-east-1c"])
    #expect(subnets.allSatisfy { $0["MapPublicIpOnLaunch"].bool == true && $0["AvailableIpAddressCount"].int == 4091 })
    let tables = try account.ok(
      "ec2", "DescribeRouteTables", ["Filters": [["Name": "association.main", "Values": ["true"]]]])["RouteTables"]
    let gateway = tables[0]["Routes"].items.first { $0["DestinationCidrBlock"] == "0.0.0.0/0" }
    #expect(gateway?["GatewayId"].string?.hasPrefix("igw-") == true)
    #expect(gateway?["State"] == "active")
  }

  @Test(
    arguments: [
      (
        "DescribeSubnets", ["SubnetIds": ["subnet-1"]],
        "InvalidSubnetID.NotFound: The subnet ID 'subnet-1' does not exist"
      ),
      ("DescribeVpcs", ["VpcIds": ["vpc-1"]], "InvalidVpcID.NotFound: The vpc ID 'vpc-1' does not exist"),
      (
        "DescribeSecurityGroups", ["GroupIds": ["sg-1"]],
        "InvalidGroup.NotFound: The security group 'sg-1' does not exist"
      ),
      (
        "DescribeInstances", ["InstanceIds": ["i-1"]],
        "InvalidInstanceID.NotFound: The instance ID 'i-1' does not exist"
      ),
      ("CreateVpc", ["CidrBlock": "10.0.0.0/8"], "InvalidVpc.Range: The CIDR '10.0.0.0/8' is invalid."),
    ] as [(String, JSON, String)])
  func refusalsHaveEC2sWords(operation: String, input: JSON, expected: String) throws {
    #expect(try Account().failure("ec2", operation, input) == expected)
  }

  @Test func aVPCGoesOnlyWhenItIsEmpty() throws {
    let account = try Account()
    let subnet = try account.makeSubnet("10.0.1.0/24")
    let vpc = try account.ok("ec2", "DescribeSubnets", ["SubnetIds": [.string(subnet)]])["Subnets"][0]["VpcId"]
    #expect(
      account.failure("ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": "10.0.1.128/25"])
        == "InvalidSubnet.Conflict: The CIDR '10.0.1.128/25' conflicts with another subnet")
    #expect(
      account.failure("ec2", "DeleteVpc", ["VpcId": vpc])
        == "DependencyViolation: The vpc '\(vpc.string ?? "")' has dependencies and cannot be deleted.")
    _ = try account.ok("ec2", "DeleteSubnet", ["SubnetId": .string(subnet)])
    _ = try account.ok("ec2", "DeleteVpc", ["VpcId": vpc])
    #expect(try account.ok("ec2", "DescribeVpcs")["Vpcs"].items.count == 1)
  }

  @Test func rulesOfASecurityGroupAreToldTogether() throws {
    let account = try Account()
    let group = try account.ok("ec2", "CreateSecurityGroup", ["GroupName": "web", "Description": "d"])["GroupId"]
    let rule: JSON = [
      "GroupId": group,
      "IpPermissions": [
        ["IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [["CidrIp": "0.0.0.0/0"]]]
      ],
    ]
    _ = try account.ok("ec2", "AuthorizeSecurityGroupIngress", rule)
    #expect(
      account.failure("ec2", "AuthorizeSecurityGroupIngress", rule)
        == "InvalidPermission.Duplicate: the specified rule \"peer: 0.0.0.0/0, TCP, from port: 443, to port: 443, ALLOW\" already exists"
    )
    let told = try account.ok("ec2", "DescribeSecurityGroups", ["GroupIds": [group]])["SecurityGroups"][0]
    #expect(told["IpPermissions"].items.count == 1)
    #expect(told["IpPermissionsEgress"][0]["IpProtocol"] == "-1")
    _ = try account.ok("ec2", "RevokeSecurityGroupIngress", rule)
    #expect(
      account.failure("ec2", "RevokeSecurityGroupIngress", rule)
        == "InvalidPermission.NotFound: The specified rule does not exist in this security group.")
    #expect(
      account.failure("ec2", "CreateSecurityGroup", ["GroupName": "web", "Description": "d"])?.hasPrefix(
        "InvalidGroup.Duplicate") == true)
    _ = try account.ok("ec2", "DeleteSecurityGroup", ["GroupId": group])
  }

  @Test func clientTokensMakeCallsRepeatable() throws {
    let account = try Account()
    let input: JSON = ["CidrBlock": "10.1.0.0/16", "ClientToken": "t"]
    let first = try account.ok("ec2", "CreateVpc", input)["Vpc"]["VpcId"]
    #expect(try account.ok("ec2", "CreateVpc", input)["Vpc"]["VpcId"] == first)
    #expect(
      account.failure("ec2", "CreateVpc", ["CidrBlock": "10.2.0.0/16", "ClientToken": "t"])?
        .hasPrefix("IdempotentParameterMismatch") == true)
  }

  @Test func filtersKnowWildcardsAndTags() throws {
    let account = try Account()
    _ = try account.ok(
      "ec2", "CreateVpc",
      [
        "CidrBlock": "10.1.0.0/16",
        "TagSpecifications": [["ResourceType": "vpc", "Tags": [["Key": "Name", "Value": "shop-vpc"]]]],
      ])
    func count(_ name: String, _ value: String) throws -> Int {
      try account.ok(
        "ec2", "DescribeVpcs", ["Filters": [["Name": .string(name), "Values": [.string(value)]]]])["Vpcs"].items.count
    }
    #expect(try count("tag:Name", "shop-*") == 1)
    #expect(try count("tag:Name", "cart-*") == 0)
    #expect(try count("cidr", "10.1.0.0/16") == 1)
    #expect(try count("state", "available") == 2)
  }
}
