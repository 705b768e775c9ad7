import AWS
import Testing
import Wire
import World

/// The subnet vectors of the VPC CNI: what EC2 grants where addresses are short.
@Suite struct AddressTests {
  private func interface(_ account: Account, _ subnet: String, _ more: JSON = .emptyObject) -> AWSReply {
    var input = more
    input["SubnetId"] = .string(subnet)
    return account.call("ec2", "CreateNetworkInterface", input)
  }

  @Test(arguments: [("10.0.1.0/28", 11), ("10.0.1.0/27", 27), ("10.0.1.0/24", 251), ("10.0.0.0/19", 8187)])
  func fiveAddressesAreReserved(block: String, usable: Int) throws {
    let account = try Account()
    #expect(try account.free(account.makeSubnet(block)) == usable)
  }

  @Test func anInterfaceTakesAllItsAddressesOrNone() throws {
    let account = try Account()
    let subnet = try account.makeSubnet("10.0.1.0/28")
    // Six taken, five free: S1 and S2.
    #expect(interface(account, subnet, ["SecondaryPrivateIpAddressCount": 5]).output != nil)
    #expect(try account.free(subnet) == 5)
    #expect(
      interface(account, subnet, ["SecondaryPrivateIpAddressCount": 9]).error?.description
        == "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses to satisfy the request."
    )
    #expect(try account.free(subnet) == 5)
    #expect(interface(account, subnet, ["SecondaryPrivateIpAddressCount": 1]).output != nil)
    #expect(try account.free(subnet) == 3)
  }

  @Test func assigningIsAllOrNothing() throws {
    let account = try Account()
    let subnet = try account.makeSubnet("10.0.1.0/28")
    let made = interface(account, subnet, ["SecondaryPrivateIpAddressCount": 6]).output?["NetworkInterface"]
    let id = try #require(made?["NetworkInterfaceId"])
    #expect(try account.free(subnet) == 4)
    let many = account.call(
      "ec2", "AssignPrivateIpAddresses", ["NetworkInterfaceId": id, "SecondaryPrivateIpAddressCount": 9])
    #expect(many.error?.code == "InsufficientFreeAddressesInSubnet")
    for left in [3, 2, 1, 0] {
      let one = try account.ok(
        "ec2", "AssignPrivateIpAddresses", ["NetworkInterfaceId": id, "SecondaryPrivateIpAddressCount": 1])
      #expect(one["AssignedPrivateIpAddresses"].items.count == 1)
      #expect(try account.free(subnet) == left)
    }
  }

  @Test func prefixesAreAlignedAndWhole() throws {
    let account = try Account()
    // S4: a /27 has no free block, since each holds a reserved address.
    let small = try account.makeSubnet("10.0.1.0/27")
    #expect(
      interface(account, small, ["Ipv4PrefixCount": 1]).error?.description
        == "InsufficientCidrBlocks: The specified subnet does not have enough free cidr blocks to satisfy the request.")
    // S5: a /26 with primaries in its first and last block has two.
    let vpc = try account.ok("ec2", "DescribeSubnets", ["SubnetIds": [.string(small)]])["Subnets"][0]["VpcId"]
    let middle =
      try account.ok("ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": "10.0.2.0/26"])["Subnet"]["SubnetId"].string
      ?? ""
    let first = interface(account, middle, ["PrivateIpAddress": "10.0.2.5"]).output
    #expect(interface(account, middle, ["PrivateIpAddress": "10.0.2.50"]).output != nil)
    let two = try account.ok(
      "ec2", "AssignPrivateIpAddresses",
      ["NetworkInterfaceId": first?["NetworkInterface"]["NetworkInterfaceId"] ?? .null, "Ipv4PrefixCount": 2])
    let prefixes = two["AssignedIpv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string }.sorted()
    #expect(prefixes == ["10.0.2.16/28", "10.0.2.32/28"])
    #expect(
      account.call(
        "ec2", "AssignPrivateIpAddresses",
        ["NetworkInterfaceId": first?["NetworkInterface"]["NetworkInterfaceId"] ?? .null, "Ipv4PrefixCount": 1]
      ).error?.code == "InsufficientCidrBlocks")
    // S6: one stray address in each block leaves many addresses and no prefix.
    let wide =
      try account.ok("ec2", "CreateSubnet", ["VpcId": vpc, "CidrBlock": "10.0.3.0/24"])["Subnet"]["SubnetId"].string
      ?? ""
    for block in 0..<16 {
      #expect(interface(account, wide, ["PrivateIpAddress": .string("10.0.3.\(block * 16 + 7)")]).output != nil)
    }
    #expect(try account.free(wide) == 235)
    #expect(interface(account, wide, ["Ipv4PrefixCount": 1]).error?.code == "InsufficientCidrBlocks")
  }

  @Test func addressesComeBack() throws {
    let account = try Account()
    let subnet = try account.makeSubnet("10.0.1.0/28")
    let made = try #require(interface(account, subnet, ["SecondaryPrivateIpAddressCount": 3]).output)[
      "NetworkInterface"]
    let second = made["PrivateIpAddresses"][1]["PrivateIpAddress"]
    _ = try account.ok(
      "ec2", "UnassignPrivateIpAddresses",
      ["NetworkInterfaceId": made["NetworkInterfaceId"], "PrivateIpAddresses": [second]])
    #expect(try account.free(subnet) == 8)
    _ = try account.ok("ec2", "DeleteNetworkInterface", ["NetworkInterfaceId": made["NetworkInterfaceId"]])
    #expect(try account.free(subnet) == 11)
  }

  @Test func theIndexOfAddressesIsRebuilt() throws {
    let store = MemoryStore()
    let account = try Account(store: store)
    let subnet = try account.makeSubnet("10.0.1.0/28")
    #expect(interface(account, subnet, ["SecondaryPrivateIpAddressCount": 3]).output != nil)
    account.world.commit()
    let again = try Account(store: store)
    #expect(try again.free(subnet) == 7)
  }
}
