import Mechanisms
import Wire

/// What packets of pods to endpoints of Services on another node cost: walked in full, each a connection of its own
/// through kube-proxy's rules for all Services, and looked up by its fate.
@main
struct Walks {
  static let pods = 30
  static let port: UInt16 = 8080

  var packets: ClusterPackets

  static func main() {
    for services in [10, 100, 1000] {
      var walks = Walks(services: services)
      measure("full walks, \(services) Services", 200_000) { walks.walk($0) }
    }
    var walks = Walks(services: 100)
    measure("packets of known fate", 5_000_000) { walks.look($0) }
    Addresses.plan()
    Addresses.burst()
  }

  /// Prints the seconds that something takes.
  static func time(_ what: String, _ work: () -> Void) {
    let time = ContinuousClock().measure(work)
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    print("\(what)\t\((seconds * 1000).rounded() / 1000) s")
  }

  private static func measure(_ what: String, _ count: Int, _ work: (Int) -> Int) {
    var arrived = 0
    let time = ContinuousClock().measure { arrived = work(count) }
    precondition(arrived == count, "\(count - arrived) of \(count) packets did not arrive")
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    print("\(what)\t\(Int(Double(count) / seconds))")
  }

  init(services count: Int) {
    let vpc = CIDR("10.0.0.0/16")!
    let group = SecurityGroupRules(
      "sg", [.init(egress: true, nil, -1, -1, .block(.everything)), .init(egress: false, nil, -1, -1, .group("sg"))])
    var fabric = Fabric(
      vpcs: [.init("vpc", blocks: [vpc])],
      subnets: [1, 2].map {
        .init(
          "subnet-\($0)", vpc: 0, block: CIDR("10.0.\($0).0/24")!, routeTable: .known(0), acl: .known(0))
      },
      routeTables: [.init("rtb", .known([.init([vpc], .local), .init([.everything], .internetGateway("igw"))]))],
      acls: [.init("acl", .known([.init(100, egress: true, allow: true), .init(100, egress: false, allow: true)]))],
      groups: ["sg": .known(group)])
    let ports = (0..<count).map { number in
      ServicePort(
        "default", "svc\(number)", address: IPv4Address(bits: 0x0a64_0001 + UInt32(number)), port: 80,
        endpoints: (0..<3).map { .init(Walks.pod(2, (number + $0) % Walks.pods), Walks.port, node: "n2") })
    }
    let interfaces = [1, 2].map(Walks.interface)
    fabric.add(interfaces)
    packets = ClusterPackets(fabric, services: ports)
    for node in [1, 2] {
      let pods: [JSON] = (0..<Walks.pods).map { number in
        [
          "metadata": ["namespace": "default", "name": .string("n\(node)-\(number)")],
          "status": ["podIP": .string("\(Walks.pod(node, number))"), "phase": "Running"],
        ]
      }
      let isLaidOut = packets.add(
        .init("n\(node)", interfaces: [interfaces[node - 1]], pods: pods, settings: CNISettings()))
      precondition(isLaidOut)
    }
  }

  private static func pod(_ node: Int, _ number: Int) -> IPv4Address {
    IPv4Address(bits: 0x0a00_000b + UInt32(node) << 8 + UInt32(number))
  }

  private static func interface(_ node: Int) -> JSON {
    let addresses = ["10.0.\(node).10"] + (0..<pods).map { "\(pod(node, $0))" }
    return [
      "NetworkInterfaceId": .string("eni-\(node)"), "SubnetId": .string("subnet-\(node)"),
      "Groups": [["GroupId": "sg"]], "Attachment": ["InstanceId": .string("i-\(node)"), "DeviceIndex": 0],
      "PrivateIpAddresses": .array(
        addresses.enumerated().map { ["PrivateIpAddress": .string($1), "Primary": .bool($0 == 0)] }),
    ]
  }

  private var stacks: [Int] { (0..<Walks.pods).map { packets.pods["default/n1-\($0)"]! } }

  /// How many of so many packets arrive, none of a connection that was there.
  private mutating func walk(_ count: Int) -> Int {
    let stacks = stacks
    var choices = PathChoices(drawing: 1)
    var trace = Trace(kept: false)
    var arrived = 0
    for number in 0..<count {
      if number & 1023 == 0 { packets.network.forgetFlows() }
      let service = packets.services[number % packets.services.count]
      let packet = Packet(
        .tcp, from: Walks.pod(1, number % Walks.pods), UInt16(1024 + number % 60_000), to: service.clusterAddress,
        service.port)
      let fate = packets.network.walk(packet, from: .stack(stacks[number % Walks.pods]), &trace, &choices)
      if case .delivered = fate.outcome { arrived += 1 }
    }
    return arrived
  }

  /// The same with what is remembered of flows.
  private mutating func look(_ count: Int) -> Int {
    let stacks = stacks
    var cache = FlowCache()
    var choices = PathChoices(drawing: 1)
    var arrived = 0
    let target = packets.services[packets.services.count / 2]
    for number in 0..<count {
      let packet = Packet(
        .tcp, from: Walks.pod(1, number % Walks.pods), UInt16(1024 + number % 100), to: target.clusterAddress,
        target.port, flags: .ack)
      let fate = cache.walk(packet, from: .stack(stacks[number % Walks.pods]), in: &packets.network, &choices)
      if case .delivered = fate.outcome { arrived += 1 }
    }
    cache.settle(into: &packets.network)
    return arrived
  }
}
