import Mechanisms
import Wire
import World

extension EC2Service {
  static var interfaceOperations: [String: Operation<EC2Service>] {
    [
      "CreateNetworkInterface": createNetworkInterface, "DescribeNetworkInterfaces": describeNetworkInterfaces,
      "AttachNetworkInterface": attachNetworkInterface, "DetachNetworkInterface": detachNetworkInterface,
      "DeleteNetworkInterface": deleteNetworkInterface,
      "ModifyNetworkInterfaceAttribute": modifyNetworkInterfaceAttribute,
      "DescribeNetworkInterfaceAttribute": describeNetworkInterfaceAttribute,
    ]
  }

  static let interfaceDescription = Description(
    list: "NetworkInterfaces", ids: "NetworkInterfaceIds", id: "NetworkInterfaceId", kind: "networkInterface",
    filters: [
      "group-id": "Groups.GroupId", "group-name": "Groups.GroupName", "requester-id": "RequesterId",
      "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
      "addresses.primary": "PrivateIpAddresses.Primary",
      "addresses.association.public-ip": "PrivateIpAddresses.Association.PublicIp",
      "association.public-ip": "Association.PublicIp", "attachment.attach-time": "Attachment.AttachTime",
      "attachment.attachment-id": "Attachment.AttachmentId", "mac-address": "MacAddress",
      "ipv6-addresses.ipv6-address": "Ipv6Addresses.Ipv6Address",
    ])

  /// The name that the VPC's resolver gives an address.
  func privateName(_ address: String) -> String {
    let domain = NodeName.domain(region: world.region)
    return "ip-\(address.split(separator: ".").joined(separator: "-")).\(domain)"
  }

  /// `ec2-54-1-2-3.compute-1.amazonaws.com`.
  func publicName(_ address: String) -> String {
    let domain = world.region == "us-east-1" ? "compute-1" : "\(world.region).compute"
    return "ec2-\(address.split(separator: ".").joined(separator: "-")).\(domain).amazonaws.com"
  }

  private func chance(_ bound: Int) -> Int { world.newID { Int($0.next() % UInt64(bound)) } }

  private func newMAC() -> String {
    world.newID { stream in "02" + (0..<5).map { _ in ":" + stream.hex(2) }.joined() }
  }

  // MARK: - Making and removing

  /// What a new interface shall have.
  struct Wanted {
    var primary: String?
    var secondaries: [String] = []
    var secondaryCount = 0
    var prefixes: [String] = []
    var prefixCount = 0
    var ipv6 = WantedIPv6()
  }

  /// Makes an interface with its addresses, all or nothing.
  func makeInterface(
    in subnet: Subnet, description: String, groups wanted: [String], requester: String? = nil,
    addresses: Wanted = Wanted(), tags: Tags = Tags()
  ) throws(AWSError) -> NetworkInterface {
    for id in wanted {
      let group = try group(id)
      guard group.vpc == subnet.vpc else {
        throw .ec2("InvalidParameter", "You have specified two resources that belong to different networks.")
      }
    }
    guard wanted.count <= 5 else {
      throw .ec2(
        "SecurityGroupsPerInterfaceLimitExceeded",
        "The maximum number of security groups per interface has been reached.")
    }
    var space = occupied[subnet.id] ?? SubnetSpace(subnet.block)
    let primary = try takePrimary(addresses.primary, &space)
    guard addresses.prefixCount * 16 <= space.freeCount else {
      throw .ec2(SubnetSpace.shortOfPrefixes.code, SubnetSpace.shortOfPrefixes.message)
    }
    let (more, prefixes) = try take(addresses, &space)
    var wantedIPv6 = addresses.ipv6
    if wantedIPv6.isEmpty, subnet.assignsIPv6 == true { wantedIPv6.count = 1 }
    let ipv6 = try takeIPv6(wantedIPv6, in: subnet)
    var groupIDs = wanted
    if groupIDs.isEmpty, requester == nil,
      let standard = groups.first(where: { $0.vpc == subnet.vpc && $0.name == "default" })
    {
      groupIDs = [standard.id]
    }
    let interface = NetworkInterface(
      id: newID("eni"), subnet: subnet.id, vpc: subnet.vpc, zone: subnet.zone, description: description,
      mac: newMAC(),
      primary: primary, secondaries: more, prefixes: prefixes,
      addresses6: ipv6.addresses.isEmpty ? nil : ipv6.addresses,
      prefixes6: ipv6.prefixes.isEmpty ? nil : ipv6.prefixes, groups: groupIDs, requester: requester, tags: tags)
    occupied[subnet.id] = space
    interfaces[interface.id] = interface
    return interface
  }

  private func takePrimary(_ text: String?, _ space: inout SubnetSpace) throws(AWSError) -> String {
    if let text { return try take(text, &space) }
    guard let any = takeAny(&space) else { throw .insufficientAddresses }
    return any.description
  }

