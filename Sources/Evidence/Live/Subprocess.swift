import Foundation

/// A program run to its end, as exec plugins and `aws configure export-credentials` are.
package enum Subprocess {
  package struct Result: Sendable {
    package var status: Int32
    package var output: [UInt8]
    package var error: String
  }

  /// Runs `arguments[0]`, found by `PATH`, with the environment plus `extra`.
  package static func run(_ arguments: [String], extra: [String: String] = [:]) throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(extra) { $1 }
    let output = Pipe()
    let error = Pipe()
    process.standardOutput = output
    process.standardError = error
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    let complaint = error.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: Array(bytes), error: String(decoding: complaint, as: UTF8.self))
  }
}
