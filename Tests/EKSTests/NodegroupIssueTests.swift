import EKS
import Testing
import Wire
import World

/// Each issue of a node group comes about by what a user can do, and by nothing else.
@Suite struct NodegroupIssueTests {
  /// What brings an issue about here, code by code, or why nothing does.
  static let causes: [String: Cause] = [
    "AccessDenied": .elsewhere("AccessScenarioTests: the node manager's ClusterRoleBinding is taken away"),
    "AmiIdNotFound": .elsewhere("JoinScenarioTests: a launch template names an image that is gone"),
    "AsgInstanceLaunchFailures": .elsewhere("JoinScenarioTests: EC2 refuses the instances"),
    "AutoScalingGroupNotFound": .broken { region, group in
      _ = try region.ok(
        "autoscaling", "DeleteAutoScalingGroup",
        ["AutoScalingGroupName": group["resources"]["autoScalingGroups"][0]["name"], "ForceDelete": true])
    },
    "Ec2LaunchTemplateNotFound": .broken { region, _ in
      _ = try region.ok("ec2", "DeleteLaunchTemplate", ["LaunchTemplateId": try region.ownTemplate()])
    },
    "Ec2LaunchTemplateVersionMismatch": .broken { region, group in
      let id = try region.ownTemplate()
      _ = try region.ok(
        "ec2", "CreateLaunchTemplateVersion",
        ["LaunchTemplateId": id, "SourceVersion": "1", "LaunchTemplateData": ["InstanceType": "m5.xlarge"]])
      _ = try region.ok(
        "autoscaling", "UpdateAutoScalingGroup",
        [
          "AutoScalingGroupName": group["resources"]["autoScalingGroups"][0]["name"],
          "LaunchTemplate": ["LaunchTemplateId": id, "Version": "2"],
        ])
    },
    "SourceEc2LaunchTemplateNotFound": .broken(source: [:]) { region, group in
      _ = try region.ok("ec2", "DeleteLaunchTemplate", ["LaunchTemplateId": group["launchTemplate"]["id"]])
    },
    "IamNodeRoleNotFound": .broken { region, _ in
      let profile = try region.ok("iam", "ListInstanceProfiles")["InstanceProfiles"][0]["InstanceProfileName"]
      _ = try region.ok(
        "iam", "RemoveRoleFromInstanceProfile", ["InstanceProfileName": profile, "RoleName": "node"])
      _ = try region.ok("iam", "DeleteRole", ["RoleName": "node"])
    },
    "IamInstanceProfileNotFound": .broken { region, _ in
      let profile = try region.ok("iam", "ListInstanceProfiles")["InstanceProfiles"][0]["InstanceProfileName"]
      _ = try region.ok(
        "iam", "RemoveRoleFromInstanceProfile", ["InstanceProfileName": profile, "RoleName": "node"])
      _ = try region.ok("iam", "DeleteInstanceProfile", ["InstanceProfileName": profile])
    },
    "Ec2SubnetNotFound": .broken(inOwnSubnet: true) { region, group in
      _ = try region.ok("ec2", "DeleteSubnet", ["SubnetId": group["subnets"][0]])
    },
    "Ec2SecurityGroupNotFound": .broken { region, _ in
      let groups = try region.ok("ec2", "DescribeSecurityGroups")["SecurityGroups"].items
      let other = try #require(groups.first { $0["GroupName"].string == "default" })["GroupId"]
      for interface in try region.ok("ec2", "DescribeNetworkInterfaces")["NetworkInterfaces"].items {
        _ = try region.ok(
          "ec2", "ModifyNetworkInterfaceAttribute",
          ["NetworkInterfaceId": interface["NetworkInterfaceId"], "Groups": [other]])
      }
      let cluster = try region.ok("eks", "DescribeCluster", ["name": "demo"])["cluster"]
      _ = try region.ok(
        "ec2", "DeleteSecurityGroup", ["GroupId": cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]])
    },
    "Ec2SubnetInvalidConfiguration": .made { region in
      for subnet in try region.subnets() {
        _ = try region.ok(
          "ec2", "ModifySubnetAttribute", ["SubnetId": .string(subnet), "MapPublicIpOnLaunch": ["Value": false]])
      }
      return [:]
    },
    "Ec2LaunchTemplateInvalidConfiguration": .made { region in
      let made = try region.ok(
        "ec2", "CreateLaunchTemplate",
        ["LaunchTemplateName": "mine", "LaunchTemplateData": ["IamInstanceProfile": ["Name": "mine"]]])
      return ["launchTemplate": ["id": made["LaunchTemplate"]["LaunchTemplateId"]]]
    },
    "InsufficientFreeAddresses": .made { region in
      let subnet = try region.makeSubnet("172.31.240.0/28")
      for _ in 0..<11 { _ = try region.ok("ec2", "CreateNetworkInterface", ["SubnetId": subnet]) }
      return ["subnets": [subnet], "scalingConfig": ["minSize": 1, "maxSize": 1, "desiredSize": 1]]
    },
    "Ec2LaunchTemplateDeletionFailure": .broken { region, _ in
      // The service-linked role may delete templates that say that they are EKS's.
      _ = try region.ok(
        "ec2", "DeleteTags", ["Resources": [try region.ownTemplate()], "Tags": [["Key": "eks:nodegroup-name"]]])
      _ = try region.ok("eks", "DeleteNodegroup", ["clusterName": "demo", "nodegroupName": "ng"])
    },
    "NodeCreationFailure": .elsewhere("JoinScenarioTests: instances never join"),
    "PodEvictionFailure": .elsewhere("NodegroupUpdateTests: a disruption budget lets no pod go"),
    "InternalFailure": .injected,
    "Unknown": .injected,
    "AutoScalingGroupInvalidConfiguration": .none("what EKS takes for it is not documented"),
    "AutoScalingGroupInstanceRefreshActive": .none("instance refreshes of Auto Scaling are not simulated"),
    "AutoScalingGroupOptInRequired": .none("the local account has opted in"),
    "AutoScalingGroupRateLimitExceeded": .none("Auto Scaling does not throttle"),
    "ClusterUnreachable": .none("EKS's own way to the API server is always there"),
    "Ec2InstanceTypeDoesNotExist": .none("EKS refuses the request"),
    "Ec2LaunchTemplateMaxLimitExceeded": .none("launch templates have no quota"),
    "Ec2LaunchTemplateVersionMaxLimitExceeded": .none("launch templates have no quota"),
    "Ec2SecurityGroupDeletionFailure": .none("remote access, whose group it is, is not simulated"),
    "Ec2SubnetListTooLong": .none("subnets of a node group have no limit"),
    "Ec2SubnetMissingIpv6Assignment": .none("only clusters of the IPv6 family have it: IPv6ScenarioTests"),
    "IamLimitExceeded": .none("instance profiles have no quota"),
    "IamThrottling": .none("IAM does not throttle"),
    "InstanceLimitExceeded": .none("vCPUs have no quota"),
    "KubernetesLabelInvalid": .none("what EKS takes for it is not documented"),
    "LimitExceeded": .none("what EKS takes for it is not documented"),
    "NodeTerminationFailure": .none("instances always end"),
  ]

  enum Cause: Sendable {
    /// To a group that is ACTIVE; with a launch template of the user's own, or in a subnet of its own.
    case broken(
      source: JSON? = nil, inOwnSubnet: Bool = false, @Sendable (Region, _ group: JSON) throws -> Void)
    /// Before the group is made, and what it is made with.
    case made(@Sendable (Region) throws -> JSON)
    /// Where it is shown with nodes.
    case elsewhere(String)
    /// EKS gives it no cause: it is shown on a group that asks for it by a tag.
    case injected
    /// Why not here.
    case none(String)
  }

  @Test func everyCodeHasItsCauseOrNone() throws {
    let shape = try #require(AWSServiceModel.named("eks")?.operation("DescribeNodegroup")?.output)
    let codes =
      try #require(shape.member("nodegroup")?.shape.member("health")?.shape.member("issues")?.shape.element)
      .shape.member("code")?.shape.values ?? []
    #expect(Set(codes) == Set(Self.causes.keys))
  }

  @Test(arguments: causes.keys.sorted())
  func comesAbout(_ code: String) throws {
    let region = try Region()
    _ = try region.makeCluster("demo")
    var input: JSON = [
      "clusterName": "demo", "nodegroupName": "ng", "nodeRole": .string(region.role("node")),
      "subnets": JSON(try region.subnets()), "scalingConfig": ["minSize": 0, "maxSize": 1, "desiredSize": 0],
    ]
    func group() throws -> JSON {
      try region.ok("eks", "DescribeNodegroup", ["clusterName": "demo", "nodegroupName": "ng"])["nodegroup"]
    }
    switch Self.causes[code] {
    case .broken(let source, let inOwnSubnet, let breaking):
      if let source {
        let made = try region.ok(
          "ec2", "CreateLaunchTemplate", ["LaunchTemplateName": "mine", "LaunchTemplateData": source])
        input["launchTemplate"] = ["id": made["LaunchTemplate"]["LaunchTemplateId"]]
      }
      if inOwnSubnet { input["subnets"] = [try region.makeSubnet("172.31.240.0/24")] }
      _ = try region.ok("eks", "CreateNodegroup", input)
      region.run(.seconds(60))
      let made = try group()
      try #require(made["status"].string == "ACTIVE" && made["health"]["issues"].items.isEmpty, "\(made)")
      try breaking(region, made)
      region.run(.seconds(900))
    case .made(let prepare):
      for field in try prepare(region).fields { input[field.key] = field.value }
      _ = try region.ok("eks", "CreateNodegroup", input)
      region.run(.seconds(300))
    case .injected:
      input["tags"] = ["ekswhy:issue": .string(code)]
      _ = try region.ok("eks", "CreateNodegroup", input)
      region.run(.seconds(900))
    default: return
    }
    let shown = try group()
    let codes = shown["health"]["issues"].items.compactMap { $0["code"].string }
    #expect(codes.contains(code), "\(shown["status"]) \(shown["health"])")
    #expect(["DEGRADED", "CREATE_FAILED", "DELETE_FAILED", "CREATING"].contains(shown["status"].string))
  }
}

extension Region {
  /// The launch template that EKS made.
  func ownTemplate() throws -> JSON {
    let all = try ok("ec2", "DescribeLaunchTemplates")["LaunchTemplates"].items
    return try #require(all.first { $0["LaunchTemplateName"].string?.hasPrefix("eks-") == true })["LaunchTemplateId"]
  }

  /// A subnet of the VPC that is there, with addresses from the Internet for its instances.
  func makeSubnet(_ cidr: String) throws -> JSON {
    let vpc = try #require(try ok("ec2", "DescribeSubnets")["Subnets"].items.first)["VpcId"]
    let made = try ok(
      "ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": .string(cidr), "AvailabilityZone": "us-east-1a"])["Subnet"][
        "SubnetId"]
    _ = try ok("ec2", "ModifySubnetAttribute", ["SubnetId": made, "MapPublicIpOnLaunch": ["Value": true]])
    return made
  }
}
