/// An IPv4 address as its 32 bits.
package struct IPv4Address: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  package var bits: UInt32

  package init(bits: UInt32) { self.bits = bits }

  /// Four decimal numbers without leading zeros, as Go's `netip` takes them; nil otherwise.
  package init?(_ text: some StringProtocol) {
    var bits: UInt32 = 0
    var parts = 0
    for part in text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
      guard (1...3).contains(part.count), part.count == 1 || part.first != 0x30 else { return nil }
      var value: UInt32 = 0
      for byte in part {
        guard (0x30...0x39).contains(byte) else { return nil }
        value = value * 10 + UInt32(byte - 0x30)
      }
      guard value < 256 else { return nil }
      bits = bits << 8 | value
      parts += 1
    }
    guard parts == 4 else { return nil }
    self.bits = bits
  }

  package var description: String { "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)" }

  /// `10-0-1-23`, the form inside EC2's host names.
  package var dashed: String { "\(bits >> 24)-\(bits >> 16 & 255)-\(bits >> 8 & 255)-\(bits & 255)" }

  package static func < (a: IPv4Address, b: IPv4Address) -> Bool { a.bits < b.bits }
  package static func + (a: IPv4Address, offset: Int) -> IPv4Address {
    IPv4Address(bits: UInt32(truncatingIfNeeded: Int64(a.bits) + Int64(offset)))
  }
}
