import Wire

extension Instant {
  /// `2026-11-22T12:04:15.123456789Z` or with an offset; nil when it is none.
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes[4] == 0x2d, bytes[7] == 0x2d, bytes[10] | 0x20 == 0x74 else { return nil }
    guard bytes[13] == 0x3a, bytes[16] == 0x3a else { return nil }
    func number(_ range: Range<Int>) -> Int? {
      var value = 0
      for index in range {
        guard index < bytes.count, (48...57).contains(bytes[index]) else { return nil }
        value = value * 10 + Int(bytes[index] - 48)
      }
      return value
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19), second < 60,
      let base = Timestamp(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    else { return nil }
    var at = 19
    var nanoseconds = 0
    if bytes[at] == 0x2e {
      at += 1
      var unit = 100_000_000
      let start = at
      while at < bytes.count, (48...57).contains(bytes[at]) {
        nanoseconds += Int(bytes[at] - 48) * unit
        unit /= 10
        at += 1
      }
      guard at > start else { return nil }
    }
    guard at < bytes.count else { return nil }
    var offset = 0
    switch bytes[at] {
    case 0x5a, 0x7a: at += 1
    case 0x2b, 0x2d:
      guard at + 6 <= bytes.count, bytes[at + 3] == 0x3a, let hours = number((at + 1)..<(at + 3)),
        let minutes = number((at + 4)..<(at + 6)), hours < 24, minutes < 60
      else { return nil }
      offset = (hours * 3600 + minutes * 60) * (bytes[at] == 0x2d ? -1 : 1)
      at += 6
    default: return nil
    }
    guard at == bytes.count else { return nil }
    self.init(seconds: base.seconds - Int64(offset), nanoseconds: Int32(nanoseconds))
    guard Instant.range.contains(seconds) else { return nil }
  }

  package var text: String {
    let whole = String(Timestamp(seconds: seconds).rfc3339.dropLast())
    guard nanoseconds != 0 else { return whole + "Z" }
    var digits = String(nanoseconds)
    digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
    while digits.hasSuffix("0") { digits.removeLast() }
    return "\(whole).\(digits)Z"
  }

  /// Moved by nanoseconds; nil out of range.
  func advanced(by length: Int64) -> Instant? {
    let total = Int64(nanoseconds) + length % 1_000_000_000
    var (sum, overflow) = seconds.addingReportingOverflow(length / 1_000_000_000)
    let carry = total.flooringDivide(1_000_000_000)
    sum += carry
    guard !overflow, Instant.range.contains(sum) else { return nil }
    return Instant(seconds: sum, nanoseconds: Int32(total - carry * 1_000_000_000))
  }

  /// Nanoseconds since another; nil when that is no duration.
  func since(_ other: Instant) -> Int64? {
    let (whole, overflow) = (seconds - other.seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, more) = whole.addingReportingOverflow(Int64(nanoseconds) - Int64(other.nanoseconds))
    return overflow || more ? nil : sum
  }
}

/// Durations as Go reads them, and as CEL writes them.
enum DurationText {
  /// Nanoseconds; nil when the text is none.
  static func parse(_ text: String) -> Int64? {
    var rest = text.utf8[...]
    var isNegative = false
    if let sign = rest.first, sign == 0x2d || sign == 0x2b {
      isNegative = sign == 0x2d
      rest = rest.dropFirst()
    }
    if rest.elementsEqual("0".utf8) { return 0 }
    guard !rest.isEmpty else { return nil }
    let units: [(String, Int128)] = [
      ("ns", 1), ("us", 1000), ("µs", 1000), ("μs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
      ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ]
    var total: Int128 = 0
    while !rest.isEmpty {
      var whole: Int128 = 0
      var digits = 0
      while let byte = rest.first, (48...57).contains(byte) {
        whole = whole * 10 + Int128(byte - 48)
        guard whole < 1 << 80 else { return nil }
        digits += 1
        rest = rest.dropFirst()
      }
      var fraction: Int128 = 0
      var scale: Int128 = 1
      if rest.first == 0x2e {
        rest = rest.dropFirst()
        while let byte = rest.first, (48...57).contains(byte) {
          if scale < 1_000_000_000_000_000 {
            fraction = fraction * 10 + Int128(byte - 48)
            scale *= 10
          }
          digits += 1
          rest = rest.dropFirst()
        }
      }
      let name = rest.prefix { !(48...57).contains($0) && $0 != 0x2e }
      guard digits > 0, let unit = units.first(where: { name.elementsEqual($0.0.utf8) }) else { return nil }
      rest = rest.dropFirst(name.count)
      total += whole * unit.1 + fraction * unit.1 / scale
      guard total < Int128(Int64.max) else { return nil }
    }
    return Int64(isNegative ? -total : total)
  }

  /// Seconds with a fraction: `90.5s`.
  static func text(_ nanoseconds: Int64) -> String {
    let (seconds, rest) = nanoseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
    var text = nanoseconds < 0 ? "-\(seconds)" : "\(seconds)"
    if rest > 0 {
      var digits = String(rest)
      digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
      while digits.hasSuffix("0") { digits.removeLast() }
      text += ".\(digits)"
    }
    return text + "s"
  }
}
