package import Wire

/// What ipamd gives pods in an IPv6 cluster: the addresses of one /80 prefix on the node's primary interface, which are
/// more than any node has pods.
package struct IPv6Pool: Sendable, Equatable, Codable {
  package struct Lease: Sendable, Equatable, Codable {
    package var place: UInt64
    /// Empty once it is free again.
    package var pod: String
    package var unassignedAt: Timestamp?
  }

  package var eni: String
  package var prefix: IPv6CIDR
  package private(set) var leases: [Lease] = []

  package init(eni: String, prefix: IPv6CIDR) {
    self.eni = eni
    self.prefix = prefix
  }

  package func address(_ lease: Lease) -> IPv6Address { prefix.base + lease.place }
  package var assignedCount: Int { leases.count { !$0.pod.isEmpty } }

  /// The address of a pod: what it has, one that has cooled down, or the next.
  package mutating func give(_ pod: String, at now: Timestamp, cooldown: Int) -> IPv6Address {
    if let own = leases.first(where: { $0.pod == pod }) { return address(own) }
    let cooled = leases.firstIndex { lease in
      lease.pod.isEmpty && lease.unassignedAt.map { now - $0 > .seconds(cooldown) } ?? true
    }
    if let cooled {
      leases[cooled].pod = pod
      leases[cooled].unassignedAt = nil
      return address(leases[cooled])
    }
    leases.append(Lease(place: (leases.map(\.place).max() ?? 0) + 1, pod: pod))
    return address(leases[leases.count - 1])
  }

  /// Keeps an address with the pod that has it already.
  package mutating func restore(_ pod: String, _ address: IPv6Address) {
    guard prefix.contains(address), address.low >= prefix.base.low else { return }
    leases.append(Lease(place: address.low - prefix.base.low, pod: pod))
  }

  package mutating func release(_ pod: String, at now: Timestamp) -> IPv6Address? {
    guard let at = leases.firstIndex(where: { $0.pod == pod }) else { return nil }
    leases[at].pod = ""
    leases[at].unassignedAt = now
    return address(leases[at])
  }
}
