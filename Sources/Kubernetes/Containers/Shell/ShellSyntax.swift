/// What a script says, as a table of nodes that name each other by index.
///
/// A script is saved as its text and parsed again when it is read, so that a shell stopped in the middle of
/// one keeps its place by index.
struct ShellScript: Codable, Sendable {
  let source: String
  private(set) var nodes: [ShellNode]
  private(set) var documents: [ShellWord]
  private(set) var root: Int

  init(_ source: String) throws(ShellSyntaxError) {
    var parser = ShellParser(source)
    root = try parser.script()
    self.source = source
    nodes = parser.nodes
    documents = parser.documents
  }

  init(from decoder: any Decoder) throws {
    let source = try decoder.singleValueContainer().decode(String.self)
    try self.init(source)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(source)
  }
}

enum ShellSyntaxError: Error, Equatable {
  /// The text ends in the middle of something; more of it may make it whole.
  case unfinished(String)
  case unexpected(String)
}

struct ShellNode: Sendable {
  enum Kind: Sendable {
    case simple(assignments: [Assignment], words: [ShellWord])
    case pipeline([Int], isNegated: Bool)
    /// The first and then each with whether it runs after success (`&&`) or failure.
    case andOr([Step])
    case list([Item])
    case subshell(Int)
    case group(Int)
    case branch(clauses: [Clause], otherwise: Int?)
    case loop(condition: Int, body: Int, isUntil: Bool)
    case each(name: String, words: [ShellWord]?, body: Int)
    case match(ShellWord, [Arm])
    case function(name: String, body: Int)
  }

  struct Assignment: Sendable {
    var name: String
    var value: ShellWord
  }
  struct Step: Sendable {
    var node: Int
    var afterSuccess: Bool
  }
  struct Item: Sendable {
    var node: Int
    var inBackground: Bool
  }
  struct Clause: Sendable {
    var condition: Int
    var body: Int
  }
  struct Arm: Sendable {
    var patterns: [ShellWord]
    var body: Int?
  }
  struct Redirection: Sendable {
    enum Kind: Sendable {
      case read, write, append, readWrite, duplicate
      /// Index into the script's here-documents.
      case document(Int)
    }
    var descriptor: Int
    var kind: Kind
    var target: ShellWord
  }

  var kind: Kind
  var redirections: [Redirection] = []
}

typealias ShellWord = [ShellPart]

/// A part of a word, by how it is expanded.
enum ShellPart: Sendable {
  case literal(String)
  case quoted(String)
  case double([ShellPart])
  case parameter(Parameter)
  case command(Int)
  case arithmetic([ShellPart])

  struct Parameter: Sendable {
    enum Operation: Sendable {
      case value, length
      case standard, assign, alternative, failure
      case dropPrefix(longest: Bool)
      case dropSuffix(longest: Bool)
      case substitute(all: Bool)
      case substring
    }
    var name: String
    var operation = Operation.value
    /// With the colon an empty value counts as none.
    var countsEmpty = false
    var word: ShellWord = []
    var second: ShellWord = []
  }
}
