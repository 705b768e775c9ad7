import Wire
import World

/// IPv6 blocks of VPCs (/56, out of Amazon's) and of subnets.
extension EC2Service {
  /// The first 32 bits of what Amazon gives in a region; other regions' are not told apart.
  private static let amazonBlocks: [String: String] = [
    "us-east-1": "2600:1f18", "us-east-2": "2600:1f16", "us-west-1": "2600:1f1c", "us-west-2": "2600:1f14",
    "eu-west-1": "2a05:d018", "eu-central-1": "2a05:d014", "ap-northeast-1": "2406:da14",
    "ap-southeast-1": "2406:da18", "ap-southeast-2": "2406:da1c",
  ]

  /// AWS's default quota for IPv6 blocks of a VPC.
  private static let ipv6BlocksPerVPC = 5

  func json6(_ block: VPCBlock, state: String, ofVPC: Bool) -> JSON {
    var value: JSON = [
      "AssociationId": .string(block.association), "Ipv6CidrBlock": .string(block.cidr),
      "Ipv6CidrBlockState": ["State": .string(state)], "Ipv6AddressAttribute": "public", "IpSource": "amazon",
    ]
    guard ofVPC else { return value }
    value["NetworkBorderGroup"] = .string(world.region)
    value["Ipv6Pool"] = "Amazon"
    return value
  }

  // MARK: - VPCs

  /// Blocks come from Amazon: there are no pools of one's own and no IPAM.
  static func requireProvidedBlock(_ input: JSON) throws(AWSError) {
    let others = ["Ipv6CidrBlock", "Ipv6Pool", "Ipv6IpamPoolId", "Ipv6NetmaskLength"].filter { !input[$0].isNull }
    if let first = others.first {
      throw .ec2(
        "UnsupportedOperation",
        "The local EKS gives VPCs IPv6 blocks of Amazon's alone (AmazonProvidedIpv6CidrBlock): \(first) is not modelled."
      )
    }
  }

  /// A block that no VPC has; routes, the default ACL and the default group learn of it.
  func addIPv6Block(to vpc: inout VPC) -> VPCBlock {
    let prefix = Self.amazonBlocks[world.region] ?? "2600:1f00"
    let used = Set(vpcs.all.flatMap { $0.blocks6 ?? [] }.map(\.cidr))
    let start = IPv6CIDR("\(prefix)::/32")!.base
    var cidr: String
    repeat {
      let chosen = world.newID { $0.next() & 0xffff_ff00 }
      cidr = IPv6CIDR(IPv6Address(high: start.high | chosen, low: 0), length: 56).description
    } while used.contains(cidr)
    let made = VPCBlock(association: newID("vpc-cidr-assoc"), cidr: cidr)
    let isFirst = vpc.blocks6 == nil
    vpc.blocks6 = (vpc.blocks6 ?? []) + [made]
    vpcs[vpc.id] = vpc
    let id = vpc.id
    for table in routeTables.filter({ $0.vpc == id }) {
      routeTables.update(table.id) { table in
        let at = table.routes.firstIndex { $0.gateway != "local" } ?? table.routes.endIndex
        table.routes.insert(.init(destination: cidr, gateway: "local", origin: "CreateRouteTable"), at: at)
      }
    }
    if isFirst { openDefaults(of: id) }
    return made
  }

  /// With its first IPv6 block a VPC's default ACL lets IPv6 pass, and its default group lets it out.
  private func openDefaults(of vpc: String) {
    if let acl = acls.first(where: { $0.vpc == vpc && $0.isDefault && $0.entries == nil }) {
      acls.update(acl.id) { acl in
        acl.entries =
          acl.rules
          + [false, true].map { .init(number: 101, isEgress: $0, allows: true, ipProtocol: "-1", cidr6: "::/0") }
      }
    }
    if let group = groups.first(where: { $0.vpc == vpc && $0.name == "default" }),
      !group.rules.contains(where: { $0.isEgress && $0.cidr6 == "::/0" })
    {
      let rule = SecurityGroup.Rule(id: newID("sgr"), isEgress: true, ipProtocol: "-1", cidr6: "::/0")
      groups.update(group.id) { $0.rules.append(rule) }
    }
  }

  func associateIPv6Block(_ vpc: VPC) throws(AWSError) -> JSON {
    guard (vpc.blocks6 ?? []).count < Self.ipv6BlocksPerVPC else {
      throw .ec2(
        "CidrLimitExceeded",
        "This network '\(vpc.id)' has met its maximum number of allowed CIDRs: \(Self.ipv6BlocksPerVPC)")
    }
    var vpc = vpc
    let made = addIPv6Block(to: &vpc)
    return ["VpcId": .string(vpc.id), "Ipv6CidrBlockAssociation": json6(made, state: "associating", ofVPC: true)]
  }

