/// A block of a Corefile: the zones it is for and the words of its directives.
package struct CorefileBlock: Sendable {
  package var keys: [String] = []
  /// Words by directive, that of the directive first; one that is used twice stands there twice.
  package var directives: [String: [CorefileToken]] = [:]
}

/// Cuts a Corefile into its blocks.
///
/// Source: coredns/caddy `caddyfile/parse.go`.
struct CorefileParser {
  /// Directives that this build of CoreDNS has, in the order in which their plugins are set up and asked.
  static let directives = [
    "root", "metadata", "geoip", "cancel", "tls", "quic", "timeouts", "multisocket", "reload", "nsid", "bufsize",
    "bind", "debug", "trace", "ready", "health", "pprof", "prometheus", "errors", "log", "dnstap", "local", "dns64",
    "acl", "any", "chaos", "loadbalance", "tsig", "cache", "rewrite", "header", "dnssec", "autopath", "minimal",
    "template", "transfer", "hosts", "route53", "azure", "clouddns", "k8s_external", "kubernetes", "file", "auto",
    "secondary", "etcd", "loop", "forward", "grpc", "erratic", "whoami", "on", "sign", "view",
  ]
  private static let expansionLimit = 10_000

  private var words: CorefileTokens
  private var snippets: [String: [CorefileToken]] = [:]
  private var expansions = 0
  private let environment: [String: String]

  init(_ text: String, path: String, environment: [String: String] = [:]) {
    words = CorefileTokens(lexing: text, path: path)
    self.environment = environment
  }

  mutating func blocks() throws(CorefileError) -> [CorefileBlock] {
    var blocks: [CorefileBlock] = []
    while words.next() {
      let block = try one()
      if !block.keys.isEmpty { blocks.append(block) }
    }
    return blocks
  }

  private mutating func one() throws(CorefileError) -> CorefileBlock {
    var block = CorefileBlock()
    let isEnd = try addresses(&block)
    if isEnd { return block }
    if block.keys.count == 1, let key = block.keys.first, key.hasPrefix("("), key.hasSuffix(")"), key.utf8.count > 2 {
      let name = String(key.dropFirst().dropLast())
      guard snippets[name] == nil else {
        throw words.error("redeclaration of previously declared snippet \(name)")
      }
      snippets[name] = try snippet()
      block.keys = []
      return block
    }
    let isBraced = words.value == "{"
    if !isBraced { words.cursor -= 1 }
    try directives(&block)
    if isBraced, words.value != "}" { throw words.syntaxError("}") }
    return block
  }

  /// Whether the file ends with them.
  private mutating func addresses(_ block: inout CorefileBlock) throws(CorefileError) -> Bool {
    var expectsAnother = false
    while true {
      var word = replaced(words.value)
      if word == "import", words.isNewLine {
        try importWords()
        _ = words.next()
        continue
      }
      if word == "{" {
        if expectsAnother {
          throw words.error("Expected another address but had '\(word)' - check for extra comma")
        }
        return false
      }
      if !word.isEmpty {
        expectsAnother = word.hasSuffix(",")
        if expectsAnother { word.removeLast() }
        block.keys.append(word)
      }
      let hasNext = words.next()
      if expectsAnother, !hasNext { throw words.endError }
      if !hasNext { return true }
      if !expectsAnother, words.isNewLine { return false }
    }
  }

  private mutating func directives(_ block: inout CorefileBlock) throws(CorefileError) {
    while words.next() {
      if words.value == "}" { return }
      if words.value == "import" {
        try importWords()
        continue
      }
      try directive(&block)
    }
  }

  private mutating func directive(_ block: inout CorefileBlock) throws(CorefileError) {
    let name = replaced(words.value)
    guard Self.directives.contains(name) else { throw words.error("Unknown directive '\(name)'") }
    var found = [words.tokens[words.cursor]]
    var nesting = 0
    while words.next() {
      if words.value == "{" {
        nesting += 1
      } else if words.isNewLine, nesting == 0 {
        words.cursor -= 1
        break
      } else if words.value == "}", nesting > 0 {
        nesting -= 1
      } else if words.value == "}" {
        throw words.error("Unexpected '}' because no matching opening brace")
      } else if words.value == "import", words.isNewLine {
        try importWords()
        continue
      }
      var token = words.tokens[words.cursor]
      token.text = replaced(token.text)
      found.append(token)
    }
    if nesting > 0 { throw words.endError }
    block.directives[name, default: []] += found
  }

  private mutating func snippet() throws(CorefileError) -> [CorefileToken] {
    if words.value != "{" { throw words.syntaxError("{") }
    var nesting = 1
    var found: [CorefileToken] = []
    while words.next() {
      if words.value == "}" {
        nesting -= 1
        if nesting == 0 { break }
      }
      if words.value == "{" { nesting += 1 }
      found.append(words.tokens[words.cursor])
    }
    if nesting != 0 { throw words.syntaxError("}") }
    return found
  }

  /// Puts a snippet's words in place of `import NAME`; the next word is its first.
  private mutating func importWords() throws(CorefileError) {
    let at = words.cursor
    guard words.nextArgument() else { throw words.argumentError }
    let pattern = replaced(words.value)
    if pattern.isEmpty { throw words.error("Import requires a non-empty filepath") }
    if words.nextArgument() { throw words.error("Import takes only one argument (glob pattern or file)") }
    guard let snippet = snippets[pattern] else {
      // Other files than the Corefile itself are mounted nowhere here; one by a pattern may be missing.
      guard pattern.contains(where: { "*?[".contains($0) }) else {
        throw words.error("File to import not found: \(pattern)")
      }
      words.tokens.removeSubrange(at...at + 1)
      words.cursor = at - 1
      return
    }
    guard expansions < Self.expansionLimit else {
      throw words.error("maximum snippet import depth (\(Self.expansionLimit)) exceeded")
    }
    expansions += 1
    words.tokens.replaceSubrange(at...at + 1, with: snippet)
    words.cursor = at - 1
  }

  /// `{$NAME}` and `{%NAME%}` stand for variables of the process.
  private func replaced(_ text: String) -> String {
    var text = text
    for (opening, closing) in [("{$", "}"), ("{%", "%}")] {
      while let start = text.firstRange(of: opening),
        let end = text[start.upperBound...].firstRange(of: closing)
      {
        let name = String(text[start.upperBound..<end.lowerBound])
        text.replaceSubrange(start.lowerBound..<end.upperBound, with: environment[name] ?? "")
      }
    }
    return text
  }
}
