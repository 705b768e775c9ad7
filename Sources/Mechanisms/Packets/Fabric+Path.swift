import Wire

/// Where the fabric hands a packet on.
enum FabricStep {
  case enter(port: Int)
  case metadata(port: Int)
  case resolver(port: Int)
  /// A gateway endpoint's service, reached from that interface.
  case endpoint(port: Int)
  case internet
  case stop
  case unknown
}

extension Fabric {
  static let metadata = IPv4Address(bits: 0xa9fe_a9fe)
  static let resolver = IPv4Address(bits: 0xa9fe_a9fd)
  static let time = IPv4Address(bits: 0xa9fe_a97b)

  /// A packet that leaves an interface.
  mutating func leave(
    _ port: Int, _ packet: inout Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep {
    packet.mark = 0
    let from = ports[port]
    if from.checksAddresses, !from.owns(packet.source) {
      trace.note(.sourceCheckFailed, port, packet)
      return .stop
    }
    trace.note(.leftENI, port, packet)
    let vpc = subnets[from.subnet].vpc
    // Served by the host that the instance runs on: neither groups nor ACLs are asked.
    if packet.destination == Fabric.metadata {
      trace.note(.toMetadata, port, packet)
      return .metadata(port: port)
    }
    if isResolver(packet.destination, vpc) {
      guard vpcs[vpc].hasResolver else {
        trace.note(.noSuchAddress, port, packet)
        return .stop
      }
      trace.note(.toResolver, port, packet)
      return .resolver(port: port)
    }
    guard passesGroups(port, packet, egress: true, peer: self.port(of: packet.destination, vpc: vpc), &trace, &gaps)
    else { return .stop }
    return route(from: port, subnet: from.subnet, &packet, &trace, &gaps)
  }

  /// From a subnet on, by its table: what leaves an interface, and what a NAT gateway sends on.
  private mutating func route(
    from port: Int, subnet: Int, _ packet: inout Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep {
    let vpc = subnets[subnet].vpc
    // Neighbours reach each other without a router, and so without an ACL.
    if subnets[subnet].block.contains(packet.destination) {
      return arrive(packet, vpc: vpc, from: nil, port: port, &trace, &gaps)
    }
    guard passesACL(subnet, packet, egress: true, &trace, &gaps) else { return .stop }
    guard let table = subnets[subnet].routeTable.value, let entries = routeTables[table].entries.value else {
      gaps.append(subnets[subnet].routeTable.gap ?? routeTables[subnets[subnet].routeTable.value!].entries.gap!)
      trace.note(.vpcRouteUnknown, subnet, packet)
      return .unknown
    }
    guard let chosen = Fabric.choose(entries, packet.destination) else {
      trace.note(.vpcNoRoute, subnet, packet, table)
      return .stop
    }
    trace.note(.vpcRouted, subnet, packet, table, chosen)
    guard entries[chosen].isActive else {
      trace.note(.vpcBlackhole, subnet, packet, table, chosen)
      return .stop
    }
    switch entries[chosen].target {
    case .local: return arrive(packet, vpc: vpc, from: subnet, port: port, &trace, &gaps)
    case .internetGateway: return throughInternetGateway(port, &packet, &trace, &gaps)
    case .natGateway(let id): return throughNAT(id, subnet: subnet, &packet, &trace, &gaps)
    case .peering(_, let other):
      guard let other, let peer = vpcs.firstIndex(where: { $0.id == other }) else {
        trace.note(.targetUnknown, subnet, packet, table, chosen)
        gaps.append(Gap(read: "ec2:DescribeVpcPeeringConnections", why: "the other VPC is not in the picture"))
        return .unknown
      }
      trace.note(.peering, subnet, packet, table, chosen)
      return arrive(packet, vpc: peer, from: subnet, port: port, &trace, &gaps)
    case .interface(let id):
      guard let target = self.port(named: id) else {
        trace.note(.targetUnknown, subnet, packet, table, chosen)
        gaps.append(missingPorts ?? Gap(read: "ec2:DescribeNetworkInterfaces \(id)", why: "it is not among them"))
        return .unknown
      }
      return enter(target, packet, from: subnet, sender: port, &trace, &gaps)
    case .gatewayEndpoint:
      trace.note(.toService, port, packet, table, chosen)
      return .endpoint(port: port)
    case .other(let id):
      trace.note(.targetUnknown, subnet, packet, table, chosen)
      gaps.append(Gap(read: "what is behind \(id)", why: "networks beyond the VPC and its peers are not read"))
      return .unknown
    }
  }

  /// The entry with the longest prefix; of equal ones the first.
  static func choose(_ entries: [Entry], _ destination: IPv4Address) -> Int? {
    var best = -1
    var length = -1
    for (index, entry) in entries.enumerated() {
      for block in entry.blocks where block.contains(destination) && block.length > length {
        best = index
        length = block.length
      }
    }
    return best < 0 ? nil : best
  }

  /// Of RFC 1918, RFC 6598 or link-local.
  static func isPrivate(_ address: IPv4Address) -> Bool {
    let bits = address.bits
    return bits >> 24 == 10 || bits >> 20 == 0xac1 || bits >> 16 == 0xc0a8 || bits >> 22 == 0x191
      || bits >> 16 == 0xa9fe
  }

  func isResolver(_ address: IPv4Address, _ vpc: Int) -> Bool {
    if address == Fabric.resolver || address == Fabric.time { return true }
    guard let first = vpcs[vpc].blocks.first else { return false }
    return address.bits == first.base.bits + 2
  }

  /// To an address of a VPC. `from` is the subnet it comes out of, nil for the same one.
  private mutating func arrive(
    _ packet: Packet, vpc: Int, from subnet: Int?, port sender: Int, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep {
    guard let target = port(of: packet.destination, vpc: vpc) else {
      if let missingPorts {
        gaps.append(missingPorts)
        trace.note(.noSuchAddress, sender, packet)
        return .unknown
      }
      trace.note(.noSuchAddress, sender, packet)
      return .stop
    }
    return enter(target, packet, from: subnet, sender: sender, &trace, &gaps)
  }

  /// Into an interface.
  private mutating func enter(
    _ port: Int, _ packet: Packet, from subnet: Int?, sender: Int, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep {
    let to = ports[port]
    if subnet != to.subnet, subnet != nil || sender < 0 {
      guard passesACL(to.subnet, packet, egress: false, &trace, &gaps) else { return .stop }
    }
    let peer: Int? = sender >= 0 && ports[sender].owns(packet.source) ? sender : nil
    guard passesGroups(port, packet, egress: false, peer: peer, &trace, &gaps) else { return .stop }
    if to.checksAddresses, !to.owns(packet.destination) {
      trace.note(.destinationCheckFailed, port, packet)
      return .stop
    }
    trace.note(.enteredENI, port, packet)
    return .enter(port: port)
  }

  // MARK: - Gateways

  private mutating func throughInternetGateway(
    _ port: Int, _ packet: inout Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep {
    guard let address = ports[port].publicAddresses[packet.source] else {
      trace.note(.noPublicAddress, port, packet)
      return .stop
    }
    packet.source = address
    trace.note(.internetGateway, port, packet)
    return outside(&packet, &trace, &gaps)
  }

  private mutating func outside(_ packet: inout Packet, _ trace: inout Trace, _ gaps: inout [Gap]) -> FabricStep {
    // Private addresses lead nowhere out there.
    guard !Fabric.isPrivate(packet.destination) else {
      trace.note(.noSuchAddress, -1, packet)
      return .stop
    }
    // Another public address of these VPCs comes back in by its gateway.
    if let target = port(ofPublic: packet.destination) { return fromOutside(target, &packet, &trace, &gaps) }
    if let host = hosts.firstIndex(where: { $0.blocks.contains { $0.contains(packet.destination) } }),
      let admits = hosts[host].admits
    {
      guard let blocks = admits.value else {
        gaps.append(admits.gap!)
        trace.note(.publicAccessUnknown, host, packet)
        trace.note(.toInternet, host, packet)
        return .internet
      }
      guard blocks.contains(where: { $0.contains(packet.source) }) else {
        trace.note(.publicAccessDenied, host, packet)
        return .stop
      }
    }
    trace.note(.toInternet, -1, packet)
    return .internet
  }

  /// A packet from the Internet to a public address.
  mutating func fromOutside(
    _ port: Int, _ packet: inout Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep {
    let published = packet.destination
    guard let own = ports[port].publicAddresses.first(where: { $0.value == published })?.key else {
      trace.note(.noSuchAddress, port, packet)
      return .stop
    }
    packet.destination = own
    trace.note(.internetGateway, port, packet)
    guard let entry = routeBack(port) else {
      trace.note(.vpcNoRoute, ports[port].subnet, packet)
      return .stop
    }
    if !entry {
      gaps.append(subnets[ports[port].subnet].routeTable.gap ?? Gap(read: "ec2:DescribeRouteTables", why: "not read"))
    }
    if case .natGateway(let gateway) = ports[port].holder {
      return backThroughNAT(gateway, &packet, &trace, &gaps)
    }
    return enter(port, packet, from: nil, sender: -1, &trace, &gaps)
  }

  /// A packet from a gateway endpoint's service.
  mutating func fromEndpoint(
    _ port: Int, _ packet: Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep { enter(port, packet, from: nil, sender: -1, &trace, &gaps) }

  /// Whether the subnet of a port has an Internet gateway to come in by: nil no, false not known.
  private func routeBack(_ port: Int) -> Bool? {
    guard let table = subnets[ports[port].subnet].routeTable.value, let entries = routeTables[table].entries.value
    else { return false }
    let isPublic = entries.contains { entry in
      if case .internetGateway = entry.target { return entry.isActive }
      return false
    }
    return isPublic ? true : nil
  }

  private mutating func throughNAT(
    _ id: String, subnet: Int, _ packet: inout Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep {
    guard let place = natGateways.firstIndex(where: { $0.id == id }) else {
      trace.note(.targetUnknown, subnet, packet)
      gaps.append(Gap(read: "ec2:DescribeNatGateways \(id)", why: "it is not among them"))
      return .unknown
    }
    let gateway = natGateways[place]
    guard gateway.isAvailable else {
      trace.note(.vpcBlackhole, subnet, packet)
      return .stop
    }
    let home = ports[gateway.port].subnet
    if home != subnet {
      guard passesACL(home, packet, egress: false, &trace, &gaps) else { return .stop }
    }
    let original = FlowKey(packet)
    packet.source = ports[gateway.port].addresses[0]
    // One port for each flow; which one is the gateway's own affair.
    var port = packet.sourcePort
    var key = FlowKey(packet).inverse
    while let other = translations[key], other != original {
      port = port == 65535 ? 1024 : port + 1
      packet.sourcePort = port
      key = FlowKey(packet).inverse
    }
    translations[key] = original
    trace.note(.natGateway, place, packet)
    return route(from: gateway.port, subnet: home, &packet, &trace, &gaps)
  }

  private mutating func backThroughNAT(
    _ place: Int, _ packet: inout Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep {
    let home = ports[natGateways[place].port].subnet
    guard passesACL(home, packet, egress: false, &trace, &gaps) else { return .stop }
    guard let original = translations[FlowKey(packet)] else {
      trace.note(.noSuchAddress, natGateways[place].port, packet)
      return .stop
    }
    packet.destination = original.source
    if packet.transport == .icmp {
      packet.sourcePort = original.sourcePort
    } else {
      packet.destinationPort = original.sourcePort
    }
    trace.note(.natGateway, place, packet)
    return route(from: natGateways[place].port, subnet: home, &packet, &trace, &gaps)
  }

  /// A packet into an interface whose holder sends it on: a NAT gateway.
  mutating func enterGateway(
    _ place: Int, _ packet: inout Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> FabricStep { backThroughNAT(place, &packet, &trace, &gaps) }

  // MARK: - Groups and ACLs

  private mutating func passesGroups(
    _ port: Int, _ packet: Packet, egress: Bool, peer: Int?, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> Bool {
    if ports[port].isUnfiltered { return true }
    let key = FlowKey(packet)
    if tracked[port].contains(key.inverse) {
      trace.note(.groupTracked, port, packet, egress ? 1 : 0)
      return true
    }
    // A flow that was let through once is let through while it lasts.
    if tracked[port].contains(key) { return true }
    switch admits(port, packet, egress: egress, peer: peer) {
    case .yes(let group, let rule):
      tracked[port].insert(key)
      trace.note(egress ? .groupEgress : .groupIngress, port, packet, group, rule)
      return true
    case .no:
      trace.note(egress ? .groupEgressDenied : .groupIngressDenied, port, packet)
      return false
    case .unknown(let gap):
      // It passes as far as is known; what it meets further on may still decide.
      tracked[port].insert(key)
      gaps.append(gap)
      trace.note(.groupUnknown, port, packet, egress ? 1 : 0)
      return true
    }
  }

  enum GroupAnswer {
    case yes(group: Int, rule: Int)
    case no
    case unknown(Gap)
  }

  /// Whether the groups of a port let a new flow through: one rule of one group is enough.
  func admits(_ port: Int, _ packet: Packet, egress: Bool, peer: Int?) -> GroupAnswer {
    guard let ids = ports[port].groups.value else { return .unknown(ports[port].groups.gap!) }
    var missing: Gap?
    let address = egress ? packet.destination : packet.source
    for (place, id) in ids.enumerated() {
      guard let fact = groups[id] else {
        missing = missing ?? Gap(read: "ec2:DescribeSecurityGroups \(id)", why: "it is not among them")
        continue
      }
      guard let group = fact.value else {
        missing = missing ?? fact.gap!
        continue
      }
      for (index, rule) in group.rules.enumerated() where rule.isEgress == egress && rule.covers(packet) {
        switch rule.peer {
        case .block(let block): if block.contains(address) { return .yes(group: place, rule: index) }
        case .group(let wanted):
          guard let peer else {
            // Whose address it is can't be told while interfaces are missing.
            if let missingPorts { missing = missing ?? missingPorts }
            continue
          }
          guard let theirs = ports[peer].groups.value else {
            missing = missing ?? ports[peer].groups.gap!
            continue
          }
          if theirs.contains(wanted) { return .yes(group: place, rule: index) }
        case .prefixList(let list, let blocks):
          guard let blocks else {
            missing = missing ?? Gap(read: "ec2:GetManagedPrefixListEntries \(list)", why: "its blocks are not known")
            continue
          }
          if blocks.contains(where: { $0.contains(address) }) { return .yes(group: place, rule: index) }
        case .otherFamily: continue
        }
      }
    }
    return missing.map { .unknown($0) } ?? .no
  }

  private func passesACL(
    _ subnet: Int, _ packet: Packet, egress: Bool, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> Bool {
    guard let acl = subnets[subnet].acl.value, let entries = acls[acl].entries.value else {
      gaps.append(subnets[subnet].acl.gap ?? acls[subnets[subnet].acl.value!].entries.gap!)
      trace.note(.aclUnknown, subnet, packet, egress ? 1 : 0)
      return true
    }
    guard let decides = NetworkACL.decide(entries, packet, egress: egress), entries[decides].allows else {
      trace.note(
        egress ? .aclEgressDenied : .aclIngressDenied, subnet, packet, acl,
        NetworkACL.decide(entries, packet, egress: egress) ?? -1)
      return false
    }
    trace.note(egress ? .aclEgress : .aclIngress, subnet, packet, acl, decides)
    return true
  }
}
