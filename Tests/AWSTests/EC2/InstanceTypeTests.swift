import AWS
import Testing
import Wire
import World

/// What EC2 tells of instance types is what it holds them to, and what the CNI's rules reckon with.
@Suite struct InstanceTypeTests {
  @Test(arguments: [("m5.large", 3, 10), ("t3.small", 3, 4), ("t3.medium", 3, 6)])
  func limitsAreTold(type: String, interfaces: Int, addresses: Int) throws {
    let account = try Account()
    let reply = account.call("ec2", "DescribeInstanceTypes", ["InstanceTypes": [.string(type)]])
    let network = reply.output?["InstanceTypes"][0]["NetworkInfo"] ?? .null
    #expect(network["MaximumNetworkInterfaces"].int == interfaces)
    #expect(network["Ipv4AddressesPerInterface"].int == addresses)
  }

  @Test func unknownTypesAreRefused() throws {
    let account = try Account()
    let reply = account.call("ec2", "DescribeInstanceTypes", ["InstanceTypes": ["m5.enormous"]])
    #expect(reply.error?.code == "InvalidInstanceType")
    #expect((account.call("ec2", "DescribeInstanceTypes", [:]).output?["InstanceTypes"].items.count ?? 0) > 0)
  }
}
