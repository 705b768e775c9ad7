import AWS
import Testing
import Wire
import World

@Suite struct AutoScalingTests {
  /// A group of that size with a launch template of its own.
  private func makeGroup(_ account: Account, desired: Int, subnet: String? = nil, type: String = "m5.large") throws {
    let template = try account.ok(
      "ec2", "CreateLaunchTemplate",
      [
        "LaunchTemplateName": "t",
        "LaunchTemplateData": ["ImageId": "ami-0123456789abcdef0", "InstanceType": .string(type)],
      ])["LaunchTemplate"]["LaunchTemplateId"]
    let all = try account.ok("ec2", "DescribeSubnets")["Subnets"].items.compactMap { $0["SubnetId"].string }
    _ = try account.ok(
      "autoscaling", "CreateAutoScalingGroup",
      [
        "AutoScalingGroupName": "g", "MinSize": 1, "MaxSize": 6, "DesiredCapacity": .int(Int64(desired)),
        "LaunchTemplate": ["LaunchTemplateId": template, "Version": "$Latest"],
        "VPCZoneIdentifier": .string(subnet ?? all.joined(separator: ",")),
        "Tags": [["Key": "team", "Value": "shop", "PropagateAtLaunch": true]],
      ])
  }

  private func group(_ account: Account) throws -> JSON {
    try account.ok("autoscaling", "DescribeAutoScalingGroups")["AutoScalingGroups"][0]
  }

  private func running(_ account: Account) throws -> [JSON] {
    try account.ok(
      "ec2", "DescribeInstances", ["Filters": [["Name": "instance-state-name", "Values": ["running"]]]])[
        "Reservations"
      ].items.flatMap { $0["Instances"].items }
  }

  @Test func aGroupComesToItsSizeOverTheZones() throws {
    let account = try Account()
    try makeGroup(account, desired: 3)
    account.run(.seconds(1))
    let instances = try group(account)["Instances"].items
    #expect(instances.count == 3)
    #expect(Set(instances.compactMap { $0["AvailabilityZone"].string }).count == 3)
    #expect(instances.allSatisfy { $0["LifecycleState"] == "InService" })
    let machines = try running(account)
    #expect(machines.count == 3)
    #expect(machines.allSatisfy { $0["Tags"].items.contains { $0["Key"] == "team" } })
    #expect(machines.allSatisfy { $0["PublicIpAddress"].string != nil })
    let activities = try account.ok("autoscaling", "DescribeScalingActivities")["Activities"].items
    #expect(activities.map { $0["StatusCode"].string } == ["Successful", "Successful", "Successful"])
  }

  @Test func aLostInstanceIsReplaced() throws {
    let account = try Account()
    try makeGroup(account, desired: 2)
    account.run(.seconds(1))
    let lost = try running(account)[0]["InstanceId"]
    _ = try account.ok("ec2", "TerminateInstances", ["InstanceIds": [lost]])
    account.run(.seconds(30))
    let present = try group(account)["Instances"].items.map { $0["InstanceId"] }
    #expect(present.count == 2)
    #expect(!present.contains(lost))
  }

