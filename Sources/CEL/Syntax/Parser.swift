/// Reads an expression of CEL, macros expanded.
struct Parser {
  static let depthLimit = 250
  static let sizeLimit = 100_000
  private static let reserved: Set<String> = [
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while",
  ]
  /// What may begin an expression, as the reference's parser lists it.
  private static let starts =
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"

  private var tokens: [Token]
  private var place = 0
  private var depth = 0
  private var lastID = 0
  private(set) var issues: [Issue]
  let features: Features

  /// What later versions added to the language.
  struct Features: Sendable {
    var hasOptionals = true
    var hasTwoVariables = true
    var hasBind = true
  }

  private init(_ scalars: [Unicode.Scalar], _ features: Features) {
    var lexer = Lexer(scalars)
    tokens = lexer.tokens()
    issues = lexer.issues
    self.features = features
  }

  /// The tree, or what is wrong with the text.
  static func parse(_ text: [Unicode.Scalar], _ features: Features) -> (node: Node?, issues: [Issue]) {
    guard text.count <= sizeLimit else {
      return (
        nil,
        [Issue(at: 0, text: "expression code point size exceeds limit: size: \(text.count), limit \(sizeLimit)")]
      )
    }
    var parser = Parser(text, features)
    var node: Node?
    do throws(Issue) {
      let found = try parser.expression()
      try parser.expectEnd()
      node = found
      if found.depth > 2 * depthLimit { throw Parser.tooDeep(at: 0) }
    } catch {
      parser.issues.append(error)
    }
    return (node, parser.issues)
  }

  private static func tooDeep(at: Int) -> Issue {
    Issue(at: at, text: "expression recursion limit exceeded: \(depthLimit)")
  }

  // MARK: Tokens

  private var token: Token { tokens[place] }

  private func isMark(_ mark: String) -> Bool { token.kind == .mark(mark) }

  private mutating func take(_ mark: String) -> Bool {
    guard isMark(mark) else { return false }
    place += 1
    return true
  }

  private mutating func advance() { if place < tokens.count - 1 { place += 1 } }

  private mutating func expect(_ mark: String) throws(Issue) {
    if take(mark) { return }
    if case .end = token.kind {
      throw Issue(at: token.at, text: "Syntax error: missing '\(mark)' at '<EOF>'")
    }
    throw Issue(at: token.at, text: "Syntax error: mismatched input '\(token.text)' expecting '\(mark)'")
  }

  private func expectEnd() throws(Issue) {
    if case .end = token.kind { return }
    let isLast = place + 2 == tokens.count
    throw Issue(
      at: token.at,
      text: "Syntax error: \(isLast ? "extraneous" : "mismatched") input '\(token.text)' expecting <EOF>")
  }

  mutating func make(_ at: Int, _ kind: Node.Kind) -> Node {
    lastID += 1
    return Node(id: lastID, at: at, kind)
  }

  mutating func report(_ at: Int, _ text: String) { issues.append(Issue(at: at, text: text)) }

  // MARK: Operators

  private mutating func expression() throws(Issue) -> Node {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Parser.depthLimit else { throw Parser.tooDeep(at: token.at) }
    let condition = try junction("||")
    guard isMark("?") else { return condition }
    let at = token.at
    advance()
    let yes = try junction("||")
    try expect(":")
    let no = try expression()
    return make(at, .call("_?_:_", target: nil, [condition, yes, no]))
  }

  /// `a || b || c`, balanced as the reference does it, so that long chains stay flat.
  private mutating func junction(_ mark: String) throws(Issue) -> Node {
    var terms = [try mark == "||" ? junction("&&") : relation()]
    var places: [Int] = []
    while isMark(mark) {
      places.append(token.at)
      advance()
      terms.append(try mark == "||" ? junction("&&") : relation())
    }
    return balance("_\(mark)_", terms[...], places[...])
  }

