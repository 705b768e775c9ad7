import Evidence
import Mechanisms
import Wire

/// An instance never becomes a node, or falls silent, at a step of joining before or beside the mapping of its role.
struct JoinStepFails: Link {
  let code = "nodes/join-step-fails"
  let explains: [Effect.Kind] = [.neverJoined, .kubeletSilent]
  let worlds = Worlds.instanceRole

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let (node, id) = await world.nodeAndInstance(of: effect)
    guard let id else { return .silent }
    let facts = await world.joining(node: node, instance: id)
    guard let (step, because) = JoinSequence.failing(JoinSequence.decide(facts)) else { return .silent }
    // These are other links' to explain.
    switch step {
    case .mapping, .identity, .register, .initialize, .network: return .silent
    default: break
    }
    let evidence = because.evidence.map { Exhibit($0) }
    return .holds(
      Explanation(
        because.text, entity: Entity("Instance", id), evidence: evidence,
        root: root(step, because, id, evidence, effect, world)))
  }

  private func root(
    _ step: JoinSequence.Step, _ because: Because, _ id: String, _ evidence: [Exhibit], _ effect: Effect,
    _ world: Investigation
  ) -> RootCause {
    let verify = "ekswhy instance/\(id)"
    let aws = world.target.awsOptions
    var command: String?
    var owner = "unknown"
    let what: String
    switch step {
    case .bootstrap, .kubelet, .cluster:
      what = "correct the user data in the launch template, and let the Auto Scaling group replace the instance"
    case .certificate:
      what =
        "give the node the CA that eks DescribeCluster shows, in the user data of its launch template; then replace it"
    case .resolve, .connect:
      what = "let the node's subnet resolve and reach the cluster's endpoint, the one that eks DescribeCluster shows"
    case .credentials:
      what = "gives the instance a profile with the node role; its kubelet retries by itself"
      command =
        "aws ec2 associate-iam-instance-profile --instance-id \(id) --iam-instance-profile Name=PROFILE-OF-THE-NODE-ROLE\(aws)"
      owner = "hand"
    case .clock: what = "let the node keep time (chrony with 169.254.169.123)"
    case .sts: what = "let the node's VPC reach STS in the region"
    case .mapping, .identity, .register, .initialize, .network: what = because.text
    }
    return RootCause(
      "nodes/join-\(step.rawValue)", layer: step == .credentials ? .aws : .eks, entity: Entity("Instance", id),
      statement: "instance \(id) can't join: \(because.text)", evidence: evidence,
      fixes: [
        Fix(
          what, command: command, owner: owner, touches: ["instance/\(id)"], restarts: command == nil, verify: verify,
          expectWithin: "3m")
      ])
  }
}

extension Investigation {
  /// The steps of joining of an instance, as far as public APIs and logs of the node show them.
  func joining(node: JSON?, instance id: String) async -> JoinSequence.Facts {
    var facts = JoinSequence.Facts.unknown(
      Gap(
        read: "node:kubelet log of \(id)", why: "it stands in no public API",
        how: "--node-logs DIR with a log collector's archive"))
    let found = await instance(id)
    let about = found.first
    if let about {
      facts.read(instance: about) { field, value in
        .read(Cite.aws(.describeInstances, id, field: field, value: value, at: found.at))
      }
    }
    await readUserData(of: id, &facts)
    let mapping = await mapping(ofNode: node, instance: id)
    facts.read(mapping: mapping.verdict)
    let name = node?["metadata"]["name"].string ?? about?["PrivateDnsName"].string ?? ""
    if let node {
      facts.read(
        node: node, source: .read(Cite.object(node, "Node", resource: .nodes, field: "status.conditions", at: now)))
    }
    for kind in [NodeLogs.Kind.cloudInit, .nodeadm, .kubelet] {
      let lines = nodeLogs?.lines(kind, of: [id, name]) ?? []
      // What a log told of another boot is over.
      let since = about?["LaunchTime"].time
      let fresh = lines.filter { line in line.at.map { at in since.map { at >= $0 } ?? true } ?? true }
      let last = fresh.suffix(400)
      facts.read(
        log: last.map(\.text),
        source: { text in
          let line = last.last { $0.text == text }
          return .read(
            Citation(
              source: "node", locator: line?.path ?? "", value: Ages.shortened(text, 300), at: line?.at))
        })
    }
    return facts
  }

  /// What the machine was given, read as its system reads it. Data that is written for none of them proves nothing:
  /// an image of one's own may join by itself.
  private func readUserData(of id: String, _ facts: inout JoinSequence.Facts) async {
    let read = await aws(.describeInstanceAttribute, ["InstanceId": id, "Attribute": "userData"])
    guard let text = read.first?["UserData"]["Value"].string.flatMap({ Base64.decode($0) }) else { return }
    let data = String(decoding: text, as: UTF8.self)
    var found = NodeSystem(writtenIn: data)
    if found == nil {
      let image = await instance(id).first?["ImageId"].string ?? ""
      found = await aws(.describeImages, filters: ["ImageIds": [image]]).first?["Name"].string
        .flatMap(NodeSystem.init(imageName:))
    }
    guard let system = found else { return }
    func source(_ value: String) -> Source {
      .read(Cite.aws(.describeInstanceAttribute, id, field: "UserData", value: value, at: read.at))
    }
    let config = NodeConfig(userData: data, system: system)
    facts.read(
      userData: data, system: system,
      source: source(config.map { "joins cluster \($0.clusterName)" } ?? "nothing that joins a cluster"))
    let cluster = await cluster()
    guard let config, let item = cluster.first, let name = item["name"].string else { return }
    facts.cluster = .known(name, .read(Cite.aws(.describeCluster, name, field: "name", value: name, at: cluster.at)))
    // What is left out is asked for.
    guard !config.apiServerEndpoint.isEmpty, !config.certificateAuthority.isEmpty else { return }
    facts.read(
      config, endpoint: item["endpoint"].string ?? "",
      certificateAuthority: item["certificateAuthority"]["data"].string ?? "",
      source: source("endpoint \(config.apiServerEndpoint)"))
  }
}
