import Evidence
import Mechanisms
import Wire

/// A node group lacks nodes because its instances never joined, or are not Ready.
struct NodegroupLacksNodes: Link {
  let code = "nodes/nodegroup-lacks-nodes"
  let explains: [Effect.Kind] = [.nodegroupTrouble]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let group = await NodegroupReading.read(effect.entity.name, world)
    if let gap = group.gap { return .open([gap]) }
    let lost = group.absent.map(\.id)
    let broken = group.nodes.filter { !$0.isReady }
    guard !lost.isEmpty || !broken.isEmpty else {
      return .refuted("all its instances have joined and are Ready", group.evidence)
    }
    var parts: [String] = []
    if !lost.isEmpty {
      parts.append("\(Count.of(lost.count, "instance")) of it never joined (\(Count.list(lost, limit: 3)))")
    }
    if !broken.isEmpty {
      parts.append(
        "\(Count.of(broken.count, "node")) of it \(broken.count == 1 ? "isn't" : "aren't") Ready (\(Count.list(broken.map(\.name), limit: 3)))"
      )
    }
    // One stands for all: they share role, subnets and launch template.
    let causes =
      lost.prefix(1).map { Explanation.Cause(Effect(.neverJoined, Entity("Instance", $0))) }
      + broken.prefix(1).map { Explanation.Cause(Effect(.nodeNotReady, Entity("Node", $0.name))) }
    return .holds(
      Explanation(parts.joined(separator: ", and "), entity: effect.entity, evidence: group.evidence, causes: causes))
  }
}

/// EKS itself names what is wrong with a node group.
struct NodegroupIssue: Link {
  let code = "nodes/nodegroup-issue"
  let explains: [Effect.Kind] = [.nodegroupTrouble]
  /// These only wrap a cause that stands elsewhere.
  static let wrappers = [
    "NodeCreationFailure", "AsgInstanceLaunchFailures", "InsufficientFreeAddresses", "InstanceLimitExceeded",
    "AmiIdNotFound", "InternalFailure", "Unknown",
  ]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let group = await NodegroupReading.read(effect.entity.name, world)
    let issues = group.group["health"]["issues"].items
    let named = issues.first {
      !NodegroupIssue.wrappers.contains($0["code"].string ?? "")
        && $0["message"].string?.contains(NodeManager.user) != true
    }
    // Where nothing else is wrong there is nothing more to be known.
    let bare = group.isWhole ? issues.first { Self.causeless.contains($0["code"].string ?? "") } : nil
    guard let issue = named ?? bare else { return .silent }
    let code = issue["code"].string ?? ""
    let message = issue["message"].string ?? ""
    let resources = issue["resourceIds"].strings
    let evidence = group.evidence.filter { $0.citation.field.contains("[\(code)]") }
    if let told = group.group["tags"][InjectedIssue.tag].string, told == code {
      return .holds(injected(told, group, evidence, effect, world))
    }
    let isProfile = code == "IamInstanceProfileNotFound"
    let root =
      isProfile
      ? LaunchRefusal.missingProfile(
        resources.first?.split(separator: "/").last.map(String.init) ?? "", role: group.group["nodeRole"].string,
        evidence, verify: "ekswhy \(effect.entity.title)", world)
      : RootCause(
        "nodes/nodegroup-issue-\(AWSCall.kebab(code))", layer: .eks, entity: effect.entity,
        statement: "EKS reports \(code): \(Ages.shortened(message, 300))", evidence: evidence,
        fixes: subnetFix(code, resources, effect, world) ?? supportFix(code, effect) ?? [
          Fix(
            "remove what EKS names\(resources.isEmpty ? "" : " on \(Count.list(resources))"); a node group that is CREATE_FAILED must then be made anew",
            owner: "unknown", touches: resources.isEmpty ? [effect.entity.title] : resources,
            verify: "ekswhy \(effect.entity.title)")
        ])
    return .holds(
      Explanation(
        "EKS could not do its part: issue \(code)", entity: effect.entity, evidence: evidence, root: root))
  }
}

