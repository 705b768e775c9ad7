import Wire
import World

extension EC2Service {
  static var routeOperations: [String: Operation<EC2Service>] {
    [
      "CreateRouteTable": createRouteTable, "DescribeRouteTables": describeRouteTables,
      "DeleteRouteTable": deleteRouteTable, "AssociateRouteTable": associateRouteTable,
      "DisassociateRouteTable": disassociateRouteTable, "ReplaceRouteTableAssociation": replaceAssociation,
      "CreateRoute": createRoute, "ReplaceRoute": replaceRoute, "DeleteRoute": deleteRoute,
    ]
  }

  static let routeTableDescription = Description(
    list: "RouteTables", ids: "RouteTableIds", id: "RouteTableId", kind: "routeTable",
    filters: [
      "association.main": "Associations.Main", "association.subnet-id": "Associations.SubnetId",
      "association.route-table-association-id": "Associations.RouteTableAssociationId",
      "association.route-table-id": "Associations.RouteTableId",
      "route.destination-cidr-block": "Routes.DestinationCidrBlock",
      "route.destination-ipv6-cidr-block": "Routes.DestinationIpv6CidrBlock",
      "route.egress-only-internet-gateway-id": "Routes.EgressOnlyInternetGatewayId",
      "route.gateway-id": "Routes.GatewayId",
      "route.nat-gateway-id": "Routes.NatGatewayId", "route.state": "Routes.State",
    ])

  /// AWS's default quotas.
  static let routesPerTable = 50
  static let routeTablesPerVPC = 200

  func mainTable(of vpc: String) -> RouteTable? {
    routeTables.first { $0.vpc == vpc && $0.associations.contains { $0.isMain } }
  }

  /// The table that decides for a subnet: its own, else the VPC's main one.
  func table(of subnet: Subnet) -> RouteTable? {
    routeTables.first { $0.associations.contains { $0.subnet == subnet.id } } ?? mainTable(of: subnet.vpc)
  }

  /// Whether a route to an Internet gateway leads out of the subnet.
  func isPublic(_ subnet: Subnet) -> Bool {
    table(of: subnet)?.routes.contains { $0.gateway?.hasPrefix("igw-") == true && !$0.isIPv6 } ?? false
  }

  private func isActive(_ route: RouteTable.Route, in vpc: String) -> Bool {
    if let gateway = route.gateway, gateway != "local" { return internetGateways[gateway]?.vpc == vpc }
    if let nat = route.natGateway { return natGateways[nat].map { $0.deletedAt == nil } ?? false }
    if let interface = route.interface { return interfaces[interface]?.attachment != nil }
    if let gateway = route.egressOnly { return egressOnlyGateways[gateway]?.vpc == vpc }
    if let peering = route.peering { return peerings[peering]?.state == .active }
    return true
  }

  func json(_ table: RouteTable) -> JSON {
    [
      "Associations": .array(
        table.associations.map { association in
          [
            "Main": .bool(association.isMain), "RouteTableAssociationId": .string(association.id),
            "RouteTableId": .string(table.id), "SubnetId": JSON(association.subnet),
            "AssociationState": ["State": "associated"],
          ]
        }),
      "PropagatingVgws": [], "RouteTableId": .string(table.id),
      "Routes": .array(
        table.routes.map { route in
          [
            "DestinationCidrBlock": route.endpoint == nil && !route.isIPv6 ? .string(route.destination) : .null,
            "DestinationIpv6CidrBlock": route.isIPv6 ? .string(route.destination) : .null,
            "EgressOnlyInternetGatewayId": JSON(route.egressOnly),
            "DestinationPrefixListId": route.endpoint == nil ? .null : .string(route.destination),
            "GatewayId": JSON(route.gateway ?? route.endpoint), "VpcPeeringConnectionId": JSON(route.peering),
            "NatGatewayId": JSON(route.natGateway), "NetworkInterfaceId": JSON(route.interface),
            "InstanceId": JSON(route.instance), "Origin": .string(route.origin),
            "State": isActive(route, in: table.vpc) ? "active" : "blackhole",
          ]
        }),
      "Tags": table.tags.json, "VpcId": .string(table.vpc), "OwnerId": .string(world.account),
    ]
  }

