import Evidence
import Mechanisms
import Wire

/// A container ends again and again.
struct ContainerCrashes: Link {
  let code = "application/container-crashes"
  let explains: [Effect.Kind] = [.podFails, .podNotStarted]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    guard let container = state.crashing(now: world.now) else { return .silent }
    let ended = container.ended
    let reason = ended["reason"].string ?? ""
    let at = ended["finishedAt"].time
    let end = "exit code \(ended["exitCode"].int ?? 0)\(reason.isEmpty ? "" : " (\(reason))")"
    let list = container.isInit ? "initContainerStatuses" : "containerStatuses"
    let field = container.last.isNull ? "state.terminated" : "lastState.terminated"
    let evidence = [
      Exhibit(
        Cite.object(
          pod, "Pod", resource: .pods, field: "status.\(list)[\(container.name)].\(field)",
          value: "\(reason) \(ended["exitCode"].int ?? 0)", at: at),
        text: "k8s pods/\(effect.entity.namespace ?? "")/\(effect.entity.name): container \(container.name) ended"
          + " with \(end)" + (at.map { ", \(Ages.clock($0, now: world.now))" } ?? "")
          + ", \(Count.of(container.restarts, "restart"))")
    ]
    let word = container.isInit ? "init container" : "container"
    let what =
      container.restarts > 0 || !container.last.isNull ? "ends with \(end) and is started again" : "ended with \(end)"
    let holds = container.isInit ? ", and the containers behind it wait" : ""
    return .holds(
      Explanation(
        "its \(word) \(container.name) \(what)\(holds)", entity: effect.entity, evidence: evidence,
        causes: [.init(Effect(.containerEnds, effect.entity, detail: container.name))], lastSymptomAt: at))
  }
}

extension PodState.Container {
  /// Its last end.
  var ended: JSON { last.isNull ? terminated : last }
}

extension PodState {
  /// How long after its end a container that runs again still counts as crashing.
  static let memory: Duration = .seconds(600)

  /// The first container that ends against what is wanted of it.
  func crashing(now: Timestamp) -> Container? {
    containers.first { container in
      if container.isInit, container.terminated["exitCode"].int == 0 { return false }
      guard !container.ended.isNull else { return false }
      if !container.isReady { return phase != "Succeeded" }
      // It runs, and not for long yet.
      let at = container.last["finishedAt"].time
      return container.restarts > 1 && at.map { now - $0 < PodState.memory } ?? false
    }
  }
}
