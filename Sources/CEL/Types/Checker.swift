/// Finds the type of every part of an expression, as the reference's checker does.
struct Checker {
  private let environment: Environment
  private var scopes: [(name: String, type: CELType)] = []
  private var bound: [String: CELType] = [:]
  private var lastVariable = 0
  private(set) var issues: [Issue] = []
  private(set) var types: [Int: CELType] = [:]
  /// Names of variables and constants with dots, where a selection means one of them.
  private(set) var qualified: [Int: String] = [:]
  /// Calls of functions whose names have dots: their target is a part of the name.
  private(set) var namespaced: [Int: String] = [:]

  init(_ environment: Environment) { self.environment = environment }

  mutating func check(_ node: Node) -> CELType {
    let type = settled(node)
    for (id, found) in types { types[id] = settle(found) }
    return type
  }

  private mutating func report(_ at: Int, _ text: String) {
    if issues.count < 100 { issues.append(Issue(at: at, text: text)) }
  }

  private mutating func fresh() -> CELType {
    lastVariable += 1
    return .parameter("_var\(lastVariable - 1)")
  }

  // MARK: Nodes

  private mutating func visit(_ node: Node) -> CELType {
    let type = find(node)
    types[node.id] = type
    return type
  }

  /// With all that is known after the visit; `settle(visit(node))` would look at what was known before.
  private mutating func settled(_ node: Node) -> CELType {
    let type = visit(node)
    return settle(type)
  }

  private mutating func find(_ node: Node) -> CELType {
    switch node.kind {
    case .literal(let value): return value.type
    case .identifier(let name): return identifier(name, node)
    case .select(let operand, let field, let testsOnly): return select(operand, field, testsOnly, node)
    case .call(let name, let target, let arguments): return call(name, target, arguments, node)
    case .list(let items, let optional): return list(items, optional)
    case .map(let entries): return map(entries)
    case .object(let name, let fields): return object(name, fields, node)
    case .fold(let fold): return visit(fold)
    }
  }

  private func variable(_ name: String) -> CELType? {
    if name.hasPrefix(".") { return environment.variables[String(name.dropFirst())] }
    if let scope = scopes.last(where: { $0.name == name }) { return scope.type }
    return environment.variables[name] ?? Environment.typeNames[name].map { .type($0) }
  }

  private mutating func identifier(_ name: String, _ node: Node) -> CELType {
    if let type = variable(name) { return type }
    report(node.at, "undeclared reference to '\(name.drop { $0 == "." })' (in container '')")
    return .error
  }

  /// A selection as a name with dots.
  private func dotted(_ node: Node) -> String? {
    switch node.kind {
    case .identifier(let name): name
    case .select(let operand, let field, false): dotted(operand).map { "\($0).\(field)" }
    default: nil
    }
  }

  private mutating func select(_ operand: Node, _ field: String, _ testsOnly: Bool, _ node: Node) -> CELType {
    if !testsOnly, let name = dotted(operand), !scopes.contains(where: { $0.name == name }) {
      let whole = "\(name).\(field)"
      if let type = environment.variables[whole] ?? Environment.typeNames[whole].map({ .type($0) }) {
        qualified[node.id] = whole
        return type
      }
    }
    let type = settled(operand)
    let found = select(field, of: type, node, isOptional: false)
    return testsOnly ? .bool : found
  }

  private mutating func select(_ field: String, of type: CELType, _ node: Node, isOptional: Bool) -> CELType {
    switch type {
    case .map(_, let value): return isOptional ? .optional(value) : value
    case .opaque("optional_type", let inner):
      let found = select(field, of: settle(inner[0]), node, isOptional: false)
      if case .opaque("optional_type", _) = found { return found }
      return .optional(found)
    case .object(let object):
      if let declared = object.fields[field] {
        return isOptional ? .optional(declared.type.celType) : declared.type.celType
      }
      if object.isOpen { return .dyn }
      report(node.at, "undefined field '\(field)'")
      return .error
    case .parameter:
      _ = isAssignable(.dyn, type)
      return .dyn
    case .dyn, .any: return isOptional ? .optional(.dyn) : .dyn
    case .error: return .dyn
    default:
      report(node.at, "type '\(type.name)' does not support field selection")
      return .error
    }
  }

