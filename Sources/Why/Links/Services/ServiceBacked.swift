import Evidence
import Mechanisms
import Wire

/// Pods that are Ready stand behind a Service.
struct ServiceBacked: Link {
  let code = "services/backed"
  let explains: [Effect.Kind] = [.serviceBacked]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let read = await ServiceState.read(effect.entity, world)
    guard let state = read.state else { return read.gap.map { .open([$0]) } ?? .silent }
    guard state.hasSelector else {
      return .holds(
        Explanation(
          "its endpoints are written by hand", entity: effect.entity, evidence: [state.exhibit("spec.selector", "none")]
        ))
    }
    let serving = state.serving
    guard let first = serving.first else { return .silent }
    let ways = state.ports.compactMap { port -> String? in
      guard let number = port["port"].int, let target = ServiceBacking.number(of: port, in: first.pod) else {
        return nil
      }
      return "\(number) to their port \(target)"
    }
    let picks =
      "its selector \(state.selector) picks \(Count.of(state.picked.count, "pod")), \(serving.count == state.picked.count ? "all" : String(serving.count)) Ready"
    let way =
      state.isHeadless
      ? "; it is headless, so its name leads to them themselves"
      : ways.isEmpty ? "" : "; its port\(ways.count > 1 ? "s go" : " goes"): \(ways.joined(separator: ", "))"
    return .holds(
      Explanation(
        picks + way, entity: effect.entity,
        evidence: [state.exhibit("spec.selector", state.selector)] + serving.prefix(2).map { $0.exhibit(world.now) }))
  }
}

/// A load balancer that does not come.
struct BalancerPending: Link {
  let code = "services/balancer-pending"
  let explains: [Effect.Kind] = [.balancerPending]
  /// Classes that the AWS Load Balancer Controller takes.
  private static let awsClasses = ["service.k8s.aws/nlb"]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.services, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let service = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let namespace = effect.entity.namespace ?? "default"
    let events = await world.events(about: service, kind: "Service")
    let verify = "ekswhy svc/\(effect.entity.name) -n \(namespace)"
    let exhibit = Exhibit(
      Cite.object(service, "Service", resource: .services, field: "status.loadBalancer", value: "none", at: found.at))
    if let failure = events.events.first(where: {
      $0.isWarning && ($0.reason.hasPrefix("Failed") || $0.reason.contains("LoadBalancerFailed"))
    }) {
      let evidence = [exhibit, failure.exhibit(now: world.now)]
      return .holds(
        Explanation(
          "its controller can't make the load balancer", entity: effect.entity, evidence: evidence,
          root: RootCause(
            "services/load-balancer-fails", layer: .aws, entity: effect.entity,
            statement:
              "the load balancer of \(effect.entity.title) can't be made: \(Ages.shortened(failure.message, 240))",
            fixes: [
              Fix("mend what the message names", owner: "unknown", touches: [effect.entity.title], verify: verify)
            ]), lastSymptomAt: failure.last))
    }
    if let gap = events.gap { return .open([gap]) }
    let kind = service["spec"]["loadBalancerClass"].string
    if let kind, BalancerPending.awsClasses.contains(kind) {
      let deployments = await world.list(.deployments)
      if let gap = deployments.gap { return .open([gap]) }
      let isThere = deployments.items.contains {
        $0["metadata"]["name"].string?.contains("aws-load-balancer-controller") == true
      }
      if !isThere {
        let evidence =
          [exhibit] + [
            Exhibit(
              Citation(
                source: "kubernetes", locator: "deployments.apps", value: "no aws-load-balancer-controller",
                at: found.at))
          ]
        return .holds(
          Explanation(
            "nobody makes its load balancer", entity: effect.entity, evidence: evidence,
            root: RootCause(
              "services/no-load-balancer-controller", layer: .inCluster, entity: effect.entity,
              statement:
                "\(effect.entity.title) asks for a load balancer of class \(kind), and the AWS Load Balancer Controller, which makes those, isn't installed",
              evidence: evidence,
              fixes: [
                Fix(
                  "install the AWS Load Balancer Controller, or make the Service without spec.loadBalancerClass",
                  owner: "unknown", touches: [effect.entity.title], verify: verify)
              ])))
      }
    }
    return .open([
      Gap(
        read: "logs of the controller of load balancers",
        why:
          "no event of \(effect.entity.title) tells that anybody works on it\(kind.map { " (class \($0))" } ?? "")",
        how: "\(world.target.kubectl) -n \(namespace) describe service \(effect.entity.name)")
    ])
  }
}

/// `internalTrafficPolicy: Local`: whoever asks from a node without a pod of it, gets nobody.
struct LocalEndpoints: Link {
  let code = "services/local-endpoints"
  let explains: [Effect.Kind] = [.localEndpoints]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.services, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let service = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let slices = await world.list(
      .endpointSlices, namespace: effect.entity.namespace, labels: ["kubernetes.io/service-name": effect.entity.name])
    let nodes = await world.list(.nodes)
    if let gap = slices.gap ?? nodes.gap { return .open([gap]) }
    let ports = ServicePort.read(services: [service], slices: slices.items)
    let without = nodes.items.map(NodeState.init).filter { node in
      ports.contains { $0.choose(node: node.name, zone: nil).local.isEmpty }
    }.map(\.name).sorted()
    let exhibit = Exhibit(
      Cite.object(
        service, "Service", resource: .services, field: "spec.internalTrafficPolicy", value: "Local", at: found.at))
    guard !without.isEmpty else { return .refuted("every node has an endpoint of its own", [exhibit]) }
    let namespace = effect.entity.namespace ?? "default"
    let owner = FieldOwner.shown(by: service, .services, at: world.now)
    return .holds(
      Explanation(
        "from \(without.count) of \(Count.of(nodes.items.count, "node")) nobody answers", entity: effect.entity,
        evidence: [exhibit],
        root: RootCause(
          "services/local-policy", layer: .kubernetes, entity: effect.entity,
          statement:
            "\(effect.entity.title) answers only on nodes with a pod of its own (internalTrafficPolicy Local), and \(Count.list(without)) \(without.count == 1 ? "has" : "have") none that is Ready",
          evidence: [exhibit],
          fixes: [
            owner.patch(
              "lets every node ask every pod; or run its pods on each node, as a DaemonSet", effect.entity,
              patch: [.step("replace", "/spec/internalTrafficPolicy", "Cluster")],
              undo: [.step("replace", "/spec/internalTrafficPolicy", "Local")],
              verify: "ekswhy svc/\(effect.entity.name) -n \(namespace)", world)
          ])))
  }
}
