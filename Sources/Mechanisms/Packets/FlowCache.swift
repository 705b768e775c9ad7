/// Flows with the same fate are walked once; what follows is looked up and counted.
///
/// A fate is kept when two walks in a row agree on it, so that what differs between a connection's first packet and
/// the next ones is walked. Forget everything when rules, routes, groups or connections change.
package struct FlowCache: Sendable {
  private struct Key: Hashable {
    var flow: FlowKey
    /// Origin, TCP flags, lifetime and length.
    var more: UInt64
  }

  private struct Crossing: Hashable {
    var stack: Int32
    var interface: Int32
    var isSent: Bool
  }

  private struct Kept {
    var fate: PacketNetwork.Fate
    var crossings: [Crossing]
    var isSettled = false
    var packets: UInt64 = 0
    var length: UInt64
  }

  private var index: [Key: Int32] = [:]
  private var kept: [Kept] = []
  /// How many packets were not walked.
  package private(set) var hits: UInt64 = 0

  package init() {}

  package var count: Int { kept.count }

  private static func key(_ packet: Packet, _ origin: PacketNetwork.Origin) -> Key {
    let place: UInt64 =
      switch origin {
      case .stack(let stack): UInt64(stack) << 3
      case .port(let port): UInt64(port) << 3 | 1
      case .host(let port): UInt64(port) << 3 | 2
      case .endpoint(let port): UInt64(port) << 3 | 3
      case .internet: 4
      }
    return Key(
      flow: FlowKey(packet),
      more: place << 32 | UInt64(packet.length & 0xffff) << 16 | UInt64(packet.flags.rawValue) << 8
        | UInt64(packet.ttl))
  }

  /// The fate of a packet, walked only where it isn't known yet.
  package mutating func walk(
    _ packet: Packet, from origin: PacketNetwork.Origin, in network: inout PacketNetwork,
    _ choices: inout PathChoices
  ) -> PacketNetwork.Fate {
    let key = FlowCache.key(packet, origin)
    if let found = index[key] {
      let place = Int(found)
      if kept[place].isSettled {
        kept[place].packets += 1
        hits += 1
        return kept[place].fate
      }
    }
    var trace = Trace()
    let fate = network.walk(packet, from: origin, &trace, &choices)
    let crossings = trace.hops.compactMap { hop -> Crossing? in
      switch hop.kind {
      case .received: Crossing(stack: hop.place, interface: hop.a, isSent: false)
      case .transmitted: Crossing(stack: hop.place, interface: hop.a, isSent: true)
      default: nil
      }
    }
    if let found = index[key] {
      let place = Int(found)
      let agrees =
        kept[place].fate.outcome == fate.outcome && kept[place].fate.packet == fate.packet
        && kept[place].crossings == crossings
      kept[place].fate = fate
      kept[place].crossings = crossings
      kept[place].isSettled = agrees
    } else {
      index[key] = Int32(kept.count)
      kept.append(Kept(fate: fate, crossings: crossings, length: UInt64(packet.length)))
    }
    return fate
  }

  /// Adds what was looked up to the counters of the interfaces that it would have crossed.
  package mutating func settle(into network: inout PacketNetwork) {
    for place in kept.indices where kept[place].packets > 0 {
      let packets = kept[place].packets
      let bytes = packets * kept[place].length
      for crossing in kept[place].crossings {
        let (stack, interface) = (Int(crossing.stack), Int(crossing.interface))
        if crossing.isSent {
          network.stacks[stack].interfaces[interface].sent.packets += packets
          network.stacks[stack].interfaces[interface].sent.bytes += bytes
        } else {
          network.stacks[stack].interfaces[interface].received.packets += packets
          network.stacks[stack].interfaces[interface].received.bytes += bytes
        }
      }
      kept[place].packets = 0
    }
  }

  package mutating func forget() {
    index.removeAll(keepingCapacity: true)
    kept.removeAll(keepingCapacity: true)
  }
}
