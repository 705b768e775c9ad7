import AWS
import Testing
import Wire
import World

/// Instances stopped, started and rebooted.
@Suite struct PowerTests {
  private func launch(_ account: Account) throws -> String {
    let subnet = try account.ok("ec2", "DescribeSubnets")["Subnets"][0]["SubnetId"]
    let run = try account.ok(
      "ec2", "RunInstances",
      [
        "ImageId": "ami-0123456789abcdef0", "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1,
        "SubnetId": subnet,
      ])
    return run["Instances"][0]["InstanceId"].string ?? ""
  }

  private func shown(_ account: Account, _ id: String) throws -> JSON {
    try account.ok("ec2", "DescribeInstances", ["InstanceIds": [.string(id)]])["Reservations"][0]["Instances"][0]
  }

  @Test func aStopKeepsTheDiskAndThePrivateAddress() throws {
    let account = try Account()
    let id = try launch(account)
    let ids: JSON = ["InstanceIds": [.string(id)]]
    #expect(
      account.failure("ec2", "StopInstances", ids)
        == "IncorrectInstanceState: This instance '\(id)' is not in a state from which it can be stopped.")
    account.run(.seconds(60))
    let before = try shown(account, id)
    #expect(before["PublicIpAddress"].string != nil)
    let change = try account.ok("ec2", "StopInstances", ids)["StoppingInstances"][0]
    #expect(change["PreviousState"]["Name"].string == "running" && change["CurrentState"]["Code"].int == 64)
    #expect(
      account.failure("ec2", "StartInstances", ids)
        == "IncorrectInstanceState: The instance '\(id)' is not in a state from which it can be started.")
    account.run(.seconds(60))
    let stopped = try shown(account, id)
    #expect(stopped["State"] == ["Code": 80, "Name": "stopped"])
    #expect(stopped["StateReason"]["Code"].string == "Client.UserInitiatedShutdown")
    #expect(stopped["PublicIpAddress"].isNull)
    #expect(stopped["PrivateIpAddress"] == before["PrivateIpAddress"])
    #expect(
      stopped["BlockDeviceMappings"][0]["Ebs"]["VolumeId"] == before["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])
    #expect(
      account.failure("ec2", "RebootInstances", ids)
        == "IncorrectInstanceState: The instance '\(id)' is not in a state from which it can be rebooted.")

    #expect(try account.ok("ec2", "StartInstances", ids)["StartingInstances"][0]["CurrentState"]["Code"].int == 0)
    account.run(.seconds(60))
    let again = try shown(account, id)
    #expect(again["State"]["Name"].string == "running")
    #expect(again["StateReason"].isNull)
    #expect(again["PublicIpAddress"].string != nil && again["PublicIpAddress"] != before["PublicIpAddress"])
    #expect(again["StateTransitionReason"].string == "")

    _ = try account.ok("ec2", "StopInstances", ids)
    account.run(.seconds(60))
    #expect(
      try account.ok("ec2", "TerminateInstances", ids)["TerminatingInstances"][0]["PreviousState"]["Name"].string
        == "stopped")
    account.run(.seconds(60))
    #expect(try shown(account, id)["State"]["Name"].string == "terminated")
  }

  @Test func oneWrongInstanceStopsNone() throws {
    let account = try Account()
    let id = try launch(account)
    account.run(.seconds(60))
    #expect(
      account.failure("ec2", "StopInstances", ["InstanceIds": [.string(id), "i-00000000000000001"]])
        == "InvalidInstanceID.NotFound: The instance ID 'i-00000000000000001' does not exist")
    #expect(try shown(account, id)["State"]["Name"].string == "running")
  }
}
