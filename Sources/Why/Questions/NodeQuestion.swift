import Evidence
import Mechanisms
import Wire

/// Why a node is not Ready, or never came; or why it is.
struct NodeQuestion: Question {
  let kinds = ["node", "instance"]
  /// From launch to Ready, usually.
  static let usual: Duration = .seconds(180)

  func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    var node: JSON?
    // An instance's id names a node as well as the node's own name.
    if subject.kind == "node", !subject.name.hasPrefix("i-") {
      let found = await world.node(subject.name)
      if found.first == nil, let gap = found.gap { throw .unreachable(gap) }
      node = found.first
    } else {
      let found = await world.list(.nodes)
      if let gap = found.gap { throw .unreachable(gap) }
      node = found.items.first { NodeState.instanceID($0["spec"]["providerID"].string ?? "") == subject.name }
    }
    guard let node else { return try await absent(subject, world) }
    return await present(node, world)
  }

  private func present(_ node: JSON, _ world: Investigation) async -> Inquiry {
    let state = NodeState(node)
    let entity = Entity("Node", state.name)
    let age = state.since.map { Ages.text(world.now - $0) } ?? "an unknown time"
    let others = [
      NotChecked("packets", ask: "ekswhy trace \(entity.title) apiserver"),
      NotChecked("scheduling", ask: "ekswhy pod/NAME of a pod that should run there"),
    ]
    let isCordoned = node["spec"]["unschedulable"].bool == true
    let pressures = NodeRefusesPods.pressures(node)
    if state.isReady, isCordoned || !pressures.isEmpty {
      return Inquiry(
        entity,
        effects: [
          .init(Effect(.nodeRefusesPods, entity)), .init(Effect(.nodeReady, entity), deciding: false),
        ], isTrouble: true,
        summary: "\(entity.title) is Ready and takes no new pods: "
          + ((isCordoned ? ["cordoned"] : []) + pressures).joined(separator: ", "), notChecked: others)
    }
    if state.isReady {
      return Inquiry(
        entity, effects: [.init(Effect(.nodeReady, entity))], isTrouble: false,
        summary: "no fault found in \(entity.title): Ready for \(age)",
        hiddenTrouble: "\(entity.title) is Ready, and will not stay so", notChecked: others)
    }
    let word = state.ready == "Unknown" ? "NotReady (unknown)" : "NotReady"
    var waits: (String, Timestamp)?
    if !state.isSilent, let created = state.created, world.now - created < NodeQuestion.usual {
      waits = ("the node to become Ready, usually within 3m of its launch", created + NodeQuestion.usual)
    }
    return Inquiry(
      entity, effects: [.init(Effect(.nodeNotReady, entity))], isTrouble: true,
      summary: "\(entity.title) has been \(word) for \(age)", waits: waits, notChecked: others,
      lastResort: Gap(
        read: "node:kubelet log", why: "it stands in no public API",
        how:
          "journalctl -u kubelet on the node, by SSM or the serial console; or a log collector's archive with --node-logs DIR"
      ))
  }

  /// No Node object: perhaps an instance of the cluster that never joined.
  private func absent(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    let found = await world.instance(subject.name)
    if let gap = found.gap, found.items.isEmpty {
      throw subject.kind == "node"
        ? .noSuchObject(
          "Node \(subject.name), and no reading whether there is such an instance (\(gap.read): \(gap.why))")
        : .unreachable(gap)
    }
    guard let instance = found.items.first(where: { $0["State"]["Name"].string != "terminated" }) ?? found.first,
      let id = instance["InstanceId"].string
    else { throw .noSuchObject("Node \(subject.name), and no instance of that name") }
    let tags = instance["Tags"].items
    let isOurs = tags.contains { tag in
      let key = tag["Key"].string ?? ""
      return key == "kubernetes.io/cluster/\(world.target.cluster ?? "")"
        || (key == "eks:cluster-name" || key == "aws:eks:cluster-name") && tag["Value"].string == world.target.cluster
    }
    let entity = Entity("Instance", id)
    let launched = instance["LaunchTime"].time
    let age = launched.map { Ages.text(world.now - $0) } ?? "an unknown time"
    var waits: (String, Timestamp)?
    if let launched, world.now - launched < NodeQuestion.usual {
      waits = ("the instance to boot and join, usually within 3m of its launch", launched + NodeQuestion.usual)
    }
    let name = instance["PrivateDnsName"].string ?? ""
    return Inquiry(
      entity, effects: [.init(Effect(.neverJoined, entity))], isTrouble: true,
      summary:
        "\(entity.title) (\(name)) was launched \(age) ago and has never joined the cluster\(isOurs ? "" : "; it carries no tag of this cluster")",
      waits: waits,
      lastResort: Gap(
        read: "node:cloud-init and kubelet logs", why: "they stand in no public API",
        how:
          "aws ec2 get-console-output --instance-id \(id)\(world.target.awsOptions); journalctl -u kubelet on the node")
    )
  }
}
