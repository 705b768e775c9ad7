package import Wire

extension Fabric {
  /// Items of a Describe call, and the gap where these may not be all.
  package struct Found: Sendable {
    package var items: [JSON]
    package var gap: Gap?
    package var source: Source

    package init(_ items: [JSON], gap: Gap? = nil, source: Source = .world) {
      self.items = items
      self.gap = gap
      self.source = source
    }

    func fact<Value: Sendable>(_ value: Value?, missing: String) -> Fact<Value> {
      if let value { return .known(value, source) }
      return .unknown(gap ?? Gap(read: missing, why: "it is not among what was read"))
    }
  }

  /// What EC2 says of the networks that packets may cross.
  package struct Readings: Sendable {
    package var vpcs: Found
    package var subnets: Found
    package var routeTables: Found
    package var acls: Found
    package var groups: Found
    package var interfaces: Found
    package var natGateways: Found
    /// Blocks of prefix lists, by id.
    package var prefixLists: [String: [CIDR]]
    /// Both VPCs of each active peering connection, by its id.
    package var peers: [String: [String]]
    /// VPCs whose `enableDnsSupport` is off.
    package var withoutResolver: Set<String>

    package init(
      vpcs: Found, subnets: Found, routeTables: Found, acls: Found, groups: Found, interfaces: Found,
      natGateways: Found, prefixLists: [String: [CIDR]] = [:], peers: [String: [String]] = [:],
      withoutResolver: Set<String> = []
    ) {
      self.vpcs = vpcs
      self.subnets = subnets
      self.routeTables = routeTables
      self.acls = acls
      self.groups = groups
      self.interfaces = interfaces
      self.natGateways = natGateways
      self.prefixLists = prefixLists
      self.peers = peers
      self.withoutResolver = withoutResolver
    }

    /// Without the routes of gateway endpoints, which lead to S3 and DynamoDB and to nobody else.
    package var withoutGatewayEndpoints: Readings {
      var readings = self
      for index in readings.routeTables.items.indices {
        let routes = readings.routeTables.items[index]["Routes"].items.filter { route in
          route["DestinationPrefixListId"].isNull || route["GatewayId"].string?.hasPrefix("vpce-") != true
        }
        readings.routeTables.items[index]["Routes"] = .array(routes)
      }
      return readings
    }
  }

