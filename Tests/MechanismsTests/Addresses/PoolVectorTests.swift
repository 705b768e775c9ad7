import Mechanisms
import Testing
import Wire

/// Published and derived vectors of the pool that need more than one look: the pod that fails, prefixes past 29 pods,
/// how a pool shrinks, and subnets that run out in each of their ways.
@Suite struct PoolVectorTests {
  private static func settings(_ change: (inout PoolSettings) -> Void) -> PoolSettings { PoolTests.settings(change) }

  // MARK: Ceilings

  struct Ceiling: Sendable {
    var name: String
    var settings: PoolSettings
    var type = "m5.large"
    var maxPods = 29
    var trunk = false
    /// The first pod of the network that gets no address.
    var fails: Int
  }

  static let ceilings: [Ceiling] = [
    Ceiling(name: "default", settings: PoolSettings(), fails: 28),
    Ceiling(name: "WARM_IP_TARGET=5", settings: settings { $0.warmIPTarget = 5 }, fails: 28),
    Ceiling(
      name: "MINIMUM 10, WARM 2", settings: settings { ($0.minimumIPTarget, $0.warmIPTarget) = (10, 2) }, fails: 28),
    Ceiling(
      name: "custom networking", settings: settings { $0.customNetworking = true }, maxPods: 20, fails: 19),
    Ceiling(name: "a slot kept for the trunk", settings: settings { $0.podENI = true }, trunk: true, fails: 19),
    Ceiling(name: "WARM_ENI_TARGET=0", settings: settings { $0.warmENITarget = 0 }, fails: 28),
    Ceiling(name: "WARM_ENI_TARGET=2", settings: settings { $0.warmENITarget = 2 }, fails: 28),
    Ceiling(name: "MAX_ENI=2", settings: settings { $0.maxENI = 2 }, fails: 19),
    Ceiling(name: "m4.large", settings: PoolSettings(), type: "m4.large", maxPods: 20, fails: 19),
    Ceiling(name: "m5.xlarge", settings: PoolSettings(), type: "m5.xlarge", maxPods: 58, fails: 57),
    Ceiling(name: "t3.small", settings: PoolSettings(), type: "t3.small", maxPods: 11, fails: 10),
  ]

  @Test(arguments: ceilings.indices)
  func theFirstPodWithoutAnAddress(index: Int) {
    let test = Self.ceilings[index]
    var world = PoolWorld(test.settings, type: test.type, maxPods: test.maxPods, trunk: test.trunk)
    world.settle(pods: test.fails)
    #expect(world.refused == ["pod-\(test.fails - 1)"], "\(test.name)")
  }

  /// WARM_PREFIX_TARGET=1 with maxPods 110: one prefix more than the pods need, until the pool is past maxPods.
  @Test func prefixesOfEveryPodCount() {
    var world = PoolWorld(Self.settings { $0.prefixDelegation = true }, maxPods: 110)
    world.loops(6)
    #expect(world.pool.totalPrefixes == 1)
    for pods in 1...110 {
      world.addPods(pods - 1..<pods)
      world.loops(6)
      #expect(world.pool.totalPrefixes == min((pods + 15) / 16 + 1, 7), "\(pods) pods")
      #expect(world.pool.enis.count == 1)
    }
    #expect(world.refused.isEmpty)
  }

  @Test(arguments: [(5, 0, [11, 27, 43]), (2, 10, [14, 30, 46])])
  func prefixesUnderTargets(warm: Int, minimum: Int, last: [Int]) {
    let settings = Self.settings {
      ($0.prefixDelegation, $0.warmIPTarget, $0.minimumIPTarget) = (true, warm, minimum)
    }
    var world = PoolWorld(settings, maxPods: 110)
    world.loops(6)
    for pods in 0...last[2] {
      if pods > 0 {
        world.addPods(pods - 1..<pods)
        world.loops(6)
      }
      #expect(world.pool.totalPrefixes == last.firstIndex { pods <= $0 }! + 1, "\(pods) pods")
    }
  }

  // MARK: Shrinking

  /// What is given back in the one step after 20 pods have gone, the highest interface first.
  @Test(arguments: [
    (5, 0, false, [7, 9, 4], 2), (2, 10, false, [4, 8], 1), (0, 0, true, [2], 0), (5, 0, true, [1], 0),
    (0, 0, false, [], 2),
  ])
  func whatIsGivenBack(warm: Int, minimum: Int, prefixes: Bool, unassigned: [Int], deleted: Int) {
    let settings = Self.settings {
      ($0.warmIPTarget, $0.minimumIPTarget, $0.prefixDelegation) = (warm, minimum, prefixes)
    }
    var world = PoolWorld(settings, maxPods: prefixes ? 110 : 29)
    world.settle(pods: 20)
    world.loops(13)
    world.calls = []
    world.removePods(0..<20)
    world.loops(40)
    var counts: [Int] = []
    var gone = 0
    for call in world.calls {
      if case .unassign(_, let cidrs) = call { counts.append(cidrs.count) }
      if case .deleteENI = call { gone += 1 }
    }
    #expect(counts == unassigned)
    #expect(gone == deleted)
  }

