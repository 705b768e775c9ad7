/// POSIX regular expressions, basic and extended, over bytes. Bounded: a match that takes too long is none.
struct RegularExpression: Sendable {
  struct Fault: Error { var message: String }

  private indirect enum Node: Sendable {
    case byte(UInt8)
    case any
    case set([Bool])
    case start, end, wordStart, wordEnd, wordEdge
    case group(Int, Node)
    case sequence([Node])
    case either([Node])
    case many(Node, least: Int, most: Int)
    case back(Int)

    var isOneByte: Bool {
      switch self {
      case .byte, .any, .set: true
      default: false
      }
    }
  }

  private let root: Node
  private(set) var groups = 0
  private let ignoresCase: Bool
  private static let stepLimit = 200_000
  private static let depthLimit = 1500

  init(_ pattern: String, isExtended: Bool, ignoresCase: Bool = false) throws(Fault) {
    self.ignoresCase = ignoresCase
    var parser = Parser(Array(pattern.utf8), isExtended, ignoresCase)
    root = try parser.either(0)
    guard parser.at >= parser.text.count else { throw Fault(message: "Unmatched ( or \\(") }
    groups = parser.groups
  }

  // MARK: - Parsing

  private struct Parser {
    let text: [UInt8]
    let isExtended: Bool
    let ignoresCase: Bool
    var at = 0
    var groups = 0

    init(_ text: [UInt8], _ isExtended: Bool, _ ignoresCase: Bool) {
      self.text = text
      self.isExtended = isExtended
      self.ignoresCase = ignoresCase
    }

    private func looking(_ byte: UInt8, escaped: Bool) -> Bool {
      if escaped { return at + 1 < text.count && text[at] == 0x5c && text[at + 1] == byte }
      return at < text.count && text[at] == byte
    }

    private mutating func take(_ byte: UInt8, special: Bool = true) -> Bool {
      let escaped = !isExtended && special
      guard looking(byte, escaped: escaped) else { return false }
      at += escaped ? 2 : 1
      return true
    }

    mutating func either(_ depth: Int) throws(Fault) -> Node {
      guard depth < 50 else { throw Fault(message: "Regular expression too big") }
      var branches = [try sequence(depth)]
      while take(UInt8(ascii: "|")) { branches.append(try sequence(depth)) }
      return branches.count == 1 ? branches[0] : .either(branches)
    }

