import Evidence
import Mechanisms
import Wire

/// One of the two queries of a lookup is lost in the connection tracking of the pod's own node.
struct QueriesRace: NameLink {
  let code = "names/queries-race"
  let explains: [Effect.Kind] = [.nameDelays]

  func test(_ reading: NameReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard let name = reading.pod["spec"]["nodeName"].string else { return .silent }
    let isService = reading.server.service["spec"]["clusterIP"].string == reading.server.address
    let found = await world.node(name)
    let kernel: Fact<String> =
      found.first.map { node in
        .known(
          node["status"]["nodeInfo"]["kernelVersion"].string ?? "",
          .read(
            Cite.object(
              node, "Node", resource: .nodes, field: "status.nodeInfo.kernelVersion",
              value: node["status"]["nodeInfo"]["kernelVersion"].string ?? "", at: found.at)))
      } ?? .unknown(found.gap ?? Gap(read: "kubernetes:get nodes/\(name)", why: "it does not exist"))
    let configuration = reading.configuration
    let inTurn = configuration.has("single-request") || configuration.has("single-request-reopen")
    let verdict = ConntrackRace.decide(
      .init(
        kernel: kernel, isTranslated: reading.gaps.first.map { .unknown($0) } ?? .known(isService),
        atOnce: reading.resolver.gaps.first.map { .unknown($0) } ?? .known(!inTurn)))
    let evidence = reading.resolverEvidence(world)
    switch verdict.outcome {
    case .open(let gaps): return .open(gaps)
    case .no:
      return .refuted(
        verdict.reasons.last?.text ?? "", verdict.reasons.flatMap(\.evidence).map { Exhibit($0) } + evidence)
    case .yes: break
    }
    let lost = NodeCounters.sum(ConntrackRace.counter, .conntrack, of: found.first ?? .null, world)
    guard let count = lost.value else { return .open([lost.gap!]) }
    let exhibits = [lost.citation, kernel.citation].compactMap { $0 }.map { Exhibit($0) }
    guard count > 0 else { return .refuted("\(ConntrackRace.counter) is 0 on its node", exhibits) }
    let maker = await PodMaker.of(reading.pod, world)
    let path = maker.specPath.map { "\($0)/dnsConfig" } ?? ""
    let known = maker.spec["dnsConfig"]
    var changed = known.isNull ? JSON.emptyObject : known
    changed["options"] = .array(known["options"].items + [["name": "single-request-reopen"]])
    let back: JSON = known.isNull ? .step("remove", path) : .step("replace", path, known)
    let entity = Entity("Node", name)
    return .holds(
      Explanation(
        "A and AAAA of a name are asked at once from one socket, and one of them may be dropped on the pod's node: it is asked for again after 5 seconds (2.5 with musl)",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          "names/conntrack-race", layer: .inCluster, entity: entity,
          statement:
            "kernel \(kernel.value ?? "") of node \(name), older than 5.7, has dropped \(Count.of(count, "datagram")) that it could not track beside another of the same socket (\(ConntrackRace.counter))",
          evidence: exhibits,
          fixes: [
            maker.fix(
              "lets glibc ask for A and AAAA one after the other; images with musl (Alpine) take no notice of it",
              patch: [.step("add", path, changed)], undo: [back],
              verify: "ekswhy name/\(reading.name) --seen-from pod/\(effect.detail)", world),
            Fix(
              "for all pods: nodes of a current AMI, whose kernel keeps both; or NodeLocal DNSCache", owner: "hand",
              touches: [entity.title], restarts: true),
          ])))
  }
}