  private mutating func call(_ name: String, _ target: Node?, _ arguments: [Node], _ node: Node) -> CELType {
    if let target {
      if name == "format", case .list(let items, _)? = arguments.first?.kind, arguments.count == 1 {
        // What is written out may be of any types.
        let receiver = visit(target)
        for item in items { _ = visit(item) }
        types[arguments[0].id] = .list(.dyn)
        return resolve(name, receiver, [.list(.dyn)], node)
      }
      if let prefix = dotted(target), !scopes.contains(where: { $0.name == prefix }),
        environment.functions.functions["\(prefix).\(name)"] != nil
      {
        namespaced[node.id] = "\(prefix).\(name)"
        let types = arguments.map { visit($0) }
        return resolve("\(prefix).\(name)", nil, types, node)
      }
      let receiver = visit(target)
      let types = arguments.map { visit($0) }
      guard environment.functions.functions[name] != nil else {
        report(node.at, "undeclared reference to '\(name)' (in container '')")
        return .error
      }
      return resolve(name, receiver, types, node)
    }
    if name == "_?._", arguments.count == 2, case .literal(.string(let field)) = arguments[1].kind {
      let type = settled(arguments[0])
      types[arguments[1].id] = .string
      return select(field, of: type, node, isOptional: true)
    }
    let types = arguments.map { visit($0) }
    let plain = name.hasPrefix(".") ? String(name.dropFirst()) : name
    guard environment.functions.functions[plain] != nil else {
      report(node.at, "undeclared reference to '\(plain)' (in container '')")
      return .error
    }
    return resolve(plain, nil, types, node)
  }

  private mutating func resolve(_ name: String, _ receiver: CELType?, _ arguments: [CELType], _ node: Node) -> CELType {
    let given = (receiver.map { [$0] } ?? []) + arguments
    var result: CELType?
    for overload in environment.functions.functions[name] ?? [] {
      guard overload.isMethod == (receiver != nil), overload.arguments.count == given.count else { continue }
      var chosen: [String: CELType] = [:]
      for parameter in overload.parameters { chosen[parameter] = fresh() }
      let wanted = overload.arguments.map { substitute($0, chosen) }
      let saved = bound
      guard zip(given, wanted).allSatisfy({ isAssignable($1, $0) }) else {
        bound = saved
        continue
      }
      let found = settle(substitute(overload.result, chosen))
      if let known = result {
        if !known.isDynamic, known != found { result = .dyn }
      } else {
        result = found
      }
    }
    if let result { return result }
    let shown = arguments.map { settle($0).name }.joined(separator: ", ")
    let target = receiver.map { "\(settle($0).name)." } ?? ""
    report(node.at, "found no matching overload for '\(name)' applied to '\(target)(\(shown))'")
    return .error
  }

  private mutating func list(_ items: [Node], _ optional: [Bool]) -> CELType {
    var element: CELType?
    for (index, item) in items.enumerated() {
      var type = visit(item)
      if optional[index] { type = unwrapped(type, item) }
      element = join(item, element, type)
    }
    return .list(element ?? fresh())
  }

  private mutating func unwrapped(_ type: CELType, _ node: Node) -> CELType {
    let type = settle(type)
    if case .opaque("optional_type", let inner) = type { return inner[0] }
    if type.isDynamic { return .dyn }
    report(node.at, "expected type 'optional_type(\(type.name))' but found '\(type.name)'")
    return type
  }

  private mutating func map(_ entries: [Node.MapEntry]) -> CELType {
    var key: CELType?
    var value: CELType?
    for entry in entries {
      key = join(entry.key, key, visit(entry.key))
      var type = visit(entry.value)
      if entry.isOptional { type = unwrapped(type, entry.value) }
      value = join(entry.value, value, type)
    }
    if key == nil { return .map(fresh(), fresh()) }
    return .map(key!, value!)
  }

  /// The elements of a list are of one type, unless one is of any.
  private mutating func join(_ node: Node, _ known: CELType?, _ type: CELType) -> CELType {
    guard let known else { return type }
    if isAssignable(known, type) { return settle(known).isDynamic ? .dyn : general(known, type) }
    report(node.at, "expected type '\(settle(known).name)' but found '\(settle(type).name)'")
    return known
  }

  private func general(_ a: CELType, _ b: CELType) -> CELType { settle(b).isDynamic ? .dyn : a }

  private mutating func object(_ name: String, _ fields: [Node.FieldEntry], _ node: Node) -> CELType {
    guard let type = environment.constructed(name) else {
      for field in fields { _ = visit(field.value) }
      report(node.at, "undeclared reference to '\(name)' (in container '')")
      return .error
    }
    for field in fields {
      var found = visit(field.value)
      if field.isOptional { found = unwrapped(found, field.value) }
      guard let wanted = environment.member(field.name, of: name) else {
        report(field.at, "undefined field '\(field.name)'")
        continue
      }
      if !isAssignable(wanted, found) {
        report(
          field.at,
          "expected type of field '\(field.name)' is '\(settle(wanted).name)' but provided type is "
            + "'\(settle(found).name)'")
      }
    }
    return type
  }

