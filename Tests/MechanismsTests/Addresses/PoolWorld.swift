import Mechanisms
import Wire

/// An EC2 that answers at once, for one node.
struct PoolWorld {
  var pool: IPPool
  var now = Timestamp(seconds: 1_800_000_000)
  var subnet: SubnetSpace
  var calls: [IPPool.Effect] = []
  var logs: [String] = []
  var given: [String: IPv4Address] = [:]
  var refused: [String] = []
  private var nextENI = 2

  init(
    _ settings: PoolSettings, type: String = "m5.large", maxPods: Int = 29, subnet: CIDR = CIDR("10.0.0.0/16")!,
    trunk: Bool = false, taken: Int = 0
  ) {
    let limits = InstanceLimits.named(type)!
    pool = IPPool(
      settings: settings, instanceID: "i-0123456789abcdef0", maxENIs: limits.maxENIs, ipv4PerENI: limits.ipv4PerENI,
      maxPods: maxPods)
    pool.supportsTrunk = trunk
    self.subnet = SubnetSpace(subnet)
    let own = self.subnet.takeAny()!
    for _ in 0..<taken { _ = self.subnet.takeAny() }
    run(.start([.init(id: "eni-1", device: 0, isPrimary: true, address: own.description, createdAt: now)]))
  }

  mutating func run(_ input: IPPool.Input) {
    let (next, effects, _) = pool.step(input, now)
    pool = next
    for effect in effects { answer(effect) }
  }

  private mutating func answer(_ effect: IPPool.Effect) {
    switch effect {
    case .assign(_, let count, let prefixes):
      calls.append(effect)
      guard let taken = take(count, prefixes) else { return fail(prefixes) }
      run(.assigned(taken))
    case .createENI(let count, let prefixes):
      calls.append(effect)
      let before = subnet
      guard let own = subnet.takeAny() else { return fail(prefixes) }
      guard let taken = take(count, prefixes) else {
        subnet = before
        return fail(prefixes)
      }
      let device = (1...).first { device in !pool.enis.contains { $0.device == device } }!
      defer { nextENI += 1 }
      run(
        .created(
          .init(id: "eni-\(nextENI)", device: device, address: own.description, createdAt: now, cidrs: taken)))
    case .unassign(_, let cidrs):
      calls.append(effect)
      if pool.settings.prefixDelegation {
        for cidr in cidrs { subnet.release(cidr) }
      } else {
        for cidr in cidrs { subnet.release(cidr.base) }
      }
    case .deleteENI: calls.append(effect)
    case .give(let pod, let address, _, _): given[pod] = address
    case .refuse(let pod, _): refused.append(pod)
    case .log(_, let message): logs.append(message)
    case .released, .readENI: break
    }
  }

  /// All of them, or none.
  private mutating func take(_ count: Int, _ prefixes: Bool) -> [CIDR]? {
    var space = subnet
    var taken: [CIDR] = []
    for _ in 0..<count {
      guard let next = prefixes ? space.takePrefix() : space.takeAny().map({ CIDR($0, length: 32) }) else { return nil }
      taken.append(next)
    }
    subnet = space
    return taken
  }

  private mutating func fail(_ prefixes: Bool) {
    let error = SubnetSpace.exhaustion(prefixes: prefixes)
    run(.failed(code: error.code, message: error.message))
  }

  /// That many turns of the loop, five seconds each.
  mutating func loops(_ count: Int) {
    for _ in 0..<count {
      now = now + .seconds(5)
      run(.resize)
    }
  }

  mutating func addPods(_ range: Range<Int>) {
    for index in range { run(.add(pod: "pod-\(index)")) }
  }

  mutating func removePods(_ range: Range<Int>) {
    for index in range { run(.remove(pod: "pod-\(index)")) }
  }

  /// Settles, then adds pods one by one, settling after each.
  mutating func settle(pods: Int) {
    loops(6)
    for index in 0..<pods {
      addPods(index..<index + 1)
      loops(6)
    }
  }

  var shape: [Int] { [pool.enis.count, pool.totalIPs] }
}
