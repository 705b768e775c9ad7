import Testing
import Wire
import World

/// An operation that is counted as modelled has behaviour of its own.
@Suite struct ModelledOperationsTests {
  /// The least that the model takes for a shape.
  static func minimal(_ shape: AWSShape, _ name: String, depth: Int = 0) -> JSON {
    switch shape.kind {
    case .structure:
      var object = JSON.emptyObject
      guard depth < 6 else { return object }
      for member in shape.members where member.required || (shape.isUnion && object.fields.isEmpty) {
        object[member.name] = minimal(member.shape, member.name, depth: depth + 1)
      }
      return object
    case .list:
      let count = Int(shape.min ?? 0)
      return .array((0..<max(count, 1)).map { _ in minimal(shape.element.shape, name, depth: depth + 1) })
    case .map: return .emptyObject
    case .string:
      if let first = shape.values.first { return .string(first) }
      let length = max(Int(shape.min ?? 1), 1)
      let candidates = [
        String(repeating: "a", count: length), "arn:aws:iam::000000000000:role/a", "10.0.0.0/16", "i-0123456789abcdef0",
      ]
      return .string(candidates.first { shape.compiledPattern?.matches($0) ?? true } ?? candidates[0])
    case .integer, .long: return .int(Int64(shape.min ?? 1))
    case .double, .float: return .double(shape.min ?? 1)
    case .boolean: return false
    case .timestamp: return .int(1_795_000_000)
    case .blob: return "YQ=="
    }
  }

  /// What the operations of each service are asked about, by the names of their members.
  static func known(_ region: Region) throws -> [String: JSON] {
    let image: JSON = "ami-0123456789abcdef0"
    let document =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}"#
    let tags: JSON = [["Key": "a", "Value": "b"]]
    func ok(_ service: String, _ name: String, _ input: JSON) throws -> JSON { try region.ok(service, name, input) }

    _ = try ok("iam", "CreateAccountAlias", ["AccountAlias": "acme"])
    _ = try ok("iam", "PutRolePolicy", ["RoleName": "node", "PolicyName": "p", "PolicyDocument": .string(document)])
    _ = try ok("iam", "TagRole", ["RoleName": "node", "Tags": tags])
    _ = try ok("iam", "CreateInstanceProfile", ["InstanceProfileName": "p"])
    _ = try ok("iam", "AddRoleToInstanceProfile", ["InstanceProfileName": "p", "RoleName": "node"])
    _ = try ok("iam", "CreateUser", ["UserName": "bob", "Tags": tags])
    _ = try ok("iam", "PutUserPolicy", ["UserName": "bob", "PolicyName": "p", "PolicyDocument": .string(document)])
    _ = try ok("iam", "CreateAccessKey", ["UserName": "bob"])
    _ = try ok("iam", "CreateGroup", ["GroupName": "staff"])
    _ = try ok("iam", "AddUserToGroup", ["GroupName": "staff", "UserName": "bob"])
    _ = try ok("iam", "PutGroupPolicy", ["GroupName": "staff", "PolicyName": "p", "PolicyDocument": .string(document)])
    let policy = try ok(
      "iam", "CreatePolicy", ["PolicyName": "mine", "PolicyDocument": .string(document), "Tags": tags])["Policy"]["Arn"]
    for (name, holder) in [("AttachRolePolicy", "RoleName"), ("AttachUserPolicy", "UserName")] {
      _ = try ok("iam", name, [holder: holder == "RoleName" ? "node" : "bob", "PolicyArn": policy])
    }
    _ = try ok("iam", "AttachGroupPolicy", ["GroupName": "staff", "PolicyArn": policy])
    let provider = try ok(
      "iam", "CreateOpenIDConnectProvider",
      [
        "Url": "https://oidc.example.com", "ClientIDList": ["sts.amazonaws.com"], "Tags": tags,
        "ThumbprintList": [.string(String(repeating: "a", count: 40))],
      ])["OpenIDConnectProviderArn"]

