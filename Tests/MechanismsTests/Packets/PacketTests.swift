import Mechanisms
import Testing
import Wire

/// What the model's nodes and VPCs do with packets, by the published rules.
struct PacketTests {
  @Test func namesAreThoseOfTheCNIAndKubeProxy() {
    #expect(InterfaceNames.veth(namespace: "default", pod: "nginx") == "enic440f455693")
    #expect(InterfaceNames.veth(namespace: "kube-system", pod: "coredns-5d78c9869d-abcde") == "eni4d5f75c480c")
    #expect(InterfaceNames.veth(prefix: "vlan", namespace: "default", pod: "web-0") == "vlan0d7763386da")
    func port(_ namespace: String, _ service: String, _ name: String, _ transport: Transport = .tcp) -> ServicePort {
      ServicePort(namespace, service, name, transport, address: IPv4Address(bits: 1), port: 1)
    }
    #expect(port("ns1", "svc1", "p80").chain("KUBE-SVC-") == "KUBE-SVC-XPGD46QRK7WJZT7O")
    #expect(port("default", "kubernetes", "https").chain("KUBE-SVC-") == "KUBE-SVC-NPX46M4PTMTKRN6Y")
    #expect(port("kube-system", "kube-dns", "dns", .udp).chain("KUBE-SVC-") == "KUBE-SVC-TCOU7JCQXEZGVUNU")
    #expect(port("kube-system", "kube-dns", "dns-tcp").chain("KUBE-SVC-") == "KUBE-SVC-ERIFXISQEP7F7OF4")
    #expect(port("default", "web", "").chain("KUBE-SVC-") == "KUBE-SVC-LOLE4ISW44XBNF3G")
    #expect(
      port("ns1", "svc1", "p80").chain(of: .init(IPv4Address("10.180.0.1")!, 80)) == "KUBE-SEP-SXIVWICOYRO3J4NJ")
  }

  @Test func podsReachEachOtherAcrossNodes() {
    var world = PacketWorld()
    for (from, to) in [("p1", "10.0.2.20"), ("p2", "10.0.2.20"), ("p3", "10.0.1.20"), ("p1", "10.0.1.20")] {
      let stories = world.tell(from: from, to: to, 8080)
      #expect(stories.count == 1)
      #expect(stories[0].works, "\(from) → \(to): \(stories[0].lines)")
      // In the VPC a pod keeps its address.
      #expect(!stories[0].has(.sourceTranslated))
    }
  }

  @Test func aServiceSpreadsOverItsEndpoints() {
    var world = PacketWorld()
    let stories = world.tell(from: "p2", to: "10.100.0.20", 80)
    #expect(stories.map(\.works) == [true, true])
    #expect(Set(stories.map { $0.fate.packet.destination.description }) == ["10.0.0.20", "10.0.2.20"])
    #expect(stories.allSatisfy { $0.back?.packet.source.description == "10.100.0.20" })
  }

  @Test func aPodThatReachesItselfThroughItsServiceIsMasqueraded() {
    var world = PacketWorld()
    let stories = world.tell(from: "p1", to: "10.100.0.20", 80)
    #expect(stories.allSatisfy { $0.works })
    let itself = stories.first { $0.fate.packet.destination.description == "10.0.0.20" }
    #expect(itself?.fate.packet.source.description == "10.0.0.10")
  }

  @Test func nodePortsByTrafficPolicy() {
    // Endpoints on node 1 only.
    func world(local: Bool, none: Bool = false) -> PacketWorld {
      var port = PacketWorld.web
      port.isExternalLocal = local
      port.endpoints = none ? [] : [port.endpoints[0]]
      return PacketWorld(services: [port])
    }
    var cluster = world(local: false)
    func outside(_ world: inout PacketWorld, _ node: String) -> PacketWorld.Story {
      world.tell(
        Packet(.tcp, from: IPv4Address("10.0.2.200")!, 50000, to: IPv4Address(node)!, 30080), from: .port(4))[0]
    }
    let far = outside(&cluster, "10.0.2.10")
    #expect(far.works, "\(far.lines)")
    #expect(far.fate.packet.source.description == "10.0.2.10")
    let near = outside(&cluster, "10.0.0.10")
    #expect(near.works && near.fate.packet.source.description == "10.0.0.10")
    var local = world(local: true)
    let kept = outside(&local, "10.0.0.10")
    #expect(kept.works && kept.fate.packet.source.description == "10.0.2.200")
    #expect(outside(&local, "10.0.2.10").last == .droppedByRule)
    #expect(local.tell(from: "p3", to: "10.0.2.10", 30080)[0].last == .droppedByRule)
    let process = local.tell(from: "n2", to: "10.0.2.10", 30080)[0]
    #expect(process.works && process.fate.packet.source.description == "10.0.2.10", "\(process.lines)")
    var none = world(local: false, none: true)
    #expect(outside(&none, "10.0.2.10").last == .rejectedByRule)
    #expect(none.tell(from: "p1", to: "10.100.0.20", 80)[0].last == .rejectedByRule)
  }

  @Test func internalTrafficPolicyLocalDropsWithoutALocalEndpoint() {
    var port = PacketWorld.web
    port.isInternalLocal = true
    port.endpoints = [port.endpoints[0]]
    var world = PacketWorld(services: [port])
    #expect(world.tell(from: "p1", to: "10.100.0.20", 80)[0].works)
    #expect(world.tell(from: "p3", to: "10.100.0.20", 80)[0].last == .droppedByRule)
  }

  @Test func theInternetIsReachedByTheNodesAddress() {
    var world = PacketWorld()
    // From the second ENI too the packet leaves by the first, with the node's address.
    for pod in ["p1", "p2"] {
      let story = world.tell(from: pod, to: "8.8.8.8", 443)[0]
      #expect(story.works, "\(story.lines)")
      #expect(story.fate.packet.source.description == "203.0.113.10")
      #expect(story.hops.contains { $0.kind == .leftENI && $0.place == 0 })
    }
    // In a private subnet by the NAT gateway.
    let other = world.tell(from: "p3", to: "8.8.8.8", 443)[0]
    #expect(other.works && other.fate.packet.source.description == "203.0.113.99", "\(other.lines)")
  }

  @Test func externalSNATInAPublicSubnetHasNoInternet() {
    var settings = CNISettings()
    settings.externalSNAT = true
    var world = PacketWorld(settings: settings)
    #expect(world.tell(from: "p1", to: "8.8.8.8", 443)[0].last == .noPublicAddress)
    #expect(world.tell(from: "p2", to: "8.8.8.8", 443)[0].works)
    #expect(world.tell(from: "n1", to: "8.8.8.8", 443)[0].works)
  }

  @Test func metadataNeedsTwoHopsFromAPod() {
    var world = PacketWorld()
    #expect(world.tell(from: "p1", to: "169.254.169.254", 80, hopLimit: 2)[0].works)
    let story = world.tell(from: "p1", to: "169.254.169.254", 80, hopLimit: 1)[0]
    #expect(story.last == .ttlExpired, "\(story.lines)")
    #expect(world.tell(from: "n1", to: "169.254.169.254", 80, hopLimit: 1)[0].works)
  }

  @Test func withoutNodePortSupportTheAnswerLeavesByTheWrongInterface() {
    var port = PacketWorld.web
    port.isExternalLocal = true
    port.endpoints = [.init(IPv4Address("10.0.1.20")!, 8080, node: "n1")]
    var world = PacketWorld(services: [port])
    let packet = Packet(.tcp, from: IPv4Address("10.0.2.200")!, 50000, to: IPv4Address("10.0.0.10")!, 30080)
    #expect(world.tell(packet, from: .port(4))[0].works)
    var settings = CNISettings()
    settings.nodePortSupport = false
    settings.externalSNAT = true
    world = PacketWorld(settings: settings, services: [port])
    #expect(world.tell(packet, from: .port(4))[0].last == .sourceCheckFailed)
  }

  @Test func podsWithGroupsOfTheirOwn() {
    // The node's own probe: blocked by the group, then by early demultiplexing, then well.
    var strict = CNISettings()
    var world = PacketWorld(settings: strict, branch: true)
    let demux = world.tell(from: "n1", to: "10.0.0.77", 8080)[0]
    #expect(demux.last == .earlyDemux, "\(demux.lines)")
    #expect(world.tell(from: "n1", to: "10.0.0.77", 9090)[0].last == .groupIngressDenied)
    strict.disablesEarlyDemux = true
    world = PacketWorld(settings: strict, branch: true)
    let probe = world.tell(from: "n1", to: "10.0.0.77", 8080)[0]
    #expect(probe.works, "\(probe.lines)")
    // Neighbours on the node go through the VPC, and their groups are asked.
    #expect(world.tell(from: "p1", to: "10.0.0.77", 8080)[0].works)
    #expect(world.tell(from: "p1", to: "10.0.0.77", 9090)[0].last == .groupIngressDenied)
    // Public subnet, no address of the node: no Internet.
    #expect(world.tell(from: "sgp", to: "8.8.8.8", 443)[0].last == .noPublicAddress)
    var standard = CNISettings()
    standard.isStrict = false
    world = PacketWorld(settings: standard, branch: true)
    #expect(world.tell(from: "n1", to: "10.0.0.77", 9090)[0].works)
    #expect(world.tell(from: "p1", to: "10.0.0.77", 9090)[0].works)
    #expect(world.tell(from: "sgp", to: "8.8.8.8", 443)[0].works)
    #expect(world.tell(from: "p3", to: "10.0.0.77", 9090)[0].last == .groupIngressDenied)
  }

  @Test func networkACLsAreAskedBothWays() {
    var fabric = PacketWorld.fabric()
    fabric.acls.append(
      NetworkACL(
        "acl-1",
        .known([
          .init(100, egress: false, allow: true, .tcp, .everything, 8080, 8080),
          .init(100, egress: true, allow: true, .tcp, .everything, 1024, 30000),
        ])))
    fabric.subnets[2].acl = .known(1)
    var world = PacketWorld(fabric: fabric)
    #expect(world.tell(from: "p1", to: "10.0.2.20", 9090)[0].last == .aclIngressDenied)
    // The request comes in, its answer to port 40000 doesn't get out.
    let story = world.tell(from: "p1", to: "10.0.2.20", 8080)[0]
    #expect(story.last == .aclEgressDenied)
    #expect(story.back != nil)
  }

  @Test func whatIsNotKnownOpensTheVerdictAndNeverTurnsIt() {
    var fabric = PacketWorld.fabric()
    fabric.groups["sg-node"] = .unknown(.hidden)
    var world = PacketWorld(fabric: fabric)
    let story = world.tell(from: "p1", to: "10.0.2.20", 8080)[0]
    #expect(story.fate.truth == .open([.hidden, .hidden]))
    // What stops it for certain further on still does.
    fabric.acls[0] = NetworkACL("acl-0", .known([.init(100, egress: true, allow: true)]))
    world = PacketWorld(fabric: fabric)
    #expect(world.tell(from: "p1", to: "10.0.2.20", 8080)[0].fate.truth == .no)
  }

  @Test func neighboursAreAskedFor() {
    var world = PacketWorld()
    let pod = world.stacks["p1"]!
    world.network.stacks[pod].neighbours[0].mac ^= 1
    #expect(world.tell(from: "p1", to: "10.0.2.20", 8080)[0].last == .neighbourWrong)
  }

  @Test func tablesAreReadAsTheyArePrinted() throws {
    var port = PacketWorld.web
    port.affinity = 10800
    port.healthCheckNodePort = 31000
    let world = PacketWorld(services: [port])
    for stack in world.network.stacks {
      let text = stack.netfilter.save
      let again = try Netfilter(save: text)
      #expect(again.save == text)
      for rule in stack.routing.rules { #expect(RoutingRule(line: rule.text) == rule) }
      for route in stack.routing.routes { #expect(Route(line: route.text) == route) }
    }
    let text = world.network.stacks[0].netfilter.save
    #expect(
      text.contains(
        "-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment \"AWS, SNAT\" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.0.0.10 --random-fully\n"
      ))
    #expect(text.contains("--probability 0.50000000000 -j KUBE-SEP-"))
    #expect(NetfilterRule.Match.random(715_827_883).text.hasSuffix("0.33333333349"))
  }

  @Test func rulesThatAreNotModelledAreKeptAsText() throws {
    let text = """
      *filter
      :INPUT ACCEPT [0:0]
      :FORWARD DROP [0:0]
      :OUTPUT ACCEPT [0:0]
      -A FORWARD -m set --match-set blocked src -j DROP
      -A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT
      COMMIT

      """
    #expect(try Netfilter(save: text).save == text)
  }
}

