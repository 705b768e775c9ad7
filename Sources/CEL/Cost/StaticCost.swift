/// What an expression costs at most, by the bounds of what it reads (`cel-go/checker/cost.go`).
package struct StaticCost {
  private let expression: CheckedExpression
  private let root: SchemaType
  private var scopes: [Local] = []
  /// The way from a variable to a part, where there is one.
  private var paths: [Int: [String]] = [:]
  /// Sizes of what calls and folds give.
  private var sizes: [Int: Size] = [:]
  private var entries: [Int: Entries] = [:]

  struct Size {
    var least: UInt64 = 0
    var most: UInt64

    static let unknown = Size(most: .max)
    static func exactly(_ count: Int) -> Size { Size(least: UInt64(count), most: UInt64(count)) }
    func union(_ other: Size) -> Size { Size(least: min(least, other.least), most: max(most, other.most)) }
    func plus(_ other: Size) -> Size { Size(least: least.plus(other.least), most: most.plus(other.most)) }
    func times(_ other: Size) -> Size { Size(least: least.times(other.least), most: most.times(other.most)) }
  }

  /// Sizes of what a list or map holds.
  private struct Entries {
    var isList: Bool
    var key: Size
    var value: Size

    func union(_ other: Entries?) -> Entries? {
      other.map { Entries(isList: isList, key: key.union($0.key), value: value.union($0.value)) }
    }
  }

  private struct Local {
    var name: String
    var path: [String]
    var size: Size?
    var entries: Entries?
  }

  /// `root` is what every variable is an object of.
  package static func greatest(of expression: CheckedExpression, root: SchemaType) -> UInt64 {
    var cost = StaticCost(expression: expression, root: root)
    return cost.cost(expression.node)
  }

  private init(expression: CheckedExpression, root: SchemaType) {
    self.expression = expression
    self.root = root
  }

  private static let listBase: UInt64 = 10
  private static let mapBase: UInt64 = 30
  private static let objectBase: UInt64 = 40

  // MARK: Nodes

  private mutating func cost(_ node: Node) -> UInt64 {
    switch node.kind {
    case .literal: return 0
    case .identifier(let name):
      paths[node.id] = scopes.last { $0.name == name }?.path ?? [name]
      return 1
    case .select(let operand, let field, let testsOnly):
      let inner = cost(operand)
      guard !testsOnly else { return inner }
      paths[node.id] = path(operand) + [field]
      switch expression.types[operand.id] {
      case .map?, .object?, .parameter?: return inner.plus(1)
      default: return inner
      }
    case .call(let name, let target, let arguments): return call(name, target, arguments, node)
    case .list(let items, _): return list(items, node)
    case .map(let pairs): return map(pairs, node)
    case .object(_, let fields): return fields.reduce(Self.objectBase) { $0.plus(cost($1.value)) }
    case .fold(let fold): return isBinding(fold) ? binding(fold, node) : cost(fold, node)
    }
  }

  private mutating func list(_ items: [Node], _ node: Node) -> UInt64 {
    var sum = Self.listBase
    var item = Size(least: items.isEmpty ? 0 : .max, most: 0)
    for part in items {
      sum = sum.plus(cost(part))
      item = item.union(size(part))
    }
    entries[node.id] = Entries(isList: true, key: .exactly(1), value: item)
    return sum
  }

  private mutating func map(_ pairs: [Node.MapEntry], _ node: Node) -> UInt64 {
    var sum = Self.mapBase
    var key = Size(least: pairs.isEmpty ? 0 : .max, most: 0)
    var value = key
    for pair in pairs {
      sum = sum.plus(cost(pair.key)).plus(cost(pair.value))
      key = key.union(size(pair.key))
      value = value.union(size(pair.value))
    }
    entries[node.id] = Entries(isList: false, key: key, value: value)
    return sum
  }

  // MARK: Folds

  private func isBinding(_ fold: Node.Fold) -> Bool {
    guard case .list(let items, _) = fold.range.kind, items.isEmpty, fold.accumulator != Parser.accumulator,
      case .literal(.bool(false)) = fold.condition.kind
    else { return false }
    return true
  }

  private mutating func binding(_ fold: Node.Fold, _ node: Node) -> UInt64 {
    let start = cost(fold.range).plus(cost(fold.start))
    scopes.append(local(fold.accumulator, fold.start))
    let result = cost(fold.result)
    sizes[node.id] = known(fold.result)
    entries[node.id] = held(fold.result)
    scopes.removeLast()
    return start.plus(result)
  }

  private mutating func local(_ name: String, _ value: Node) -> Local {
    Local(name: name, path: path(value), size: known(value), entries: held(value))
  }

  private mutating func cost(_ fold: Node.Fold, _ node: Node) -> UInt64 {
    var sum = cost(fold.range).plus(cost(fold.start))
    let place = scopes.count
    scopes.append(local(fold.accumulator, fold.start))
    let inner = held(fold.range)
    let isList = inner?.isList ?? holdsList(fold.range)
    let way = path(fold.range)
    if let second = fold.second {
      scopes.append(Local(name: fold.variable, path: way + [isList ? "@indices" : "@keys"], size: inner?.key))
      scopes.append(Local(name: second, path: way + [isList ? "@items" : "@values"], size: inner?.value))
    } else {
      let part = isList ? inner?.value : inner?.key
      scopes.append(Local(name: fold.variable, path: way + [isList ? "@items" : "@keys"], size: part))
    }
    let turn = cost(fold.condition).plus(cost(fold.step))
    scopes.removeSubrange((place + 1)...)
    sum = sum.plus(cost(fold.result))
    scopes.removeSubrange(place...)
    let count = size(fold.range)
    switch fold.start.kind {
    case .literal: sizes[node.id] = known(fold.start)
    case .list, .map:
      sizes[node.id] = count
      if let step = held(fold.step) { entries[node.id] = step }
    default: break
    }
    return sum.plus(count.most.times(turn))
  }

  private func holdsList(_ node: Node) -> Bool {
    if case .list? = expression.types[node.id] { true } else { false }
  }

  // MARK: Calls

  private mutating func call(_ name: String, _ target: Node?, _ arguments: [Node], _ node: Node) -> UInt64 {
    if name == "dyn", target == nil, arguments.count == 1 {
      let inner = cost(arguments[0])
      sizes[node.id] = known(arguments[0])
      entries[node.id] = held(arguments[0])
      return inner.plus(1)
    }
    let costs = arguments.map { cost($0) }
    let sum = costs.reduce(0 as UInt64) { $0.plus($1) }
    switch name {
    case "_&&_", "_||_": return sum
    case "_?_:_":
      sizes[node.id] = size(arguments[1]).union(size(arguments[2]))
      entries[node.id] = held(arguments[1])?.union(held(arguments[2]))
      return costs[0].plus(max(costs[1], costs[2]))
    default: break
    }
    if let whole = expression.namespaced[node.id] {
      var call = Call(name: whole, receiver: nil, arguments: arguments, node: node)
      return sum.plus(own(&call))
    }
    let receiver = target.map { cost($0) } ?? 0
    var call = Call(name: name, receiver: target, arguments: arguments, node: node)
    return receiver.plus(sum).plus(own(&call))
  }

  private struct Call {
    var name: String
    var receiver: Node?
    var arguments: [Node]
    var node: Node
    var result: Size?
  }

  private mutating func own(_ call: inout Call) -> UInt64 {
    let price = price(&call)
    if call.name == "_[_]" {
      let isMap = if case .map? = expression.types[call.arguments[0].id] { true } else { false }
      let isDynamic = !isMap && !holdsList(call.arguments[0])
      call.result = held(call.arguments[0])?.value
      paths[call.node.id] = path(call.arguments[0]) + [isMap || isDynamic ? "@values" : "@items"]
    }
    if let size = call.result ?? known(call.node) { sizes[call.node.id] = size }
    return price
  }

  private mutating func price(_ call: inout Call) -> UInt64 {
    let first = call.arguments.first
    if let receiver = call.receiver { return price(&call, of: receiver) }
    switch call.name {
    case "_+_": return sum(&call)
    case "_==_", "_!=_": return compared(call)
    case "_<_", "_<=_", "_>_", "_>=_":
      switch expression.types[call.arguments[0].id] {
      case .string?, .bytes?: return compared(call)
      case .dyn?, .any?, .parameter?, .error?, nil: return max(compared(call), 1)
      default: return 1
      }
    case "@in":
      switch expression.types[call.arguments[1].id] {
      case .list?: return size(call.arguments[1]).most
      case .map?: return 1
      default: return max(size(call.arguments[1]).most, 1)
      }
    case "bytes", "string":
      guard let first, isText(first) else { return 1 }
      let length = size(first)
      call.result = call.name == "bytes" ? Size(least: length.least, most: length.most.times(4)) : length
      return length.most.walked
    case "strings.quote":
      let length = size(first!)
      call.result = Size(least: length.least.plus(2), most: length.most.times(2).plus(2))
      return length.most.walked
    case "url", "isURL", "cidr", "isIP", "isCIDR", "ip", "quantity", "isQuantity", "semver", "isSemver",
      "jsonpatch.escapeKey":
      return size(first!).most.walked
    case "ip.isCanonical": return size(first!).most.scaled(by: 0.2)
    case "sets.contains", "sets.intersects":
      return size(call.arguments[0]).most.times(size(call.arguments[1]).most).plus(1)
    case "sets.equivalent":
      return size(call.arguments[0]).most.times(size(call.arguments[1]).most).times(2).plus(1)
    default: return 1
    }
  }

  private mutating func price(_ call: inout Call, of receiver: Node) -> UInt64 {
    let length = size(receiver)
    let first = call.arguments.first
    switch call.name {
    case "startsWith", "endsWith": return size(first!).most.walked
    case "matches": return length.most.plus(1).walked.times(size(first!).most.scaled(by: 0.25))
    case "find", "findAll":
      call.result = Size(most: length.most)
      return length.most.plus(1).walked.times(size(first!).most.scaled(by: 0.25))
    case "contains": return length.most.walked.times(size(first!).most.walked)
    case "check": return 350_000
    case "isSorted", "sum", "max", "min", "indexOf", "lastIndexOf":
      guard case .list(let type)? = expression.types[receiver.id] else { return length.most.walked }
      switch type {
      case .string, .bytes: return length.most.times(element(of: receiver).most.walked.plus(1))
      default: return length.most
      }
    case "lowerAscii", "upperAscii", "substring", "trim":
      call.result = length
      return length.most.walked
    case "replace":
      call.result = replaced(length, size(call.arguments[0]), size(call.arguments[1]))
      return length.most.scaled(by: 0.2)
    case "split":
      call.result = Size(most: length.most)
      return length.most.scaled(by: 0.2)
    case "join":
      var whole = length.times(element(of: receiver))
      if let first {
        let gaps = Size(least: length.least > 0 ? length.least - 1 : 0, most: length.most > 0 ? length.most - 1 : 0)
        whole = whole.plus(size(first).times(gaps))
      }
      call.result = whole
      return whole.most.walked
    case "format":
      call.result = length.plus(size(first!))
      return length.most.walked
    case "validate": return size(first!).most.walked.times(25)
    case "containsIP", "containsCIDR":
      let isText = first.map { expression.types[$0.id] == .string } ?? false
      let parsed: UInt64 = isText ? size(first!).most.walked : 0
      return parsed.plus(call.name == "containsIP" ? 4 : 7)
    default: return 1
    }
  }

  private func isText(_ node: Node) -> Bool {
    switch expression.types[node.id] {
    case .string?, .bytes?, .dyn?, .any?: true
    default: false
    }
  }

  private mutating func compared(_ call: Call) -> UInt64 {
    min(size(call.arguments[0]).most, size(call.arguments[1]).most).walked
  }

  private mutating func sum(_ call: inout Call) -> UInt64 {
    let (left, right) = (call.arguments[0], call.arguments[1])
    switch expression.types[call.node.id] {
    case .string?, .bytes?, .list?, .dyn?, .any?: break
    default: return 1
    }
    let whole = size(left).plus(size(right))
    call.result = whole
    if let both = held(left)?.union(held(right)) { entries[call.node.id] = both }
    return holdsList(call.node) ? 1 : whole.most.walked
  }

  /// The bounds of a text in which each `wanted` gave way to `given`.
  private func replaced(_ whole: Size, _ wanted: Size, _ given: Size) -> Size {
    var most = whole.most
    if wanted.least == 0 {
      most = whole.most.plus(1).times(given.most).plus(whole.most)
    } else if given.most > wanted.least {
      most = (whole.most / wanted.least).plus(whole.most % wanted.least == 0 ? 0 : 1).times(given.most)
    }
    var least = whole.least
    if wanted.most == 0 {
      least = whole.least.plus(1).times(given.least).plus(whole.least)
    } else if wanted.most > given.least {
      least = (whole.least / wanted.most).plus(whole.least % wanted.most == 0 ? 0 : 1).times(given.least)
    }
    return Size(least: least, most: most)
  }

  // MARK: Sizes

  private func path(_ node: Node) -> [String] {
    if case .identifier(let name) = node.kind, let local = scopes.last(where: { $0.name == name }) {
      return local.path
    }
    return paths[node.id] ?? []
  }

  private func declared(_ path: [String]) -> Size? {
    guard !path.isEmpty else { return nil }
    var type = root
    for name in path.dropFirst() {
      switch (name, type) {
      case ("@items", .list(let inner, _, _)), ("@values", .list(let inner, _, _)): type = inner
      case ("@items", .map(let inner, _)), ("@values", .map(let inner, _)): type = inner
      case ("@keys", .map): type = .bool
      case (_, .object(let object)):
        guard let field = object.fields[name] else { return nil }
        type = field.type
      default: return nil
      }
    }
    return Size(most: type.maxElements)
  }

  private mutating func known(_ node: Node) -> Size? {
    if let known = sizes[node.id] { return known }
    switch node.kind {
    case .literal(let value): return .exactly(Int(clamping: value.size))
    case .list(let items, _): return .exactly(items.count)
    case .map(let pairs): return .exactly(pairs.count)
    default: break
    }
    if let bound = declared(path(node)) {
      sizes[node.id] = bound
      return bound
    }
    if let type = expression.types[node.id], StaticCost.isScalar(type) { return .exactly(1) }
    if case .identifier(let name) = node.kind { return scopes.last { $0.name == name }?.size }
    return nil
  }

  private static func isScalar(_ type: CELType) -> Bool {
    switch type {
    case .bool, .double, .duration, .int, .timestamp, .uint: true
    case .opaque("optional_type", let inner): isScalar(inner[0])
    default: false
    }
  }

  private mutating func size(_ node: Node) -> Size { known(node) ?? .unknown }

  private func held(_ node: Node) -> Entries? {
    if let found = entries[node.id] { return found }
    guard case .identifier(let name) = node.kind else { return nil }
    return scopes.last { $0.name == name }?.entries
  }

  private func element(of list: Node) -> Size {
    let way = path(list)
    return way.isEmpty ? .unknown : declared(way + ["@items"]) ?? .unknown
  }
}

extension UInt64 {
  func plus(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  package func times(_ other: UInt64) -> UInt64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }

  /// What it costs to go over so many characters.
  fileprivate var walked: UInt64 { scaled(by: 0.1) }

  fileprivate func scaled(by factor: Double) -> UInt64 {
    let product = (Double(self) * factor).rounded(.up)
    return product >= 1.8446744073709552e19 ? .max : UInt64(product)
  }
}
