import Foundation
import Testing
import Wire

/// A local EKS of its own, run by the shipped binary in a folder of its own, as a user runs it.
final class LocalEKSProcess {
  let state: String
  private(set) var environment: [String: String]

  /// The built binary, beside the test bundle.
  static let binary: String = {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    for _ in 0..<4 {
      let candidate = folder.appendingPathComponent("ekswhy")
      if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate.path }
      folder.deleteLastPathComponent()
    }
    return FileManager.default.currentDirectoryPath + "/.build/release/ekswhy"
  }()

  init(_ options: [String] = [], state: String? = nil) throws {
    self.state =
      state ?? FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-\(UUID().uuidString)").path
    environment = ProcessInfo.processInfo.environment
    for name in environment.keys where name.hasPrefix("AWS_") || name == "KUBECONFIG" { environment[name] = nil }
    try up(options)
  }

  deinit {
    _ = try? ekswhy("down", "--state", state)
    try? FileManager.default.removeItem(atPath: state)
  }

  /// Starts it, also again after a kill.
  func up(_ options: [String] = []) throws {
    let started = try ekswhy(["up", "--detach", "--state", state, "--port", "0"] + options)
    try #require(started.status == 0, "ekswhy up: \(started.all)")
    let exports = try ekswhy("env", "--state", state)
    try #require(exports.status == 0, "ekswhy env: \(exports.all)")
    // A shell reads the exports, as a user's does.
    let shell = try Shell.run(
      "/bin/bash", ["-c", "eval \"$1\"; env -0", "bash", exports.output], environment: environment)
    environment = [:]
    for pair in shell.output.split(separator: "\0") {
      guard let equals = pair.firstIndex(of: "=") else { continue }
      environment[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
    }
  }

  var pid: Int32 {
    get throws {
      let status = try ekswhy("status", "--state", state, "-o", "json")
      return Int32(try JSON.parse(status.output)["pid"].int ?? 0)
    }
  }

  /// SIGKILL, at once.
  func kill() throws {
    let pid = try pid
    try #require(pid > 1)
    Foundation.kill(pid, SIGKILL)
    while Foundation.kill(pid, 0) == 0 { usleep(1000) }
  }

  @discardableResult
  func ekswhy(_ arguments: String...) throws -> Outcome { try ekswhy(arguments) }

  @discardableResult
  func ekswhy(_ arguments: [String]) throws -> Outcome {
    try Shell.run(Self.binary, arguments, environment: environment)
  }

  /// Runs `aws …` and expects it to succeed.
  @discardableResult
  func aws(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> JSON {
    let outcome = try Shell.run("aws", Self.words(line) + ["--output", "json"], environment: environment)
    try #require(outcome.status == 0, "aws \(line): \(outcome.all)", sourceLocation: sourceLocation)
    return outcome.trimmed.isEmpty ? .null : try JSON.parse(outcome.output)
  }

  /// Runs `aws …` and returns whatever came of it.
  func awsOutcome(_ line: String) throws -> Outcome {
    try Shell.run("aws", Self.words(line) + ["--output", "json"], environment: environment)
  }

  @discardableResult
  func kubectl(_ line: String, input: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws -> String
  {
    let outcome = try kubectlOutcome(line, input: input)
    try #require(outcome.status == 0, "kubectl \(line): \(outcome.all)", sourceLocation: sourceLocation)
    return outcome.output
  }

  func kubectlOutcome(_ line: String, input: String? = nil, environment more: [String: String] = [:]) throws -> Outcome
  {
    try Shell.run("kubectl", Self.words(line), environment: environment.merging(more) { $1 }, input: input)
  }

  /// Splits at blanks outside single quotes.
  private static func words(_ line: String) -> [String] {
    var words: [String] = []
    var word = ""
    var quoted = false
    var any = false
    for character in line {
      switch character {
      case "'":
        quoted.toggle()
        any = true
      case " ", "\n":
        if quoted {
          word.append(character)
        } else if any {
          words.append(word)
          word = ""
          any = false
        }
      default:
        word.append(character)
        any = true
      }
    }
    if any { words.append(word) }
    return words
  }
}

/// Clients that tests need; a test whose client is absent is skipped, and says so.
enum Clients {
  static let aws = Shell.find("aws") != nil
  static let kubectl = Shell.find("kubectl") != nil
  static var curl: Bool {
    if Shell.find("curl") == nil { print("SKIPPED: curl is not installed") }
    return Shell.find("curl") != nil
  }
  static var both: Bool {
    if !aws { print("SKIPPED: the aws CLI is not installed") }
    if !kubectl { print("SKIPPED: kubectl is not installed") }
    return aws && kubectl
  }
}