extension NodegroupIssue {
  /// To these EKS gives no cause.
  private static let causeless = ["InternalFailure", "Unknown"]

  private func supportFix(_ code: String, _ effect: Effect) -> [Fix]? {
    guard Self.causeless.contains(code) else { return nil }
    return [
      Fix(
        "try it once more; when it fails the same way again, ask AWS Support: EKS gives no cause", owner: "unknown",
        touches: [effect.entity.title], verify: "ekswhy \(effect.entity.title)")
    ]
  }

  /// The local EKS shows it because it was told to.
  private func injected(
    _ code: String, _ group: NodegroupReading, _ evidence: [Exhibit], _ effect: Effect, _ world: Investigation
  ) -> Explanation {
    let arn = group.group["nodegroupArn"].string ?? ""
    let tag = Exhibit(
      Cite.aws(.describeNodegroup, effect.entity.name, field: "tags[\(InjectedIssue.tag)]", value: code, at: world.now))
    let root = RootCause(
      "nodes/nodegroup-issue-injected", layer: .eks, entity: effect.entity,
      statement:
        "the local EKS was told to show \(code) by the tag \(InjectedIssue.tag): no mechanism stands behind it",
      evidence: evidence + [tag],
      fixes: [
        Fix(
          "takes the tag off; EKS looks at its node groups every 5m",
          command:
            "aws eks untag-resource --resource-arn \(arn) --tag-keys \(InjectedIssue.tag)\(world.target.awsOptions)",
          owner: "hand", touches: [effect.entity.title], verify: "ekswhy \(effect.entity.title)", expectWithin: "6m")
      ])
    return Explanation(
      "EKS could not do its part: issue \(code)", entity: effect.entity, evidence: evidence, root: root)
  }

  /// Instances in subnets with a way to the Internet are to get an address for it.
  private func subnetFix(
    _ code: String, _ subnets: [String], _ effect: Effect, _ world: Investigation
  ) -> [Fix]? {
    guard code == "Ec2SubnetInvalidConfiguration", !subnets.isEmpty else { return nil }
    func each(_ option: String) -> String {
      subnets.map { "aws ec2 modify-subnet-attribute --subnet-id \($0) \(option)\(world.target.awsOptions)" }
        .joined(separator: " && ")
    }
    return [
      Fix(
        "lets the subnets give their instances public addresses; then delete the node group and make it anew, or make it in private subnets",
        command: each("--map-public-ip-on-launch"), owner: "hand", touches: subnets,
        undo: each("--no-map-public-ip-on-launch"), verify: "ekswhy \(effect.entity.title)")
    ]
  }
}

/// A node group lacks nodes because its Auto Scaling group can't launch instances.
struct NodegroupCannotLaunch: Link {
  let code = "nodes/nodegroup-cannot-launch"
  let explains: [Effect.Kind] = [.nodegroupTrouble]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let group = await NodegroupReading.read(effect.entity.name, world)
    guard let scaling = group.scalingGroup else { return group.gap.map { .open([$0]) } ?? .silent }
    let desired = group.group["scalingConfig"]["desiredSize"].int ?? 0
    let running = group.instanceCount
    guard running < desired else {
      return .refuted("its Auto Scaling group has the instances it wants", group.evidence)
    }
    let failure = await world.launchFailure(
      of: Entity("AutoScalingGroup", scaling), role: group.group["nodeRole"].string,
      verify: "ekswhy \(effect.entity.title)")
    guard case .holds(var explanation) = failure else { return failure }
    explanation.statement =
      "its Auto Scaling group has \(running) of \(desired) instances, and can't launch more"
    return .holds(explanation)
  }
}

