import ArgumentParser
import Evidence
import Why

struct CanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "can",
    abstract: "Whether somebody may do something, and why: ekswhy can role/dev get pods -n shop",
    discussion: """
      PRINCIPAL is role/NAME, user/NAME, an IAM or STS ARN, me, pod/NAME, sa/NAME, node/NAME or a user of Kubernetes \
      such as system:serviceaccount:shop:web. What follows is VERB RESOURCE [NAME], as kubectl auth can-i takes it, or \
      an action of AWS with the ARN of its resource: ekswhy can pod/web-1 s3:GetObject arn:aws:s3:::photos/*

      Exit status: 0 yes, or nothing readable denies it; 1 no; 2 not proved; 3 no such object; 4 evidence unreachable.
      """)

  @Argument(help: "PRINCIPAL VERB RESOURCE [NAME], or PRINCIPAL SERVICE:ACTION [ARN].")
  var words: [String]
  @OptionGroup var evidence: EvidenceOptions
  @Option(name: .shortAndLong, help: "The namespace; the context's unless given.")
  var namespace: String?
  @Flag(name: [.customShort("A"), .customLong("all-namespaces")], help: "In every namespace at once.")
  var allNamespaces = false
  @Option(help: "A subresource, such as log or exec.")
  var subresource: String = ""
  @Option(name: .shortAndLong, help: "text, json or yaml.")
  var output: WhyCommand.Output = .text
  @Flag(name: .customLong("dry-run"), help: "Print the reads, each before it is sent, instead of the answer.")
  var dryRun = false

  func validate() throws {
    guard words.count >= 2, Principal(words[0], namespace: nil) != nil else {
      throw ValidationError("\(words.first ?? "") is no principal: role/NAME, user/NAME, an ARN, me, pod/NAME, sa/NAME")
    }
    guard Deed(Array(words.dropFirst()), namespace: nil) != nil else {
      throw ValidationError(
        "\(words.dropFirst().joined(separator: " ")) is neither VERB RESOURCE [NAME] nor SERVICE:ACTION [ARN]")
    }
  }

  func run() async throws {
    try await evidence.answer(output, dryRun: dryRun) { session, why throws(QuestionError) in
      let namespace = namespace ?? session.namespace ?? "default"
      let question = AccessQuestion(
        Principal(words[0], namespace: namespace)!,
        Deed(
          Array(words.dropFirst()), namespace: namespace, allNamespaces: allNamespaces, subresource: subresource)!)
      return try await why.ask(question, about: question.subject)
    }
  }
}
