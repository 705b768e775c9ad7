import Evidence
import Mechanisms
import Wire

/// Which mutating webhooks were asked about a pod, and which came too late for it: `ekswhy admission/web-1`.
struct AdmissionQuestion: Question {
  let kinds = ["admission"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let found = await world.object(.pods, namespace: namespace, name: subject.name)
    guard found.first != nil else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Pod \(subject.name) in namespace \(namespace)")
    }
    let entity = Entity("Pod", subject.name, namespace: namespace)
    return Inquiry(
      entity, effects: [.init(Effect(.podAdmission, entity, detail: "asked"))], isTrouble: false,
      summary: "no fault found in the admission of \(entity.title)",
      hiddenTrouble: "\(entity.title) is older than webhooks that are configured for it",
      notChecked: [
        NotChecked("the webhook of IRSA and Pod Identity", ask: "ekswhy credentials/\(subject.name) -n \(namespace)")
      ])
  }
}
