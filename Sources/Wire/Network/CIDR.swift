/// An IPv4 block, `10.0.0.0/16`.
package struct CIDR: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The first address; bits outside the mask are zero.
  package var base: IPv4Address
  package var length: Int

  package init(_ address: IPv4Address, length: Int) {
    self.base = IPv4Address(bits: address.bits & CIDR.mask(length))
    self.length = length
  }

  /// Parses `a.b.c.d/n`, host bits dropped; nil when it is none.
  package init?(_ text: String) { self.init(text[...]) }

  package init?(_ text: Substring) {
    guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")), let address = IPv4Address(text[..<slash])
    else { return nil }
    let tail = text[text.index(after: slash)...]
    guard (1...2).contains(tail.utf8.count), tail.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let length = Int(tail), length <= 32
    else { return nil }
    self.init(address, length: length)
  }

  package static func mask(_ length: Int) -> UInt32 { length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length) }

  /// How many addresses.
  package var count: Int { 1 << (32 - length) }
  package var last: IPv4Address { IPv4Address(bits: base.bits | ~CIDR.mask(length)) }
  package var netmask: IPv4Address { IPv4Address(bits: CIDR.mask(length)) }
  package var description: String { "\(base)/\(length)" }

  package func contains(_ address: IPv4Address) -> Bool { address.bits & CIDR.mask(length) == base.bits }
  package func contains(_ other: CIDR) -> Bool { other.length >= length && contains(other.base) }
  package func overlaps(_ other: CIDR) -> Bool { contains(other.base) || other.contains(base) }

  /// The aligned blocks of that length inside, in order.
  package func blocks(_ length: Int) -> [CIDR] {
    guard length >= self.length else { return [] }
    return (0..<(1 << (length - self.length))).map { CIDR(base + $0 << (32 - length), length: length) }
  }
}
