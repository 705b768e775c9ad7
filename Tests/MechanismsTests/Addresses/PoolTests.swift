import Mechanisms
import Testing
import Wire

/// The pool of an m5.large, and of others, as amazon-vpc-cni-k8s sizes it.
@Suite struct PoolTests {
  /// pods, A.enis, A.ips, B.enis, B.ips, C.enis, C.ips, D.enis, D.prefixes, D.ips, D29.prefixes, D29.ips, who fails
  static let vectors = """
    0,1,9,1,5,2,10,1,1,16,1,16,
    1,2,18,1,6,2,10,1,2,32,2,32,
    2,2,18,1,7,2,10,1,2,32,2,32,
    3,2,18,1,8,2,10,1,2,32,2,32,
    4,2,18,1,9,2,10,1,2,32,2,32,
    5,2,18,2,10,2,10,1,2,32,2,32,
    6,2,18,2,11,2,10,1,2,32,2,32,
    7,2,18,2,12,2,10,1,2,32,2,32,
    8,2,18,2,13,2,10,1,2,32,2,32,
    9,2,18,2,14,2,11,1,2,32,2,32,
    10,3,27,2,15,2,12,1,2,32,2,32,
    11,3,27,2,16,2,13,1,2,32,2,32,
    12,3,27,2,17,2,14,1,2,32,2,32,
    13,3,27,2,18,2,15,1,2,32,2,32,
    14,3,27,3,19,2,16,1,2,32,2,32,
    15,3,27,3,20,2,17,1,2,32,2,32,
    16,3,27,3,21,2,18,1,2,32,2,32,
    17,3,27,3,22,3,19,1,3,48,2,32,
    18,3,27,3,23,3,20,1,3,48,2,32,
    19,3,27,3,24,3,21,1,3,48,2,32,
    20,3,27,3,25,3,22,1,3,48,2,32,
    21,3,27,3,26,3,23,1,3,48,2,32,
    22,3,27,3,27,3,24,1,3,48,2,32,
    23,3,27,3,27,3,25,1,3,48,2,32,
    24,3,27,3,27,3,26,1,3,48,2,32,
    25,3,27,3,27,3,27,1,3,48,2,32,
    26,3,27,3,27,3,27,1,3,48,2,32,
    27,3,27,3,27,3,27,1,3,48,2,32,
    28,3,27,3,27,3,27,1,3,48,2,32,A+B+C
    29,3,27,3,27,3,27,1,3,48,2,32,A+B+C
    """

  static func settings(_ change: (inout PoolSettings) -> Void) -> PoolSettings {
    var settings = PoolSettings()
    change(&settings)
    return settings
  }

  @Test func everyPodCount() {
    let b = Self.settings { $0.warmIPTarget = 5 }
    let c = Self.settings { ($0.minimumIPTarget, $0.warmIPTarget) = (10, 2) }
    let d = Self.settings { $0.prefixDelegation = true }
    var worlds = [
      PoolWorld(PoolSettings()), PoolWorld(b), PoolWorld(c), PoolWorld(d, maxPods: 110), PoolWorld(d, maxPods: 29),
    ]
    for index in worlds.indices { worlds[index].loops(6) }
    for line in Self.vectors.split(separator: "\n") {
      let row = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      let wanted = row.dropFirst().dropLast().compactMap { Int($0) }
      if let pods = Int(row[0]), pods > 0 {
        for index in worlds.indices {
          worlds[index].addPods(pods - 1..<pods)
          worlds[index].loops(6)
        }
      }
      let has =
        worlds[0].shape + worlds[1].shape + worlds[2].shape
        + [worlds[3].pool.enis.count, worlds[3].pool.totalPrefixes, worlds[3].pool.totalIPs]
        + [worlds[4].pool.totalPrefixes, worlds[4].pool.totalIPs]
      #expect(has == wanted, "\(row[0]) pods")
    }
    #expect(worlds.prefix(3).allSatisfy { $0.refused.contains("pod-27") && !$0.refused.contains("pod-26") })
    #expect(worlds[3].refused.isEmpty && worlds[4].refused.isEmpty)
    #expect(worlds[0].logs.contains("Skipping ENI allocation as the max ENI limit is already reached"))
  }

