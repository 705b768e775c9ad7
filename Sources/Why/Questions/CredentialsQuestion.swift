import Evidence
import Mechanisms

/// Which AWS credentials the programs of a pod get, and why: `ekswhy credentials/POD`.
struct CredentialsQuestion: Question {
  let kinds = ["credentials"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let entity = Entity("Pod", subject.name, namespace: namespace)
    let (reading, gap) = await world.podIdentity(entity)
    guard reading != nil else {
      if let gap { throw .unreachable(gap) }
      throw .noSuchObject("Pod \(subject.name) in namespace \(namespace)")
    }
    return Inquiry(
      entity, effects: [.init(Effect(.podCredentials, entity))], isTrouble: false,
      summary: "no fault found in the AWS credentials of \(entity.title)",
      hiddenTrouble: "\(entity.title) does not get the AWS credentials it is meant to have",
      notChecked: [NotChecked("what its role may do", ask: "aws iam simulate-principal-policy")])
  }
}