  /// Any free address, by chance.
  private func takeAny(_ space: inout SubnetSpace) -> IPv4Address? {
    space.freeCount > 0 ? space.takeAny(from: chance(space.usable)) : nil
  }

  private func take(_ text: String, _ space: inout SubnetSpace) throws(AWSError) -> String {
    guard let address = IPv4Address(text), space.cidr.contains(address) else {
      throw .ec2("InvalidParameterValue", "Address does not fall within the subnet's address range")
    }
    guard !space.isReserved(address) else {
      throw .ec2("InvalidParameterValue", "Address \(text) is in subnet's reserved address range")
    }
    guard space.isFree(address) else { throw .ec2("InvalidIPAddress.InUse", "Address \(text) is in use.") }
    space.take(address)
    return text
  }

  /// Takes secondary addresses and prefixes.
  func take(_ wanted: Wanted, _ space: inout SubnetSpace) throws(AWSError) -> (
    addresses: [String], prefixes: [String]
  ) {
    var addresses: [String] = []
    for text in wanted.secondaries { addresses.append(try take(text, &space)) }
    guard wanted.secondaryCount <= space.freeCount else { throw .insufficientAddresses }
    for _ in 0..<wanted.secondaryCount {
      guard let any = takeAny(&space) else { throw .insufficientAddresses }
      addresses.append(any.description)
    }
    var prefixes: [String] = []
    for text in wanted.prefixes {
      guard let prefix = CIDR(text), prefix.length == 28, prefix.description == text, space.cidr.contains(prefix)
      else {
        throw .ec2("InvalidParameterValue", "The specified prefix \(text) is not a valid /28 of the subnet.")
      }
      guard space.isFree(prefix) else { throw .insufficientBlocks }
      space.take(prefix)
      prefixes.append(text)
    }
    for _ in 0..<wanted.prefixCount {
      guard space.prefixSlots > 0, let prefix = space.takePrefix(from: chance(space.prefixSlots)) else {
        throw .insufficientBlocks
      }
      prefixes.append(prefix.description)
    }
    return (addresses, prefixes)
  }

  /// Removes an interface and gives its addresses back.
  func remove(_ id: String) {
    guard let interface = interfaces[id] else { return }
    dropAssociations(of: id)
    occupied[interface.subnet]?.release(interface)
    for address in addresses.rows(addressesByInterface, id) {
      addresses.update(address.allocation) {
        $0.association = nil
        $0.interface = nil
        $0.privateIP = nil
      }
    }
    interfaces[id] = nil
  }

  func attached(to instance: String) -> [NetworkInterface] {
    interfaces.rows(interfacesByInstance, instance).sorted { $0.attachment!.device < $1.attachment!.device }
  }

  func primaryInterface(of instance: String) -> NetworkInterface? {
    attached(to: instance).first { $0.attachment?.device == 0 }
  }

  // MARK: - Telling

  private func association(_ interface: NetworkInterface, _ address: String) -> JSON {
    if let elastic = addresses.rows(addressesByInterface, interface.id).first(where: { $0.privateIP == address }) {
      return [
        "AllocationId": .string(elastic.allocation), "AssociationId": JSON(elastic.association),
        "IpOwnerId": .string(world.account), "PublicDnsName": .string(publicName(elastic.publicIP)),
        "PublicIp": .string(elastic.publicIP),
      ]
    }
    guard address == interface.primary, let ip = interface.publicIP else { return .null }
    return [
      "IpOwnerId": "amazon", "PublicDnsName": .string(publicName(ip)), "PublicIp": .string(ip),
    ]
  }

