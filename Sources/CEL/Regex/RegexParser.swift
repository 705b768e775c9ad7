/// Reads regular expressions in the syntax of RE2.
struct RegexParser {
  struct Fault: Error { var text: String }

  private struct Flags {
    var ignoresCase = false
    var isMultiline = false
    var dotTakesAll = false
    var isLazy = false
  }

  private let text: [Unicode.Scalar]
  private var at = 0
  private var depth = 0
  private var flags = Flags()

  private static let depthLimit = 200
  private static let repeatLimit = 1000

  private init(_ text: String) { self.text = Array(text.unicodeScalars) }

  static func parse(_ text: String) throws(Fault) -> RegexNode {
    var parser = RegexParser(text)
    let node = try parser.either()
    guard parser.at == parser.text.count else { throw Fault(text: "unexpected ): `\(text)`") }
    return node
  }

  private var rest: String { String(of: text[at...]) }
  private func looking(_ scalar: Unicode.Scalar, _ offset: Int = 0) -> Bool {
    at + offset < text.count && text[at + offset] == scalar
  }

  private mutating func either() throws(Fault) -> RegexNode {
    depth += 1
    defer { depth -= 1 }
    guard depth < RegexParser.depthLimit else { throw Fault(text: "expression nests too deeply") }
    let saved = flags
    defer { flags = saved }
    var branches = [try sequence()]
    while looking("|") {
      at += 1
      branches.append(try sequence())
    }
    return branches.count == 1 ? branches[0] : .either(branches)
  }

  private mutating func sequence() throws(Fault) -> RegexNode {
    var nodes: [RegexNode] = []
    while at < text.count, !looking("|"), !looking(")") {
      let start = at
      guard let node = try atom() else { continue }
      nodes.append(try repeated(node, from: start))
    }
    return nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
  }

  private mutating func repeated(_ node: RegexNode, from start: Int) throws(Fault) -> RegexNode {
    var node = node
    var isRepeated = false
    while at < text.count {
      let mark = at
      var (least, most): (Int, Int?)
      switch text[at] {
      case "*": (least, most) = (0, nil)
      case "+": (least, most) = (1, nil)
      case "?": (least, most) = (0, 1)
      case "{":
        guard let counts = try counts() else { return node }
        (least, most) = counts
        at -= 1
      default: return node
      }
      at += 1
      if isRepeated {
        throw Fault(text: "invalid nested repetition operator: `\(String(of: text[mark - 1..<at]))`")
      }
      var isGreedy = !flags.isLazy
      if looking("?") {
        isGreedy.toggle()
        at += 1
      }
      isRepeated = true
      node = .many(node, least: least, most: most, isGreedy: isGreedy)
    }
    return node
  }

  /// `{2}`, `{2,}`, `{2,5}`; nil when the brace stands for itself.
  private mutating func counts() throws(Fault) -> (Int, Int?)? {
    var end = at + 1
    while end < text.count, text[end] != "}", end - at < 16 { end += 1 }
    guard end < text.count, text[end] == "}" else { return nil }
    let inside = String(of: text[(at + 1)..<end])
    let parts = inside.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard parts.count <= 2, let least = Int(parts[0]), parts[0].utf8.allSatisfy({ (48...57).contains($0) }) else {
      return nil
    }
    var most: Int? = least
    if parts.count == 2 {
      if parts[1].isEmpty {
        most = nil
      } else {
        guard let upper = Int(parts[1]), upper >= 0 else { return nil }
        most = upper
      }
    }
    guard least <= RegexParser.repeatLimit, (most ?? 0) <= RegexParser.repeatLimit, least <= most ?? least else {
      throw Fault(text: "invalid repeat count: `{\(inside)}`")
    }
    at = end + 1
    return (least, most)
  }

  // MARK: Atoms

