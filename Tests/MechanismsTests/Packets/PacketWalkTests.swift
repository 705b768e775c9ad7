import Mechanisms
import Testing
import Wire

/// What the one who sends makes of a walk, and networks laid out from their public form. From documents.
struct PacketWalkTests {
  private func effect(
    _ world: inout PacketWorld, from stack: String, to address: String, _ port: UInt16
  ) -> PacketWalk.Effect {
    world.network.forgetFlows()
    var choices = PathChoices(drawing: 7)
    let packet = Packet(.tcp, from: IPv4Address(bits: 0), 40000, to: PacketWorld.address(address), port)
    return world.network.follow(packet, from: .stack(world.stacks[stack]!), &choices).effect
  }

  @Test func effects() {
    var empty = PacketWorld.web
    empty.endpoints = []
    var world = PacketWorld(services: [empty], branch: true)
    // A pod is told that a Service has no endpoints; one in strict mode isn't: the error goes by the VPC.
    #expect(effect(&world, from: "p1", to: "10.100.0.20", 80) == .refused)
    #expect(effect(&world, from: "n1", to: "10.100.0.20", 80) == .refused)
    #expect(effect(&world, from: "sgp", to: "10.100.0.20", 80) == .silence)
    #expect(effect(&world, from: "p1", to: "10.0.2.20", 8080) == .answered)
    #expect(effect(&world, from: "p1", to: "10.0.2.99", 8080) == .silence)
    // No Service has that port: it leaves for the Internet, where no private address is.
    #expect(effect(&world, from: "p1", to: "10.100.0.20", 81) == .silence)
    #expect(effect(&world, from: "p1", to: "198.51.100.1", 443) == .answered)
  }

  @Test func aClientWithAffinityStaysWithWhatItsNodeRemembers() {
    var port = PacketWorld.web
    port.affinity = 600
    var world = PacketWorld(services: [port])
    let client = PacketWorld.address("10.0.0.20")
    let node = world.stacks["n1"]!
    let lists = port.endpoints.map { port.chain(of: $0) }
    func chosen(_ seed: UInt64, at now: Int, after seen: [String: Int]) -> (String, [String]) {
      world.network.forgetFlows()
      world.network.stacks[node].now = now
      for list in seen.keys.sorted() { world.network.stacks[node].remember(client, in: list, at: seen[list]!) }
      var choices = PathChoices(drawing: seed)
      let packet = Packet(.tcp, from: client, 40000, to: port.clusterAddress, 80)
      let walk = world.network.follow(packet, from: .stack(world.stacks["p1"]!), &choices)
      return ("\(walk.fate.packet.destination)", world.network.stacks[node].remembered(client).map(\.list))
    }
    for (index, list) in lists.enumerated() {
      for seed in 0..<8 as Range<UInt64> {
        let (address, remembered) = chosen(seed, at: 1000, after: [list: 500])
        #expect(address == "\(port.endpoints[index].address)")
        #expect(remembered == [list])
      }
    }
    // After its time any may be chosen.
    #expect(Set((0..<16).map { chosen($0, at: 2000, after: [lists[0]: 500]).0 }).count == 2)
    // What no rule has any more is forgotten.
    #expect(chosen(1, at: 10, after: ["KUBE-SEP-GONE": 5]).1.count == 1)
  }

  @Test func interfacesAreAddedAsTheyAreMet() {
    var fabric = PacketWorld.fabric()
    let interface: JSON = [
      "NetworkInterfaceId": "eni-new", "SubnetId": "subnet-b", "Groups": [["GroupId": "sg-node"]],
      "Status": "in-use", "RequesterManaged": true, "Description": "Amazon EKS demo",
      "PrivateIpAddresses": [["PrivateIpAddress": "10.0.2.50", "Primary": true]],
    ]
    fabric.add([interface, interface, ["NetworkInterfaceId": "eni-else", "SubnetId": "subnet-other"]])
    #expect(fabric.ports.count == PacketWorld.fabric().ports.count + 1)
    #expect(fabric.port(of: PacketWorld.address("10.0.2.50"), vpc: 0) == fabric.port(named: "eni-new"))
    var world = PacketWorld(fabric: fabric)
    #expect(effect(&world, from: "p1", to: "10.0.2.50", 443) == .answered)
    #expect(effect(&world, from: "p1", to: "10.0.2.50", 8443) == .answered)
  }

  @Test func aPeerIsReachedByTheRoutesOfBoth() {
    func readings(back: Bool) -> Fabric.Readings {
      func table(_ vpc: String, _ block: String, _ other: String?) -> JSON {
        var routes: JSON = [["DestinationCidrBlock": .string(block), "GatewayId": "local", "State": "active"]]
        if let other {
          routes.append(
            ["DestinationCidrBlock": .string(other), "VpcPeeringConnectionId": "pcx-1", "State": "active"])
        }
        return [
          "RouteTableId": .string("rtb-\(vpc)"), "VpcId": .string(vpc), "Associations": [["Main": true]],
          "Routes": routes,
        ]
      }
      func interface(_ id: String, _ address: String) -> JSON {
        [
          "NetworkInterfaceId": .string("eni-\(id)"), "SubnetId": .string("subnet-\(id)"),
          "Groups": [["GroupId": "sg"]], "Status": "in-use",
          "PrivateIpAddresses": [["PrivateIpAddress": .string(address), "Primary": true]],
        ]
      }
      func all(_ egress: Bool) -> JSON { ["IpProtocol": "-1", "IpRanges": [["CidrIp": "0.0.0.0/0"]]] }
      return Fabric.Readings(
        vpcs: .init([["VpcId": "a", "CidrBlock": "10.0.0.0/16"], ["VpcId": "b", "CidrBlock": "10.1.0.0/16"]]),
        subnets: .init([
          ["SubnetId": "subnet-a", "VpcId": "a", "CidrBlock": "10.0.0.0/24"],
          ["SubnetId": "subnet-b", "VpcId": "b", "CidrBlock": "10.1.0.0/24"],
        ]),
        routeTables: .init([
          table("a", "10.0.0.0/16", "10.1.0.0/16"), table("b", "10.1.0.0/16", back ? "10.0.0.0/16" : nil),
        ]),
        acls: .init(
          ["a", "b"].map { id in
            [
              "NetworkAclId": .string("acl-\(id)"), "Associations": [["SubnetId": .string("subnet-\(id)")]],
              "Entries": .array(
                [true, false].map {
                  [
                    "RuleNumber": 100, "Protocol": "-1", "CidrBlock": "0.0.0.0/0", "Egress": .bool($0),
                    "RuleAction": "allow",
                  ]
                }),
            ]
          }),
        groups: .init([
          ["GroupId": "sg", "IpPermissions": [all(false)], "IpPermissionsEgress": [all(true)]]
        ]),
        interfaces: .init([interface("a", "10.0.0.10"), interface("b", "10.1.0.10")]), natGateways: .init([]),
        peers: ["pcx-1": ["a", "b"]])
    }
    for (back, expected) in [(true, PacketWalk.Effect.answered), (false, .silence)] {
      var network = PacketNetwork(fabric: Fabric(readings(back: back)))
      var choices = PathChoices(drawing: 1)
      let packet = Packet(
        .tcp, from: PacketWorld.address("10.0.0.10"), 40000, to: PacketWorld.address("10.1.0.10"), 80)
      #expect(network.follow(packet, from: .port(0), &choices).effect == expected)
    }
  }
}
