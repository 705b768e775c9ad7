import EKS
import Testing
import Wire
import World

/// Node groups made from launch templates of the user's own, and what EKS refuses of them.
@Suite struct LaunchTemplateTests {
  private let region: Region

  init() throws {
    region = try Region()
    _ = try region.makeCluster("demo")
  }

  private func template(_ name: String, _ data: JSON) throws -> JSON {
    try region.ok("ec2", "CreateLaunchTemplate", ["LaunchTemplateName": .string(name), "LaunchTemplateData": data])[
      "LaunchTemplate"]["LaunchTemplateId"]
  }

  private func input(_ name: String, _ more: JSON) throws -> JSON {
    var input: JSON = [
      "clusterName": "demo", "nodegroupName": .string(name), "nodeRole": .string(region.role("node")),
      "subnets": JSON(try region.subnets()),
    ]
    for field in more.fields { input[field.key] = field.value }
    return input
  }

  @Test(
    arguments: [
      (
        ["InstanceType": "m5.large"], ["instanceTypes": ["m5.large"]],
        "InvalidRequestException: Cannot specify instance types in launch template and API request"
      ),
      (
        [:], ["diskSize": 30],
        "InvalidParameterException: Disk size must be specified within the launch template."
      ),
      (
        [:], ["remoteAccess": ["ec2SshKey": "k"]],
        "InvalidParameterException: Remote access configuration cannot be specified with a launch template."
      ),
      (
        ["InstanceMarketOptions": ["MarketType": "spot"]], [:],
        "InvalidParameterException: Instance market options are not supported with the launch template."
      ),
      (
        ["ImageId": "ami-0123456789abcdef0"], ["amiType": "AL2023_x86_64_STANDARD"],
        "InvalidParameterException: You cannot specify an AMI Type other than CUSTOM, when specifying an image id in your launch template."
      ),
      (
        ["ImageId": "ami-0123456789abcdef0"], ["version": "1.34"],
        "InvalidParameterException: You cannot specify a kubernetes version to use when specifying an image id to use within the launch template."
      ),
    ] as [(JSON, JSON, String)])
  func isRefused(_ data: JSON, _ more: JSON, _ message: String) throws {
    var input = try input("ng", more)
    input["launchTemplate"] = ["id": try template("mine", data)]
    #expect(region.failure("CreateNodegroup", input) == message)
  }

  @Test func oneNameOfATemplateIsAskedFor() throws {
    let id = try template("mine", [:])
    let message =
      "InvalidParameterException: Either provide launch template ID or launch template name in the request."
    for asked in [["id": id, "name": "mine"], ["version": "1"]] as [JSON] {
      #expect(region.failure("CreateNodegroup", try input("ng", ["launchTemplate": asked])) == message)
    }
  }

  @Test(
    arguments: [
      (
        "AL2_x86_64", "t3.medium", nil,
        "InvalidParameterException: AMI Type AL2_x86_64 is only supported for kubernetes versions 1.32 or earlier"
      ),
      (
        "AL2023_ARM_64_STANDARD", "m5.large", nil,
        "InvalidParameterException: [m5.large] is not a valid instance type for requested amiType AL2023_ARM_64_STANDARD"
      ),
      (
        "AL2023_x86_64_STANDARD", "m5.large", "1.33.5-20261101",
        "InvalidParameterException: Requested release version 1.33.5-20261101 is not valid for kubernetes version 1.34."
      ),
    ] as [(String, String, String?, String)])
  func imagesFitTheirNodes(_ ami: String, _ type: String, _ release: String?, _ message: String) throws {
    let more: JSON = ["amiType": .string(ami), "instanceTypes": [.string(type)], "releaseVersion": JSON(release)]
    #expect(region.failure("CreateNodegroup", try input("ng", more)) == message)
  }

