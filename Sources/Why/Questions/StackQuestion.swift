import Evidence
import Mechanisms
import Wire

/// Why a stack of CloudFormation failed, is stuck, or took as long as it did: `ekswhy stack/NAME`.
struct StackQuestion: Question {
  let kinds = ["stack"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let read = await StackReading.read(subject.name, world)
    if let gap = read.gap { throw .unreachable(gap) }
    guard let stack = read.value.flatMap({ $0 }) else { throw .noSuchObject("stack \(subject.name)") }
    let entity = Entity("Stack", subject.name)
    let took = Ages.text(stack.whole.took(until: world.now))
    let isTrouble = stack.status.contains("FAILED") || stack.status.contains("ROLLBACK")
    let summary =
      stack.whole.ended == nil
      ? "\(entity.title) has been \(stack.status) for \(took)" : "\(entity.title) is \(stack.status), after \(took)"
    return Inquiry(
      entity, effects: [.init(Effect(isTrouble ? .stackFails : .stackTime, entity))], isTrouble: isTrouble,
      summary: isTrouble ? summary : "no fault found in \(summary)", hiddenTrouble: summary,
      notChecked: stack.steps.filter(\.isFailed).prefix(3).compactMap { step in
        Symptom(step.reason) == nil
          ? nil : NotChecked("what \(step.id) says", ask: "ekswhy \(Shell.quote(Ages.shortened(step.reason, 300)))")
      })
  }
}
