import ArgumentParser
import Evidence
import Mechanisms
import Why
import Wire

struct TraceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace", abstract: "Whether one end reaches another, hop by hop: ekswhy trace pod/a svc/b:80",
    discussion: """
      Ends are pod/NAME, node/NAME, svc/NAME, apiserver, imds and IPv4 addresses, each with :PORT where it isn't \
      the first one. The answer's way back is followed too. Nothing is sent: the walk is made from what the APIs show.
      Exit status: 0 it gets there and back, 1 it doesn't, 2 not proved, 3 no such object, 4 evidence unreachable.
      """)

  @Argument(help: "Where it starts: pod/NAME, node/NAME or apiserver.")
  var from: String
  @Argument(help: "Where it goes.")
  var to: String
  @OptionGroup var evidence: EvidenceOptions
  @Option(name: .shortAndLong, help: "The namespace; the context's unless given.")
  var namespace: String?
  @Option(help: "tcp, udp or icmp.")
  var proto: String = "tcp"
  @Option(name: .shortAndLong, help: "text, json or yaml.")
  var output: WhyCommand.Output = .text

  func validate() throws {
    for end in [from, to] where TraceEnd(end) == nil {
      throw ValidationError("\(end) is none of pod/NAME, node/NAME, svc/NAME, apiserver, imds and an IPv4 address")
    }
    guard let transport = Transport(name: proto), transport.hasPorts || transport == .icmp else {
      throw ValidationError("--proto \(proto) is none of tcp, udp and icmp")
    }
  }

  func run() async throws {
    let session = try await evidence.open()
    let tracer = Tracer(
      await session.investigation(), namespace: namespace ?? session.namespace ?? "default",
      transport: Transport(name: proto)!)
    let report: TraceReport
    do {
      report = try await tracer.trace(from: TraceEnd(from)!, to: TraceEnd(to)!)
    } catch {
      Stream.error("ekswhy: \(error)\n")
      throw ExitCode(error.exitStatus)
    }
    try output.show(report.text, report.json, exitStatus: report.exitStatus)
  }
}
