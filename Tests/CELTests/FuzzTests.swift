import CEL
import Testing
import Wire

/// Whatever the text: no crash, no hang, and an answer.
@Suite struct FuzzTests {
  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }

  private static let pieces = [
    "object", "x", ".", "name", "labels", "ports", "[", "]", "(", ")", "{", "}", ",", ":", "?", "&&", "||", "!", "-",
    "+", "*", "/", "%", "==", "<", ">=", "in",
    "1", "2u", "3.5", "'a'", "b'b'", "null", "true", ".all(i, ", ".map(i, i)", ".exists(x, ", ".filter(v, v > 1)",
    "has(", "size(", "string(", "int(",
    ".matches('a+')", ".split(',')", ".join()", "quantity('1')", ".add(1)", "ip('::1')", "cidr('10.0.0.0/8')",
    "[1, 2, 3]", "{'a': 1}", ".?", "[?", ".orValue(",
    "duration('1h')", "timestamp('2026-01-01T00:00:00Z')", "'%s'.format([", "\\", "\"", "`", "\n", "//", "é", "0x",
    "1e", "optional.of(", "9223372036854775807",
  ]

  @Test func anyText() {
    var dice = Dice(state: 42)
    for _ in 0..<4000 {
      let count = Int.random(in: 1...14, using: &dice)
      let text = (0..<count).map { _ in FuzzTests.pieces.randomElement(using: &dice)! }.joined()
      guard let expression = try? CheckedExpression(text, in: EvaluationTests.environment) else { continue }
      _ = expression.evaluate(
        Activation(["object": Value(EvaluationTests.object), "x": .int(5), "n": .int(1)]), limit: 20_000)
    }
  }

  @Test func changedTexts() {
    var dice = Dice(state: 7)
    let seeds = [
      "object.ports.all(p, p.port > 0 && p.name.matches('^[a-z]+$'))",
      "has(object.labels) && object.labels['app'] == 'web' ? 1 : 2",
      "'%s %d'.format([object.name, 3]).split(' ').map(s, s.upperAscii()).join('-')",
      "duration('1h') + duration('2m') > duration('3s')",
    ]
    for _ in 0..<3000 {
      var scalars = Array(seeds.randomElement(using: &dice)!.unicodeScalars)
      for _ in 0..<Int.random(in: 1...3, using: &dice) {
        let at = Int.random(in: 0..<scalars.count, using: &dice)
        switch Int.random(in: 0..<3, using: &dice) {
        case 0: scalars.remove(at: at)
        case 1: scalars.insert(Unicode.Scalar(UInt8.random(in: 32...126, using: &dice)), at: at)
        default: scalars[at] = Unicode.Scalar(UInt8.random(in: 32...126, using: &dice))
        }
      }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: scalars)
      guard let expression = try? CheckedExpression(String(text), in: EvaluationTests.environment) else { continue }
      _ = expression.evaluate(
        Activation(["object": Value(EvaluationTests.object), "x": .int(5), "n": .int(1)]), limit: 20_000)
    }
  }

  @Test(arguments: ["(", "[", "{1:", "!", "-", "a.", "a[", "1+", "f(", "x?", "[1].all(i,", "'a'+", "x.map(y,"])
  func deep(_ piece: String) {
    let text = String(repeating: piece, count: 20_000)
    #expect(throws: CheckedExpression.Failure.self) { try CheckedExpression(text, in: EvaluationTests.environment) }
    #expect(throws: CheckedExpression.Failure.self) {
      try CheckedExpression(text + "1" + String(repeating: ")", count: 20_000), in: EvaluationTests.environment)
    }
  }

  @Test func longChains() throws {
    let text = Array(repeating: "true", count: 5000).joined(separator: " && ")
    let expression = try CheckedExpression(text, in: Environment())
    guard case .bool(true) = expression.evaluate(Activation()).value else {
      Issue.record("it is not true")
      return
    }
  }

  @Test func patterns() throws {
    // These take exponential time where a matcher goes back.
    let text = String(repeating: "a", count: 2000)
    for pattern in ["(a*)*b", "(a|aa)+$b", "(a?){50}a{50}b", "(.*)(.*)(.*)(.*)x"] {
      let value = try EvaluationTests.evaluate("'\(text)'.find('\(pattern)') == ''")
      if case .bool(true) = value { continue }
      guard case .error = value else {
        Issue.record("\(pattern): \(value)")
        return
      }
    }
  }
}
