/// An IPv6 address as its 128 bits.
package struct IPv6Address: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// As Go's `netip` takes them, without zone; nil otherwise.
  package init?(_ text: some StringProtocol) {
    let text = String(text)
    guard IPv6Text.isValid(text) else { return nil }
    var before: [UInt16] = []
    var after: [UInt16] = []
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    for (index, half) in halves.enumerated() {
      var groups: [UInt16] = []
      for part in half.split(separator: ":") {
        if let plain = IPv4Address(part) {
          groups += [UInt16(plain.bits >> 16), UInt16(plain.bits & 0xffff)]
        } else {
          groups.append(UInt16(part, radix: 16) ?? 0)
        }
      }
      if index == 0 { before = groups } else { after = groups }
    }
    let all = before + Array(repeating: 0, count: 8 - before.count - after.count) + after
    high = all[0..<4].reduce(0) { $0 << 16 | UInt64($1) }
    low = all[4..<8].reduce(0) { $0 << 16 | UInt64($1) }
  }

  private var groups: [UInt16] {
    [high, low].flatMap { half in
      [48, 32, 16, 0].map { shift in UInt16(truncatingIfNeeded: half >> UInt64(shift)) }
    }
  }

  /// The shortest form, RFC 5952.
  package var description: String {
    let groups = groups
    var longest = 0..<0
    var at = 0
    while at < 8 {
      var end = at
      while end < 8, groups[end] == 0 { end += 1 }
      if end - at > longest.count { longest = at..<end }
      at = max(end, at + 1)
    }
    func text(_ part: ArraySlice<UInt16>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
    guard longest.count > 1 else { return text(groups[...]) }
    return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
  }

  package static func < (a: IPv6Address, b: IPv6Address) -> Bool { (a.high, a.low) < (b.high, b.low) }

  /// That many addresses further on.
  package static func + (a: IPv6Address, offset: UInt64) -> IPv6Address {
    let (low, carries) = a.low.addingReportingOverflow(offset)
    return IPv6Address(high: carries ? a.high &+ 1 : a.high, low: low)
  }
}
