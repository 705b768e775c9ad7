/// An IPv6 block, `2600:1f18:1::/56`.
package struct IPv6CIDR: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The first address; bits outside the mask are zero.
  package var base: IPv6Address
  package var length: Int

  package init(_ address: IPv6Address, length: Int) {
    let mask = IPv6CIDR.mask(length)
    base = IPv6Address(high: address.high & mask.high, low: address.low & mask.low)
    self.length = length
  }

  /// Parses `address/n`, host bits dropped; nil when it is none.
  package init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = IPv6Address(parts[0]), let length = Int(parts[1]), (0...128).contains(length),
      String(length) == parts[1]
    else { return nil }
    self.init(address, length: length)
  }

  private static func mask(_ length: Int) -> IPv6Address {
    func bits(_ count: Int) -> UInt64 { count <= 0 ? 0 : ~UInt64(0) << UInt64(64 - min(count, 64)) }
    return IPv6Address(high: bits(length), low: bits(length - 64))
  }

  package var description: String { "\(base)/\(length)" }

  package func contains(_ address: IPv6Address) -> Bool { IPv6CIDR(address, length: length).base == base }
  package func contains(_ other: IPv6CIDR) -> Bool { other.length >= length && contains(other.base) }
  package func overlaps(_ other: IPv6CIDR) -> Bool { contains(other.base) || other.contains(base) }
}
