/// Equality and order of values. The work of one comparison is bounded, as lists may hold one another many times.
struct Comparison {
  private var left: Int

  init(limit: Int = 2_000_000) { left = limit }

  /// Nil when it took too long to tell.
  static func equal(_ a: Value, _ b: Value) -> Bool? {
    var comparison = Comparison()
    let answer = comparison.equal(a, b)
    return comparison.left > 0 ? answer : nil
  }

  private mutating func equal(_ a: Value, _ b: Value) -> Bool {
    left -= 1
    guard left > 0 else { return false }
    switch (a, b) {
    case (.null, .null): return true
    case (.bool(let a), .bool(let b)): return a == b
    case (.string(let a), .string(let b)):
      left -= a.utf8.count / 64
      return a.utf8.elementsEqual(b.utf8)
    case (.bytes(let a), .bytes(let b)): return a == b
    case (.timestamp(let a), .timestamp(let b)): return a == b
    case (.duration(let a), .duration(let b)): return a == b
    case (.type(let a), .type(let b)): return Comparison.sameType(a, b)
    case (.list(let a), .list(let b)): return lists(a, b)
    case (.optional(let a), .optional(let b)):
      guard let a, let b else { return a == nil && b == nil }
      return equal(a, b)
    case (.library(let a), .library(let b)): return a.isEqual(to: b)
    case (.map, .map), (.map, .object), (.object, .map), (.object, .object): return fields(a, b)
    default:
      if let order = Comparison.numbers(a, b) { return order == 0 }
      return false
    }
  }

  private static func sameType(_ a: CELType, _ b: CELType) -> Bool {
    switch (a, b) {
    case (.list, .list), (.map, .map), (.type, .type): true
    case (.opaque(let a, _), .opaque(let b, _)): a == b
    default: a == b
    }
  }

  private mutating func lists(_ a: ListValue, _ b: ListValue) -> Bool {
    guard a.items.count == b.items.count else { return false }
    switch a.merge {
    case .atomic:
      for (one, other) in zip(a.items, b.items) where !equal(one, other) { return false }
      return true
    case .set, .map:
      // The order says nothing.
      var rest = b.items
      for item in a.items {
        var found: Int?
        for (index, other) in rest.enumerated() where found == nil && equal(item, other) { found = index }
        guard let found else { return false }
        rest.remove(at: found)
      }
      return true
    }
  }

  private mutating func fields(_ a: Value, _ b: Value) -> Bool {
    if case .object(let one) = a, case .object(let other) = b {
      guard one.json.count == other.json.count else { return false }
      for field in one.json.fields {
        guard let name = Escaping.escape(field.key), let value = one[name], let known = other[name] else {
          guard other.json[field.key] == field.value else { return false }
          continue
        }
        guard equal(value, known) else { return false }
      }
      return true
    }
    guard case .map(let one) = a, case .map(let other) = b, one.count == other.count else { return false }
    for (key, value) in one.pairs {
      guard let known = other[key], equal(value, known) else { return false }
    }
    return true
  }

  // MARK: Order

  /// -1, 0 or 1; nil when the two have no order.
  static func order(_ a: Value, _ b: Value) -> Int? {
    switch (a, b) {
    case (.bool(let a), .bool(let b)): a == b ? 0 : b ? -1 : 1
    case (.string(let a), .string(let b)): order(a.utf8, b.utf8)
    case (.bytes(let a), .bytes(let b)): order(a, b)
    case (.duration(let a), .duration(let b)): a == b ? 0 : a < b ? -1 : 1
    case (.timestamp(let a), .timestamp(let b)):
      a.seconds != b.seconds
        ? (a.seconds < b.seconds ? -1 : 1)
        : a.nanoseconds == b.nanoseconds ? 0 : a.nanoseconds < b.nanoseconds ? -1 : 1
    default: numbers(a, b)
    }
  }

  private static func order(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Int {
    a.elementsEqual(b) ? 0 : a.lexicographicallyPrecedes(b) ? -1 : 1
  }

  private static func numbers(_ a: Value, _ b: Value) -> Int? {
    func order<T: Comparable>(_ a: T, _ b: T) -> Int { a == b ? 0 : a < b ? -1 : 1 }
    switch (a, b) {
    case (.int(let a), .int(let b)): return order(a, b)
    case (.uint(let a), .uint(let b)): return order(a, b)
    case (.int(let a), .uint(let b)): return a < 0 ? -1 : order(UInt64(a), b)
    case (.uint(let a), .int(let b)): return b < 0 ? 1 : order(a, UInt64(b))
    case (.double(let a), .double(let b)): return a.isNaN || b.isNaN ? nil : order(a, b)
    case (.double(let a), .int(let b)): return mixed(a, b)
    case (.int(let a), .double(let b)): return mixed(b, a).map { -$0 }
    case (.double(let a), .uint(let b)): return mixed(a, b)
    case (.uint(let a), .double(let b)): return mixed(b, a).map { -$0 }
    default: return nil
    }
  }

  /// A double with an integer, without loss.
  private static func mixed<T: FixedWidthInteger>(_ a: Double, _ b: T) -> Int? {
    if a.isNaN { return nil }
    if a < Double(T.min) { return -1 }
    if a >= (T.isSigned ? 9_223_372_036_854_775_808.0 : 18_446_744_073_709_551_616.0) { return 1 }
    let whole = T(a)
    if whole != b { return whole < b ? -1 : 1 }
    let rest = a - Double(whole)
    return rest == 0 ? 0 : rest < 0 ? -1 : 1
  }
}
