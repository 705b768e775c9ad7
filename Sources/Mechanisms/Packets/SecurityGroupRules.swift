package import Wire

/// What the rules of one security group let through.
package struct SecurityGroupRules: Sendable, Hashable {
  package enum Peer: Sendable, Hashable {
    case block(CIDR)
    case group(String)
    /// nil where what is in the list isn't known.
    case prefixList(String, [CIDR]?)
    /// IPv6, which an IPv4 packet never is.
    case otherFamily
  }

  package struct Rule: Sendable, Hashable {
    package var isEgress: Bool
    /// nil: all.
    package var transport: Transport?
    /// Of ICMP the type, then the code; -1 any.
    package var from: Int
    package var to: Int
    package var peer: Peer

    package init(egress: Bool, _ transport: Transport?, _ from: Int = -1, _ to: Int = -1, _ peer: Peer) {
      isEgress = egress
      self.transport = transport
      self.from = from
      self.to = to
      self.peer = peer
    }

    func covers(_ packet: Packet) -> Bool {
      guard let transport else { return true }
      guard transport == packet.transport else { return false }
      if transport.hasPorts {
        return from == -1 || (Int(packet.destinationPort) >= from && Int(packet.destinationPort) <= to)
      }
      if transport == .icmp { return from == -1 || from == Int(packet.destinationPort) }
      return true
    }

    /// Whether it is open to all addresses.
    var isOpen: Bool { if case .block(let block) = peer { block.length == 0 } else { false } }
  }

  package var id: String
  package var name: String
  package var rules: [Rule]

  package init(_ id: String, name: String = "", _ rules: [Rule]) {
    self.id = id
    self.name = name
    self.rules = rules
  }

  /// Whether a flow of that kind would be tracked: what is open both ways isn't, and is cut when its rule goes.
  ///
  /// Answers always pass what is tracked. `isAlwaysTracked` where the flow goes by a NAT gateway, a load balancer or
  /// an endpoint.
  package static func tracks(
    _ packet: Packet, egress: Bool, rules: [Rule], isAlwaysTracked: Bool = false
  ) -> Bool {
    if isAlwaysTracked || !packet.transport.hasPorts { return true }
    let admitting = rules.filter { $0.isEgress == egress && $0.covers(packet) }
    let isOpen = admitting.contains { $0.isOpen }
    let isOpenBack = rules.contains { rule in
      rule.isEgress != egress && rule.isOpen
        && (rule.transport == nil || (rule.transport == packet.transport && rule.from <= 0 && rule.to >= 65535))
    }
    return !(isOpen && isOpenBack)
  }
}

/// A network ACL: numbered rules, each direction for itself.
package struct NetworkACL: Sendable {
  package struct Entry: Sendable, Hashable {
    package var number: Int
    package var isEgress: Bool
    package var allows: Bool
    /// nil: all.
    package var transport: Transport?
    package var block: CIDR
    package var from: Int
    package var to: Int

    package init(
      _ number: Int, egress: Bool, allow: Bool, _ transport: Transport? = nil, _ block: CIDR = .everything,
      _ from: Int = -1, _ to: Int = -1
    ) {
      self.number = number
      isEgress = egress
      allows = allow
      self.transport = transport
      self.block = block
      self.from = from
      self.to = to
    }
  }

  package static let last = 32767

  package var id: String
  package var entries: Fact<[Entry]>

  package init(_ id: String, _ entries: Fact<[Entry]>) {
    self.id = id
    self.entries = entries.map { $0.sorted { $0.number < $1.number } }
  }

  /// The entry that decides: the first that a packet meets. nil: the last, which denies.
  package static func decide(_ entries: [Entry], _ packet: Packet, egress: Bool) -> Int? {
    let peer = egress ? packet.destination : packet.source
    return entries.firstIndex { entry in
      guard entry.isEgress == egress, entry.block.contains(peer) else { return false }
      guard let transport = entry.transport else { return true }
      guard transport == packet.transport else { return false }
      if transport.hasPorts {
        return entry.from == -1
          || (Int(packet.destinationPort) >= entry.from && Int(packet.destinationPort) <= entry.to)
      }
      return transport != .icmp || entry.from == -1 || entry.from == Int(packet.destinationPort)
    }
  }
}
