import Evidence
import Mechanisms

/// Why a name resolves to what it does, so slowly, or not at all: `ekswhy name/NAME --seen-from pod/X`.
struct NameQuestion: Question {
  let kinds = ["name"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let entity = Entity("Name", subject.name, namespace: namespace)
    let (reading, gap) = await world.names(subject.name, namespace: namespace, from: subject.asker ?? "")
    guard let reading else {
      if let gap { throw .unreachable(gap) }
      throw .noSuchObject("Pod \(subject.asker ?? "") in namespace \(namespace)")
    }
    let effect = Effect(.nameLookup, entity, detail: subject.asker ?? "")
    let others = [
      NotChecked("packets to the name servers", ask: "ekswhy trace \(reading.asker) \(reading.server.address):53"),
      NotChecked("rules of Route 53 Resolver", ask: "aws route53resolver list-resolver-rule-associations"),
    ]
    let asks: [Explanation.Cause] = [
      .init(effect), .init(Effect(.nameServers, entity), deciding: false),
      .init(Effect(.nameDelays, entity, detail: subject.asker ?? ""), deciding: false),
    ]
    let count = Count.of(reading.trace.queries.count, "query", "queries")
    switch reading.trace.result {
    case .addresses(let v4, let v6, _):
      return Inquiry(
        entity, effects: asks, isTrouble: false,
        summary:
          "no fault found in \(entity.title): \(reading.asker) gets \((v4 + v6).joined(separator: ", ")) in \(count)",
        hiddenTrouble: "\(entity.title) resolves for \(reading.asker), and not always, or not for long",
        notChecked: others)
    case let failure:
      guard reading.gaps.isEmpty else {
        return Inquiry(
          entity, effects: asks, isTrouble: true, summary: "what \(reading.asker) gets for \(entity.title) isn't known",
          notChecked: others)
      }
      let waited = reading.trace.waited > .zero ? ", after \(Ages.text(reading.trace.waited))" : ""
      return Inquiry(
        entity, effects: asks, isTrouble: true,
        summary:
          "\(entity.title) does not resolve for \(reading.asker): \(failure.text(.glibc) ?? "no address")\(waited)",
        notChecked: others)
    }
  }
}