  func json(_ interface: NetworkInterface, of instance: Bool = false) -> JSON {
    let hasNames = vpcs[interface.vpc]?.dnsHostnames ?? false
    let all = [interface.primary] + interface.secondaries
    var value: JSON = [
      "Association": association(interface, interface.primary),
      "Description": .string(interface.description),
      "Groups": .array(
        interface.groups.map { ["GroupId": .string($0), "GroupName": JSON(groups[$0]?.name)] }),
      "InterfaceType": .string(interface.kind),
      "Ipv6Addresses": .array((interface.addresses6 ?? []).map { ["Ipv6Address": .string($0)] }),
      "Ipv6Address": instance ? .null : JSON(interface.addresses6?.first),
      "Ipv6Prefixes": interface.prefixes6.map { .array($0.map { ["Ipv6Prefix": .string($0)] }) } ?? .null,
      "MacAddress": .string(interface.mac),
      "NetworkInterfaceId": .string(interface.id), "OwnerId": .string(world.account),
      "PrivateDnsName": hasNames ? .string(privateName(interface.primary)) : .null,
      "PrivateIpAddress": .string(interface.primary),
      "PrivateIpAddresses": .array(
        all.enumerated().map { index, address in
          [
            "Association": association(interface, address), "Primary": .bool(index == 0),
            "PrivateDnsName": hasNames ? .string(privateName(address)) : .null, "PrivateIpAddress": .string(address),
          ]
        }),
      "SourceDestCheck": .bool(interface.sourceDestCheck), "Status": .string(interface.status),
      "SubnetId": .string(interface.subnet), "VpcId": .string(interface.vpc),
      "Ipv4Prefixes": interface.prefixes.isEmpty
        ? .null : .array(interface.prefixes.map { ["Ipv4Prefix": .string($0)] }),
    ]
    if let attachment = interface.attachment {
      value["Attachment"] = [
        "AttachTime": .time(attachment.attachedAt), "AttachmentId": .string(attachment.id),
        "DeleteOnTermination": .bool(attachment.deleteOnTermination), "DeviceIndex": .int(Int64(attachment.device)),
        "NetworkCardIndex": 0, "Status": "attached",
        "InstanceId": instance ? .null : JSON(attachment.instance),
        "InstanceOwnerId": instance ? .null : .string(attachment.owner),
      ]
    }
    if !instance {
      value["AvailabilityZone"] = .string(interface.zone)
      value["AvailabilityZoneId"] = .string(zoneID(interface.zone))
      value["RequesterId"] = JSON(interface.requester)
      value["RequesterManaged"] = .bool(interface.isManaged)
      value["TagSet"] = interface.tags.jsonOrEmpty
    }
    return value
  }

  // MARK: - Operations

  /// Clusters' control planes and machines of Fargate have their interfaces in the account's subnets; what EKS does
  /// with a role of the account is the account's.
  private static func isEKS(_ principal: AWSPrincipal) -> Bool {
    ["eks.amazonaws.com", "eks-fargate.amazonaws.com"].contains(principal.service)
      && principal.roleARN?.contains(":role/aws-service-role/") ?? true
  }

