import Mechanisms
import Testing
import Wire

/// How many pods fit, against what the pool's vectors say.
@Suite struct PodFitTests {
  private func plan(
    _ type: String = "m5.large", nodes: Int = 1, maxPods: Int? = nil, block: String = "10.0.0.0/16", pods: Int? = nil,
    _ change: (inout PoolSettings) -> Void = { _ in }
  ) -> PodFit.Plan {
    let limits = InstanceLimits.named(type)!
    let settings = PoolTests.settings(change)
    return PodFit.Plan(
      limits: limits, settings: settings, maxPods: maxPods ?? MaxPods.formula(limits), nodes: nodes,
      subnets: [.init("subnet-1", SubnetSpace(CIDR(block)!))],
      podSubnets: settings.customNetworking ? [.init("subnet-2", SubnetSpace(CIDR("100.64.0.0/16")!))] : [], pods: pods)
  }

  struct Case: Sendable {
    var name: String
    var type = "m5.large"
    var maxPods: Int
    var change: @Sendable (inout PoolSettings) -> Void = { _ in }
    var pods: Int
    var bound: PodFit.Bound
  }

  /// maxPods counts the two pods on the host's network.
  static let cases: [Case] = [
    Case(name: "by max-pods", maxPods: 29, pods: 27, bound: .maxPods),
    Case(name: "by the instance", maxPods: 110, pods: 27, bound: .interfaces),
    Case(name: "t3.small", type: "t3.small", maxPods: 110, pods: 9, bound: .interfaces),
    Case(name: "prefixes", maxPods: 110, change: { $0.prefixDelegation = true }, pods: 108, bound: .maxPods),
    Case(
      name: "prefixes without a cap", maxPods: 500, change: { $0.prefixDelegation = true }, pods: 432,
      bound: .interfaces),
    Case(
      name: "custom networking", maxPods: 29, change: { $0.customNetworking = true }, pods: 18, bound: .interfaces),
    Case(name: "with a trunk", maxPods: 29, change: { $0.podENI = true }, pods: 18, bound: .interfaces),
    Case(name: "MAX_ENI=2", maxPods: 29, change: { $0.maxENI = 2 }, pods: 18, bound: .interfaces),
  ]

  @Test(arguments: cases.indices)
  func oneNode(index: Int) {
    let test = Self.cases[index]
    let outcome = PodFit.simulate(plan(test.type, maxPods: test.maxPods, test.change))
    #expect(outcome.pods == test.pods, "\(test.name)")
    #expect(outcome.nodes.first?.bound == test.bound, "\(test.name)")
  }

  /// Three nodes of a /26 with 59 addresses: spares take what a smaller target leaves to pods.
  @Test func aSubnetIsShared() {
    let greedy = PodFit.simulate(plan(nodes: 3, block: "10.0.0.0/26"))
    let frugal = PodFit.simulate(plan(nodes: 3, block: "10.0.0.0/26") { $0.warmIPTarget = 1 })
    #expect(greedy.pods < frugal.pods)
    #expect(frugal.nodes.contains { $0.bound == .subnet })
    #expect(frugal.free[0].before == 59)
    #expect(frugal.free[0].after == 59 - frugal.nodes.reduce(0) { $0 + $1.addresses + $1.enis })
    let none = PodFit.simulate(plan(nodes: 20, block: "10.0.0.0/28") { $0.warmIPTarget = 1 })
    #expect(none.nodes.contains { $0.bound == .noNode })
  }

  /// A /27 has no whole block of 16 that is AWS' own nowhere.
  @Test func prefixesNeedWholeBlocks() {
    let outcome = PodFit.simulate(plan(maxPods: 110, block: "10.0.0.0/27") { $0.prefixDelegation = true })
    #expect(outcome.pods == 0)
    #expect(outcome.nodes[0].bound == .subnet)
  }

  @Test func asManyAsAreWanted() {
    let outcome = PodFit.simulate(plan(nodes: 3, pods: 10))
    #expect(outcome.nodes.map(\.pods) == [4, 3, 3])
    #expect(outcome.nodes.allSatisfy { $0.bound == nil })
    #expect(outcome.branchesPerNode == 0)
  }
}
