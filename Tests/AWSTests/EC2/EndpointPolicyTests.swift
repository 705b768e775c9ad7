import AWS
import Testing
import Wire
import World

/// The policy of a VPC endpoint counts for calls that come through it, and for no others.
@Suite struct EndpointPolicyTests {
  private let account: Account
  private let vpc: JSON
  private let subnet: JSON
  private let address: String

  init() throws {
    account = try Account()
    vpc = try account.ok("ec2", "CreateVpc", ["CidrBlock": "10.0.0.0/16"])["Vpc"]["VpcId"]
    _ = try account.ok("ec2", "ModifyVpcAttribute", ["VpcId": vpc, "EnableDnsHostnames": ["Value": true]])
    subnet = try account.ok("ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": "10.0.0.0/24"])["Subnet"]["SubnetId"]
    address =
      try account.ok("ec2", "CreateNetworkInterface", ["SubnetId": subnet])["NetworkInterface"]["PrivateIpAddress"]
      .string ?? ""
  }

  private static func policy(_ statements: JSON...) -> JSON {
    .string((["Version": "2012-10-17", "Statement": .array(statements)] as JSON).text())
  }

  /// The same administrator's call from inside the VPC.
  private func inside(_ service: String, _ operation: String, _ input: JSON = .emptyObject) -> String? {
    account.world.aws.perform(
      AWSCall(
        service: service, operation: operation, input: input, region: "us-east-1",
        caller: .credential(accessKeyID: account.aws.administratorKey), sourceIP: address)
    ).error?.description
  }

  @Test func anInterfaceEndpointsPolicyDecides() throws {
    let only: JSON = ["Effect": "Allow", "Principal": "*", "Action": "ec2:DescribeVpcs", "Resource": "*"]
    let made = try account.ok(
      "ec2", "CreateVpcEndpoint",
      [
        "VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.ec2", "VpcEndpointType": "Interface",
        "SubnetIds": [subnet], "PolicyDocument": Self.policy(only),
      ])["VpcEndpoint"]["VpcEndpointId"]
    #expect(inside("ec2", "DescribeVpcs") == nil)
    #expect(
      inside("ec2", "DescribeSubnets")
        == "UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:iam::000000000000:user/admin is not authorized to perform: ec2:DescribeSubnets because no VPC endpoint policy allows the ec2:DescribeSubnets action"
    )
    #expect(account.failure("ec2", "DescribeSubnets") == nil)
    #expect(inside("iam", "ListRoles") == nil)

    let trail = try account.ok("cloudtrail", "LookupEvents")["Events"].items.compactMap {
      try? JSON.parse(Array(($0["CloudTrailEvent"].string ?? "").utf8))
    }
    #expect(trail.filter { $0["vpcEndpointId"] == made }.count == 2)

    let deny: JSON = ["Effect": "Deny", "Principal": "*", "Action": "ec2:DescribeSubnets", "Resource": "*"]
    let all: JSON = ["Effect": "Allow", "Principal": ["AWS": "*"], "Action": "*", "Resource": "*"]
    _ = try account.ok(
      "ec2", "ModifyVpcEndpoint", ["VpcEndpointId": made, "PolicyDocument": Self.policy(all, deny)])
    #expect(inside("ec2", "DescribeSubnets")?.hasSuffix("with an explicit deny in a VPC endpoint policy") == true)
    _ = try account.ok("ec2", "ModifyVpcEndpoint", ["VpcEndpointId": made, "ResetPolicy": true])
    #expect(inside("ec2", "DescribeSubnets") == nil)
    _ = try account.ok(
      "ec2", "ModifyVpcEndpoint",
      ["VpcEndpointId": made, "PrivateDnsEnabled": false, "PolicyDocument": Self.policy(deny)])
    #expect(inside("ec2", "DescribeSubnets") == nil)
  }

  @Test func aGatewayTakesThoseWhoseTableLeadsThere() throws {
    let none: JSON = ["Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"]
    let made = try account.ok(
      "ec2", "CreateVpcEndpoint",
      ["VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "PolicyDocument": Self.policy(none)])["VpcEndpoint"][
        "VpcEndpointId"]
    #expect(inside("s3", "ListBuckets") == nil)
    let table = try account.ok("ec2", "DescribeRouteTables", ["Filters": [["Name": "vpc-id", "Values": [vpc]]]])[
      "RouteTables"][0]["RouteTableId"]
    _ = try account.ok("ec2", "ModifyVpcEndpoint", ["VpcEndpointId": made, "AddRouteTableIds": [table]])
    #expect(inside("s3", "ListBuckets")?.hasSuffix("with an explicit deny in a VPC endpoint policy") == true)
  }

  @Test func conditionsSeeTheWay() throws {
    let made = try account.ok(
      "ec2", "CreateVpcEndpoint",
      [
        "VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.ec2", "VpcEndpointType": "Interface",
        "SubnetIds": [subnet],
      ])["VpcEndpoint"]["VpcEndpointId"]
    let statement: JSON = [
      "Effect": "Deny", "Action": "ec2:DescribeVpcs", "Resource": "*",
      "Condition": ["StringNotEquals": ["aws:SourceVpce": made]],
    ]
    _ = try account.ok(
      "iam", "PutUserPolicy",
      ["UserName": "admin", "PolicyName": "only-inside", "PolicyDocument": Self.policy(statement)])
    #expect(inside("ec2", "DescribeVpcs") == nil)
    #expect(account.failure("ec2", "DescribeVpcs")?.hasSuffix("an explicit deny in an identity-based policy") == true)
  }

  @Test func whatIsNoPolicyIsRefused() throws {
    #expect(
      account.failure(
        "ec2", "CreateVpcEndpoint",
        ["VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "PolicyDocument": "{}"])?.hasPrefix(
          "InvalidPolicyDocument") == true)
  }
}
