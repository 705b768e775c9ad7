/// The macros: what looks like a call and becomes a fold, a test or a variable.
extension Parser {
  static let accumulator = "@result"

  /// What a call expands to; nil when it is a call like any other.
  mutating func expand(_ name: String, _ target: Node?, _ arguments: [Node], at: Int) throws(Issue) -> Node? {
    guard let target else {
      guard name == "has", arguments.count == 1 else { return nil }
      guard case .select(let operand, let field, false) = arguments[0].kind else {
        throw Issue(at: arguments[0].at, text: "invalid argument to has() macro")
      }
      return make(at, .select(operand, field: field, testsOnly: true))
    }
    if case .identifier("cel") = target.kind, name == "bind", arguments.count == 3, features.hasBind {
      return try bind(arguments, at: at)
    }
    switch (name, arguments.count) {
    case ("all", 2), ("exists", 2), ("existsOne", 2), ("exists_one", 2), ("map", 2), ("map", 3), ("filter", 2):
      return try fold(name, target, arguments, at: at)
    case ("optMap", 2), ("optFlatMap", 2):
      guard features.hasOptionals else { return nil }
      return try optional(name, target, arguments, at: at)
    case ("all", 3), ("exists", 3), ("existsOne", 3), ("exists_one", 3), ("transformList", 3), ("transformList", 4),
      ("transformMap", 3), ("transformMap", 4), ("transformMapEntry", 3), ("transformMapEntry", 4):
      guard features.hasTwoVariables else { return nil }
      return try foldPairs(name, target, arguments, at: at)
    default: return nil
    }
  }

  private func variable(_ node: Node, _ text: String = "argument must be a simple name") throws(Issue) -> String {
    guard case .identifier(let name) = node.kind, !name.hasPrefix(".") else { throw Issue(at: node.at, text: text) }
    if name == Parser.accumulator || name == "__result__" {
      throw Issue(at: node.at, text: "iteration variable overwrites accumulator variable")
    }
    return name
  }

  private mutating func accumulated(_ at: Int) -> Node { make(at, .identifier(Parser.accumulator)) }
  private mutating func bool(_ value: Bool, _ at: Int) -> Node { make(at, .literal(.bool(value))) }
  private mutating func call(_ name: String, _ arguments: [Node], _ at: Int) -> Node {
    make(at, .call(name, target: nil, arguments))
  }

  private mutating func fold(_ name: String, _ range: Node, _ arguments: [Node], at: Int) throws(Issue) -> Node {
    let variable = try variable(arguments[0])
    return fold(name, range, variable, nil, Array(arguments.dropFirst()), at)
  }

  private mutating func foldPairs(_ name: String, _ range: Node, _ arguments: [Node], at: Int) throws(Issue) -> Node {
    let first = try variable(arguments[0])
    let second = try variable(arguments[1])
    guard first != second else {
      throw Issue(at: arguments[1].at, text: "duplicate variable name: \(second)")
    }
    let rest = Array(arguments.dropFirst(2))
    guard name.hasPrefix("transform") else { return fold(name, range, first, second, rest, at) }
    let added: Node
    switch name {
    case "transformList":
      let item = make(at, .list([rest.last!], optional: [false]))
      added = call("_+_", [accumulated(at), item], at)
    case "transformMap":
      added = call("@mapInsert", [accumulated(at), make(at, .identifier(first)), rest.last!], at)
    default: added = call("@mapInsert", [accumulated(at), rest.last!], at)
    }
    let start = name == "transformList" ? make(at, .list([], optional: [])) : make(at, .map([]))
    return finish(range, first, second, start, step: filtered(added, by: rest.count == 2 ? rest[0] : nil, at), at)
  }

  private mutating func filtered(_ step: Node, by condition: Node?, _ at: Int) -> Node {
    guard let condition else { return step }
    return call("_?_:_", [condition, step, accumulated(at)], at)
  }

  private mutating func finish(
    _ range: Node, _ first: String, _ second: String?, _ start: Node, condition: Node? = nil, step: Node,
    result: Node? = nil, _ at: Int
  ) -> Node {
    let condition = condition ?? bool(true, at)
    let result = result ?? accumulated(at)
    return make(
      at,
      .fold(
        Node.Fold(
          range: range, variable: first, second: second, accumulator: Parser.accumulator, start: start,
          condition: condition, step: step, result: result)))
  }

  private mutating func fold(
    _ name: String, _ range: Node, _ first: String, _ second: String?, _ arguments: [Node], _ at: Int
  ) -> Node {
    switch name {
    case "all":
      let start = bool(true, at)
      let condition = call("@not_strictly_false", [accumulated(at)], at)
      let step = call("_&&_", [accumulated(at), arguments[0]], at)
      return finish(range, first, second, start, condition: condition, step: step, at)
    case "exists":
      let start = bool(false, at)
      let negated = call("!_", [accumulated(at)], at)
      let condition = call("@not_strictly_false", [negated], at)
      let step = call("_||_", [accumulated(at), arguments[0]], at)
      return finish(range, first, second, start, condition: condition, step: step, at)
    case "existsOne", "exists_one":
      let start = make(at, .literal(.int(0)))
      let more = call("_+_", [accumulated(at), make(at, .literal(.int(1)))], at)
      let step = call("_?_:_", [arguments[0], more, accumulated(at)], at)
      let result = call("_==_", [accumulated(at), make(at, .literal(.int(1)))], at)
      return finish(range, first, second, start, step: step, result: result, at)
    case "filter":
      let start = make(at, .list([], optional: []))
      let item = make(at, .list([make(at, .identifier(first))], optional: [false]))
      let step = filtered(call("_+_", [accumulated(at), item], at), by: arguments[0], at)
      return finish(range, first, second, start, step: step, at)
    default:
      let start = make(at, .list([], optional: []))
      let item = make(at, .list([arguments.last!], optional: [false]))
      let step = filtered(
        call("_+_", [accumulated(at), item], at), by: arguments.count == 2 ? arguments[0] : nil, at)
      return finish(range, first, second, start, step: step, at)
    }
  }

  /// A variable is a fold over nothing, whose start is the variable's value.
  private mutating func bound(_ name: String, _ value: Node, _ body: Node, at: Int) -> Node {
    let nothing = make(at, .list([], optional: []))
    let never = bool(false, at)
    let same = make(at, .identifier(name))
    return make(
      at,
      .fold(
        Node.Fold(
          range: nothing, variable: "#unused", second: nil, accumulator: name, start: value, condition: never,
          step: same, result: body)))
  }

  private mutating func bind(_ arguments: [Node], at: Int) throws(Issue) -> Node {
    let name = try variable(arguments[0], "cel.bind() variable names must be simple identifiers")
    return bound(name, arguments[1], arguments[2], at: at)
  }

  private mutating func optional(_ name: String, _ target: Node, _ arguments: [Node], at: Int) throws(Issue) -> Node {
    let variable = try variable(arguments[0], "\(name)() variable name must be a simple identifier")
    let hasValue = make(at, .call("hasValue", target: target, []))
    let value = make(at, .call("value", target: target, []))
    let body = bound(variable, value, arguments[1], at: at)
    let some = name == "optMap" ? call("optional.of", [body], at) : body
    return call("_?_:_", [hasValue, some, call("optional.none", [], at)], at)
  }
}