  struct Case: Sendable {
    var name: String
    var settings: PoolSettings
    var type = "m5.large"
    var maxPods = 29
    var trunk = false
    /// pods: [ENIs, addresses]
    var shapes: [(Int, [Int])]
  }

  static let cases: [Case] = [
    Case(
      name: "prefixes, WARM_IP_TARGET=5", settings: settings { ($0.prefixDelegation, $0.warmIPTarget) = (true, 5) },
      maxPods: 110, shapes: [(0, [1, 16]), (11, [1, 16]), (12, [1, 32]), (27, [1, 32]), (28, [1, 48])]),
    Case(
      name: "prefixes, MINIMUM 10, WARM 2",
      settings: settings { ($0.prefixDelegation, $0.warmIPTarget, $0.minimumIPTarget) = (true, 2, 10) }, maxPods: 110,
      shapes: [(0, [1, 16]), (14, [1, 16]), (15, [1, 32]), (30, [1, 32]), (31, [1, 48])]),
    Case(
      name: "custom networking", settings: settings { $0.customNetworking = true }, maxPods: 20,
      shapes: [(0, [2, 9]), (1, [3, 18]), (18, [3, 18])]),
    Case(
      name: "a slot kept for the trunk", settings: settings { $0.podENI = true }, trunk: true,
      shapes: [(0, [1, 9]), (1, [2, 18]), (18, [2, 18])]),
    Case(
      name: "WARM_ENI_TARGET=0", settings: settings { $0.warmENITarget = 0 },
      shapes: [(0, [1, 9]), (8, [1, 9]), (9, [2, 18]), (17, [2, 18]), (18, [3, 27]), (27, [3, 27])]),
    Case(
      name: "WARM_ENI_TARGET=2", settings: settings { $0.warmENITarget = 2 }, shapes: [(0, [2, 18]), (1, [3, 27])]),
    Case(
      name: "MAX_ENI=2", settings: settings { $0.maxENI = 2 }, shapes: [(0, [1, 9]), (1, [2, 18]), (18, [2, 18])]),
    Case(
      name: "m4.large", settings: PoolSettings(), type: "m4.large", maxPods: 20,
      shapes: [(0, [1, 9]), (1, [2, 18]), (18, [2, 18])]),
    Case(
      name: "m5.xlarge", settings: PoolSettings(), type: "m5.xlarge", maxPods: 58,
      shapes: [(0, [1, 14]), (14, [2, 28]), (15, [3, 42]), (28, [3, 42]), (29, [4, 56]), (56, [4, 56])]),
    Case(
      name: "t3.small", settings: PoolSettings(), type: "t3.small", maxPods: 11,
      shapes: [(0, [1, 3]), (1, [2, 6]), (3, [2, 6]), (4, [3, 9]), (9, [3, 9])]),
  ]

  @Test(arguments: cases.indices)
  func targets(index: Int) {
    let test = Self.cases[index]
    for (pods, shape) in test.shapes {
      var world = PoolWorld(test.settings, type: test.type, maxPods: test.maxPods, trunk: test.trunk)
      world.settle(pods: pods)
      #expect(world.shape == shape, "\(test.name), \(pods) pods")
      #expect(world.refused.isEmpty, "\(test.name), \(pods) pods")
    }
  }

  @Test func aBurstWaitsForTwoLoops() {
    var world = PoolWorld(PoolSettings())
    world.loops(2)
    world.addPods(0..<20)
    #expect(world.given.count == 9)
    #expect(world.refused.count == 11)
    world.loops(1)
    #expect(world.pool.totalIPs == 18)
    // The sandboxes that failed are tried again.
    world.addPods(9..<20)
    world.loops(1)
    #expect(world.pool.totalIPs == 27)
  }