  private func createNetworkInterface(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let subnet = try subnet(input["SubnetId"].string)
    var wanted = Wanted()
    wanted.primary = input["PrivateIpAddress"].string
    for item in input["PrivateIpAddresses"].items {
      guard let address = item["PrivateIpAddress"].string else { continue }
      if item["Primary"].bool == true { wanted.primary = address } else { wanted.secondaries.append(address) }
    }
    wanted.secondaryCount = input["SecondaryPrivateIpAddressCount"].int ?? 0
    wanted.prefixes = input["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string }
    wanted.prefixCount = input["Ipv4PrefixCount"].int ?? 0
    wanted.ipv6 = WantedIPv6(
      addresses: input["Ipv6Addresses"].items.compactMap { $0["Ipv6Address"].string },
      count: input["Ipv6AddressCount"].int ?? 0,
      prefixes: input["Ipv6Prefixes"].items.compactMap { $0["Ipv6Prefix"].string },
      prefixCount: input["Ipv6PrefixCount"].int ?? 0)
    // Interfaces that a service makes in the account's name are its own to manage.
    let requester = Self.isEKS(request.principal) ? request.principal.userID : nil
    var interface = try makeInterface(
      in: subnet, description: input["Description"].string ?? "", groups: input["Groups"].strings,
      requester: requester, addresses: wanted, tags: newTags("network-interface", input))
    switch input["InterfaceType"].string {
    case nil, "interface": break
    case "trunk", "branch", "efa", "efa-only": interface.kind = input["InterfaceType"].string ?? "interface"
    case .some(let kind):
      throw .ec2("InvalidParameterValue", "Value (\(kind)) for parameter interfaceType is invalid.")
    }
    interfaces[interface.id] = interface
    if requester != nil {
      interface.attachment = .init(
        id: newID("eni-attach"), instance: nil, owner: "\(world.newID { $0.letters(12, from: "0123456789") })",
        device: 1, deleteOnTermination: false, attachedAt: request.now)
      interfaces[interface.id] = interface
    }
    var value = json(interface)
    value["Status"] = "pending"
    return ["NetworkInterface": value, "ClientToken": input["ClientToken"]]
  }

  private func describeNetworkInterfaces(_ request: AWSRequest) throws(AWSError) -> JSON {
    var what = Self.interfaceDescription
    // Filters name tags as everywhere; the output calls them TagSet.
    what.filters["tag-key"] = "TagSet.Key"
    let rows = described(interfaces, what, request).map { interface in
      var value = json(interface)
      value["Tags"] = interface.tags.json
      return value
    }
    var answer = try describe(what, rows, request)
    let shown = answer["NetworkInterfaces"].items.map { row in
      var row = row
      row.remove("Tags")
      return row
    }
    answer["NetworkInterfaces"] = .array(shown)
    return answer
  }

  private func attachNetworkInterface(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let interface = try interface(input["NetworkInterfaceId"].string)
    let instance = try instance(input["InstanceId"].string)
    let device = input["DeviceIndex"].int ?? 1
    guard instance.state == .running || instance.state == .pending else {
      throw .ec2("IncorrectState", "Instance '\(instance.id)' is not in a valid state for this operation.")
    }
    guard interface.attachment == nil else {
      throw .ec2("InvalidNetworkInterface.InUse", "Interface: [\(interface.id)] in use.")
    }
    guard interface.zone == instance.zone else {
      throw .ec2(
        "InvalidParameterCombination",
        "You may not attach a network interface to an instance if they are not in the same availability zone")
    }
    if interface.kind == "trunk", InstanceLimits.named(instance.type)?.supportsTrunk == false {
      throw .ec2(
        "InvalidParameterCombination",
        "The instance type '\(instance.type)' does not support trunk interfaces")
    }
    guard interface.kind != "branch" else {
      throw .ec2("InvalidParameterValue", "Branch interface \(interface.id) may not be attached to an instance")
    }
    let present = attached(to: instance.id)
    if let limit = limits(of: instance.type)?.interfaces, present.count >= limit {
      throw .ec2(
        "AttachmentLimitExceeded", "Interface count \(present.count + 1) exceeds the limit for \(instance.type)")
    }
    guard !present.contains(where: { $0.attachment?.device == device }) else {
      throw .ec2(
        "InvalidParameterValue",
        "Instance '\(instance.id)' already has an interface attached at device index '\(device)'.")
    }
    let attachment = NetworkInterface.Attachment(
      id: newID("eni-attach"), instance: instance.id, owner: world.account, device: device,
      deleteOnTermination: false, attachedAt: request.now)
    interfaces.update(interface.id) { $0.attachment = attachment }
    return ["AttachmentId": .string(attachment.id), "NetworkCardIndex": 0]
  }

  private func detachNetworkInterface(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["AttachmentId"].string
    guard let interface = interfaces.first(where: { $0.attachment?.id == id }), let attachment = interface.attachment
    else { throw .notFound("attachment", id) }
    guard attachment.instance != nil || Self.isEKS(request.principal) else {
      throw .ec2(
        "OperationNotPermitted",
        "You are not allowed to manage '\(attachment.id.hasPrefix("ela") ? "ela-attach" : "eni-attach")' attachments.")
    }
    guard attachment.device != 0 || attachment.instance == nil else {
      throw .ec2("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")
    }
    interfaces.update(interface.id) { $0.attachment = nil }
    return .emptyObject
  }

  private func deleteNetworkInterface(_ request: AWSRequest) throws(AWSError) -> JSON {
    let interface = try interface(request.input["NetworkInterfaceId"].string)
    let isOwners = interface.requester != nil && Self.isEKS(request.principal)
    guard interface.attachment == nil && interface.isOnTrunk != true || isOwners else {
      throw .ec2("InvalidParameterValue", "Network interface '\(interface.id)' is currently in use.")
    }
    remove(interface.id)
    return .emptyObject
  }

  private func modifyNetworkInterfaceAttribute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    var interface = try interface(input["NetworkInterfaceId"].string)
    if let text = input["Description"]["Value"].string { interface.description = text }
    if let on = input["SourceDestCheck"]["Value"].bool { interface.sourceDestCheck = on }
    if let wanted = input["Groups"].array?.compactMap(\.string), !wanted.isEmpty {
      for id in wanted { _ = try group(id) }
      interface.groups = wanted
    }
    if let change = input["Attachment"].object {
      guard interface.attachment?.id == change["AttachmentId"].string else {
        throw .notFound("attachment", change["AttachmentId"].string)
      }
      if let on = change["DeleteOnTermination"].bool { interface.attachment?.deleteOnTermination = on }
    }
    interfaces[interface.id] = interface
    return .emptyObject
  }

  private func describeNetworkInterfaceAttribute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let interface = try interface(request.input["NetworkInterfaceId"].string)
    let whole = json(interface)
    var answer: JSON = ["NetworkInterfaceId": .string(interface.id)]
    switch request.input["Attribute"].string {
    case "description": answer["Description"] = ["Value": .string(interface.description)]
    case "groupSet": answer["Groups"] = whole["Groups"]
    case "sourceDestCheck": answer["SourceDestCheck"] = ["Value": .bool(interface.sourceDestCheck)]
    default: answer["Attachment"] = whole["Attachment"]
    }
    return answer
  }
}

extension AWSError {
  static var insufficientAddresses: AWSError { insufficient(prefixes: false) }
  static var insufficientBlocks: AWSError { insufficient(prefixes: true) }

  private static func insufficient(prefixes: Bool) -> AWSError {
    let error = SubnetSpace.exhaustion(prefixes: prefixes)
    return .ec2(error.code, error.message)
  }
}
