import Mechanisms
package import Wire
package import World

/// Amazon EC2 with its VPCs: networks, addresses, interfaces, instances.
package final class EC2Service: AWSService {
  package let name = "ec2"
  unowned let world: World
  let sts: STSService

  let vpcs: Table<VPC>
  let subnets: Table<Subnet>
  let routeTables: Table<RouteTable>
  let internetGateways: Table<InternetGateway>
  let egressOnlyGateways: Table<EgressOnlyGateway>
  let natGateways: Table<NATGateway>
  let addresses: Table<ElasticAddress>
  let addressesByInterface: TableIndex<ElasticAddress>
  let groups: Table<SecurityGroup>
  let acls: Table<NetworkACL>
  let reservations: Table<CIDRReservation>
  let dhcpOptionSets: Table<DHCPOptions>
  let peerings: Table<PeeringConnection>
  let endpoints: Table<VPCEndpoint>
  let trunkAssociations: Table<TrunkAssociation>
  let associationsByTrunk: TableIndex<TrunkAssociation>
  let interfaces: Table<NetworkInterface>
  let interfacesByInstance: TableIndex<NetworkInterface>
  let interfacesByPrimary: TableIndex<NetworkInterface>
  let instances: Table<Instance>
  let templates: Table<LaunchTemplate>
  let volumes: Table<Volume>
  let insightsPaths: Table<InsightsPath>
  let insightsAnalyses: Table<InsightsAnalysis>
  /// Answers to calls that carried a client token, by operation and token.
  let tokens: Table<JSON>

  /// Addresses taken in each subnet: an index, rebuilt from the interfaces.
  var occupied: [String: SubnetSpace] = [:]
  /// VPCs as packets meet them, each with the generation that it was made of.
  var fabrics: [String: (generation: UInt64, fabric: Fabric)] = [:]
  /// What of instances' interfaces tells fates, each with the table's state that it was made of.
  var shapes: [String: (changes: UInt64, text: String)] = [:]

  private let operations: [String: Operation<EC2Service>]
  package let modelled: Set<String>

  init(world: World, sts: STSService) {
    self.world = world
    self.sts = sts
    vpcs = Table("ec2-vpc", in: world)
    subnets = Table("ec2-subnet", in: world)
    routeTables = Table("ec2-route-table", in: world)
    internetGateways = Table("ec2-internet-gateway", in: world)
    egressOnlyGateways = Table("ec2-egress-only-gateway", in: world)
    natGateways = Table("ec2-nat-gateway", in: world)
    addresses = Table("ec2-address", in: world)
    addressesByInterface = addresses.index { $0.interface }
    groups = Table("ec2-security-group", in: world)
    acls = Table("ec2-acl", in: world)
    reservations = Table("ec2-cidr-reservation", in: world)
    dhcpOptionSets = Table("ec2-dhcp-options", in: world)
    peerings = Table("ec2-peering", in: world)
    endpoints = Table("ec2-endpoint", in: world)
    trunkAssociations = Table("ec2-trunk-association", in: world)
    associationsByTrunk = trunkAssociations.index { $0.trunk }
    interfaces = Table("ec2-interface", in: world)
    interfacesByInstance = interfaces.index { $0.attachment?.instance }
    interfacesByPrimary = interfaces.index { "\($0.vpc) \($0.primary)" }
    instances = Table("ec2-instance", in: world)
    templates = Table("ec2-launch-template", in: world)
    volumes = Table("ec2-volume", in: world)
    insightsPaths = Table("ec2-insights-path", in: world)
    insightsAnalyses = Table("ec2-insights-analysis", in: world)
    tokens = Table("ec2-token", in: world)
    operations = .joined([
      Self.vpcOperations, Self.subnetOperations, Self.routeOperations, Self.gatewayOperations,
      Self.addressOperations, Self.groupOperations, Self.aclOperations, Self.interfaceOperations,
      Self.assignmentOperations, Self.instanceOperations, Self.powerOperations, Self.templateOperations,
      Self.tagOperations,
      Self.catalogOperations, Self.volumeOperations, Self.blockOperations, Self.reservationOperations,
      Self.dhcpOperations, Self.peeringOperations, Self.endpointOperations, Self.trunkOperations,
      Self.insightsOperations,
    ])
    modelled = Set(operations.keys)
    for subnet in subnets.all { occupied[subnet.id] = SubnetSpace(subnet.block) }
    for row in reservations.all { occupied[row.subnet]?.reserve(CIDR(row.cidr)!, forPrefixes: row.kind == "prefix") }
    for interface in interfaces.all { occupied[interface.subnet]?.take(interface) }
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    guard let operation = operations[request.operation] else {
      throw .unsupported(service: name, operation: request.operation)
    }
    if request.input["DryRun"].bool == true {
      throw AWSError(
        code: "DryRunOperation", message: "Request would have succeeded, but DryRun flag is set.", status: 412)
    }
    guard let token = request.input["ClientToken"].string, !token.isEmpty else { return try operation(self)(request) }
    let key = "\(request.operation)/\(token)"
    if let kept = tokens[key] {
      guard kept["input"] == request.input else {
        throw AWSError(
          code: "IdempotentParameterMismatch",
          message: "The client token you have provided is associated with another request.", status: 400)
      }
      return kept["output"]
    }
    let output = try operation(self)(request)
    tokens[key] = ["input": request.input, "output": output]
    return output
  }

  func newID(_ prefix: String) -> String { prefix + "-" + world.newID { $0.hex(17) } }

  func arn(_ kind: String, _ id: String) -> String { "arn:aws:ec2:\(world.region):\(world.account):\(kind)/\(id)" }

  /// The zones of the region, with their ids.
  var zones: [(name: String, id: String)] {
    ["a", "b", "c"].enumerated().map { index, letter in
      ("\(world.region)\(letter)", "\(Self.abbreviation(world.region))-az\([4, 6, 1][index])")
    }
  }

  /// `use1` of `us-east-1`.
  static func abbreviation(_ region: String) -> String {
    let parts = region.split(separator: "-")
    guard parts.count >= 3 else { return region }
    let middle = parts[1..<(parts.count - 1)].map { part in
      switch part {
      case "northeast": "ne"
      case "northwest": "nw"
      case "southeast": "se"
      case "southwest": "sw"
      default: String(part.prefix(1))
      }
    }
    return parts[0] + middle.joined() + parts[parts.count - 1]
  }

  // MARK: - Looking up

  func vpc(_ id: String?) throws(AWSError) -> VPC {
    guard let found = vpcs[id ?? ""] else { throw .notFound("vpc", id) }
    return found
  }
  func subnet(_ id: String?) throws(AWSError) -> Subnet {
    guard let found = subnets[id ?? ""] else { throw .notFound("subnet", id) }
    return found
  }
  func group(_ id: String?) throws(AWSError) -> SecurityGroup {
    guard let found = groups[id ?? ""] else { throw .notFound("group", id) }
    return found
  }
  func interface(_ id: String?) throws(AWSError) -> NetworkInterface {
    guard let found = interfaces[id ?? ""] else { throw .notFound("networkInterface", id) }
    return found
  }
  func instance(_ id: String?) throws(AWSError) -> Instance {
    guard let found = instances[id ?? ""] else { throw .notFound("instance", id) }
    return found
  }

  /// Tags for a new resource of a kind, out of `TagSpecifications`.
  func newTags(_ kind: String, _ input: JSON) -> Tags {
    var tags = Tags()
    for part in input["TagSpecifications"].items where part["ResourceType"].string == kind { tags.add(part["Tags"]) }
    return tags
  }
}

