/// One evaluation: what variables mean, and what it has cost so far.
package final class Run {
  /// Units of cost; nothing is evaluated beyond it.
  let limit: UInt64
  private(set) var cost: UInt64 = 0
  private let activation: Activation
  private var scopes: [(name: String, value: Value)] = []
  let zones: Zones

  init(_ activation: Activation, limit: UInt64, zones: @escaping Zones) {
    self.activation = activation
    self.limit = limit
    self.zones = zones
  }

  var isOver: Bool { cost > limit }

  func spend(_ units: UInt64) {
    let (sum, overflow) = cost.addingReportingOverflow(units)
    cost = overflow ? .max : sum
  }

  /// Another expression in the middle of this one: it sees none of the variables of its folds.
  func apart(_ program: CheckedExpression) -> Value {
    let saved = scopes
    scopes = []
    defer { scopes = saved }
    return evaluate(program.node, program)
  }

  // MARK: Nodes

  func evaluate(_ node: Node, _ program: CheckedExpression) -> Value {
    if isOver { return .error(.costLimit) }
    let value = find(node, program)
    return isOver ? .error(.costLimit) : value
  }

  private func find(_ node: Node, _ program: CheckedExpression) -> Value {
    switch node.kind {
    case .literal(let value): return value
    case .identifier(let name):
      spend(1)
      return variable(name)
    case .select(let operand, let field, let testsOnly):
      if let name = program.qualified[node.id] {
        spend(2)
        return variable(name)
      }
      let target = evaluate(operand, program)
      if !testsOnly { spend(Run.isAttribute(operand) ? 1 : 2) }
      return select(field, from: target, testsOnly: testsOnly)
    case .call(let name, let target, let arguments): return call(name, target, arguments, node, program)
    case .list(let items, let optional): return list(items, optional, program)
    case .map(let entries): return map(entries, program)
    case .object(let name, let fields): return object(name, fields, program)
    case .fold(let fold): return evaluate(fold, program)
    }
  }

  private static func isAttribute(_ node: Node) -> Bool {
    switch node.kind {
    case .identifier, .select: true
    case .call(let name, _, _): name == "_[_]" || name == "_?._" || name == "_[?_]"
    default: false
    }
  }

  private func variable(_ name: String) -> Value {
    let isRoot = name.hasPrefix(".")
    if !isRoot, let at = scopes.lastIndex(where: { $0.name == name }) { return scopes[at].value }
    let plain = isRoot ? String(name.dropFirst()) : name
    if let value = activation.value(of: plain, self) { return value }
    if let type = Environment.typeNames[plain] { return .type(type) }
    return .failure("no such attribute(s): \(plain)")
  }

  private func select(_ field: String, from target: Value, testsOnly: Bool) -> Value {
    switch target {
    case .error: return target
    case .optional(let inner):
      guard let inner else { return testsOnly ? .bool(false) : .optional(nil) }
      if testsOnly { return select(field, from: inner, testsOnly: true) }
      return wrap(find(field, in: inner))
    case .map, .object:
      switch find(field, in: target) {
      case .value(let value): return testsOnly ? .bool(true) : value
      case .missing: return testsOnly ? .bool(false) : .failure("no such key: \(field)")
      case .wrong: return .noOverload()
      }
    default: return .noOverload()
    }
  }

  private enum Found {
    case value(Value)
    case missing
    case wrong
  }

  private func find(_ field: String, in target: Value) -> Found {
    switch target {
    case .map(let map): map[.string(field)].map { .value($0) } ?? .missing
    case .object(let object): object[field].map { .value($0) } ?? .missing
    default: .wrong
    }
  }

  private func wrap(_ found: Found) -> Value {
    switch found {
    case .value(.optional(let value)): .optional(value)
    case .value(let value): value.isError ? value : .optional(value)
    case .missing: .optional(nil)
    case .wrong: .noOverload()
    }
  }

  // MARK: Calls

  private func call(_ name: String, _ target: Node?, _ arguments: [Node], _ node: Node, _ program: CheckedExpression)
    -> Value
  {
    switch name {
    case "_&&_": return junction(arguments, program, decides: false)
    case "_||_": return junction(arguments, program, decides: true)
    case "_?_:_":
      switch evaluate(arguments[0], program) {
      case .bool(let condition): return evaluate(arguments[condition ? 1 : 2], program)
      case .error(let error): return .error(error)
      default: return .noOverload()
      }
    case "@not_strictly_false":
      let value = evaluate(arguments[0], program)
      spend(1)
      if case .bool = value { return value }
      return isOver ? value : .bool(true)
    case "_[_]", "_[?_]", "_?._":
      let container = evaluate(arguments[0], program)
      if container.isError { return container }
      let index = evaluate(arguments[1], program)
      if index.isError { return index }
      spend(Run.isAttribute(arguments[0]) ? 1 : 2)
      return element(index, of: container, isOptional: name != "_[_]")
    case "or" where arguments.count == 1 && target != nil, "orValue" where arguments.count == 1 && target != nil:
      return alternative(name, target!, arguments[0], program)
    default: break
    }
    var values: [Value] = []
    values.reserveCapacity(arguments.count + 1)
    let function: String
    if let whole = program.namespaced[node.id] {
      function = whole
    } else {
      function = name.hasPrefix(".") ? String(name.dropFirst()) : name
      if let target {
        let value = evaluate(target, program)
        if value.isError { return value }
        values.append(value)
      }
    }
    for argument in arguments {
      let value = evaluate(argument, program)
      if value.isError { return value }
      values.append(value)
    }
    guard let body = Functions.table[function] else { return .noOverload(function) }
    // What costs by its arguments alone is paid before it is done.
    spend(RuntimeCost.before(function, values))
    if isOver { return .error(.costLimit) }
    let result = body(values, self)
    spend(RuntimeCost.after(function, result))
    return result
  }

  private func junction(_ arguments: [Node], _ program: CheckedExpression, decides: Bool) -> Value {
    let left = evaluate(arguments[0], program)
    if case .bool(decides) = left { return left }
    if isOver { return left }
    let right = evaluate(arguments[1], program)
    if case .bool(decides) = right { return right }
    if isOver { return right }
    if case .bool = left, case .bool = right { return .bool(!decides) }
    if left.isError { return left }
    if right.isError { return right }
    return .noOverload()
  }

  private func alternative(_ name: String, _ target: Node, _ argument: Node, _ program: CheckedExpression) -> Value {
    let value = evaluate(target, program)
    spend(1)
    switch value {
    case .optional(let inner?): return name == "or" ? value : inner
    case .optional(nil): return evaluate(argument, program)
    case .error: return value
    default: return .noOverload()
    }
  }

  private func element(_ index: Value, of container: Value, isOptional: Bool) -> Value {
    if case .optional(let inner) = container {
      guard let inner else { return .optional(nil) }
      return element(index, of: inner, isOptional: true)
    }
    switch container {
    case .list(let list):
      let place: Int64?
      switch index {
      case .int(let number): place = number
      case .uint(let number): place = Int64(exactly: number)
      case .double(let number): place = Int64(exactly: number)
      default: return .noOverload()
      }
      guard let place, place >= 0, place < list.items.count else {
        return isOptional ? .optional(nil) : .failure("index out of bounds: \(Format.plain(index))")
      }
      return isOptional ? wrap(.value(list.items[Int(place)])) : list.items[Int(place)]
    case .map(let map):
      if let value = map[index] { return isOptional ? wrap(.value(value)) : value }
      return isOptional ? .optional(nil) : .failure("no such key: \(Format.plain(index))")
    case .object(let object):
      guard case .string(let name) = index else { return .noOverload() }
      if let value = object[name] { return isOptional ? wrap(.value(value)) : value }
      return isOptional ? .optional(nil) : .failure("no such key: \(name)")
    default: return .noOverload()
    }
  }

  // MARK: Literals

  private func list(_ nodes: [Node], _ optional: [Bool], _ program: CheckedExpression) -> Value {
    var items: [Value] = []
    items.reserveCapacity(nodes.count)
    for (index, node) in nodes.enumerated() {
      let value = evaluate(node, program)
      if value.isError { return value }
      if optional[index] {
        guard case .optional(let inner) = value else { return .noOverload() }
        if let inner { items.append(inner) }
      } else {
        items.append(value)
      }
    }
    spend(10)
    return .list(items)
  }

  private func map(_ entries: [Node.MapEntry], _ program: CheckedExpression) -> Value {
    var map = MapValue()
    for entry in entries {
      let key = evaluate(entry.key, program)
      if key.isError { return key }
      var value = evaluate(entry.value, program)
      if value.isError { return value }
      if entry.isOptional {
        guard case .optional(let inner) = value else { return .noOverload() }
        guard let inner else { continue }
        value = inner
      }
      switch map.insert(key, value) {
      case true?: break
      case false?: return .failure("insert failed: key \(Format.plain(key)) already exists")
      case nil: return .failure("unsupported key type: \(key.typeName)")
      }
    }
    spend(30)
    return .map(map)
  }

  private func object(_ name: String, _ fields: [Node.FieldEntry], _ program: CheckedExpression) -> Value {
    var built: [(String, Value)] = []
    for field in fields {
      var value = evaluate(field.value, program)
      if value.isError { return value }
      if field.isOptional {
        guard case .optional(let inner) = value else { return .noOverload() }
        guard let inner else { continue }
        value = inner
      }
      built.append((field.name, value))
    }
    spend(40)
    return .library(.built(BuiltObject(type: name, fields: built)))
  }

  // MARK: Folds

  private func evaluate(_ fold: Node.Fold, _ program: CheckedExpression) -> Value {
    let range = evaluate(fold.range, program)
    if range.isError { return range }
    let start = evaluate(fold.start, program)
    let pairs: [(Value, Value)]
    switch range {
    case .list(let list):
      pairs =
        fold.second == nil
        ? list.items.map { ($0, .null) } : list.items.enumerated().map { (.int(Int64($0)), $1) }
    case .map(let map): pairs = fold.second == nil ? map.keys.map { ($0, .null) } : map.pairs.map { ($0.key, $0.value) }
    default: return .noOverload()
    }
    let place = scopes.count
    scopes.append((fold.accumulator, start))
    defer { scopes.removeSubrange(place...) }
    for (first, second) in pairs {
      scopes.append((fold.variable, first))
      if let name = fold.second { scopes.append((name, second)) }
      let condition = evaluate(fold.condition, program)
      guard case .bool(true) = condition else {
        scopes.removeSubrange((place + 1)...)
        if isOver { return .error(.costLimit) }
        break
      }
      step(fold.step, fold.accumulator, at: place, program)
      scopes.removeSubrange((place + 1)...)
      if isOver { return .error(.costLimit) }
    }
    return evaluate(fold.result, program)
  }

  /// One step. What only adds to the list or map that is gathered does so in place.
  private func step(_ node: Node, _ accumulator: String, at place: Int, _ program: CheckedExpression) {
    guard case .call(let name, nil, let arguments) = node.kind else {
      scopes[place].value = evaluate(node, program)
      return
    }
    if name == "_?_:_", case .identifier(accumulator) = arguments[2].kind {
      switch evaluate(arguments[0], program) {
      case .bool(true): step(arguments[1], accumulator, at: place, program)
      case .bool(false): spend(1)
      case .error(let error): scopes[place].value = .error(error)
      default: scopes[place].value = .noOverload()
      }
      return
    }
    guard name == "_+_" || name == "@mapInsert", case .identifier(accumulator) = arguments[0].kind else {
      scopes[place].value = evaluate(node, program)
      return
    }
    if scopes[place].value.isError { return }
    spend(2)
    var added: [Value] = []
    for argument in arguments.dropFirst() {
      let value = evaluate(argument, program)
      if value.isError {
        scopes[place].value = value
        return
      }
      added.append(value)
    }
    switch (scopes[place].value, added.first) {
    case (.list(var list), .list(let more)?) where name == "_+_" && list.merge == .atomic:
      scopes[place].value = .null
      list.items.append(contentsOf: more.items)
      scopes[place].value = .list(list)
    case (.map(var map), _) where name == "@mapInsert":
      scopes[place].value = .null
      let fault = Functions.insert(added, into: &map)
      scopes[place].value = fault ?? .map(map)
    default:
      let body = Functions.table[name]
      scopes[place].value = body?([scopes[place].value] + added, self) ?? .noOverload(name)
    }
  }
}
