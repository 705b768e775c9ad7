import ArgumentParser
import Local
import Wire

/// `ekswhy clock`: world time of a running local EKS.
struct Clock: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tell or move the world's time.",
    subcommands: [Now.self, Mode.self, Advance.self, RunUntil.self, Rate.self], defaultSubcommand: Now.self)

  struct Target: ParsableArguments {
    @OptionGroup var state: StateOption

    @Option(name: .shortAndLong, help: "text or json.")
    var output = OutputFormat.text

    /// Sends the command and prints the clock as it is then. A run may take long: it has a limit of its own.
    func command(_ command: JSON) throws {
      let folder = state.forExisting
      let client = ControlClient(folder: folder)
      let report: JSON
      do {
        _ = try client.post("/clock", command, timeout: 86_400)
        report = try client.post("/clock", ["command": "now"])
      } catch { throw error.failure(folder) }
      Terminal.say(output == .json ? report.text(.pretty) : Clock.text(report))
    }
  }

  static func text(_ report: JSON) -> String {
    var text = report["now"].string ?? ""
    if let mode = report["mode"].string { text += "  \(mode)" }
    if let rate = report["rate"].double, rate != 1 { text += "  at rate \(rate)" }
    if let ahead = report["aheadSeconds"].double, abs(ahead) >= 1 {
      text += "  \(DurationText(seconds: abs(ahead))) \(ahead > 0 ? "ahead of" : "behind") wall time"
    }
    return text
  }

  struct Now: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Tell world time.")
    @OptionGroup var target: Target
    func run() throws { try target.command(["command": "now"]) }
  }

  struct Mode: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Choose how world time follows wall time: live, step or run.")
    @Argument var mode: ClockMode
    @OptionGroup var target: Target
    func run() throws { try target.command(["command": "mode", "mode": .string(mode.rawValue)]) }
  }

  struct Advance: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let world time pass at once: 90s, 15m, 2h, 3d.")
    @Argument var duration: DurationText
    @OptionGroup var target: Target
    func run() throws { try target.command(["command": "advance", "seconds": .double(duration.seconds)]) }
  }

  struct RunUntil: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "run-until",
      abstract: "Let world time run until a condition holds.",
      discussion: """
        CONDITION is idle (nothing is under way but what repeats), a time such as 2026-11-22T12:00:00Z, or \
        CLUSTER:KIND/[NAMESPACE/]NAME=CONDITION, for one demo:node/ip-10-0-1-23.ec2.internal=Ready.
        """)
    @Argument var condition: String
    @Option(help: "World time after which it gives up and says what was still busy.")
    var limit = DurationText(seconds: 3600)
    @OptionGroup var target: Target
    func run() throws {
      try target.command([
        "command": "run-until", "condition": .string(condition), "limitSeconds": .double(limit.seconds),
      ])
    }
  }

  struct Rate: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let world time go N times as fast as wall time.")
    @Argument var rate: Double
    @OptionGroup var target: Target
    func run() throws { try target.command(["command": "rate", "rate": .double(rate)]) }
  }
}