/// A node group has all its nodes.
struct NodegroupIsWell: Link {
  let code = "nodes/nodegroup-well"
  let explains: [Effect.Kind] = [.nodegroupWell]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let group = await NodegroupReading.read(effect.entity.name, world)
    guard !group.group.isNull else { return group.gap.map { .open([$0]) } ?? .silent }
    let nodes = group.nodes.prefix(2).map { Explanation.Cause(Effect(.nodeReady, Entity("Node", $0.name))) }
    return .holds(
      Explanation(
        "EKS reports no issue, and its \(Count.of(group.nodes.count, "node")) joined and \(group.nodes.count == 1 ? "is" : "are") Ready",
        entity: effect.entity, evidence: group.evidence, causes: nodes))
  }
}

/// A node group with its Auto Scaling group's instances and the nodes they became.
struct NodegroupReading: Sendable {
  var group: JSON
  var scalingGroup: String?
  var instanceCount: Int
  /// Instances in service or pending that no Node object stands for.
  var absent: [(id: String, state: String)]
  var nodes: [NodeState]
  var gap: Gap?
  var evidence: [Exhibit]

  /// All the nodes it should have are there and Ready.
  var isWhole: Bool {
    gap == nil && absent.isEmpty && nodes.allSatisfy(\.isReady)
      && instanceCount >= group["scalingConfig"]["desiredSize"].int ?? 0
  }

  static func read(_ name: String, _ world: Investigation) async -> NodegroupReading {
    var result = NodegroupReading(group: .null, instanceCount: 0, absent: [], nodes: [], evidence: [])
    let described = await world.aws(
      .describeNodegroup, ["clusterName": world.target.cluster ?? "", "nodegroupName": name])
    guard let group = described.first else {
      result.gap = described.gap ?? Gap(read: "eks:DescribeNodegroup \(name)", why: "there is none")
      return result
    }
    result.group = group
    let status = group["status"].string ?? ""
    result.evidence.append(
      Exhibit(
        Cite.aws(.describeNodegroup, name, field: "status", value: status, at: described.at),
        text: "eks DescribeNodegroup \(name): \(status), desired \(group["scalingConfig"]["desiredSize"].int ?? 0)"))
    for issue in group["health"]["issues"].items {
      let code = issue["code"].string ?? ""
      let message = issue["message"].string ?? ""
      result.evidence.append(
        Exhibit(
          Cite.aws(.describeNodegroup, name, field: "health.issues[\(code)]", value: message, at: described.at),
          text:
            "eks DescribeNodegroup \(name), issue \(code): \"\(message)\" \(issue["resourceIds"].strings.joined(separator: ", "))"
        ))
    }
    let nodes = await world.list(.nodes)
    result.nodes = nodes.items.filter { $0["metadata"]["labels"]["eks.amazonaws.com/nodegroup"].string == name }
      .map(NodeState.init)
    result.evidence.append(
      Exhibit(
        Citation(
          source: "kubernetes", locator: "nodes", field: "metadata.labels[eks.amazonaws.com/nodegroup]",
          value: "\(result.nodes.count) nodes", at: nodes.at),
        text:
          "k8s nodes of the group: \(Count.of(result.nodes.count, "node")), \(result.nodes.count { $0.isReady }) Ready")
    )
    if let gap = nodes.gap {
      result.gap = gap
      return result
    }
    guard let scaling = group["resources"]["autoScalingGroups"].items.first?["name"].string else { return result }
    result.scalingGroup = scaling
    let read = await world.aws(.describeAutoScalingGroups, filters: ["AutoScalingGroupNames": [scaling]])
    if let gap = read.gap {
      result.gap = gap
      return result
    }
    let instances = read.first?["Instances"].items ?? []
    result.instanceCount = instances.count
    let joined = Set(nodes.items.compactMap { NodeState.instanceID($0["spec"]["providerID"].string ?? "") })
    result.absent = instances.compactMap { instance in
      guard let id = instance["InstanceId"].string, !joined.contains(id) else { return nil }
      return (id, instance["LifecycleState"].string ?? "")
    }
    result.evidence.append(
      Exhibit(
        Cite.aws(
          .describeAutoScalingGroups, scaling, field: "Instances", value: "\(instances.count)", at: read.at),
        text: "autoscaling DescribeAutoScalingGroups \(scaling): \(Count.of(instances.count, "instance"))"))
    return result
  }
}
