import Evidence
import Mechanisms

/// Which security groups a pod has, and why: `ekswhy security-groups/POD`.
struct SecurityGroupsQuestion: Question {
  let kinds = ["security-groups"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let entity = Entity("Pod", subject.name, namespace: namespace)
    let found = await world.object(.pods, namespace: namespace, name: subject.name)
    guard found.first != nil else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Pod \(subject.name) in namespace \(namespace)")
    }
    return Inquiry(
      entity, effects: [.init(Effect(.podSecurityGroups, entity))], isTrouble: false,
      summary: "no fault found in the security groups of \(entity.title)",
      hiddenTrouble: "\(entity.title) does not have the security groups it is meant to have",
      notChecked: [NotChecked("what their rules let through", ask: "ekswhy trace \(entity.title) TO:PORT")])
  }
}
