import Evidence
import Mechanisms
import Wire

/// The DaemonSet's environment was changed, and the agent of a node still runs with the one before.
struct SettingsNotInForce: Link {
  let code = "addresses/settings-not-in-force"
  let explains: [Effect.Kind] = [.warmTargets, .poolSettings]
  let worlds = Worlds.vpcCNI

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let node = effect.entity.kind == "Node" ? effect.entity.name : effect.detail
    guard let pool = await world.pool(of: node) else { return .silent }
    let set = await world.awsNode()
    guard let object = set.value else { return .open([set.gap!]) }
    if let gap = pool.pods.gap { return .open([gap]) }
    guard let agent = pool.agent, let old = PoolSettings.read(awsNode: agent).value,
      let new = PoolSettings.read(awsNode: object).value
    else { return effect.kind == .poolSettings ? taken(node) : .silent }
    let changes = SettingsNotInForce.differences(agent, object)
    let name = agent["metadata"]["name"].string ?? ""
    let strategy = object["spec"]["updateStrategy"]["type"].string ?? "RollingUpdate"
    let evidence = [
      Exhibit(
        Cite.object(
          agent, "Pod", resource: .pods, field: "env", value: changes.joined(separator: ", "), at: pool.pods.at),
        text:
          "k8s pods/kube-system/\(name), env: \(changes.isEmpty ? "as in the DaemonSet" : "without \(Count.list(changes))")"
      ),
      Exhibit(
        Cite.object(
          object, "DaemonSet", resource: .daemonSets, field: "spec.updateStrategy.type", value: strategy, at: world.now)
      ),
    ]
    guard old != new, !changes.isEmpty else {
      return effect.kind == .poolSettings
        ? inForce(node, evidence) : .refuted("aws-node of the node runs with the DaemonSet's settings", evidence)
    }
    let kubectl = world.target.kubectl
    let command =
      strategy == "OnDelete"
      ? "\(kubectl) -n kube-system delete pod \(name)" : "\(kubectl) -n kube-system rollout restart ds/aws-node"
    let root = RootCause(
      code, layer: .inCluster, entity: Entity("Pod", name, namespace: "kube-system"),
      statement:
        "daemonset/aws-node has \(Count.list(changes)) and its pod on \(node) was started without: settings take effect when the pod is made anew"
        + (strategy == "OnDelete" ? ", which updateStrategy OnDelete leaves to you" : ""),
      evidence: evidence,
      fixes: [
        Fix(
          "has the agent start with what the DaemonSet says", command: command, owner: "hand",
          touches: ["pod/\(name)"], restarts: true, verify: "ekswhy node/\(node)", expectWithin: "2m")
      ])
    return .holds(
      Explanation(
        "what the DaemonSet says is not in force on \(node)", entity: Entity("Pod", name, namespace: "kube-system"),
        evidence: evidence, root: root))
  }

  private func inForce(_ node: String, _ evidence: [Exhibit]) -> Finding {
    .holds(
      Explanation(
        "the settings of its agent are those of daemonset/aws-node", entity: Entity("Node", node), evidence: evidence))
  }

  private func taken(_ node: String) -> Finding {
    .holds(
      Explanation(
        "its agent's pod shows no settings of its own: those of daemonset/aws-node are taken",
        entity: Entity("Node", node), evidence: []))
  }

  /// `WARM_IP_TARGET=2`: what of the pool's variables the DaemonSet has and a pod of it has not.
  private static func differences(_ pod: JSON, _ set: JSON) -> [String] {
    func environment(_ spec: JSON) -> [String: String] {
      let container = spec["containers"].items.first { $0["name"].string == "aws-node" } ?? .null
      var values: [String: String] = [:]
      for variable in container["env"].items where PoolSettings.names.contains(variable["name"].string ?? "") {
        values[variable["name"].string ?? ""] = variable["value"].string ?? ""
      }
      return values
    }
    let has = environment(pod["spec"])
    let wanted = environment(set["spec"]["template"]["spec"])
    let fresh = wanted.keys.sorted().filter { has[$0] != wanted[$0] }.map { "\($0)=\(wanted[$0] ?? "")" }
    return fresh + has.keys.sorted().filter { wanted[$0] == nil }.map { "no \($0)" }
  }
}