  private mutating func visit(_ fold: Node.Fold) -> CELType {
    let range = settled(fold.range)
    let start = visit(fold.start)
    var first: CELType
    var second: CELType?
    switch range {
    case .list(let element): (first, second) = fold.second == nil ? (element, nil) : (.int, element)
    case .map(let key, let value): (first, second) = (key, fold.second == nil ? nil : value)
    case .dyn, .any, .error, .parameter:
      if case .parameter = range { _ = isAssignable(.dyn, range) }
      (first, second) = (.dyn, .dyn)
    default:
      report(
        fold.range.at,
        "expression of type '\(range.name)' cannot be range of a comprehension (must be list, map, or dynamic)")
      (first, second) = (.error, .error)
    }
    let count = scopes.count
    scopes.append((fold.accumulator, start))
    scopes.append((fold.variable, first))
    if let name = fold.second { scopes.append((name, second ?? .dyn)) }
    let condition = visit(fold.condition)
    assign(.bool, condition, fold.condition)
    let step = visit(fold.step)
    assign(start, step, fold.step)
    scopes.removeSubrange((count + 1)...)
    let result = visit(fold.result)
    scopes.removeSubrange(count...)
    return result
  }

  private mutating func assign(_ wanted: CELType, _ found: CELType, _ node: Node) {
    guard !isAssignable(wanted, found) else { return }
    report(node.at, "expected type '\(settle(wanted).name)' but found '\(settle(found).name)'")
  }

  // MARK: Types

  private func substitute(_ type: CELType, _ chosen: [String: CELType]) -> CELType {
    switch type {
    case .parameter(let name): chosen[name] ?? type
    case .list(let element): .list(substitute(element, chosen))
    case .map(let key, let value): .map(substitute(key, chosen), substitute(value, chosen))
    case .type(let inner): .type(inner.map { substitute($0, chosen) })
    case .opaque(let name, let inner): .opaque(name, inner.map { substitute($0, chosen) })
    default: type
    }
  }

  /// A type with all that is known of its variables; those of which nothing is known stay.
  private func settle(_ type: CELType, depth: Int = 0) -> CELType {
    guard depth < 64 else { return .dyn }
    switch type {
    case .parameter(let name): return bound[name].map { settle($0, depth: depth + 1) } ?? type
    case .list(let element): return .list(settle(element, depth: depth + 1))
    case .map(let key, let value): return .map(settle(key, depth: depth + 1), settle(value, depth: depth + 1))
    case .type(let inner): return .type(inner.map { settle($0, depth: depth + 1) })
    case .opaque(let name, let inner): return .opaque(name, inner.map { settle($0, depth: depth + 1) })
    default: return type
    }
  }

  /// Whether a value of one type may stand where the other is wanted; binds variables.
  private mutating func isAssignable(_ wanted: CELType, _ given: CELType) -> Bool {
    let saved = bound
    if unify(wanted, given, depth: 0) { return true }
    bound = saved
    return false
  }

  private func lookup(_ type: CELType) -> CELType {
    var type = type
    var steps = 0
    while case .parameter(let name) = type, let next = bound[name], steps < 64 {
      type = next
      steps += 1
    }
    return type
  }

  /// What was one type may be any from now on.
  private mutating func generalize(_ type: CELType) {
    var type = type
    var steps = 0
    while case .parameter(let name) = type, steps < 64 {
      guard let next = bound[name], case .parameter = next else {
        bound[name] = .dyn
        return
      }
      type = next
      steps += 1
    }
  }

  private mutating func unify(_ wanted: CELType, _ given: CELType, depth: Int) -> Bool {
    guard depth < 64 else { return false }
    if case .parameter = wanted, lookup(given).isDynamic {
      generalize(wanted)
      return true
    }
    let wanted = lookup(wanted)
    let given = lookup(given)
    if case .parameter(let name) = given {
      if case .parameter(name) = wanted { return true }
      bound[name] = wanted
      return true
    }
    if case .parameter(let name) = wanted {
      bound[name] = given
      return true
    }
    if wanted.isDynamic || given.isDynamic { return true }
    switch (wanted, given) {
    case (.list(let a), .list(let b)): return unify(a, b, depth: depth + 1)
    case (.map(let a, let c), .map(let b, let d)): return unify(a, b, depth: depth + 1) && unify(c, d, depth: depth + 1)
    case (.type(let a), .type(let b)):
      // Any type may stand for another; what they have in common is bound all the same.
      if let a, let b { _ = unify(a, b, depth: depth + 1) }
      return true
    case (.opaque(let name, let a), .opaque(let other, let b)) where name == other && a.count == b.count:
      for (one, other) in zip(a, b) where !unify(one, other, depth: depth + 1) { return false }
      return true
    // Null stands for a missing object, time or optional value.
    case (.object, .null), (.null, .object), (.timestamp, .null), (.null, .timestamp), (.duration, .null),
      (.null, .duration), (.opaque, .null), (.null, .opaque):
      return true
    default: return wanted == given
    }
  }
}
