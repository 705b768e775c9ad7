/// Reads the syntax of ``AWSPattern``.
struct AWSPatternParser {
  private let text: [Unicode.Scalar]
  private var at = 0
  private var failed = false
  private var ignoresCase = false
  private var dotIsAll = false

  init(_ text: String) { self.text = Array(text.unicodeScalars) }

  mutating func parse() -> AWSPattern.Node? {
    let node = alternatives(depth: 0)
    return failed || at < text.count ? nil : node
  }

  private var peek: Unicode.Scalar? { at < text.count ? text[at] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == character else { return false }
    at += 1
    return true
  }

  private mutating func alternatives(depth: Int) -> AWSPattern.Node {
    guard depth < 50 else {
      failed = true
      return .sequence([])
    }
    var options = [sequence(depth: depth)]
    while take("|") { options.append(sequence(depth: depth)) }
    return options.count == 1 ? options[0] : .alternatives(options)
  }

  private mutating func sequence(depth: Int) -> AWSPattern.Node {
    var nodes: [AWSPattern.Node] = []
    while !failed, let next = peek, next != "|", next != ")" {
      let node = atom(depth: depth)
      nodes.append(quantified(node))
    }
    return nodes.count == 1 ? nodes[0] : .sequence(nodes)
  }

  private mutating func quantified(_ node: AWSPattern.Node) -> AWSPattern.Node {
    var node = node
    while !failed {
      if take("*") {
        node = .repeated(node, min: 0, max: nil)
      } else if take("+") {
        node = .repeated(node, min: 1, max: nil)
      } else if take("?") {
        node = .repeated(node, min: 0, max: 1)
      } else if peek == "{", let bounds = bounds() {
        node = .repeated(node, min: bounds.min, max: bounds.max)
      } else {
        return node
      }
      // Lazy and possessive ask for the same whole matches, the latter nearly.
      if !take("?") { _ = take("+") }
    }
    return node
  }

  /// `{3}`, `{1,}`, `{1,63}`; nil where the brace is a character.
  private mutating func bounds() -> (min: Int, max: Int?)? {
    let start = at
    at += 1
    let low = number()
    var high = low
    if take(",") { high = number() } else if low == nil { high = nil }
    let hasComma = text[start..<at].contains(",")
    guard take("}"), low != nil || hasComma else {
      at = start
      failed = true
      return nil
    }
    return (low ?? 0, hasComma ? high : low)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let digit = peek, let amount = Int(String(digit)), digit.isASCII {
      value = min((value ?? 0) * 10 + amount, 1_000_000)
      at += 1
    }
    return value
  }

  private mutating func atom(depth: Int) -> AWSPattern.Node {
    guard let next = peek else { return .sequence([]) }
    at += 1
    switch next {
    case "(": return group(depth: depth)
    case "[": return .set(bracket(depth: depth))
    case ".":
      // All but line ends.
      return .set(.init(parts: dotIsAll ? [] : [.range(0x0a, 0x0a), .range(0x0d, 0x0d)], negated: true))
    case "^": return .start
    case "$": return .end
    case "\\":
      if take("b") { return .wordBoundary(negated: false) }
      if take("B") { return .wordBoundary(negated: true) }
      return escape().map { .set($0) } ?? .end
    default: return .set(literal(next))
    }
  }

  private func literal(_ character: Unicode.Scalar) -> AWSPattern.CharacterSet {
    guard ignoresCase, character.isASCII, character.properties.isAlphabetic else { return one(character.value) }
    return .init(parts: [
      .range(character.value | 0x20, character.value | 0x20), .range(character.value & ~0x20, character.value & ~0x20),
    ])
  }

  private mutating func group(depth: Int) -> AWSPattern.Node {
    var look: Bool?
    if take("?") {
      if take(":") {
      } else if take("=") {
        look = false
      } else if take("!") {
        look = true
      } else if take("<"), peek != "=", peek != "!" {
        // A named group.
        while let next = peek, next != ">" {
          _ = next
          at += 1
        }
        _ = take(">")
      } else if take("i") {
        // A flag for all that follows.
        ignoresCase = true
        if !take(")") { failed = true }
        return .sequence([])
      } else if take("s") {
        dotIsAll = true
        if !take(")") { failed = true }
        return .sequence([])
      } else {
        failed = true
      }
    }
    let node = alternatives(depth: depth + 1)
    if !take(")") { failed = true }
    return look.map { .lookahead(node, negative: $0) } ?? node
  }

  /// The set that an escape stands for; nil for an anchor.
  private mutating func escape() -> AWSPattern.CharacterSet? {
    guard let next = peek else {
      failed = true
      return .init()
    }
    at += 1
    let digits = AWSPattern.CharacterSet.Part.range(0x30, 0x39)
    let word: [AWSPattern.CharacterSet.Part] = [
      .range(0x41, 0x5a), .range(0x61, 0x7a), digits, .range(0x5f, 0x5f),
    ]
    let space: [AWSPattern.CharacterSet.Part] = [.range(0x09, 0x0d), .range(0x20, 0x20)]
    switch next {
    case "d": return .init(parts: [digits])
    case "D": return .init(parts: [digits], negated: true)
    case "w": return .init(parts: word)
    case "W": return .init(parts: word, negated: true)
    case "s": return .init(parts: space)
    case "S": return .init(parts: space, negated: true)
    case "n": return one(0x0a)
    case "r": return one(0x0d)
    case "t": return one(0x09)
    case "f": return one(0x0c)
    case "u": return hex(digits: 4).map(one)
    case "x":
      if take("{") {
        let value = hex(digits: 8, exactly: false)
        if !take("}") { failed = true }
        return value.map(one)
      }
      return hex(digits: 2).map(one)
    case "p", "P": return property(negated: next == "P")
    case "z", "Z", "A": return nil
    case "b", "B", "1"..."9", "k", "G", "Q", "E":
      failed = true
      return .init()
    default: return one(next.value)
    }
  }

