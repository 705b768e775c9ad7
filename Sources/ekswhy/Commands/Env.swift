import ArgumentParser
import Foundation
import Wire

/// `ekswhy env`: exports for `eval`, and their undoing.
struct Env: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print shell exports that point aws and kubectl at the local EKS.",
    discussion: "Use as: eval \"$(ekswhy env)\". Profiles and tokens of your own are put aside until --unset.")

  @OptionGroup var state: StateOption

  @Flag(help: "Print what puts everything back.")
  var unset = false

  func run() throws {
    let environment = ProcessInfo.processInfo.environment
    if unset { return Terminal.say(ShellExports.restoring(environment)) }
    let folder = state.forExisting
    guard let bytes = FileManager.default.contents(atPath: "\(folder)/environment.json"),
      let facts = try? JSON.parse(Array(bytes)), let endpoint = facts["endpoint"].string
    else { throw ControlClient.Problem.notRunning.failure(folder) }
    let exports = ShellExports(
      folder: folder, endpoint: endpoint, region: facts["region"].string ?? "us-east-1",
      accessKeyID: facts["accessKeyID"].string ?? "", secretAccessKey: facts["secretAccessKey"].string ?? "")
    Terminal.say(exports.text(over: environment))
  }
}
