import Mechanisms
import Wire
import World

/// IPv6 addresses and /80 prefixes of interfaces.
extension EC2Service {
  /// What IPv6 an interface shall have.
  struct WantedIPv6 {
    var addresses: [String] = []
    var count = 0
    var prefixes: [String] = []
    var prefixCount = 0

    var isEmpty: Bool { addresses.isEmpty && count == 0 && prefixes.isEmpty && prefixCount == 0 }
  }

  /// Finds addresses and prefixes that nobody in the subnet has; all or nothing.
  func takeIPv6(_ wanted: WantedIPv6, in subnet: Subnet) throws(AWSError) -> (addresses: [String], prefixes: [String]) {
    guard !wanted.isEmpty else { return ([], []) }
    guard let block = subnet.block6.flatMap({ IPv6CIDR($0.cidr) }) else {
      throw .ec2("InvalidParameterValue", "No IPv6 CIDR block is associated with subnet '\(subnet.id)'.")
    }
    let others = interfaces.filter { $0.subnet == subnet.id }
    var addresses = Set(others.flatMap { $0.addresses6 ?? [] }.compactMap { IPv6Address($0) })
    var prefixes = Set(others.flatMap { $0.prefixes6 ?? [] }.compactMap { IPv6CIDR($0) })
    var found: (addresses: [String], prefixes: [String]) = ([], [])
    for text in wanted.prefixes {
      guard let prefix = IPv6CIDR(text), prefix.length == 80, prefix.description == text, block.contains(prefix) else {
        throw .ec2("InvalidParameterValue", "The specified prefix \(text) is not a valid /80 of the subnet.")
      }
      guard !addresses.contains(where: { prefix.contains($0) }), prefixes.insert(prefix).inserted else {
        throw .ec2("InvalidParameterValue", "The specified prefix \(text) is in use.")
      }
      found.prefixes.append(text)
    }
    for text in wanted.addresses {
      guard let address = IPv6Address(text), block.contains(address) else {
        throw .ec2("InvalidParameterValue", "Address does not fall within the subnet's address range")
      }
      // The first four and the last one are EC2's.
      guard !(address.high == block.base.high && (address.low < 4 || address.low == .max)) else {
        throw .ec2("InvalidParameterValue", "Address \(text) is in subnet's reserved address range")
      }
      guard !prefixes.contains(where: { $0.contains(address) }), addresses.insert(address).inserted else {
        throw .ec2("InvalidIPAddress.InUse", "Address \(text) is in use.")
      }
      found.addresses.append(address.description)
    }
    for _ in 0..<wanted.prefixCount {
      var prefix: IPv6CIDR
      repeat {
        prefix = IPv6CIDR(anyAddress(of: block), length: 80)
      } while prefixes.contains(prefix) || addresses.contains { prefix.contains($0) } || prefix.base == block.base
      prefixes.insert(prefix)
      found.prefixes.append(prefix.description)
    }
    for _ in 0..<wanted.count {
      var address: IPv6Address
      repeat {
        address = anyAddress(of: block)
      } while addresses.contains(address) || prefixes.contains { $0.contains(address) }
      addresses.insert(address)
      found.addresses.append(address.description)
    }
    return found
  }

  /// By chance, in a block's first /64.
  private func anyAddress(of block: IPv6CIDR) -> IPv6Address {
    IPv6Address(high: block.base.high, low: world.newID { max(4, $0.next() & ~1) })
  }

  func assignIPv6Addresses(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let interface = try interface(input["NetworkInterfaceId"].string)
    let wanted = WantedIPv6(
      addresses: input["Ipv6Addresses"].strings, count: input["Ipv6AddressCount"].int ?? 0,
      prefixes: input["Ipv6Prefixes"].strings, prefixCount: input["Ipv6PrefixCount"].int ?? 0)
    guard !wanted.isEmpty else {
      throw .ec2(
        "MissingParameter",
        "Either 'ipv6Addresses', 'ipv6AddressCount', 'ipv6Prefixes' or 'ipv6PrefixCount' should be provided.")
    }
    let type = interface.attachment?.instance.flatMap { instances[$0]?.type }
    if let limits = type.flatMap({ InstanceLimits.named($0) }) {
      guard limits.supportsPrefixes || wanted.prefixes.isEmpty && wanted.prefixCount == 0 else {
        throw .ec2(
          "InvalidParameterCombination", "The instance type '\(limits.type)' does not support prefix delegation")
      }
      let held = (interface.addresses6 ?? []).count + (interface.prefixes6 ?? []).count
      let more = wanted.addresses.count + wanted.count + wanted.prefixes.count + wanted.prefixCount
      guard held + more <= limits.ipv4PerENI else {
        throw .ec2("Ipv6AddressLimitExceeded", "Number of IPv6 addresses will exceed limit.")
      }
    }
    let taken = try takeIPv6(wanted, in: subnet(interface.subnet))
    interfaces.update(interface.id) {
      if !taken.addresses.isEmpty { $0.addresses6 = ($0.addresses6 ?? []) + taken.addresses }
      if !taken.prefixes.isEmpty { $0.prefixes6 = ($0.prefixes6 ?? []) + taken.prefixes }
    }
    return [
      "NetworkInterfaceId": .string(interface.id), "AssignedIpv6Addresses": JSON(taken.addresses),
      "AssignedIpv6Prefixes": taken.prefixes.isEmpty ? .null : JSON(taken.prefixes),
    ]
  }

  func unassignIPv6Addresses(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let interface = try interface(input["NetworkInterfaceId"].string)
    let addresses = input["Ipv6Addresses"].strings.map { IPv6Address($0)?.description ?? $0 }
    let prefixes = input["Ipv6Prefixes"].strings.map { IPv6CIDR($0)?.description ?? $0 }
    guard addresses.allSatisfy({ interface.addresses6?.contains($0) == true }),
      prefixes.allSatisfy({ interface.prefixes6?.contains($0) == true })
    else {
      throw .ec2(
        "InvalidParameterValue", "Some of the specified addresses are not assigned to interface \(interface.id)")
    }
    let left = (interface.addresses6 ?? []).filter { !addresses.contains($0) }
    let leftPrefixes = (interface.prefixes6 ?? []).filter { !prefixes.contains($0) }
    interfaces.update(interface.id) {
      $0.addresses6 = left.isEmpty ? nil : left
      $0.prefixes6 = leftPrefixes.isEmpty ? nil : leftPrefixes
    }
    return [
      "NetworkInterfaceId": .string(interface.id), "UnassignedIpv6Addresses": JSON(addresses),
      "UnassignedIpv6Prefixes": prefixes.isEmpty ? .null : JSON(prefixes),
    ]
  }
}