    private mutating func sequence(_ depth: Int) throws(Fault) -> Node {
      var nodes: [Node] = []
      while at < text.count {
        if looking(UInt8(ascii: "|"), escaped: !isExtended) { break }
        if looking(UInt8(ascii: ")"), escaped: !isExtended), depth > 0 { break }
        var node = try atom(depth, isFirst: nodes.isEmpty)
        while let (least, most) = try repetition(isFirst: nodes.isEmpty) {
          node = .many(node, least: least, most: most)
        }
        nodes.append(node)
        guard nodes.count < 2000 else { throw Fault(message: "Regular expression too big") }
      }
      return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func repetition(isFirst: Bool) throws(Fault) -> (Int, Int)? {
      guard at < text.count else { return nil }
      if text[at] == UInt8(ascii: "*") {
        at += 1
        return (0, .max)
      }
      if take(UInt8(ascii: "+")) { return (1, .max) }
      if take(UInt8(ascii: "?")) { return (0, 1) }
      let start = at
      guard take(UInt8(ascii: "{")) else { return nil }
      func number() -> Int? {
        var value: Int?
        while at < text.count, (0x30...0x39).contains(text[at]), value ?? 0 < 10_000 {
          value = (value ?? 0) * 10 + Int(text[at] - 0x30)
          at += 1
        }
        return value
      }
      let least = number()
      var most = least
      if at < text.count, text[at] == 0x2c {
        at += 1
        most = number() ?? .max
      }
      guard least != nil || most != nil, take(UInt8(ascii: "}")) else {
        if isExtended {
          at = start
          return nil
        }
        throw Fault(message: "Invalid content of \\{\\}")
      }
      guard (least ?? 0) <= 255, most == .max || most! <= 255, (least ?? 0) <= most ?? 0 else {
        throw Fault(message: "Invalid content of \\{\\}")
      }
      return (least ?? 0, most ?? .max)
    }

    private mutating func atom(_ depth: Int, isFirst: Bool) throws(Fault) -> Node {
      if take(UInt8(ascii: "(")) {
        groups += 1
        let index = groups
        let inner = try either(depth + 1)
        guard take(UInt8(ascii: ")")) else { throw Fault(message: "Unmatched ( or \\(") }
        return .group(index, inner)
      }
      let byte = text[at]
      at += 1
      switch byte {
      case UInt8(ascii: "."): return .any
      case UInt8(ascii: "["): return try bracket()
      case UInt8(ascii: "^") where isExtended || isFirst: return .start
      case UInt8(ascii: "$"):
        let ends =
          at == text.count || isExtended || looking(UInt8(ascii: ")"), escaped: true)
          || looking(UInt8(ascii: "|"), escaped: true)
        return ends ? .end : .byte(byte)
      case UInt8(ascii: "*") where isExtended && isFirst: return .byte(byte)
      case 0x5c:
        guard at < text.count else { throw Fault(message: "Trailing backslash") }
        let escaped = text[at]
        at += 1
        switch escaped {
        case UInt8(ascii: "n"): return .byte(0x0a)
        case UInt8(ascii: "t"): return .byte(0x09)
        case UInt8(ascii: "<"): return .wordStart
        case UInt8(ascii: ">"): return .wordEnd
        case UInt8(ascii: "b"): return .wordEdge
        case UInt8(ascii: "w"): return .set(table { RegularExpression.isWord($0) })
        case UInt8(ascii: "W"): return .set(table { !RegularExpression.isWord($0) })
        case UInt8(ascii: "s"): return .set(table { $0 == 0x20 || (0x09...0x0d).contains($0) })
        case UInt8(ascii: "S"): return .set(table { $0 != 0x20 && !(0x09...0x0d).contains($0) })
        case UInt8(ascii: "d") where isExtended: return .set(table { (0x30...0x39).contains($0) })
        case 0x31...0x39:
          let index = Int(escaped - 0x30)
          guard index <= groups else { throw Fault(message: "Invalid back reference") }
          return .back(index)
        default: return single(escaped)
        }
      default: return single(byte)
      }
    }

    private func single(_ byte: UInt8) -> Node {
      guard ignoresCase, RegularExpression.other(byte) != byte else { return .byte(byte) }
      return .set(table { $0 == byte || $0 == RegularExpression.other(byte) })
    }

    private func table(_ holds: (UInt8) -> Bool) -> [Bool] { (0...255).map { holds(UInt8($0)) } }

    private mutating func bracket() throws(Fault) -> Node {
      let letters = text[(at - 1)...].map { Character(UnicodeScalar($0)) }
      guard let (ranges, isNegated, end) = ShellPattern.set(letters, 0) else { throw Fault(message: "Unmatched [") }
      at += end
      return .set(
        table { byte in
          let letter = Character(UnicodeScalar(byte))
          var holds = ranges.contains { $0.contains(letter) }
          if ignoresCase, !holds {
            let other = Character(UnicodeScalar(RegularExpression.other(byte)))
            holds = ranges.contains { $0.contains(other) }
          }
          return holds != isNegated
        })
    }
  }

  static func other(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 0x41...0x5a: byte + 32
    case 0x61...0x7a: byte - 32
    default: byte
    }
  }

