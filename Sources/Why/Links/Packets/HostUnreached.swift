import Evidence
import Mechanisms
import Wire

/// A program gets no connection: its packets are stopped on their way, or nobody listens where they come.
struct HostUnreached: Link {
  let code = "packets/host-unreached"
  let explains: [Effect.Kind] = [.hostUnreached]

  /// What a detail ends with where nothing came back: a port on which nobody listens is told.
  static let silence = " silence"

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let isSilence = effect.detail.hasSuffix(Self.silence)
    let detail = isSilence ? String(effect.detail.dropLast(Self.silence.count)) : effect.detail
    guard let colon = detail.lastIndex(of: ":"), let port = UInt16(detail[detail.index(after: colon)...]) else {
      return .silent
    }
    let host = String(detail[..<colon])
    let entity = effect.entity
    var node = entity.name
    if entity.kind == "Pod" {
      let found = await world.object(.pods, namespace: entity.namespace, name: entity.name)
      guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
      guard let name = pod["spec"]["nodeName"].string else { return .silent }
      node = name
    }
    if let address = IPv4Address(host) { return await way(from: entity, to: address, port, host, isSilence, world) }
    guard Self.isInCluster(host), entity.kind == "Pod" else {
      return await ServiceConnection(node: node, host: host, entity: entity).finding([], at: nil, world)
    }
    let found = await world.names(host, namespace: entity.namespace ?? "default", from: entity.name)
    guard let reading = found.reading else { return found.gap.map { .open([$0]) } ?? .silent }
    guard reading.gaps.isEmpty else { return .open(reading.gaps) }
    guard case .addresses(let addresses, _, _) = reading.trace.result,
      let address = addresses.lazy.compactMap({ IPv4Address($0) }).first
    else {
      let name = Entity("Name", host, namespace: entity.namespace)
      return .holds(
        Explanation(
          "it gets no address for \(host)", entity: entity, evidence: [],
          causes: [.init(Effect(.nameLookup, name, detail: entity.name))]))
    }
    return await way(from: entity, to: address, port, host, isSilence, world)
  }

  /// Names of Services, as far as they show it.
  private static func isInCluster(_ host: String) -> Bool {
    !host.contains(".") || host.hasSuffix(".svc") || host.hasSuffix(".cluster.local")
      || host.split(separator: ".").count == 2 && !PublicNames.isTopLevel(host)
  }

  private func way(
    from entity: Entity, to address: IPv4Address, _ port: UInt16, _ host: String, _ isSilence: Bool,
    _ world: Investigation
  ) async -> Finding {
    let tracer = Tracer(world, namespace: entity.namespace ?? "default")
    let source = TraceEnd(entity.kind == "Pod" ? .pod(entity.name) : .node(entity.name))
    let way: (findings: TraceFindings, walks: [PacketWalk])
    do throws(QuestionError) {
      way = try await tracer.ways(from: source, to: TraceEnd(.address(address), port: port))
    } catch {
      if case .unreachable(let gap) = error { return .open([gap]) }
      return .open([
        Gap(read: "the way from \(entity.title) to \(host):\(port)", why: "\(error)", how: "curl it from there")
      ])
    }
    let gaps = way.walks.flatMap(\.gaps) + way.findings.reading.gaps
    guard gaps.isEmpty else { return .open(gaps) }
    if let stopped = way.walks.first(where: { $0.truth == .no }), var root = await way.findings.cause(of: stopped) {
      root.fixes = root.fixes.map { fix in
        var fix = fix
        fix.verify = "ekswhy \(entity.title)\(entity.namespace.map { " -n \($0)" } ?? "")"
        return fix
      }
      return .holds(
        Explanation(
          stopped.back == nil
            ? "its packets to \(host):\(port) don't arrive" : "the answers of \(host):\(port) don't come back to it",
          entity: entity, evidence: root.evidence, root: root))
    }
    let exhibit = Exhibit(
      Citation(source: "walk", locator: way.findings.title, value: "arrives, and is answered", at: world.now),
      text: "\(way.findings.title): groups, ACLs, routes and rules let it through, both ways")
    guard entity.kind == "Pod" else {
      return .refuted("packets of \(entity.title) arrive at \(host):\(port)", [exhibit])
    }
    // Who does not listen says so; what swallows packets here no API shows.
    let unseen = way.findings.nodes.filter { way.findings.reading.kernels[$0] == nil }
    if isSilence, !unseen.isEmpty { return .open([world.gap(ofKernels: unseen)]) }
    return .holds(
      Explanation(
        "packets to \(host):\(port) arrive", entity: entity, evidence: [exhibit],
        root: RootCause(
          "application/peer-not-listening", layer: .application, entity: entity,
          statement:
            "it gets no connection to \(host):\(port), where its packets arrive and answers come back: what is to listen there does not, or did not yet",
          evidence: [exhibit],
          fixes: [
            Fix(
              "start what listens on \(host):\(port), or name the right address and port to the program",
              owner: "unknown", touches: [entity.title], verify: "ekswhy trace \(entity.title) \(address):\(port)")
          ])))
  }
}

/// The API servers get no connection to a node's kubelet, by which they show logs, run commands and read metrics.
struct KubeletUnreached: Link {
  let code = "packets/kubelet-unreached"
  let explains: [Effect.Kind] = [.kubeletUnreached]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let tracer = Tracer(world, namespace: "default")
    let way: (findings: TraceFindings, walks: [PacketWalk])
    do throws(QuestionError) {
      way = try await tracer.ways(from: TraceEnd(.apiServer), to: TraceEnd(.node(effect.entity.name), port: 10250))
    } catch {
      if case .unreachable(let gap) = error { return .open([gap]) }
      return .open([
        Gap(read: "the way from the API servers to node \(effect.entity.name)", why: "\(error)", how: "")
      ])
    }
    let gaps = way.walks.flatMap(\.gaps) + way.findings.reading.gaps
    guard gaps.isEmpty else { return .open(gaps) }
    guard let stopped = way.walks.first(where: { $0.truth == .no }), let root = await way.findings.cause(of: stopped)
    else {
      return .refuted(
        "packets of the API servers reach its port 10250, and answers come back",
        [Exhibit(Citation(source: "walk", locator: way.findings.title, value: "arrives", at: world.now))])
    }
    return .holds(
      Explanation(
        "the API servers' packets to its kubelet (port 10250) \(stopped.back == nil ? "don't arrive" : "arrive, and answers don't come back")",
        entity: effect.entity, evidence: root.evidence, root: root))
  }
}
