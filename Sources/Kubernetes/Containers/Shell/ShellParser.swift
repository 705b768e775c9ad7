/// Reads a script of the POSIX shell.
struct ShellParser {
  private let text: [UInt8]
  private var at = 0
  private var depth = 0
  private(set) var nodes: [ShellNode] = []
  private(set) var documents: [ShellWord] = []
  /// Here-documents whose text begins after the line under way.
  private var awaited: [(index: Int, end: String, isQuoted: Bool, stripsTabs: Bool)] = []

  private static let depthLimit = 60
  private static let reserved: Set<String> = [
    "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "{", "}", "!", "in",
  ]

  init(_ source: String) { text = Array(source.utf8) }
  private init(_ text: [UInt8], depth: Int) {
    self.text = text
    self.depth = depth
  }

  mutating func script() throws(ShellSyntaxError) -> Int {
    let root = try list(until: [])
    guard at >= text.count else { throw .unexpected(tokenHere()) }
    guard awaited.isEmpty else { throw .unfinished("here-document") }
    return root
  }

  // MARK: - Characters

  private func byte(_ offset: Int = 0) -> UInt8 { at + offset < text.count ? text[at + offset] : 0 }
  private func looking(at word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard at + count <= text.count else { return false }
    for index in 0..<count where text[at + index] != word.utf8Start[index] { return false }
    return true
  }
  private var isAtEnd: Bool { at >= text.count }

  private mutating func skipBlanks() {
    while at < text.count {
      switch text[at] {
      case 0x20, 0x09, 0x0d: at += 1
      case 0x5c where byte(1) == 0x0a: at += 2
      case 0x23: while at < text.count, text[at] != 0x0a { at += 1 }
      default: return
      }
    }
  }

  private mutating func skipLines() throws(ShellSyntaxError) {
    while true {
      skipBlanks()
      guard byte() == 0x0a, !isAtEnd else { return }
      try newLine()
    }
  }

  private mutating func newLine() throws(ShellSyntaxError) {
    at += 1
    let waiting = awaited
    awaited = []
    for document in waiting { try readDocument(document) }
  }

  private mutating func readDocument(
    _ document: (index: Int, end: String, isQuoted: Bool, stripsTabs: Bool)
  ) throws(ShellSyntaxError) {
    var body: [UInt8] = []
    while true {
      guard at < text.count else { throw .unfinished("here-document") }
      var line: [UInt8] = []
      while at < text.count, text[at] != 0x0a {
        line.append(text[at])
        at += 1
      }
      if at < text.count { at += 1 }
      if document.stripsTabs { line = Array(line.drop { $0 == 0x09 }) }
      if String(decoding: line, as: UTF8.self) == document.end { break }
      body += line + [0x0a]
    }
    if document.isQuoted {
      documents[document.index] = [.quoted(String(decoding: body, as: UTF8.self))]
    } else {
      documents[document.index] = [.double(try nested(body, inDocument: true))]
    }
  }

  private func tokenHere() -> String {
    if isAtEnd { return "end of file" }
    if byte() == 0x0a { return "newline" }
    for token in [";;", "&&", "||"] where Array(token.utf8) == Array(text[at..<min(at + 2, text.count)]) {
      return token
    }
    if ";&|()<>".utf8.contains(byte()) { return String(decoding: [byte()], as: UTF8.self) }
    return peekWord() ?? String(decoding: [byte()], as: UTF8.self)
  }

  /// The plain word that stands here, without reading it.
  private func peekWord() -> String? {
    var end = at
    while end < text.count, !Self.endsWord(text[end]) {
      if text[end] == 0x22 || text[end] == 0x27 || text[end] == 0x5c || text[end] == 0x24 || text[end] == 0x60 {
        return nil
      }
      end += 1
    }
    return end > at ? String(decoding: text[at..<end], as: UTF8.self) : nil
  }

