/// What calls cost by their arguments (`cel-go/interpreter/runtimecost.go`, `k8s.io/apiserver/pkg/cel/library/cost.go`).
enum RuntimeCost {
  private static let traversal = 0.1
  private static let regexPart = 0.25

  static func before(_ name: String, _ arguments: [Value]) -> UInt64 {
    func size(_ index: Int) -> Double { index < arguments.count ? Double(arguments[index].size) : 0 }
    func walk(_ length: Double) -> UInt64 { UInt64((length * traversal).rounded(.up)) }
    switch name {
    case "startsWith", "endsWith", "strings.quote", "format": return walk(size(0))
    case "bytes", "string":
      switch arguments.first {
      case .string?, .bytes?: return walk(size(0))
      default: return 1
      }
    case "@in":
      if case .list? = arguments.last { return UInt64(size(1)) }
      return 1
    case "_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_": return walk(min(size(0), size(1)))
    case "_+_":
      switch arguments.first {
      case .string?, .bytes?: return walk(size(0) + size(1))
      default: return 1
      }
    case "matches", "find", "findAll":
      return walk(1 + size(0)) &* UInt64((size(1) * regexPart).rounded(.up))
    case "contains": return walk(size(0)) &* walk(size(1))
    case "check": return 350_000
    case "isSorted", "sum", "max", "min", "indexOf", "lastIndexOf": return traversalCost(arguments.first)
    case "url", "isURL", "lowerAscii", "upperAscii", "substring", "trim", "cidr", "isIP", "isCIDR", "quantity",
      "isQuantity", "semver", "isSemver", "jsonpatch.escapeKey":
      return walk(size(0))
    case "ip":
      if case .string? = arguments.first { return walk(size(0)) }
      return 1
    case "ip.isCanonical", "replace", "split": return walk(size(0) * 2)
    case "join": return 0
    case "containsIP", "containsCIDR":
      var cost = walk(size(0) * 2)
      if name == "containsCIDR" { cost += walk(size(0)) + 1 }
      if case .string? = arguments.last { cost += walk(size(1)) }
      return cost
    case "validate": return walk(size(1)) * 25
    case "sets.contains", "sets.intersects": return 1 + UInt64(size(0) * size(1))
    case "sets.equivalent": return 1 + UInt64(size(0) * size(1) * 2)
    default: return 1
    }
  }

  /// What is known when the result is.
  static func after(_ name: String, _ result: Value) -> UInt64 {
    name == "join" ? UInt64((Double(result.size) * 2 * traversal).rounded(.up)) : 0
  }

  private static func traversalCost(_ value: Value?) -> UInt64 {
    switch value {
    case .string?, .bytes?: UInt64((Double(value!.size) * traversal).rounded(.up))
    case .list(let list)?: list.items.reduce(0) { $0 + max(traversalCost($1), 1) }
    default: 1
    }
  }
}
