import Wire
import World

extension EC2Service {
  static var assignmentOperations: [String: Operation<EC2Service>] {
    [
      "AssignPrivateIpAddresses": assignPrivateIpAddresses, "UnassignPrivateIpAddresses": unassignPrivateIpAddresses,
      "AssignIpv6Addresses": assignIPv6Addresses, "UnassignIpv6Addresses": unassignIPv6Addresses,
    ]
  }

  private func assignPrivateIpAddresses(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let interface = try interface(input["NetworkInterfaceId"].string)
    var wanted = Wanted()
    wanted.secondaries = input["PrivateIpAddresses"].strings.filter { !interface.secondaries.contains($0) }
    wanted.secondaryCount = input["SecondaryPrivateIpAddressCount"].int ?? 0
    wanted.prefixes = input["Ipv4Prefixes"].strings
    wanted.prefixCount = input["Ipv4PrefixCount"].int ?? 0
    let asked = wanted.secondaries.count + wanted.secondaryCount + wanted.prefixes.count + wanted.prefixCount
    if let id = interface.attachment?.instance, let type = instances[id]?.type, let limit = limits(of: type)?.addresses,
      1 + interface.secondaries.count + interface.prefixes.count + asked > limit
    {
      throw .ec2("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
    }
    var space = occupied[interface.subnet]!
    let (addresses, prefixes) = try take(wanted, &space)
    occupied[interface.subnet] = space
    interfaces.update(interface.id) {
      $0.secondaries += addresses
      $0.prefixes += prefixes
    }
    return [
      "NetworkInterfaceId": .string(interface.id),
      "AssignedPrivateIpAddresses": .array(addresses.map { ["PrivateIpAddress": .string($0)] }),
      "AssignedIpv4Prefixes": prefixes.isEmpty ? .null : .array(prefixes.map { ["Ipv4Prefix": .string($0)] }),
    ]
  }

  private func unassignPrivateIpAddresses(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let interface = try interface(input["NetworkInterfaceId"].string)
    let addresses = input["PrivateIpAddresses"].strings
    let prefixes = input["Ipv4Prefixes"].strings
    guard addresses.allSatisfy({ interface.secondaries.contains($0) }),
      prefixes.allSatisfy({ interface.prefixes.contains($0) })
    else {
      throw .ec2(
        "InvalidParameterValue", "Some of the specified addresses are not assigned to interface \(interface.id)")
    }
    for text in addresses { if let address = IPv4Address(text) { occupied[interface.subnet]?.release(address) } }
    for text in prefixes { if let prefix = CIDR(text) { occupied[interface.subnet]?.release(prefix) } }
    interfaces.update(interface.id) {
      $0.secondaries.removeAll { addresses.contains($0) }
      $0.prefixes.removeAll { prefixes.contains($0) }
    }
    return .emptyObject
  }
}
