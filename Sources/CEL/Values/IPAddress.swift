import Wire

/// An address of IPv4 (4 bytes) or IPv6 (16), as Go's `netip` reads and writes it; without zone.
package struct IPAddress: Sendable, Equatable {
  let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  init?(_ text: String) {
    if let address = IPv4Address(text) {
      bytes = (0..<4).map { UInt8(truncatingIfNeeded: address.bits >> UInt32(24 - 8 * $0)) }
      return
    }
    guard IPv6Text.isValid(text) else { return nil }
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    func groups(_ half: Substring) -> [UInt8] {
      half.split(separator: ":").flatMap { part -> [UInt8] in
        if let address = IPv4Address(part) {
          return (0..<4).map { UInt8(truncatingIfNeeded: address.bits >> UInt32(24 - 8 * $0)) }
        }
        let value = UInt16(part, radix: 16) ?? 0
        return [UInt8(value >> 8), UInt8(value & 255)]
      }
    }
    let head = groups(halves[0])
    let tail = halves.count > 1 ? groups(halves[1]) : []
    bytes = head + [UInt8](repeating: 0, count: max(16 - head.count - tail.count, 0)) + tail
    guard bytes.count == 16 else { return nil }
  }

  var isIPv4: Bool { bytes.count == 4 }
  /// `::ffff:a.b.c.d`.
  var isMapped: Bool {
    bytes.count == 16 && bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 255 && bytes[11] == 255
  }

  var text: String {
    if isIPv4 { return bytes.map(String.init).joined(separator: ".") }
    if isMapped { return "::ffff:" + bytes.suffix(4).map(String.init).joined(separator: ".") }
    let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
    // The first of the longest runs of zeros is left out.
    var best = 0..<0
    var at = 0
    while at < 8 {
      var end = at
      while end < 8, groups[end] == 0 { end += 1 }
      if end - at >= 2, end - at > best.count { best = at..<end }
      at = max(end, at + 1)
    }
    func shown(_ range: Range<Int>) -> String {
      groups[range].map { String($0, radix: 16) }.joined(separator: ":")
    }
    return best.isEmpty ? shown(0..<8) : "\(shown(0..<best.lowerBound))::\(shown(best.upperBound..<8))"
  }

  func masked(_ length: Int) -> IPAddress {
    IPAddress(
      bytes: bytes.enumerated().map { index, byte in
        let kept = min(max(length - 8 * index, 0), 8)
        return kept == 0 ? 0 : byte & ~UInt8(truncatingIfNeeded: 0xff >> kept)
      })
  }

  var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }
  var isLoopback: Bool { isIPv4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1 }
  var isLinkLocalMulticast: Bool {
    isIPv4 ? bytes[0] == 224 && bytes[1] == 0 && bytes[2] == 0 : bytes[0] == 0xff && bytes[1] & 0x0f == 2
  }
  var isLinkLocalUnicast: Bool {
    isIPv4 ? bytes[0] == 169 && bytes[1] == 254 : bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
  }
  private var isMulticast: Bool { isIPv4 ? bytes[0] & 0xf0 == 0xe0 : bytes[0] == 0xff }
  var isGlobalUnicast: Bool {
    if isIPv4, bytes.allSatisfy({ $0 == 255 }) { return false }
    return !isUnspecified && !isLoopback && !isMulticast && !isLinkLocalUnicast
  }
}