  private func one(_ value: UInt32) -> AWSPattern.CharacterSet { .init(parts: [.range(value, value)]) }

  private mutating func hex(digits: Int, exactly: Bool = true) -> UInt32? {
    var value: UInt32 = 0
    var count = 0
    while count < digits, let next = peek, let digit = UInt32(String(next), radix: 16) {
      value = value << 4 | digit
      at += 1
      count += 1
    }
    guard count > 0, !exactly || count == digits else {
      failed = true
      return 0
    }
    // IAM's models write U+10000 and U+10FFFF with four digits' escape.
    if exactly, digits == 4, value == 0x1000, peek == "0" {
      at += 1
      return 0x10000
    }
    if exactly, digits == 4, value == 0x10FF, at + 1 < text.count, text[at] == "F", text[at + 1] == "F" {
      at += 2
      return 0x10FFFF
    }
    return value
  }

  private mutating func property(negated: Bool) -> AWSPattern.CharacterSet {
    var name = ""
    if take("{") {
      while let next = peek, next != "}" {
        name.unicodeScalars.append(next)
        at += 1
      }
      if !take("}") { failed = true }
    } else if let next = peek {
      name.unicodeScalars.append(next)
      at += 1
    }
    let upper = AWSPattern.CharacterSet.Part.range(0x41, 0x5a)
    let lower = AWSPattern.CharacterSet.Part.range(0x61, 0x7a)
    let digits = AWSPattern.CharacterSet.Part.range(0x30, 0x39)
    switch name {
    case "L": return .init(parts: [.letter], negated: negated)
    case "M": return .init(parts: [.mark], negated: negated)
    case "N", "Nd": return .init(parts: [.number], negated: negated)
    case "Z", "Zs": return .init(parts: [.separator], negated: negated)
    case "P": return .init(parts: [.punctuation], negated: negated)
    case "S": return .init(parts: [.symbol], negated: negated)
    case "C", "Cc": return .init(parts: [.control], negated: negated)
    case "IsLetter", "IsAlphabetic", "LC": return .init(parts: [.letter], negated: negated)
    case "ASCII": return .init(parts: [.range(0, 0x7f)], negated: negated)
    case "Alnum": return .init(parts: [upper, lower, digits], negated: negated)
    case "Alpha": return .init(parts: [upper, lower], negated: negated)
    case "Upper": return .init(parts: [upper], negated: negated)
    case "Lower": return .init(parts: [lower], negated: negated)
    case "Digit": return .init(parts: [digits], negated: negated)
    case "Punct":
      return .init(
        parts: [.range(0x21, 0x2f), .range(0x3a, 0x40), .range(0x5b, 0x60), .range(0x7b, 0x7e)], negated: negated)
    case "Graph": return .init(parts: [.range(0x21, 0x7e)], negated: negated)
    case "Print": return .init(parts: [.range(0x20, 0x7e)], negated: negated)
    case "Space": return .init(parts: [.range(0x09, 0x0d), .range(0x20, 0x20)], negated: negated)
    case "Blank": return .init(parts: [.range(0x20, 0x20), .range(0x09, 0x09)], negated: negated)
    case "XDigit":
      return .init(parts: [digits, .range(0x41, 0x46), .range(0x61, 0x66)], negated: negated)
    default:
      failed = true
      return .init()
    }
  }

  private mutating func bracket(depth: Int) -> AWSPattern.CharacterSet {
    var set = AWSPattern.CharacterSet()
    guard depth < 50 else {
      failed = true
      return set
    }
    set.negated = take("^")
    var isFirst = true
    while !failed {
      guard let next = peek else {
        failed = true
        break
      }
      if next == "]", !isFirst {
        at += 1
        return set
      }
      isFirst = false
      at += 1
      if next == "[" {
        set.parts.append(.nested(bracket(depth: depth + 1)))
        continue
      }
      if next == "&", peek == "&" {
        failed = true
        break
      }
      var low = next.value
      if next == "\\" {
        guard let escaped = escape() else {
          failed = true
          break
        }
        guard !escaped.negated, escaped.parts.count == 1, case .range(let value, let last) = escaped.parts[0],
          value == last
        else {
          set.parts.append(.nested(escaped))
          continue
        }
        low = value
      }
      // A range, unless the dash is the last of the class or stands before another class.
      if peek == "-", at + 1 < text.count, text[at + 1] != "]", text[at + 1] != "[" {
        let dash = at
        at += 1
        let high = text[at]
        at += 1
        if high == "\\" {
          guard let escaped = escape(), !escaped.negated, escaped.parts.count == 1,
            case .range(let value, let last) = escaped.parts[0], value == last
          else {
            // As in `[a-\w]`: the dash is itself.
            at = dash
            set.parts.append(.range(low, low))
            continue
          }
          set.parts.append(.range(low, value))
        } else {
          set.parts.append(.range(low, high.value))
        }
      } else {
        set.parts.append(.range(low, low))
      }
    }
    return set
  }
}
