import Wire

/// Makes the text of hops, when somebody asks.
package struct HopTeller: Sendable {
  package let network: PacketNetwork

  package init(_ network: PacketNetwork) { self.network = network }

  /// Where a hop is: the node, the pod, the interface of the VPC, the subnet.
  package func place(_ hop: Hop) -> String {
    let place = Int(hop.place)
    switch hop.kind {
    case .sent, .received, .routed, .marked, .connectionMarked, .markRestored, .destinationTranslated,
      .sourceTranslated, .answerTranslated, .accepted, .transmitted, .delivered, .droppedByRule, .rejectedByRule,
      .droppedByPolicy, .unknownRule, .noRoute, .blackholed, .forwardingOff, .ttlExpired, .martianSource,
      .martianDestination, .reversePath, .earlyDemux, .masqueradeMoved, .neighbourMissing, .neighbourWrong,
      .interfaceDown,
      .noSourceAddress, .unsupportedBroadcast, .policyAdmitted, .policyTracked, .policyDenied, .policyUnknown:
      return network.stacks[place].name
    case .leftENI, .sourceCheckFailed, .enteredENI, .destinationCheckFailed, .groupEgress, .groupIngress,
      .groupTracked, .groupEgressDenied, .groupIngressDenied, .groupUnknown, .internetGateway, .noPublicAddress,
      .noSuchAddress, .notAttached, .toMetadata, .toResolver, .toService, .keptByHolder:
      return place >= 0 ? network.fabric.ports[place].id : "the Internet"
    case .aclEgress, .aclIngress, .aclEgressDenied, .aclIngressDenied, .aclUnknown, .vpcRouted, .vpcNoRoute,
      .vpcBlackhole, .vpcRouteUnknown, .targetUnknown, .peering:
      return network.fabric.subnets[place].id
    case .natGateway: return network.fabric.natGateways[place].id
    case .toInternet, .publicAccessDenied, .publicAccessUnknown:
      return place >= 0 ? network.fabric.hosts[place].name : "the Internet"
    case .loop: return "the network"
    }
  }

  /// What happened there.
  package func text(_ hop: Hop) -> String {
    let packet = hop.packet
    let place = Int(hop.place)
    switch hop.kind {
    case .sent: return "sends \(packet.text)"
    case .received: return "gets it by \(interface(hop))"
    case .routed: return "routes it: \(routing(hop))"
    case .marked, .connectionMarked: return "\(rule(hop)) marks it"
    case .markRestored: return "\(rule(hop)) restores its mark \(NetfilterRule.hexadecimal(packet.mark))"
    case .destinationTranslated, .sourceTranslated: return "\(rule(hop)): now \(packet.text)"
    case .answerTranslated: return "translates the answer back: now \(packet.text)"
    case .accepted: return "lets it pass"
    case .transmitted: return "sends it out of \(interface(hop))"
    case .delivered: return "delivers it: \(packet.text)"
    case .droppedByRule: return "drops it: \(rule(hop))"
    case .rejectedByRule: return "rejects it: \(rule(hop))"
    case .droppedByPolicy: return "drops it: the policy of a chain is DROP"
    case .unknownRule: return "a rule that isn't modelled: \(rule(hop))"
    case .noRoute: return "has no route to \(packet.destination)"
    case .blackholed: return "has a route that refuses: \(routing(hop))"
    case .forwardingOff: return "does not forward packets"
    case .ttlExpired: return "drops it: its lifetime (TTL \(packet.ttl)) is at its end"
    case .martianSource: return "drops it: no packet may come in from \(packet.source) (martian source)"
    case .martianDestination: return "drops it: nothing may come in for \(packet.destination)"
    case .reversePath:
      return "drops it by rp_filter: \(packet.source) is not reached by \(interface(hop)), by which it came in"
    case .earlyDemux:
      return
        "drops it: net.ipv4.tcp_early_demux gives it to a socket of the node before it is routed on, and what belongs to a socket is not forwarded"
    case .masqueradeMoved:
      return "drops it: the connection is masqueraded with the address of another interface than \(interface(hop))"
    case .neighbourMissing: return "nobody answers for the next hop of \(packet.destination) on \(interface(hop))"
    case .neighbourWrong:
      return "the neighbour entry of the next hop names another hardware address than \(interface(hop)) leads to"
    case .interfaceDown: return "\(interface(hop)) is down"
    case .noSourceAddress: return "has no address to send from"
    case .unsupportedBroadcast: return "broadcasts are not modelled"
    case .policyAdmitted: return policy(hop, .rule(Int(hop.b)))
    case .policyTracked: return "network policies let it pass: it belongs to a flow that was let through"
    case .policyDenied: return "drops it: \(policy(hop, hop.b == 0 ? .noRule : .nothingLoaded))"
    case .policyUnknown: return "its network policies could not all be read"
    case .leftENI: return "leaves the instance: \(packet.text)"
    case .sourceCheckFailed:
      return "drops it: \(packet.source) is no address of this interface (source/destination check)"
    case .enteredENI: return "hands it to \(holder(place))"
    case .destinationCheckFailed: return "drops it: \(packet.destination) is no address of this interface"
    case .groupEgress: return "\(group(hop, egress: true)) lets it out"
    case .groupIngress: return "\(group(hop, egress: false)) lets it in"
    case .groupTracked: return "security groups let it pass: it answers a flow that was let through"
    case .groupEgressDenied:
      return "no rule of its security groups (\(groups(place))) lets \(flow(packet, egress: true)) out"
    case .groupIngressDenied:
      return "no rule of its security groups (\(groups(place))) lets \(flow(packet, egress: false)) in"
    case .groupUnknown: return "its security groups could not all be read"
    case .aclEgress: return "\(acl(hop)) lets it out"
    case .aclIngress: return "\(acl(hop)) lets it in"
    case .aclEgressDenied: return "\(acl(hop)) denies \(flow(packet, egress: true)) out of the subnet"
    case .aclIngressDenied: return "\(acl(hop)) denies \(flow(packet, egress: false)) into the subnet"
    case .aclUnknown: return "its network ACL could not be read"
    case .vpcRouted: return "\(table(hop))"
    case .vpcNoRoute: return "its route table has no route to \(packet.destination)"
    case .vpcBlackhole: return "\(table(hop)), and what it leads to is gone (blackhole)"
    case .vpcRouteUnknown: return "its route table could not be read"
    case .targetUnknown: return "\(table(hop)); what lies behind is not in the picture"
    case .internetGateway: return "the Internet gateway translates: now \(packet.text)"
    case .noPublicAddress:
      return "the Internet gateway drops it: no public address stands for \(packet.source)"
    case .natGateway: return "translates: now \(packet.text)"
    case .peering: return "goes by the peering connection"
    case .noSuchAddress: return "nothing has the address \(packet.destination)"
    case .notAttached: return "is attached to nothing"
    case .toInternet: return "gets \(packet.text)"
    case .publicAccessDenied: return "does not admit \(packet.source)"
    case .publicAccessUnknown: return "whom it admits could not be read"
    case .toMetadata: return "the metadata service gets it"
    case .toResolver: return "the VPC's resolver gets it"
    case .toService: return "a gateway endpoint takes it"
    case .keptByHolder:
      return
        "does not send it: \(ControlPlaneHost.bridge) is a network of the API server's own machine, and \(packet.destination) is not there"
    case .loop: return "goes round in circles"
    }
  }

  private func interface(_ hop: Hop) -> String {
    let stack = network.stacks[Int(hop.place)]
    return hop.a >= 0 && Int(hop.a) < stack.interfaces.count ? stack.interfaces[Int(hop.a)].name : "an interface"
  }

  private func routing(_ hop: Hop) -> String {
    let routing = network.stacks[Int(hop.place)].routing
    let rule = routing.rules[Int(hop.a)]
    return "rule \(rule.priority), \(routing.routes[Int(hop.b)].text)"
  }

  /// `nat KUBE-SEP-…: -j DNAT --to-destination …`
  package func rule(_ hop: Hop) -> String {
    let stack = network.stacks[Int(hop.place)]
    guard hop.a >= 0, Int(hop.a) < stack.program.origins.count else { return "a rule" }
    let origin = stack.program.origins[Int(hop.a)]
    let table = stack.netfilter[table: Netfilter.tableNames[origin.table]]
    let chain = table.chains[origin.chain]
    return "\(table.name) \(chain.name)\(chain.rules[origin.rule].text)"
  }

  private func policy(_ hop: Hop, _ answer: PodPolicy.Answer) -> String {
    guard let policy = network.policies[Int(hop.place)]?.value else { return "its network policies" }
    return PolicyAdmission.text(answer, policy, hop.packet, hop.a == 1 ? .egress : .ingress)
  }

  private func holder(_ port: Int) -> String {
    switch network.fabric.ports[port].holder {
    case .stack(let stack, let interface):
      "\(network.stacks[stack].name) (\(network.stacks[stack].interfaces[interface].name))"
    case .service(let name), .machine(let name): name
    case .natGateway(let place): network.fabric.natGateways[place].id
    case .nobody: "nobody: it is attached to nothing"
    }
  }

  private func groups(_ port: Int) -> String {
    network.fabric.ports[port].groups.value?.joined(separator: ", ") ?? "not known"
  }

  private func group(_ hop: Hop, egress: Bool) -> String {
    guard let ids = network.fabric.ports[Int(hop.place)].groups.value, Int(hop.a) < ids.count else { return "a group" }
    return ids[Int(hop.a)]
  }

  private func flow(_ packet: Packet, egress: Bool) -> String {
    let peer = egress ? "to \(packet.destination)" : "from \(packet.source)"
    return packet.transport.hasPorts
      ? "\(packet.transport) \(packet.destinationPort) \(peer)" : "\(packet.transport) \(peer)"
  }

  private func acl(_ hop: Hop) -> String {
    let acl = network.fabric.acls[Int(hop.a)]
    guard hop.b >= 0, let entries = acl.entries.value else { return "\(acl.id), its last entry (*)" }
    return "\(acl.id), entry \(entries[Int(hop.b)].number),"
  }

  private func table(_ hop: Hop) -> String {
    guard hop.a >= 0 else { return "its route table" }
    let table = network.fabric.routeTables[Int(hop.a)]
    guard hop.b >= 0, let entry = table.entries.value?[Int(hop.b)] else { return table.id }
    let target: String =
      switch entry.target {
      case .local: "local"
      case .internetGateway(let id), .natGateway(let id), .interface(let id), .gatewayEndpoint(let id), .other(let id):
        id
      case .peering(let id, _): id
      }
    let block = entry.blocks.count == 1 ? entry.blocks[0].description : "a prefix list"
    return "\(table.id): \(block) → \(target)"
  }
}
