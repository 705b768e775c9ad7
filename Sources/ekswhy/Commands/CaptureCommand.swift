import ArgumentParser
import Evidence
import Wire

struct CaptureCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capture", abstract: "The evidence of a cluster as a bundle, for ekswhy --from.",
    discussion: """
      Reads what ekswhy's links read, keeps the fields that they know and drops the rest: no Secret's data, no \
      ConfigMap's but aws-auth, no value of an unknown environment variable. The last lines of containers that ended are kept: look at them \
      before you send the bundle on. bundle.json lists what was dropped.
      """)

  @OptionGroup var evidence: EvidenceOptions
  @Option(help: "A folder, or a .tar.gz; it must not exist.")
  var to: String

  func run() async throws {
    let session = try await evidence.session()
    let now = await session.reader.now()
    let capture = Capture(session.reader.source, identity: session.identity, kubernetes: session.kubernetes)
    let summary: Capture.Summary
    do {
      summary = try await capture.write(to: to, at: now)
    } catch let problem as Capture.Problem {
      Stream.error("ekswhy: \(problem)\n")
      throw ExitCode(70)
    }
    Stream.out("\(to): \(summary.files) files of cluster \(session.identity.cluster ?? "(unknown)")\n")
    for denied in summary.denied { Stream.out("not read   \(denied)\n") }
    Stream.out("ask it with: ekswhy --from \(to) pod/NAME -n NAMESPACE\n")
  }
}
