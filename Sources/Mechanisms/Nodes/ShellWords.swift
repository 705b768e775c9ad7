/// The simple commands of a shell script, as far as user data uses the language: assignments, quotes, variables,
/// lines that go on. What a condition or a loop would do isn't known; its commands are taken as they stand.
enum ShellWords {
  /// Each command's words, with the variables that were assigned before it put in.
  static func commands(_ script: String) -> [[String]] {
    var variables: [String: String] = [:]
    var commands: [[String]] = []
    for line in lines(script) {
      var words = words(line, variables)
      while let first = words.first, let assigned = assignment(first) {
        variables[assigned.name] = assigned.value
        words.removeFirst()
      }
      if words.first == "export" || words.first == "readonly" {
        for case (let name, let value)? in words.dropFirst().map(assignment) { variables[name] = value }
        continue
      }
      if !words.isEmpty { commands.append(words) }
    }
    return commands
  }

  /// Whole lines: those that end in a backslash go on, comments and blanks are gone.
  private static func lines(_ script: String) -> [String] {
    var whole: [String] = []
    var open = ""
    for line in script.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      if line.hasSuffix("\\") {
        open += line.dropLast() + " "
        continue
      }
      let text = open + line
      open = ""
      if !text.allSatisfy(\.isWhitespace), !text.drop(while: \.isWhitespace).hasPrefix("#") { whole.append(text) }
    }
    return open.isEmpty ? whole : whole + [open]
  }

  private static func assignment(_ word: String) -> (name: String, value: String)? {
    guard let equals = word.firstIndex(of: "="), equals != word.startIndex else { return nil }
    let name = word[..<equals]
    guard let first = name.first, first.isLetter || first == "_",
      name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" })
    else { return nil }
    return (String(name), String(word[word.index(after: equals)...]))
  }

  /// The words up to the end of the first command on the line.
  private static func words(_ line: String, _ variables: [String: String]) -> [String] {
    var words: [String] = []
    var word: String?
    var characters = Array(line)[...]

    func variable() -> String {
      characters.removeFirst()
      let isBraced = characters.first == "{"
      if isBraced { characters.removeFirst() }
      let name = characters.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
      guard isBraced || !name.isEmpty else { return "$" }
      characters.removeFirst(name.count)
      if isBraced, let close = characters.firstIndex(of: "}") { characters = characters[(close + 1)...] }
      return variables[String(name)] ?? ""
    }

    while let character = characters.first {
      switch character {
      case "'":
        characters.removeFirst()
        let text = characters.prefix { $0 != "'" }
        characters = characters.dropFirst(text.count + 1)
        word = (word ?? "") + String(text)
      case "\"":
        characters.removeFirst()
        word = word ?? ""
        while let inner = characters.first, inner != "\"" {
          if inner == "$" {
            word! += variable()
          } else {
            characters.removeFirst()
            if inner == "\\", let next = characters.first, "\"\\$`".contains(next) {
              word!.append(characters.removeFirst())
            } else {
              word!.append(inner)
            }
          }
        }
        characters = characters.dropFirst()
      case "$": word = (word ?? "") + variable()
      case "\\":
        characters.removeFirst()
        if let next = characters.popFirst() { word = (word ?? "") + String(next) }
      case "#" where word == nil: characters = []
      case ";", "|", "&":
        if let word { words.append(word) }
        return words
      case _ where character.isWhitespace:
        if let ended = word { words.append(ended) }
        word = nil
        characters.removeFirst()
      default:
        word = (word ?? "") + String(character)
        characters.removeFirst()
      }
    }
    if let word { words.append(word) }
    return words
  }
}
