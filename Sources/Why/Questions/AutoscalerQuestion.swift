import Evidence
import Mechanisms
import Wire

/// Why a HorizontalPodAutoscaler does not scale.
struct AutoscalerQuestion: Question {
  let kinds = ["horizontalpodautoscaler"]

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let found = await world.object(.autoscalers, namespace: namespace, name: subject.name)
    guard let scaler = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("HorizontalPodAutoscaler \(subject.name) in namespace \(namespace)")
    }
    let entity = Entity("HorizontalPodAutoscaler", subject.name, namespace: namespace)
    let status = scaler["status"]
    let target = scaler["spec"]["scaleTargetRef"]
    let bounds = "\(scaler["spec"]["minReplicas"].int ?? 1) to \(scaler["spec"]["maxReplicas"].int ?? 0)"
    let counts =
      "\(Count.of(status["currentReplicas"].int ?? 0, "replica")) of \(target["kind"].string?.lowercased() ?? "")/\(target["name"].string ?? ""), \(bounds) allowed"
    let isStuck = ["AbleToScale", "ScalingActive"].contains { type in
      status["conditions"].items.contains { $0["type"].string == type && $0["status"].string == "False" }
    }
    let limited = status["conditions"].items.first { $0["type"].string == "ScalingLimited" } ?? .null
    let isAtMost = limited["status"].string == "True" && limited["reason"].string == "TooManyReplicas"
    guard isStuck || isAtMost else {
      let waiting = status["conditions"].items.isEmpty
      return Inquiry(
        entity, effects: [], isTrouble: false,
        summary: "no fault found in \(entity.title): \(counts)\(waiting ? ", not looked at yet" : "")")
    }
    return Inquiry(
      entity, effects: [.init(Effect(.autoscalerStuck, entity))], isTrouble: true,
      summary: "\(entity.title) \(isStuck ? "does not scale" : "is at its most"): \(counts)",
      lastResort: Gap(
        read: "metrics of its pods", why: "nothing that was read tells why there are none",
        how: "\(world.target.kubectl) -n \(namespace) describe hpa \(subject.name)"))
  }
}
