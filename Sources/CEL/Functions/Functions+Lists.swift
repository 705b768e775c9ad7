extension Functions {
  static let lists: [String: Body] = [
    "isSorted": { arguments, _ in
      guard case .list(let list) = arguments[0] else { return .noOverload() }
      for (one, next) in zip(list.items, list.items.dropFirst()) {
        guard let order = Comparison.order(one, next) else { return .noOverload() }
        if order > 0 { return .bool(false) }
      }
      return .bool(true)
    },
    "sum": { arguments, _ in
      guard case .list(let list) = arguments[0] else { return .noOverload() }
      guard var sum = list.items.first else { return .int(0) }
      for item in list.items.dropFirst() {
        sum = Arithmetic.add(sum, item)
        if sum.isError { return sum }
      }
      return sum
    },
    "min": { arguments, _ in extreme(arguments[0], "min") { $0 < 0 } },
    "max": { arguments, _ in extreme(arguments[0], "max") { $0 > 0 } },
    "sets.contains": { arguments, _ in pair(arguments) { a, b in b.allSatisfy { has(a, $0) } } },
    "sets.equivalent": { arguments, _ in
      pair(arguments) { a, b in b.allSatisfy { has(a, $0) } && a.allSatisfy { has(b, $0) } }
    },
    "sets.intersects": { arguments, _ in pair(arguments) { a, b in b.contains { has(a, $0) } } },
  ]

  private static func extreme(_ value: Value, _ name: String, _ isBetter: (Int) -> Bool) -> Value {
    guard case .list(let list) = value else { return .noOverload() }
    guard var best = list.items.first else { return .failure("\(name) called on empty list") }
    for item in list.items.dropFirst() {
      guard let order = Comparison.order(item, best) else { return .noOverload() }
      if isBetter(order) { best = item }
    }
    return best
  }

  private static func has(_ items: [Value], _ value: Value) -> Bool {
    items.contains { Comparison.equal($0, value) == true }
  }

  private static func pair(_ arguments: [Value], _ holds: ([Value], [Value]) -> Bool) -> Value {
    guard case .list(let a) = arguments[0], case .list(let b) = arguments[1] else { return .noOverload() }
    return .bool(holds(a.items, b.items))
  }
}
