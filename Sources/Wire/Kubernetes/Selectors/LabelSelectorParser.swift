extension LabelSelector {
  /// Parses a `labelSelector` parameter such as `app=web,tier in (a,b),!old`.
  ///
  /// Errors in the words of `k8s.io/apimachinery/pkg/labels`.
  package init(parsing text: String) throws(SelectorError) {
    var parser = LabelSelectorParser(text)
    requirements = try parser.parse().sorted { $0.key < $1.key }
  }
}

private struct LabelSelectorParser {
  private enum Token: Equatable {
    case end, closed, comma, not, doubleEquals, equals, greater, `in`, less, notEquals, notIn, open
    case identifier, error
  }

  private struct Lexeme {
    var token: Token
    var text: String
  }

  private var lexemes: [Lexeme]
  private var position = 0

  init(_ text: String) { lexemes = LabelSelectorParser.lex(Array(text.utf8)) }

  private static func lex(_ bytes: [UInt8]) -> [Lexeme] {
    func isSpecial(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "="), UInt8(ascii: "!"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","),
        UInt8(ascii: ">"), UInt8(ascii: "<"):
        true
      default: false
      }
    }
    func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 10 || byte == 13 }
    let tokens: [String: Token] = [
      ")": .closed, ",": .comma, "!": .not, "==": .doubleEquals, "=": .equals, ">": .greater, "in": .in, "<": .less,
      "!=": .notEquals, "notin": .notIn, "(": .open,
    ]
    var lexemes: [Lexeme] = []
    var at = 0
    while at < bytes.count {
      if isSpace(bytes[at]) {
        at += 1
        continue
      }
      let start = at
      if isSpecial(bytes[at]) {
        // The longest run of special characters that is an operator.
        var last: (Token, Int)?
        while at < bytes.count, isSpecial(bytes[at]) {
          at += 1
          if let token = tokens[String(decoding: bytes[start..<at], as: UTF8.self)] {
            last = (token, at)
          } else if last != nil {
            break
          }
        }
        if let (token, end) = last {
          at = end
          lexemes.append(Lexeme(token: token, text: String(decoding: bytes[start..<end], as: UTF8.self)))
        } else {
          lexemes.append(Lexeme(token: .error, text: String(decoding: bytes[start..<at], as: UTF8.self)))
        }
      } else {
        while at < bytes.count, !isSpecial(bytes[at]), !isSpace(bytes[at]) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        lexemes.append(Lexeme(token: tokens[text] ?? .identifier, text: text))
      }
    }
    return lexemes
  }

  /// Inside values, `in` and `notin` are words like any other.
  private func look(values: Bool = false) -> Lexeme {
    guard position < lexemes.count else { return Lexeme(token: .end, text: "") }
    var lexeme = lexemes[position]
    if values, lexeme.token == .in || lexeme.token == .notIn { lexeme.token = .identifier }
    return lexeme
  }

  private mutating func take(values: Bool = false) -> Lexeme {
    let lexeme = look(values: values)
    position += 1
    return lexeme
  }

  mutating func parse() throws(SelectorError) -> [LabelSelector.Requirement] {
    var requirements: [LabelSelector.Requirement] = []
    while true {
      switch look(values: true).token {
      case .identifier, .not:
        requirements.append(try requirement())
        let next = take(values: true)
        switch next.token {
        case .end: return requirements
        case .comma:
          let after = look(values: true)
          guard after.token == .identifier || after.token == .not else {
            throw fault("found '\(after.text)', expected: identifier after ','")
          }
        default: throw fault("found '\(next.text)', expected: ',' or 'end of string'")
        }
      case .end: return requirements
      default: throw fault("found '\(look(values: true).text)', expected: !, identifier, or 'end of string'")
      }
    }
  }

  private func fault(_ text: String) -> SelectorError { SelectorError(text) }
  private func wrapped(_ text: String) -> SelectorError { SelectorError("unable to parse requirement: \(text)") }

  private mutating func requirement() throws(SelectorError) -> LabelSelector.Requirement {
    var negated = false
    if look().token == .not {
      negated = true
      position += 1
    }
    let name = take(values: true)
    guard name.token == .identifier else {
      throw wrapped("found '\(name.text)', expected: identifier")
    }
    let faults = NameRules.qualifiedName(name.text)
    if !faults.isEmpty {
      throw wrapped("<nil>: Invalid value: \(GoText.quote(name.text)): \(faults.joined(separator: "; "))")
    }
    if look().token == .end || look().token == .comma {
      return LabelSelector.Requirement(key: name.text, op: negated ? .doesNotExist : .exists)
    }
    if negated {
      throw wrapped("found '\(look().text)', expected: ',' or 'end of string'")
    }
    let lexeme = take()
    let op: LabelSelector.Requirement.Operator
    switch lexeme.token {
    case .in: op = .in
    case .notIn: op = .notIn
    case .equals, .doubleEquals: op = .equals
    case .notEquals: op = .notEquals
    case .greater: op = .greaterThan
    case .less: op = .lessThan
    default:
      throw wrapped("found '\(lexeme.text)', expected: in, notin, =, ==, !=, gt, lt")
    }
    let values = op == .in || op == .notIn ? try list() : try single()
    do {
      return try LabelSelector.Requirement.checked(name.text, op, values)
    } catch {
      throw wrapped(error.description)
    }
  }

  private mutating func list() throws(SelectorError) -> [String] {
    let open = take(values: true)
    guard open.token == .open else { throw wrapped("found '\(open.text)' expected: '('") }
    var values: [String] = []
    switch look(values: true).token {
    case .identifier, .comma:
      var wantsValue = true
      while true {
        let lexeme = take(values: true)
        switch lexeme.token {
        case .identifier:
          values.append(lexeme.text)
          wantsValue = false
          let next = look(values: true)
          guard next.token == .comma || next.token == .closed else {
            throw wrapped("found '\(next.text)', expected: ',' or ')'")
          }
        case .comma:
          if wantsValue { values.append("") }
          wantsValue = true
          if look(values: true).token == .closed { values.append("") }
        case .closed:
          return Array(Set(values)).sorted()
        default:
          throw wrapped("found '\(lexeme.text)', expected: ',', or identifier")
        }
      }
    case .closed:
      position += 1
      return [""]
    default:
      throw wrapped("found '\(look(values: true).text)', expected: ',', ')' or identifier")
    }
  }

  private mutating func single() throws(SelectorError) -> [String] {
    switch look(values: true).token {
    case .end, .comma: return [""]
    default: break
    }
    let lexeme = take(values: true)
    guard lexeme.token == .identifier else { throw wrapped("found '\(lexeme.text)', expected: identifier") }
    return [lexeme.text]
  }
}
