import ArgumentParser
import Foundation
import Wire

enum OutputFormat: String, ExpressibleByArgument {
  case text, json
}

/// `ekswhy status`: what runs, with its health.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Tell what runs, and its health.")

  @OptionGroup var state: StateOption

  @Option(name: .shortAndLong, help: "text or json.")
  var output = OutputFormat.text

  func run() throws {
    let folder = state.forExisting
    let status: JSON
    do { status = try ControlClient(folder: folder).get("/status") } catch {
      guard output == .json, case .notRunning = error else { throw error.failure(folder) }
      Terminal.say((["running": false, "state": .string(folder)] as JSON).text(.pretty))
      throw ExitCode(Failure.unreachable)
    }
    switch output {
    case .json:
      var status = status
      status["running"] = true
      Terminal.say(status.text(.pretty))
    case .text: Terminal.say(Status.text(status))
    }
  }

  private static func text(_ status: JSON) -> String {
    var lines: [[String]] = [
      ["running", "pid \(status["pid"].int ?? 0)", status["state"].string ?? ""],
      ["aws", status["endpoint"].string ?? "", "\(status["account"].string ?? "") \(status["region"].string ?? "")"],
    ]
    for cluster in status["clusters"].items {
      lines.append([
        "cluster", cluster["name"].string ?? "",
        [cluster["status"].string, cluster["version"].string, cluster["endpoint"].string].compactMap { $0 }
          .joined(separator: " "),
      ])
    }
    lines.append(["clock", Clock.text(status["clock"]), ""])
    lines.append(["health", status["health"].string ?? "", ""])
    let width = lines.map { $0[2].isEmpty ? 0 : $0[1].count }.max() ?? 0
    return lines.map { line in
      let columns = [
        line[0].padding(toLength: 8, withPad: " ", startingAt: 0),
        line[2].isEmpty ? line[1] : line[1].padding(toLength: width, withPad: " ", startingAt: 0), line[2],
      ]
      return columns.filter { !$0.isEmpty }.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}
