import Wire

/// The part of YAML in which NodeConfigs are written: mappings and lists by indentation, plain and quoted
/// scalars, block texts, flow collections as JSON.
enum IndentedYAML {
  /// Nil where the text is something else.
  static func parse(_ text: String) -> JSON? {
    if let json = try? JSON.parse(Array(text.utf8)) { return json }
    var reader = Reader(text)
    guard let value = reader.block(indent: 0), reader.isAtEnd else { return nil }
    return value
  }

  private struct Reader {
    private var lines: [(indent: Int, text: Substring)] = []
    private var at = 0

    init(_ text: String) {
      for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        let indent = line.prefix { $0 == " " }.count
        lines.append((indent, line.dropFirst(indent)))
      }
    }

    private mutating func skip() {
      while at < lines.count,
        lines[at].text.allSatisfy(\.isWhitespace) || lines[at].text.hasPrefix("#")
          || lines[at].text.hasPrefix("---")
      { at += 1 }
    }

    var isAtEnd: Bool {
      mutating get {
        skip()
        return at >= lines.count
      }
    }

    mutating func block(indent: Int) -> JSON? {
      skip()
      guard at < lines.count, lines[at].indent >= indent else { return .null }
      return lines[at].text.hasPrefix("- ") || lines[at].text == "-" ? list(lines[at].indent) : map(lines[at].indent)
    }

    private mutating func list(_ indent: Int) -> JSON? {
      var items: [JSON] = []
      while true {
        skip()
        guard at < lines.count, lines[at].indent == indent, lines[at].text.hasPrefix("-") else { break }
        let rest = lines[at].text.dropFirst().drop { $0 == " " }
        if rest.isEmpty {
          at += 1
          guard let item = block(indent: indent + 1) else { return nil }
          items.append(item)
        } else if key(rest) != nil, !rest.hasPrefix("\""), !rest.hasPrefix("'"), !rest.hasPrefix("{") {
          let inner = indent + lines[at].text.count - rest.count
          lines[at] = (inner, rest)
          guard let item = map(inner) else { return nil }
          items.append(item)
        } else {
          items.append(scalar(rest))
          at += 1
        }
      }
      return .array(items)
    }

    private mutating func map(_ indent: Int) -> JSON? {
      var object = JSONObject()
      while true {
        skip()
        guard at < lines.count, lines[at].indent == indent else { break }
        guard let (name, rest) = key(lines[at].text) else { return nil }
        at += 1
        if rest.hasPrefix("|") || rest.hasPrefix(">") {
          object.append(name, .string(text(indent, folded: rest.hasPrefix(">"), chomp: rest.contains("-"))))
        } else if rest.isEmpty {
          skip()
          let isList = at < lines.count && lines[at].indent == indent && lines[at].text.hasPrefix("- ")
          guard let value = isList ? list(indent) : block(indent: indent + 1) else { return nil }
          object.append(name, value)
        } else {
          object.append(name, scalar(rest))
        }
      }
      return .object(object)
    }

    private mutating func text(_ indent: Int, folded: Bool, chomp: Bool) -> String {
      var body: [String] = []
      var base: Int?
      while at < lines.count, lines[at].indent > indent || lines[at].text.isEmpty {
        if base == nil, !lines[at].text.isEmpty { base = lines[at].indent }
        body.append(String(repeating: " ", count: max(0, lines[at].indent - (base ?? 0))) + lines[at].text)
        at += 1
      }
      while body.last?.isEmpty == true { body.removeLast() }
      return body.joined(separator: folded ? " " : "\n") + (chomp ? "" : "\n")
    }

    private func key(_ text: Substring) -> (String, Substring)? {
      guard
        let colon = text.indices.first(where: { index in
          text[index] == ":" && (text.index(after: index) == text.endIndex || text[text.index(after: index)] == " ")
        })
      else { return nil }
      let name = text[..<colon].filter { $0 != "\"" && $0 != "'" }
      return (String(name), text[text.index(after: colon)...].drop { $0 == " " })
    }

    private func scalar(_ text: Substring) -> JSON {
      var text = text
      if let first = text.first, first == "\"" || first == "'" {
        guard let end = text.dropFirst().lastIndex(of: first) else { return .string(String(text)) }
        return .string(String(text[text.index(after: text.startIndex)..<end]))
      }
      if text.hasPrefix("{") || text.hasPrefix("[") {
        if let json = try? JSON.parse(Array(text.utf8)) { return json }
      }
      if let hash = text.firstRange(of: " #") { text = text[..<hash.lowerBound] }
      let plain = String(text.reversed().drop { $0 == " " }.reversed())
      switch plain {
      case "true": return true
      case "false": return false
      case "null", "~", "": return .null
      default: return Int64(plain).map { .int($0) } ?? .string(plain)
      }
    }
  }
}
