import Wire

/// What `--query` picks from an answer: JMESPath as far as command lines use it. Fields, indexes, slices of lists by
/// `[]` and `[*]`, filters by one comparison, lists and hashes of several, pipes and `length`.
struct AWSQuery {
  struct Fault: Error { var text: String }

  private indirect enum Step {
    case field(String)
    case index(Int)
    /// The rest is asked of every element; what is null falls out.
    case each(flattens: Bool)
    case values
    case filter([Step], String, JSON)
    case list([[Step]])
    case hash([(String, [Step])])
    case pipe
    case length([Step])
  }

  private let steps: [Step]

  init(_ text: String) throws(Fault) {
    var reader = Reader(text)
    steps = try reader.expression()
    guard reader.isAtEnd else { throw reader.fault }
  }

  func pick(_ value: JSON) -> JSON { Self.pick(value, steps[...]) }

  private static func pick(_ value: JSON, _ steps: ArraySlice<Step>) -> JSON {
    guard let step = steps.first else { return value }
    let rest = steps.dropFirst()
    switch step {
    case .field(let name): return value.object == nil ? .null : pick(value[name], rest)
    case .index(let index):
      guard let items = value.array else { return .null }
      let at = index < 0 ? items.count + index : index
      return items.indices.contains(at) ? pick(items[at], rest) : .null
    case .each(let flattens):
      guard var items = value.array else { return .null }
      if flattens { items = items.flatMap { $0.array ?? [$0] } }
      return project(items, rest)
    case .values:
      guard let object = value.object else { return .null }
      return project(object.fields.map(\.value), rest)
    case .filter(let left, let sign, let right):
      guard let items = value.array else { return .null }
      return project(items.filter { holds(pick($0, left[...]), sign, right) }, rest)
    case .list(let parts): return value.isNull ? .null : pick(.array(parts.map { pick(value, $0[...]) }), rest)
    case .hash(let parts):
      guard !value.isNull else { return .null }
      return pick(.object(JSONObject(parts.map { ($0.0, pick(value, $0.1[...])) })), rest)
    case .pipe: return pick(value, rest)
    case .length(let inner):
      let found = pick(value, inner[...])
      return pick(JSON(found.array?.count ?? found.object?.count ?? found.string?.count), rest)
    }
  }

  /// Up to a pipe or the next flattening the steps are each element's own.
  private static func project(_ items: [JSON], _ rest: ArraySlice<Step>) -> JSON {
    let end =
      rest.firstIndex {
        switch $0 {
        case .pipe, .each(flattens: true): true
        default: false
        }
      } ?? rest.endIndex
    let picked = items.map { pick($0, rest[..<end]) }.filter { !$0.isNull }
    return pick(.array(picked), rest[end...])
  }

  private static func holds(_ left: JSON, _ sign: String, _ right: JSON) -> Bool {
    switch sign {
    case "==": return left == right
    case "!=": return left != right
    case "": return !(left.isNull || left == false || left == "" || left.array?.isEmpty == true)
    default:
      guard let a = left.double, let b = right.double else { return false }
      switch sign {
      case "<": return a < b
      case ">": return a > b
      case "<=": return a <= b
      default: return a >= b
      }
    }
  }

  // MARK: - Reading

  private struct Reader {
    let text: String
    var rest: Substring

    init(_ text: String) {
      self.text = text
      rest = text[...]
    }

    var fault: Fault { Fault(text: "Bad value for --query \(text): invalid expression at \"\(rest)\"") }
    var isAtEnd: Bool { rest.allSatisfy { $0 == " " } }

    mutating func take(_ word: String) -> Bool {
      rest = rest.drop { $0 == " " }
      guard rest.hasPrefix(word) else { return false }
      rest = rest.dropFirst(word.count)
      return true
    }

    mutating func name() -> String? {
      rest = rest.drop { $0 == " " }
      if rest.first == "\"" { return quoted("\"") }
      let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
      guard let first = word.first, !first.isNumber else { return nil }
      rest = rest.dropFirst(word.count)
      return String(word)
    }

    mutating func quoted(_ mark: Character) -> String? {
      guard let end = rest.dropFirst().firstIndex(of: mark) else { return nil }
      let word = String(rest[rest.index(after: rest.startIndex)..<end])
      rest = rest[rest.index(after: end)...]
      return word
    }

    mutating func expression() throws(Fault) -> [Step] {
      var steps: [Step] = []
      var mayBegin = true
      while true {
        if take("||") || take("&&") { throw fault }
        if take("|") {
          steps.append(.pipe)
          mayBegin = true
        } else if take("[?") {
          steps.append(try filter())
        } else if take("[*]") {
          steps.append(.each(flattens: false))
        } else if take("[]") {
          steps.append(.each(flattens: true))
        } else if rest.first == "[", let end = rest.firstIndex(of: "]"),
          let index = Int(rest[rest.index(after: rest.startIndex)..<end])
        {
          steps.append(.index(index))
          rest = rest[rest.index(after: end)...]
        } else if mayBegin || take(".") {
          mayBegin = false
          if take("@") { continue }
          if take("*") {
            steps.append(.values)
          } else if take("[") {
            steps.append(.list(try parts("]")))
          } else if take(
            "{")
          {
            steps.append(try hash())
          } else if let name = name() {
            if name == "length", take("(") {
              steps.append(.length(try expression()))
              guard take(")") else { throw fault }
            } else {
              steps.append(.field(name))
            }
          } else {
            throw fault
          }
          continue
        } else {
          return steps
        }
        if case .pipe? = steps.last { continue }
        mayBegin = false
      }
    }

    mutating func parts(_ end: String) throws(Fault) -> [[Step]] {
      var parts = [try expression()]
      while take(",") { parts.append(try expression()) }
      guard take(end) else { throw fault }
      return parts
    }

    mutating func hash() throws(Fault) -> Step {
      var parts: [(String, [Step])] = []
      repeat {
        guard let name = name(), take(":") else { throw fault }
        parts.append((name, try expression()))
      } while take(",")
      guard take("}") else { throw fault }
      return .hash(parts)
    }

    mutating func filter() throws(Fault) -> Step {
      let left = try expression()
      for sign in ["==", "!=", "<=", ">=", "<", ">"] where take(sign) {
        let right = try literal()
        guard take("]") else { throw fault }
        return .filter(left, sign, right)
      }
      guard take("]") else { throw fault }
      return .filter(left, "", .null)
    }

    mutating func literal() throws(Fault) -> JSON {
      rest = rest.drop { $0 == " " }
      if rest.first == "'", let word = quoted("'") { return .string(word) }
      if rest.first == "`", let word = quoted("`") {
        return (try? JSON.parse(Array(word.utf8))) ?? .string(word)
      }
      throw fault
    }
  }
}
