package import Wire

/// What a subnet has left.
package struct SubnetSpace: Sendable, Equatable {
  package var cidr: CIDR
  /// Single addresses in use.
  package private(set) var used: Set<IPv4Address>
  /// Prefixes in use.
  package private(set) var prefixes: Set<CIDR>
  /// Ranges that EC2 takes whole prefixes from before all others, and nothing else by itself.
  package private(set) var prefixRanges: [CIDR] = []
  /// Ranges from which only what is named is given.
  package private(set) var explicitRanges: [CIDR] = []

  /// The first four addresses and the last belong to AWS.
  static let reserved = 5

  package init(_ cidr: CIDR, used: some Sequence<IPv4Address> = [], prefixes: some Sequence<CIDR> = []) {
    self.cidr = cidr
    self.used = Set(used)
    self.prefixes = Set(prefixes)
  }

  package func isReserved(_ address: IPv4Address) -> Bool {
    address.bits < cidr.base.bits + 4 || address == cidr.last
  }

  package func isFree(_ address: IPv4Address) -> Bool {
    cidr.contains(address) && !isReserved(address) && !used.contains(address)
      && !prefixes.contains(CIDR(address, length: 28))
  }

  /// Whether nothing of an aligned /28 is used, by itself or by AWS.
  package func isFree(_ prefix: CIDR) -> Bool {
    cidr.contains(prefix) && !prefixes.contains(prefix)
      && (0..<16).allSatisfy { !isReserved(prefix.base + $0) && !used.contains(prefix.base + $0) }
  }

  /// The aligned /28 blocks there are.
  package var prefixSlots: Int { cidr.count / 16 }

  /// EC2's AvailableIpAddressCount.
  package var freeCount: Int { usable - used.count - prefixes.count * 16 }

  /// The aligned /28 blocks in which nothing is used, in order.
  package var freePrefixes: [CIDR] {
    cidr.blocks(28).filter(isFree)
  }

  /// The addresses that may be given, free or not.
  package var usable: Int { max(cidr.count - SubnetSpace.reserved, 0) }

  /// Takes the first free address from `offset` on, counted in usable ones, round to where it began; nil when
  /// none is left. EC2 doesn't say how it chooses; who gives offsets by chance has subnets fragment as real ones do.
  package mutating func takeAny(from offset: Int = 0) -> IPv4Address? {
    guard freeCount > 0 else { return nil }
    for step in 0..<usable {
      let address = cidr.base + 4 + (offset + step) % usable
      guard isFree(address), !isKept(address) else { continue }
      used.insert(address)
      return address
    }
    return nil
  }

  /// Whether a reservation keeps an address from being given by EC2's own choice.
  private func isKept(_ address: IPv4Address) -> Bool {
    prefixRanges.contains { $0.contains(address) } || explicitRanges.contains { $0.contains(address) }
  }

  /// Takes the first free /28 from the block at `offset` on, round to where it began; nil when there is none. The
  /// ranges reserved for prefixes come first.
  package mutating func takePrefix(from offset: Int = 0) -> CIDR? {
    for range in prefixRanges {
      guard let prefix = range.blocks(28).first(where: isFree) else { continue }
      prefixes.insert(prefix)
      return prefix
    }
    let count = prefixSlots
    for step in 0..<count {
      let prefix = CIDR(cidr.base + ((offset + step) % count) * 16, length: 28)
      guard isFree(prefix), !explicitRanges.contains(where: { $0.overlaps(prefix) }) else { continue }
      prefixes.insert(prefix)
      return prefix
    }
    return nil
  }

  /// Keeps a range for whole prefixes, or for what is named.
  package mutating func reserve(_ range: CIDR, forPrefixes: Bool) {
    if forPrefixes { prefixRanges.append(range) } else { explicitRanges.append(range) }
  }

  package mutating func unreserve(_ range: CIDR) {
    prefixRanges.removeAll { $0 == range }
    explicitRanges.removeAll { $0 == range }
  }

  package mutating func take(_ address: IPv4Address) { used.insert(address) }
  package mutating func take(_ prefix: CIDR) { prefixes.insert(prefix) }
  package mutating func release(_ address: IPv4Address) { used.remove(address) }
  package mutating func release(_ prefix: CIDR) { prefixes.remove(prefix) }

  /// EC2's error for a new interface with prefixes in a subnet that has fewer free addresses than they hold, however
  /// these lie.
  package static let shortOfPrefixes = (
    code: "InvalidParameterValue", message: "There aren't sufficient free Ipv4 addresses or prefixes"
  )

  /// EC2's error for a request that a subnet has no room for.
  package static func exhaustion(prefixes: Bool) -> (code: String, message: String) {
    prefixes
      ? (
        "InsufficientCidrBlocks",
        "The specified subnet does not have enough free cidr blocks to satisfy the request."
      )
      : (
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request."
      )
  }
}