  private func existingTable(_ id: String?) throws(AWSError) -> RouteTable {
    guard let table = routeTables[id ?? ""] else { throw .notFound("routeTable", id) }
    return table
  }

  private func createRouteTable(_ request: AWSRequest) throws(AWSError) -> JSON {
    let vpc = try vpc(request.input["VpcId"].string)
    guard routeTables.filter({ $0.vpc == vpc.id }).count < Self.routeTablesPerVPC else {
      throw .ec2("RouteTableLimitExceeded", "The maximum number of route tables has been reached.")
    }
    let table = RouteTable(
      id: newID("rtb"), vpc: vpc.id,
      routes: (vpc.blocks.map(\.description) + (vpc.blocks6 ?? []).map(\.cidr)).map {
        .init(destination: $0, gateway: "local", origin: "CreateRouteTable")
      },
      tags: newTags("route-table", request.input))
    routeTables[table.id] = table
    return ["RouteTable": json(table)]
  }

  private func describeRouteTables(_ request: AWSRequest) throws(AWSError) -> JSON {
    try describe(Self.routeTableDescription, routeTables.all.map(json), request)
  }

  private func deleteRouteTable(_ request: AWSRequest) throws(AWSError) -> JSON {
    let table = try existingTable(request.input["RouteTableId"].string)
    guard table.associations.isEmpty else {
      throw .ec2("DependencyViolation", "The routeTable '\(table.id)' has dependencies and cannot be deleted.")
    }
    routeTables[table.id] = nil
    return .emptyObject
  }

  private func associateRouteTable(_ request: AWSRequest) throws(AWSError) -> JSON {
    let table = try existingTable(request.input["RouteTableId"].string)
    let subnet = try subnet(request.input["SubnetId"].string)
    if let other = routeTables.first(where: { $0.associations.contains { $0.subnet == subnet.id } }) {
      guard other.id == table.id, let same = other.associations.first(where: { $0.subnet == subnet.id }) else {
        throw .ec2(
          "Resource.AlreadyAssociated",
          "the specified association for route table \(table.id) conflicts with an existing association")
      }
      return ["AssociationId": .string(same.id), "AssociationState": ["State": "associated"]]
    }
    let association = RouteTable.Association(id: newID("rtbassoc"), subnet: subnet.id)
    routeTables.update(table.id) { $0.associations.append(association) }
    return ["AssociationId": .string(association.id), "AssociationState": ["State": "associated"]]
  }

  private func table(ofAssociation id: String?) throws(AWSError) -> (RouteTable, RouteTable.Association) {
    for table in routeTables.all {
      if let found = table.associations.first(where: { $0.id == id }) { return (table, found) }
    }
    throw .ec2("InvalidAssociationID.NotFound", "The association ID '\(id ?? "")' does not exist")
  }

  private func disassociateRouteTable(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (table, association) = try table(ofAssociation: request.input["AssociationId"].string)
    guard !association.isMain else {
      throw .ec2("InvalidParameterValue", "cannot disassociate the main route table association \(association.id)")
    }
    routeTables.update(table.id) { $0.associations.removeAll { $0.id == association.id } }
    return .emptyObject
  }