  private mutating func balance(_ name: String, _ terms: ArraySlice<Node>, _ places: ArraySlice<Int>) -> Node {
    if terms.count == 1 { return terms.first! }
    let middle = (terms.count + 1) / 2
    let left = balance(name, terms.prefix(middle), places.prefix(middle - 1))
    let right = balance(name, terms.dropFirst(middle), places.dropFirst(middle))
    return make(places[places.startIndex + middle - 1], .call(name, target: nil, [left, right]))
  }

  private static let levels: [[String]] = [["<", "<=", ">=", ">", "==", "!=", "in"], ["+", "-"], ["*", "/", "%"]]

  private mutating func relation() throws(Issue) -> Node { try binary(0) }

  private mutating func binary(_ level: Int) throws(Issue) -> Node {
    guard level < Parser.levels.count else { return try unary() }
    var left = try binary(level + 1)
    while true {
      let name: String
      switch token.kind {
      case .mark(let mark) where Parser.levels[level].contains(mark): name = "_\(mark)_"
      case .identifier("in") where level == 0: name = "@in"
      default: return left
      }
      let at = token.at
      advance()
      let right = try binary(level + 1)
      left = make(at, .call(name, target: nil, [left, right]))
      guard left.depth <= 2 * Parser.depthLimit else { throw Parser.tooDeep(at: at) }
    }
  }

  private mutating func unary() throws(Issue) -> Node {
    let at = token.at
    for mark in ["!", "-"] where isMark(mark) {
      var count = 0
      while take(mark) { count += 1 }
      if mark == "-", count == 1, let literal = negativeLiteral(at) { return try members(of: literal) }
      if mark == "-", case .int(let value) = token.kind, value > UInt64(Int64.max), count % 2 == 0 {
        throw Issue(at: token.at, text: "invalid int literal")
      }
      let operand = try members(of: primary())
      guard count % 2 == 1 else { return operand }
      return make(at, .call("\(mark)_", target: nil, [operand]))
    }
    return try members(of: primary())
  }

  /// A minus before a number belongs to it.
  private mutating func negativeLiteral(_ at: Int) -> Node? {
    switch token.kind {
    case .int(let value):
      advance()
      return make(at, .literal(.int(value == 1 << 63 ? .min : -Int64(value))))
    case .double(let value):
      advance()
      return make(at, .literal(.double(-value)))
    default: return nil
    }
  }

  // MARK: Members

  private mutating func members(of first: Node) throws(Issue) -> Node {
    var node = first
    while true {
      guard node.depth <= 2 * Parser.depthLimit else { throw Parser.tooDeep(at: token.at) }
      let at = token.at
      if take(".") {
        let isOptional = try takesOptional(at, ".?")
        switch token.kind {
        case .identifier(let name):
          advance()
          if isMark("("), !isOptional {
            node = try call(name, target: node)
          } else if isOptional {
            let field = make(at, .literal(.string(name)))
            node = make(at, .call("_?._", target: nil, [node, field]))
          } else {
            node = make(at, .select(node, field: name, testsOnly: false))
          }
        case .quoted(let name):
          advance()
          node = make(at, .select(node, field: name, testsOnly: false))
        default:
          throw Issue(
            at: token.at,
            text: "Syntax error: no viable alternative at input '.\(token.kind == .end ? "" : token.text)'")
        }
      } else if take("[") {
        let isOptional = try takesOptional(at, "[?")
        let index = try expression()
        try expect("]")
        node = make(at, .call(isOptional ? "_[?_]" : "_[_]", target: nil, [node, index]))
      } else if isMark("{"), let name = messageName(node) {
        node = try message(name, at: node.at)
      } else {
        return node
      }
    }
  }

  private mutating func takesOptional(_ at: Int, _ mark: String) throws(Issue) -> Bool {
    guard take("?") else { return false }
    if !features.hasOptionals { throw Issue(at: at, text: "unsupported syntax '\(mark)'") }
    return true
  }