  /// The networks as Describe calls show them.
  package init(_ read: Readings) {
    var vpcs: [VPC] = []
    for vpc in read.vpcs.items {
      var blocks = vpc["CidrBlockAssociationSet"].items.filter {
        $0["CidrBlockState"]["State"].string != "disassociated"
      }
      .compactMap { $0["CidrBlock"].string.flatMap { CIDR($0) } }
      if let main = vpc["CidrBlock"].string.flatMap({ CIDR($0) }), !blocks.contains(main) { blocks.insert(main, at: 0) }
      let id = vpc["VpcId"].string ?? ""
      vpcs.append(VPC(id, blocks: blocks, hasResolver: !read.withoutResolver.contains(id)))
    }
    let tables = read.routeTables.items.map { Fabric.table($0, read) }
    let acls = read.acls.items.map { acl in
      NetworkACL(
        acl["NetworkAclId"].string ?? "", .known(acl["Entries"].items.compactMap(Fabric.entry), read.acls.source))
    }
    var subnets: [Subnet] = []
    for subnet in read.subnets.items {
      let id = subnet["SubnetId"].string ?? ""
      let owner = subnet["VpcId"].string ?? ""
      guard let block = subnet["CidrBlock"].string.flatMap({ CIDR($0) }) else { continue }
      if !vpcs.contains(where: { $0.id == owner }) { vpcs.append(VPC(owner, blocks: [])) }
      let table =
        read.routeTables.items.firstIndex { table in
          table["Associations"].items.contains { $0["SubnetId"].string == id }
        }
        ?? (read.routeTables.gap == nil
          ? read.routeTables.items.firstIndex { table in
            table["VpcId"].string == owner && table["Associations"].items.contains { $0["Main"].bool == true }
          } : nil)
      let acl = read.acls.items.firstIndex { acl in
        acl["Associations"].items.contains { $0["SubnetId"].string == id }
      }
      subnets.append(
        Subnet(
          id, vpc: vpcs.firstIndex { $0.id == owner }!, block: block,
          routeTable: read.routeTables.fact(table, missing: "ec2:DescribeRouteTables of \(id)"),
          acl: read.acls.fact(acl, missing: "ec2:DescribeNetworkAcls of \(id)")))
    }
    var ports: [Port] = []
    for interface in read.interfaces.items {
      guard let subnet = subnets.firstIndex(where: { $0.id == interface["SubnetId"].string }) else { continue }
      ports.append(Fabric.port(interface, subnet: subnet, read.interfaces.source))
    }
    var gateways: [NATGateway] = []
    for gateway in read.natGateways.items {
      let addresses = gateway["NatGatewayAddresses"].items
      guard let id = gateway["NatGatewayId"].string,
        let port = ports.firstIndex(where: { $0.id == addresses.first?["NetworkInterfaceId"].string })
      else { continue }
      ports[port].holder = .natGateway(gateways.count)
      ports[port].isUnfiltered = true
      ports[port].checksAddresses = false
      let published = addresses.first?["PublicIp"].string.flatMap { IPv4Address($0) }
      if let published, let own = ports[port].addresses.first { ports[port].publicAddresses[own] = published }
      gateways.append(
        NATGateway(id, port: port, publicAddress: published, available: gateway["State"].string == "available"))
    }
    var groups: [String: Fact<SecurityGroupRules>] = [:]
    for group in read.groups.items {
      let rules = Fabric.group(group, read.prefixLists)
      groups[rules.id] = .known(rules, read.groups.source)
    }
    if let gap = read.groups.gap {
      for id in ports.flatMap({ $0.groups.value ?? [] }) where groups[id] == nil { groups[id] = .unknown(gap) }
    }
    self.init(
      vpcs: vpcs, subnets: subnets, ports: ports, routeTables: tables, acls: acls, groups: groups,
      natGateways: gateways, missingPorts: read.interfaces.gap)
  }

  /// Adds interfaces as DescribeNetworkInterfaces shows them; those of subnets that aren't here, and those that are
  /// here already, are left out.
  package mutating func add(_ interfaces: [JSON], source: Source = .world) {
    for interface in interfaces {
      guard let subnet = subnets.firstIndex(where: { $0.id == interface["SubnetId"].string }),
        let id = interface["NetworkInterfaceId"].string, port(named: id) == nil
      else { continue }
      add(Fabric.port(interface, subnet: subnet, source))
    }
  }

