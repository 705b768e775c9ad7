import Wire

/// Connection tracking and address translation.
extension NetworkStack {
  /// Finds the connection of a packet, or begins one.
  mutating func track(_ passage: inout Passage) {
    // By the loopback interface it comes with its connection.
    if passage.state != 0 { return }
    let key = FlowKey(passage.packet)
    if let (entry, isReply) = connections.find(key) {
      passage.entry = entry
      passage.isReply = isReply
      if isReply, !connections[entry].hasReply { connections.markReplied(entry) }
      passage.state =
        isReply || connections[entry].hasReply ? NetfilterState.established : NetfilterState.new
      return
    }
    passage.entry = -1
    guard NetworkStack.begins(passage.packet) else {
      passage.state = NetfilterState.invalid
      return
    }
    passage.state = NetfilterState.new
    passage.pending = Connections.Entry(key)
  }

  /// Whether a packet can be the first of a connection. A lone ACK can: the kernel picks up flows in their middle.
  static func begins(_ packet: Packet) -> Bool {
    switch packet.transport {
    case .tcp:
      if packet.flags.contains(.rst) || packet.flags.contains(.fin) { return false }
      return !packet.flags.isSuperset(of: [.syn, .ack])
    case .icmp: return packet.destinationPort == Packet.echoRequest
    default: return true
    }
  }

  /// Keeps the connection of a packet that got through.
  mutating func confirm(_ passage: inout Passage) {
    guard passage.entry < 0, passage.state == NetfilterState.new else { return }
    passage.pending.sourceIsSet = true
    passage.pending.destinationIsSet = true
    passage.entry = connections.confirm(passage.pending)
  }

  func connectionMark(_ passage: Passage) -> UInt32 {
    passage.entry >= 0 ? connections[passage.entry].mark : passage.pending.mark
  }

  mutating func setConnectionMark(_ passage: inout Passage, _ value: UInt32) {
    if passage.entry >= 0 { connections[passage.entry].mark = value } else { passage.pending.mark = value }
  }

  func setDestination(_ address: UInt32, port: UInt32, _ passage: inout Passage) {
    var tuple = passage.pending.reply.inverse
    let before = tuple
    tuple.destination = IPv4Address(bits: address)
    if port != 0, tuple.transport != .icmp { tuple.destinationPort = UInt16(port) }
    passage.pending.destinationIsSet = true
    guard tuple != before else { return }
    passage.pending.reply = tuple.inverse
    passage.pending.translatesDestination = true
  }

  /// Settles a connection's source: an address of a rule, or its own; another port where that is taken.
  func setSource(_ address: UInt32?, random: Bool, _ passage: inout Passage, _ choices: inout PathChoices) {
    var tuple = passage.pending.reply.inverse
    let before = tuple
    if let address { tuple.source = IPv4Address(bits: address) }
    passage.pending.sourceIsSet = true
    if random || connections.isTaken(tuple.inverse) {
      let port = tuple.sourcePort
      let range: ClosedRange<UInt16> =
        tuple.transport == .icmp ? 0...65535 : port < 512 ? 1...511 : port < 1024 ? 600...1023 : 1024...65535
      let count = UInt64(range.count)
      var offset = random ? (choices.draws ? choices.draw() : mix(tuple)) % count : UInt64(port - range.lowerBound)
      for _ in 0..<min(count, 1 << 16) {
        tuple.sourcePort = range.lowerBound + UInt16(offset)
        if !connections.isTaken(tuple.inverse) { break }
        offset = (offset + 1) % count
      }
    }
    guard tuple != before else { return }
    passage.pending.reply = tuple.inverse
    passage.pending.translatesSource = true
  }

  private func mix(_ key: FlowKey) -> UInt64 {
    var z = key.addresses ^ key.ports &* 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Rewrites a packet as its connection says: its source, or its destination.
  func apply(source isSource: Bool, _ passage: inout Passage, _ place: Int, _ trace: inout Trace) {
    let isConfirmed = passage.entry >= 0
    let translatesSource =
      isConfirmed ? connections[passage.entry].translatesSource : passage.pending.translatesSource
    let translatesDestination =
      isConfirmed ? connections[passage.entry].translatesDestination : passage.pending.translatesDestination
    // Of an answer the other end is rewritten.
    guard (isSource != passage.isReply) ? translatesSource : translatesDestination else { return }
    let entry = isConfirmed ? connections[passage.entry] : passage.pending
    let target = (passage.isReply ? entry.original : entry.reply).inverse
    let isIcmp = target.transport == .icmp
    if isSource {
      if passage.packet.source == target.source, passage.packet.sourcePort == target.sourcePort { return }
      passage.packet.source = target.source
      passage.packet.sourcePort = target.sourcePort
    } else {
      if passage.packet.destination == target.destination,
        isIcmp || passage.packet.destinationPort == target.destinationPort,
        !isIcmp || passage.packet.sourcePort == target.sourcePort
      {
        return
      }
      passage.packet.destination = target.destination
      if isIcmp {
        passage.packet.sourcePort = target.sourcePort
      } else {
        passage.packet.destinationPort = target.destinationPort
      }
    }
    if passage.isReply { trace.note(.answerTranslated, place, passage.packet) }
  }
}
