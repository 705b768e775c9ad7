import Wire

/// A filter pattern of CloudWatch Logs: terms, quoted phrases, `?any`, `-none`, and `{ $.field = value }`.
struct LogPattern {
  private enum Test {
    case all([String], any: [String], none: [String])
    case json([(path: [Substring], isEqual: Bool, value: String)], isAny: Bool)
  }

  private let test: Test

  init(_ text: String) throws(AWSError) {
    let trimmed = text.drop { $0 == " " }
    guard trimmed.hasPrefix("{") else {
      var all: [String] = []
      var any: [String] = []
      var none: [String] = []
      for term in try Self.terms(String(trimmed)) {
        switch term.first {
        case "?" where term.count > 1: any.append(Self.unquoted(term.dropFirst()))
        case "-" where term.count > 1: none.append(Self.unquoted(term.dropFirst()))
        default: all.append(Self.unquoted(term[...]))
        }
      }
      test = .all(all, any: any, none: none)
      return
    }
    let body = trimmed.dropFirst().prefix { $0 != "}" }
    let isAny = body.contains("||")
    var conditions: [(path: [Substring], isEqual: Bool, value: String)] = []
    for part in Self.split(String(body), at: isAny ? "||" : "&&") {
      let isEqual = !part.contains("!=")
      let sides = Self.split(part, at: isEqual ? "=" : "!=")
      guard sides.count == 2 else { throw Self.invalid }
      let path = sides[0].filter { $0 != " " && $0 != "(" }
      guard path.hasPrefix("$.") else { throw Self.invalid }
      var value = sides[1][...]
      while value.first == " " { value = value.dropFirst() }
      while value.last == " " || value.last == ")" { value = value.dropLast() }
      conditions.append((path.dropFirst(2).split(separator: "."), isEqual, Self.unquoted(value)))
    }
    test = .json(conditions, isAny: isAny)
  }

  private static var invalid: AWSError {
    AWSError(code: "InvalidParameterException", message: "Invalid filter pattern", status: 400)
  }

  private static func unquoted(_ text: Substring) -> String {
    text.count >= 2 && text.first == "\"" && text.last == "\"" ? String(text.dropFirst().dropLast()) : String(text)
  }

  private static func split(_ text: String, at mark: String) -> [String] {
    var parts: [String] = []
    var rest = text[...]
    while true {
      var at = rest.startIndex
      while at < rest.endIndex, !rest[at...].hasPrefix(mark) { at = rest.index(after: at) }
      parts.append(String(rest[..<at]))
      guard at < rest.endIndex else { return parts }
      rest = rest[rest.index(at, offsetBy: mark.count)...]
    }
  }

  private static func terms(_ text: String) throws(AWSError) -> [String] {
    var terms: [String] = []
    var term = ""
    var isQuoted = false
    for character in text {
      if character == "\"" { isQuoted.toggle() }
      if character == " ", !isQuoted {
        if !term.isEmpty { terms.append(term) }
        term = ""
      } else {
        term.append(character)
      }
    }
    guard !isQuoted else { throw invalid }
    if !term.isEmpty { terms.append(term) }
    return terms
  }

  private static func contains(_ text: [UInt8], _ wanted: String) -> Bool {
    let wanted = Array(wanted.utf8)
    guard let first = wanted.first else { return true }
    guard text.count >= wanted.count else { return false }
    for at in 0...(text.count - wanted.count) where text[at] == first {
      if text[at..<at + wanted.count].elementsEqual(wanted) { return true }
    }
    return false
  }

  func matches(_ message: String) -> Bool {
    switch test {
    case .all(let all, let any, let none):
      if all.isEmpty, any.isEmpty, none.isEmpty { return true }
      let bytes = Array(message.utf8)
      return all.allSatisfy { Self.contains(bytes, $0) } && !none.contains { Self.contains(bytes, $0) }
        && (any.isEmpty || any.contains { Self.contains(bytes, $0) })
    case .json(let conditions, let isAny):
      guard let value = try? JSON.parse(Array(message.utf8)) else { return false }
      func holds(_ condition: (path: [Substring], isEqual: Bool, value: String)) -> Bool {
        let found = value.values(at: condition.path).compactMap(\.scalarText)
        let isThere = found.contains { wildcard(condition.value, matches: $0) }
        return isThere == condition.isEqual
      }
      return isAny ? conditions.contains(where: holds) : conditions.allSatisfy(holds)
    }
  }
}
