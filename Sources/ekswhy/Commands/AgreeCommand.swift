import ArgumentParser
import Evidence
import Why
import Wire

struct AgreeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "agree",
    abstract: "Compare what ekswhy's rules compute with what a cluster shows.",
    discussion: """
      What the pod identity webhook added to pods, the names and labels of nodes, and how many pods they take are \
      computed from their causes and put beside what the cluster, or a bundle of it, shows.

      Exit status: 0 all agree; 1 something differs; 2 nothing differs, and something could not be read.
      """)

  @OptionGroup var evidence: EvidenceOptions
  @Option(name: .shortAndLong, help: "text, json or yaml.")
  var output: WhyCommand.Output = .text

  func run() async throws {
    let session = try await evidence.open()
    let agreement = await session.investigation().agreement()
    try output.show(agreement.text, agreement.json, exitStatus: agreement.exitStatus)
  }
}
