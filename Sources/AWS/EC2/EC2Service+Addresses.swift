import Wire
import World

extension EC2Service {
  static var addressOperations: [String: Operation<EC2Service>] {
    [
      "AllocateAddress": allocateAddress, "DescribeAddresses": describeAddresses,
      "DescribeAddressesAttribute": describeAddressesAttribute, "AssociateAddress": associateAddress,
      "DisassociateAddress": disassociateAddress, "ReleaseAddress": releaseAddress,
    ]
  }

  static let addressDescription = Description(
    list: "Addresses", ids: "AllocationIds", id: "AllocationId", kind: "allocation")

  /// A public address out of EC2's pool.
  func newPublicIP() -> String {
    world.newID { "54.\(160 + $0.next() % 80).\($0.next() % 256).\(1 + $0.next() % 254)" }
  }

  func elasticAddress(of interface: NetworkInterface) -> ElasticAddress? {
    addresses.first { $0.interface == interface.id && $0.privateIP == interface.primary }
  }

  func json(_ address: ElasticAddress) -> JSON {
    [
      "InstanceId": JSON(address.interface.flatMap { interfaces[$0]?.attachment?.instance }),
      "PublicIp": .string(address.publicIP), "AllocationId": .string(address.allocation),
      "AssociationId": JSON(address.association), "Domain": "vpc", "NetworkInterfaceId": JSON(address.interface),
      "NetworkInterfaceOwnerId": address.interface == nil ? .null : .string(world.account),
      "PrivateIpAddress": JSON(address.privateIP), "Tags": address.tags.json, "PublicIpv4Pool": "amazon",
      "NetworkBorderGroup": .string(world.region),
    ]
  }

  private func allocateAddress(_ request: AWSRequest) throws(AWSError) -> JSON {
    let address = ElasticAddress(
      allocation: newID("eipalloc"), publicIP: newPublicIP(), tags: newTags("elastic-ip", request.input))
    addresses[address.allocation] = address
    return [
      "PublicIp": .string(address.publicIP), "AllocationId": .string(address.allocation), "PublicIpv4Pool": "amazon",
      "NetworkBorderGroup": .string(world.region), "Domain": "vpc",
    ]
  }

  private func describeAddresses(_ request: AWSRequest) throws(AWSError) -> JSON {
    var all = addresses.all.map(json)
    let wanted = request.input["PublicIps"].strings
    if !wanted.isEmpty { all = all.filter { wanted.contains($0["PublicIp"].string ?? "") } }
    return try describe(Self.addressDescription, all, request)
  }

  private func describeAddressesAttribute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let wanted = request.input["AllocationIds"].strings
    let all = addresses.filter { wanted.isEmpty || wanted.contains($0.allocation) }
    return [
      "Addresses": .array(
        all.map { ["PublicIp": .string($0.publicIP), "AllocationId": .string($0.allocation)] })
    ]
  }

  private func existingAddress(_ input: JSON) throws(AWSError) -> ElasticAddress {
    if let id = input["AllocationId"].string {
      guard let found = addresses[id] else { throw .notFound("allocation", id) }
      return found
    }
    let ip = input["PublicIp"].string ?? ""
    guard let found = addresses.first(where: { $0.publicIP == ip }) else {
      throw .ec2("InvalidAddress.NotFound", "Address '\(ip)' not found.")
    }
    return found
  }

  private func associateAddress(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let address = try existingAddress(input)
    let target: NetworkInterface
    if let id = input["NetworkInterfaceId"].string {
      target = try interface(id)
    } else {
      let instance = try instance(input["InstanceId"].string)
      guard let primary = primaryInterface(of: instance.id) else {
        throw .ec2("InvalidInstanceID", "The instance '\(instance.id)' has no network interface")
      }
      target = primary
    }
    guard address.association == nil || input["AllowReassociation"].bool != false else {
      throw .ec2(
        "Resource.AlreadyAssociated",
        "resource \(address.allocation) is already associated with associate-id \(address.association!)")
    }
    let id = newID("eipassoc")
    addresses.update(address.allocation) {
      $0.association = id
      $0.interface = target.id
      $0.privateIP = input["PrivateIpAddress"].string ?? target.primary
    }
    interfaces.update(target.id) { $0.publicIP = nil }
    return ["AssociationId": .string(id)]
  }

  private func disassociateAddress(_ request: AWSRequest) throws(AWSError) -> JSON {
    let wanted = request.input["AssociationId"].string
    guard
      let address = addresses.first(where: {
        $0.association != nil && ($0.association == wanted || $0.publicIP == request.input["PublicIp"].string)
      })
    else { throw .notFound("association", wanted) }
    addresses.update(address.allocation) {
      $0.association = nil
      $0.interface = nil
      $0.privateIP = nil
    }
    return .emptyObject
  }

  private func releaseAddress(_ request: AWSRequest) throws(AWSError) -> JSON {
    let address = try existingAddress(request.input)
    guard address.association == nil else {
      throw .ec2("InvalidIPAddress.InUse", "Address \(address.publicIP) is in use.")
    }
    addresses[address.allocation] = nil
    return .emptyObject
  }
}