  private static func port(_ interface: JSON, subnet: Int, _ source: Source) -> Port {
    var addresses: [IPv4Address] = []
    var published: [IPv4Address: IPv4Address] = [:]
    for item in interface["PrivateIpAddresses"].items {
      guard let address = item["PrivateIpAddress"].string.flatMap({ IPv4Address($0) }) else { continue }
      if item["Primary"].bool == true { addresses.insert(address, at: 0) } else { addresses.append(address) }
      if let other = item["Association"]["PublicIp"].string.flatMap({ IPv4Address($0) }) { published[address] = other }
    }
    let ids = interface["Groups"].array.map { $0.compactMap { $0["GroupId"].string } }
    let id = interface["NetworkInterfaceId"].string ?? ""
    let description = interface["Description"].string ?? ""
    let holder: Holder
    if let instance = interface["Attachment"]["InstanceId"].string {
      holder = .machine(instance)
    } else if interface["Status"].string == "in-use" || interface["RequesterManaged"].bool == true
      || interface["InterfaceType"].string == "branch" || description.hasPrefix("Amazon EKS ")
    {
      holder = .service(description.isEmpty ? id : description)
    } else {
      holder = .nobody
    }
    return Port(
      id, subnet: subnet, addresses: addresses,
      prefixes: interface["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string.flatMap { CIDR($0) } },
      publicAddresses: published,
      groups: ids.map { .known($0, source) }
        ?? .unknown(Gap(read: "ec2:DescribeNetworkInterfaces \(id)", why: "what was read names no groups")),
      checksAddresses: interface["SourceDestCheck"].bool ?? true, holder: holder)
  }

  private static func table(_ table: JSON, _ read: Readings) -> RouteTable {
    let id = table["RouteTableId"].string ?? ""
    var entries: [Entry] = []
    var gap: Gap?
    for route in table["Routes"].items {
      var blocks: [CIDR] = []
      if let text = route["DestinationCidrBlock"].string {
        blocks = [CIDR(text)].compactMap { $0 }
      } else if let list = route["DestinationPrefixListId"].string {
        guard let known = read.prefixLists[list] else {
          gap = Gap(read: "ec2:GetManagedPrefixListEntries \(list)", why: "a route of \(id) leads there")
          continue
        }
        blocks = known
      }
      guard !blocks.isEmpty, let target = target(route, of: table["VpcId"].string, read) else { continue }
      entries.append(Entry(blocks, target, active: route["State"].string != "blackhole"))
    }
    return RouteTable(id, gap.map { .unknown($0) } ?? .known(entries, read.routeTables.source))
  }

  private static func target(_ route: JSON, of vpc: String?, _ read: Readings) -> Entry.Target? {
    if let id = route["NatGatewayId"].string { return .natGateway(id) }
    if let id = route["VpcPeeringConnectionId"].string {
      return .peering(id, vpc: read.peers[id]?.first { $0 != vpc })
    }
    if let id = route["NetworkInterfaceId"].string { return .interface(id) }
    for name in ["TransitGatewayId", "LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn"] {
      if let id = route[name].string { return .other(id) }
    }
    guard let id = route["GatewayId"].string else { return nil }
    if id == "local" { return .local }
    if id.hasPrefix("igw-") { return .internetGateway(id) }
    if id.hasPrefix("vpce-") { return .gatewayEndpoint(id) }
    return .other(id)
  }

  private static func entry(_ entry: JSON) -> NetworkACL.Entry? {
    guard let block = entry["CidrBlock"].string.flatMap({ CIDR($0) }), let number = entry["RuleNumber"].int,
      number < NetworkACL.last
    else { return nil }
    let name = entry["Protocol"].string ?? "-1"
    let ports = entry["PortRange"]
    var (from, to) = (ports["From"].int ?? -1, ports["To"].int ?? -1)
    let transport = name == "-1" ? nil : Transport(name: name)
    if transport == .icmp { (from, to) = (entry["IcmpTypeCode"]["Type"].int ?? -1, -1) }
    return NetworkACL.Entry(
      number, egress: entry["Egress"].bool ?? false, allow: entry["RuleAction"].string == "allow", transport, block,
      from, to)
  }

  private static func group(_ group: JSON, _ lists: [String: [CIDR]]) -> SecurityGroupRules {
    var rules: [SecurityGroupRules.Rule] = []
    for (field, isEgress) in [("IpPermissions", false), ("IpPermissionsEgress", true)] {
      for permission in group[field].items {
        let name = permission["IpProtocol"].string ?? "-1"
        let transport = name == "-1" ? nil : Transport(name: name)
        // A protocol that no IPv4 packet here has, such as icmpv6.
        if name != "-1", transport == nil { continue }
        let (from, to) = (permission["FromPort"].int ?? -1, permission["ToPort"].int ?? -1)
        func add(_ peer: SecurityGroupRules.Peer) {
          rules.append(.init(egress: isEgress, transport, from, to, peer))
        }
        for range in permission["IpRanges"].items {
          if let block = range["CidrIp"].string.flatMap({ CIDR($0) }) { add(.block(block)) }
        }
        for pair in permission["UserIdGroupPairs"].items { if let id = pair["GroupId"].string { add(.group(id)) } }
        for list in permission["PrefixListIds"].items {
          if let id = list["PrefixListId"].string { add(.prefixList(id, lists[id])) }
        }
      }
    }
    return SecurityGroupRules(group["GroupId"].string ?? "", name: group["GroupName"].string ?? "", rules)
  }
}