  /// Nil for what only sets flags, or for a brace that is none.
  private mutating func atom() throws(Fault) -> RegexNode? {
    let scalar = text[at]
    switch scalar {
    case "(": return try group()
    case "[": return .set(try characterClass())
    case ".":
      at += 1
      return .set(ScalarSet(ranges: flags.dotTakesAll ? [0...0x10ffff] : ScalarSet.others([0x0a...0x0a])))
    case "^":
      at += 1
      return .assertion(flags.isMultiline ? .lineStart : .textStart)
    case "$":
      at += 1
      return .assertion(flags.isMultiline ? .lineEnd : .textEnd)
    case "*", "+", "?":
      throw Fault(text: "missing argument to repetition operator: `\(scalar)`")
    case "\\": return try escape()
    default:
      at += 1
      return literal(scalar)
    }
  }

  private func literal(_ scalar: Unicode.Scalar) -> RegexNode {
    let set = ScalarSet.one(scalar)
    return .set(flags.ignoresCase ? set.foldingCase : set)
  }

  private mutating func group() throws(Fault) -> RegexNode? {
    let start = at
    at += 1
    guard looking("?") else { return try closed(start) }
    at += 1
    if looking("P") || looking("<") {
      at += looking("P") ? 2 : 1
      guard at <= text.count, at > 0, text[at - 1] == "<", let end = text[at...].firstIndex(of: ">"), end > at,
        text[at..<end].allSatisfy({ $0.isLetter || $0.isDigit })
      else { throw Fault(text: "invalid named capture: `\(String(of: text[start...]))`") }
      at = end + 1
      return try closed(start)
    }
    var changed = flags
    var isOn = true
    while at < text.count {
      let scalar = text[at]
      at += 1
      switch scalar {
      case "i": changed.ignoresCase = isOn
      case "m": changed.isMultiline = isOn
      case "s": changed.dotTakesAll = isOn
      case "U": changed.isLazy = isOn
      case "-": isOn = false
      case ")":
        flags = changed
        return nil
      case ":":
        let saved = flags
        flags = changed
        defer { flags = saved }
        return try closed(start)
      default: throw Fault(text: "invalid or unsupported Perl syntax: `\(String(of: text[start..<at]))`")
      }
    }
    throw Fault(text: "missing closing ): `\(String(of: text[start...]))`")
  }

  private mutating func closed(_ start: Int) throws(Fault) -> RegexNode {
    let node = try either()
    guard looking(")") else { throw Fault(text: "missing closing ): `\(String(of: text[...]))`") }
    at += 1
    return node
  }

  private mutating func escape() throws(Fault) -> RegexNode? {
    guard at + 1 < text.count else { throw Fault(text: "trailing backslash at end of expression: ``") }
    switch text[at + 1] {
    case "A": return assertion(.textStart)
    case "z": return assertion(.textEnd)
    case "b": return assertion(.wordEdge)
    case "B": return assertion(.notWordEdge)
    case "Q":
      at += 2
      var nodes: [RegexNode] = []
      while at < text.count, !(looking("\\") && looking("E", 1)) {
        nodes.append(literal(text[at]))
        at += 1
      }
      at = min(at + 2, text.count)
      return .sequence(nodes)
    default: break
    }
    if let set = try classEscape() { return .set(set) }
    return literal(try scalarEscape())
  }

  private mutating func assertion(_ assertion: RegexAssertion) -> RegexNode {
    at += 2
    return .assertion(assertion)
  }

  /// `\d`, `\pL`; nil when it is a single character.
  private mutating func classEscape() throws(Fault) -> ScalarSet? {
    let scalar = text[at + 1]
    let ranges: [ClosedRange<UInt32>]
    switch scalar {
    case "d": ranges = ScalarSet.digits
    case "D": ranges = ScalarSet.others(ScalarSet.digits)
    case "w": ranges = ScalarSet.words
    case "W": ranges = ScalarSet.others(ScalarSet.words)
    case "s": ranges = ScalarSet.blanks
    case "S": ranges = ScalarSet.others(ScalarSet.blanks)
    case "p", "P":
      let start = at
      at += 2
      guard at < text.count else { throw Fault(text: "invalid character class range: `\(String(of: text[start...]))`") }
      var name = String(Character(text[at]))
      if text[at] == "{" {
        guard let end = text[at...].firstIndex(of: "}") else {
          throw Fault(text: "invalid character class range: `\(String(of: text[start...]))`")
        }
        name = String(of: text[(at + 1)..<end])
        at = end
      }
      at += 1
      var isNegated = scalar == "P"
      if name.hasPrefix("^") {
        isNegated.toggle()
        name.removeFirst()
      }
      guard ScalarSet.Category.names.contains(name) else {
        throw Fault(text: "invalid character class range: `\(String(of: text[start..<at]))`")
      }
      return ScalarSet(categories: [(name, isNegated)])
    default: return nil
    }
    at += 2
    return ScalarSet(ranges: ranges)
  }

