import ArgumentParser
import Foundation
import Local
import World

extension ClockMode: ExpressibleByArgument {}
extension Durations.Mode: ExpressibleByArgument {}

/// `ekswhy up`: runs the local EKS.
struct Up: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the local EKS.",
    discussion: """
      All AWS services answer on one port; each cluster's API server gets a TLS port of its own. State is kept in \
      the state folder and survives being killed.
      """)

  @Flag(help: "Return when it answers, and leave it running.")
  var detach = false

  @OptionGroup var state: StateOption

  @Option(help: "Port of all AWS services.")
  var port = 4566

  @Option(help: "Address to listen on instead of loopback. Whoever reaches it can use the local EKS.")
  var address: String?

  @Option(help: "How world time follows wall time: live, step or run.")
  var clock = ClockMode.live

  @Option(help: "Durations of AWS's provisioning: fast or real. Rules such as time-outs are never shortened.")
  var awsTime = Durations.Mode.fast

  @Option(help: "Seed of a new world; the same seed and requests give the same world.")
  var seed: UInt64?

  @Flag(help: "Keep the requests that change a new world, so that `ekswhy replay` can play it again.")
  var record = false

  @Option(
    name: .customLong("trust-ca"),
    help: ArgumentHelp(
      "PEM of authorities to believe beside the system's: of identity providers that run on this machine.",
      valueName: "file"))
  var trustCA: [String] = []

  @Option(
    help: ArgumentHelp(
      "Controllers that run: none, names, or '*,-NAME,…' as the kube-controller-manager has them, so that one of your own can take their place.",
      valueName: "list"))
  var controllers = "*"

  @Option(help: "Whether the built-in scheduler runs: on, or off for one of your own.")
  var scheduler = Switch.on

  @Option(help: "Whether calls that come faster than AWS takes them are throttled: on or off.")
  var requestRates = Switch.off

  enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

  @Option(help: "Another store than the state folder's own.")
  var store: String?

  /// Where a detached child says that it answers, or why not.
  @Option(help: .private)
  var readyFile: Int32?

  func validate() throws {
    guard (0...65_535).contains(port) else { throw ValidationError("--port \(port): wanted 0 to 65535") }
    _ = try authorities()
    _ = try wantedControllers()
    if let store {
      throw ValidationError("--store \(store): so far there is only the store in the state folder")
    }
  }

  func run() throws {
    let folder = state.forNew
    if let running = try? ControlClient(folder: folder).get("/status", timeout: 2) {
      let pid = running["pid"].int.map { " (pid \($0))" } ?? ""
      let endpoint = running["endpoint"].string ?? ""
      guard detach else { throw Failure("the local EKS in \(folder) runs already\(pid), at \(endpoint)") }
      return Terminal.say("the local EKS in \(folder) runs already\(pid)\nAWS    \(endpoint)")
    }
    if detach {
      try Detached.start(arguments: childArguments(folder), folder: folder)
    } else {
      try Server(options: self, folder: folder, ready: Ready(descriptor: readyFile)).run()
    }
  }

  /// What `--trust-ca` names, together.
  func authorities() throws -> String {
    try trustCA.map { file in
      guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
        throw ValidationError("--trust-ca \(file): no such file, or not to be read")
      }
      guard text.contains("-----BEGIN CERTIFICATE-----") else {
        throw ValidationError("--trust-ca \(file): holds no certificate in PEM")
      }
      return text
    }.joined(separator: "\n")
  }

  /// What `--controllers` names.
  func wantedControllers() throws -> [String] {
    let names = controllers.split(separator: ",").map { String($0) }
    if names == ["none"] { return [] }
    for name in names where name != "*" {
      let plain = name.hasPrefix("-") ? String(name.dropFirst()) : name
      guard LocalEKS.controllers.contains(plain) else {
        let known = LocalEKS.controllers.joined(separator: ", ")
        throw ValidationError("--controllers \(controllers): no controller \(plain); there are \(known)")
      }
    }
    return names
  }

  private func childArguments(_ folder: String) -> [String] {
    var arguments = ["up", "--state", folder, "--port", String(port), "--clock", clock.rawValue]
    arguments += ["--aws-time", awsTime.rawValue]
    if let address { arguments += ["--address", address] }
    if let seed { arguments += ["--seed", String(seed)] }
    if controllers != "*" { arguments += ["--controllers", controllers] }
    if scheduler == .off { arguments += ["--scheduler", scheduler.rawValue] }
    if requestRates == .on { arguments += ["--request-rates", requestRates.rawValue] }
    if record { arguments.append("--record") }
    for file in trustCA { arguments += ["--trust-ca", file] }
    return arguments
  }
}