extension AWSError {
  /// An id that names nothing, in EC2's words for that kind of resource.
  static func notFound(_ kind: String, _ id: String?) -> AWSError {
    let id = id ?? ""
    let (code, text): (String, String) =
      switch kind {
      case "vpc": ("InvalidVpcID.NotFound", "The vpc ID '\(id)' does not exist")
      case "subnet": ("InvalidSubnetID.NotFound", "The subnet ID '\(id)' does not exist")
      case "group": ("InvalidGroup.NotFound", "The security group '\(id)' does not exist")
      case "networkInterface":
        ("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '\(id)' does not exist")
      case "instance": ("InvalidInstanceID.NotFound", "The instance ID '\(id)' does not exist")
      case "routeTable": ("InvalidRouteTableID.NotFound", "The routeTable ID '\(id)' does not exist")
      case "internetGateway": ("InvalidInternetGatewayID.NotFound", "The internetGateway ID '\(id)' does not exist")
      case "egressOnlyInternetGateway":
        ("InvalidGatewayID.NotFound", "The eigw ID '\(id)' does not exist")
      case "natGateway": ("NatGatewayNotFound", "NAT gateway \(id) was not found")
      case "volume", "volumeModification": ("InvalidVolume.NotFound", "The volume '\(id)' does not exist.")
      case "allocation": ("InvalidAllocationID.NotFound", "The allocation ID '\(id)' does not exist")
      case "association": ("InvalidAssociationID.NotFound", "The association ID '\(id)' does not exist")
      case "attachment": ("InvalidAttachmentID.NotFound", "The attachment ID '\(id)' does not exist")
      case "networkAcl": ("InvalidNetworkAclID.NotFound", "The networkAcl ID '\(id)' does not exist")
      case "dhcpOptions": ("InvalidDhcpOptionID.NotFound", "DhcpOption ID '\(id)' does not exist")
      case "cidrReservation":
        ("InvalidSubnetCidrReservationID.NotFound", "The subnet CIDR reservation ID '\(id)' does not exist")
      case "peering":
        ("InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '\(id)' does not exist")
      case "endpoint": ("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '\(id)' does not exist")
      case "trunkAssociation":
        ("InvalidAssociationID.NotFound", "The trunk interface association ID '\(id)' does not exist")
      case "launchTemplate":
        (
          "InvalidLaunchTemplateId.NotFound",
          "The specified launch template, with template ID \(id), does not exist."
        )
      default: ("InvalidParameterValue", "The ID '\(id)' does not exist")
      }
    return AWSError(code: code, message: text, status: 400)
  }

  static func ec2(_ code: String, _ message: String) -> AWSError {
    AWSError(code: code, message: message, status: 400)
  }

  static func dependency(_ kind: String, _ id: String) -> AWSError {
    .ec2("DependencyViolation", "The \(kind) '\(id)' has dependencies and cannot be deleted.")
  }
}
