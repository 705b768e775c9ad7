/// Lengths of time as Go's `time.Duration` writes and reads them: `1h2m3.5s`.
package enum GoDuration {
  package static func text(_ duration: Duration) -> String { text(nanoseconds: duration.microseconds * 1000) }

  package static func text(nanoseconds: Int64) -> String {
    if nanoseconds == 0 { return "0s" }
    let total = nanoseconds.magnitude
    let sign = nanoseconds < 0 ? "-" : ""
    if total < 1_000_000_000 {
      let (unit, size): (String, UInt64) =
        total < 1000 ? ("ns", 1) : total < 1_000_000 ? ("µs", 1000) : ("ms", 1_000_000)
      return sign + decimal(total, size) + unit
    }
    let hours = total / 3_600_000_000_000
    let minutes = total / 60_000_000_000 % 60
    let seconds = decimal(total % 60_000_000_000, 1_000_000_000) + "s"
    return sign + (hours > 0 ? "\(hours)h" : "") + (hours > 0 || minutes > 0 ? "\(minutes)m" : "") + seconds
  }

  private static func decimal(_ value: UInt64, _ unit: UInt64) -> String {
    let (whole, rest) = value.quotientAndRemainder(dividingBy: unit)
    if rest == 0 { return String(whole) }
    let width = String(unit).utf8.count - 1
    var digits = Int(rest).padded(width)
    while digits.hasSuffix("0") { digits.removeLast() }
    return "\(whole).\(digits)"
  }

  /// Parses a duration such as `300ms` or `-1.5h`; nil when it is none.
  package static func parse(_ text: String) -> Duration? {
    var rest = text[...]
    let isNegative = rest.hasPrefix("-")
    if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
    if rest == "0" { return .zero }
    guard !rest.isEmpty else { return nil }
    let units: [(String, Double)] = [
      ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]
    var total = 0.0
    while !rest.isEmpty {
      let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      guard let value = Double(number.hasSuffix(".") ? number + "0" : number.hasPrefix(".") ? "0" + number : number)
      else { return nil }
      rest = rest.dropFirst(number.count)
      let name = rest.prefix { !$0.isNumber && $0 != "." }
      guard let unit = units.first(where: { $0.0 == name }) else { return nil }
      rest = rest.dropFirst(name.count)
      total += value * unit.1
    }
    guard total < 9.2e18 else { return nil }
    return .nanoseconds(Int64(isNegative ? -total : total))
  }
}
