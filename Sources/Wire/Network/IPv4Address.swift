/// An IPv4 address as its 32 bits.
package struct IPv4Address: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  package var bits: UInt32

  package init(bits: UInt32) { self.bits = bits }

  /// Four decimal numbers without leading zeros, as Go's `netip` takes them; nil otherwise.
  package init?(_ text: String) { self.init(bytes: text.utf8) }

  package init?(_ text: Substring) { self.init(bytes: text.utf8) }

  private init?(bytes: some Sequence<UInt8>) {
    var bits: UInt32 = 0
    var part: UInt32 = 0
    var digits = 0
    var dots = 0
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "."):
        guard digits > 0, dots < 3 else { return nil }
        bits = bits << 8 | part
        (part, digits, dots) = (0, 0, dots + 1)
      case 0x30...0x39:
        guard digits == 0 || part > 0 else { return nil }
        part = part * 10 + UInt32(byte - 0x30)
        digits += 1
        guard part < 256 else { return nil }
      default: return nil
      }
    }
    guard dots == 3, digits > 0 else { return nil }
    self.bits = bits << 8 | part
  }

  package var description: String { "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)" }

  /// `10-0-1-23`, the form inside EC2's host names.
  package var dashed: String { "\(bits >> 24)-\(bits >> 16 & 255)-\(bits >> 8 & 255)-\(bits & 255)" }

  package static func < (a: IPv4Address, b: IPv4Address) -> Bool { a.bits < b.bits }
  package static func + (a: IPv4Address, offset: Int) -> IPv4Address {
    IPv4Address(bits: UInt32(truncatingIfNeeded: Int64(a.bits) + Int64(offset)))
  }
}