  @Test(arguments: [
    ("default", [3, 27], [1, 9], [2, 18]), ("warm", [3, 25], [1, 5], [1, 8]), ("minimum", [3, 22], [2, 10], [2, 10]),
    ("prefix", [1, 48], [1, 16], [1, 32]), ("prefixWarm", [1, 32], [1, 16], [1, 16]),
  ])
  func scalesDown(name: String, before: [Int], toNone: [Int], toThree: [Int]) {
    let settings = Self.settings { settings in
      switch name {
      case "warm": settings.warmIPTarget = 5
      case "minimum": (settings.minimumIPTarget, settings.warmIPTarget) = (10, 2)
      case "prefix": settings.prefixDelegation = true
      case "prefixWarm": (settings.prefixDelegation, settings.warmIPTarget) = (true, 5)
      default: break
      }
    }
    for (left, after) in [(0, toNone), (3, toThree)] {
      var world = PoolWorld(settings, maxPods: settings.prefixDelegation ? 110 : 29)
      world.settle(pods: 20)
      #expect(world.shape == before, "\(name)")
      world.loops(13)
      world.removePods(left..<20)
      world.loops(5)
      if name == "default" { #expect(world.shape == before, "cooling keeps the interfaces") }
      world.loops(30)
      #expect(world.shape == after, "\(name), to \(left)")
    }
  }

  @Test func aFreedAddressCools() {
    var world = PoolWorld(Self.settings { $0.maxENI = 1 })
    world.loops(1)
    world.addPods(0..<9)
    world.removePods(0..<1)
    world.run(.add(pod: "late"))
    #expect(world.refused == ["late"], "an address is free, and cools")
    world.now = world.now + .seconds(31)
    world.run(.add(pod: "late"))
    #expect(world.given["late"] == world.given["pod-0"])
    #expect(world.pool.assignedIPs == 9)
  }

  // MARK: Subnets that run out

  private func world(_ settings: PoolSettings, free: Int, pods: Int) -> PoolWorld {
    var world = PoolWorld(settings, subnet: CIDR("10.0.0.0/24")!)
    for index in 0..<pods {
      world.addPods(index..<index + 1)
      if settings.warmDefined { world.loops(1) }
    }
    for _ in free..<world.subnet.freeCount { _ = world.subnet.takeAny() }
    return world
  }

  @Test func tooFewForANewInterface() {
    var world = world(PoolSettings(), free: 5, pods: 1)
    world.loops(3)
    #expect(world.pool.totalIPs == 9)
    #expect(world.subnet.freeCount == 5)
    #expect(world.calls.count { $0 == .createENI(count: 9, prefixes: false) } == 1, "then it pauses")
    world.now = world.now + .seconds(100)
    world.loops(1)
    #expect(world.logs.contains("Recently we had InsufficientCidr error hence will wait for 2m0s before retrying"))
    world.loops(2)
    #expect(world.calls.count { $0 == .createENI(count: 9, prefixes: false) } == 2)
  }

  @Test func enoughForASmallOne() {
    let settings = Self.settings { $0.warmIPTarget = 1 }
    var world = world(settings, free: 5, pods: 8)
    let before = world.subnet.freeCount
    world.addPods(8..<9)
    world.loops(1)
    #expect(world.shape == [2, 10])
    #expect(world.subnet.freeCount == before - 2)
  }

  @Test func oneByOneOfTheLastFour() {
    var world = PoolWorld(Self.settings { $0.warmIPTarget = 0 }, subnet: CIDR("10.0.0.0/28")!)
    // A /28 has 11 addresses: the interface's own and 9 are gone at the start.
    #expect(world.pool.totalIPs == 9)
    world = PoolWorld(PoolSettings(), subnet: CIDR("10.0.0.0/29")!)
    // 3 addresses, one for the interface itself.
    #expect(world.pool.totalIPs == 1, "nine were refused, then one asked for")
    world.loops(1)
    #expect(world.pool.totalIPs == 2)
    world.loops(1)
    #expect(world.pool.totalIPs == 2)
    #expect(world.pool.lastExhaustion != nil)
  }

  @Test func prefixesNeedAlignedBlocks() {
    #expect(SubnetSpace(CIDR("10.0.0.0/27")!).freePrefixes.isEmpty)
    #expect(
      SubnetSpace(CIDR("10.0.0.0/26")!, used: [IPv4Address("10.0.0.5")!, IPv4Address("10.0.0.50")!]).freePrefixes
        == [CIDR("10.0.0.16/28")!, CIDR("10.0.0.32/28")!])
    let strays = (0..<16).map { IPv4Address("10.0.0.8")! + $0 * 16 }
    let fragmented = SubnetSpace(CIDR("10.0.0.0/24")!, used: strays)
    #expect(fragmented.freePrefixes.isEmpty)
    #expect(fragmented.freeCount == 235)
  }

