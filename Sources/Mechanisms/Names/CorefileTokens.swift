/// Why CoreDNS refuses a Corefile: the text it logs before it ends.
package struct CorefileError: Error, Hashable, Sendable {
  package var text: String
  /// Line in the file, where the text names one.
  package var line: Int?

  package init(_ text: String, line: Int? = nil) {
    self.text = text
    self.line = line
  }

  /// The words don't make blocks, whatever directives there are.
  package var isSyntax: Bool {
    !text.hasPrefix("plugin/") && !text.hasPrefix("cannot serve") && !text.contains("Unknown directive")
  }
}

/// A word of a Corefile and the line it stands on.
package struct CorefileToken: Hashable, Sendable {
  package var text: String
  package var line: Int
}

/// Walks over words as Caddy's dispenser does, by which the words of its errors come about.
///
/// Source: coredns/caddy `caddyfile/dispenser.go`, `caddyfile/lexer.go`.
package struct CorefileTokens: Sendable {
  package var tokens: [CorefileToken]
  package let path: String
  package var cursor = -1
  private var nesting = 0

  package init(_ tokens: [CorefileToken], path: String) {
    self.tokens = tokens
    self.path = path
  }

  package init(lexing text: String, path: String) {
    self.init([], path: path)
    var line = 1
    var word = ""
    var (start, hasWord) = (1, false)
    var (isComment, isQuoted, isEscaped) = (false, false, false)
    func take(_ into: inout [CorefileToken]) {
      into.append(CorefileToken(text: word, line: start))
      word = ""
      hasWord = false
    }
    for character in text.unicodeScalars {
      if isQuoted {
        if !isEscaped, character == "\\" {
          isEscaped = true
          continue
        }
        if !isEscaped, character == "\"" {
          isQuoted = false
          take(&tokens)
          continue
        }
        if character == "\n" { line += 1 }
        if isEscaped, character != "\"" { word.append("\\") }
        word.unicodeScalars.append(character)
        isEscaped = false
        continue
      }
      if character.properties.isWhitespace {
        if character == "\r" { continue }
        if character == "\n" {
          line += 1
          isComment = false
        }
        if hasWord { take(&tokens) }
        continue
      }
      if character == "#" { isComment = true }
      if isComment { continue }
      if !hasWord {
        start = line
        if character == "\"" {
          isQuoted = true
          continue
        }
        hasWord = true
      }
      word.unicodeScalars.append(character)
    }
    if hasWord || isQuoted, !word.isEmpty { take(&tokens) }
  }

  // MARK: - Walking

  package var value: String { tokens.indices.contains(cursor) ? tokens[cursor].text : "" }
  package var line: Int { tokens.indices.contains(cursor) ? tokens[cursor].line : tokens.last?.line ?? 0 }

  package mutating func next() -> Bool {
    guard cursor < tokens.count - 1 else { return false }
    cursor += 1
    return true
  }

  /// The next word, if it stands on the same line.
  package mutating func nextArgument() -> Bool {
    if cursor < 0 {
      cursor = 0
      return !tokens.isEmpty
    }
    guard cursor < tokens.count - 1, breaksEnd(cursor) == tokens[cursor + 1].line else { return false }
    cursor += 1
    return true
  }

  package var isNewLine: Bool {
    if cursor < 1 { return true }
    guard cursor < tokens.count else { return false }
    return breaksEnd(cursor - 1) < tokens[cursor].line
  }

  /// The line on which a word ends; quoted ones may run over several.
  private func breaksEnd(_ index: Int) -> Int {
    tokens[index].line + tokens[index].text.utf8.count { $0 == 0x0a }
  }

  package mutating func remainingArguments() -> [String] {
    var words: [String] = []
    while nextArgument() {
      if value == "{" {
        cursor -= 1
        break
      }
      words.append(value)
    }
    return words
  }

  /// Goes through a block in braces, a word at a time.
  package mutating func nextInBlock() -> Bool {
    if nesting > 0 {
      _ = next()
      if value == "}" {
        nesting -= 1
        return false
      }
      return cursor < tokens.count
    }
    guard nextArgument() else { return false }
    guard value == "{" else {
      cursor -= 1
      return false
    }
    guard next() else { return false }
    if value == "}" { return false }
    nesting += 1
    return true
  }

  // MARK: - Errors

  package func error(_ message: String) -> CorefileError {
    CorefileError("\(path):\(line) - Error during parsing: \(message)", line: line)
  }

  package var argumentError: CorefileError {
    value == "{"
      ? error("Unexpected token '{', expecting argument")
      : error("Wrong argument count or unexpected line ending after '\(value)'")
  }

  package var endError: CorefileError { error("Unexpected EOF") }

  package func syntaxError(_ expected: String) -> CorefileError {
    CorefileError("\(path):\(line) - Syntax error: Unexpected token '\(value)', expecting '\(expected)'", line: line)
  }
}
