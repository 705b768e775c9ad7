/// Cuts an expression into tokens.
struct Lexer {
  private let text: [Unicode.Scalar]
  private var at = 0
  private(set) var issues: [Issue] = []

  init(_ text: [Unicode.Scalar]) { self.text = text }

  private static let marks: [String] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":", "+", "*",
    "/", "%",
  ]

  mutating func tokens() -> [Token] {
    var tokens: [Token] = []
    while true {
      skipBlanks()
      guard at < text.count else { break }
      let start = at
      if let kind = next() {
        tokens.append(Token(kind: kind, at: start, text: String(of: text[start..<at])))
      } else if issues.count > 100 {
        break
      }
    }
    tokens.append(Token(kind: .end, at: text.count, text: "<EOF>"))
    return tokens
  }

  private mutating func skipBlanks() {
    while at < text.count {
      switch text[at] {
      case " ", "\t", "\n", "\r", "\u{0c}": at += 1
      case "/" where at + 1 < text.count && text[at + 1] == "/":
        while at < text.count, text[at] != "\n" { at += 1 }
      default: return
      }
    }
  }

  private func peek(_ offset: Int = 0) -> Unicode.Scalar? { at + offset < text.count ? text[at + offset] : nil }

  private mutating func next() -> Token.Kind? {
    let first = text[at]
    if first.isLetter {
      if let kind = prefixed() { return kind }
      var end = at
      while end < text.count, text[end].isLetter || text[end].isDigit { end += 1 }
      defer { at = end }
      return .identifier(String(of: text[at..<end]))
    }
    if first.isDigit || first == "." && peek(1)?.isDigit == true { return number() }
    if first == "\"" || first == "'" { return string(isRaw: false, isBytes: false) }
    if first == "`" { return quoted() }
    for mark in Lexer.marks {
      let scalars = Array(mark.unicodeScalars)
      guard at + scalars.count <= text.count, text[at..<(at + scalars.count)].elementsEqual(scalars) else { continue }
      at += scalars.count
      return .mark(mark)
    }
    return unknown(to: at + 1)
  }

  private mutating func unknown(to end: Int) -> Token.Kind? {
    var end = end
    // The lexer of the reference gives up one character after what looked like an operator.
    if "&|=".unicodeScalars.contains(text[at]), end < text.count { end += 1 }
    issues.append(
      Issue(at: at, text: "Syntax error: token recognition error at: '\(String(of: text[at..<end]).escaped)'"))
    at = end
    return nil
  }

  /// Strings with `r` and `b` before them.
  private mutating func prefixed() -> Token.Kind? {
    var isRaw = false
    var isBytes = false
    var length = 0
    while let scalar = peek(length), length < 2 {
      switch scalar {
      case "r", "R": if isRaw { return nil } else { isRaw = true }
      case "b", "B": if isBytes { return nil } else { isBytes = true }
      default:
        guard length > 0, scalar == "\"" || scalar == "'" else { return nil }
        at += length
        return string(isRaw: isRaw, isBytes: isBytes)
      }
      length += 1
    }
    guard let scalar = peek(length), scalar == "\"" || scalar == "'" else { return nil }
    at += length
    return string(isRaw: isRaw, isBytes: isBytes)
  }

  private mutating func quoted() -> Token.Kind? {
    var end = at + 1
    while end < text.count, text[end] != "`" {
      guard text[end].isLetter || text[end].isDigit || "-./ ".unicodeScalars.contains(text[end]) else { break }
      end += 1
    }
    guard end < text.count, text[end] == "`", end > at + 1 else { return unknown(to: min(end + 1, text.count)) }
    defer { at = end + 1 }
    return .quoted(String(of: text[(at + 1)..<end]))
  }

  // MARK: Numbers

  private mutating func number() -> Token.Kind? {
    let start = at
    if text[at] == "0", peek(1) == "x" {
      at += 2
      let digits = at
      while let scalar = peek(), scalar.isHexadecimal { at += 1 }
      let value = UInt64(String(of: text[digits..<at]), radix: 16)
      return finish(integer: value, start, isUnsigned: takeSuffix())
    }
    while peek()?.isDigit == true { at += 1 }
    var isDouble = false
    if peek() == ".", peek(1)?.isDigit == true {
      isDouble = true
      at += 1
      while peek()?.isDigit == true { at += 1 }
    }
    if let mark = peek(), mark == "e" || mark == "E" {
      let sign = peek(1) == "+" || peek(1) == "-" ? 2 : 1
      if peek(sign)?.isDigit == true {
        isDouble = true
        at += sign
        while peek()?.isDigit == true { at += 1 }
      }
    }
    let digits = String(of: text[start..<at])
    if isDouble {
      guard let value = Double(digits.hasPrefix(".") ? "0" + digits : digits), value.isFinite else {
        issues.append(Issue(at: start, text: "invalid double literal"))
        return .double(0)
      }
      return .double(value)
    }
    return finish(integer: UInt64(digits), start, isUnsigned: takeSuffix())
  }

  private mutating func takeSuffix() -> Bool {
    guard peek() == "u" || peek() == "U" else { return false }
    at += 1
    return true
  }

  private mutating func finish(integer: UInt64?, _ start: Int, isUnsigned: Bool) -> Token.Kind {
    // One more than the greatest int is the magnitude of the smallest.
    guard let value = integer, isUnsigned || value <= UInt64(Int64.max) + 1 else {
      issues.append(Issue(at: start, text: isUnsigned ? "invalid uint literal" : "invalid int literal"))
      return isUnsigned ? .uint(0) : .int(0)
    }
    return isUnsigned ? .uint(value) : .int(value)
  }

  // MARK: Strings

  private mutating func string(isRaw: Bool, isBytes: Bool) -> Token.Kind? {
    let start = at
    let quote = text[at]
    let isTriple = peek(1) == quote && peek(2) == quote
    at += isTriple ? 3 : 1
    var bytes: [UInt8] = []
    while at < text.count {
      let scalar = text[at]
      if scalar == quote, !isTriple || (peek(1) == quote && peek(2) == quote) {
        at += isTriple ? 3 : 1
        guard !isBytes else { return .bytes(bytes) }
        return .string(String(decoding: bytes, as: UTF8.self))
      }
      if !isTriple, scalar == "\n" || scalar == "\r" { break }
      if scalar == "\\", !isRaw {
        guard escape(&bytes, isBytes: isBytes) else { break }
        continue
      }
      at += 1
      bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
    }
    let end = at
    at = start
    return unknown(to: max(end, start + 1))
  }

  private mutating func escape(_ bytes: inout [UInt8], isBytes: Bool) -> Bool {
    guard let mark = peek(1) else { return false }
    let simple: [Unicode.Scalar: UInt8] = [
      "a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 0x5c, "?": 0x3f, "\"": 0x22, "'": 0x27,
      "`": 0x60,
    ]
    if let byte = simple[mark] {
      bytes.append(byte)
      at += 2
      return true
    }
    let (skip, count, radix): (Int, Int, Int)
    switch mark {
    case "x", "X": (skip, count, radix) = (2, 2, 16)
    case "u" where !isBytes: (skip, count, radix) = (2, 4, 16)
    case "U" where !isBytes: (skip, count, radix) = (2, 8, 16)
    case "0", "1", "2", "3": (skip, count, radix) = (1, 3, 8)
    default: return false
    }
    guard at + skip + count <= text.count,
      let value = UInt32(String(of: text[(at + skip)..<(at + skip + count)]), radix: radix)
    else { return false }
    at += skip + count
    if isBytes {
      bytes.append(UInt8(truncatingIfNeeded: value))
      return true
    }
    guard let scalar = Unicode.Scalar(value) else { return false }
    bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
    return true
  }
}

extension Unicode.Scalar {
  var isLetter: Bool {
    switch self {
    case "a"..."z", "A"..."Z", "_": true
    default: false
    }
  }
  var isDigit: Bool { ("0"..."9").contains(self) }
  var isHexadecimal: Bool {
    switch self {
    case "a"..."f", "A"..."F", "0"..."9": true
    default: false
    }
  }
}

extension String {
  init(of scalars: ArraySlice<Unicode.Scalar>) {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    self = String(view)
  }

  fileprivate var escaped: String {
    var text = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
