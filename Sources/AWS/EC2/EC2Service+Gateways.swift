import Wire
import World

extension EC2Service {
  static var gatewayOperations: [String: Operation<EC2Service>] {
    [
      "CreateInternetGateway": createInternetGateway, "DescribeInternetGateways": describeInternetGateways,
      "AttachInternetGateway": attachInternetGateway, "DetachInternetGateway": detachInternetGateway,
      "DeleteInternetGateway": deleteInternetGateway, "CreateNatGateway": createNatGateway,
      "DescribeNatGateways": describeNatGateways, "DeleteNatGateway": deleteNatGateway,
      "CreateEgressOnlyInternetGateway": createEgressOnlyGateway,
      "DescribeEgressOnlyInternetGateways": describeEgressOnlyGateways,
      "DeleteEgressOnlyInternetGateway": deleteEgressOnlyGateway,
    ]
  }

  static let internetGatewayDescription = Description(
    list: "InternetGateways", ids: "InternetGatewayIds", id: "InternetGatewayId", kind: "internetGateway",
    filters: ["attachment.vpc-id": "Attachments.VpcId", "attachment.state": "Attachments.State"])

  static let natGatewayDescription = Description(
    list: "NatGateways", ids: "NatGatewayIds", id: "NatGatewayId", kind: "natGateway")

  func json(_ gateway: InternetGateway) -> JSON {
    [
      "Attachments": gateway.vpc.map { [["State": "available", "VpcId": .string($0)]] } ?? [],
      "InternetGatewayId": .string(gateway.id), "OwnerId": .string(world.account), "Tags": gateway.tags.json,
    ]
  }

  func json(_ gateway: NATGateway) -> JSON {
    [
      "CreateTime": .time(gateway.createdAt), "DeleteTime": .time(gateway.deletedAt),
      "NatGatewayAddresses": [
        [
          "AllocationId": JSON(gateway.allocation), "NetworkInterfaceId": .string(gateway.interface),
          "PrivateIp": .string(gateway.privateIP), "PublicIp": JSON(gateway.publicIP), "IsPrimary": true,
          "AssociationId": JSON(gateway.allocation.flatMap { addresses[$0]?.association }),
          "Status": gateway.deletedAt == nil ? "succeeded" : "disassociating",
        ]
      ],
      "NatGatewayId": .string(gateway.id), "State": gateway.deletedAt == nil ? "available" : "deleted",
      "SubnetId": .string(gateway.subnet), "VpcId": .string(gateway.vpc),
      "ConnectivityType": .string(gateway.connectivity), "Tags": gateway.tags.json,
    ]
  }

  private func gateway(_ request: AWSRequest) throws(AWSError) -> InternetGateway {
    let id = request.input["InternetGatewayId"].string
    guard let found = internetGateways[id ?? ""] else { throw .notFound("internetGateway", id) }
    return found
  }

  private func createInternetGateway(_ request: AWSRequest) throws(AWSError) -> JSON {
    let gateway = InternetGateway(id: newID("igw"), tags: newTags("internet-gateway", request.input))
    internetGateways[gateway.id] = gateway
    return ["InternetGateway": json(gateway)]
  }

  private func describeInternetGateways(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(Self.internetGatewayDescription, internetGateways.all.map(json), request)
  }

  private func attachInternetGateway(_ request: AWSRequest) throws(AWSError) -> JSON {
    let gateway = try gateway(request)
    let vpc = try vpc(request.input["VpcId"].string)
    guard gateway.vpc == nil else {
      throw .ec2("Resource.AlreadyAssociated", "resource \(gateway.id) is already attached to network \(gateway.vpc!)")
    }
    guard internetGateways.first(where: { $0.vpc == vpc.id }) == nil else {
      throw .ec2("InvalidParameterValue", "Network \(vpc.id) already has an internet gateway attached")
    }
    internetGateways.update(gateway.id) { $0.vpc = vpc.id }
    return .emptyObject
  }

