import Evidence
import Mechanisms
import Wire

/// A cluster has no node, because nothing makes any, or what should makes none.
struct NoNodes: Link {
  let code = "nodes/no-nodes"
  let explains: [Effect.Kind] = [.noNodes]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let cluster = world.target.cluster else {
      return .open([
        Gap(
          read: "eks:ListNodegroups", why: "which EKS cluster this is can't be told from the context",
          how: "name it with --cluster")
      ])
    }
    let groups = await world.aws(.listNodegroups, ["clusterName": cluster])
    if let gap = groups.gap { return .open([gap]) }
    let names = groups.items.compactMap(\.string)
    guard names.isEmpty else { return await makers(names, effect, world) }
    let none = Exhibit(Cite.aws(.listNodegroups, cluster, field: "nodegroups", value: "none", at: groups.at))
    let profiles = await world.fargateProfiles()
    if let gap = profiles.gap { return .open([gap]) }
    let described = await world.cluster()
    if let gap = described.gap { return .open([gap]) }
    // Instances of Auto Scaling groups of one's own, of Karpenter or of Auto Mode say whose they are by a tag.
    let tag = "kubernetes.io/cluster/\(cluster)"
    let instances = await world.aws(.describeInstances, filters: ["tag-key": [tag]])
    if let gap = instances.gap { return .open([gap]) }
    let running = instances.items.filter {
      ["pending", "running"].contains($0["State"]["Name"].string)
        && $0["Tags"].items.contains { $0["Key"].string == tag }
    }
    let ids = running.compactMap { $0["InstanceId"].string }.sorted()
    if let first = ids.first {
      return .holds(
        Explanation(
          "\(Count.of(ids.count, "instance")) tagged for it never joined (\(Count.list(ids, limit: 3)))",
          entity: effect.entity,
          evidence: [Exhibit(Cite.aws(.describeInstances, first, field: "Tags", value: tag, at: instances.at))],
          causes: [.init(Effect(.neverJoined, Entity("Instance", first)))]))
    }
    if described.first?["computeConfig"]["enabled"].bool == true {
      return .open([
        Gap(
          read: "what EKS Auto Mode does", why: "it is on and has made no node; its decisions stand in its NodeClaims",
          how: "\(world.target.kubectl) get nodeclaims,nodepools,nodeclasses -o yaml")
      ])
    }
    let known = profiles.value ?? []
    let text = known.map(\.name).joined(separator: ", ")
    let root = RootCause(
      "nodes/no-nodegroup", layer: .eks, entity: effect.entity,
      statement:
        "nothing makes nodes for cluster \(cluster): it has no node group, no instance is tagged \(tag)\(known.isEmpty ? ", and it has no Fargate profile" : ", and its Fargate profiles (\(text)) don't take this")",
      evidence: [none],
      fixes: [
        Fix(
          "make a node group (aws eks create-nodegroup --cluster-name \(Shell.quote(cluster)) …), or a Fargate profile for what waits",
          owner: "unknown", touches: [effect.entity.title], verify: "ekswhy")
      ])
    return .holds(
      Explanation("no node group, no instance of its own", entity: effect.entity, evidence: [none], root: root))
  }

  /// Node groups that have nobody in them, or whose instances don't come.
  private func makers(_ names: [String], _ effect: Effect, _ world: Investigation) async -> Finding {
    var evidence: [Exhibit] = []
    var troubled: [String] = []
    var empty: [(name: String, most: Int)] = []
    for name in names {
      let reading = await NodegroupReading.read(name, world)
      if let gap = reading.gap { return .open([gap]) }
      evidence += reading.evidence.prefix(1)
      let scaling = reading.group["scalingConfig"]
      if (scaling["desiredSize"].int ?? 0) == 0, reading.instanceCount == 0 {
        empty.append((name, scaling["maxSize"].int ?? 1))
      } else {
        troubled.append(name)
      }
    }
    guard troubled.isEmpty else {
      return .holds(
        Explanation(
          "nodes of \(Count.list(troubled.map { "nodegroup/\($0)" })) should be there and are not",
          entity: effect.entity, evidence: evidence,
          causes: troubled.map { .init(Effect(.nodegroupTrouble, Entity("Nodegroup", $0))) }))
    }
    let first = empty[0]
    func size(_ count: Int) -> String {
      "aws eks update-nodegroup-config --cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --nodegroup-name \(Shell.quote(first.name)) --scaling-config \(count > first.most ? "maxSize=\(count)," : "")desiredSize=\(count)\(world.target.awsOptions)"
    }
    let root = RootCause(
      "nodes/nodegroup-size-zero", layer: .eks, entity: Entity("Nodegroup", first.name),
      statement:
        "\(Count.list(empty.map { "nodegroup/\($0.name)" })) \(empty.count == 1 ? "is" : "are") to have no nodes: desiredSize 0",
      evidence: evidence,
      fixes: [
        Fix(
          "gives \(first.name) a node; where an autoscaler runs, see why it doesn't", command: size(1), owner: "hand",
          touches: ["nodegroup/\(first.name)"], undo: size(0), verify: "ekswhy nodegroup/\(first.name)",
          expectWithin: "5m")
      ])
    return .holds(
      Explanation("its node groups are to have no nodes", entity: effect.entity, evidence: evidence, root: root))
  }
}
