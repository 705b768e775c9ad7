/// Turns words into fields: parameters, commands, arithmetic, field splitting, file names.
///
/// Nothing outside is touched, so that it can begin anew once a command's output is there: a shell that needs
/// one runs it and expands again with one result more.
struct ShellExpansion {
  enum Stop: Error {
    /// The output of this node is wanted.
    case command(Int)
    case failure(String)
  }

  private struct Piece {
    var text: String
    var isQuoted: Bool
  }

  let shell: ShellState
  let names: any ShellNames
  /// Outputs of the commands in the words, in order.
  let results: [String]
  private var used = 0
  /// What `${x:=y}` and `$((x = 1))` assigned.
  private(set) var assigned: [(name: String, value: String)] = []
  private var fields: [[Piece]] = []
  private var field: [Piece]?
  private static let limit = 1 << 20
  private var size = 0

  init(_ shell: ShellState, _ names: any ShellNames, results: [String]) {
    self.shell = shell
    self.names = names
    self.results = results
  }

  // MARK: - Ways to expand

  mutating func fields(_ words: [ShellWord]) throws(Stop) -> [String] {
    var out: [String] = []
    for word in words {
      fields = []
      field = nil
      try expand(word, isQuoted: false, splits: true)
      closeField()
      for field in fields {
        if !shell.options.contains(.noGlobbing), field.contains(where: { !$0.isQuoted }) {
          let runs = field.map { (text: $0.text, isQuoted: $0.isQuoted) }
          if ShellPattern(runs).isActive, case let found = names.matching(runs), !found.isEmpty {
            out += found
            continue
          }
        }
        out.append(field.map(\.text).joined())
        guard out.count < 50_000 else { throw .failure("argument list too long") }
      }
    }
    return out
  }

  /// One text, without splitting and file names.
  mutating func text(_ word: ShellWord) throws(Stop) -> String {
    try pieces(word).map(\.text).joined()
  }

  mutating func pattern(_ word: ShellWord) throws(Stop) -> ShellPattern {
    ShellPattern(try pieces(word).map { (text: $0.text, isQuoted: $0.isQuoted) })
  }

  private mutating func pieces(_ word: ShellWord) throws(Stop) -> [Piece] {
    let held = (fields, field)
    (fields, field) = ([], nil)
    defer { (fields, field) = held }
    try expand(word, isQuoted: false, splits: false)
    closeField()
    // Several fields come of "$@" only; elsewhere they are one text.
    return Array(fields.joined(separator: [Piece(text: " ", isQuoted: true)]))
  }

  // MARK: - Parts

  private mutating func append(_ text: String, isQuoted: Bool) throws(Stop) {
    size += text.utf8.count
    guard size < Self.limit else { throw .failure("argument list too long") }
    if field == nil { field = [] }
    field!.append(Piece(text: text, isQuoted: isQuoted))
  }

  private mutating func closeField() {
    if let field { fields.append(field) }
    field = nil
  }

  private mutating func expand(_ word: [ShellPart], isQuoted: Bool, splits: Bool) throws(Stop) {
    for (index, part) in word.enumerated() {
      switch part {
      case .literal(let text):
        if index == 0, !isQuoted, text.hasPrefix("~") {
          let name = text.prefix { $0 != "/" }
          if name == "~", let home = shell.value("HOME") {
            try append(home, isQuoted: true)
            try append(String(text.dropFirst()), isQuoted: false)
            continue
          }
        }
        try append(text, isQuoted: isQuoted)
      case .quoted(let text): try append(text, isQuoted: true)
      case .double(let parts):
        if parts.isEmpty { try append("", isQuoted: true) }
        if parts.count == 1, case .parameter(let parameter) = parts[0], parameter.name == "@",
          case .value = parameter.operation, shell.arguments.isEmpty
        {
          continue
        }
        try expand(parts, isQuoted: true, splits: false)
      case .parameter(let parameter): try expand(parameter, isQuoted: isQuoted, splits: splits)
      case .command(let node):
        guard used < results.count else { throw .command(node) }
        used += 1
        var output = results[used - 1][...]
        while output.last?.isNewline == true { output.removeLast() }
        try add(String(output), isQuoted: isQuoted, splits: splits)
      case .arithmetic(let parts):
        let source = try text(parts)
        try add(String(try arithmetic(source)), isQuoted: isQuoted, splits: splits)
      }
    }
  }

  private mutating func arithmetic(_ source: String) throws(Stop) -> Int64 {
    let held = self
    do throws(ShellArithmetic.Fault) {
      let (value, changes) = try ShellArithmetic.evaluate(source) { held.current($0) }
      for change in changes { assigned.append((change.name, String(change.value))) }
      return value
    } catch { throw .failure(error.message) }
  }

  private func current(_ name: String) -> String? {
    assigned.last { $0.name == name }?.value ?? shell.value(name)
  }

