import Mechanisms
import Wire
import World

/// Secondary CIDR blocks of VPCs, and ranges of subnets that are kept for one use.
extension EC2Service {
  static var blockOperations: [String: Operation<EC2Service>] {
    ["AssociateVpcCidrBlock": associateBlock, "DisassociateVpcCidrBlock": disassociateBlock]
  }

  static var reservationOperations: [String: Operation<EC2Service>] {
    [
      "CreateSubnetCidrReservation": createReservation, "DeleteSubnetCidrReservation": deleteReservation,
      "GetSubnetCidrReservations": getReservations,
    ]
  }

  /// AWS's default quota, the primary one included.
  static let blocksPerVPC = 5

  static func primaryAssociation(of vpc: VPC) -> String { "vpc-cidr-assoc-" + vpc.id.dropFirst(4) }

  func json(_ block: VPCBlock, state: String) -> JSON {
    [
      "AssociationId": .string(block.association), "CidrBlock": .string(block.cidr),
      "CidrBlockState": ["State": .string(state)],
    ]
  }

  private func associateBlock(_ request: AWSRequest) throws(AWSError) -> JSON {
    let vpc = try vpc(request.input["VpcId"].string)
    try Self.requireProvidedBlock(request.input)
    if request.input["AmazonProvidedIpv6CidrBlock"].bool == true { return try associateIPv6Block(vpc) }
    let text = request.input["CidrBlock"].string ?? ""
    guard let block = CIDR(text) else {
      throw .ec2(
        "InvalidParameterValue", "Value (\(text)) for parameter cidrBlock is invalid. This is not a valid CIDR block.")
    }
    guard (16...28).contains(block.length) else { throw .ec2("InvalidVpc.Range", "The CIDR '\(text)' is invalid.") }
    let verdict = SecondaryBlock.decide(.init(present: .known(vpc.blocks), wanted: .known(block)))
    if verdict.reasons.contains(where: { $0.code == SecondaryBlock.conflict }) {
      throw .ec2("CidrConflict", "The CIDR '\(text)' conflicts with another CIDR of network '\(vpc.id)'.")
    }
    guard verdict.isYes else {
      throw .ec2(
        "InvalidVpc.Range",
        "The CIDR '\(text)' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, or use a publicly-routable CIDR. For additional restrictions, see https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Subnets.html#VPC_Sizing"
      )
    }
    guard vpc.blocks.count < Self.blocksPerVPC else {
      throw .ec2(
        "CidrLimitExceeded",
        "This network '\(vpc.id)' has met its maximum number of allowed CIDRs: \(Self.blocksPerVPC)")
    }
    let made = VPCBlock(association: newID("vpc-cidr-assoc"), cidr: block.description)
    vpcs.update(vpc.id) { $0.moreBlocks = ($0.moreBlocks ?? []) + [made] }
    for table in routeTables.filter({ $0.vpc == vpc.id }) {
      routeTables.update(table.id) { table in
        let at = table.routes.firstIndex { $0.gateway != "local" } ?? table.routes.endIndex
        table.routes.insert(.init(destination: made.cidr, gateway: "local", origin: "CreateRouteTable"), at: at)
      }
    }
    return ["VpcId": .string(vpc.id), "CidrBlockAssociation": json(made, state: "associating")]
  }

  private func disassociateBlock(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["AssociationId"].string ?? ""
    if vpcs.first(where: { Self.primaryAssociation(of: $0) == id }) != nil {
      throw .ec2(
        "OperationNotPermitted",
        "The vpc CIDR block with association ID \(id) may not be disassociated. It is the primary IPv4 CIDR block of the VPC"
      )
    }
    if let vpc = vpcs.first(where: { ($0.blocks6 ?? []).contains { $0.association == id } }) {
      return try disassociateIPv6Block(id, of: vpc)
    }
    guard let vpc = vpcs.first(where: { ($0.moreBlocks ?? []).contains { $0.association == id } }),
      let row = vpc.moreBlocks?.first(where: { $0.association == id }), let block = CIDR(row.cidr)
    else {
      throw .ec2(
        "InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '\(id)' does not exist")
    }
    guard subnets.first(where: { $0.vpc == vpc.id && block.contains($0.block) }) == nil else {
      throw .ec2(
        "InvalidCidrBlock.InUse", "The vpc \(vpc.id) currently has a subnet within CIDR block \(row.cidr)")
    }
    vpcs.update(vpc.id) { $0.moreBlocks?.removeAll { $0.association == id } }
    for table in routeTables.filter({ $0.vpc == vpc.id }) {
      routeTables.update(table.id) { $0.routes.removeAll { $0.gateway == "local" && $0.destination == row.cidr } }
    }
    return ["VpcId": .string(vpc.id), "CidrBlockAssociation": json(row, state: "disassociating")]
  }

  // MARK: - Reservations

  private func json(_ row: CIDRReservation) -> JSON {
    [
      "SubnetCidrReservationId": .string(row.id), "SubnetId": .string(row.subnet), "Cidr": .string(row.cidr),
      "ReservationType": .string(row.kind), "OwnerId": .string(world.account), "Description": JSON(row.description),
      "Tags": row.tags.json,
    ]
  }

  private func createReservation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let input = request.input
    let subnet = try subnet(input["SubnetId"].string)
    let text = input["Cidr"].string ?? ""
    guard let block = CIDR(text), block.description == text else {
      throw .ec2(
        "InvalidParameterValue", "Value (\(text)) for parameter cidr is invalid. This is not a valid CIDR block.")
    }
    guard subnet.block.contains(block) else {
      throw .ec2("InvalidParameterValue", "The CIDR '\(text)' is not within the subnet CIDR '\(subnet.cidr)'.")
    }
    guard reservations.first(where: { $0.subnet == subnet.id && CIDR($0.cidr)!.overlaps(block) }) == nil else {
      throw .ec2("InvalidParameterValue", "The CIDR '\(text)' conflicts with another reservation of the subnet.")
    }
    let row = CIDRReservation(
      id: newID("scr"), subnet: subnet.id, cidr: text, kind: input["ReservationType"].string ?? "prefix",
      description: input["Description"].string, tags: newTags("subnet-cidr-reservation", input))
    reservations[row.id] = row
    occupied[subnet.id]?.reserve(block, forPrefixes: row.kind == "prefix")
    return ["SubnetCidrReservation": json(row)]
  }

  private func deleteReservation(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["SubnetCidrReservationId"].string
    guard let row = reservations[id ?? ""] else { throw .notFound("cidrReservation", id) }
    reservations[row.id] = nil
    occupied[row.subnet]?.unreserve(CIDR(row.cidr)!)
    return ["DeletedSubnetCidrReservation": json(row)]
  }

  private func getReservations(_ request: AWSRequest) throws(AWSError) -> JSON {
    let subnet = try subnet(request.input["SubnetId"].string)
    let what = Description(
      list: "SubnetIpv4CidrReservations", ids: "-", id: "SubnetCidrReservationId", kind: "cidrReservation",
      filters: ["reservationType": "ReservationType"])
    var answer = try describe(what, reservations.filter { $0.subnet == subnet.id }.map(json), request)
    answer["SubnetIpv6CidrReservations"] = []
    return answer
  }
}
