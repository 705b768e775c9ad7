package import Wire

/// What a subnet has left.
package struct SubnetSpace: Sendable, Equatable {
  package var cidr: CIDR
  /// Single addresses in use, sorted.
  package private(set) var used: Set<IPv4Address>
  /// Prefixes in use.
  package private(set) var prefixes: Set<CIDR>

  /// The first four addresses and the last belong to AWS.
  package static let reserved = 5

  package init(_ cidr: CIDR, used: some Sequence<IPv4Address> = [], prefixes: some Sequence<CIDR> = []) {
    self.cidr = cidr
    self.used = Set(used)
    self.prefixes = Set(prefixes)
  }

  package func isReserved(_ address: IPv4Address) -> Bool {
    address.bits < cidr.base.bits + 4 || address == cidr.last
  }

  func isFree(_ address: IPv4Address) -> Bool {
    cidr.contains(address) && !isReserved(address) && !used.contains(address)
      && !prefixes.contains(CIDR(address, length: 28))
  }

  /// EC2's AvailableIpAddressCount.
  package var freeCount: Int { max(cidr.count - SubnetSpace.reserved, 0) - used.count - prefixes.count * 16 }

  /// The aligned /28 blocks in which nothing is used, in order.
  package var freePrefixes: [CIDR] {
    cidr.blocks(28).filter { block in
      !prefixes.contains(block) && !block.contains(cidr.last) && !block.contains(cidr.base)
        && !(0..<16).contains { used.contains(block.base + $0) }
    }
  }

  /// The lowest free addresses, or nil where there are not so many.
  package func pick(_ count: Int) -> [IPv4Address]? {
    guard count <= freeCount else { return nil }
    var picked: [IPv4Address] = []
    var address = cidr.base + 4
    while picked.count < count, address < cidr.last {
      if isFree(address) { picked.append(address) }
      address = address + 1
    }
    return picked.count == count ? picked : nil
  }

  /// The lowest free prefixes, or nil where there are not so many.
  package func pickPrefixes(_ count: Int) -> [CIDR]? {
    let free = freePrefixes
    return free.count >= count ? Array(free.prefix(count)) : nil
  }

  package mutating func take(_ addresses: [IPv4Address]) { used.formUnion(addresses) }
  package mutating func take(_ taken: [CIDR]) { prefixes.formUnion(taken) }
  package mutating func release(_ addresses: [IPv4Address]) { used.subtract(addresses) }
  package mutating func release(_ given: [CIDR]) { prefixes.subtract(given) }

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
