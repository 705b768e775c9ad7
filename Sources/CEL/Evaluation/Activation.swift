/// What the variables of one evaluation are. Those that are expressions themselves are evaluated when first asked.
package final class Activation {
  private var values: [String: Value]
  private var expressions: [String: CheckedExpression] = [:]
  private var running: Set<String> = []

  package init(_ values: [String: Value] = [:]) { self.values = values }

  package func set(_ name: String, _ value: Value) { values[name] = value }

  /// A variable whose value an expression over the other variables gives.
  package func define(_ name: String, _ expression: CheckedExpression) { expressions[name] = expression }

  func value(of name: String, _ run: Run) -> Value? {
    if let value = values[name] { return value }
    guard let expression = expressions[name], running.insert(name).inserted else { return nil }
    var value = run.apart(expression)
    running.remove(name)
    if case .error(let error) = value, !error.isFatal {
      let short = name.split(separator: ".").last ?? ""
      value = .failure("composited variable \"\(short)\" fails to evaluate: \(error.text)")
    }
    values[name] = value
    return value
  }
}

/// How many seconds a zone is ahead of UTC at a time; nil when there is no such zone.
package typealias Zones = @Sendable (_ name: String, _ seconds: Int64) -> Int?
