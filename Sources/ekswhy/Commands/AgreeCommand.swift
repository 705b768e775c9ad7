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
    let session: Session
    do {
      session = try await evidence.session()
    } catch let error as ValidationError { throw error } catch {
      Stream.error("ekswhy: \(error)\n")
      throw ExitCode(4)
    }
    let agreement = await session.investigation().agreement()
    switch output {
    case .text: Stream.out(agreement.text)
    case .json: Stream.out(agreement.json.text(.pretty) + "\n")
    case .yaml: Stream.out(YAMLRenderer.render(agreement.json))
    }
    if agreement.exitStatus != 0 { throw ExitCode(agreement.exitStatus) }
  }
}
