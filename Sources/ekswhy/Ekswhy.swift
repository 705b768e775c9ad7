import ArgumentParser

/// The command line. A new command is a file in `Commands` and a line here.
struct Ekswhy: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ekswhy",
    abstract: "A local Amazon EKS, and answers to why.",
    discussion: """
      ekswhy pod/web-1 explains by evidence what is wrong with it, or why it works, on the local EKS, on a real \
      cluster (read-only) and on a captured bundle alike.
      """,
    version: "0.1.0",
    subcommands: [
      TourCommand.self, WhyCommand.self, TraceCommand.self, CanCommand.self, AgreeCommand.self, WhatIfCommand.self,
      CaptureCommand.self,
      PermissionsCommand.self,
      CoverageCommand.self,
      ReplayCommand.self,
    ],
    groupedSubcommands: [
      CommandGroup(
        name: "Local EKS", subcommands: [Up.self, Down.self, Status.self, Env.self, Clock.self, ShellCommand.self])
    ],
    defaultSubcommand: WhyCommand.self)
}
