package import Wire

extension SubnetShortage.Subnet {
  /// From an item of DescribeSubnets; with the subnet's interfaces (items of DescribeNetworkInterfaces, all of
  /// them) its whole blocks are counted too.
  package init?(describe item: JSON, interfaces: Fact<[JSON]> = .unknown(SubnetShortage.blocksGap)) {
    guard let id = item["SubnetId"].string, let free = item["AvailableIpAddressCount"].int else { return nil }
    let block = item["CidrBlock"].string.flatMap { CIDR($0) }
    let blocks: Fact<Int> =
      switch interfaces {
      case .unknown(let gap): .unknown(gap)
      case .known(let list, let source):
        block.map { .known(SubnetSpace($0, subnet: id, interfaces: list).freePrefixes.count, source) }
          ?? .unknown(Gap(read: "ec2:DescribeSubnets \(id)", why: "it shows no IPv4 block"))
      }
    self.init(id: id, free: free, freePrefixes: blocks)
  }
}

extension SubnetSpace {
  /// What the interfaces of a subnet take of it; those of other subnets are left out.
  package init(_ block: CIDR, subnet id: String, interfaces: [JSON]) {
    let own = interfaces.filter { $0["SubnetId"].string == id }
    self.init(
      block,
      used: own.flatMap { eni in
        eni["PrivateIpAddresses"].items.compactMap { $0["PrivateIpAddress"].string.flatMap { IPv4Address($0) } }
      },
      prefixes: own.flatMap { eni in
        eni["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string.flatMap { CIDR($0) } }
      })
  }
}