  /// A value: quoted it is one, else it is split at the separators.
  private mutating func add(_ value: String, isQuoted: Bool, splits: Bool) throws(Stop) {
    guard !isQuoted, splits else {
      if isQuoted || !value.isEmpty { try append(value, isQuoted: isQuoted) }
      return
    }
    let separators = shell.value("IFS") ?? " \t\n"
    var run = ""
    var pending = false
    for letter in value {
      if separators.contains(letter) {
        if !run.isEmpty {
          try append(run, isQuoted: false)
          run = ""
        }
        if letter == " " || letter == "\t" || letter.isNewline {
          closeField()
        } else {
          if field == nil, pending { try append("", isQuoted: true) }
          if field == nil { try append("", isQuoted: true) }
          closeField()
        }
        pending = true
      } else {
        run.append(letter)
      }
    }
    if !run.isEmpty { try append(run, isQuoted: false) }
  }

  // MARK: - Parameters

  private mutating func expand(
    _ parameter: ShellPart.Parameter, isQuoted: Bool, splits: Bool
  ) throws(Stop) {
    if parameter.name == "@" || parameter.name == "*", case .value = parameter.operation {
      if parameter.name == "*", isQuoted {
        let separator = (shell.value("IFS") ?? " ").prefix(1)
        return try append(shell.arguments.joined(separator: String(separator)), isQuoted: true)
      }
      for (index, argument) in shell.arguments.enumerated() {
        if index > 0, splits || isQuoted { closeField() } else if index > 0 { try append(" ", isQuoted: true) }
        try add(argument, isQuoted: isQuoted, splits: splits)
      }
      return
    }
    let value = current(parameter.name)
    let isUsable = value != nil && !(parameter.countsEmpty && value!.isEmpty)
    switch parameter.operation {
    case .value: try add(try known(value, parameter.name), isQuoted: isQuoted, splits: splits)
    case .length:
      let count =
        parameter.name == "@" || parameter.name == "*" ? shell.arguments.count : try known(value, parameter.name).count
      try add(String(count), isQuoted: isQuoted, splits: splits)
    case .standard:
      if isUsable {
        try add(value!, isQuoted: isQuoted, splits: splits)
      } else {
        try expand(parameter.word, isQuoted: isQuoted, splits: splits)
      }
    case .alternative:
      if isUsable { try expand(parameter.word, isQuoted: isQuoted, splits: splits) }
    case .assign:
      if isUsable { return try add(value!, isQuoted: isQuoted, splits: splits) }
      let fresh = try text(parameter.word)
      assigned.append((parameter.name, fresh))
      try add(fresh, isQuoted: isQuoted, splits: splits)
    case .failure:
      if isUsable { return try add(value!, isQuoted: isQuoted, splits: splits) }
      let message = try text(parameter.word)
      throw .failure("\(parameter.name): \(message.isEmpty ? "parameter not set" : message)")
    case .dropPrefix(let longest):
      let pattern = try pattern(parameter.word)
      try add(Self.drop(value ?? "", pattern, longest: longest, atEnd: false), isQuoted: isQuoted, splits: splits)
    case .dropSuffix(let longest):
      let pattern = try pattern(parameter.word)
      try add(Self.drop(value ?? "", pattern, longest: longest, atEnd: true), isQuoted: isQuoted, splits: splits)
    case .substitute(let all):
      let pattern = try pattern(parameter.word)
      let new = try text(parameter.second)
      try add(Self.substitute(value ?? "", pattern, new, all: all), isQuoted: isQuoted, splits: splits)
    case .substring:
      let letters = Array(value ?? "")
      let offset = Int(clamping: try arithmetic(try text(parameter.word)))
      let start = max(0, min(letters.count, offset < 0 ? letters.count + offset : offset))
      var end = letters.count
      if !parameter.second.isEmpty {
        let length = Int(clamping: try arithmetic(try text(parameter.second)))
        end = length < 0 ? max(start, letters.count + length) : min(letters.count, start + min(length, letters.count))
      }
      try add(String(letters[start..<end]), isQuoted: isQuoted, splits: splits)
    }
  }

  private func known(_ value: String?, _ name: String) throws(Stop) -> String {
    if let value { return value }
    guard !shell.options.contains(.unsetIsError) || name == "@" || name == "*" else {
      throw .failure("\(name): parameter not set")
    }
    return ""
  }

  private static func drop(_ value: String, _ pattern: ShellPattern, longest: Bool, atEnd: Bool) -> String {
    let letters = Array(value)
    guard letters.count < 10_000 else { return value }
    for count in longest ? Array((0...letters.count).reversed()) : Array(0...letters.count) {
      let part = atEnd ? letters[(letters.count - count)...] : letters[..<count]
      if pattern.matches(part) { return String(atEnd ? letters[..<(letters.count - count)] : letters[count...]) }
    }
    return value
  }

  private static func substitute(_ value: String, _ pattern: ShellPattern, _ new: String, all: Bool) -> String {
    let letters = Array(value)
    guard letters.count < 2_000 else { return value }
    var out = ""
    var at = 0
    var isDone = false
    while at < letters.count {
      if !isDone, let end = (at + 1...letters.count).reversed().first(where: { pattern.matches(letters[at..<$0]) }) {
        out += new
        at = end
        isDone = !all
      } else {
        out.append(letters[at])
        at += 1
      }
    }
    return out
  }
}

/// Names in the file system, for patterns.
protocol ShellNames {
  /// Existing names that fit, in order; none where nothing does.
  func matching(_ runs: [(text: String, isQuoted: Bool)]) -> [String]
}
