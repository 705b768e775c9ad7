/// The functions by name; a method's receiver is its first argument. Arguments are never errors.
enum Functions {
  typealias Body = @Sendable ([Value], Run) -> Value

  static let table: [String: Body] = {
    var table: [String: Body] = [:]
    for library in [
      operators, general, conversions, times, optionals, strings, lists, addresses, quantities, others, authorizer,
    ] {
      table.merge(library) { first, _ in first }
    }
    return table
  }()

  // MARK: Operators

  private static let operators: [String: Body] = [
    "!_": { arguments, _ in if case .bool(let value) = arguments[0] { .bool(!value) } else { .noOverload() } },
    "-_": { arguments, _ in negated(arguments[0]) },
    "_==_": { arguments, _ in
      Comparison.equal(arguments[0], arguments[1]).map { .bool($0) } ?? .error(.costLimit)
    },
    "_!=_": { arguments, _ in
      Comparison.equal(arguments[0], arguments[1]).map { .bool(!$0) } ?? .error(.costLimit)
    },
    "_<_": { arguments, _ in compared(arguments) { $0 < 0 } },
    "_<=_": { arguments, _ in compared(arguments) { $0 <= 0 } },
    "_>_": { arguments, _ in compared(arguments) { $0 > 0 } },
    "_>=_": { arguments, _ in compared(arguments) { $0 >= 0 } },
    "_+_": { arguments, _ in Arithmetic.add(arguments[0], arguments[1]) },
    "_-_": { arguments, _ in Arithmetic.subtract(arguments[0], arguments[1]) },
    "_*_": { arguments, _ in Arithmetic.multiply(arguments[0], arguments[1]) },
    "_/_": { arguments, _ in Arithmetic.divide(arguments[0], arguments[1]) },
    "_%_": { arguments, _ in Arithmetic.remainder(arguments[0], arguments[1]) },
    "@in": { arguments, _ in contained(arguments[0], in: arguments[1]) },
    "@mapInsert": { arguments, _ in
      guard case .map(var map) = arguments[0] else { return .noOverload() }
      return insert(Array(arguments.dropFirst()), into: &map) ?? .map(map)
    },
  ]

  private static func negated(_ value: Value) -> Value {
    switch value {
    case .int(let value): value == .min ? .failure("integer overflow") : .int(-value)
    case .double(let value): .double(-value)
    case .duration(let value): value == .min ? .failure("duration overflow") : .duration(-value)
    default: .noOverload()
    }
  }

  private static func compared(_ arguments: [Value], _ holds: (Int) -> Bool) -> Value {
    if let order = Comparison.order(arguments[0], arguments[1]) { return .bool(holds(order)) }
    // Nothing is less or greater than what is no number.
    switch (arguments[0], arguments[1]) {
    case (.double, .double), (.double, .int), (.double, .uint), (.int, .double), (.uint, .double): return .bool(false)
    default: return .noOverload()
    }
  }

  private static func contained(_ value: Value, in container: Value) -> Value {
    switch container {
    case .list(let list):
      for item in list.items {
        switch Comparison.equal(value, item) {
        case true?: return .bool(true)
        case false?: break
        case nil: return .error(.costLimit)
        }
      }
      return .bool(false)
    case .map(let map): return .bool(map.has(value))
    case .object(let object):
      guard case .string(let name) = value else { return .noOverload() }
      return .bool(object[name] != nil)
    default: return .noOverload()
    }
  }

  /// Adds a key and its value, or a map's pairs; the error, if there is one.
  static func insert(_ added: [Value], into map: inout MapValue) -> Value? {
    let pairs: [(key: Value, value: Value)]
    if added.count == 2 {
      pairs = [(added[0], added[1])]
    } else if case .map(let other)? = added.first {
      pairs = other.pairs
    } else {
      return .noOverload()
    }
    for (key, value) in pairs {
      switch map.insert(key, value) {
      case true?: break
      case false?: return .failure("insert failed: key \(Format.plain(key)) already exists")
      case nil: return .failure("unsupported key type: \(key.typeName)")
      }
    }
    return nil
  }

  // MARK: Size, text, type

  private static let general: [String: Body] = [
    "size": { arguments, _ in
      switch arguments[0] {
      case .string, .bytes, .list, .map, .object: .int(Int64(arguments[0].size))
      default: .noOverload()
      }
    },
    "contains": { arguments, _ in
      texts(arguments) { .bool($1.isEmpty || ByteSearch.first(of: Array($1.utf8), in: Array($0.utf8)) != nil) }
    },
    "startsWith": { arguments, _ in texts(arguments) { .bool($0.utf8.starts(with: $1.utf8)) } },
    "endsWith": { arguments, _ in texts(arguments) { .bool($0.utf8.reversed().starts(with: $1.utf8.reversed())) } },
    "matches": { arguments, _ in
      texts(arguments) { text, pattern in
        guard let regex = Regex(pattern) else { return .failure(Regex.fault(pattern)) }
        return .bool(regex.isFound(in: text))
      }
    },
    "type": { arguments, _ in .type(arguments[0].type) },
    "dyn": { arguments, _ in arguments[0] },
  ]

  static func texts(_ arguments: [Value], _ body: (String, String) -> Value) -> Value {
    guard arguments.count >= 2, case .string(let first) = arguments[0], case .string(let second) = arguments[1] else {
      return .noOverload()
    }
    return body(first, second)
  }

  static func text(_ arguments: [Value], _ body: (String) -> Value) -> Value {
    guard case .string(let text)? = arguments.first else { return .noOverload() }
    return body(text)
  }

  // MARK: Optionals

  private static let optionals: [String: Body] = [
    "optional.of": { arguments, _ in .optional(arguments[0]) },
    "optional.none": { _, _ in .optional(nil) },
    "optional.ofNonZeroValue": { arguments, _ in isZero(arguments[0]) ? .optional(nil) : .optional(arguments[0]) },
    "hasValue": { arguments, _ in
      if case .optional(let inner) = arguments[0] { .bool(inner != nil) } else { .noOverload() }
    },
    "value": { arguments, _ in
      guard case .optional(let inner) = arguments[0] else { return .noOverload() }
      return inner ?? .failure("optional.none() dereference")
    },
  ]

  static func isZero(_ value: Value) -> Bool {
    switch value {
    case .null: true
    case .bool(let value): !value
    case .int(let value): value == 0
    case .uint(let value): value == 0
    case .double(let value): value == 0
    case .duration(let value): value == 0
    case .string, .bytes, .list, .map, .object: value.size == 0
    case .optional(let value): value == nil
    default: false
    }
  }
}
