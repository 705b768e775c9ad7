import Wire

/// A packet walked to its end, and the answer to it walked back.
package struct PacketWalk: Sendable {
  /// What the one who sends makes of it.
  package enum Effect: Sendable, Hashable {
    case answered
    /// Somebody on the way says at once that it leads nowhere.
    case refused
    case unroutable
    /// Nothing comes back.
    case silence
    /// It hangs on something that isn't known.
    case open
  }

  package var fate: PacketNetwork.Fate
  package var back: PacketNetwork.Fate?
  package var there: [Hop]
  package var answer: [Hop]
  /// The share of connections that take this way.
  package var share: Double
  package var effect: Effect

  package var truth: Truth { back.map { fate.truth && $0.truth } ?? fate.truth }
  /// The hop at which it stops.
  package var last: Hop? { back == nil ? there.last : answer.last }
  package var gaps: [Gap] { fate.gaps + (back?.gaps ?? []) }
}

extension PacketNetwork {
  /// Moves a packet there and its answer back. `hopLimits` are those of metadata services, by the stack that asks.
  package mutating func follow(
    _ packet: Packet, from origin: Origin, hopLimits: [Int: UInt8] = [:], _ choices: inout PathChoices
  ) -> PacketWalk {
    var trace = Trace()
    let fate = walk(packet, from: origin, &trace, &choices)
    var hopLimit: UInt8 = 64
    if case .delivered(.metadata(let port)) = fate.outcome, case .stack(let stack, _) = fabric.ports[port].holder {
      hopLimit = hopLimits[stack] ?? 64
    }
    var backTrace = Trace()
    var backChoices = PathChoices()
    let back = answer(fate, hopLimit: hopLimit, &backTrace, &backChoices)
    var found = PacketWalk(
      fate: fate, back: back, there: trace.hops, answer: backTrace.hops, share: choices.probability, effect: .open)
    found.effect = effect(of: found)
    return found
  }

  private mutating func effect(of walk: PacketWalk) -> PacketWalk.Effect {
    if walk.truth == .yes { return .answered }
    guard walk.truth.isNo, let last = walk.last else { return .open }
    switch last.kind {
    case .rejectedByRule: return isTold(last) ? .refused : .silence
    case .noRoute, .forwardingOff, .blackholed, .neighbourMissing, .keptByHolder: return .unroutable
    default: return .silence
    }
  }

  /// Whether the error that a stack sends for a packet arrives where that came from.
  private mutating func isTold(_ hop: Hop) -> Bool {
    let place = Int(hop.place)
    if stacks[place].owns(hop.packet.source) { return true }
    let error = Packet(.icmp, from: IPv4Address(bits: 0), 0, to: hop.packet.source, Packet.unreachable)
    var trace = Trace(kept: false)
    var choices = PathChoices()
    guard case .delivered(.stack) = walk(error, from: .stack(place), &trace, &choices).outcome else { return false }
    return true
  }
}
