import Foundation

/// What a command printed and how it ended.
struct Outcome {
  var status: Int32
  var output: String
  var errors: String

  var all: String { output + errors }
  var trimmed: String { output.trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// Runs programs as a user's shell would.
enum Shell {
  /// Where a program lies on the PATH; nil when it is not installed.
  static func find(_ program: String) -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(program)" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  /// Runs a program to its end, at most `limit` seconds.
  static func run(
    _ program: String, _ arguments: [String], environment: [String: String], input: String? = nil, limit: Double = 120
  ) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program.contains("/") ? program : find(program) ?? program)
    process.arguments = arguments
    process.environment = environment
    // Files, not pipes: a detached grandchild may hold a pipe open for ever.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ekswhy-run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func file(_ name: String) throws -> (URL, FileHandle) {
      let url = folder.appendingPathComponent(name)
      _ = FileManager.default.createFile(atPath: url.path, contents: nil)
      return (url, try FileHandle(forWritingTo: url))
    }
    let (outputURL, output) = try file("out")
    let (errorURL, errors) = try file("err")
    process.standardOutput = output
    process.standardError = errors
    if let input {
      let url = folder.appendingPathComponent("in")
      try Data(input.utf8).write(to: url)
      process.standardInput = try FileHandle(forReadingFrom: url)
    } else {
      process.standardInput = FileHandle.nullDevice
    }
    try process.run()
    let deadline = Date(timeIntervalSinceNow: limit)
    while process.isRunning {
      if Date() > deadline {
        process.terminate()
        break
      }
      usleep(2000)
    }
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: String(decoding: try Data(contentsOf: outputURL), as: UTF8.self),
      errors: String(decoding: try Data(contentsOf: errorURL), as: UTF8.self))
  }
}
