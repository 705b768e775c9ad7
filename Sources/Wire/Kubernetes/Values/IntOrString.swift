/// A number or a text such as `25%` or the name of a port.
package enum IntOrString: Hashable, Sendable {
  case int(Int)
  case string(String)

  package init?(_ json: JSON) {
    switch json {
    case .int(let number): self = .int(Int(number))
    case .string(let text): self = .string(text)
    default: return nil
    }
  }

  package var json: JSON {
    switch self {
    case .int(let number): .int(Int64(number))
    case .string(let text): .string(text)
    }
  }

  /// The percentage of a text such as `25%`; nil where it is none.
  package var percent: Int? {
    guard case .string(let text) = self, text.hasSuffix("%") else { return nil }
    return Int(text.dropLast())
  }

  /// The number, or the percentage of `total`; nil for any other text.
  package func scaled(_ total: Int, roundingUp: Bool) -> Int? {
    switch self {
    case .int(let number): return number
    case .string:
      guard let percent else { return nil }
      let (product, failed) = percent.multipliedReportingOverflow(by: total)
      if failed { return nil }
      let (quotient, remainder) = product.quotientAndRemainder(dividingBy: 100)
      if roundingUp { return quotient + (remainder > 0 ? 1 : 0) }
      return quotient - (remainder < 0 ? 1 : 0)
    }
  }
}

extension IntOrString: CustomStringConvertible {
  package var description: String {
    switch self {
    case .int(let number): String(number)
    case .string(let text): text
    }
  }
}
