import Foundation
import Testing
import Wire

/// Programs of Amazon EKS's own that run beside ours on the same input; where they lie, variables of the environment
/// say. Without them a stand-in in Python shows that a wrong verdict would be found.
enum Judge {
  static let hasTools: Bool = {
    let missing = ["python3", "openssl", "curl"].filter { Shell.find($0) == nil }
    if !missing.isEmpty { print("SKIPPED: judges need \(missing.joined(separator: ", "))") }
    return missing.isEmpty && Clients.both
  }()

  /// The program that a variable names.
  static func program(_ variable: String) -> String? {
    let path = ProcessInfo.processInfo.environment[variable] ?? ""
    if FileManager.default.isExecutableFile(atPath: path) { return path }
    print("SKIPPED: \(variable) names no program, so nobody but ekswhy itself has judged this")
    return nil
  }

  static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Golden/python/judges.py").path

  /// A program that starts the stand-in of that name.
  static func standIn(_ name: String, in folder: String) throws -> String {
    let path = "\(folder)/\(name)"
    try "#!/bin/sh\nexec python3 '\(script)' \(name) \"$@\"\n".write(toFile: path, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    return path
  }

  static func folder() throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-judge-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder.path
  }

  /// Two different ports that nobody listens on.
  static func freePorts(_ count: Int) -> [Int] {
    var sockets: [Int32] = []
    defer { for socket in sockets { close(socket) } }
    return (0..<count).map { _ in
      #if canImport(Glibc)
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      #else
        let made = socket(AF_INET, SOCK_STREAM, 0)
      #endif
      sockets.append(made)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = bind(made, $0, size)
          _ = getsockname(made, $0, &size)
        }
      }
      return Int(UInt16(bigEndian: address.sin_port))
    }
  }

  /// Asks by curl; the status is 0 where nobody answers.
  static func ask(_ url: String, _ body: String? = nil, headers: [String] = []) throws -> (status: Int, body: String) {
    var arguments = ["-sk", "-w", "\n%{http_code}", url] + headers.flatMap { ["-H", $0] }
    if body != nil { arguments += ["-H", "Content-Type: application/json", "--data-binary", "@-"] }
    let ran = try Shell.run(
      "curl", arguments, environment: ProcessInfo.processInfo.environment, input: body, limit: 30)
    guard let end = ran.output.lastIndex(of: "\n") else { return (0, "") }
    return (Int(ran.output[ran.output.index(after: end)...]) ?? 0, String(ran.output[..<end]))
  }
}

/// A judge at work, with what it writes to its log.
final class JudgeProcess {
  private let process = Process()
  private let log: String

  init(_ program: String, _ arguments: [String], environment: [String: String], log: String) throws {
    self.log = log
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    let handle = try #require(FileHandle(forWritingAtPath: log))
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
  }

  var lines: [String] {
    ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
  }

  /// Looks until it is so; the log is told where it never is.
  func until(_ what: String, _ isSo: () throws -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: 60)
    while Date() < deadline, process.isRunning {
      if try isSo() { return }
      usleep(20_000)
    }
    try #require(try isSo(), "\(what) never came: \(lines.suffix(20).joined(separator: "\n"))")
  }

  deinit {
    // A signal mask is inherited, so that nothing else is sure to end it.
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}

/// Chance with a seed, so that a case that was found comes again.
struct Dice {
  var state: UInt64

  mutating func below(_ count: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((z ^ (z >> 31)) % UInt64(count))
  }

  /// One time in so many.
  mutating func once(in count: Int) -> Bool { below(count) == 0 }
  mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
  mutating func some<T>(_ values: [T]) -> [T] { values.filter { _ in once(in: 3) } }
}