  // MARK: Subnets that run out

  /// Four addresses are left beside a fresh interface: nine are refused, one is given, and so on to the last.
  @Test func theLastFourOneByOne() {
    var world = PoolWorld(PoolSettings(), subnet: CIDR("10.0.0.0/28")!, taken: 6)
    var totals = [world.pool.totalIPs]
    for _ in 0..<3 {
      world.loops(1)
      totals.append(world.pool.totalIPs)
    }
    #expect(totals == [1, 2, 3, 4])
    #expect(world.pool.lastExhaustion == nil)
    world.loops(1)
    #expect(world.pool.totalIPs == 4)
    #expect(world.pool.lastExhaustion == world.now)
    #expect(world.logs.contains { $0.hasPrefix("Unable to attach IPs/Prefixes for the ENI") })
  }

  /// Five are free: an interface with one address needs two of them.
  @Test func twoOfTheLastFive() {
    var world = PoolWorld(Self.settings { $0.warmIPTarget = 1 }, subnet: CIDR("10.0.0.0/28")!)
    world.settle(pods: 8)
    #expect(world.shape == [1, 9])
    var wide = PoolWorld(Self.settings { $0.warmIPTarget = 1 }, subnet: CIDR("10.0.0.0/27")!, taken: 12)
    wide.settle(pods: 8)
    #expect(wide.subnet.freeCount == 5)
    wide.addPods(8..<9)
    wide.loops(1)
    #expect(wide.shape == [2, 10])
    #expect(wide.subnet.freeCount == 3)
  }

  @Test func nothingIsAskedDuringThePause() {
    var world = PoolWorld(Self.settings { $0.prefixDelegation = true }, subnet: CIDR("10.0.0.0/27")!)
    let stopped = world.pool.lastExhaustion
    #expect(stopped == world.now)
    let asked = world.calls.count
    world.now = world.now + .seconds(114)
    world.loops(1)
    #expect(world.calls.count == asked)
    #expect(world.logs.last == "Recently we had InsufficientCidr error hence will wait for 2m0s before retrying")
    world.loops(1)
    #expect(world.calls.count > asked)
  }

  /// A /27 has two blocks of 16, and AWS' own addresses stand in both.
  @Test func aSubnetWithoutAWholeBlock() {
    var world = PoolWorld(Self.settings { $0.prefixDelegation = true }, subnet: CIDR("10.0.0.0/27")!)
    world.loops(60)
    #expect(world.pool.totalPrefixes == 0)
    #expect(world.subnet.freeCount == 26)
    #expect(
      world.logs.contains {
        $0.contains(
          "InsufficientCidrBlocks: The specified subnet does not have enough free cidr blocks to satisfy the request.")
      })
  }

  @Test func twoBlocksOfFour() {
    var space = SubnetSpace(CIDR("10.0.0.0/26")!)
    space.take(IPv4Address("10.0.0.5")!)
    space.take(IPv4Address("10.0.0.50")!)
    #expect(space.takePrefix() == CIDR("10.0.0.16/28")!)
    #expect(space.takePrefix() == CIDR("10.0.0.32/28")!)
    #expect(space.takePrefix() == nil)
  }

  /// One stray address in each block leaves 235 free and not one prefix. A reservation, made in time, keeps strays out.
  @Test func fragmentsAndTheirCure() {
    let block = CIDR("10.0.0.0/24")!
    var fragmented = SubnetSpace(block, used: (0..<16).map { IPv4Address("10.0.0.8")! + $0 * 16 })
    #expect(fragmented.freeCount == 235)
    #expect(fragmented.takePrefix() == nil)
    var reserved = SubnetSpace(block)
    reserved.reserve(CIDR("10.0.0.128/25")!, forPrefixes: true)
    for offset in 0..<16 { _ = reserved.takeAny(from: offset * 16) }
    #expect(reserved.takePrefix() == CIDR("10.0.0.128/28")!)
    #expect(reserved.freePrefixes.count == 6, "the last of the eight blocks holds the broadcast address")
  }

  @Test(arguments: [(28, 11), (27, 27), (24, 251), (19, 8187)])
  func usableAddresses(length: Int, count: Int) {
    #expect(SubnetSpace(CIDR(IPv4Address("10.0.0.0")!, length: length)).usable == count)
  }
}