  static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: true
    default: byte >= 0x80
    }
  }

  // MARK: - Matching

  typealias Span = (start: Int, end: Int)

  /// The first match from a place on: the whole and its groups.
  func first(in text: [UInt8], from start: Int = 0) -> [Span?]? {
    var matcher = Matcher(text: text, groups: [Span?](repeating: nil, count: groups + 1), limit: Self.stepLimit)
    var at = start
    while at <= text.count {
      for index in matcher.groups.indices { matcher.groups[index] = nil }
      var end = -1
      if matcher.match(
        root, at, 0,
        {
          end = $1
          return true
        })
      {
        matcher.groups[0] = (at, end)
        return matcher.groups
      }
      if matcher.limit <= 0 { return nil }
      if case .sequence(let nodes) = root, case .start? = nodes.first { return nil }
      at += 1
    }
    return nil
  }

  private struct Matcher {
    let text: [UInt8]
    var groups: [Span?]
    var limit: Int

    typealias Next = (inout Matcher, Int) -> Bool

    mutating func match(_ node: Node, _ at: Int, _ depth: Int, _ next: Next) -> Bool {
      limit -= 1
      guard limit > 0, depth < RegularExpression.depthLimit else { return false }
      switch node {
      case .byte, .any, .set: return at < text.count && accepts(node, text[at]) && next(&self, at + 1)
      case .start: return at == 0 && next(&self, at)
      case .end: return at == text.count && next(&self, at)
      case .wordStart: return !wordBefore(at) && wordAfter(at) && next(&self, at)
      case .wordEnd: return wordBefore(at) && !wordAfter(at) && next(&self, at)
      case .wordEdge: return wordBefore(at) != wordAfter(at) && next(&self, at)
      case .group(let index, let inner):
        let held = groups[index]
        if match(
          inner, at, depth + 1,
          { matcher, end in
            let before = matcher.groups[index]
            matcher.groups[index] = (at, end)
            if next(&matcher, end) { return true }
            matcher.groups[index] = before
            return false
          })
        {
          return true
        }
        groups[index] = held
        return false
      case .sequence(let nodes): return sequence(nodes[...], at, depth, next)
      case .either(let branches):
        for branch in branches where match(branch, at, depth + 1, next) { return true }
        return false
      case .many(let inner, let least, let most):
        if inner.isOneByte {
          var count = 0
          while count < most, at + count < text.count, accepts(inner, text[at + count]) { count += 1 }
          limit -= count / 16
          while count >= least {
            if next(&self, at + count) { return true }
            guard limit > 0 else { return false }
            count -= 1
          }
          return false
        }
        return many(inner, least, most, at, depth, next)
      case .back(let index):
        guard let span = groups[index] else { return false }
        let part = text[span.start..<span.end]
        guard at + part.count <= text.count, text[at..<(at + part.count)] == part else { return false }
        return next(&self, at + part.count)
      }
    }

    private mutating func sequence(_ nodes: ArraySlice<Node>, _ at: Int, _ depth: Int, _ next: Next) -> Bool {
      guard let first = nodes.first else { return next(&self, at) }
      let rest = nodes.dropFirst()
      if rest.isEmpty { return match(first, at, depth + 1, next) }
      return match(first, at, depth + 1) { matcher, end in matcher.sequence(rest, end, depth + 1, next) }
    }

    private mutating func many(
      _ inner: Node, _ least: Int, _ most: Int, _ at: Int, _ depth: Int, _ next: Next
    ) -> Bool {
      limit -= 1
      guard limit > 0, depth < RegularExpression.depthLimit else { return false }
      if most > 0,
        match(
          inner, at, depth + 1,
          { matcher, end in
            guard end > at else { return false }
            return matcher.many(inner, max(0, least - 1), most == .max ? .max : most - 1, end, depth + 1, next)
          })
      {
        return true
      }
      return least == 0 && next(&self, at)
    }

    private func accepts(_ node: Node, _ byte: UInt8) -> Bool {
      switch node {
      case .byte(let wanted): byte == wanted
      case .set(let table): table[Int(byte)]
      default: byte != 0x0a
      }
    }

    private func wordBefore(_ at: Int) -> Bool { at > 0 && RegularExpression.isWord(text[at - 1]) }
    private func wordAfter(_ at: Int) -> Bool { at < text.count && RegularExpression.isWord(text[at]) }
  }
}