    let subnet = try region.subnets()[0]
    let machine = try ok(
      "ec2", "RunInstances",
      [
        "ImageId": image, "InstanceType": "t3.medium", "MinCount": 1, "MaxCount": 1, "SubnetId": .string(subnet),
        "TagSpecifications": [["ResourceType": "instance", "Tags": tags]],
      ])["Instances"][0]
    let template = try ok(
      "ec2", "CreateLaunchTemplate",
      ["LaunchTemplateName": "t", "LaunchTemplateData": ["ImageId": image, "InstanceType": "t3.medium"]])
    let address = try ok("ec2", "AllocateAddress", ["Domain": "vpc"])["AllocationId"]
    _ = try ok("ec2", "CreateNatGateway", ["SubnetId": .string(subnet), "AllocationId": address])
    _ = try ok(
      "autoscaling", "CreateAutoScalingGroup",
      [
        "AutoScalingGroupName": "g", "MinSize": 1, "MaxSize": 2, "DesiredCapacity": 1,
        "VPCZoneIdentifier": .string(subnet),
        "LaunchTemplate": ["LaunchTemplateName": "t", "Version": "$Latest"],
        "Tags": [["Key": "a", "Value": "b", "PropagateAtLaunch": true]],
      ])
    _ = try ok(
      "autoscaling", "PutLifecycleHook",
      [
        "AutoScalingGroupName": "g", "LifecycleHookName": "h",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
      ])
    let volume = try ok("ec2", "CreateVolume", ["AvailabilityZone": "us-east-1a", "Size": 1, "VolumeType": "gp3"])
    region.run(.seconds(20))
    _ = try ok("ec2", "ModifyVolume", ["VolumeId": volume["VolumeId"], "Size": 2])
    let vpc = try ok("ec2", "DescribeVpcs", [:])["Vpcs"][0]["VpcId"]
    _ = try ok("ec2", "CreateVpcEndpoint", ["VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3"])
    let other = try ok("ec2", "CreateVpc", ["CidrBlock": "10.7.0.0/16"])["Vpc"]["VpcId"]
    _ = try ok("ec2", "CreateVpcPeeringConnection", ["VpcId": vpc, "PeerVpcId": other])
    _ = try ok("ec2", "CreateEgressOnlyInternetGateway", ["VpcId": vpc])
    let place = JSON(try region.subnets()[0])
    let ends = try ["trunk", "branch"].map { kind in
      try ok("ec2", "CreateNetworkInterface", ["SubnetId": place, "InterfaceType": .string(kind)])["NetworkInterface"][
        "NetworkInterfaceId"]
    }
    _ = try ok(
      "ec2", "AssociateTrunkInterface", ["TrunkInterfaceId": ends[0], "BranchInterfaceId": ends[1], "VlanId": 1])
    let path = try ok(
      "ec2", "CreateNetworkInsightsPath",
      ["Source": machine["InstanceId"], "Destination": ends[0], "Protocol": "tcp", "ClientToken": "p"])
    _ = try ok(
      "ec2", "StartNetworkInsightsAnalysis",
      ["NetworkInsightsPathId": path["NetworkInsightsPath"]["NetworkInsightsPathId"], "ClientToken": "a"])
    let key = try ok("kms", "CreateKey", ["Tags": [["TagKey": "a", "TagValue": "b"]]])["KeyMetadata"]["KeyId"]
    _ = try ok("kms", "CreateAlias", ["AliasName": "alias/k", "TargetKeyId": key])
    let retiring: JSON = "arn:aws:iam::000000000000:user/bob"
    _ = try ok(
      "kms", "CreateGrant",
      ["KeyId": key, "GranteePrincipal": retiring, "RetiringPrincipal": retiring, "Operations": ["Decrypt"]])
    _ = try ok("organizations", "CreateOrganization", [:])
    let root = try ok("organizations", "ListRoots", [:])["Roots"][0]["Id"]
    _ = try ok("organizations", "EnablePolicyType", ["RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY"])
    _ = try ok("organizations", "CreateOrganizationalUnit", ["ParentId": root, "Name": "u"])
    let control = try ok(
      "organizations", "CreatePolicy",
      [
        "Name": "c", "Description": "", "Type": "SERVICE_CONTROL_POLICY", "Tags": tags,
        "Content": #"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#,
      ])["Policy"]["PolicySummary"]["Id"]
    _ = try ok("organizations", "AttachPolicy", ["PolicyId": control, "TargetId": root])
    _ = try ok("logs", "CreateLogGroup", ["logGroupName": "l", "tags": ["a": "b"]])
    _ = try ok("logs", "CreateLogStream", ["logGroupName": "l", "logStreamName": "s"])
    _ = try ok(
      "logs", "PutLogEvents",
      [
        "logGroupName": "l", "logStreamName": "s",
        "logEvents": [["timestamp": .int(region.world.now.microseconds / 1000), "message": "hello"]],
      ])
    _ = try region.makeCluster("demo")
    _ = try region.makeFargateProfile("f")
    let principal: JSON = .string(region.role("node"))
    _ = try ok(
      "eks", "CreateNodegroup",
      [
        "clusterName": "demo", "nodegroupName": "ng", "nodeRole": principal, "subnets": JSON(try region.subnets()),
      ])
    let admin: JSON = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    let person: JSON = "arn:aws:iam::000000000000:user/bob"
    _ = try ok("eks", "CreateAccessEntry", ["clusterName": "demo", "principalArn": person])
    _ = try ok(
      "eks", "AssociateAccessPolicy",
      ["clusterName": "demo", "principalArn": person, "policyArn": admin, "accessScope": ["type": "cluster"]])
    _ = try ok("eks", "AssociateIdentityProviderConfig", IdentityProviderTests.input())
    region.run(.seconds(5))
    _ = try ok(
      "eks", "UpdateClusterConfig",
      ["name": "demo", "logging": ["clusterLogging": [["types": ["audit"], "enabled": true]]]])
    _ = try ok("eks", "CreateAddon", ["clusterName": "demo", "addonName": "vpc-cni"])
    _ = try ok(
      "iam", "CreateRole",
      [
        "RoleName": "pods",
        "AssumeRolePolicyDocument":
          #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#,
      ])
    _ = try ok(
      "eks", "CreatePodIdentityAssociation",
      [
        "clusterName": "demo", "namespace": "default", "serviceAccount": "app",
        "roleArn": "arn:aws:iam::000000000000:role/pods",
      ])
    region.run(.seconds(20))
    let group = try ok("logs", "DescribeLogGroups", [:])["logGroups"][0]["arn"].string ?? ""
    return [
      "ParentId": root, "ChildId": "000000000000", "TargetId": root, "PolicyId": control, "ResourceId": control,
      "RoleName": "node", "UserName": "bob", "GroupName": "staff", "PolicyName": "p", "PolicyArn": policy,
      "InstanceProfileName": "p",
      "OpenIDConnectProviderArn": provider, "ActionNames": ["ec2:DescribeVpcs"], "PolicySourceArn": principal,
      "InstanceId": machine["InstanceId"], "LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"],
      "logGroupName": "l", "logStreamName": "s", "logGroupIdentifier": "l",
      "resourceArn": .string(group.hasSuffix(":*") ? String(group.dropLast(2)) : group),
      "clusterName": "demo", "name": "demo", "KeyId": key, "RetiringPrincipal": retiring,
      "nodegroupName": "ng", "principalArn": person,
      "addonName": "vpc-cni", "addonVersion": "v1.20.4-eksbuild.1",
      "AutoScalingGroupName": "g", "LifecycleHookName": "h", "AllocationIds": [address],
      "NetworkInterfaceId": machine["NetworkInterfaces"][0]["NetworkInterfaceId"], "Attribute": "groupSet",
    ]
  }

  /// Every list that an operation tells is empty only where its table is: in a furnished account it has rows.
  @Test func listsComeFromTables() throws {
    let region = try Region()
    let known = try Self.known(region)
    for (id, service) in region.world.aws.services.sorted(by: { $0.key < $1.key }) {
      // S3 is asked by programs inside the world only, and has no model.
      guard id != "s3" else { continue }
      let model = try #require(AWSServiceModel.named(id))
      let reads = service.modelled.sorted().filter { name in
        ["Describe", "List", "Lookup", "Filter"].contains { name.hasPrefix($0) }
      }
      for name in reads {
        let operation = try #require(model.operation(name))
        let lists = (operation.output?.members ?? []).filter { $0.shape.kind == .list }
        guard !lists.isEmpty, !name.hasSuffix("Attribute") else { continue }
        var input = operation.input.map { Self.minimal($0, name) } ?? .emptyObject
        for member in operation.input?.members ?? []
        where member.required || name == "DescribeLaunchTemplateVersions" || member.name == "logGroupName" {
          if let value = known[member.name] { input[member.name] = value }
        }
        let reply = region.call(id, name, input)
        #expect(reply.error == nil, "\(id):\(name) \(input.text())")
        guard let output = reply.output else { continue }
        let isFilled = lists.contains { output[$0.name].array?.isEmpty == false }
        #expect(isFilled, "\(id):\(name) tells no row: \(output.text().prefix(200))")
      }
    }
  }

  /// Every other one does something or refuses for a reason of its own, with the least input that its model takes.
  @Test func everyOneAnswersByItself() throws {
    let region = try Region()
    for (id, service) in region.world.aws.services.sorted(by: { $0.key < $1.key }) {
      // S3 is asked by programs inside the world only, and has no model.
      guard id != "s3" else { continue }
      let model = try #require(AWSServiceModel.named(id))
      for name in service.modelled.sorted() {
        let operation = try #require(model.operation(name), "\(id):\(name) is in no model")
        let input = operation.input.map { Self.minimal($0, name) } ?? .emptyObject
        let reply = region.call(id, name, input)
        if let error = reply.error {
          #expect(!["NotImplemented", "InternalFailure"].contains(error.code), "\(id):\(name): \(error)")
          continue
        }
        let members = operation.output?.members ?? []
        let told = members.filter { reply.output?[$0.name].isNull == false }
        #expect(members.isEmpty || !told.isEmpty, "\(id):\(name) tells nothing of what its model lets it tell")
      }
    }
  }
}
