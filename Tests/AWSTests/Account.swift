import AWS
import Testing
import Wire
import World

/// An account in a world of its own, acted in as its administrator.
final class Account {
  let world: World
  let aws: AWSStorey
  let secrets = MemorySecretKeeper()

  init(store: any Store = MemoryStore(), files: any LogStore.Files = MemoryLogFiles()) throws {
    let start = Timestamp(rfc3339: "2026-11-22T12:00:00Z")!
    world = try World(store: store, logFiles: files, options: .init(seed: 7, start: start))
    aws = AWSStorey(world: world, secrets: secrets)
    try world.restore()
  }

  /// What a call answers, by the administrator or whoever holds that key.
  func call(_ service: String, _ operation: String, _ input: JSON = .emptyObject, key: String? = nil) -> AWSReply {
    world.aws.perform(
      AWSCall(
        service: service, operation: operation, input: input, region: "us-east-1",
        caller: .credential(accessKeyID: key ?? aws.administratorKey), sourceIP: "198.51.100.10"))
  }

  /// The same of a call that must succeed.
  func ok(
    _ service: String, _ operation: String, _ input: JSON = .emptyObject, key: String? = nil,
    _ location: SourceLocation = #_sourceLocation
  ) throws -> JSON {
    let reply = call(service, operation, input, key: key)
    if let error = reply.error { Issue.record("\(operation): \(error)", sourceLocation: location) }
    return try #require(reply.output, sourceLocation: location)
  }

  /// `Code: message` of a call that must fail.
  func failure(
    _ service: String, _ operation: String, _ input: JSON = .emptyObject, key: String? = nil
  ) -> String? {
    call(service, operation, input, key: key).error?.description
  }

  func run(_ duration: Duration) { _ = world.runEvents(until: world.now + duration, limit: 10_000) }

  func makeRole(_ name: String, trusting service: String = "ec2.amazonaws.com", path: String = "/") throws {
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"\#(service)"},"Action":"sts:AssumeRole"}]}"#
    _ = try ok(
      "iam", "CreateRole",
      ["RoleName": .string(name), "Path": .string(path), "AssumeRolePolicyDocument": .string(trust)])
  }

  /// A VPC with a subnet of that block; answers the subnet's id.
  func makeSubnet(_ block: String) throws -> String {
    let vpc = try ok("ec2", "CreateVpc", ["CidrBlock": "10.0.0.0/16"])["Vpc"]["VpcId"]
    return try ok("ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": .string(block)])["Subnet"]["SubnetId"].string ?? ""
  }

  func free(_ subnet: String) throws -> Int {
    try ok("ec2", "DescribeSubnets", ["SubnetIds": [.string(subnet)]])["Subnets"][0]["AvailableIpAddressCount"].int
      ?? -1
  }
}
