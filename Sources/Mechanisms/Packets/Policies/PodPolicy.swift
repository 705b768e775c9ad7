package import Wire

/// What the network policy agent of the VPC CNI has loaded for one pod: who may connect to it, and to whom it may.
///
/// Source: aws/aws-network-policy-agent `controllers`, `pkg/ebpf`, `pkg/fwruleprocessor`.
package struct PodPolicy: Sendable, Equatable {
  package enum Direction: String, Sendable { case ingress, egress }

  package struct Port: Sendable, Hashable {
    package var transport: Transport
    /// nil for every port.
    package var range: ClosedRange<UInt16>?

    package init(_ transport: Transport, _ range: ClosedRange<UInt16>? = nil) {
      self.transport = transport
      self.range = range
    }

    func covers(_ packet: Packet) -> Bool {
      packet.transport == transport && (range?.contains(packet.destinationPort) ?? true)
    }
  }

  package struct Rule: Sendable, Hashable {
    package var block: CIDR
    package var except: [CIDR]
    /// Empty for every protocol and port.
    package var ports: [Port]
    /// The policy that it is of: `namespace/name`.
    package var policy: String

    package init(_ block: CIDR, except: [CIDR] = [], ports: [Port] = [], policy: String) {
      self.block = block
      self.except = except
      self.ports = ports
      self.policy = policy
    }

    func covers(_ address: IPv4Address, _ packet: Packet) -> Bool {
      block.contains(address) && !except.contains { $0.contains(address) }
        && (ports.isEmpty || ports.contains { $0.covers(packet) })
    }
  }

  /// One direction that policies are in force for.
  package struct Side: Sendable, Equatable {
    /// `namespace/name`, sorted.
    package var policies: [String]
    package var rules: [Rule]

    package init(policies: [String], rules: [Rule]) {
      self.policies = policies
      self.rules = rules
    }
  }

  package enum Answer: Sendable, Hashable {
    /// No policy is in force in that direction.
    case free
    /// From the node itself.
    case ofNode
    case rule(Int)
    /// None of the rules covers it.
    case noRule
    /// In strict mode nothing passes before a policy is loaded for the pod.
    case nothingLoaded

    package var passes: Bool {
      switch self {
      case .free, .ofNode, .rule: true
      case .noRule, .nothingLoaded: false
      }
    }
  }

  /// nil where no policy is in force.
  package var ingress: Side?
  package var egress: Side?
  /// Strict mode, and no policy has been loaded for it.
  package var deniesEverything: Bool
  /// Addresses of its node that are always let in.
  package var nodeAddresses: [IPv4Address]

  package init(
    ingress: Side? = nil, egress: Side? = nil, deniesEverything: Bool = false, nodeAddresses: [IPv4Address] = []
  ) {
    self.ingress = ingress
    self.egress = egress
    self.deniesEverything = deniesEverything
    self.nodeAddresses = nodeAddresses
  }

  package func side(_ direction: Direction) -> Side? { direction == .ingress ? ingress : egress }

  /// What becomes of a packet that belongs to no flow that was let through. On its way out a Service still has its
  /// own address: the programs sit before the node's translation.
  package func answer(_ packet: Packet, _ direction: Direction) -> Answer {
    if deniesEverything { return .nothingLoaded }
    guard let side = side(direction) else { return .free }
    if direction == .ingress, nodeAddresses.contains(packet.source) { return .ofNode }
    let address = direction == .ingress ? packet.source : packet.destination
    return side.rules.firstIndex { $0.covers(address, packet) }.map { .rule($0) } ?? .noRule
  }
}
