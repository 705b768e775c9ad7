import CEL
import Wire
import World

/// What an expression of admission is asked about: a request, in the version by which something matched it.
struct AdmissionInput {
  var row: KubeResource
  var kind: GroupVersionKind
  /// Null for a deletion.
  var object: JSON
  var request: AdmissionRequest
}

/// Conditions that all must hold before a webhook or a policy is asked.
struct MatchConditions {
  enum Outcome {
    case matches
    case skips
    case failed(String)
  }

  private static let budget: Int64 = 2_500_000

  private var expressions: [CompiledExpression]
  private var ignoresFailure: Bool

  var isEmpty: Bool { expressions.isEmpty }

  init(_ conditions: JSON, ignoresFailure: Bool, in environment: @autoclosure () -> Environment) {
    self.ignoresFailure = ignoresFailure
    expressions = []
    guard !conditions.items.isEmpty else { return }
    let environment = environment()
    expressions = conditions.items.map { CompiledExpression($0["expression"].string ?? "", [.bool], environment) }
  }

  func match(_ input: AdmissionInput, params: JSON, _ server: APIServer) throws(KubeStatus)
    -> Outcome
  {
    match(try server.activation(input, params: params))
  }

  func match(_ activation: Activation) -> Outcome {
    var budget = MatchConditions.budget
    var faults: [String] = []
    for expression in expressions {
      switch expression.evaluate(activation, &budget) {
      case .value(.bool(true)): break
      case .value: return .skips
      case .failed(let why): faults.append(why)
      case .outOfBudget(let why): return ignoresFailure ? .skips : .failed(why)
      }
    }
    if faults.isEmpty { return .matches }
    if ignoresFailure { return .skips }
    return .failed(faults.count == 1 ? faults[0] : "[\(faults.joined(separator: ", "))]")
  }
}
