import Wire

/// A shell between two of its steps.
struct ShellState: Codable {
  struct Place: Codable, Hashable {
    var script: Int
    var node: Int
  }

  struct Variable: Codable {
    var value: String
    var isExported = false
    var isReadOnly = false
  }

  enum Option: String, Codable, CaseIterable {
    case exitOnError = "errexit"
    case unsetIsError = "nounset"
    case trace = "xtrace"
    case noGlobbing = "noglob"
    case pipeFails = "pipefail"
    case exportsAll = "allexport"
    case noClobber = "noclobber"
    case verbose

    /// Its letter in `set -e`.
    var letter: Character? {
      switch self {
      case .exitOnError: "e"
      case .unsetIsError: "u"
      case .trace: "x"
      case .noGlobbing: "f"
      case .exportsAll: "a"
      case .noClobber: "C"
      case .verbose: "v"
      case .pipeFails: nil
      }
    }
  }

  /// What is under way, innermost last.
  enum Frame: Codable {
    case run(Place)
    case list(Place, next: Int)
    case andOr(Place, at: Int)
    case invert
    case branch(Place, clause: Int, isCondition: Bool)
    case loop(Place, isCondition: Bool, status: Int)
    case each(Place, items: [String], next: Int)
    /// Expands the words of a node and goes on with it.
    case expand(Place, results: [String])
    case substitute(child: Int, handle: Int, output: FileContent)
    case wait(children: [Int])
    case restore([Saved])
    case call(arguments: [String], locals: [Local])
    case variables([Local])
    case sourced(arguments: [String]?)
    case read(ReadState)
    case waitJobs([Int], interrupted: Bool)
    /// Restores the status after a trap.
    case trap(status: Int)
    case prompt(PromptState)
  }

  struct Saved: Codable {
    var descriptor: Int
    var handle: Int?
  }
  struct Local: Codable {
    var name: String
    var value: Variable?
  }
  struct ReadState: Codable {
    var names: [String]
    var isRaw: Bool
    var line: FileContent
    var deadline: Timestamp?
    var count: Int?
    var descriptor: Int
    var ends: UInt8
  }
  struct PromptState: Codable {
    /// Lines of a command that is not whole yet.
    var text: String
    var line: FileContent
    var hasPrompted: Bool
  }

  enum Unwinding: Codable, Equatable {
    case leave(Int)
    case next(Int)
    case give
    case exit
  }

  var name: String
  var flavour: ShellFlavour
  var arguments: [String] = []
  var scripts: [Int: ShellScript] = [:]
  var lastScript = 0
  var frames: [Frame] = []
  var variables: [String: Variable] = [:]
  var functions: [String: Place] = [:]
  var status = 0
  var substitutionStatus: Int?
  var options: [Option] = []
  var traps: [String: String] = [:]
  var unwinding: Unwinding?
  var isInteractive = false
  /// Its last command may take its place.
  var mayExec = false
  var isSubshell = false
  var jobs: [Job] = []
  var lastBackground: Int?
  var commandText = false
  var randomState: UInt64 = 1
  var pid = 1
  /// What was wrong with its text or file, and the status for it.
  var startFault: String?
  var startStatus = 0

  struct Job: Codable {
    var key: Int
    var pid: Int
    var status: Int?
  }

  init(name: String, flavour: ShellFlavour) {
    self.name = name
    self.flavour = flavour
  }

  // MARK: - Values

  func value(_ name: String) -> String? {
    switch name {
    case "?": return String(status)
    case "$": return String(pid)
    case "#": return String(arguments.count)
    case "0": return self.name
    case "!": return lastBackground.map(String.init)
    case "-":
      let letters = Option.allCases.filter { options.contains($0) }.compactMap(\.letter)
      return String(letters) + (isInteractive ? "i" : "") + (commandText ? "c" : "s")
    case "@", "*": return arguments.isEmpty ? nil : arguments.joined(separator: " ")
    case "RANDOM" where flavour != .dash:
      // A step of the state and the number of frames: enough for scripts that want different numbers.
      var z = (randomState &+ UInt64(variables.count) &* 0x9e37_79b9_7f4a_7c15)
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      return String(z >> 40 & 0x7fff)
    default:
      if let number = Int(name) { return number > 0 && number <= arguments.count ? arguments[number - 1] : nil }
      return variables[name]?.value
    }
  }

