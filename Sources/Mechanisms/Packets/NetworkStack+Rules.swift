import Wire

/// Evaluating netfilter's rules.
extension NetworkStack {
  mutating func evaluate(
    _ chain: Int, _ passage: inout Passage, _ place: Int, _ trace: inout Trace, _ choices: inout PathChoices,
    depth: Int = 0
  ) -> NetfilterVerdict {
    let shape = program.chains[chain]
    let end = Int(shape.first + shape.count)
    var index = Int(shape.first)
    while index < end {
      defer { index += 1 }
      guard meetsHeader(program.rules[index], passage) else { continue }
      if program.rules[index].matchCount > 0 {
        switch meetsMatches(index, &passage, &choices) {
        case .no: continue
        case .unknown:
          trace.note(.unknownRule, place, passage.packet, index)
          return .unknown
        case .yes: break
        }
      }
      let rule = program.rules[index]
      switch rule.target {
      case .none: continue
      case .accept: return .accept
      case .drop:
        trace.note(.droppedByRule, place, passage.packet, index)
        return .stop
      case .reject:
        trace.note(.rejectedByRule, place, passage.packet, index)
        return .stop
      case .returns:
        guard let accepts = shape.accepts else { return .goOn }
        return finish(accepts, chain, passage, place, &trace)
      case .jump:
        guard depth < 32 else { return .unknown }
        let verdict = evaluate(Int(rule.a), &passage, place, &trace, &choices, depth: depth + 1)
        if verdict != .goOn { return verdict }
      case .go:
        guard depth < 32 else { return .unknown }
        let verdict = evaluate(Int(rule.a), &passage, place, &trace, &choices, depth: depth + 1)
        if verdict != .goOn { return verdict }
        guard let accepts = shape.accepts else { return .goOn }
        return finish(accepts, chain, passage, place, &trace)
      case .mark:
        passage.packet.mark = passage.packet.mark & ~rule.b ^ rule.a
        trace.note(.marked, place, passage.packet, index)
      case .setConnectionMark:
        guard passage.state & (NetfilterState.invalid | NetfilterState.untracked) == 0 else { continue }
        setConnectionMark(&passage, connectionMark(passage) & ~rule.b ^ rule.a)
        trace.note(.connectionMarked, place, passage.packet, index)
      case .restoreMark:
        guard passage.state & (NetfilterState.invalid | NetfilterState.untracked) == 0 else { continue }
        let before = passage.packet.mark
        passage.packet.mark = before & ~rule.a ^ connectionMark(passage) & rule.b
        if passage.packet.mark != before { trace.note(.markRestored, place, passage.packet, index) }
      case .saveMark:
        guard passage.state & (NetfilterState.invalid | NetfilterState.untracked) == 0 else { continue }
        setConnectionMark(&passage, connectionMark(passage) & ~rule.b ^ passage.packet.mark & rule.a)
        trace.note(.connectionMarked, place, passage.packet, index)
      case .dnat:
        setDestination(rule.a, port: rule.b, &passage)
        var after = passage.packet
        let tuple = passage.pending.reply.inverse
        after.destination = tuple.destination
        if tuple.transport != .icmp { after.destinationPort = tuple.destinationPort }
        trace.note(.destinationTranslated, place, after, index)
        return .accept
      case .snat, .masquerade:
        var address = rule.a
        if rule.target == .masquerade {
          guard let own = self.address(for: passage.output, toward: passage.next) else { return .stop }
          address = own.bits
          passage.pending.masqueradeInterface = Int32(passage.output)
        }
        setSource(address, random: rule.b == 1, &passage, &choices)
        var after = passage.packet
        let tuple = passage.pending.reply.inverse
        after.source = tuple.source
        after.sourcePort = tuple.sourcePort
        trace.note(.sourceTranslated, place, after, index)
        return .accept
      case .unknown:
        trace.note(.unknownRule, place, passage.packet, index)
        return .unknown
      }
    }
    guard let accepts = shape.accepts else { return .goOn }
    return finish(accepts, chain, passage, place, &trace)
  }

  private func finish(_ accepts: Bool, _ chain: Int, _ passage: Passage, _ place: Int, _ trace: inout Trace)
    -> NetfilterVerdict
  {
    if accepts { return .accept }
    trace.note(.droppedByPolicy, place, passage.packet, -1, chain)
    return .stop
  }

