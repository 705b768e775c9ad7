import Wire

/// How many pods get an address on nodes that do not exist yet: the pools of such nodes are run, by the rules that
/// ipamd's pool has, against subnets that are as full as the real ones.
package struct PodFit: Sendable {
  package struct Plan: Sendable {
    package var limits: InstanceLimits
    package var settings: PoolSettings
    /// What the kubelet is started with.
    package var maxPods: Int
    package var nodes: Int
    /// Pods on the host's network of each node: they count as pods and take no address.
    package var hostPods = 2
    /// Where nodes stand, in turn.
    package var subnets: [Subnet]
    /// Where pods' interfaces stand with custom networking, in turn; elsewhere those of the nodes.
    package var podSubnets: [Subnet]
    /// Pods that are wanted; nil for as many as fit.
    package var pods: Int?

    package init(
      limits: InstanceLimits, settings: PoolSettings, maxPods: Int, nodes: Int, subnets: [Subnet],
      podSubnets: [Subnet] = [], pods: Int? = nil
    ) {
      self.limits = limits
      self.settings = settings
      self.maxPods = maxPods
      self.nodes = nodes
      self.subnets = subnets
      self.podSubnets = podSubnets
      self.pods = pods
    }
  }

  package struct Subnet: Sendable {
    package var id: String
    package var space: SubnetSpace

    package init(_ id: String, _ space: SubnetSpace) {
      self.id = id
      self.space = space
    }
  }

  /// What stops the next pod of a node.
  package enum Bound: String, Sendable {
    case maxPods = "max-pods"
    case interfaces = "eni-limit"
    case subnet
    /// Not even its own address was there.
    case noNode = "no-node"
  }

  package struct Node: Sendable {
    package var subnet: String
    package var pods: Int
    package var enis: Int
    package var addresses: Int
    package var bound: Bound?
  }

  package struct Outcome: Sendable {
    package var nodes: [Node]
    /// Free addresses by subnet, before and after.
    package var free: [(subnet: String, before: Int, after: Int)]
    /// Branch interfaces that a node offers beside; 0 without security groups for pods.
    package var branchesPerNode: Int

    package var pods: Int { nodes.reduce(0) { $0 + $1.pods } }
    package var standing: Int { nodes.count { $0.bound != .noNode } }
  }

  private struct Machine {
    var pool: IPPool
    var own: Int
    var podSubnet: Int
    var pods = 0
    var refused = false
    var bound: Bound?
    var lastENI = 0
  }

  private let plan: Plan
  private var spaces: [Subnet]
  private var machines: [Machine] = []
  private var now = Timestamp(seconds: 1_800_000_000)

  private init(_ plan: Plan) {
    self.plan = plan
    spaces = plan.subnets + plan.podSubnets
  }

  /// Nodes that one question may be about: each pod of each is worked out.
  package static let nodeLimit = 5000

  package static func simulate(_ plan: Plan) -> Outcome {
    var fit = PodFit(plan)
    return fit.run()
  }

  private mutating func run() -> Outcome {
    let before = spaces
    for index in 0..<min(plan.nodes, PodFit.nodeLimit) { start(index) }
    for index in machines.indices { settle(index) }
    // Pods come one by one, to the nodes in turn, as a scheduler spreads them.
    var left = plan.pods ?? Int.max
    var moved = true
    while moved, left > 0 {
      moved = false
      for index in machines.indices where machines[index].bound == nil && left > 0 {
        guard machines[index].pods + plan.hostPods < plan.maxPods else {
          machines[index].bound = .maxPods
          continue
        }
        guard addPod(index) else { continue }
        moved = true
        left -= 1
      }
    }
    let branches = plan.settings.podENI && plan.limits.supportsTrunk ? plan.limits.maxBranchENIs : 0
    return Outcome(
      nodes: machines.map { machine in
        Node(
          subnet: plan.subnets[machine.own].id, pods: machine.pods, enis: machine.pool.enis.count,
          addresses: machine.pool.totalIPs, bound: machine.bound)
      },
      free: spaces.indices.map { (spaces[$0].id, before[$0].space.freeCount, spaces[$0].space.freeCount) },
      branchesPerNode: branches)
  }

  private mutating func start(_ index: Int) {
    let own = index % max(plan.subnets.count, 1)
    let podSubnet =
      plan.settings.customNetworking && !plan.podSubnets.isEmpty
      ? plan.subnets.count + index % plan.podSubnets.count : own
    var pool = IPPool(
      settings: plan.settings, instanceID: "i-\(index)", maxENIs: plan.limits.maxENIs,
      ipv4PerENI: plan.limits.ipv4PerENI, maxPods: plan.maxPods)
    if plan.settings.maxENI >= 1 { pool.maxENIs = min(pool.maxENIs, plan.settings.maxENI) }
    pool.supportsTrunk = plan.limits.supportsTrunk
    var machine = Machine(pool: pool, own: own, podSubnet: podSubnet)
    guard let address = spaces[own].space.takeAny() else {
      machine.bound = .noNode
      machines.append(machine)
      return
    }
    // The trunk takes an address of the node's subnet as every interface does.
    if plan.settings.podENI, plan.limits.supportsTrunk { _ = spaces[own].space.takeAny() }
    machines.append(machine)
    let eni = IPPool.ENI(
      id: "eni-\(index)-0", device: 0, isPrimary: true, address: address.description, createdAt: now)
    take(.start([eni]), index)
  }

  private mutating func addPod(_ index: Int) -> Bool {
    let pod = "pod-\(machines[index].pods)"
    machines[index].refused = false
    take(.add(pod: pod), index)
    if machines[index].refused {
      // A pause is waited for, and the sandbox tried again: only what comes of that counts.
      now = now + .seconds(125)
      settle(index)
      machines[index].refused = false
      take(.add(pod: pod), index)
    }
    guard !machines[index].refused else {
      machines[index].bound = machines[index].pool.facts.hasRoom.isYes || roomLeft(index) ? .subnet : .interfaces
      return false
    }
    machines[index].pods += 1
    settle(index)
    return true
  }

  private func roomLeft(_ index: Int) -> Bool {
    let pool = machines[index].pool
    return pool.enis.contains { eni in
      !eni.isTrunk && !(plan.settings.customNetworking && eni.isPrimary) && eni.blocks.count < pool.perENI
    }
  }

  /// Turns of the loop until one asks for nothing.
  private mutating func settle(_ index: Int) {
    for _ in 0..<40 {
      let before = machines[index].pool.totalIPs
      now = now + .seconds(5)
      take(.resize, index)
      if machines[index].pool.totalIPs == before { return }
    }
  }

  // MARK: EC2, which answers at once

  private mutating func take(_ input: IPPool.Input, _ index: Int) {
    let (next, effects, _) = machines[index].pool.step(input, now)
    machines[index].pool = next
    for effect in effects { answer(effect, index) }
  }

  private mutating func answer(_ effect: IPPool.Effect, _ index: Int) {
    let at = machines[index].podSubnet
    switch effect {
    case .assign(let id, let count, let prefixes):
      // An interface grows in the subnet where it stands.
      let isPrimary = machines[index].pool.enis.first { $0.id == id }?.isPrimary ?? false
      guard let cidrs = grab(count, prefixes, isPrimary ? machines[index].own : at) else {
        return fail(prefixes, index)
      }
      take(.assigned(cidrs), index)
    case .createENI(let count, let prefixes):
      let before = spaces[at].space
      guard let own = spaces[at].space.takeAny(), let cidrs = grab(count, prefixes, at) else {
        spaces[at].space = before
        return fail(prefixes, index)
      }
      machines[index].lastENI += 1
      let device = machines[index].lastENI
      let eni = IPPool.ENI(
        id: "eni-\(index)-\(device)", device: device, address: own.description, createdAt: now, cidrs: cidrs)
      take(.created(eni), index)
    case .unassign(let id, let cidrs):
      let isPrimary = machines[index].pool.enis.first { $0.id == id }?.isPrimary ?? false
      for cidr in cidrs {
        if cidr.length == 32 {
          spaces[isPrimary ? machines[index].own : at].space.release(cidr.base)
        } else {
          spaces[isPrimary ? machines[index].own : at].space.release(cidr)
        }
      }
    case .refuse: machines[index].refused = true
    case .deleteENI, .give, .released, .log, .readENI: break
    }
  }

  /// All of them, or none.
  private mutating func grab(_ count: Int, _ prefixes: Bool, _ at: Int) -> [CIDR]? {
    var space = spaces[at].space
    var taken: [CIDR] = []
    for _ in 0..<count {
      if prefixes {
        guard let prefix = space.takePrefix() else { return nil }
        taken.append(prefix)
      } else {
        guard let address = space.takeAny() else { return nil }
        taken.append(CIDR(address, length: 32))
      }
    }
    spaces[at].space = space
    return taken
  }

  private mutating func fail(_ prefixes: Bool, _ index: Int) {
    let error = SubnetSpace.exhaustion(prefixes: prefixes)
    take(.failed(code: error.code, message: error.message), index)
  }
}
