import Wire

/// What an open descriptor leads to; shared by those that inherited it.
struct Handle: Codable {
  enum Target: Codable, Equatable {
    case null
    case zero
    case random
    /// A file that is read as it was when it was opened.
    case reading(FileContent)
    case writing(path: String)
    case pipeOut(Int)
    case pipeIn(Int)
    /// Output of a container: 1 or 2.
    case log(Int)
    /// Output of a session: 1 or 2.
    case session(Int, Int)
  }

  var target: Target
  var offset = 0
  var uses = 1
  var isTerminal = false
}

/// Bytes of a file, written as text where they are text.
struct FileContent: Codable, Equatable {
  var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }
  init(from decoder: any Decoder) throws {
    bytes = Base64.decode(try decoder.singleValueContainer().decode(String.self)) ?? []
  }
  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(Base64.encode(bytes))
  }
}

struct Pipe: Codable {
  static let capacity = 64 << 10

  var content = FileContent([])
  var readers = 0
  var writers = 0
}

/// What a process waits for.
enum Wait: Codable, Equatable {
  case nothing
  case input(handle: Int)
  case output(pipe: Int)
  case children([Int])
  case time(Timestamp)
  case childrenOrTime([Int], Timestamp)
  case inputOrTime(handle: Int, Timestamp)
  case signal
  /// The token of the service account.
  case token
  /// What the process asked of the world outside its pod.
  case answer
}

struct Process: Codable {
  enum Program: Codable {
    case none
    case shell(ShellState)
    case command(CommandState)
    /// A program that only stands there, as its image's data says.
    case server(String)
  }

  /// Of the whole pod.
  let key: Int
  /// In its container.
  var pid: Int
  /// Key of its parent; 0 where there is none.
  var parent: Int
  var container: String
  var session: Int?
  var arguments: [String]
  var environment: [String: String] = [:]
  var startedAt: Timestamp
  var directory: String
  /// Where its paths begin, as the container has it; nil for the container's own root.
  var root: String?
  var user: Int
  var group: Int
  var files: [Int: Int] = [:]
  var program: Program
  var wait = Wait.nothing
  var signals: [Int] = []
  var ignored: [Int] = []
  /// Set once it has ended and until its parent has asked.
  var exit: Int?
}

/// Signals by number.
enum Signal {
  static let names: [(number: Int, name: String)] = [
    (1, "HUP"), (2, "INT"), (3, "QUIT"), (4, "ILL"), (5, "TRAP"), (6, "ABRT"), (8, "FPE"), (9, "KILL"),
    (10, "USR1"), (11, "SEGV"), (12, "USR2"), (13, "PIPE"), (14, "ALRM"), (15, "TERM"), (17, "CHLD"), (18, "CONT"),
    (19, "STOP"), (20, "TSTP"), (28, "WINCH"),
  ]

  static func number(_ text: String) -> Int? {
    if let number = Int(text) { return (0...64).contains(number) ? number : nil }
    let name = text.uppercased()
    let short = name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name
    return names.first { $0.name == short }?.number
  }

  static func name(_ number: Int) -> String { names.first { $0.number == number }?.name ?? String(number) }
  static let interrupt = 2
  static let kill = 9
  static let pipe = 13
  static let terminate = 15
  /// Those that nobody heeds unless they asked for them.
  static let harmless: Set<Int> = [0, 17, 18, 28]
}