  private func detachInternetGateway(_ request: AWSRequest) throws(AWSError) -> JSON {
    let gateway = try gateway(request)
    let vpc = try vpc(request.input["VpcId"].string)
    guard gateway.vpc == vpc.id else {
      throw .ec2("Gateway.NotAttached", "resource \(gateway.id) is not attached to network \(vpc.id)")
    }
    let mapped = interfaces.first { $0.vpc == vpc.id && ($0.publicIP != nil || elasticAddress(of: $0) != nil) }
    guard mapped == nil else {
      throw .ec2(
        "DependencyViolation",
        "Network \(vpc.id) has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
      )
    }
    internetGateways.update(gateway.id) { $0.vpc = nil }
    return .emptyObject
  }

  private func deleteInternetGateway(_ request: AWSRequest) throws(AWSError) -> JSON {
    let gateway = try gateway(request)
    guard gateway.vpc == nil else { throw .dependency("internetGateway", gateway.id) }
    internetGateways[gateway.id] = nil
    return .emptyObject
  }

  // MARK: - NAT gateways

  private func createNatGateway(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let subnet = try subnet(input["SubnetId"].string)
    let connectivity = input["ConnectivityType"].string ?? "public"
    var allocation: ElasticAddress?
    if connectivity == "public" {
      guard let id = input["AllocationId"].string else {
        throw .ec2(
          "MissingParameter",
          "The request must include the AllocationId parameter. Add the required parameter and retry the request.")
      }
      guard let found = addresses[id] else { throw .notFound("allocation", id) }
      guard found.association == nil else {
        throw .ec2("Resource.AlreadyAssociated", "Elastic IP address [\(id)] is already associated")
      }
      allocation = found
    }
    let id = newID("nat")
    var interface = try makeInterface(
      in: subnet, description: "Interface for NAT Gateway \(id)", groups: [], requester: "amazon-aws")
    interface.kind = "nat_gateway"
    interface.sourceDestCheck = false
    interface.attachment = .init(
      id: newID("ela-attach"), instance: nil, owner: "amazon-aws", device: 1, deleteOnTermination: false,
      attachedAt: request.now)
    interfaces[interface.id] = interface
    if let held = allocation {
      addresses.update(held.allocation) {
        $0.association = newID("eipassoc")
        $0.interface = interface.id
        $0.privateIP = interface.primary
      }
    }
    let gateway = NATGateway(
      id: id, vpc: subnet.vpc, subnet: subnet.id, connectivity: connectivity, allocation: allocation?.allocation,
      publicIP: allocation?.publicIP, interface: interface.id, privateIP: interface.primary, createdAt: request.now,
      tags: newTags("natgateway", input))
    natGateways[id] = gateway
    var value = json(gateway)
    value["State"] = "pending"
    return ["ClientToken": input["ClientToken"], "NatGateway": value]
  }

  private func describeNatGateways(_ request: AWSRequest) throws(AWSError) -> JSON {
    var request = request
    // Of all operations these two call their filters in the singular.
    if request.input["Filters"].isNull { request.call.input["Filters"] = request.input["Filter"] }
    // A deleted gateway is still shown for about an hour.
    let shown = natGateways.filter { $0.deletedAt.map { request.now - $0 < .seconds(3600) } ?? true }
    return try describe(Self.natGatewayDescription, shown.map(json), request)
  }

  private func deleteNatGateway(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["NatGatewayId"].string
    guard let gateway = natGateways[id ?? ""], gateway.deletedAt == nil else { throw .notFound("natGateway", id) }
    natGateways.update(gateway.id) { $0.deletedAt = request.now }
    if let allocation = gateway.allocation {
      addresses.update(allocation) {
        $0.association = nil
        $0.interface = nil
        $0.privateIP = nil
      }
    }
    remove(gateway.interface)
    return ["NatGatewayId": .string(gateway.id)]
  }
}