  /// The name of a message is written as identifiers and selections.
  private func messageName(_ node: Node) -> String? {
    switch node.kind {
    case .identifier(let name): name
    case .select(let operand, let field, false): messageName(operand).map { "\($0).\(field)" }
    default: nil
    }
  }

  private mutating func message(_ name: String, at: Int) throws(Issue) -> Node {
    let open = token.at
    try expect("{")
    var fields: [Node.FieldEntry] = []
    while !isMark("}") {
      let isOptional = try takesOptional(token.at, "?")
      let place = token.at
      let field: String
      switch token.kind {
      case .identifier(let name), .quoted(let name): field = name
      default:
        throw Issue(
          at: token.at, text: "Syntax error: mismatched input '\(token.text)' expecting {'}', ',', '?', IDENTIFIER}")
      }
      advance()
      try expect(":")
      let value = try expression()
      fields.append(.init(at: place, name: field, value: value, isOptional: isOptional))
      if !take(",") { break }
    }
    try expect("}")
    return make(open, .object(name, fields))
  }

  private mutating func call(_ name: String, target: Node?) throws(Issue) -> Node {
    let at = token.at
    try expect("(")
    var arguments: [Node] = []
    while !isMark(")") {
      arguments.append(try expression())
      if !take(",") { break }
    }
    try expect(")")
    if let expanded = try expand(name, target, arguments, at: at) { return expanded }
    return make(at, .call(name, target: target, arguments))
  }

  // MARK: Primaries

  private mutating func primary() throws(Issue) -> Node {
    let token = token
    switch token.kind {
    case .int(let value):
      advance()
      guard value <= UInt64(Int64.max) else { throw Issue(at: token.at, text: "invalid int literal") }
      return make(token.at, .literal(.int(Int64(value))))
    case .uint(let value): return literal(.uint(value), token)
    case .double(let value): return literal(.double(value), token)
    case .string(let value): return literal(.string(value), token)
    case .bytes(let value): return literal(.bytes(value), token)
    case .identifier("true"): return literal(.bool(true), token)
    case .identifier("false"): return literal(.bool(false), token)
    case .identifier("null"): return literal(.null, token)
    case .identifier("in"): break
    case .identifier(let name):
      advance()
      if Parser.reserved.contains(name) {
        issues.append(Issue(at: token.at, text: "reserved identifier: \(name)"))
      }
      if isMark("(") { return try call(name, target: nil) }
      return make(token.at, .identifier(name))
    case .mark("("):
      advance()
      let inner = try expression()
      try expect(")")
      return inner
    case .mark("["): return try list()
    case .mark("{"): return try map()
    case .mark("."):
      advance()
      if case .identifier(let name) = self.token.kind {
        let at = self.token.at
        advance()
        if isMark("(") { return try call("." + name, target: nil) }
        return make(at, .identifier("." + name))
      }
    default: break
    }
    let next = self.token
    throw Issue(
      at: next.at, text: "Syntax error: mismatched input '\(next.text)' expecting \(Parser.starts)")
  }

  private mutating func literal(_ value: Value, _ token: Token) -> Node {
    advance()
    return make(token.at, .literal(value))
  }

  private mutating func list() throws(Issue) -> Node {
    let at = token.at
    advance()
    var items: [Node] = []
    var optional: [Bool] = []
    while !isMark("]") {
      optional.append(try takesOptional(token.at, "?"))
      items.append(try expression())
      if !take(",") { break }
    }
    try expect("]")
    return make(at, .list(items, optional: optional))
  }

  private mutating func map() throws(Issue) -> Node {
    let at = token.at
    advance()
    var entries: [Node.MapEntry] = []
    while !isMark("}") {
      let isOptional = try takesOptional(token.at, "?")
      let key = try expression()
      try expect(":")
      let value = try expression()
      entries.append(.init(key: key, value: value, isOptional: isOptional))
      if !take(",") { break }
    }
    try expect("}")
    return make(at, .map(entries))
  }
}