  private mutating func scalarEscape() throws(Fault) -> Unicode.Scalar {
    let start = at
    let scalar = text[at + 1]
    at += 2
    switch scalar {
    case "a": return "\u{07}"
    case "f": return "\u{0c}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "v": return "\u{0b}"
    case "x":
      var digits = ""
      if looking("{") {
        guard let end = text[at...].firstIndex(of: "}") else { break }
        digits = String(of: text[(at + 1)..<end])
        at = end + 1
      } else if at + 2 <= text.count {
        digits = String(of: text[at..<(at + 2)])
        at += 2
      }
      if let value = UInt32(digits, radix: 16), let found = Unicode.Scalar(value) { return found }
    case "0"..."7":
      var value: UInt32 = 0
      at -= 1
      guard scalar == "0" || looking("0", 1) || at + 1 < text.count && ("0"..."7").contains(text[at + 1]) else { break }
      var count = 0
      while count < 3, at < text.count, ("0"..."7").contains(text[at]) {
        value = value * 8 + text[at].value - 48
        at += 1
        count += 1
      }
      if let found = Unicode.Scalar(value) { return found }
    default:
      if scalar.isASCII, !scalar.isLetter || scalar == "_", !scalar.isDigit { return scalar }
    }
    throw Fault(text: "invalid escape sequence: `\(String(of: text[start..<min(start + 2, text.count)]))`")
  }

  // MARK: Classes

  private mutating func characterClass() throws(Fault) -> ScalarSet {
    let start = at
    at += 1
    var set = ScalarSet()
    if looking("^") {
      set.isNegated = true
      at += 1
    }
    var isFirst = true
    while at < text.count, isFirst || !looking("]") {
      isFirst = false
      if looking("["), looking(":", 1), let end = namedEnd() {
        var name = String(of: text[(at + 2)..<end])
        let isNegated = name.hasPrefix("^")
        if isNegated { name.removeFirst() }
        guard let ranges = ScalarSet.named[name] else {
          throw Fault(text: "invalid character class range: `\(String(of: text[at..<(end + 2)]))`")
        }
        set.ranges += isNegated ? ScalarSet.others(ranges) : ranges
        at = end + 2
        continue
      }
      if looking("\\"), at + 1 < text.count, let other = try classEscape() {
        set.ranges += other.ranges
        set.categories += other.categories
        continue
      }
      let from = at
      let low = try member()
      var high = low
      if looking("-"), at + 1 < text.count, text[at + 1] != "]" {
        at += 1
        high = try member()
        guard low.value <= high.value else {
          throw Fault(text: "invalid character class range: `\(String(of: text[from..<at]))`")
        }
      }
      set.ranges.append(low.value...high.value)
    }
    guard looking("]") else { throw Fault(text: "missing closing ]: `\(String(of: text[start...]))`") }
    at += 1
    return flags.ignoresCase ? set.foldingCase : set
  }

  private func namedEnd() -> Int? {
    var end = at + 2
    while end + 1 < text.count {
      if text[end] == ":", text[end + 1] == "]" { return end }
      if text[end] == "]" { return nil }
      end += 1
    }
    return nil
  }

  private mutating func member() throws(Fault) -> Unicode.Scalar {
    guard looking("\\") else {
      defer { at += 1 }
      return text[at]
    }
    guard at + 1 < text.count else { throw Fault(text: "trailing backslash at end of expression: ``") }
    return try scalarEscape()
  }
}
