import Evidence
import Mechanisms
import Wire

/// Whether a node's packets come to a host of AWS's, and what stops them.
struct ServiceConnection {
  let node: String
  let host: String
  let entity: Entity

  func finding(_ evidence: [Exhibit], at last: Timestamp?, _ world: Investigation) async -> Finding {
    let found = await world.node(node)
    guard let object = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    guard let id = NodeState(object).instanceID, id.hasPrefix("i-") else { return .silent }
    let instance = await world.instance(id)
    guard let machine = instance.first else { return instance.gap.map { .open([$0]) } ?? .silent }
    guard let reading = await world.connection(of: machine, to: .service(host)) else { return .silent }
    if !reading.verdict.gaps.isEmpty { return .open(reading.verdict.gaps) }
    let reasons = reading.verdict.reasons.map { reason in
      Exhibit(
        reason.evidence.first ?? Citation(source: "walk", locator: "instance/\(id) → \(host)", at: world.now),
        text: reading.named(reason.text))
    }
    guard reading.verdict.isNo else { return .refuted("its node reaches \(host)", reasons) }
    if let regional = await regional(machine, world) { return regional }
    return .holds(
      Explanation(
        "node \(node) gets no connection to \(host)", entity: Entity("Node", node), evidence: evidence + reasons,
        root: reading.root(of: id, world), lastSymptomAt: last))
  }

  /// The global host is not reached, and the region's own is: by an endpoint in the VPC, which is for that one alone.
  private func regional(_ machine: JSON, _ world: Investigation) async -> Finding? {
    guard host == "sts.amazonaws.com", let region = world.target.region else { return nil }
    let own = "sts.\(region).amazonaws.com"
    guard let reading = await world.connection(of: machine, to: .service(own)) else { return nil }
    // Which of the two is at fault can't be told then.
    if !reading.verdict.gaps.isEmpty { return .open(reading.verdict.gaps) }
    guard reading.verdict.isYes else { return nil }
    let reasons = reading.verdict.reasons.map { reason in
      Exhibit(
        reason.evidence.first ?? Citation(source: "walk", locator: "node/\(node) → \(own)", at: world.now),
        text: "\(own): \(reading.named(reason.text))")
    }
    let asked = entity.kind == "Pod" ? await world.object(.pods, namespace: entity.namespace, name: entity.name) : nil
    let statement = "let its SDK ask STS of its region (AWS_STS_REGIONAL_ENDPOINTS=regional)"
    var fix = Fix(statement, owner: "unknown", touches: [entity.title], restarts: true)
    if let pod = asked?.first {
      let maker = await PodMaker.of(pod, world)
      let container = pod["spec"]["containers"].items.first?["name"].string ?? ""
      let path = maker.path(container: container, isInit: false)
      let entry: JSON = ["name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "regional"]
      let env = maker.spec["containers"].items.first { $0["name"].string == container }?["env"].items ?? []
      let at = env.firstIndex { $0["name"].string == "AWS_STS_REGIONAL_ENDPOINTS" }
      fix = maker.fix(
        statement,
        patch: path.map { path in
          if let at { return [.step("replace", "\(path)/env/\(at)", entry)] }
          return env.isEmpty
            ? [.step("add", "\(path)/env", .array([entry]))] : [.step("add", "\(path)/env/-", entry)]
        }, verify: "ekswhy \(entity.title)\(entity.namespace.map { " -n \($0)" } ?? "")", world)
    }
    let asker = entity.kind == "Pod" ? entity : Entity("Host", host)
    return .holds(
      Explanation(
        "\(host) is a host of the Internet, which node \(node) does not reach; \(own) it does", entity: entity,
        evidence: reasons,
        root: RootCause(
          "packets/global-endpoint", layer: .application, entity: asker,
          statement:
            "the program asks STS at the global \(host), to which no way leads from its VPC; the VPC's endpoint is for \(own)",
          evidence: reasons, fixes: [fix])))
  }
}