/// Counters come out of what packets crossed, walked or looked up.
struct CounterTests {
  @Test func whatIsLookedUpIsCountedAsIfItWereWalked() {
    var walked = PacketWorld()
    var cached = PacketWorld()
    var cache = FlowCache()
    var choices = PathChoices(drawing: 7)
    let origin = PacketNetwork.Origin.stack(walked.stacks["p2"]!)
    var packet = Packet(
      .udp, from: PacketWorld.address("10.0.1.20"), 40000, to: PacketWorld.address("10.0.2.20"), 53)
    packet.length = 100
    for _ in 0..<50 {
      var trace = Trace(kept: false)
      _ = walked.network.walk(packet, from: origin, &trace, &choices)
      _ = cache.walk(packet, from: origin, in: &cached.network, &choices)
    }
    #expect(cache.hits == 48)
    cache.settle(into: &cached.network)
    for (a, b) in zip(walked.network.stacks, cached.network.stacks) {
      #expect(a.interfaces.map(\.sent) == b.interfaces.map(\.sent))
      #expect(a.interfaces.map(\.received) == b.interfaces.map(\.received))
    }
  }

  /// Which counters see which bytes: pods on both ENIs, on one node and across, and to the Internet.
  @Test func theNodesViewOfTraffic() {
    var world = PacketWorld()
    let node = world.stacks["n1"]!
    func counters(_ from: String, _ to: String, _ port: UInt16) -> [String: UInt64] {
      world = PacketWorld()
      var trace = Trace()
      var choices = PathChoices()
      let packet = Packet(.udp, from: IPv4Address(bits: 0), 40000, to: PacketWorld.address(to), port)
      _ = world.network.walk(packet, from: .stack(world.stacks[from]!), &trace, &choices)
      var out: [String: UInt64] = [:]
      for interface in world.network.stacks[node].interfaces where interface.sent.packets > 0 {
        out[interface.name] = interface.sent.packets
      }
      return out
    }
    let veth = world.node1.veth(world.node1.pods[1])
    // Between pods of one node no ENI counts.
    #expect(counters("p1", "10.0.1.20", 53) == [veth: 1])
    #expect(counters("p2", "10.0.2.20", 53) == ["eth1": 1])
    // What leaves the VPC leaves by the primary ENI, whichever the pod's is.
    #expect(counters("p2", "8.8.8.8", 53) == ["eth0": 1])
  }
}
