import ArgumentParser
import Evidence
import Foundation
import Mechanisms
import Why
import Wire

struct WhyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why", abstract: "Why something is as it is: ekswhy pod/web-1, ekswhy node/ip-10-0-1-23…",
    discussion: """
      Exit status: 0 no fault found or still within its usual time, 1 a root cause was proved, 2 not proved, \
      3 no such object, 4 evidence unreachable.
      """)

  enum Output: String, ExpressibleByArgument, CaseIterable { case text, json, yaml }

  @Argument(help: "KIND/NAME, or KIND NAME, or the text of an error.")
  var subject: [String] = []
  @OptionGroup var evidence: EvidenceOptions
  @Option(name: .shortAndLong, help: "The namespace; the context's unless given.")
  var namespace: String?
  @Option(name: .shortAndLong, help: "text, json or yaml.")
  var output: Output = .text
  @Option(help: "The language of the answer: en.")
  var lang: String = "en"
  @Flag(name: .customLong("dry-run"), help: "Print the reads, each before it is sent, instead of the answer.")
  var dryRun = false

  private var text: String { subject.joined(separator: " ") }

  func validate() throws {
    guard lang == "en" else {
      throw ValidationError("--lang \(lang) is not there yet: answers come in English (en) only")
    }
    guard subject.isEmpty || Subject(words: subject, namespace: nil) != nil || SymptomQuestion(text) != nil else {
      throw ValidationError(
        "\(text) is neither KIND/NAME nor KIND NAME of a kind that ekswhy knows, nor the text of an error that it knows"
      )
    }
  }

  func run() async throws {
    guard !subject.isEmpty else {
      Stream.out(Ekswhy.helpMessage() + "\n\n" + evidence.wouldAsk + "\n")
      return
    }
    try await evidence.answer(output, dryRun: dryRun) { session, why throws(QuestionError) in
      guard let known = Subject(words: subject, namespace: namespace ?? session.namespace ?? "default") else {
        let question = SymptomQuestion(text)!
        return try await why.ask(question, about: question.subject(namespace: namespace))
      }
      return try await why.ask(known)
    }
  }
}

extension EvidenceOptions {
  /// Asks, prints the answer and ends with its status.
  func answer(
    _ output: WhyCommand.Output, dryRun: Bool,
    _ ask: (Session, Why) async throws(QuestionError) -> Answer
  ) async throws {
    let session: Session
    do {
      session = try await self.session { read in if dryRun { print(read.name) } }
    } catch let error as ValidationError { throw error } catch {
      Stream.error("ekswhy: \(error)\n")
      throw ExitCode(4)
    }
    let why = Why(await session.investigation())
    let answer: Answer
    do {
      answer = try await ask(session, why)
    } catch {
      Stream.error("ekswhy: \(error)\n")
      throw ExitCode(error.exitStatus)
    }
    if dryRun { return }
    switch output {
    case .text: Stream.out(TextRenderer().render(answer))
    case .json: Stream.out(answer.json.text(.pretty) + "\n")
    case .yaml: Stream.out(YAMLRenderer.render(answer.json))
    }
    if answer.exitStatus != 0 { throw ExitCode(answer.exitStatus) }
  }
}

/// The standard streams, written at once.
enum Stream {
  static func out(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
  static func error(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
