/// `$((…))`: integers of 64 bits with C's operators.
struct ShellArithmetic {
  struct Fault: Error { var message: String }

  private var letters: [Character]
  private var at = 0
  private var depth = 0
  /// What names stand for, and what the expression assigned.
  private let value: (String) -> String?
  private(set) var assigned: [(name: String, value: Int64)] = []

  static func evaluate(
    _ text: String, value: @escaping (String) -> String?
  ) throws(Fault) -> (Int64, [(name: String, value: Int64)]) {
    var parser = ShellArithmetic(letters: Array(text), value: value)
    parser.skip()
    guard parser.at < parser.letters.count else { return (0, []) }
    let result = try parser.comma()
    guard parser.at >= parser.letters.count else { throw Fault(message: "arithmetic syntax error") }
    return (result, parser.assigned)
  }

  private init(letters: [Character], value: @escaping (String) -> String?) {
    self.letters = letters
    self.value = value
  }

  private mutating func skip() { while at < letters.count, letters[at].isWhitespace { at += 1 } }

  private mutating func take(_ text: String, unless next: String = "") -> Bool {
    skip()
    let wanted = Array(text)
    guard at + wanted.count <= letters.count, Array(letters[at..<(at + wanted.count)]) == wanted else { return false }
    if at + wanted.count < letters.count, next.contains(letters[at + wanted.count]) { return false }
    at += wanted.count
    return true
  }

  private func read(_ name: String) -> Int64 {
    if let last = assigned.last(where: { $0.name == name }) { return last.value }
    let text = value(name) ?? ""
    return Self.number(text.filter { !$0.isWhitespace }) ?? 0
  }

  static func number(_ text: String) -> Int64? {
    if text.isEmpty { return 0 }
    let isNegative = text.hasPrefix("-")
    let digits = isNegative || text.hasPrefix("+") ? String(text.dropFirst()) : text
    let value: Int64?
    if digits.hasPrefix("0x") || digits.hasPrefix("0X") {
      value = Int64(digits.dropFirst(2), radix: 16)
    } else if digits.count > 1, digits.hasPrefix("0") {
      value = Int64(digits, radix: 8)
    } else {
      value = Int64(digits)
    }
    return value.map { isNegative ? 0 &- $0 : $0 }
  }

  private mutating func comma() throws(Fault) -> Int64 {
    var result = try assignment()
    while take(",") { result = try assignment() }
    return result
  }

  private mutating func assignment() throws(Fault) -> Int64 {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw Fault(message: "arithmetic nesting too deep") }
    skip()
    let start = at
    if let name = name() {
      for sign in ["<<", ">>", "+", "-", "*", "/", "%", "&", "|", "^", ""] {
        let mark = at
        if take(sign + "=", unless: sign.isEmpty ? "=" : "") {
          let right = try assignment()
          let result = sign.isEmpty ? right : try apply(sign, read(name), right)
          assigned.append((name, result))
          return result
        }
        at = mark
      }
    }
    at = start
    return try conditional()
  }

  private mutating func conditional() throws(Fault) -> Int64 {
    let condition = try binary(0)
    guard take("?") else { return condition }
    let yes = try assignment()
    guard take(":") else { throw Fault(message: "arithmetic syntax error") }
    let no = try assignment()
    return condition != 0 ? yes : no
  }

  private static let levels: [[(sign: String, unless: String)]] = [
    [("||", "")], [("&&", "")], [("|", "|=")], [("^", "=")], [("&", "&=")], [("==", ""), ("!=", "")],
    [("<=", ""), (">=", ""), ("<", "<"), (">", ">")], [("<<", "="), (">>", "=")], [("+", "+="), ("-", "-=")],
    [("**", ""), ("*", "="), ("/", "="), ("%", "=")],
  ]

  private mutating func binary(_ level: Int) throws(Fault) -> Int64 {
    guard level < Self.levels.count else { return try unary() }
    var left = try binary(level + 1)
    while let sign = Self.levels[level].first(where: { take($0.sign, unless: $0.unless) })?.sign {
      left = try apply(sign, left, try binary(level + 1))
    }
    return left
  }

  private func apply(_ sign: String, _ a: Int64, _ b: Int64) throws(Fault) -> Int64 {
    switch sign {
    case "+": return a &+ b
    case "-": return a &- b
    case "*": return a &* b
    case "**":
      var result: Int64 = 1
      for _ in 0..<max(0, min(b, 64)) { result = result &* a }
      return result
    case "/", "%":
      guard b != 0 else { throw Fault(message: "divide by zero") }
      if b == -1 { return sign == "/" ? 0 &- a : 0 }
      return sign == "/" ? a / b : a % b
    case "<<": return a << (b & 63)
    case ">>": return a >> (b & 63)
    case "&": return a & b
    case "|": return a | b
    case "^": return a ^ b
    case "&&": return a != 0 && b != 0 ? 1 : 0
    case "||": return a != 0 || b != 0 ? 1 : 0
    case "==": return a == b ? 1 : 0
    case "!=": return a != b ? 1 : 0
    case "<=": return a <= b ? 1 : 0
    case ">=": return a >= b ? 1 : 0
    case "<": return a < b ? 1 : 0
    default: return a > b ? 1 : 0
    }
  }

  private mutating func unary() throws(Fault) -> Int64 {
    depth += 1
    defer { depth -= 1 }
    guard depth < 100 else { throw Fault(message: "arithmetic nesting too deep") }
    for (sign, step) in [("++", Int64(1)), ("--", -1)] {
      let mark = at
      if take(sign) {
        skip()
        if let name = name() {
          assigned.append((name, read(name) &+ step))
          return read(name)
        }
      }
      at = mark
    }
    if take("!", unless: "=") { return try unary() == 0 ? 1 : 0 }
    if take("~") { return ~(try unary()) }
    if take("-") { return 0 &- (try unary()) }
    if take("+") { return try unary() }
    if take("(") {
      let inner = try comma()
      guard take(")") else { throw Fault(message: "arithmetic syntax error") }
      return inner
    }
    skip()
    let start = at
    if at < letters.count, letters[at].isASCII, letters[at].isNumber {
      while at < letters.count, letters[at].isASCII, letters[at].isHexDigit || letters[at] == "x" || letters[at] == "X"
      {
        at += 1
      }
      guard let number = Self.number(String(letters[start..<at])) else {
        throw Fault(message: "arithmetic syntax error")
      }
      return number
    }
    guard let name = name() else { throw Fault(message: "arithmetic syntax error") }
    let value = read(name)
    if take("++") { assigned.append((name, value &+ 1)) } else if take("--") { assigned.append((name, value &- 1)) }
    return value
  }

  private mutating func name() -> String? {
    let start = at
    while at < letters.count, let byte = letters[at].asciiValue,
      ShellParser.isNameByte(byte, isFirst: at == start)
    {
      at += 1
    }
    return at > start ? String(letters[start..<at]) : nil
  }
}
