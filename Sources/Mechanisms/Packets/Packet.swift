package import Wire

/// The protocol above IP, by its number.
package struct Transport: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package var rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let icmp = Transport(rawValue: 1)
  package static let tcp = Transport(rawValue: 6)
  package static let udp = Transport(rawValue: 17)

  /// By name or number, as iptables, EC2 and Kubernetes write it.
  package init?(name: some StringProtocol) {
    switch name.lowercased() {
    case "icmp": self = .icmp
    case "tcp": self = .tcp
    case "udp": self = .udp
    default:
      guard let number = UInt8(name) else { return nil }
      self.init(rawValue: number)
    }
  }

  package var hasPorts: Bool { self == .tcp || self == .udp }

  package var description: String {
    switch self {
    case .icmp: "icmp"
    case .tcp: "tcp"
    case .udp: "udp"
    default: String(rawValue)
    }
  }
}

package struct TCPFlags: OptionSet, Hashable, Sendable {
  package var rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let fin = TCPFlags(rawValue: 1)
  package static let syn = TCPFlags(rawValue: 2)
  package static let rst = TCPFlags(rawValue: 4)
  package static let ack = TCPFlags(rawValue: 16)
}

/// An IPv4 packet as it stands at one hop: headers and length, no payload.
package struct Packet: Hashable, Sendable {
  package var source: IPv4Address
  package var destination: IPv4Address
  package var transport: Transport
  package var flags: TCPFlags
  package var ttl: UInt8
  /// The identifier where it is ICMP.
  package var sourcePort: UInt16
  /// The type where it is ICMP: 8 asks, 0 answers.
  package var destinationPort: UInt16
  /// The firewall mark; it stays inside of one network stack.
  package var mark: UInt32 = 0
  /// Bytes, headers included.
  package var length: UInt32 = 60

  package static let echoRequest: UInt16 = 8
  package static let echoReply: UInt16 = 0
  /// An error about another packet.
  package static let unreachable: UInt16 = 3

  package init(
    _ transport: Transport, from source: IPv4Address, _ sourcePort: UInt16 = 0, to destination: IPv4Address,
    _ destinationPort: UInt16 = 0, flags: TCPFlags? = nil, ttl: UInt8 = 64
  ) {
    self.source = source
    self.destination = destination
    self.transport = transport
    self.flags = flags ?? (transport == .tcp ? .syn : [])
    self.ttl = ttl
    self.sourcePort = sourcePort
    self.destinationPort = transport == .icmp && destinationPort == 0 ? Packet.echoRequest : destinationPort
  }

  /// The first packet that comes back: SYN-ACK for a SYN, an echo's reply.
  package var answer: Packet {
    var packet = self
    packet.source = destination
    packet.destination = source
    packet.mark = 0
    packet.ttl = 64
    if transport == .icmp {
      packet.destinationPort = destinationPort == Packet.echoRequest ? Packet.echoReply : Packet.echoRequest
    } else {
      packet.sourcePort = destinationPort
      packet.destinationPort = sourcePort
      if flags == .syn { packet.flags = [.syn, .ack] } else { packet.flags = .ack }
    }
    if transport != .tcp { packet.flags = [] }
    return packet
  }

  /// `tcp 10.0.1.20:40000 → 10.100.0.10:53`
  package var text: String {
    transport.hasPorts
      ? "\(transport) \(source):\(sourcePort) → \(destination):\(destinationPort)"
      : "\(transport) \(source) → \(destination)"
  }
}

/// The two ends of a flow in one direction, packed for hashing.
package struct FlowKey: Hashable, Sendable {
  package var addresses: UInt64
  package var ports: UInt64

  package init(_ packet: Packet) {
    addresses = UInt64(packet.source.bits) << 32 | UInt64(packet.destination.bits)
    ports =
      UInt64(packet.sourcePort) << 32 | UInt64(packet.destinationPort) << 16 | UInt64(packet.transport.rawValue)
  }

  package init(
    transport: Transport, source: IPv4Address, sourcePort: UInt16, destination: IPv4Address, destinationPort: UInt16
  ) {
    addresses = UInt64(source.bits) << 32 | UInt64(destination.bits)
    ports = UInt64(sourcePort) << 32 | UInt64(destinationPort) << 16 | UInt64(transport.rawValue)
  }

  package var transport: Transport { Transport(rawValue: UInt8(truncatingIfNeeded: ports)) }
  package var source: IPv4Address {
    get { IPv4Address(bits: UInt32(addresses >> 32)) }
    set { addresses = UInt64(newValue.bits) << 32 | addresses & 0xffff_ffff }
  }
  package var destination: IPv4Address {
    get { IPv4Address(bits: UInt32(truncatingIfNeeded: addresses)) }
    set { addresses = addresses & ~0xffff_ffff | UInt64(newValue.bits) }
  }
  package var sourcePort: UInt16 {
    get { UInt16(truncatingIfNeeded: ports >> 32) }
    set { ports = ports & ~(0xffff << 32) | UInt64(newValue) << 32 }
  }
  package var destinationPort: UInt16 {
    get { UInt16(truncatingIfNeeded: ports >> 16) }
    set { ports = ports & ~(0xffff << 16) | UInt64(newValue) << 16 }
  }

  /// The key of the answers.
  package var inverse: FlowKey {
    if transport == .icmp {
      let type = destinationPort == Packet.echoRequest ? Packet.echoReply : Packet.echoRequest
      return FlowKey(
        transport: .icmp, source: destination, sourcePort: sourcePort, destination: source, destinationPort: type)
    }
    return FlowKey(
      transport: transport, source: destination, sourcePort: destinationPort, destination: source,
      destinationPort: sourcePort)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(addresses)
    hasher.combine(ports)
  }
}