  @Test func whatEKSAddsToATemplate() throws {
    let part =
      "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"B\"\n\n--B\nContent-Type: text/x-shellscript\n\necho mine\n--B--\n"
    let id = try template(
      "mine",
      [
        "InstanceType": "m5.xlarge", "UserData": .string(Base64.encode(Array(part.utf8))),
        "TagSpecifications": [["ResourceType": "instance", "Tags": [["Key": "Name", "Value": "n"]]]],
        "SecurityGroupIds": [
          try region.ok("ec2", "DescribeSecurityGroups")["SecurityGroups"][0]["GroupId"]
        ],
      ])
    let made = try region.ok(
      "eks", "CreateNodegroup",
      try input("ng", ["launchTemplate": ["name": "mine"], "labels": ["role": "web"]]))["nodegroup"]
    #expect(made["launchTemplate"] == ["name": "mine", "version": "1", "id": id])
    #expect(made["diskSize"].isNull && made["instanceTypes"].isNull)
    #expect(made["releaseVersion"] == "1.34.2-20261101")
    region.run(.seconds(5))
    let group = try region.ok("autoscaling", "DescribeAutoScalingGroups")["AutoScalingGroups"][0]
    let used = group["LaunchTemplate"]["LaunchTemplateId"]
    #expect(used != id)
    let data = try region.ok(
      "ec2", "DescribeLaunchTemplateVersions", ["LaunchTemplateId": used, "Versions": ["1"]])[
        "LaunchTemplateVersions"][0]["LaunchTemplateData"]
    #expect(data["InstanceType"] == "m5.xlarge")
    #expect(data["SecurityGroupIds"].items.count == 1)
    #expect(data["TagSpecifications"][0]["Tags"].items.contains { $0["Key"] == "Name" })
    #expect(data["TagSpecifications"][0]["Tags"].items.contains { $0["Key"] == "eks:nodegroup-name" })
    let text = String(decoding: Base64.decode(data["UserData"].string ?? "") ?? [], as: UTF8.self)
    #expect(text.contains("echo mine\n"))
    #expect(text.contains("kind: NodeConfig"))
    #expect(
      text.contains(
        "eks.amazonaws.com/sourceLaunchTemplateVersion=1,eks.amazonaws.com/nodegroup=ng,role=web,eks.amazonaws.com/sourceLaunchTemplateId=\(id.string ?? "")"
      ))
    let hooks = try region.ok(
      "autoscaling", "DescribeLifecycleHooks", ["AutoScalingGroupName": group["AutoScalingGroupName"]])
    #expect(
      hooks["LifecycleHooks"].items.map { $0["LifecycleHookName"].string } == ["Launch-LC-Hook", "Terminate-LC-Hook"])
  }

  @Test(
    arguments: [
      (["UserData": "IyEvYmluL2Jhc2gK"], "User data was not in the MIME multipart format."),
      (
        ["IamInstanceProfile": ["Name": "p"]],
        "Launch template should not specify an instance profile. The noderole in your request will be used to construct an instance profile."
      ),
    ] as [(JSON, String)])
  func whatShowsOnlyAfterwardsIsAnIssue(_ data: JSON, _ message: String) throws {
    let id = try template("mine", data)
    _ = try region.ok("eks", "CreateNodegroup", try input("ng", ["launchTemplate": ["id": id]]))
    region.run(.seconds(5))
    let group = try region.ok("eks", "DescribeNodegroup", ["clusterName": "demo", "nodegroupName": "ng"])["nodegroup"]
    #expect(group["status"] == "CREATE_FAILED")
    #expect(group["health"]["issues"][0]["code"] == "Ec2LaunchTemplateInvalidConfiguration")
    #expect(group["health"]["issues"][0]["message"].string == message)
  }

  @Test func aGroupOfACustomImageHasNoVersionToUpdate() throws {
    let id = try template("mine", ["ImageId": "ami-0123456789abcdef0"])
    let made = try region.ok("eks", "CreateNodegroup", try input("ng", ["launchTemplate": ["id": id]]))["nodegroup"]
    #expect(made["amiType"] == "CUSTOM")
    #expect(made["releaseVersion"] == "ami-0123456789abcdef0")
    #expect(
      region.failure("UpdateNodegroupVersion", ["clusterName": "demo", "nodegroupName": "ng"])
        == "ResourceInUseException: Nodegroup cannot be updated as it is currently not in Active State")
  }
}
