import AWS
import Mechanisms
import Testing
import Wire
import World

@Suite struct VolumeTests {
  private func make(_ account: Account, _ input: JSON = .emptyObject) throws -> String {
    var input = input
    if input["AvailabilityZone"].isNull { input["AvailabilityZone"] = "us-east-1a" }
    if input["Size"].isNull { input["Size"] = 4 }
    let id = try #require(try account.ok("ec2", "CreateVolume", input)["VolumeId"].string)
    account.run(.seconds(5))
    return id
  }

  private func instance(_ account: Account, type: String = "m5.large") throws -> (id: String, zone: String) {
    let subnet = try account.ok("ec2", "DescribeSubnets")["Subnets"].items.first {
      $0["AvailabilityZone"].string == "us-east-1a"
    }
    let run = try account.ok(
      "ec2", "RunInstances",
      [
        "ImageId": "ami-0123456789abcdef0", "InstanceType": .string(type), "MinCount": 1, "MaxCount": 1,
        "SubnetId": try #require(subnet)["SubnetId"],
      ])
    account.run(.seconds(60))
    return (run["Instances"][0]["InstanceId"].string ?? "", "us-east-1a")
  }

  private func state(_ account: Account, _ id: String) throws -> String? {
    try account.ok("ec2", "DescribeVolumes", ["VolumeIds": [.string(id)]])["Volumes"][0]["State"].string
  }

  @Test func aVolumeIsMadeAttachedDetachedDeleted() throws {
    let account = try Account()
    let volume = try make(account, ["VolumeType": "gp3"])
    #expect(try state(account, volume) == "available")
    let instance = try instance(account).id
    let place: JSON = ["VolumeId": .string(volume), "InstanceId": .string(instance), "Device": "/dev/xvdaa"]
    #expect(try account.ok("ec2", "AttachVolume", place)["State"].string == "attaching")
    account.run(.seconds(5))
    #expect(try state(account, volume) == "in-use")
    #expect(
      account.failure("ec2", "AttachVolume", place) == "VolumeInUse: \(volume) is already attached to an instance")
    #expect(
      account.failure("ec2", "DeleteVolume", ["VolumeId": .string(volume)])
        == "VolumeInUse: Volume \(volume) is currently attached to \(instance)")
    let devices = try account.ok("ec2", "DescribeInstances", ["InstanceIds": [.string(instance)]])["Reservations"][0][
      "Instances"][0]["BlockDeviceMappings"]
    #expect(devices.items.compactMap { $0["DeviceName"].string } == ["/dev/xvda", "/dev/xvdaa"])
    _ = try account.ok("ec2", "DetachVolume", ["VolumeId": .string(volume)])
    #expect(try state(account, volume) == "available")
    _ = try account.ok("ec2", "DeleteVolume", ["VolumeId": .string(volume)])
    #expect(
      account.failure("ec2", "DescribeVolumes", ["VolumeIds": [.string(volume)]])
        == "InvalidVolume.NotFound: The volume '\(volume)' does not exist.")
  }

  @Test func anInstanceTakesVolumesOfItsZoneAndOnlySoMany() throws {
    let account = try Account()
    let instance = try instance(account).id
    let far = try make(account, ["AvailabilityZone": "us-east-1b"])
    #expect(
      account.failure(
        "ec2", "AttachVolume", ["VolumeId": .string(far), "InstanceId": .string(instance), "Device": "/dev/xvdaa"])
        == "InvalidVolume.ZoneMismatch: The volume '\(far)' is not in the same availability zone as instance '\(instance)'"
    )
    var failure: String?
    var count = 0
    while failure == nil, count < 100 {
      let volume = try make(account)
      failure = account.failure(
        "ec2", "AttachVolume",
        ["VolumeId": .string(volume), "InstanceId": .string(instance), "Device": .string("/dev/xvd\(count)")])
      count += 1
    }
    // 28 slots less the interface and the root.
    #expect(count == 27)
    #expect(failure?.hasPrefix("AttachmentLimitExceeded") == true)
  }

  private static let requests: [(JSON, String?)] = [
    (["Size": 4, "VolumeType": "gp3"], nil),
    (
      ["Size": 1, "VolumeType": "io1", "Iops": 100],
      "InvalidParameterValue: Volume of 1GiB is invalid. io1 volumes cannot be smaller than 4 GiB"
    ),
    (["VolumeType": "gp3"], "MissingParameter: The request must contain the parameter size/snapshot"),
    (["Size": 10, "VolumeType": "io2"], "MissingParameter: The request must contain the parameter iops"),
  ]

  @Test(arguments: requests)
  func whatIsAskedForMustBePossible(input: JSON, failure: String?) throws {
    var input = input
    input["AvailabilityZone"] = "us-east-1a"
    #expect(try Account().failure("ec2", "CreateVolume", input) == failure)
  }

  @Test func aVolumeGrowsOnceInSixHours() throws {
    let account = try Account()
    let volume = try make(account)
    let change = try account.ok("ec2", "ModifyVolume", ["VolumeId": .string(volume), "Size": 8])["VolumeModification"]
    #expect(change["OriginalSize"].int == 4)
    #expect(change["TargetSize"].int == 8)
    #expect(
      account.failure("ec2", "ModifyVolume", ["VolumeId": .string(volume), "Size": 9])?
        .hasPrefix("VolumeModificationRateExceeded") == true)
  }

  @Test(arguments: [
    ("m5.large", 26), ("t3.medium", 26), ("m7i.large", 31), ("m7g.large", 26), ("m8g.large", 31), ("r7a.24xlarge", 63),
    ("m7i.48xlarge", 127),
  ])
  func slots(type: String, allocatable: Int) {
    #expect(AttachmentSlots.of(type, hypervisor: "nitro").allocatable(interfaces: 1, volumes: 1) == allocatable)
  }
}
