import Evidence
import Mechanisms
import Wire

/// Why a namespace does not go away; or all that is wrong in one that is there.
struct NamespaceQuestion: Question {
  let kinds = ["namespace"]
  /// From the deletion to the end of what is in it, usually.
  static let usual: Duration = .seconds(60)

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let found = await world.object(.namespaces, name: subject.name)
    guard let namespace = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Namespace \(subject.name)")
    }
    let entity = Entity("Namespace", subject.name)
    guard let since = namespace["metadata"]["deletionTimestamp"].time else {
      let question = OverviewQuestion(namespace: subject.name)
      return try await question.inquire(question.subject, world)
    }
    return Inquiry(
      entity, effects: [.init(Effect(.namespaceStuck, entity))], isTrouble: true,
      summary: "\(entity.title) has been Terminating for \(Ages.text(world.now - since))",
      waits: ("what is in it to end", since + NamespaceQuestion.usual),
      lastResort: Gap(
        read: "conditions of \(entity.title)", why: "they don't tell what is left",
        how: "\(world.target.kubectl) get namespace \(subject.name) -o yaml"))
  }
}

/// Why nodes can't be drained of the pods of a PodDisruptionBudget.
struct DisruptionBudgetQuestion: Question {
  let kinds = ["poddisruptionbudget"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let found = await world.object(.disruptionBudgets, namespace: namespace, name: subject.name)
    guard let budget = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("PodDisruptionBudget \(subject.name) in namespace \(namespace)")
    }
    let entity = Entity("PodDisruptionBudget", subject.name, namespace: namespace)
    let status = budget["status"]
    let counts =
      "\(status["currentHealthy"].int ?? 0) of \(Count.of(status["expectedPods"].int ?? 0, "pod")) healthy, \(status["desiredHealthy"].int ?? 0) wanted"
    let allowed = status["disruptionsAllowed"].int ?? 0
    guard allowed == 0, status["expectedPods"].int ?? 0 > 0 else {
      return Inquiry(
        entity, effects: [], isTrouble: false,
        summary: "no fault found in \(entity.title): \(Count.of(allowed, "disruption")) allowed; \(counts)")
    }
    return Inquiry(
      entity, effects: [.init(Effect(.noDisruption, entity))], isTrouble: true,
      summary: "\(entity.title) allows no disruption, so drains and node group updates wait for it: \(counts)",
      lastResort: Gap(
        read: "conditions of \(entity.title)", why: "they don't tell why",
        how: "\(world.target.kubectl) -n \(namespace) describe pdb \(subject.name)"))
  }
}
