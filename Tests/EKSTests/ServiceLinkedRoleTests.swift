import EKS
import Testing
import Wire
import World

/// The roles that EKS has for itself: who makes them, what they may, and when they go.
@Suite struct ServiceLinkedRoleTests {
  /// A user who may do these things; answers its key.
  static func user(_ region: Region, _ actions: [String]) throws -> String {
    _ = try region.ok("iam", "CreateUser", ["UserName": "dev"])
    let document: JSON = [
      "Version": "2012-10-17", "Statement": [["Effect": "Allow", "Action": JSON(actions), "Resource": "*"]],
    ]
    _ = try region.ok(
      "iam", "PutUserPolicy", ["UserName": "dev", "PolicyName": "p", "PolicyDocument": .string(document.text())])
    return try region.ok("iam", "CreateAccessKey", ["UserName": "dev"])["AccessKey"]["AccessKeyId"].string ?? ""
  }

  @Test func isMadeInTheNameOfWhoAsks() throws {
    let region = try Region()
    let key = try Self.user(region, ["eks:*", "iam:PassRole"])
    let input = try region.clusterInput("demo")
    #expect(
      region.call("eks", "CreateCluster", input, key: key).error?.description
        == "InvalidRequestException: Failed to create service linked role: AWSServiceRoleForAmazonEKS due to missing permissions for 'iam:CreateServiceLinkedRole'"
    )
    _ = try region.ok("iam", "CreateServiceLinkedRole", ["AWSServiceName": "eks.amazonaws.com"])
    #expect(region.call("eks", "CreateCluster", input, key: key).error == nil)
    region.run(.seconds(5))
    let group: JSON = [
      "clusterName": "demo", "nodegroupName": "ng", "nodeRole": .string(region.role("node")),
      "subnets": JSON(try region.subnets()),
    ]
    #expect(
      region.call("eks", "CreateNodegroup", group, key: key).error?.description
        == "InvalidRequestException: Failed to validate if SLR: AWSServiceRoleForAmazonEKSNodegroup already exists due to missing permissions for 'iam:GetRole'"
    )
    let told = try region.ok(
      "cloudtrail", "LookupEvents",
      ["LookupAttributes": [["AttributeKey": "EventName", "AttributeValue": "CreateServiceLinkedRole"]]])["Events"]
    let events = try told.items.map { try JSON.parse($0["CloudTrailEvent"].string ?? "") }
    let refused = try #require(events.first { !$0["errorCode"].isNull })
    #expect(refused["userIdentity"]["userName"].string == "dev")
    #expect(refused["userIdentity"]["invokedBy"].string == "eks.amazonaws.com")
    #expect(refused["sourceIPAddress"].string == "eks.amazonaws.com")
  }

  @Test func goesWhenNothingNeedsItAnyMore() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    let name: JSON = ["RoleName": "AWSServiceRoleForAmazonEKS"]
    func delete() throws -> JSON {
      let task = try region.ok("iam", "DeleteServiceLinkedRole", name)["DeletionTaskId"]
      return try region.ok("iam", "GetServiceLinkedRoleDeletionStatus", ["DeletionTaskId": task])
    }
    let refused = try delete()
    #expect(refused["Status"].string == "FAILED")
    #expect(
      refused["Reason"]["RoleUsageList"] == [
        ["Region": "us-east-1", "Resources": ["arn:aws:eks:us-east-1:000000000000:cluster/demo"]]
      ])
    #expect(region.call("iam", "GetRole", name).error == nil)
    _ = try region.ok("eks", "DeleteCluster", ["name": "demo"])
    region.run(.seconds(30))
    #expect(try delete()["Status"].string == "SUCCEEDED")
    #expect(region.call("iam", "GetRole", name).error?.code == "NoSuchEntity")
  }

  /// A service's own role may what its policy says, and no more; a control policy doesn't bind it.
  @Test func isHeldToItsPolicy() throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    func asEKS(_ operation: String, _ input: JSON) -> AWSReply {
      region.world.aws.perform(
        AWSCall(
          service: "ec2", operation: operation, input: input, region: "us-east-1",
          caller: .service(
            "eks.amazonaws.com",
            roleARN: "arn:aws:iam::000000000000:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
            session: "AmazonEKS")))
    }
    #expect(asEKS("DescribeSubnets", [:]).error == nil)
    let vpc = try #require(try region.ok("ec2", "DescribeSubnets")["Subnets"].items.first)["VpcId"]
    let other = try region.ok(
      "ec2", "CreateSecurityGroup", ["GroupName": "mine", "Description": "mine", "VpcId": vpc])["GroupId"]
    let denied = try #require(asEKS("DeleteSecurityGroup", ["GroupId": other]).error)
    #expect(denied.code == "UnauthorizedOperation")
    #expect(denied.message.contains("assumed-role/AWSServiceRoleForAmazonEKS/AmazonEKS"), "\(denied.message)")
  }
}
