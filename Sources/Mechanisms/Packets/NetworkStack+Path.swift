import Wire

/// The way of a packet through a stack: the hooks in the kernel's order.
extension NetworkStack {
  typealias Verdict = NetfilterVerdict

  /// A packet that comes in by an interface.
  mutating func receive(
    _ packet: Packet, on interface: Int, at place: Int, _ trace: inout Trace, _ choices: inout PathChoices
  ) -> (StackStep, Packet) {
    interfaces[interface].received.packets += 1
    interfaces[interface].received.bytes += UInt64(packet.length)
    var passage = Passage(packet, input: interface)
    passage.packet.mark = 0
    trace.note(.received, place, passage.packet, interface)
    if !program.isEmpty {
      if let step = run(.prerouting, &passage, place, &trace, &choices) { return (step, passage.packet) }
    }
    if let step = routeInput(&passage, place, &trace) {
      guard case .deliver = step else { return (step, passage.packet) }
      return (enter(&passage, place, &trace, &choices), passage.packet)
    }
    // Forwarded.
    if settings.earlyDemux, passage.packet.transport == .tcp, sockets.contains(FlowKey(passage.packet)) {
      trace.note(.earlyDemux, place, passage.packet, interface)
      return (.stop, passage.packet)
    }
    guard passage.packet.ttl > 1 else {
      trace.note(.ttlExpired, place, passage.packet, interface)
      return (.stop, passage.packet)
    }
    passage.packet.ttl -= 1
    if !program.isEmpty {
      if let step = run(.forward, &passage, place, &trace, &choices) { return (step, passage.packet) }
      if let step = run(.postrouting, &passage, place, &trace, &choices) { return (step, passage.packet) }
      confirm(&passage)
    }
    return (leave(passage, place, &trace), passage.packet)
  }

  /// A packet that a process of this namespace sends. Without a source it gets the one that the route gives it.
  mutating func send(
    _ packet: Packet, at place: Int, _ trace: inout Trace, _ choices: inout PathChoices
  ) -> (StackStep, Packet) {
    var passage = Passage(packet, input: -1)
    passage.packet.mark = 0
    if let stop = routeOutput(&passage, place, &trace) { return (stop, passage.packet) }
    trace.note(.sent, place, passage.packet, passage.output)
    if passage.packet.transport == .tcp { sockets.insert(FlowKey(passage.packet).inverse) }
    if !program.isEmpty {
      if let step = run(.output, &passage, place, &trace, &choices) { return (step, passage.packet) }
      if let step = run(.postrouting, &passage, place, &trace, &choices) { return (step, passage.packet) }
      confirm(&passage)
    }
    guard passage.output == loopback, loopback >= 0 else { return (leave(passage, place, &trace), passage.packet) }
    // Back in by the loopback interface, with its connection.
    passage.input = loopback
    passage.output = -1
    if !program.isEmpty, let step = run(.prerouting, &passage, place, &trace, &choices) {
      return (step, passage.packet)
    }
    return (enter(&passage, place, &trace, &choices), passage.packet)
  }

  /// Into a socket of this namespace.
  private mutating func enter(
    _ passage: inout Passage, _ place: Int, _ trace: inout Trace, _ choices: inout PathChoices
  ) -> StackStep {
    if !program.isEmpty {
      if let step = run(.input, &passage, place, &trace, &choices) { return step }
      confirm(&passage)
    }
    trace.note(.delivered, place, passage.packet, passage.input)
    return .deliver
  }

  private mutating func leave(_ passage: Passage, _ place: Int, _ trace: inout Trace) -> StackStep {
    let interface = passage.output
    guard interfaces[interface].isUp else {
      trace.note(.interfaceDown, place, passage.packet, interface)
      return .stop
    }
    interfaces[interface].sent.packets += 1
    interfaces[interface].sent.bytes += UInt64(passage.packet.length)
    trace.note(.transmitted, place, passage.packet, interface)
    return .transmit(interface: interface, next: passage.next)
  }

  // MARK: - Routing

  private func routeInput(_ passage: inout Passage, _ place: Int, _ trace: inout Trace) -> StackStep? {
    let packet = passage.packet
    let (source, destination) = (packet.source.bits, packet.destination.bits)
    if source >> 28 >= 0xe || source >> 24 == 0 || (source >> 24 == 127 && !settings.routesLocalnet) {
      trace.note(.martianSource, place, packet, passage.input)
      return .stop
    }
    if destination >> 24 == 0 || (destination >> 24 == 127 && !settings.routesLocalnet) {
      trace.note(.martianDestination, place, packet, passage.input)
      return .stop
    }
    guard
      let found = routing.lookup(
        source: packet.source, destination: packet.destination, mark: packet.mark, input: passage.input)
    else {
      trace.note(.noRoute, place, packet, passage.input)
      return .stop
    }
    let route = routing[route: found.route]
    trace.note(.routed, place, packet, found.rule, found.route)
    switch route.kind {
    case .local:
      if let fault = sourceFault(passage, output: -1) {
        trace.note(fault, place, packet, passage.input)
        return .stop
      }
      return .deliver
    case .broadcast:
      trace.note(.unsupportedBroadcast, place, packet)
      return .unknown
    case .blackhole, .unreachable, .prohibit:
      trace.note(.blackholed, place, packet, found.rule, found.route)
      return .stop
    case .unicast:
      guard settings.forwards else {
        trace.note(.forwardingOff, place, packet)
        return .stop
      }
      if let fault = sourceFault(passage, output: route.device) {
        trace.note(fault, place, packet, passage.input)
        return .stop
      }
      passage.output = route.device
      passage.next = route.gateway ?? packet.destination
      return nil
    }
  }