  private static func endsWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x20, 0x09, 0x0a, 0x0d, 0x3b, 0x26, 0x7c, 0x28, 0x29, 0x3c, 0x3e: true
    default: false
    }
  }

  private mutating func take(_ word: String) -> Bool {
    skipBlanks()
    guard peekWord() == word else { return false }
    at += word.utf8.count
    return true
  }

  private mutating func expect(_ word: String) throws(ShellSyntaxError) {
    try skipLines()
    guard take(word) else {
      throw isAtEnd ? .unfinished("\"\(word)\"") : .unexpected(tokenHere())
    }
  }

  private mutating func add(_ kind: ShellNode.Kind) -> Int {
    nodes.append(ShellNode(kind: kind))
    return nodes.count - 1
  }

  // MARK: - Lists

  private mutating func list(until ends: Set<String>, closing: UInt8 = 0) throws(ShellSyntaxError) -> Int {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.depthLimit else { throw .unexpected("nesting") }
    var items: [ShellNode.Item] = []
    while true {
      try skipLines()
      if isAtEnd { break }
      if closing != 0, byte() == closing { break }
      if byte() == 0x3b, byte(1) == 0x3b { break }
      if let word = peekWord(), ends.contains(word) { break }
      let node = try andOr()
      skipBlanks()
      var inBackground = false
      if byte() == 0x26, byte(1) != 0x26 {
        inBackground = true
        at += 1
      } else if byte() == 0x3b, byte(1) != 0x3b {
        at += 1
      } else if !isAtEnd, byte() != 0x0a {
        items.append(.init(node: node, inBackground: false))
        if closing != 0, byte() == closing { break }
        if byte() == 0x3b { break }
        throw .unexpected(tokenHere())
      }
      items.append(.init(node: node, inBackground: inBackground))
    }
    return add(.list(items))
  }

  private mutating func body(until ends: Set<String>) throws(ShellSyntaxError) -> Int {
    let node = try list(until: ends)
    if case .list(let items) = nodes[node].kind, items.isEmpty {
      throw isAtEnd ? .unfinished(ends.sorted().first ?? "") : .unexpected(tokenHere())
    }
    return node
  }

  private mutating func andOr() throws(ShellSyntaxError) -> Int {
    var steps = [ShellNode.Step(node: try pipeline(), afterSuccess: true)]
    while true {
      skipBlanks()
      guard looking(at: "&&") || looking(at: "||") else { break }
      let afterSuccess = byte() == 0x26
      at += 2
      try skipLines()
      guard !isAtEnd else { throw .unfinished("command") }
      steps.append(.init(node: try pipeline(), afterSuccess: afterSuccess))
    }
    return steps.count == 1 ? steps[0].node : add(.andOr(steps))
  }

  private mutating func pipeline() throws(ShellSyntaxError) -> Int {
    var isNegated = false
    while take("!") { isNegated.toggle() }
    var elements = [try command()]
    while true {
      skipBlanks()
      guard byte() == 0x7c, byte(1) != 0x7c else { break }
      at += 1
      try skipLines()
      guard !isAtEnd else { throw .unfinished("command") }
      elements.append(try command())
    }
    return elements.count == 1 && !isNegated ? elements[0] : add(.pipeline(elements, isNegated: isNegated))
  }

  // MARK: - Commands

  private mutating func command() throws(ShellSyntaxError) -> Int {
    skipBlanks()
    guard !isAtEnd else { throw .unexpected("end of file") }
    let node: Int
    if byte() == 0x28 {
      at += 1
      let inner = try list(until: [], closing: 0x29)
      guard byte() == 0x29, !isAtEnd else { throw isAtEnd ? .unfinished(")") : .unexpected(tokenHere()) }
      at += 1
      node = add(.subshell(inner))
    } else {
      switch peekWord() {
      case "{":
        at += 1
        let inner = try body(until: ["}"])
        try expect("}")
        node = add(.group(inner))
      case "if":
        at += 2
        node = try branch()
      case "while", "until":
        let isUntil = peekWord() == "until"
        at += 5
        let condition = try body(until: ["do"])
        try expect("do")
        let inner = try body(until: ["done"])
        try expect("done")
        node = add(.loop(condition: condition, body: inner, isUntil: isUntil))
      case "for":
        at += 3
        node = try each()
      case "case":
        at += 4
        node = try match()
      case .some(let word) where Self.reserved.contains(word) && word != "in": throw .unexpected(word)
      case "function":
        at += 8
        skipBlanks()
        guard let name = peekWord() else { throw .unexpected(tokenHere()) }
        at += name.utf8.count
        skipBlanks()
        if looking(at: "()") { at += 2 }
        try skipLines()
        return add(.function(name: name, body: try command()))
      default: return try simple()
      }
    }
    var redirections: [ShellNode.Redirection] = []
    while let redirection = try redirection() { redirections.append(redirection) }
    guard !redirections.isEmpty else { return node }
    let whole = add(.group(node))
    nodes[whole].redirections = redirections
    return whole
  }

  private mutating func branch() throws(ShellSyntaxError) -> Int {
    var clauses: [ShellNode.Clause] = []
    var otherwise: Int?
    repeat {
      let condition = try body(until: ["then"])
      try expect("then")
      clauses.append(.init(condition: condition, body: try body(until: ["elif", "else", "fi"])))
    } while take("elif")
    if take("else") { otherwise = try body(until: ["fi"]) }
    try expect("fi")
    return add(.branch(clauses: clauses, otherwise: otherwise))
  }

  private mutating func each() throws(ShellSyntaxError) -> Int {
    skipBlanks()
    guard let name = peekWord(), Self.isName(name) else { throw isAtEnd ? .unfinished("") : .unexpected(tokenHere()) }
    at += name.utf8.count
    try skipLines()
    var words: [ShellWord]?
    if take("in") {
      var list: [ShellWord] = []
      while true {
        skipBlanks()
        guard !isAtEnd else { throw .unfinished("do") }
        if byte() == 0x3b || byte() == 0x0a { break }
        guard let word = try word() else { throw .unexpected(tokenHere()) }
        list.append(word)
      }
      words = list
    }
    skipBlanks()
    if byte() == 0x3b { at += 1 }
    try expect("do")
    let inner = try body(until: ["done"])
    try expect("done")
    return add(.each(name: name, words: words, body: inner))
  }

  private mutating func match() throws(ShellSyntaxError) -> Int {
    skipBlanks()
    guard let subject = try word() else { throw isAtEnd ? .unfinished("in") : .unexpected(tokenHere()) }
    try expect("in")
    var arms: [ShellNode.Arm] = []
    while true {
      try skipLines()
      guard !isAtEnd else { throw .unfinished("esac") }
      if take("esac") { break }
      if byte() == 0x28 { at += 1 }
      var patterns: [ShellWord] = []
      while true {
        skipBlanks()
        guard let pattern = try word() else { throw isAtEnd ? .unfinished(")") : .unexpected(tokenHere()) }
        patterns.append(pattern)
        skipBlanks()
        guard byte() == 0x7c else { break }
        at += 1
      }
      guard byte() == 0x29 else { throw isAtEnd ? .unfinished(")") : .unexpected(tokenHere()) }
      at += 1
      let inner = try list(until: ["esac"])
      var isEmpty = false
      if case .list(let items) = nodes[inner].kind { isEmpty = items.isEmpty }
      arms.append(.init(patterns: patterns, body: isEmpty ? nil : inner))
      skipBlanks()
      if looking(at: ";;") { at += 2 }
    }
    return add(.match(subject, arms))
  }

  private mutating func simple() throws(ShellSyntaxError) -> Int {
    var assignments: [ShellNode.Assignment] = []
    var words: [ShellWord] = []
    var redirections: [ShellNode.Redirection] = []
    while true {
      skipBlanks()
      if isAtEnd { break }
      if let redirection = try redirection() {
        redirections.append(redirection)
        continue
      }
      if words.isEmpty, let name = assignedName() {
        at += name.utf8.count + 1
        assignments.append(.init(name: name, value: try word() ?? []))
        continue
      }
      guard let word = try word() else {
        if byte() == 0x28, words.count == 1, case .literal(let name)? = words[0].first, words[0].count == 1,
          assignments.isEmpty, redirections.isEmpty
        {
          return try function(name)
        }
        break
      }
      words.append(word)
      guard words.count < 20_000 else { throw .unexpected("too many words") }
    }
    guard !assignments.isEmpty || !words.isEmpty || !redirections.isEmpty else { throw .unexpected(tokenHere()) }
    let node = add(.simple(assignments: assignments, words: words))
    nodes[node].redirections = redirections
    return node
  }

  private mutating func function(_ name: String) throws(ShellSyntaxError) -> Int {
    at += 1
    skipBlanks()
    guard byte() == 0x29 else { throw isAtEnd ? .unfinished(")") : .unexpected(tokenHere()) }
    at += 1
    try skipLines()
    guard !isAtEnd else { throw .unfinished("command") }
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.depthLimit else { throw .unexpected("nesting") }
    return add(.function(name: name, body: try command()))
  }

  private func assignedName() -> String? {
    var end = at
    while end < text.count, Self.isNameByte(text[end], isFirst: end == at) { end += 1 }
    guard end > at, end < text.count, text[end] == 0x3d else { return nil }
    return String(decoding: text[at..<end], as: UTF8.self)
  }

  static func isNameByte(_ byte: UInt8, isFirst: Bool) -> Bool {
    switch byte {
    case 0x41...0x5a, 0x61...0x7a, 0x5f: true
    case 0x30...0x39: !isFirst
    default: false
    }
  }

  static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.enumerated().allSatisfy { isNameByte($0.element, isFirst: $0.offset == 0) }
  }

  // MARK: - Redirections

  private mutating func redirection() throws(ShellSyntaxError) -> ShellNode.Redirection? {
    skipBlanks()
    var end = at
    while end < text.count, (0x30...0x39).contains(text[end]) { end += 1 }
    guard end < text.count, end - at <= 3, text[end] == 0x3c || text[end] == 0x3e else {
      if looking(at: "&>"), byte(2) != 0x3e {
        // Both outputs, as bash has it: told as `> file` here, the caller's `2>&1` follows from it.
        at += 2
        skipBlanks()
        guard let target = try word() else { throw .unexpected(tokenHere()) }
        return .init(descriptor: -1, kind: .write, target: target)
      }
      return nil
    }
    let number = end > at ? Int(String(decoding: text[at..<end], as: UTF8.self)) : nil
    at = end
    let isInput = byte() == 0x3c
    at += 1
    var kind = isInput ? ShellNode.Redirection.Kind.read : .write
    if isInput, byte() == 0x3c {
      at += 1
      let stripsTabs = byte() == 0x2d
      if stripsTabs { at += 1 }
      skipBlanks()
      let start = at
      guard let end = try word() else { throw isAtEnd ? .unfinished("") : .unexpected(tokenHere()) }
      let isQuoted = text[start..<at].contains { $0 == 0x22 || $0 == 0x27 || $0 == 0x5c }
      documents.append([])
      awaited.append((documents.count - 1, Self.plain(end), isQuoted, stripsTabs))
      return .init(descriptor: number ?? 0, kind: .document(documents.count - 1), target: [])
    }
    switch byte() {
    case 0x3e where !isInput:
      at += 1
      kind = .append
    case 0x3e:
      at += 1
      kind = .readWrite
    case 0x26:
      at += 1
      kind = .duplicate
    case 0x7c where !isInput: at += 1
    default: break
    }
    skipBlanks()
    guard let target = try word() else { throw isAtEnd ? .unfinished("word") : .unexpected(tokenHere()) }
    return .init(descriptor: number ?? (isInput ? 0 : 1), kind: kind, target: target)
  }

  /// A word's letters without its quotes.
  static func plain(_ word: ShellWord) -> String {
    word.map { part in
      switch part {
      case .literal(let text), .quoted(let text): text
      case .double(let parts): plain(parts)
      default: ""
      }
    }.joined()
  }

  // MARK: - Words

  /// The word that stands here; nil where there is none.
  private mutating func word() throws(ShellSyntaxError) -> ShellWord? {
    let start = at
    var parts: ShellWord = []
    var plain: [UInt8] = []
    func flush(_ plain: inout [UInt8], _ parts: inout ShellWord) {
      if !plain.isEmpty { parts.append(.literal(String(decoding: plain, as: UTF8.self))) }
      plain = []
    }
    loop: while at < text.count {
      let next = text[at]
      switch next {
      case 0x27:
        flush(&plain, &parts)
        parts.append(try singleQuoted())
      case 0x22:
        flush(&plain, &parts)
        at += 1
        parts.append(.double(try quotedParts(closing: 0x22)))
        at += 1
      case 0x5c:
        if byte(1) == 0x0a, at + 1 < text.count {
          at += 2
          continue
        }
        flush(&plain, &parts)
        guard at + 1 < text.count else { throw .unfinished("\\") }
        var end = at + 2
        while end < text.count, text[end] & 0xc0 == 0x80 { end += 1 }
        parts.append(.quoted(String(decoding: text[(at + 1)..<end], as: UTF8.self)))
        at = end
      case 0x24, 0x60:
        if next == 0x24, byte(1) == 0x27 {
          flush(&plain, &parts)
          at += 1
          parts.append(try escapedQuoted())
          continue
        }
        if let part = try expansion() {
          flush(&plain, &parts)
          parts.append(part)
        } else {
          plain.append(next)
          at += 1
        }
      default:
        if Self.endsWord(next) { break loop }
        plain.append(next)
        at += 1
      }
    }
    flush(&plain, &parts)
    return at > start ? parts : nil
  }

  private mutating func singleQuoted() throws(ShellSyntaxError) -> ShellPart {
    at += 1
    let start = at
    while at < text.count, text[at] != 0x27 { at += 1 }
    guard at < text.count else { throw .unfinished("quoted string") }
    at += 1
    return .quoted(String(decoding: text[start..<(at - 1)], as: UTF8.self))
  }

  /// `$'…'` of bash and busybox.
  private mutating func escapedQuoted() throws(ShellSyntaxError) -> ShellPart {
    at += 1
    var bytes: [UInt8] = []
    while at < text.count, text[at] != 0x27 {
      if text[at] == 0x5c, at + 1 < text.count {
        bytes += [text[at], text[at + 1]]
        at += 2
      } else {
        bytes.append(text[at])
        at += 1
      }
    }
    guard at < text.count else { throw .unfinished("quoted string") }
    at += 1
    return .quoted(String(decoding: Escapes.interpret(bytes).bytes, as: UTF8.self))
  }

  /// Parts between double quotes, up to the closing byte, which is left.
  private mutating func quotedParts(closing: UInt8, inDocument: Bool = false) throws(ShellSyntaxError) -> [ShellPart] {
    var parts: [ShellPart] = []
    var plain: [UInt8] = []
    func flush(_ plain: inout [UInt8], _ parts: inout [ShellPart]) {
      if !plain.isEmpty { parts.append(.quoted(String(decoding: plain, as: UTF8.self))) }
      plain = []
    }
    while true {
      guard at < text.count else {
        if inDocument { break }
        throw .unfinished("quoted string")
      }
      let next = text[at]
      if next == closing, !inDocument { break }
      switch next {
      case 0x5c:
        let escaped = byte(1)
        if escaped == 0x0a, at + 1 < text.count {
          at += 2
        } else if escaped == 0x24 || escaped == 0x60 || escaped == 0x5c || (escaped == 0x22 && !inDocument) {
          plain.append(escaped)
          at += 2
        } else {
          plain.append(next)
          at += 1
        }
      case 0x24, 0x60:
        if let part = try expansion() {
          flush(&plain, &parts)
          parts.append(part)
        } else {
          plain.append(next)
          at += 1
        }
      default:
        plain.append(next)
        at += 1
      }
    }
    flush(&plain, &parts)
    return parts
  }

  /// Reads a text of its own with this script's nodes.
  private mutating func nested(_ text: [UInt8], inDocument: Bool) throws(ShellSyntaxError) -> [ShellPart] {
    var inner = ShellParser(text, depth: depth + 1)
    guard depth < Self.depthLimit else { throw .unexpected("nesting") }
    swap(&inner.nodes, &nodes)
    swap(&inner.documents, &documents)
    defer {
      swap(&inner.nodes, &nodes)
      swap(&inner.documents, &documents)
    }
    return try inner.quotedParts(closing: 0, inDocument: inDocument)
  }

  // MARK: - Expansions

  /// `$…` or a backquoted command; nil where the dollar stands for itself.
  private mutating func expansion() throws(ShellSyntaxError) -> ShellPart? {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.depthLimit else { throw .unexpected("nesting") }
    if byte() == 0x60 { return try backquoted() }
    let next = byte(1)
    switch next {
    case 0x28 where byte(2) == 0x28:
      let start = at
      if let part = try arithmetic() { return part }
      at = start
      return try command(after: 2)
    case 0x28: return try command(after: 2)
    case 0x7b:
      at += 2
      return try braced()
    case 0x30...0x39, 0x40, 0x2a, 0x23, 0x3f, 0x2d, 0x24, 0x21:
      at += 2
      return .parameter(.init(name: String(decoding: [next], as: UTF8.self)))
    default:
      var end = at + 1
      while end < text.count, Self.isNameByte(text[end], isFirst: end == at + 1) { end += 1 }
      guard end > at + 1 else { return nil }
      let name = String(decoding: text[(at + 1)..<end], as: UTF8.self)
      at = end
      return .parameter(.init(name: name))
    }
  }

  private mutating func command(after count: Int) throws(ShellSyntaxError) -> ShellPart {
    at += count
    let held = awaited
    awaited = []
    let inner = try list(until: [], closing: 0x29)
    guard byte() == 0x29, !isAtEnd else { throw isAtEnd ? .unfinished(")") : .unexpected(tokenHere()) }
    at += 1
    awaited = held
    return .command(inner)
  }

  private mutating func backquoted() throws(ShellSyntaxError) -> ShellPart {
    at += 1
    var inner: [UInt8] = []
    while at < text.count, text[at] != 0x60 {
      if text[at] == 0x5c, byte(1) == 0x60 || byte(1) == 0x5c || byte(1) == 0x24 { at += 1 }
      guard at < text.count else { break }
      inner.append(text[at])
      at += 1
    }
    guard at < text.count else { throw .unfinished("`") }
    at += 1
    var parser = ShellParser(inner, depth: depth + 1)
    swap(&parser.nodes, &nodes)
    swap(&parser.documents, &documents)
    defer {
      swap(&parser.nodes, &nodes)
      swap(&parser.documents, &documents)
    }
    do throws(ShellSyntaxError) { return .command(try parser.script()) } catch {
      if case .unfinished(let what) = error { throw .unexpected(what) }
      throw error
    }
  }

  private mutating func arithmetic() throws(ShellSyntaxError) -> ShellPart? {
    at += 3
    let start = at
    var level = 0
    while at < text.count {
      if text[at] == 0x28 { level += 1 }
      if text[at] == 0x29 {
        if level == 0 {
          guard byte(1) == 0x29 else { return nil }
          let inner = Array(text[start..<at])
          at += 2
          return .arithmetic(try nested(inner, inDocument: true))
        }
        level -= 1
      }
      at += 1
    }
    throw .unfinished("))")
  }

  private mutating func braced() throws(ShellSyntaxError) -> ShellPart {
    var parameter = ShellPart.Parameter(name: "")
    if byte() == 0x23, byte(1) != 0x7d {
      parameter.operation = .length
      at += 1
    }
    let start = at
    if "@*?-$!#".utf8.contains(byte()) {
      at += 1
    } else {
      while at < text.count, Self.isNameByte(text[at], isFirst: false) { at += 1 }
    }
    guard at > start else { throw isAtEnd ? .unfinished("}") : .unexpected("bad substitution") }
    parameter.name = String(decoding: text[start..<at], as: UTF8.self)
    if byte() == 0x7d, !isAtEnd {
      at += 1
      return .parameter(parameter)
    }
    guard case .value = parameter.operation else { throw isAtEnd ? .unfinished("}") : .unexpected("bad substitution") }
    if byte() == 0x3a {
      switch byte(1) {
      case 0x2d, 0x3d, 0x2b, 0x3f:
        parameter.countsEmpty = true
        at += 1
      default: parameter.operation = .substring
      }
    }
    switch byte() {
    case 0x2d: parameter.operation = .standard
    case 0x3d: parameter.operation = .assign
    case 0x2b: parameter.operation = .alternative
    case 0x3f: parameter.operation = .failure
    case 0x23:
      let longest = byte(1) == 0x23
      if longest { at += 1 }
      parameter.operation = .dropPrefix(longest: longest)
    case 0x25:
      let longest = byte(1) == 0x25
      if longest { at += 1 }
      parameter.operation = .dropSuffix(longest: longest)
    case 0x2f:
      let all = byte(1) == 0x2f
      if all { at += 1 }
      parameter.operation = .substitute(all: all)
    case 0x3a:
      guard case .substring = parameter.operation else { throw .unexpected("bad substitution") }
    default: throw isAtEnd ? .unfinished("}") : .unexpected("bad substitution")
    }
    at += 1
    switch parameter.operation {
    case .substitute:
      parameter.word = try bracedWord(ends: [0x2f, 0x7d])
      if byte() == 0x2f {
        at += 1
        parameter.second = try bracedWord(ends: [0x7d])
      }
    case .substring:
      parameter.word = try bracedWord(ends: [0x3a, 0x7d])
      if byte() == 0x3a {
        at += 1
        parameter.second = try bracedWord(ends: [0x7d])
      }
    default: parameter.word = try bracedWord(ends: [0x7d])
    }
    at += 1
    return .parameter(parameter)
  }

  private mutating func bracedWord(ends: [UInt8]) throws(ShellSyntaxError) -> ShellWord {
    var parts: ShellWord = []
    var plain: [UInt8] = []
    func flush(_ plain: inout [UInt8], _ parts: inout ShellWord) {
      if !plain.isEmpty { parts.append(.literal(String(decoding: plain, as: UTF8.self))) }
      plain = []
    }
    while true {
      guard at < text.count else { throw .unfinished("}") }
      let next = text[at]
      if ends.contains(next) { break }
      switch next {
      case 0x27:
        flush(&plain, &parts)
        parts.append(try singleQuoted())
      case 0x22:
        flush(&plain, &parts)
        at += 1
        parts.append(.double(try quotedParts(closing: 0x22)))
        at += 1
      case 0x5c where at + 1 < text.count:
        flush(&plain, &parts)
        parts.append(.quoted(String(decoding: [text[at + 1]], as: UTF8.self)))
        at += 2
      case 0x24, 0x60:
        if let part = try expansion() {
          flush(&plain, &parts)
          parts.append(part)
        } else {
          plain.append(next)
          at += 1
        }
      default:
        plain.append(next)
        at += 1
      }
    }
    flush(&plain, &parts)
    return parts
  }
}