  private func meetsHeader(_ rule: NetfilterProgram.Rule, _ passage: Passage) -> Bool {
    if rule.sourceMask != 0 || rule.negates & 1 != 0 {
      if (passage.packet.source.bits & rule.sourceMask == rule.source) == (rule.negates & 1 != 0) { return false }
    }
    if rule.destinationMask != 0 || rule.negates & 2 != 0 {
      if (passage.packet.destination.bits & rule.destinationMask == rule.destination) == (rule.negates & 2 != 0) {
        return false
      }
    }
    if rule.transport != 0 {
      if (passage.packet.transport.rawValue == rule.transport) == (rule.negates & 4 != 0) { return false }
    }
    if rule.input >= 0, !program.admits(rule.input, passage.input) { return false }
    if rule.output >= 0, !program.admits(rule.output, passage.output) { return false }
    return true
  }

  private enum Answer { case yes, no, unknown }

  private mutating func meetsMatches(_ rule: Int, _ passage: inout Passage, _ choices: inout PathChoices) -> Answer {
    let first = Int(program.rules[rule].firstMatch)
    let end = first + Int(program.rules[rule].matchCount)
    var answer = Answer.yes
    for index in first..<end {
      let match = program.matches[index]
      switch match.kind {
      case .ports: if !meetsPorts(match, passage.packet) { return .no }
      case .addressKind: if !meetsKind(match, passage) { return .no }
      case .mark: if (passage.packet.mark & match.b == match.a) == match.negated { return .no }
      case .connectionMark:
        if passage.state & (NetfilterState.invalid | NetfilterState.untracked) != 0 { return .no }
        if (connectionMark(passage) & match.b == match.a) == match.negated { return .no }
      case .state: if (state(passage) & match.a != 0) == match.negated { return .no }
      case .random: if answer == .yes, !choices.comesAbout(match.a) { return .no }
      case .recent: if answer == .yes, meetsRecent(match, passage.packet) == match.negated { return .no }
      // What comes after it may still rule the packet out.
      case .unknown: answer = .unknown
      }
    }
    return answer
  }

  private func meetsPorts(_ match: NetfilterProgram.Match, _ packet: Packet) -> Bool {
    guard UInt32(packet.transport.rawValue) == match.d else { return false }
    let source = UInt32(packet.sourcePort)
    if (source >= match.a >> 16 && source <= match.a & 0xffff) == (match.c & 1 != 0) { return false }
    let destination = UInt32(packet.destinationPort)
    return (destination >= match.b >> 16 && destination <= match.b & 0xffff) != (match.c & 2 != 0)
  }

  private func meetsKind(_ match: NetfilterProgram.Match, _ passage: Passage) -> Bool {
    let device: Int? = match.c & 1 != 0 ? passage.input : match.c & 2 != 0 ? passage.output : nil
    if match.a != 0 {
      let bit = NetfilterProgram.bit(routing.kind(of: passage.packet.source, device: device))
      if (match.a & bit != 0) == (match.a >> 31 != 0) { return false }
    }
    if match.b != 0 {
      let bit = NetfilterProgram.bit(routing.kind(of: passage.packet.destination, device: device))
      if (match.b & bit != 0) == (match.b >> 31 != 0) { return false }
    }
    return true
  }

  /// With the bits of a connection whose addresses are translated.
  private func state(_ passage: Passage) -> UInt32 {
    var bits = passage.state
    guard bits & (NetfilterState.invalid | NetfilterState.untracked) == 0 else { return bits }
    let isConfirmed = passage.entry >= 0
    if isConfirmed ? connections[passage.entry].translatesSource : passage.pending.translatesSource { bits |= 32 }
    if isConfirmed ? connections[passage.entry].translatesDestination : passage.pending.translatesDestination {
      bits |= 64
    }
    return bits
  }

  private mutating func meetsRecent(_ match: NetfilterProgram.Match, _ packet: Packet) -> Bool {
    let list = Int(match.a)
    if match.b == 0 {
      recent[list][packet.source.bits] = now
      return true
    }
    guard let seen = recent[list][packet.source.bits] else { return false }
    let isFresh = match.c == 0 || now - seen <= Int(match.c)
    if !isFresh, match.d == 1 { recent[list][packet.source.bits] = nil }
    if isFresh, match.b == 2 { recent[list][packet.source.bits] = now }
    return isFresh
  }
}
