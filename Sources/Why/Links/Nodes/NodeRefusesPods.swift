import Evidence
import Mechanisms
import Wire

/// A node that is Ready takes no new pods: it is cordoned, or short of memory, disk or process ids.
struct NodeRefusesPods: Link {
  let code = "nodes/refuses-pods"
  let explains: [Effect.Kind] = [.nodeRefusesPods]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.node(effect.entity.name)
    guard let node = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = NodeState(node)
    let pressures = NodeRefusesPods.pressures(node)
    let isCordoned = node["spec"]["unschedulable"].bool == true
    let taints = NodeLifecycle.taints(ready: state.ready, pressures: pressures, isUnschedulable: isCordoned)
    guard let taint = NodeFit.untolerated(taints, []) else {
      return .refuted("it is neither cordoned nor short of anything", [])
    }
    var evidence: [Exhibit] = []
    if isCordoned {
      evidence.append(
        Exhibit(
          Cite.object(node, "Node", resource: .nodes, field: "spec.unschedulable", value: "true", at: found.at),
          text: "k8s nodes/\(state.name): spec.unschedulable true"))
    }
    for condition in node["status"]["conditions"].items where pressures.contains(condition["type"].string ?? "") {
      let type = condition["type"].string ?? ""
      evidence.append(
        Exhibit(
          Cite.object(
            node, "Node", resource: .nodes, field: "status.conditions[\(type)]", value: "True",
            at: condition["lastTransitionTime"].time),
          text: "k8s nodes/\(state.name), \(type) True: \"\(condition["message"].string ?? "")\""))
    }
    return .holds(
      Explanation(
        "pods that don't tolerate \(taint.described) are not put there", entity: effect.entity, evidence: evidence,
        root: root(pressures, state.name, effect, evidence, world)))
  }

  /// The pressure conditions of a node that are True, in the order of their taints.
  static func pressures(_ node: JSON) -> [String] {
    NodeLifecycle.pressureTaints.map(\.0).filter { type in
      node["status"]["conditions"].items.contains { $0["type"].string == type && $0["status"].string == "True" }
    }
  }

  private func root(
    _ pressures: [String], _ name: String, _ effect: Effect, _ evidence: [Exhibit], _ world: Investigation
  ) -> RootCause {
    let verify = "ekswhy \(effect.entity.title)"
    guard let pressure = pressures.first else {
      return RootCause(
        "nodes/cordoned", layer: .kubernetes, entity: effect.entity,
        statement: "somebody, or something that drains nodes, has cordoned it", evidence: evidence,
        fixes: [
          Fix(
            "lets the scheduler use it again", command: "\(world.target.kubectl) uncordon \(name)", owner: "hand",
            touches: [effect.entity.title], undo: "\(world.target.kubectl) cordon \(name)", verify: verify,
            expectWithin: "1m")
        ])
    }
    let (what, advice) =
      switch pressure {
      case "DiskPressure":
        (
          "disk",
          "delete what fills the disk, give the pods that write limits of ephemeral-storage, or use a larger root volume"
        )
      case "NetworkUnavailable": ("a route", "look at what sets the node's routes")
      case "PIDPressure": ("process ids", "end what starts processes without end, or set a limit (podPidsLimit)")
      default:
        ("memory", "give the pods that use it requests that are true, or use nodes with more memory")
      }
    return RootCause(
      "nodes/under-pressure", layer: .application, entity: effect.entity,
      statement:
        "its kubelet is short of \(what) (\(pressure)): it evicts pods, those that use more than they request first",
      evidence: evidence,
      fixes: [Fix(advice, owner: "unknown", touches: [effect.entity.title], verify: verify, expectWithin: "6m")])
  }
}
