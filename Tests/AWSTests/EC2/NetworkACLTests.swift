import AWS
import Testing
import Wire
import World

@Suite struct NetworkACLTests {
  @Test func entriesAndAssociationsAreWhatWasAsked() throws {
    let account = try Account()
    let vpc = try account.ok("ec2", "CreateVpc", ["CidrBlock": "10.0.0.0/16"])["Vpc"]["VpcId"].string!
    let subnet = try account.ok("ec2", "CreateSubnet", ["VpcId": .string(vpc), "CidrBlock": "10.0.1.0/24"])["Subnet"][
      "SubnetId"
    ].string!
    let inVPC: JSON = ["Filters": [["Name": "vpc-id", "Values": [.string(vpc)]]]]
    let first = try account.ok("ec2", "DescribeNetworkAcls", inVPC)["NetworkAcls"][0]
    #expect(first["IsDefault"] == true)
    #expect(first["Entries"].items.map { $0["RuleNumber"].int } == [100, 32767, 100, 32767])
    let acl = try account.ok("ec2", "CreateNetworkAcl", ["VpcId": .string(vpc)])["NetworkAcl"]["NetworkAclId"]
    let entry: JSON = [
      "NetworkAclId": acl, "RuleNumber": 100, "Protocol": "tcp", "RuleAction": "allow", "Egress": false,
      "CidrBlock": "10.0.0.0/8", "PortRange": ["From": 443, "To": 443],
    ]
    _ = try account.ok("ec2", "CreateNetworkAclEntry", entry)
    #expect(account.failure("ec2", "CreateNetworkAclEntry", entry)?.hasPrefix("NetworkAclEntryAlreadyExists:") == true)
    var other = entry
    other["RuleAction"] = "deny"
    _ = try account.ok("ec2", "ReplaceNetworkAclEntry", other)
    let association = first["Associations"][0]["NetworkAclAssociationId"]
    #expect(first["Associations"][0]["SubnetId"].string == subnet)
    _ = try account.ok("ec2", "ReplaceNetworkAclAssociation", ["AssociationId": association, "NetworkAclId": acl])
    let now = try account.ok("ec2", "DescribeNetworkAcls", ["NetworkAclIds": [acl]])["NetworkAcls"][0]
    #expect(now["Associations"].items.map { $0["SubnetId"].string } == [subnet])
    let ingress = now["Entries"].items.filter { $0["Egress"] == false }
    #expect(ingress.map { $0["RuleAction"].string } == ["deny", "deny"])
    #expect(ingress[0]["PortRange"]["From"] == 443)
    #expect(
      account.failure("ec2", "DeleteNetworkAcl", ["NetworkAclId": acl])?.hasPrefix("DependencyViolation:") == true)
    _ = try account.ok("ec2", "DeleteNetworkAclEntry", ["NetworkAclId": acl, "RuleNumber": 100, "Egress": false])
    #expect(
      account.failure("ec2", "DeleteNetworkAclEntry", ["NetworkAclId": acl, "RuleNumber": 100, "Egress": false])?
        .hasPrefix("InvalidNetworkAclEntry.NotFound:") == true)
  }
}