  /// Why the kernel doesn't believe a packet's source; nil where it does.
  private func sourceFault(_ passage: Passage, output: Int) -> Hop.Kind? {
    let interface = interfaces[passage.input]
    let filter = max(settings.reversePathFilter, interface.reversePathFilter)
    let packet = passage.packet
    if filter == 0, !routing.hasCustomRules {
      return routing.kind(of: packet.source) == .local ? .martianSource : nil
    }
    guard
      let found = routing.lookup(
        source: packet.destination, destination: packet.source, mark: 0, input: output >= 0 ? output : loopback)
    else { return filter > 0 ? .reversePath : nil }
    let back = routing[route: found.route]
    if back.kind != .unicast { return .martianSource }
    if back.device == passage.input { return nil }
    if interface.addresses.isEmpty { return filter > 0 ? .reversePath : nil }
    return filter == 1 ? .reversePath : nil
  }

  private func routeOutput(_ passage: inout Passage, _ place: Int, _ trace: inout Trace) -> StackStep? {
    let packet = passage.packet
    guard
      let found = routing.lookup(
        source: packet.source, destination: packet.destination, mark: packet.mark, input: loopback)
    else {
      trace.note(.noRoute, place, packet)
      return .stop
    }
    let route = routing[route: found.route]
    switch route.kind {
    case .blackhole, .unreachable, .prohibit:
      trace.note(.blackholed, place, packet, found.rule, found.route)
      return .stop
    case .broadcast:
      trace.note(.unsupportedBroadcast, place, packet)
      return .unknown
    case .local:
      passage.output = loopback
      passage.next = packet.destination
      if packet.source.bits == 0 { passage.packet.source = packet.destination }
    case .unicast:
      passage.output = route.device
      passage.next = route.gateway ?? packet.destination
      if packet.source.bits == 0 {
        guard let source = route.preferredSource ?? address(for: route.device, toward: passage.next) else {
          trace.note(.noSourceAddress, place, packet)
          return .stop
        }
        passage.packet.source = source
      }
    }
    return nil
  }

  // MARK: - Hooks

  /// The tables of a hook in their order; nil to go on.
  private mutating func run(
    _ hook: NetfilterProgram.Hook, _ passage: inout Passage, _ place: Int, _ trace: inout Trace,
    _ choices: inout PathChoices
  ) -> StackStep? {
    let isFirst = hook == .prerouting || hook == .output
    if isFirst {
      if let step = table(.raw, hook, &passage, place, &trace, &choices) { return step }
      track(&passage)
    }
    let mark = passage.packet.mark
    if let step = table(.mangle, hook, &passage, place, &trace, &choices) { return step }
    if hook == .output, passage.packet.mark != mark, let step = routeOutput(&passage, place, &trace) { return step }
    // Of a local packet the filter comes after its destination's translation, of one for here before its source's.
    if hook == .input || hook == .forward {
      if let step = table(.filter, hook, &passage, place, &trace, &choices) { return step }
    }
    if hook != .forward {
      let destination = FlowKey(passage.packet)
      if let step = translate(hook, &passage, place, &trace, &choices) { return step }
      if hook == .output {
        if FlowKey(passage.packet) != destination, let step = routeOutput(&passage, place, &trace) { return step }
        if let step = table(.filter, hook, &passage, place, &trace, &choices) { return step }
      }
    }
    return nil
  }

  private mutating func table(
    _ table: NetfilterProgram.TableIndex, _ hook: NetfilterProgram.Hook, _ passage: inout Passage, _ place: Int,
    _ trace: inout Trace, _ choices: inout PathChoices
  ) -> StackStep? {
    let chain = program.entry(table, hook)
    guard chain >= 0 else { return nil }
    switch evaluate(chain, &passage, place, &trace, &choices) {
    case .accept, .goOn: return nil
    case .stop: return .stop
    case .unknown: return .unknown
    }
  }

  private mutating func translate(
    _ hook: NetfilterProgram.Hook, _ passage: inout Passage, _ place: Int, _ trace: inout Trace,
    _ choices: inout PathChoices
  ) -> StackStep? {
    guard passage.state & (NetfilterState.new | NetfilterState.established) != 0 else { return nil }
    let isSource = hook == .input || hook == .postrouting
    if hook == .postrouting, passage.entry >= 0, !passage.isReply {
      let taken = connections[passage.entry].masqueradeInterface
      if taken >= 0, taken != Int32(passage.output) {
        trace.note(.masqueradeMoved, place, passage.packet, passage.output)
        connections.forget(passage.entry)
        return .stop
      }
    }
    if passage.entry < 0 {
      let isSet = isSource ? passage.pending.sourceIsSet : passage.pending.destinationIsSet
      if !isSet {
        if let step = table(.nat, hook, &passage, place, &trace, &choices) { return step }
        if isSource, !passage.pending.sourceIsSet { setSource(nil, random: false, &passage, &choices) }
        passage.pending.destinationIsSet = passage.pending.destinationIsSet || !isSource
      }
    }
    apply(source: isSource, &passage, place, &trace)
    return nil
  }
}

enum NetfilterVerdict { case accept, goOn, stop, unknown }

enum NetfilterState {
  static let invalid: UInt32 = 1
  static let new: UInt32 = 2
  static let related: UInt32 = 4
  static let established: UInt32 = 8
  static let untracked: UInt32 = 16
}
