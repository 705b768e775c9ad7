import ArgumentParser
import Foundation

/// `--state`, as every command to a local EKS takes it.
struct StateOption: ParsableArguments {
  @Option(name: .customLong("state"), help: "State folder of the local EKS.")
  var folder: String?

  /// The folder of a new local EKS.
  var forNew: String { StateOption.absolute(folder ?? ".ekswhy") }

  /// The folder of one that is there: of this directory, else the one that `ekswhy env` named.
  var forExisting: String {
    if let folder { return StateOption.absolute(folder) }
    let here = StateOption.absolute(".ekswhy")
    if FileManager.default.fileExists(atPath: here) { return here }
    let named = ProcessInfo.processInfo.environment["EKSWHY_STATE"] ?? ""
    return named.isEmpty ? here : named
  }

  private static func absolute(_ path: String) -> String {
    URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
  }
}