  func disassociateIPv6Block(_ association: String, of vpc: VPC) throws(AWSError) -> JSON {
    let row = vpc.blocks6!.first { $0.association == association }!
    let block = IPv6CIDR(row.cidr)!
    let held = subnets.first { subnet in
      subnet.vpc == vpc.id && subnet.block6.flatMap { IPv6CIDR($0.cidr) }.map { block.contains($0) } == true
    }
    guard held == nil else {
      throw .ec2("InvalidCidrBlock.InUse", "The vpc \(vpc.id) currently has a subnet within CIDR block \(row.cidr)")
    }
    let left = vpc.blocks6!.filter { $0.association != association }
    vpcs.update(vpc.id) { $0.blocks6 = left.isEmpty ? nil : left }
    for table in routeTables.filter({ $0.vpc == vpc.id }) {
      routeTables.update(table.id) { $0.routes.removeAll { $0.gateway == "local" && $0.destination == row.cidr } }
    }
    return ["VpcId": .string(vpc.id), "Ipv6CidrBlockAssociation": json6(row, state: "disassociating", ofVPC: true)]
  }

  // MARK: - Subnets

  /// What a subnet may have: /44 to /64 in steps of four, inside of its VPC, and nobody else's.
  func subnetBlock(_ text: String, in vpc: VPC) throws(AWSError) -> VPCBlock {
    guard let block = IPv6CIDR(text), block.description == text else {
      throw .ec2(
        "InvalidParameterValue",
        "Value (\(text)) for parameter ipv6CidrBlock is invalid. This is not a valid CIDR block.")
    }
    let own = (vpc.blocks6 ?? []).compactMap { IPv6CIDR($0.cidr) }
    guard (44...64).contains(block.length), block.length % 4 == 0, own.contains(where: { $0.contains(block) }) else {
      throw .ec2("InvalidSubnet.Range", "The CIDR '\(text)' is invalid.")
    }
    let other = subnets.first { subnet in
      subnet.vpc == vpc.id && subnet.block6.flatMap { IPv6CIDR($0.cidr) }.map { block.overlaps($0) } == true
    }
    guard other == nil else {
      throw .ec2("InvalidSubnet.Conflict", "The CIDR '\(text)' conflicts with another subnet")
    }
    return VPCBlock(association: newID("subnet-cidr-assoc"), cidr: text)
  }

  func associateSubnetBlock(_ request: AWSRequest) throws(AWSError) -> JSON {
    let subnet = try subnet(request.input["SubnetId"].string)
    guard subnet.block6 == nil else {
      throw .ec2(
        "InvalidParameterValue", "The subnet '\(subnet.id)' already has an IPv6 CIDR block: \(subnet.block6!.cidr)")
    }
    guard let text = request.input["Ipv6CidrBlock"].string else {
      throw .ec2("MissingParameter", "The request must contain the parameter ipv6CidrBlock")
    }
    let made = try subnetBlock(text, in: vpc(subnet.vpc))
    subnets.update(subnet.id) { $0.block6 = made }
    return [
      "SubnetId": .string(subnet.id), "Ipv6CidrBlockAssociation": json6(made, state: "associating", ofVPC: false),
    ]
  }

  func disassociateSubnetBlock(_ request: AWSRequest) throws(AWSError) -> JSON {
    let id = request.input["AssociationId"].string ?? ""
    guard let subnet = subnets.first(where: { $0.block6?.association == id }), let row = subnet.block6 else {
      throw .ec2(
        "InvalidSubnetCidrBlockAssociationID.NotFound", "The subnet CIDR block association ID '\(id)' does not exist")
    }
    let held = interfaces.first { $0.subnet == subnet.id && ($0.addresses6 != nil || $0.prefixes6 != nil) }
    guard held == nil else {
      throw .ec2(
        "InvalidCidrBlock.InUse", "The subnet \(subnet.id) has interfaces with addresses of CIDR block \(row.cidr)")
    }
    subnets.update(subnet.id) {
      $0.block6 = nil
      $0.assignsIPv6 = nil
    }
    return [
      "SubnetId": .string(subnet.id), "Ipv6CidrBlockAssociation": json6(row, state: "disassociating", ofVPC: false),
    ]
  }
}
