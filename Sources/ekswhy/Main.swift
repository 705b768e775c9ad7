import ArgumentParser
import Dispatch

/// Runs the command that the arguments name. Statuses 0 to 2 come from answers only; usage is 64, a failure
/// of our own 70.
@main
enum Main {
  static func main() {
    do {
      let command = try Ekswhy.parseAsRoot()
      if let command = command as? any AsyncParsableCommand {
        run(command)
      } else {
        // On this thread, before any other exists: a server blocks its signals first.
        var command = command
        try command.run()
      }
    } catch { end(error) }
  }

  private static func run(_ command: any AsyncParsableCommand) -> Never {
    nonisolated(unsafe) var command = command
    Task {
      do {
        try await command.run()
        exit(withStatus: 0)
      } catch { end(error) }
    }
    dispatchMain()
  }

  private static func end(_ error: any Error) -> Never {
    if let failure = error as? Failure {
      Terminal.complain(failure.message)
      exit(withStatus: failure.status)
    }
    if let code = error as? ExitCode { exit(withStatus: code.rawValue) }
    // Help, the version and wrong usage are the parser's own.
    if Ekswhy.exitCode(for: error) != .failure { Ekswhy.exit(withError: error) }
    Terminal.complain(String(describing: error))
    exit(withStatus: Failure.ownFault)
  }
}