  @Test func readingASubnet() throws {
    let subnet: JSON = ["SubnetId": "subnet-1", "CidrBlock": "10.0.0.0/26", "AvailableIpAddressCount": 57]
    let interfaces: [JSON] = [
      ["SubnetId": "subnet-1", "PrivateIpAddresses": [["PrivateIpAddress": "10.0.0.20"]]],
      ["SubnetId": "subnet-2", "PrivateIpAddresses": [["PrivateIpAddress": "10.0.0.40"]]],
    ]
    let read = try #require(SubnetShortage.Subnet(describe: subnet, interfaces: .known(interfaces)))
    #expect(read.freePrefixes.value == 1)
    let two = PoolNextRequest.Request(kind: .createENI, count: 2, prefixes: true)
    let verdict = SubnetShortage.decide(.init(request: .known(two), subnets: .known([read])))
    #expect(verdict.value == 33)
    #expect(verdict.reasons.map(\.code) == ["addresses/subnet-shortage/fragmented"])
    let partly = try #require(SubnetShortage.Subnet(describe: subnet))
    #expect(
      SubnetShortage.decide(.init(request: .known(two), subnets: .known([partly]))).gaps == [SubnetShortage.blocksGap])
  }

  @Test func readingAPool() {
    let daemonSet: JSON = [
      "spec": [
        "template": [
          "spec": ["containers": [["name": "aws-node", "env": [["name": "WARM_ENI_TARGET", "value": "1"]]]]]
        ]
      ]
    ]
    func eni(_ device: Int64, _ subnet: String, _ addresses: [String]) -> JSON {
      var list: JSON = [["Primary": true, "PrivateIpAddress": "10.0.9.\(device)"]]
      for address in addresses { list.append(["Primary": false, "PrivateIpAddress": .string(address)]) }
      return ["SubnetId": .string(subnet), "Attachment": ["DeviceIndex": .int(device)], "PrivateIpAddresses": list]
    }
    func pod(_ address: String, host: Bool = false) -> JSON {
      ["spec": ["hostNetwork": .bool(host)], "status": ["podIP": .string(address), "phase": "Running"]]
    }
    let interfaces = [eni(0, "subnet-1", ["10.0.0.1", "10.0.0.2"]), eni(1, "subnet-2", ["10.0.1.1"])]
    let limits = Fact<InstanceLimits>.known(InstanceLimits.named("m5.large")!)
    func read(_ subnets: Fact<[JSON]>?) -> PoolFacts {
      PoolFacts.read(
        awsNode: .known(daemonSet), node: .known(["status": ["capacity": ["pods": "29"]]]), limits: limits,
        interfaces: .known(interfaces), pods: .known([pod("10.0.0.1"), pod("10.0.9.0", host: true)]), subnets: subnets)
    }
    let facts = read(nil)
    #expect([facts.total.value, facts.assigned.value, facts.enis.value, facts.maxPods.value] == [3, 1, 2, 29])
    #expect(facts.tooLow == .yes)
    #expect(facts.hasRoom == .yes)
    let tagged: JSON = ["SubnetId": "subnet-2", "Tags": [["Key": "kubernetes.io/role/cni", "Value": "0"]]]
    let without = read(.known([tagged]))
    #expect([without.total.value, without.enis.value, without.excluded.value] == [2, 2, 1])
    #expect(!read(.unknown(.hidden)).tooLow.gaps.isEmpty)
  }
}
