import Evidence
import Mechanisms
import Wire

/// Why nobody answers behind a Service, or who does.
struct ServiceQuestion: Question {
  let kinds = ["service"]
  /// From creation to the load balancer's name, usually.
  static let usual: Duration = .seconds(180)

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let namespace = subject.namespace ?? "default"
    let entity = Entity("Service", subject.name, namespace: namespace)
    let read = await ServiceState.read(entity, world)
    guard let state = read.state else {
      if let gap = read.gap { throw .unreachable(gap) }
      throw .noSuchObject("Service \(subject.name) in namespace \(namespace)")
    }
    let port = state.ports.first?["port"].int.map { ":\($0)" } ?? ""
    let others = [
      NotChecked("packets", ask: "ekswhy trace pod/FROM svc/\(subject.name)\(port) -n \(namespace)"),
      NotChecked("its name", ask: "ekswhy name/\(subject.name).\(namespace).svc.cluster.local"),
    ]
    if state.type == "ExternalName" {
      let name = state.service["spec"]["externalName"].string ?? ""
      return Inquiry(
        entity, effects: [], isTrouble: false,
        summary:
          "no fault found in \(entity.title): it is another name of \(name), and nothing of the cluster stands behind it",
        notChecked: [NotChecked("its name", ask: "ekswhy name/\(name)")])
    }
    let serving = state.serving.count
    var trouble = serving == 0 || !state.unknownPorts.isEmpty
    var effects: [Explanation.Cause] = []
    var summary = ""
    if !state.hasSelector {
      let written = await ServiceBackingReading.written(state, world)
      if let gap = written.gap { throw .unreachable(gap) }
      trouble = written.count == 0
      summary = "\(entity.title): \(Count.of(written.count, "endpoint")) written for it, without a selector"
    } else {
      summary =
        state.picked.isEmpty
        ? "\(entity.title): no pod is behind it"
        : "\(entity.title): \(serving) of \(Count.of(state.picked.count, "pod")) behind it Ready"
    }
    effects.append(.init(Effect(trouble ? .serviceUnbacked : .serviceBacked, entity)))
    var waits: (String, Timestamp)?
    if state.type == "LoadBalancer", state.service["status"]["loadBalancer"]["ingress"].items.isEmpty {
      summary += ", and no load balancer yet"
      effects.append(.init(Effect(.balancerPending, entity)))
      if !trouble, let created = state.service["metadata"]["creationTimestamp"].time {
        waits = ("its load balancer, usually there within 3m of its creation", created + ServiceQuestion.usual)
      }
      trouble = true
    }
    if !trouble, state.service["spec"]["internalTrafficPolicy"].string == "Local" {
      effects.append(.init(Effect(.localEndpoints, entity), deciding: false))
    }
    return Inquiry(
      entity, effects: effects, isTrouble: trouble,
      summary: trouble ? summary : "no fault found in \(summary)",
      hiddenTrouble: "\(summary), and not for everybody", waits: waits, notChecked: others,
      lastResort: Gap(
        read: "events of \(entity.title)", why: "nothing that was read tells why",
        how: "\(world.target.kubectl) -n \(namespace) describe service \(subject.name)"))
  }
}

/// Endpoints that are written for a Service by hand.
enum ServiceBackingReading {
  static func written(_ state: ServiceState, _ world: Investigation) async -> (count: Int, gap: Gap?) {
    let slices = await world.list(
      .endpointSlices, namespace: state.entity.namespace, labels: ["kubernetes.io/service-name": state.entity.name])
    if let gap = slices.gap { return (0, gap) }
    return (slices.items.reduce(0) { $0 + $1["endpoints"].items.count }, nil)
  }
}
