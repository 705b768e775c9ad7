/// An expression that was read and whose types are known.
package struct CheckedExpression: Sendable {
  package let text: String
  /// The type of what it gives.
  package let type: CELType
  let node: Node
  let types: [Int: CELType]
  let qualified: [Int: String]
  let namespaced: [Int: String]
  /// Names of the variables it uses.
  package let variables: Set<String>

  /// Why an expression is none: the reference's report, with the places.
  package struct Failure: Error, Sendable {
    package var text: String
  }

  package init(_ text: String, in environment: Environment) throws(Failure) {
    let scalars = Array(text.unicodeScalars)
    let (node, faults) = Parser.parse(scalars, environment.features)
    guard let node, faults.isEmpty else { throw Failure(text: Report.text(faults, scalars)) }
    var checker = Checker(environment)
    type = checker.check(node)
    var issues = checker.issues
    if issues.isEmpty { issues = LiteralChecks.issues(node) }
    guard issues.isEmpty else { throw Failure(text: Report.text(issues, scalars)) }
    self.text = text
    self.node = node
    types = checker.types
    qualified = checker.qualified
    namespaced = checker.namespaced
    var names: Set<String> = []
    node.walk { part in
      if case .identifier(let name) = part.kind { names.insert(name.hasPrefix(".") ? String(name.dropFirst()) : name) }
    }
    variables = names
  }

  /// What an evaluation gave, and what it cost.
  package struct Outcome: Sendable {
    package var value: Value
    package var cost: UInt64
  }

  /// Evaluates it; the value is an error when something is wrong, or when it would cost more than `limit`.
  package func evaluate(
    _ activation: Activation, limit: UInt64 = 1_000_000, zones: @escaping Zones = { _, _ in nil }
  ) -> Outcome {
    let run = Run(activation, limit: limit, zones: zones)
    let value = run.evaluate(node, self)
    return Outcome(value: value, cost: run.cost)
  }
}

extension Node {
  func walk(_ visit: (Node) -> Void) {
    visit(self)
    switch kind {
    case .literal, .identifier: break
    case .select(let operand, _, _): operand.walk(visit)
    case .call(_, let target, let arguments):
      target?.walk(visit)
      for argument in arguments { argument.walk(visit) }
    case .list(let items, _): for item in items { item.walk(visit) }
    case .map(let entries):
      for entry in entries {
        entry.key.walk(visit)
        entry.value.walk(visit)
      }
    case .object(_, let fields): for field in fields { field.value.walk(visit) }
    case .fold(let fold):
      for part in [fold.range, fold.start, fold.condition, fold.step, fold.result] { part.walk(visit) }
    }
  }
}

/// Issues as the reference shows them: with the line and a caret under the place.
enum Report {
  static func text(_ issues: [Issue], _ scalars: [Unicode.Scalar]) -> String {
    let lines = scalars.split(separator: "\n", omittingEmptySubsequences: false)
    var starts: [Int] = []
    var start = 0
    for line in lines {
      starts.append(start)
      start += line.count + 1
    }
    var order = Array(issues.enumerated())
    order.sort { $0.element.at != $1.element.at ? $0.element.at < $1.element.at : $0.offset < $1.offset }
    return order.map { _, issue in
      let line = max((starts.firstIndex { $0 > issue.at } ?? starts.count) - 1, 0)
      let column = issue.at - starts[line]
      let shown = String(of: lines[line]).replacing("\t", with: " ")
      return "ERROR: <input>:\(line + 1):\(column + 1): \(issue.text)\n | \(shown)\n | "
        + String(repeating: ".", count: column) + "^"
    }.joined(separator: "\n")
  }
}

/// Literals that are judged before anything runs: times, durations, regular expressions.
enum LiteralChecks {
  static func issues(_ node: Node) -> [Issue] {
    var issues: [Issue] = []
    node.walk { part in
      guard case .call(let name, let target, let arguments) = part.kind else { return }
      func literal(_ node: Node?) -> String? {
        if case .literal(.string(let text))? = node?.kind { text } else { nil }
      }
      switch name {
      case "duration":
        if let text = literal(arguments.first), DurationText.parse(text) == nil {
          issues.append(Issue(at: arguments[0].at, text: "invalid duration argument"))
        }
      case "timestamp":
        if let text = literal(arguments.first), Instant(text) == nil {
          issues.append(Issue(at: arguments[0].at, text: "invalid timestamp argument"))
        }
      case "matches":
        if arguments.count == (target == nil ? 2 : 1), let text = literal(arguments.last), Regex(text) == nil {
          issues.append(Issue(at: arguments.last!.at, text: "invalid matches argument"))
        }
      default: break
      }
    }
    return issues
  }
}