  var exported: [String: String] {
    variables.filter { $0.value.isExported }.mapValues(\.value)
  }

  /// False where it may not be changed.
  @discardableResult
  mutating func set(_ name: String, _ value: String, exporting: Bool = false) -> Bool {
    var variable = variables[name] ?? Variable(value: "")
    guard !variable.isReadOnly else { return false }
    variable.value = value
    if exporting || options.contains(.exportsAll) { variable.isExported = true }
    variables[name] = variable
    return true
  }

  // MARK: - Scripts

  func node(_ place: Place) -> ShellNode { scripts[place.script]!.nodes[place.node] }

  mutating func add(_ script: ShellScript) -> Place {
    lastScript += 1
    scripts[lastScript] = script
    return Place(script: lastScript, node: script.root)
  }

  /// Lets go of scripts that nothing leads to any more.
  mutating func dropScripts() {
    guard scripts.count > 8 else { return }
    var used = Set(functions.values.map(\.script))
    for frame in frames {
      switch frame {
      case .run(let place), .list(let place, _), .andOr(let place, _), .branch(let place, _, _),
        .loop(let place, _, _), .each(let place, _, _), .expand(let place, _):
        used.insert(place.script)
      default: break
      }
    }
    for id in scripts.keys where !used.contains(id) { scripts[id] = nil }
  }

  /// Whether a failure here is asked about, and so ends nothing.
  var isTested: Bool {
    frames.contains { frame in
      switch frame {
      case .branch(_, _, let isCondition): isCondition
      case .loop(_, let isCondition, _): isCondition
      case .invert: true
      case .andOr(let place, let at):
        if case .andOr(let steps) = node(place).kind { at < steps.count - 1 } else { false }
      default: false
      }
    }
  }
}

/// Which shell it is: they word their complaints differently.
enum ShellFlavour: String, Codable, Sendable {
  case ash, dash, bash

  func notFound(_ shell: String, _ name: String) -> String {
    switch self {
    case .ash: "\(shell): \(name): not found"
    case .dash: "\(shell): 1: \(name): not found"
    case .bash: "\(shell): line 1: \(name): command not found"
    }
  }

  func syntax(_ shell: String, _ error: ShellSyntaxError) -> String {
    switch (self, error) {
    case (.ash, .unexpected(let token)): "\(shell): syntax error: unexpected \(Self.quoted(token))"
    case (.ash, .unfinished("quoted string")): "\(shell): syntax error: unterminated quoted string"
    case (.ash, .unfinished(let what)):
      "\(shell): syntax error: unexpected end of file" + (what.hasPrefix("\"") ? " (expecting \(what))" : "")
    case (.dash, .unexpected(let token)): "\(shell): 1: Syntax error: \(Self.quoted(token)) unexpected"
    case (.dash, .unfinished("quoted string")): "\(shell): 1: Syntax error: Unterminated quoted string"
    case (.dash, .unfinished(let what)):
      "\(shell): 1: Syntax error: end of file unexpected" + (what.hasPrefix("\"") ? " (expecting \(what))" : "")
    case (.bash, .unexpected("end of file")): "\(shell): -c: line 1: syntax error: unexpected end of file"
    case (.bash, .unexpected(let token)): "\(shell): -c: line 1: syntax error near unexpected token `\(token)'"
    case (.bash, .unfinished): "\(shell): -c: line 1: syntax error: unexpected end of file"
    }
  }

  private static func quoted(_ token: String) -> String {
    token == "end of file" || token == "newline" ? token : "\"\(token)\""
  }
}
