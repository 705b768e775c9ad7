import Evidence
import Mechanisms
import Wire

/// A probe of a pod with security groups of its own is not answered in time: either its packets are stopped between
/// the node and the pod's interface, or the program is slow.
struct ProbeUnanswered: Link {
  let code = "packets/probe-unanswered"
  let explains: [Effect.Kind] = [.probeUnanswered]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let parts = effect.detail.split(separator: "/").map(String.init)
    let state = PodState(pod)
    guard parts.count == 2, let kind = Probe.Kind(rawValue: parts[1]),
      let container = state.containers.first(where: { $0.name == parts[0] }),
      let probe = Probe(kind, of: PodState.spec(of: container, in: pod)),
      let port = probe.port?.number.flatMap({ UInt16(exactly: $0) }), let node = pod["spec"]["nodeName"].string
    else { return .silent }
    let slow = ProbeTrouble(
      container: container, spec: PodState.spec(of: container, in: pod), probe: probe, complaint: .late,
      effect: effect, world: world)
    let tracer = Tracer(world, namespace: effect.entity.namespace ?? "default")
    let way: (findings: TraceFindings, walks: [PacketWalk])
    do throws(QuestionError) {
      way = try await tracer.ways(from: node, to: pod, port: port)
    } catch {
      if case .unreachable(let gap) = error { return .open([gap]) }
      return .open([
        Gap(read: "the way from node \(node) to the pod", why: "\(error)", how: "curl the port from the node")
      ])
    }
    let hasBranch = PodENI(pod: pod) != nil
    // What isn't known may stop it before that which does further on.
    let gaps = way.walks.flatMap(\.gaps) + way.findings.reading.gaps
    guard gaps.isEmpty else { return .open(gaps) }
    let entity = Entity("Pod", effect.entity.name, namespace: effect.entity.namespace)
    if let stopped = way.walks.first(where: { $0.truth == .no }), var root = await way.findings.cause(of: stopped) {
      root.fixes = root.fixes.map { fix in
        var fix = fix
        fix.verify = "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")"
        return fix
      }
      return .holds(
        Explanation(
          "the kubelet's packets to port \(port)\(hasBranch ? " go by the VPC, for the pod has an interface of its own, and" : "") \(stopped.back == nil ? "don't arrive" : hasBranch ? "the answers don't come back" : "arrive, and the answers don't come back")",
          entity: entity, evidence: root.evidence, root: root))
    }
    let exhibit = Exhibit(
      Citation(source: "walk", locator: way.findings.title, value: "arrives, and is answered", at: world.now),
      text: "\(way.findings.title): groups, ACLs and routes let it through, both ways")
    return .holds(
      Explanation(
        "packets of its node reach port \(port), and answers come back", entity: entity, evidence: [exhibit],
        root: slow.root(await PodMaker.of(pod, world))))
  }
}
