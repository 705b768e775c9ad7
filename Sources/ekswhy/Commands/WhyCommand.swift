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
  @Flag(
    name: [.customShort("A"), .customLong("all-namespaces")],
    help: "All that is wrong in the cluster; with -n and no subject, all that is wrong in that namespace.")
  var allNamespaces = false
  @Option(help: "The text of an error, or - for what comes on standard input.")
  var text: String?
  @Option(name: .shortAndLong, help: "text, json or yaml.")
  var output: Output = .text
  @Option(name: .customLong("seen-from"), help: "The pod that looks: of name/NAME the one that resolves it.")
  var seenFrom: String?
  @Option(help: "The language of the answer: en.")
  var lang: String = "en"
  @Flag(name: .customLong("dry-run"), help: "Print the reads, each before it is sent, instead of the answer.")
  var dryRun = false

  private var words: String { subject.joined(separator: " ") }
  private var isOverview: Bool { subject.isEmpty && text == nil && (allNamespaces || namespace != nil) }

  func validate() throws {
    guard lang == "en" else {
      throw ValidationError("--lang \(lang) is not there yet: answers come in English (en) only")
    }
    guard subject.isEmpty || text == nil else { throw ValidationError("give either a subject or --text") }
    guard subject.isEmpty || Subject(words: subject, namespace: nil) != nil || SymptomQuestion(words) != nil else {
      throw ValidationError(
        "\(words) is neither KIND/NAME nor KIND NAME of a kind that ekswhy knows, nor the text of an error that it knows"
      )
    }
  }

  func run() async throws {
    guard !subject.isEmpty || text != nil || isOverview else {
      Stream.out(Ekswhy.helpMessage() + "\n\n" + evidence.wouldAsk + "\n")
      return
    }
    let symptom = try symptom()
    try await evidence.answer(output, dryRun: dryRun) { session, why throws(QuestionError) in
      if let symptom { return try await why.ask(symptom, about: symptom.subject(namespace: namespace)) }
      if isOverview {
        let question = OverviewQuestion(namespace: allNamespaces ? nil : namespace)
        return try await why.ask(question, about: question.subject)
      }
      let place = namespace ?? session.namespace ?? "default"
      var known = Subject(words: subject, namespace: place)!
      known.asker = seenFrom.map { $0.split(separator: "/").last.map(String.init) ?? $0 }
      return try await why.ask(known)
    }
  }

  /// What the text says, where one is given; nil for a subject.
  private func symptom() throws -> SymptomQuestion? {
    if Subject(words: subject, namespace: nil) != nil || isOverview { return nil }
    var words = text ?? self.words
    if words == "-" { words = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) }
    guard let question = SymptomQuestion(words) else {
      throw ValidationError("that text says nothing that ekswhy knows how to ask about; ask about a KIND/NAME")
    }
    return question
  }
}

extension EvidenceOptions {
  /// Asks, prints the answer and ends with its status.
  func answer(
    _ output: WhyCommand.Output, dryRun: Bool,
    _ ask: (Session, Why) async throws(QuestionError) -> Answer
  ) async throws {
    let session = try await open { read in if dryRun { print(read.name) } }
    let why = Why(await session.investigation())
    let answer: Answer
    do {
      answer = try await ask(session, why)
    } catch {
      Stream.error("ekswhy: \(error)\n")
      throw ExitCode(error.exitStatus)
    }
    if dryRun { return }
    try output.show(TextRenderer().render(answer), answer.json, exitStatus: answer.exitStatus)
  }
}

extension WhyCommand.Output {
  /// Prints what is told in the form that was asked for, and ends with its status.
  func show(_ text: @autoclosure () -> String, _ json: @autoclosure () -> JSON, exitStatus: Int32) throws {
    switch self {
    case .text: Stream.out(text())
    case .json: Stream.out(json().text(.pretty) + "\n")
    case .yaml: Stream.out(YAMLRenderer.render(json()))
    }
    if exitStatus != 0 { throw ExitCode(exitStatus) }
  }
}

/// The standard streams, written at once.
enum Stream {
  static func out(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
  static func error(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
