import Evidence
import Mechanisms
import Wire

/// A rollout does not go on: it is paused, or its new pods do not become available.
struct RolloutHeld: Link {
  let code = "workloads/rollout-held"
  let explains: [Effect.Kind] = [.rolloutHeld]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let resource = WorkloadState.resource(effect.entity.kind) else { return .silent }
    let found = await world.object(resource, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let object = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let namespace = effect.entity.namespace ?? "default"
    let place = "k8s \(resource.fileName)/\(namespace)/\(effect.entity.name)"
    guard object["spec"]["paused"].bool == true else { return .silent }
    let exhibit = Exhibit(
      Cite.object(object, effect.entity.kind, resource: resource, field: "spec.paused", value: "true", at: found.at),
      text: "\(place): spec.paused true")
    return .holds(
      Explanation(
        "its rollout is paused", entity: effect.entity, evidence: [exhibit],
        root: RootCause(
          "workloads/rollout-paused", layer: .kubernetes, entity: effect.entity,
          statement: "\(effect.entity.title) is paused, so its present template is not rolled out",
          evidence: [exhibit],
          fixes: [
            Fix(
              "lets it go on", command: "\(world.target.kubectl) -n \(namespace) rollout resume \(effect.entity.title)",
              owner: "hand", touches: [effect.entity.title], restarts: true,
              undo: "\(world.target.kubectl) -n \(namespace) rollout pause \(effect.entity.title)",
              verify: "ekswhy \(effect.entity.title) -n \(namespace)", expectWithin: "2m")
          ])))
  }
}

/// A DaemonSet is meant for no node.
struct DaemonsNowhere: Link {
  let code = "workloads/daemons-nowhere"
  let explains: [Effect.Kind] = [.daemonsNowhere]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.daemonSets, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let set = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let nodes = await world.list(.nodes)
    if let gap = nodes.gap { return .open([gap]) }
    let namespace = effect.entity.namespace ?? "default"
    if nodes.items.isEmpty {
      return .holds(
        Explanation(
          "the cluster has no node", entity: effect.entity, evidence: [],
          causes: [.init(Effect(.noNodes, Entity("Cluster", world.target.cluster ?? "")))]))
    }
    let template = set["spec"]["template"]
    guard nodes.items.allSatisfy({ !NodeFit.admits(template: template, node: $0) }) else { return .silent }
    let selector = template["spec"]["nodeSelector"].fields
    var near: [String] = []
    var evidence: [Exhibit] = []
    for field in selector {
      let values = nodes.items.map { $0["metadata"]["labels"][field.key].string }
      guard !values.contains(field.value.string) else { continue }
      let others = Set(values.compactMap { $0 }).sorted()
      near.append(
        others.isEmpty
          ? "no node has a label \(field.key)"
          : "the nodes have \(field.key)=\(Count.list(others)), not \(field.value.string ?? "")")
    }
    evidence.append(
      Exhibit(
        Cite.object(
          set, "DaemonSet", resource: .daemonSets, field: "spec.template.spec.nodeSelector",
          value: template["spec"]["nodeSelector"].text(), at: found.at)))
    let why = near.isEmpty ? "its node selector and affinity admit none of them" : near.joined(separator: "; ")
    let maker = await PodMaker.of(set, world)
    return .holds(
      Explanation(
        "none of the \(Count.of(nodes.items.count, "node")) is meant to run its pods", entity: effect.entity,
        evidence: evidence,
        root: RootCause(
          "workloads/daemon-matches-no-node", layer: .kubernetes, entity: effect.entity,
          statement: "\(effect.entity.title) wants no pod anywhere: \(why)", evidence: evidence,
          fixes: [
            maker.fix(
              "correct its node selector or affinity, or label the nodes that it is for", patch: nil,
              verify: "ekswhy \(effect.entity.title) -n \(namespace)", world)
          ])))
  }
}