  private func replaceAssociation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let (old, association) = try table(ofAssociation: request.input["AssociationId"].string)
    let new = try existingTable(request.input["RouteTableId"].string)
    routeTables.update(old.id) { $0.associations.removeAll { $0.id == association.id } }
    let made = RouteTable.Association(id: newID("rtbassoc"), subnet: association.subnet)
    routeTables.update(new.id) { $0.associations.append(made) }
    return ["NewAssociationId": .string(made.id), "AssociationState": ["State": "associated"]]
  }

  private func destination(in input: JSON) throws(AWSError) -> String {
    if let text = input["DestinationIpv6CidrBlock"].string {
      guard let block = IPv6CIDR(text) else {
        throw .ec2(
          "InvalidParameterValue",
          "Value (\(text)) for parameter destinationIpv6CidrBlock is invalid. This is not a valid CIDR block.")
      }
      return block.description
    }
    let text = input["DestinationCidrBlock"].string ?? ""
    guard let block = CIDR(text) else {
      throw .ec2(
        "InvalidParameterValue",
        "Value (\(text)) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.")
    }
    return block.description
  }

  private func route(in input: JSON, of table: RouteTable) throws(AWSError) -> RouteTable.Route {
    var route = RouteTable.Route(destination: try destination(in: input), origin: "CreateRoute")
    if let id = input["GatewayId"].string {
      guard let gateway = internetGateways[id] else { throw .notFound("internetGateway", id) }
      guard gateway.vpc == table.vpc else {
        throw .ec2(
          "InvalidParameterValue", "route table \(table.id) and network gateway \(id) belong to different networks")
      }
      route.gateway = id
    } else if let id = input["EgressOnlyInternetGatewayId"].string {
      guard let gateway = egressOnlyGateways[id] else { throw .notFound("egressOnlyInternetGateway", id) }
      guard gateway.vpc == table.vpc else {
        throw .ec2(
          "InvalidParameterValue", "route table \(table.id) and network gateway \(id) belong to different networks")
      }
      guard route.isIPv6 else {
        throw .ec2(
          "InvalidParameterValue", "The egress-only Internet gateway \(id) can only be used with an IPv6 CIDR block")
      }
      route.egressOnly = id
    } else if let id = input["NatGatewayId"].string {
      guard !route.isIPv6 else {
        throw .ec2(
          "InvalidParameterValue",
          "An interface that is part of a NAT gateway cannot be the next hop for an IPv6 destination CIDR block or IPv6 prefix list."
        )
      }
      guard natGateways[id]?.deletedAt == nil, natGateways[id] != nil else {
        throw .ec2("InvalidNatGatewayID.NotFound", "The natGateway ID '\(id)' does not exist")
      }
      route.natGateway = id
    } else if let id = input["NetworkInterfaceId"].string {
      route.interface = try interface(id).id
      route.instance = interfaces[id]?.attachment?.instance
    } else if let id = input["VpcPeeringConnectionId"].string {
      guard let peering = peerings[id], peering.state != .deleted else { throw .notFound("peering", id) }
      guard peering.requester == table.vpc || peering.accepter == table.vpc else {
        throw .ec2(
          "InvalidParameterValue",
          "route table \(table.id) and vpc peering connection \(id) belong to different networks")
      }
      route.peering = id
    } else if let id = input["InstanceId"].string {
      route.instance = try instance(id).id
      route.interface = interfaces.first { $0.attachment?.instance == id && $0.attachment?.device == 0 }?.id
    } else {
      throw .ec2(
        "MissingParameter",
        "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, instanceId")
    }
    return route
  }

  private func createRoute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let table = try existingTable(request.input["RouteTableId"].string)
    let route = try route(in: request.input, of: table)
    guard !table.routes.contains(where: { $0.destination == route.destination }) else {
      throw .ec2(
        "RouteAlreadyExists",
        "The route identified by \(route.destination) already exists.")
    }
    guard table.routes.count(where: { $0.origin == "CreateRoute" && $0.endpoint == nil }) < Self.routesPerTable else {
      throw .ec2("RouteLimitExceeded", "The maximum number of routes has been reached.")
    }
    routeTables.update(table.id) { $0.routes.append(route) }
    return ["Return": true]
  }

  private func routeIndex(_ request: AWSRequest, in table: RouteTable) throws(AWSError) -> Int {
    let text6 = request.input["DestinationIpv6CidrBlock"].string
    let text = text6.map { IPv6CIDR($0)?.description ?? $0 } ?? request.input["DestinationCidrBlock"].string ?? ""
    guard let at = table.routes.firstIndex(where: { $0.destination == text && $0.origin == "CreateRoute" }) else {
      throw .ec2(
        "InvalidRoute.NotFound",
        "no route with destination-\(text6 == nil ? "" : "ipv6-")cidr-block \(text) in route table \(table.id)")
    }
    return at
  }

  private func replaceRoute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let table = try existingTable(request.input["RouteTableId"].string)
    let at = try routeIndex(request, in: table)
    let route = try route(in: request.input, of: table)
    routeTables.update(table.id) { $0.routes[at] = route }
    return .emptyObject
  }

  private func deleteRoute(_ request: AWSRequest) throws(AWSError) -> JSON {
    let table = try existingTable(request.input["RouteTableId"].string)
    let at = try routeIndex(request, in: table)
    routeTables.update(table.id) { $0.routes.remove(at: at) }
    return .emptyObject
  }
}
