import Mechanisms
import Wire

/// The network that these tests walk: a VPC with two nodes, pods on both, services, and all that stands around.
struct PacketWorld {
  var network: PacketNetwork
  var node1: NodePlan
  var node2: NodePlan
  var stacks: [String: Int] = [:]
  var services: [ServicePort]

  static func address(_ text: String) -> IPv4Address { IPv4Address(text)! }
  static func block(_ text: String) -> CIDR { CIDR(text)! }

  static let vpc = block("10.0.0.0/16")
  static let web = ServicePort(
    "default", "web", address: address("10.100.0.20"), port: 80, nodePort: 30080,
    endpoints: [
      .init(address("10.0.0.20"), 8080, node: "n1", zone: "a"),
      .init(address("10.0.2.20"), 8080, node: "n2", zone: "b"),
    ])

  /// Ports of the fabric: 0, 1 the ENIs of node 1, 2 the one of node 2, 3 a branch interface, 4 an API server's,
  /// 5 the NAT gateway's.
  static func fabric() -> Fabric {
    let open: Fact<SecurityGroupRules> = .known(
      SecurityGroupRules(
        "sg-node",
        [
          .init(egress: true, nil, -1, -1, .block(.everything)), .init(egress: false, nil, -1, -1, .group("sg-node")),
          .init(egress: false, .tcp, 443, 443, .block(vpc)),
          .init(egress: false, .tcp, 30000, 32767, .block(.everything)),
        ]))
    let pod: Fact<SecurityGroupRules> = .known(
      SecurityGroupRules(
        "sg-pod",
        [
          .init(egress: true, nil, -1, -1, .block(.everything)),
          .init(egress: false, .tcp, 8080, 8080, .group("sg-node")),
        ]))
    let all = NetworkACL(
      "acl-0", .known([.init(100, egress: true, allow: true), .init(100, egress: false, allow: true)]))
    let publicTable = Fabric.RouteTable(
      "rtb-public", .known([.init([vpc], .local), .init([.everything], .internetGateway("igw-1"))]))
    let privateTable = Fabric.RouteTable(
      "rtb-private", .known([.init([vpc], .local), .init([.everything], .natGateway("nat-1"))]))
    return Fabric(
      vpcs: [.init("vpc-1", blocks: [vpc])],
      subnets: [
        .init("subnet-a", vpc: 0, block: block("10.0.0.0/24"), routeTable: .known(0), acl: .known(0)),
        .init("subnet-a2", vpc: 0, block: block("10.0.1.0/24"), routeTable: .known(1), acl: .known(0)),
        .init("subnet-b", vpc: 0, block: block("10.0.2.0/24"), routeTable: .known(1), acl: .known(0)),
      ],
      ports: [
        .init(
          "eni-n1", subnet: 0, addresses: [address("10.0.0.10"), address("10.0.0.20")],
          publicAddresses: [address("10.0.0.10"): address("203.0.113.10")], groups: .known(["sg-node"])),
        .init(
          "eni-n1b", subnet: 1, addresses: [address("10.0.1.10"), address("10.0.1.20")], groups: .known(["sg-node"])),
        .init(
          "eni-n2", subnet: 2, addresses: [address("10.0.2.10"), address("10.0.2.20")], groups: .known(["sg-node"])),
        .init("eni-branch", subnet: 0, addresses: [address("10.0.0.77")], groups: .known(["sg-pod"])),
        .init(
          "eni-api", subnet: 2, addresses: [address("10.0.2.200")], groups: .known(["sg-node"]),
          holder: .service("the API server")),
        .init(
          "eni-nat", subnet: 0, addresses: [address("10.0.0.250")],
          publicAddresses: [address("10.0.0.250"): address("203.0.113.99")], groups: .known([]), checksAddresses: false,
          holder: .natGateway(0), isUnfiltered: true),
      ],
      routeTables: [publicTable, privateTable], acls: [all], groups: ["sg-node": open, "sg-pod": pod],
      natGateways: [.init("nat-1", port: 5, publicAddress: address("203.0.113.99"))])
  }

  init(
    settings: CNISettings = CNISettings(), services: [ServicePort] = [PacketWorld.web], branch: Bool = false,
    fabric: Fabric = PacketWorld.fabric()
  ) {
    let a = PacketWorld.address
    self.services = services
    node1 = NodePlan(
      "n1",
      enis: [
        .init(device: 0, primary: a("10.0.0.10"), subnet: PacketWorld.block("10.0.0.0/24"), port: 0),
        .init(device: 1, primary: a("10.0.1.10"), subnet: PacketWorld.block("10.0.1.0/24"), port: 1),
      ],
      pods: [.init("default", "p1", a("10.0.0.20")), .init("default", "p2", a("10.0.1.20"), device: 1)],
      settings: settings, vpcBlocks: [PacketWorld.vpc])
    if branch {
      node1.pods.append(
        .init(
          "default", "sgp", a("10.0.0.77"),
          branch: .init(vlan: 3, subnet: PacketWorld.block("10.0.0.0/24"), port: 3)))
    }
    node2 = NodePlan(
      "n2", enis: [.init(device: 0, primary: a("10.0.2.10"), subnet: PacketWorld.block("10.0.2.0/24"), port: 2)],
      pods: [.init("default", "p3", a("10.0.2.20"))], settings: settings, vpcBlocks: [PacketWorld.vpc])
    network = PacketNetwork(fabric: fabric)
    for plan in [node1, node2] {
      let places = network.add(
        plan,
        services: KubeProxyRules(
          services, node: plan.name, zone: plan.name == "n1" ? "a" : "b", nodeAddress: plan.primary.primary))
      stacks[plan.name] = places.node
      for (index, pod) in plan.pods.enumerated() { stacks[pod.name] = places.pods[index] }
    }
  }

  struct Story {
    var fate: PacketNetwork.Fate
    var back: PacketNetwork.Fate?
    var hops: [Hop]
    var backHops: [Hop]
    var lines: [String]

    /// Whether the first packet and its answer both arrive.
    var works: Bool {
      guard case .delivered = fate.outcome, case .delivered = back?.outcome else { return false }
      return true
    }
    var last: Hop.Kind? { back == nil || hops.isEmpty ? hops.last?.kind : backHops.last?.kind }
    func has(_ kind: Hop.Kind) -> Bool { (hops + backHops).contains { $0.kind == kind } }
  }

  /// Every branch of the first packet with the answer to it; each on a network without flows.
  mutating func tell(_ packet: Packet, from origin: PacketNetwork.Origin, hopLimit: UInt8 = 64) -> [Story] {
    var stories: [Story] = []
    var choices = PathChoices()
    repeat {
      network.forgetFlows()
      var trace = Trace()
      choices.rewind()
      let fate = network.walk(packet, from: origin, &trace, &choices)
      var backTrace = Trace()
      var backChoices = PathChoices()
      let back = network.answer(fate, hopLimit: hopLimit, &backTrace, &backChoices)
      let teller = HopTeller(network)
      let lines = (trace.hops + backTrace.hops).map { "\(teller.place($0)): \(teller.text($0))" }
      stories.append(Story(fate: fate, back: back, hops: trace.hops, backHops: backTrace.hops, lines: lines))
    } while choices.next()
    return stories
  }

  mutating func tell(
    _ transport: Transport = .tcp, from: String, to destination: String, _ port: UInt16 = 0, hopLimit: UInt8 = 64
  ) -> [Story] {
    let packet = Packet(
      transport, from: IPv4Address(bits: 0), 40000, to: PacketWorld.address(destination), port)
    return tell(packet, from: .stack(stacks[from]!), hopLimit: hopLimit)
  }
}
