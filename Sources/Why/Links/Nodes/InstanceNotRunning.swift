import Evidence
import Mechanisms
import Wire

/// Nothing is heard of a node because its machine does not run.
struct InstanceNotRunning: Link {
  let code = "nodes/instance-not-running"
  let explains: [Effect.Kind] = [.kubeletSilent, .neverJoined]
  let worlds = Worlds.instanceRole

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    var id = effect.entity.name
    if effect.entity.kind == "Node" {
      let node = await world.node(effect.entity.name)
      guard let item = node.first else { return node.gap.map { .open([$0]) } ?? .silent }
      guard let instance = NodeState(item).instanceID else { return .silent }
      id = instance
    }
    let found = await world.instance(id)
    if let gap = found.gap { return .open([gap]) }
    guard let instance = found.first else {
      let citation = Cite.aws(.describeInstances, id, value: "no such instance", at: found.at)
      return .holds(
        Explanation(
          "its instance \(id) is gone", entity: Entity("Instance", id), evidence: [Exhibit(citation)],
          root: root(
            id, "gone", "instance \(id) doesn't exist any more; the Node object outlived it", [Exhibit(citation)],
            effect, world)))
    }
    let state = instance["State"]["Name"].string ?? "unknown"
    let reason = instance["StateReason"]["Message"].string ?? instance["StateTransitionReason"].string ?? ""
    let evidence = [
      Exhibit(
        Cite.aws(.describeInstances, id, field: "State.Name", value: state, at: found.at),
        text: "ec2 DescribeInstances \(id): \(state)\(reason.isEmpty ? "" : ", \(reason)")")
    ]
    switch state {
    case "running", "pending":
      return .refuted("the instance is \(state)", evidence)
    default:
      return .holds(
        Explanation(
          "its instance \(id) is \(state)", entity: Entity("Instance", id), evidence: evidence,
          root: root(
            id, state, "instance \(id) is \(state)\(reason.isEmpty ? "" : " (\(reason))")", evidence, effect, world)))
    }
  }

  private func root(
    _ id: String, _ state: String, _ statement: String, _ evidence: [Exhibit], _ effect: Effect, _ world: Investigation
  ) -> RootCause {
    let isNode = effect.entity.kind == "Node"
    var fixes: [Fix] = []
    if state == "stopped" {
      fixes.append(
        Fix(
          "starts the instance again; an Auto Scaling group would rather replace it",
          command: "aws ec2 start-instances --instance-ids \(id)\(world.target.awsOptions)", owner: "hand",
          touches: ["instance/\(id)"], restarts: true,
          undo: "aws ec2 stop-instances --instance-ids \(id)\(world.target.awsOptions)",
          verify: isNode ? "ekswhy \(effect.entity.title)" : "ekswhy instance/\(id)", expectWithin: "2m"))
    } else if isNode, state == "gone" || state == "terminated" {
      fixes.append(
        Fix(
          "removes the Node object that is left; its pods are then rescheduled",
          command: "\(world.target.kubectl) delete node \(effect.entity.name)", owner: "hand",
          touches: [effect.entity.title], verify: "ekswhy \(effect.entity.title)", expectWithin: "1m"))
    } else {
      fixes.append(
        Fix(
          "wait until it has \(state == "stopping" ? "stopped" : "gone"), or launch another", owner: "hand",
          touches: ["instance/\(id)"]))
    }
    return RootCause(
      code, layer: .aws, entity: Entity("Instance", id), statement: statement, evidence: evidence, fixes: fixes)
  }
}
