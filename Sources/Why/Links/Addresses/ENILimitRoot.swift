import Evidence
import Mechanisms
import Wire

/// Why a node was given more pods than its interfaces have addresses, and what helps.
enum ENILimitRoot {
  static func root(_ pool: NodePool, _ evidence: [Exhibit], _ world: Investigation) async -> RootCause {
    let total = pool.facts.total.value ?? 0
    let hostNetwork = pool.pods.items.count { $0["spec"]["hostNetwork"].bool == true }
    let maxPods = pool.facts.maxPods.value ?? 0
    let instanceLimit = pool.facts.maxENIs.value ?? 0
    let configured = pool.facts.settings.value?.maxENI ?? -1
    let nodeName = pool.node
    let verify = "ekswhy node/\(nodeName)"
    if configured >= 1, configured < instanceLimit {
      let owner = await FieldOwner.environment(of: "MAX_ENI", in: world)
      return RootCause(
        "addresses/max-eni-set", layer: .inCluster, entity: Entity("DaemonSet", "aws-node", namespace: "kube-system"),
        statement:
          "daemonset/aws-node sets MAX_ENI=\(configured), so nodes use \(configured) of the \(instanceLimit) ENIs that \(pool.type) takes",
        evidence: evidence + owner.evidence,
        fixes: [
          owner.fix(
            setting: ["MAX_ENI": nil], previous: ["MAX_ENI": String(configured)],
            "lets nodes use all their ENIs", verify: verify, world)
        ])
    }
    let capacity = total + hostNetwork
    let pod = pool.pods.items.first { item in
      let state = PodState(item)
      return !state.isHostNetwork && state.address == nil && !state.isFinished
    }
    let kubectl = world.target.kubectl
    var fixes: [Fix] = []
    if let pod {
      let state = PodState(pod)
      fixes.append(
        Fix(
          "keeps further pods off the node, and lets the scheduler find another one for this pod",
          command:
            "\(kubectl) cordon \(nodeName) && \(kubectl) -n \(state.namespace ?? "default") delete pod \(state.name)",
          owner: "hand", touches: ["node/\(nodeName)", "pod/\(state.name)"], restarts: true,
          undo: "\(kubectl) uncordon \(nodeName)", verify: verify, expectWithin: "1m"))
    }
    fixes.append(
      Fix(
        "for good: start nodes of \(pool.type) with max-pods \(capacity) (in the node group's launch template), take a bigger type, or turn on prefix delegation for new nodes",
        owner: "hand", touches: ["nodegroup"], restarts: true, verify: verify))
    return RootCause(
      "addresses/max-pods-above-capacity", layer: .eks, entity: Entity("Node", nodeName),
      statement:
        "node \(nodeName) takes \(maxPods) pods by its max-pods, and \(pool.type) has addresses for \(total); with the \(Count.of(hostNetwork, "pod")) on the host's network that makes \(capacity)",
      evidence: evidence + [
        Exhibit(
          Citation(
            source: "kubernetes", locator: "nodes/\(nodeName)", field: "status.capacity.pods", value: String(maxPods)))
      ], fixes: fixes)
  }
}
