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
        root: await root(step, because, id, evidence, facts, world)))
  }

  private func root(
    _ step: JoinSequence.Step, _ because: Because, _ id: String, _ evidence: [Exhibit], _ facts: JoinSequence.Facts,
    _ world: Investigation
  ) async -> RootCause {
    if let blocked = await blocked(step, id, facts, world) { return blocked }
    let statement = "instance \(id) can't join: \(because.text)"
    func root(_ fixes: [Fix]) -> RootCause {
      RootCause(
        "nodes/join-\(step.rawValue)", layer: step == .credentials ? .aws : .eks, entity: Entity("Instance", id),
        statement: statement, evidence: evidence, fixes: fixes)
    }
    let verify = "ekswhy instance/\(id)"
    let aws = world.target.awsOptions
    var command: String?
    var owner = "unknown"
    let what: String
    switch step {
    case .kubelet where InstanceSwap.types.contains(facts.instanceType):
      what =
        "take another instance type, or let the kubelet's configuration say failSwapOn: false; then replace the instance"
    case .bootstrap, .kubelet, .cluster, .certificate:
      if let fix = await UserDataFix.of(id, world) { return root([fix]) }
      what = "correct the user data in the launch template, and let the Auto Scaling group replace the instance"
    case .services, .resolve, .connect:
      if let fix = await UserDataFix.of(id, world), step == .connect, facts.endpointFault.isEmpty { return root([fix]) }
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
    return root([
      Fix(
        what, command: command, owner: owner, touches: ["instance/\(id)"], restarts: command == nil, verify: verify,
        expectWithin: "3m")
    ])
  }

  /// What in the network is in the way of an instance.
  private func blocked(
    _ step: JoinSequence.Step, _ id: String, _ facts: JoinSequence.Facts, _ world: Investigation
  ) async -> RootCause? {
    guard let instance = await world.instance(id).first else { return nil }
    switch step {
    case .services:
      return await world.connection(of: instance, to: world.bootstrapService())?.root(of: id, world)
    case .connect where !facts.endpointFault.isEmpty:
      return await world.connection(of: instance, to: .endpoint)?.root(of: id, world)
    default: return nil
    }
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
    if let about {
      facts.instanceType = about["InstanceType"].string ?? ""
      await readPaths(of: about, &facts)
    }
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

  /// The service that every bootstrap asks.
  func bootstrapService() -> ConnectionGoal { .service("ec2.\(target.region ?? "us-east-1").amazonaws.com") }

  /// Whether its packets get to where they must. What was read of its user data goes before: it may send them elsewhere.
  private func readPaths(of instance: JSON, _ facts: inout JoinSequence.Facts) async {
    guard instance["State"]["Name"].string == "running" else { return }
    let goal = bootstrapService()
    if let services = await connection(of: instance, to: goal) {
      facts.read(pathTo: services.title, services.verdict)
    }
    guard facts.reachesEndpoint.value != false, let path = await connection(of: instance, to: .endpoint) else { return }
    facts.read(path: path.verdict)
  }

  /// The system that an instance boots: of an image with a name of AWS's, else that for which its user data is written.
  func system(of instance: JSON, userData: String) async -> NodeSystem? {
    let image = await aws(.describeImages, filters: ["ImageIds": [instance["ImageId"].string ?? ""]])
    return image.first?["Name"].string.flatMap(NodeSystem.init(imageName:)) ?? NodeSystem(writtenIn: userData)
  }

  /// What the machine was given, read as its system reads it. Data that is written for none of them proves nothing:
  /// an image of one's own may join by itself.
  private func readUserData(of id: String, _ facts: inout JoinSequence.Facts) async {
    let read = await aws(.describeInstanceAttribute, ["InstanceId": id, "Attribute": "userData"])
    guard read.gap == nil else { return }
    let text = read.first?["UserData"]["Value"].string.flatMap { Base64.decode($0) } ?? []
    let data = String(decoding: text, as: UTF8.self)
    guard let system = await system(of: await instance(id).first ?? .null, userData: data) else { return }
    func source(_ value: String) -> Source {
      .read(Cite.aws(.describeInstanceAttribute, id, field: "UserData", value: value, at: read.at))
    }
    let config = NodeConfig(userData: data, system: system)
    facts.read(
      userData: data, system: system,
      source: source(config.map { "joins cluster \($0.clusterName)" } ?? "nothing that joins a cluster"))
    let cluster = await cluster()
    if let config, let type = await instance(id).first?["InstanceType"].string {
      facts.read(instanceType: type, config, source: source("instance type \(type)"))
    }
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
