import AWS
import Testing
import Wire
import World

/// Reachability Analyzer, and the rates at which calls are taken.
@Suite struct ReachabilityTests {
  private struct Scene {
    let account: Account
    var subnets: [String] = []
    var interfaces: [String] = []
    var groups: [String] = []

    /// Two interfaces in two subnets, each with a group of its own.
    init() throws {
      account = try Account()
      let vpc = try account.ok("ec2", "CreateVpc", ["CidrBlock": "10.0.0.0/16"])["Vpc"]["VpcId"]
      for index in 0..<2 {
        let subnet = try account.ok(
          "ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": .string("10.0.\(index).0/24")])["Subnet"]["SubnetId"]
        let group = try account.ok(
          "ec2", "CreateSecurityGroup",
          ["VpcId": vpc, "GroupName": .string("g\(index)"), "Description": "a group"])["GroupId"]
        let made = try account.ok("ec2", "CreateNetworkInterface", ["SubnetId": subnet, "Groups": [group]])
        subnets.append(subnet.string ?? "")
        groups.append(group.string ?? "")
        interfaces.append(made["NetworkInterface"]["NetworkInterfaceId"].string ?? "")
      }
    }

    func analyse(_ input: JSON) throws -> JSON {
      let path = try account.ok("ec2", "CreateNetworkInsightsPath", input)["NetworkInsightsPath"][
        "NetworkInsightsPathId"]
      let started = try account.ok("ec2", "StartNetworkInsightsAnalysis", ["NetworkInsightsPathId": path])
      #expect(started["NetworkInsightsAnalysis"]["Status"] == "running")
      return try account.ok(
        "ec2", "DescribeNetworkInsightsAnalyses",
        ["NetworkInsightsAnalysisIds": [started["NetworkInsightsAnalysis"]["NetworkInsightsAnalysisId"]]])[
          "NetworkInsightsAnalyses"][0]
    }
  }

  @Test func codesTellWhatStopsAPath() throws {
    let scene = try Scene()
    let between: JSON = [
      "Source": .string(scene.interfaces[0]), "Destination": .string(scene.interfaces[1]), "Protocol": "tcp",
      "DestinationPort": 443,
    ]
    var found = try scene.analyse(between)
    #expect(found["NetworkPathFound"] == false)
    #expect(found["Explanations"][0]["ExplanationCode"] == "ENI_SG_RULES_MISMATCH")
    #expect(found["Explanations"][0]["Direction"] == "ingress")
    #expect(found["Explanations"][0]["SecurityGroups"][0]["Id"] == .string(scene.groups[1]))

    let acl = try scene.account.ok("ec2", "DescribeNetworkAcls")["NetworkAcls"].items.first { acl in
      acl["Associations"].items.contains { $0["SubnetId"] == .string(scene.subnets[0]) }
    }
    let entry: JSON = [
      "NetworkAclId": acl?["NetworkAclId"] ?? .null, "RuleNumber": 50, "Protocol": "6", "RuleAction": "deny",
      "Egress": true, "CidrBlock": "10.0.1.0/24", "PortRange": ["From": 443, "To": 443],
    ]
    _ = try scene.account.ok("ec2", "CreateNetworkAclEntry", entry)
    found = try scene.analyse(between)
    #expect(found["Explanations"][0]["ExplanationCode"] == "SUBNET_ACL_RESTRICTION")
    #expect(found["Explanations"][0]["AclRule"]["RuleNumber"] == 50)

    found = try scene.analyse([
      "Source": .string(scene.interfaces[0]), "DestinationIp": "198.51.100.7", "Protocol": "tcp",
    ])
    #expect(found["Explanations"][0]["ExplanationCode"] == "NO_ROUTE_TO_DESTINATION")
    #expect(
      scene.account.failure(
        "ec2", "CreateNetworkInsightsPath",
        ["Source": "eni-0123456789abcdef0", "DestinationIp": "10.0.0.9", "Protocol": "tcp"])
        == "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0123456789abcdef0' does not exist")
  }

  @Test func callsAreThrottledAtTheirRates() throws {
    let account = try Account()
    account.aws.limitRates(true, in: account.world)
    let tag: JSON = ["Resources": ["vpc-0"], "Tags": [["Key": "a", "Value": "b"]]]
    func refusals(_ count: Int) -> Int {
      (0..<count).count { _ in account.call("ec2", "CreateTags", tag).error?.code == "RequestLimitExceeded" }
    }
    #expect(refusals(100) == 0)
    #expect(refusals(1) == 1)
    #expect(account.failure("ec2", "CreateTags", tag) == "RequestLimitExceeded: Request limit exceeded.")
    // Another operation has a bucket of its own.
    #expect(account.call("ec2", "DescribeVpcs").output != nil)
    account.run(.seconds(1))
    account.world.jump(to: account.world.now + .seconds(1))
    #expect(refusals(10) == 0)
    account.aws.limitRates(false, in: account.world)
    #expect(refusals(200) == 0)
  }
}
