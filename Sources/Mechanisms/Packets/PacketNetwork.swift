import Wire

/// Everything that packets cross: network stacks, and the VPCs between them.
package struct PacketNetwork: Sendable {
  package var stacks: [NetworkStack]
  package var fabric: Fabric
  /// What the node's agent has loaded for pods, by their stacks.
  package var policies: [Int: Fact<PodPolicy>] = [:]
  /// Flows that policies let through, by stack.
  private var admitted: [Int: Set<FlowKey>] = [:]

  /// More hops than a packet's lifetime are a loop.
  static let stepLimit = 128

  package init(stacks: [NetworkStack] = [], fabric: Fabric = Fabric()) {
    self.stacks = stacks
    self.fabric = fabric
  }

  /// Where a packet sets out.
  package enum Origin: Sendable, Hashable {
    /// A process of a network stack.
    case stack(Int)
    /// A service behind an interface of the VPC.
    case port(Int)
    /// The metadata service, which answers an interface's holder.
    case host(Int)
    /// A gateway endpoint's service, answering an interface.
    case endpoint(Int)
    case internet
  }

  package enum Place: Sendable, Hashable {
    case stack(Int)
    /// What is behind an interface of the VPC, when it is no stack.
    case port(Int)
    case metadata(Int)
    case resolver(Int)
    /// A service behind a gateway endpoint, reached from that interface.
    case endpoint(Int)
    case internet
  }

  package enum Outcome: Sendable, Hashable {
    case delivered(Place)
    /// Dropped in silence or rejected with an error: the last hop says which.
    case stopped
    /// It hangs on something that isn't known.
    case unknown
  }

  /// How a packet ended.
  package struct Fate: Sendable {
    package var outcome: Outcome
    package var packet: Packet
    /// What would have to be known for the verdict to stand.
    package var gaps: [Gap]

    /// Yes, no, or open: an unknown fact on the way opens a yes, and leaves a no.
    package var truth: Truth {
      switch outcome {
      case .stopped: .no
      case .unknown: .open(gaps)
      case .delivered: gaps.isEmpty ? .yes : .open(gaps)
      }
    }
  }

  private enum Position {
    case send(Int)
    case receive(Int, interface: Int)
    case leave(Int)
    case arrive(Int)
    case comeBack(Int)
    case inbound
  }

  /// Moves one packet from where it sets out to where it ends.
  package mutating func walk(
    _ packet: Packet, from origin: Origin, _ trace: inout Trace, _ choices: inout PathChoices
  ) -> Fate {
    var packet = packet
    var gaps: [Gap] = []
    var position: Position
    switch origin {
    case .stack(let stack): position = .send(stack)
    case .port(let port): position = .leave(port)
    case .host(let port): position = .arrive(port)
    case .endpoint(let port): position = .comeBack(port)
    case .internet: position = .inbound
    }
    for _ in 0..<PacketNetwork.stepLimit {
      switch position {
      case .send(let stack):
        let (step, after) = stacks[stack].send(packet, at: stack, &trace, &choices)
        packet = after
        guard let next = follow(step, stack, packet, &trace, &gaps) else {
          return end(step, stack, packet, gaps, trace)
        }
        position = next
      case .receive(let stack, let interface):
        let (step, after) = stacks[stack].receive(packet, on: interface, at: stack, &trace, &choices)
        packet = after
        guard let next = follow(step, stack, packet, &trace, &gaps) else {
          return end(step, stack, packet, gaps, trace)
        }
        position = next
      case .leave(let port):
        if ControlPlaneHost.keeps(packet, from: fabric.ports[port].holder) {
          trace.note(.keptByHolder, port, packet)
          return Fate(outcome: .stopped, packet: packet, gaps: gaps)
        }
        let step = fabric.leave(port, &packet, &trace, &gaps)
        if let fate = settle(step, packet, gaps, &position) { return fate }
      case .comeBack(let port):
        let step = fabric.fromEndpoint(port, packet, &trace, &gaps)
        if let fate = settle(step, packet, gaps, &position) { return fate }
      case .inbound:
        guard let port = fabric.port(ofPublic: packet.destination) else {
          trace.note(.noSuchAddress, -1, packet)
          return Fate(outcome: .stopped, packet: packet, gaps: gaps)
        }
        let step = fabric.fromOutside(port, &packet, &trace, &gaps)
        if let fate = settle(step, packet, gaps, &position) { return fate }
      case .arrive(let port):
        switch fabric.ports[port].holder {
        case .stack(let stack, let interface): position = .receive(stack, interface: interface)
        case .natGateway(let gateway):
          let step = fabric.enterGateway(gateway, &packet, &trace, &gaps)
          if let fate = settle(step, packet, gaps, &position) { return fate }
        case .service, .machine:
          return Fate(outcome: .delivered(.port(port)), packet: packet, gaps: gaps)
        case .nobody:
          trace.note(.notAttached, port, packet)
          return Fate(outcome: .stopped, packet: packet, gaps: gaps)
        }
      }
    }
    trace.note(.loop, -1, packet)
    return Fate(outcome: .stopped, packet: packet, gaps: gaps)
  }

  private func settle(_ step: FabricStep, _ packet: Packet, _ gaps: [Gap], _ position: inout Position) -> Fate? {
    switch step {
    case .enter(let port):
      position = .arrive(port)
      return nil
    case .metadata(let port): return Fate(outcome: .delivered(.metadata(port)), packet: packet, gaps: gaps)
    case .resolver(let port): return Fate(outcome: .delivered(.resolver(port)), packet: packet, gaps: gaps)
    case .endpoint(let port): return Fate(outcome: .delivered(.endpoint(port)), packet: packet, gaps: gaps)
    case .internet: return Fate(outcome: .delivered(.internet), packet: packet, gaps: gaps)
    case .stop: return Fate(outcome: .stopped, packet: packet, gaps: gaps)
    case .unknown: return Fate(outcome: .unknown, packet: packet, gaps: gaps)
    }
  }

  private mutating func follow(
    _ step: StackStep, _ stack: Int, _ packet: Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> Position? {
    guard case .transmit(let interface, let next) = step else { return nil }
    switch stacks[stack].interfaces[interface].link {
    case .port(let port): return .leave(port)
    case .peer(let other, let end):
      guard isHeard(next, from: stack, interface, by: other, end, packet, &trace) else { return nil }
      if !policies.isEmpty {
        guard passesPolicy(of: stack, .egress, packet, &trace, &gaps),
          passesPolicy(of: other, .ingress, packet, &trace, &gaps)
        else { return nil }
      }
      return .receive(other, interface: end)
    case .loopback, .none:
      trace.note(.neighbourMissing, stack, packet, interface)
      return nil
    }
  }

  /// Whether the programs at a pod's pair let a packet through, as the agent's connection tracking has it.
  private mutating func passesPolicy(
    of stack: Int, _ direction: PodPolicy.Direction, _ packet: Packet, _ trace: inout Trace, _ gaps: inout [Gap]
  ) -> Bool {
    guard let fact = policies[stack] else { return true }
    let way = direction == .egress ? 1 : 0
    let key = FlowKey(packet)
    if let known = admitted[stack], known.contains(key) || known.contains(key.inverse) {
      trace.note(.policyTracked, stack, packet, way)
      return true
    }
    guard let policy = fact.value else {
      gaps.append(fact.gap!)
      trace.note(.policyUnknown, stack, packet, way)
      admitted[stack, default: []].insert(key)
      return true
    }
    switch policy.answer(packet, direction) {
    case .noRule:
      trace.note(.policyDenied, stack, packet, way, 0)
      return false
    case .nothingLoaded:
      trace.note(.policyDenied, stack, packet, way, 1)
      return false
    case .rule(let index): trace.note(.policyAdmitted, stack, packet, way, index)
    case .free, .ofNode: break
    }
    admitted[stack, default: []].insert(key)
    return true
  }

  /// Whether the other end of a veth pair takes what is sent to a neighbour: it must have the address, or the
  /// neighbour's entry was set by hand and names its hardware address.
  private func isHeard(
    _ next: IPv4Address, from stack: Int, _ interface: Int, by other: Int, _ end: Int, _ packet: Packet,
    _ trace: inout Trace
  ) -> Bool {
    guard stacks[other].interfaces[end].isUp else {
      trace.note(.interfaceDown, other, packet, end)
      return false
    }
    let name = stacks[stack].interfaces[interface].name
    for neighbour in stacks[stack].neighbours where neighbour.address == next && neighbour.device == name {
      if neighbour.mac == stacks[other].interfaces[end].mac { return true }
      trace.note(.neighbourWrong, stack, packet, interface)
      return false
    }
    if stacks[other].owns(next) { return true }
    trace.note(.neighbourMissing, stack, packet, interface)
    return false
  }

  private func end(_ step: StackStep, _ stack: Int, _ packet: Packet, _ gaps: [Gap], _ trace: Trace) -> Fate {
    switch step {
    case .deliver: return Fate(outcome: .delivered(.stack(stack)), packet: packet, gaps: gaps)
    case .unknown:
      let gap = Gap(
        read: "netfilter rules of \(stacks[stack].name)", why: "a rule on the way isn't modelled",
        how: "iptables-save on the node")
      return Fate(outcome: .unknown, packet: packet, gaps: gaps + [gap])
    default: return Fate(outcome: .stopped, packet: packet, gaps: gaps)
    }
  }

  /// The first answer to a packet that was delivered, walked back from there.
  package mutating func answer(
    _ fate: Fate, hopLimit: UInt8 = 64, _ trace: inout Trace, _ choices: inout PathChoices
  ) -> Fate? {
    guard case .delivered(let place) = fate.outcome else { return nil }
    var packet = fate.packet.answer
    let origin: Origin
    switch place {
    case .stack(let stack): origin = .stack(stack)
    case .port(let port): origin = .port(port)
    case .metadata(let port):
      packet.ttl = hopLimit
      origin = .host(port)
    case .resolver(let port): origin = .host(port)
    case .endpoint(let port): origin = .endpoint(port)
    case .internet: origin = .internet
    }
    return walk(packet, from: origin, &trace, &choices)
  }

  /// Forgets all flows: connections, groups' and gateways'.
  package mutating func forgetFlows() {
    for index in stacks.indices { stacks[index].forgetFlows() }
    fabric.forgetFlows()
    admitted.removeAll()
  }
}
