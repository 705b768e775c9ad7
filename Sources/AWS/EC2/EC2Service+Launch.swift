import Mechanisms
import Wire
import World

extension EC2Service {
  /// What a launch asks for: the template's data, overridden by the request's own.
  func launchSettings(_ input: JSON) throws(AWSError) -> JSON {
    guard !input["LaunchTemplate"].isNull else { return input }
    let (_, version) = try version(named: input["LaunchTemplate"])
    var merged = version.data
    for field in input.fields where !field.value.isNull {
      if field.key == "TagSpecifications" {
        merged["TagSpecifications"] = .array(merged["TagSpecifications"].items + field.value.items)
      } else if field.key == "MetadataOptions" {
        for option in field.value.fields { merged["MetadataOptions"][option.key] = option.value }
      } else {
        merged[field.key] = field.value
      }
    }
    return merged
  }

  func runInstances(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = try launchSettings(request.input)
    let count = input["MaxCount"].int ?? 1
    guard let image = input["ImageId"].string else {
      throw .ec2("MissingParameter", "The request must contain the parameter ImageId")
    }
    guard image.hasPrefix("ami-") else {
      throw .ec2("InvalidAMIID.Malformed", "Invalid id: \"\(image)\" (expecting \"ami-...\")")
    }
    let type = input["InstanceType"].string ?? "m1.small"
    guard limits(of: type) != nil else {
      throw .ec2("InvalidParameterValue", "Invalid value '\(type)' for InstanceType.")
    }
    let profile = try profile(in: input)
    let device = input["NetworkInterfaces"].items.first { ($0["DeviceIndex"].int ?? 0) == 0 } ?? .null
    var subnetID = input["SubnetId"].string ?? device["SubnetId"].string
    if subnetID == nil {
      let zone = input["Placement"]["AvailabilityZone"].string
      subnetID = subnets.first { $0.isDefault && (zone == nil || $0.zone == zone) }?.id
      guard subnetID != nil else {
        throw .ec2("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
      }
    }
    let subnet = try subnet(subnetID)
    var groupIDs = input["SecurityGroupIds"].strings
    if groupIDs.isEmpty { groupIDs = device["Groups"].strings }
    for name in input["SecurityGroups"].strings {
      guard let found = groups.first(where: { $0.name == name && $0.vpc == subnet.vpc }) else {
        throw .notFound("group", name)
      }
      groupIDs.append(found.id)
    }
    if let text = input["UserData"].string, text.utf8.count > 21_848 {
      throw .ec2("InvalidParameterValue", "User data is limited to 16384 bytes")
    }
    let requester = request.principal.service.map { _ in request.principal.userID }
    let reservation = "r-" + world.newID { $0.hex(17) }
    var made: [(Instance, JSON)] = []
    let before = occupied[subnet.id]
    do {
      for index in 0..<count {
        let instance = try launch(
          index, input, image: image, type: type, profile: profile, in: subnet, groups: groupIDs, device: device,
          reservation: reservation, requester: requester, request)
        made.append((instance, json(instance)))
      }
    } catch {
      // A launch is all or nothing.
      for (instance, _) in made {
        for interface in attached(to: instance.id) { remove(interface.id) }
        instances[instance.id] = nil
        world.stop(InstanceLife.id(instance.id))
      }
      occupied[subnet.id] = before
      throw error
    }
    return [
      "ReservationId": .string(reservation), "OwnerId": .string(world.account), "Groups": [],
      "RequesterId": JSON(requester), "Instances": .array(made.map(\.1)),
    ]
  }

  private func profile(in input: JSON) throws(AWSError) -> String? {
    let wanted = input["IamInstanceProfile"]
    if let name = wanted["Name"].string {
      guard sts.iam.profiles[name] != nil else {
        throw .ec2(
          "InvalidParameterValue",
          "Value (\(name)) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name")
      }
      return name
    }
    guard let arn = wanted["Arn"].string else { return nil }
    guard let found = sts.iam.profiles.first(where: { sts.iam.arn(of: $0) == arn }) else {
      throw .ec2(
        "InvalidParameterValue",
        "Value (\(arn)) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN")
    }
    return found.name
  }

  private func launch(
    _ index: Int, _ input: JSON, image: String, type: String, profile: String?, in subnet: Subnet, groups: [String],
    device: JSON, reservation: String, requester: String?, _ request: AWSRequest
  ) throws(AWSError) -> Instance {
    var wanted = Wanted()
    wanted.primary = input["PrivateIpAddress"].string ?? device["PrivateIpAddress"].string
    wanted.secondaryCount = device["SecondaryPrivateIpAddressCount"].int ?? 0
    wanted.prefixCount = device["Ipv4PrefixCount"].int ?? 0
    wanted.ipv6 = WantedIPv6(
      addresses: (device["Ipv6Addresses"].items + input["Ipv6Addresses"].items).compactMap { $0["Ipv6Address"].string },
      count: device["Ipv6AddressCount"].int ?? input["Ipv6AddressCount"].int ?? 0,
      prefixes: device["Ipv6Prefixes"].items.compactMap { $0["Ipv6Prefix"].string },
      prefixCount: device["Ipv6PrefixCount"].int ?? 0)
    var interface: NetworkInterface
    if let id = device["NetworkInterfaceId"].string {
      interface = try self.interface(id)
      guard interface.attachment == nil else {
        throw .ec2("InvalidNetworkInterface.InUse", "Interface: [\(id)] in use.")
      }
    } else {
      interface = try makeInterface(
        in: subnet, description: device["Description"].string ?? "", groups: groups, addresses: wanted,
        tags: newTags("network-interface", input))
    }
    let id = newID("i")
    interface.attachment = .init(
      id: newID("eni-attach"), instance: id, owner: world.account, device: 0,
      deleteOnTermination: device["DeleteOnTermination"].bool ?? device["NetworkInterfaceId"].isNull,
      attachedAt: request.now)
    if device["AssociatePublicIpAddress"].bool ?? subnet.mapPublicIPs { interface.publicIP = newPublicIP() }
    interfaces[interface.id] = interface
    var instance = Instance(
      id: id, reservation: reservation, owner: world.account, requester: requester, type: type, image: image,
      subnet: subnet.id, vpc: subnet.vpc, zone: subnet.zone, privateIP: interface.primary,
      privateDNSName: nodeName(instance: id, address: interface.primary, in: subnet), profile: profile,
      keyName: input["KeyName"].string, userData: input["UserData"].string, launchIndex: index,
      launchedAt: request.now, clientToken: request.input["ClientToken"].string, volume: newID("vol"))
    instance.tags = newTags("instance", input)
    instance.hopLimit = input["MetadataOptions"]["HttpPutResponseHopLimit"].int ?? 2
    instance.tokensRequired = input["MetadataOptions"]["HttpTokens"].string != "optional"
    instance.detailedMonitoring = input["Monitoring"]["Enabled"].bool ?? false
    instances[id] = instance
    world.spawn(InstanceLife.id(id), InstanceLife(instance: id))
    return instance
  }

  /// The private DNS name of an instance.
  private func nodeName(instance id: String, address: String, in subnet: Subnet) -> String {
    guard subnet.resourceNames else { return privateName(address) }
    return "\(id).\(NodeName.domain(region: world.region))"
  }
}
