/// An amount of a resource: `500m`, `1Gi`, `2e3`.
///
/// Exact to a billionth, rounded up below that, capped at 2⁶³−1, as `k8s.io/apimachinery/pkg/api/resource` is.
package struct Quantity: Sendable {
  package enum Format: Sendable { case decimal, binary, exponent }

  /// Billionths.
  package private(set) var nano: Int128
  package var format: Format

  package init(nano: Int128, format: Format = .decimal) {
    self.nano = min(max(nano, -Quantity.limit), Quantity.limit)
    self.format = format
  }
  package init(_ value: Int64, format: Format = .decimal) {
    self.init(nano: Int128(value) * Quantity.unit, format: format)
  }
  package init(milli: Int64, format: Format = .decimal) { self.init(nano: Int128(milli) * 1_000_000, format: format) }

  package static let zero = Quantity(0)
  private static let unit: Int128 = 1_000_000_000
  private static let limit = Int128(Int64.max) * unit

  package static let parseError =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

  /// Parses a quantity; nil when the text is none.
  package init?(_ text: String) { self.init(bytes: Array(text.utf8)) }

  package init?(_ text: Substring) { self.init(bytes: Array(text.utf8)) }

  private init?(bytes: [UInt8]) {
    var at = 0
    var isNegative = false
    if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
      isNegative = first == UInt8(ascii: "-")
      at = 1
    }
    var digits: [UInt8] = []
    var fraction = 0
    var seesPoint = false
    let start = at
    while at < bytes.count {
      if bytes[at] == UInt8(ascii: "."), !seesPoint {
        seesPoint = true
      } else if (48...57).contains(bytes[at]) {
        digits.append(bytes[at] - 48)
        if seesPoint { fraction += 1 }
      } else {
        break
      }
      at += 1
    }
    guard at > start, !digits.isEmpty else { return nil }
    guard let (format, base, exponent) = Quantity.suffix(bytes[at...]) else { return nil }
    self.format = format
    let value = Quantity.scale(digits, fraction: fraction, base: base, exponent: exponent)
    nano = isNegative ? -value : value
  }

  private static func suffix(_ bytes: ArraySlice<UInt8>) -> (Format, base: Int, exponent: Int)? {
    switch String(decoding: bytes, as: UTF8.self) {
    case "": return (.decimal, 10, 0)
    case "n": return (.decimal, 10, -9)
    case "u": return (.decimal, 10, -6)
    case "m": return (.decimal, 10, -3)
    case "k": return (.decimal, 10, 3)
    case "M": return (.decimal, 10, 6)
    case "G": return (.decimal, 10, 9)
    case "T": return (.decimal, 10, 12)
    case "P": return (.decimal, 10, 15)
    case "E": return (.decimal, 10, 18)
    case "Ki": return (.binary, 2, 10)
    case "Mi": return (.binary, 2, 20)
    case "Gi": return (.binary, 2, 30)
    case "Ti": return (.binary, 2, 40)
    case "Pi": return (.binary, 2, 50)
    case "Ei": return (.binary, 2, 60)
    case let text:
      guard text.hasPrefix("e") || text.hasPrefix("E"), let exponent = Int(text.dropFirst()),
        (-1000...1000).contains(exponent)
      else { return nil }
      return (.exponent, 10, exponent)
    }
  }

  /// The digits with their scale in billionths, rounded up and capped.
  private static func scale(_ digits: [UInt8], fraction: Int, base: Int, exponent: Int) -> Int128 {
    var value: Int128 = 0
    var dropped = false
    // The power of ten that stays to be applied after the digits that are kept.
    var shift = 9 - fraction + (base == 10 ? exponent : 0)
    let overflow = limit + 1
    var significant = Array(digits.drop { $0 == 0 })
    // More digits than fit are beyond the limit, or below a billionth.
    if shift < 0 {
      let cut = min(-shift, significant.count)
      dropped = significant.suffix(cut).contains { $0 != 0 } && base == 10
      if base == 10 {
        significant.removeLast(cut)
        shift = 0
      }
    }
    for digit in significant {
      let (product, failed) = value.multipliedReportingOverflow(by: 10)
      if failed { return limit }
      value = product + Int128(digit)
    }
    if base == 2 {
      let (product, failed) = value.multipliedReportingOverflow(by: Int128(1) << Int128(exponent))
      if failed { return limit }
      value = product
    }
    while shift > 0, value != 0 {
      let (product, failed) = value.multipliedReportingOverflow(by: 10)
      if failed || product > overflow { return limit }
      value = product
      shift -= 1
    }
    while shift < 0, value != 0 {
      if value % 10 != 0 { dropped = true }
      value /= 10
      shift += 1
    }
    return min(dropped ? value + 1 : value, limit)
  }

  // MARK: Reading

  /// The whole number, rounded away from zero.
  package var value: Int64 { rounded(to: Quantity.unit) }
  /// Thousandths, rounded away from zero.
  package var milliValue: Int64 { rounded(to: 1_000_000) }
  package var isZero: Bool { nano == 0 }
  package var double: Double { Double(nano) / 1e9 }

  private func rounded(to step: Int128) -> Int64 {
    let (quotient, remainder) = nano.quotientAndRemainder(dividingBy: step)
    let whole = quotient + (remainder > 0 ? 1 : remainder < 0 ? -1 : 0)
    return Int64(clamping: whole)
  }
}

extension Quantity: CustomStringConvertible {
  /// The canonical form, in which objects are kept.
  package var description: String {
    if nano == 0 { return "0" }
    let kibi = 1024 * Quantity.unit
    if format == .binary, nano <= -kibi || nano >= kibi {
      var value = self.value
      var power = 0
      while value % 1024 == 0, power < 6 {
        value /= 1024
        power += 1
      }
      return "\(value)\(["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power])"
    }
    var value = nano
    var exponent = -9
    while value % 1000 == 0, exponent < 18 {
      value /= 1000
      exponent += 3
    }
    if format == .exponent { return exponent == 0 ? "\(value)" : "\(value)e\(exponent)" }
    return "\(value)\(["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][exponent / 3 + 3])"
  }
}

extension Quantity: Hashable, Comparable {
  package static func == (a: Quantity, b: Quantity) -> Bool { a.nano == b.nano }
  package func hash(into hasher: inout Hasher) { hasher.combine(nano) }
  package static func < (a: Quantity, b: Quantity) -> Bool { a.nano < b.nano }

  /// Keeps the left side's format, or takes the right one's where the left is zero.
  package static func + (a: Quantity, b: Quantity) -> Quantity {
    Quantity(nano: a.nano + b.nano, format: a.nano == 0 ? b.format : a.format)
  }
  package static func - (a: Quantity, b: Quantity) -> Quantity {
    Quantity(nano: a.nano - b.nano, format: a.nano == 0 ? b.format : a.format)
  }
  package static func * (a: Quantity, factor: Int) -> Quantity {
    let (product, failed) = a.nano.multipliedReportingOverflow(by: Int128(factor))
    return Quantity(nano: failed ? ((a.nano < 0) == (factor < 0) ? limit : -limit) : product, format: a.format)
  }
  package static func += (a: inout Quantity, b: Quantity) { a = a + b }
  package static func -= (a: inout Quantity, b: Quantity) { a = a - b }
}

extension JSON {
  /// A quantity, written as text or number.
  package var quantity: Quantity? {
    switch self {
    case .string(let text): Quantity(text)
    case .int(let number): Quantity(number)
    case .double(let number): Quantity(JSON.numberText(number))
    default: nil
    }
  }
}