  @Test func aLaunchThatFailsIsToldWithEC2sWords() throws {
    let account = try Account()
    let subnet = try account.makeSubnet("10.0.1.0/28")
    for _ in 0..<11 { _ = try account.ok("ec2", "CreateNetworkInterface", ["SubnetId": .string(subnet)]) }
    try makeGroup(account, desired: 1, subnet: subnet)
    account.run(.seconds(1))
    let activity = try account.ok("autoscaling", "DescribeScalingActivities")["Activities"][0]
    #expect(activity["StatusCode"] == "Failed")
    #expect(
      activity["StatusMessage"]
        == "InsufficientFreeAddressesInSubnet - The specified subnet does not have enough free addresses to satisfy the request. Launching EC2 instance failed."
    )
    #expect(try group(account)["Instances"].items.isEmpty)
  }

  @Test func shrinkingAndDeletingLeaveNothing() throws {
    let account = try Account()
    try makeGroup(account, desired: 3)
    account.run(.seconds(1))
    _ = try account.ok("autoscaling", "SetDesiredCapacity", ["AutoScalingGroupName": "g", "DesiredCapacity": 1])
    account.run(.seconds(1))
    #expect(try running(account).count == 1)
    #expect(
      account.failure("autoscaling", "DeleteAutoScalingGroup", ["AutoScalingGroupName": "g"])?
        .hasPrefix("ResourceInUse") == true)
    _ = try account.ok("autoscaling", "DeleteAutoScalingGroup", ["AutoScalingGroupName": "g", "ForceDelete": true])
    account.run(.seconds(1))
    #expect(try account.ok("autoscaling", "DescribeAutoScalingGroups")["AutoScalingGroups"].items.isEmpty)
    #expect(try account.ok("ec2", "DescribeNetworkInterfaces")["NetworkInterfaces"].items.isEmpty)
  }

  @Test func aHookHoldsAnInstanceBack() throws {
    let account = try Account()
    var notices: [JSON] = []
    account.world.ports.lifecycleAction = { notices.append($0) }
    try makeGroup(account, desired: 2)
    _ = try account.ok(
      "autoscaling", "PutLifecycleHook",
      [
        "AutoScalingGroupName": "g", "LifecycleHookName": "h", "HeartbeatTimeout": 600, "DefaultResult": "CONTINUE",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
      ])
    account.run(.seconds(1))
    _ = try account.ok("autoscaling", "SetDesiredCapacity", ["AutoScalingGroupName": "g", "DesiredCapacity": 1])
    account.run(.seconds(300))
    #expect(notices.count == 1)
    #expect(try running(account).count == 2)
    #expect(try group(account)["Instances"].items.contains { $0["LifecycleState"] == "Terminating:Wait" })
    _ = try account.ok(
      "autoscaling", "CompleteLifecycleAction",
      [
        "AutoScalingGroupName": "g", "LifecycleHookName": "h", "LifecycleActionResult": "CONTINUE",
        "InstanceId": notices[0]["EC2InstanceId"],
      ])
    account.run(.seconds(1))
    #expect(try running(account).count == 1)
  }

  @Test func anInterfaceBeyondTheTypesLimitIsRefused() throws {
    let account = try Account()
    try makeGroup(account, desired: 1)
    account.run(.seconds(1))
    let machine = try running(account)[0]
    for device in 1...3 {
      let interface = try account.ok("ec2", "CreateNetworkInterface", ["SubnetId": machine["SubnetId"]])
      let reply = account.call(
        "ec2", "AttachNetworkInterface",
        [
          "InstanceId": machine["InstanceId"], "DeviceIndex": .int(Int64(device)),
          "NetworkInterfaceId": interface["NetworkInterface"]["NetworkInterfaceId"],
        ])
      #expect((reply.error == nil) == (device < 3))
      if device == 3 { #expect(reply.error?.code == "AttachmentLimitExceeded") }
    }
    let first = try #require(
      account.ok(
        "ec2", "DescribeNetworkInterfaces",
        ["Filters": [["Name": "attachment.device-index", "Values": ["0"]]]])["NetworkInterfaces"].items.first)
    let assign = account.call(
      "ec2", "AssignPrivateIpAddresses",
      ["NetworkInterfaceId": first["NetworkInterfaceId"], "SecondaryPrivateIpAddressCount": 10])
    #expect(
      assign.error?.description == "PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.")
  }

  @Test func anInstanceHoldsItsRolesSession() throws {
    let account = try Account()
    try account.makeRole("node")
    _ = try account.ok("iam", "CreateInstanceProfile", ["InstanceProfileName": "p"])
    _ = try account.ok("iam", "AddRoleToInstanceProfile", ["InstanceProfileName": "p", "RoleName": "node"])
    let made = try account.ok(
      "ec2", "RunInstances",
      [
        "ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.medium", "MinCount": 1, "MaxCount": 1,
        "IamInstanceProfile": ["Name": "p"], "UserData": .string(Base64.encode(Array("#!/bin/sh".utf8))),
      ])["Instances"][0]
    let id = made["InstanceId"].string ?? ""
    account.run(.seconds(1))
    let credentials = try #require(account.world.ports.instanceCredentials(id))
    let caller = try account.ok("sts", "GetCallerIdentity", key: credentials.accessKeyID)
    #expect(caller["Arn"].string == "arn:aws:sts::000000000000:assumed-role/node/\(id)")
    #expect(account.world.ports.instanceCredentials(id) == credentials)
    #expect(account.world.ports.instanceMetadata(id, "user-data") == "#!/bin/sh")
    #expect(account.world.ports.instanceMetadata(id, "meta-data/local-ipv4") == made["PrivateIpAddress"].string)
    // Renewed before the old ones end.
    account.world.setClock(account.world.now + .seconds(21_500))
    #expect(account.world.ports.instanceCredentials(id) != credentials)
  }
}
