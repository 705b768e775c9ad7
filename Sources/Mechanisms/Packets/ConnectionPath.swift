package import Wire

/// Whether a connection from an interface of a VPC to a host with these addresses comes about: the way of its first
/// packet and of the answer, through routes, gateways, ACLs and groups.
///
/// A client tries a host's addresses one after another, so that one that is reached is enough.
package enum ConnectionPath: Rule {
  package static let name = "packets/connection-path"

  package struct Facts: FactSet {
    package var fabric: Fact<Fabric>
    /// The interface that it sets out from, by its id.
    package var interface: Fact<String>
    package var addresses: Fact<[IPv4Address]>
    package var port: Fact<UInt16>

    package init(
      fabric: Fact<Fabric>, interface: Fact<String>, addresses: Fact<[IPv4Address]>, port: Fact<UInt16> = .known(443)
    ) {
      self.fabric = fabric
      self.interface = interface
      self.addresses = addresses
      self.port = port
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.fabric), hider(\.interface), hider(\.addresses), hider(\.port),
    ]
  }

  /// A packet's way there, and its answer's back.
  package struct Way: Sendable {
    package var network: PacketNetwork
    package var packet: Packet
    package var walk: PacketWalk
  }

  package static func walk(
    _ fabric: Fabric, from port: Int, to address: IPv4Address, _ number: UInt16
  ) -> Way? {
    guard let own = fabric.ports[port].addresses.first else { return nil }
    var network = PacketNetwork(fabric: fabric)
    let packet = Packet(.tcp, from: own, 40000, to: address, number)
    var choices = PathChoices()
    let walk = network.follow(packet, from: .port(port), &choices)
    return Way(network: network, packet: packet, walk: walk)
  }

  /// Yes with the address that is reached.
  package static func decide(_ facts: Facts) -> Verdict<IPv4Address, Because> {
    let gaps = [facts.fabric.gap, facts.interface.gap, facts.addresses.gap, facts.port.gap].compactMap { $0 }
    guard let fabric = facts.fabric.value, let id = facts.interface.value, let addresses = facts.addresses.value,
      let number = facts.port.value
    else { return .open(gaps) }
    guard let port = fabric.port(named: id) else {
      return .open([
        fabric.missingPorts ?? Gap(read: "ec2:DescribeNetworkInterfaces \(id)", why: "it is not among them")
      ])
    }
    var stopped: [Because] = []
    var open: [Gap] = []
    for address in addresses {
      guard let way = walk(fabric, from: port, to: address, number) else { continue }
      switch way.walk.truth {
      case .yes:
        return .yes(address, [Because("\(name)/reached", "\(address):\(number) is reached, and answers")])
      case .open(let more): open += more
      case .no:
        guard let hop = way.walk.last else { continue }
        let teller = HopTeller(way.network)
        stopped.append(
          Because(
            "\(name)/stopped", "\(address):\(number) is not reached: \(teller.place(hop)) \(teller.text(hop))",
            evidence: [citation(hop, fabric)], details: ["address": .string(address.description)]))
      }
    }
    if !open.isEmpty { return .open(open, stopped) }
    guard !stopped.isEmpty else {
      return .open([Gap(read: "the host's addresses", why: "none is known")])
    }
    return .no(stopped.reversed())
  }

  /// Where what decides at a hop was read.
  private static func citation(_ hop: Hop, _ fabric: Fabric) -> Citation? {
    let place = Int(hop.place)
    guard place >= 0 else { return nil }
    switch hop.kind {
    case .groupEgressDenied, .groupIngressDenied:
      return fabric.ports[place].groups.value?.compactMap { fabric.groups[$0]?.citation }.first
        ?? fabric.ports[place].groups.citation
    case .aclEgressDenied, .aclIngressDenied: return fabric.subnets[place].acl.citation
    case .vpcNoRoute, .vpcBlackhole, .vpcRouted: return fabric.subnets[place].routeTable.citation
    case .publicAccessDenied: return fabric.hosts[place].admits?.citation
    case .noPublicAddress, .noSuchAddress, .notAttached: return fabric.ports[place].groups.citation
    default: return nil
    }
  }
}
