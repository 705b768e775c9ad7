import ArgumentParser
import Evidence
import Foundation
import Wire

struct ShellCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shell", abstract: "A shell on a node of the local EKS, or in a pod: ekswhy shell node/NAME",
    discussion: """
      By kubectl: on a node a debugging pod with the node's own network and files, which is deleted afterwards. What \
      follows -- is run in place of the shell: ekswhy shell node/NAME -- ip rule
      """)

  @Argument(help: "node/NAME or pod/NAME.")
  var target: String
  @Option(name: .shortAndLong, help: "The namespace of the pod; the context's unless given.")
  var namespace: String?
  @Argument(parsing: .postTerminator, help: "A command to run in place of the shell.")
  var command: [String] = []

  private var parts: [String] { target.split(separator: "/", maxSplits: 1).map(String.init) }

  func validate() throws {
    guard parts.count == 2, ["node", "no", "pod", "po"].contains(parts[0]) else {
      throw ValidationError("\(target) is neither node/NAME nor pod/NAME")
    }
  }

  func run() throws {
    // Answers about a real cluster come from reading alone; this makes a pod.
    let server = try Kubeconfig(path: nil).context(nil).server
    guard ["localhost", "127.0.0.1"].contains(URL(string: server)?.host() ?? "") else {
      throw ValidationError("\(server) is not a local EKS: ekswhy shell goes to those alone")
    }
    let terminal = isatty(0) == 1 ? "-it" : "-i"
    let place = namespace.map { ["-n", $0] } ?? []
    guard parts[0].hasPrefix("no") else {
      throw ExitCode(try kubectl(["exec", terminal, parts[1]] + place + ["--"] + (command.isEmpty ? ["sh"] : command)))
    }
    let before = try debuggers()
    let words = command.isEmpty ? ["bash"] : command
    let status = try kubectl(
      [
        "debug", "node/\(parts[1])", terminal, "--quiet", "--profile=sysadmin", "--image=busybox", "--", "chroot",
        "/host",
      ]
        + words)
    for pod in try debuggers() where !before.contains(pod) {
      _ = try kubectl(["delete", pod, "--wait=false", "--grace-period=0"], quiet: true)
    }
    if status != 0 { throw ExitCode(status) }
  }

  /// The debugging pods of the node that there are.
  private func debuggers() throws -> [String] {
    let pipe = Pipe()
    _ = try kubectl(["get", "pods", "-o", "name"], output: pipe)
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    return text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("pod/node-debugger-\(parts[1])-") }
  }

  private func kubectl(_ arguments: [String], output: Pipe? = nil, quiet: Bool = false) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["kubectl"] + arguments
    if let output { process.standardOutput = output }
    if quiet {
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
    }
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
