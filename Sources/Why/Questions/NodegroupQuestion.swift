import Evidence
import Mechanisms
import Wire

/// Why a managed node group is not what it should be: failed, degraded, or short of nodes.
struct NodegroupQuestion: Question {
  let kinds = ["nodegroup"]
  static let usual: Duration = .seconds(300)

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    guard let cluster = world.target.cluster else {
      throw .unreachable(
        Gap(
          read: "eks:DescribeNodegroup", why: "which EKS cluster this is can't be told", how: "name it with --cluster"))
    }
    let found = await world.aws(.describeNodegroup, ["clusterName": cluster, "nodegroupName": subject.name])
    guard let group = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("node group \(subject.name) in cluster \(cluster)")
    }
    let nodes = await world.list(.nodes, labels: ["eks.amazonaws.com/nodegroup": subject.name])
    if let gap = nodes.gap { throw .unreachable(gap) }
    let status = group["status"].string ?? ""
    let desired = group["scalingConfig"]["desiredSize"].int ?? 0
    let states = nodes.items.map(NodeState.init)
    let ready = states.count { $0.isReady }
    let issues = group["health"]["issues"].items
    let entity = Entity("Nodegroup", subject.name)
    let isTrouble =
      !["ACTIVE", "CREATING", "UPDATING", "DELETING"].contains(status) || !issues.isEmpty || ready < desired
    let effect = Effect(.nodegroupTrouble, entity)
    let counts = "\(ready) of \(Count.of(desired, "node")) Ready"
    guard isTrouble else {
      return Inquiry(
        entity,
        effects: [.init(Effect(.nodegroupWell, entity)), .init(Effect(.nodegroupUpdate, entity), deciding: false)],
        isTrouble: false,
        summary: "no fault found in \(entity.title): \(status), \(counts)",
        hiddenTrouble:
          "\(entity.title) is \(status) with \(counts), and its last update failed or something its nodes need is broken"
      )
    }
    var waits: (String, Timestamp)?
    if status == "CREATING", let created = group["createdAt"].time {
      waits = ("its instances to launch and join, usually within 5m", created + NodegroupQuestion.usual)
    }
    let newest = states.compactMap(\.created).max()
    if waits == nil, issues.isEmpty, let newest, world.now - newest < NodeQuestion.usual {
      waits = ("its newest nodes to become Ready, usually within 3m", newest + NodeQuestion.usual)
    }
    let issue = issues.first.map { ", \($0["code"].string ?? "")" } ?? ""
    return Inquiry(
      entity, effects: [.init(effect)], isTrouble: true, summary: "\(entity.title) is \(status)\(issue): \(counts)",
      waits: waits,
      lastResort: Gap(
        read: "node:cloud-init and kubelet logs", why: "they stand in no public API",
        how: "aws ec2 get-console-output, or journalctl -u kubelet on an instance of the group"))
  }
}
