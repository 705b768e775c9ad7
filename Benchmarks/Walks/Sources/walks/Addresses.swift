import Mechanisms
import Wire

/// What address pools cost: a plan of a large fleet, and ipamd on many nodes through a burst of pods, second by second.
enum Addresses {
  private static let limits = InstanceLimits.named("m5.large")!

  /// Seconds that 150,000 pods on 5,000 nodes take to be planned.
  static func plan(nodes: Int = 5000, pods: Int = 150_000) {
    var settings = PoolSettings()
    settings.prefixDelegation = true
    let plan = PodFit.Plan(
      limits: limits, settings: settings, maxPods: 110, nodes: nodes,
      subnets: (0..<5).map { PodFit.Subnet("subnet-\($0)", SubnetSpace(CIDR("10.\($0).0.0/16")!)) }, pods: pods)
    Walks.time("address plan, \(nodes) nodes, \(pods) pods") {
      let outcome = PodFit.simulate(plan)
      precondition(outcome.pods == pods, "\(outcome.pods) pods fit")
    }
  }

  /// One node's agent: its pool, the pods that wait for an address, and what EC2 has yet to answer.
  private struct Agent {
    var pool: IPPool
    var waiting: [String]
    var due: (at: Timestamp, input: IPPool.Input)?
    var enis = 1
    var given = 0
  }

  private static let latency = Duration.seconds(1)

  /// Seconds of wall time that 1,000 agents take until each of 20,000 pods has an address.
  static func burst(nodes: Int = 1000, pods: Int = 20_000) {
    Walks.time("ipamd on \(nodes) nodes through \(pods) pods") {
      let start = Timestamp(seconds: 1_800_000_000)
      var agents = (0..<nodes).map { node in
        var pool = IPPool(
          settings: PoolSettings(), instanceID: "i-\(node)", maxENIs: limits.maxENIs, ipv4PerENI: limits.ipv4PerENI,
          maxPods: 29)
        pool.enis = [eni(node, 0, start, count: limits.ipv4PerENI - 1)]
        return Agent(pool: pool, waiting: stride(from: node, to: pods, by: nodes).map { "pod-\($0)" })
      }
      var second = 0
      var given = 0
      while given < pods {
        precondition(second < 600, "\(given) of \(pods) pods have an address after \(second) s")
        let now = start + .seconds(second)
        for node in agents.indices { turn(&agents[node], node, second, now) }
        given = agents.reduce(0) { $0 + $1.given }
        second += 1
      }
    }
  }

  private static func turn(_ agent: inout Agent, _ node: Int, _ second: Int, _ now: Timestamp) {
    if let due = agent.due, due.at <= now {
      agent.due = nil
      take(due.input, &agent, node, now)
    }
    if second % 5 == node % 5 { take(.resize, &agent, node, now) }
    // A kubelet tries the sandboxes again that got nothing.
    let wanting = agent.waiting
    agent.waiting = []
    for pod in wanting { take(.add(pod: pod), &agent, node, now) }
  }

  private static func take(_ input: IPPool.Input, _ agent: inout Agent, _ node: Int, _ now: Timestamp) {
    let (pool, effects, _) = agent.pool.step(input, now)
    agent.pool = pool
    for effect in effects {
      switch effect {
      case .give: agent.given += 1
      case .refuse(let pod, _): agent.waiting.append(pod)
      case .createENI(let count, _):
        agent.due = (now + latency, .created(eni(node, agent.enis, now, count: count)))
        agent.enis += 1
      case .assign(_, let count, _):
        let base = UInt32(node) << 8 | 0x0b00_0000 | UInt32(agent.enis * 64)
        agent.due = (
          now + latency,
          .assigned((0..<count).map { CIDR(IPv4Address(bits: base + UInt32($0)), length: 32) })
        )
      default: break
      }
    }
  }

  private static func eni(_ node: Int, _ device: Int, _ now: Timestamp, count: Int) -> IPPool.ENI {
    let base = UInt32(node) << 8 | 0x0a00_0000 | UInt32(device * 16)
    return IPPool.ENI(
      id: "eni-\(node)-\(device)", device: device, isPrimary: device == 0, createdAt: now,
      cidrs: (1...count).map { CIDR(IPv4Address(bits: base + UInt32($0)), length: 32) })
  }
}
