import Wire

/// One operator of a condition block.
struct ConditionOperator: Sendable, Equatable {
  enum Quantifier: Sendable { case single, forAll, forAny }
  enum Test: String, Sendable, CaseIterable {
    case stringEquals = "StringEquals"
    case stringEqualsIgnoreCase = "StringEqualsIgnoreCase"
    case stringLike = "StringLike"
    case numericEquals = "NumericEquals"
    case numericLessThan = "NumericLessThan"
    case numericLessThanEquals = "NumericLessThanEquals"
    case numericGreaterThan = "NumericGreaterThan"
    case numericGreaterThanEquals = "NumericGreaterThanEquals"
    case dateEquals = "DateEquals"
    case dateLessThan = "DateLessThan"
    case dateLessThanEquals = "DateLessThanEquals"
    case dateGreaterThan = "DateGreaterThan"
    case dateGreaterThanEquals = "DateGreaterThanEquals"
    case bool = "Bool"
    case binaryEquals = "BinaryEquals"
    case ipAddress = "IpAddress"
    case arnEquals = "ArnEquals"
    case arnLike = "ArnLike"
    case null = "Null"
  }

  var quantifier = Quantifier.single
  var test: Test
  var isNegated = false
  var ifExists = false

  private static let negated: [(String, Test)] = [
    ("StringNotEquals", .stringEquals), ("StringNotEqualsIgnoreCase", .stringEqualsIgnoreCase),
    ("StringNotLike", .stringLike), ("NumericNotEquals", .numericEquals), ("DateNotEquals", .dateEquals),
    ("NotIpAddress", .ipAddress), ("ArnNotEquals", .arnEquals), ("ArnNotLike", .arnLike),
  ]

  /// Nil for a name that is no operator.
  init?(_ name: String) {
    var rest = name[...]
    if rest.hasPrefix("ForAllValues:") {
      quantifier = .forAll
      rest = rest.dropFirst("ForAllValues:".count)
    } else if rest.hasPrefix("ForAnyValue:") {
      quantifier = .forAny
      rest = rest.dropFirst("ForAnyValue:".count)
    }
    if rest.hasSuffix("IfExists") {
      ifExists = true
      rest = rest.dropLast("IfExists".count)
    }
    let wanted = rest.lowercased()
    if let test = Test.allCases.first(where: { $0.rawValue.lowercased() == wanted }) {
      self.test = test
    } else if let entry = ConditionOperator.negated.first(where: { $0.0.lowercased() == wanted }) {
      test = entry.1
      isNegated = true
    } else {
      return nil
    }
  }

  func holds(_ condition: PolicyDocument.Condition, _ context: PolicyContext, version: String) -> Truth {
    let value = context.value(of: condition.loweredKey)
    if test == .null {
      let wantsAbsent = condition.values.contains { $0.lowercased() == "true" }
      switch value {
      case .unknown(let gap): return .open([gap])
      case .absent: return Truth(wantsAbsent)
      case .present(let values): return Truth(values.isEmpty == wantsAbsent)
      }
    }
    let given: [String]
    switch value {
    case .unknown(let gap): return .open([gap])
    case .absent: return Truth(ifExists || (quantifier == .single ? isNegated : quantifier == .forAll))
    case .present(let values): given = values
    }
    // Whether one value of the request matches one of the policy's.
    func matchesAny(_ text: String) -> Truth {
      Truth.any(condition.values) { wanted in
        switch PolicyPattern.expand(wanted, context, version: version) {
        case .text(let pattern): Truth(matches(pattern, text))
        case .impossible: .no
        case .unknown(let gap): .open([gap])
        }
      }
    }
    switch (quantifier, isNegated) {
    case (.single, false), (.forAny, false): return Truth.any(given, matchesAny)
    case (.single, true): return !Truth.any(given, matchesAny)
    case (.forAny, true): return Truth.any(given) { !matchesAny($0) }
    case (.forAll, false): return Truth.all(given, matchesAny)
    case (.forAll, true): return Truth.all(given) { !matchesAny($0) }
    }
  }

  private func matches(_ pattern: String, _ text: String) -> Bool {
    switch test {
    case .stringEquals, .binaryEquals: return plain(pattern) == text
    case .stringEqualsIgnoreCase: return plain(pattern).lowercased() == text.lowercased()
    case .stringLike: return PolicyPattern.matches(pattern, text)
    case .arnEquals, .arnLike: return PolicyPattern.matchesARN(pattern, text)
    case .bool: return pattern.lowercased() == text.lowercased()
    case .ipAddress:
      guard let address = IPv4Address(text) else { return pattern == text }
      if let block = CIDR(pattern) { return block.contains(address) }
      return IPv4Address(pattern) == address
    case .numericEquals, .numericLessThan, .numericLessThanEquals, .numericGreaterThan, .numericGreaterThanEquals:
      guard let a = Double(text), let b = Double(pattern) else { return false }
      return compare(a, b)
    case .dateEquals, .dateLessThan, .dateLessThanEquals, .dateGreaterThan, .dateGreaterThanEquals:
      guard let a = ConditionOperator.date(text), let b = ConditionOperator.date(pattern) else { return false }
      return compare(a, b)
    case .null: return false
    }
  }

  private func compare(_ a: Double, _ b: Double) -> Bool {
    switch test {
    case .numericEquals, .dateEquals: a == b
    case .numericLessThan, .dateLessThan: a < b
    case .numericLessThanEquals, .dateLessThanEquals: a <= b
    case .numericGreaterThan, .dateGreaterThan: a > b
    default: a >= b
    }
  }

  private func plain(_ pattern: String) -> String {
    guard pattern.utf8.contains(where: { $0 == 1 || $0 == 2 }) else { return pattern }
    return pattern.replacing("\u{01}", with: "*").replacing("\u{02}", with: "?")
  }

  /// Seconds since 1970, of an ISO 8601 date or of a number.
  private static func date(_ text: String) -> Double? {
    if let number = Double(text) { return number }
    if let time = Timestamp(rfc3339: text) { return Double(time.microseconds) / 1_000_000 }
    return Timestamp(rfc3339: "\(text)T00:00:00Z").map { Double($0.seconds) }
  }
}
