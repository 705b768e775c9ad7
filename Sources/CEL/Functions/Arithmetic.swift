/// Sums, differences, products; overflow is an error.
enum Arithmetic {
  private static let intOverflow = Value.failure("integer overflow")
  private static let uintOverflow = Value.failure("unsigned integer overflow")
  private static let durationOverflow = Value.failure("duration overflow")
  private static let timestampOverflow = Value.failure("timestamp overflow")

  private static func whole(_ result: (Int64, Bool)) -> Value { result.1 ? intOverflow : .int(result.0) }
  private static func whole(_ result: (UInt64, Bool)) -> Value { result.1 ? uintOverflow : .uint(result.0) }

  static func add(_ a: Value, _ b: Value) -> Value {
    switch (a, b) {
    case (.int(let a), .int(let b)): return whole(a.addingReportingOverflow(b))
    case (.uint(let a), .uint(let b)): return whole(a.addingReportingOverflow(b))
    case (.double(let a), .double(let b)): return .double(a + b)
    case (.string(let a), .string(let b)): return .string(a + b)
    case (.bytes(let a), .bytes(let b)): return .bytes(a + b)
    case (.list(let a), .list(let b)): return ListAddition.add(a, b)
    case (.duration(let a), .duration(let b)):
      let (sum, overflow) = a.addingReportingOverflow(b)
      return overflow ? durationOverflow : .duration(sum)
    case (.timestamp(let time), .duration(let length)), (.duration(let length), .timestamp(let time)):
      return time.advanced(by: length).map { .timestamp($0) } ?? timestampOverflow
    default: return .noOverload()
    }
  }

  static func subtract(_ a: Value, _ b: Value) -> Value {
    switch (a, b) {
    case (.int(let a), .int(let b)): return whole(a.subtractingReportingOverflow(b))
    case (.uint(let a), .uint(let b)): return whole(a.subtractingReportingOverflow(b))
    case (.double(let a), .double(let b)): return .double(a - b)
    case (.duration(let a), .duration(let b)):
      let (rest, overflow) = a.subtractingReportingOverflow(b)
      return overflow ? durationOverflow : .duration(rest)
    case (.timestamp(let a), .timestamp(let b)): return a.since(b).map { .duration($0) } ?? durationOverflow
    case (.timestamp(let time), .duration(let length)):
      guard length != .min else { return timestampOverflow }
      return time.advanced(by: -length).map { .timestamp($0) } ?? timestampOverflow
    default: return .noOverload()
    }
  }

  static func multiply(_ a: Value, _ b: Value) -> Value {
    switch (a, b) {
    case (.int(let a), .int(let b)): whole(a.multipliedReportingOverflow(by: b))
    case (.uint(let a), .uint(let b)): whole(a.multipliedReportingOverflow(by: b))
    case (.double(let a), .double(let b)): .double(a * b)
    default: .noOverload()
    }
  }

  static func divide(_ a: Value, _ b: Value) -> Value {
    switch (a, b) {
    case (.int, .int(0)), (.uint, .uint(0)): .failure("division by zero")
    case (.int(let a), .int(let b)): whole(a.dividedReportingOverflow(by: b))
    case (.uint(let a), .uint(let b)): .uint(a / b)
    case (.double(let a), .double(let b)): .double(a / b)
    default: .noOverload()
    }
  }

  static func remainder(_ a: Value, _ b: Value) -> Value {
    switch (a, b) {
    case (.int, .int(0)), (.uint, .uint(0)): .failure("modulus by zero")
    case (.int(let a), .int(let b)): whole(a.remainderReportingOverflow(dividingBy: b))
    case (.uint(let a), .uint(let b)): .uint(a % b)
    default: .noOverload()
    }
  }
}

/// Lists that are sets keep one of each; lists that are maps take the later one of each key.
enum ListAddition {
  /// No list grows beyond it; doubling costs nothing otherwise.
  private static let limit = 1_000_000

  static func add(_ a: ListValue, _ b: ListValue) -> Value {
    guard a.items.count + b.items.count <= limit else { return .error(.costLimit) }
    var sum = a
    switch a.merge {
    case .atomic: sum.items += b.items
    case .set:
      for item in b.items where !sum.items.contains(where: { Comparison.equal($0, item) == true }) {
        sum.items.append(item)
      }
    case .map(let keys):
      for item in b.items {
        if let at = sum.items.firstIndex(where: { hasSameKeys($0, item, keys) }) {
          sum.items[at] = item
        } else {
          sum.items.append(item)
        }
      }
    }
    return .list(sum)
  }

  static func hasSameKeys(_ a: Value, _ b: Value, _ keys: [String]) -> Bool {
    guard case .object(let a) = a, case .object(let b) = b else { return false }
    return keys.allSatisfy { a.json[$0] == b.json[$0] }
  }
}
