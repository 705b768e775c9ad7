import Evidence
import Mechanisms
import Wire

/// A container runs, and its startup or readiness probe does not pass.
struct ContainerNotReady: Link {
  let code = "application/container-not-ready"
  let explains: [Effect.Kind] = [.podFails]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let state = PodState(pod)
    // One that crashes is explained by its end.
    guard state.crashing(now: world.now) == nil else { return .silent }
    guard let container = state.containers.first(where: { $0.isRunning && !$0.isReady && !$0.isInit }) else {
      return gates(state, effect, world)
    }
    let spec = PodState.spec(of: container, in: pod)
    let isStarted = pod["status"]["containerStatuses"].items.first { $0["name"].string == container.name }?["started"]
      .bool
    let kind: Probe.Kind = Probe(.startup, of: spec) != nil && isStarted == false ? .startup : .readiness
    guard Probe(kind, of: spec) != nil else { return .silent }
    return .holds(
      Explanation(
        "its container \(container.name) runs, and its \(kind.rawValue) probe does not pass", entity: effect.entity,
        evidence: [state.exhibit(world.now)],
        causes: [.init(Effect(.probeFails, effect.entity, detail: "\(container.name)/\(kind.rawValue)"))]))
  }

  /// All containers are ready, and a readiness gate isn't met.
  private func gates(_ state: PodState, _ effect: Effect, _ world: Investigation) -> Finding {
    let containers = state.containers.filter { !$0.isInit }
    guard !containers.isEmpty, containers.allSatisfy(\.isReady) else { return .silent }
    let unmet = state.pod["spec"]["readinessGates"].items.compactMap { $0["conditionType"].string }
      .first { state.condition($0)["status"].string != "True" }
    guard let unmet else { return .silent }
    let condition = state.condition(unmet)
    let said = condition["message"].string.map { ": \($0)" } ?? ""
    let exhibit = Exhibit(
      Cite.object(
        state.pod, "Pod", resource: .pods, field: "status.conditions[\(unmet)]",
        value: condition["status"].string ?? "absent", at: condition["lastTransitionTime"].time ?? world.now))
    return .holds(
      Explanation(
        "its containers are ready, and its readiness gate isn't met", entity: effect.entity, evidence: [exhibit],
        root: RootCause(
          "application/readiness-gate", layer: .kubernetes, entity: effect.entity,
          statement: "its readiness gate \(unmet) is \(condition["status"].string ?? "not set by anyone")\(said)",
          evidence: [exhibit],
          fixes: [
            Fix(
              "look at the controller that sets the condition \(unmet): it has to be there and to find the pod well",
              owner: "unknown", touches: [effect.entity.title])
          ])))
  }
}

/// What a probe that fails complains of.
struct ProbeFails: Link {
  let code = "application/probe-fails"
  let explains: [Effect.Kind] = [.probeFails]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    let parts = effect.detail.split(separator: "/").map(String.init)
    let state = PodState(pod)
    guard parts.count == 2, let kind = Probe.Kind(rawValue: parts[1]),
      let container = state.containers.first(where: { $0.name == parts[0] }),
      let probe = Probe(kind, of: PodState.spec(of: container, in: pod))
    else { return .silent }
    let events = await world.events(about: pod, kind: "Pod")
    let prefix = Probe.failed(kind)
    let isOnly = pod["spec"]["containers"].items.count == 1
    let complaint = events.events.first { event in
      event.reason == "Unhealthy" && event.message.hasPrefix(prefix)
        && (event.container == container.name || event.container == nil && isOnly)
    }
    guard let complaint else {
      let gap =
        events.gap
        ?? Gap(
          read: "kubernetes:list events about \(effect.entity.title)",
          why: "none of them tells what the probe of container \(container.name) got; events are kept for an hour",
          how: "wait for the next failure, or ask the container itself: \(probe.text)")
      return .open([gap])
    }
    let trouble = ProbeTrouble(
      container: container, spec: PodState.spec(of: container, in: pod), probe: probe,
      complaint: ProbeComplaint(String(complaint.message.dropFirst(prefix.count)), of: probe), effect: effect,
      world: world)
    let field = Exhibit(
      Cite.object(
        pod, "Pod", resource: .pods, field: "spec.containers[\(container.name)].\(kind.field)", value: probe.text,
        at: world.now),
      text: "k8s pods/\(effect.entity.namespace ?? "")/\(effect.entity.name), \(kind.field) of \(container.name): "
        + "\(probe.text), after \(Ages.text(probe.initialDelay)), every \(Ages.text(probe.period)), "
        + "within \(Ages.text(probe.timeout)), \(Count.of(probe.failureThreshold, "failure"))")
    if case .late = trouble.complaint, let closed = await closed(pod, probe, complaint, world, effect) { return closed }
    let maker = await PodMaker.of(pod, world)
    // Between a node and its other pods packets get lost only where its kernel holds something else than the CNI laid
    // out.
    var mayBeStopped = PodENI(pod: pod) != nil
    if !mayBeStopped, let node = pod["spec"]["nodeName"].string {
      mayBeStopped = await world.nodeFiles(node) != nil
    }
    mayBeStopped = mayBeStopped && trouble.complaint == .late && probe.port != nil
    guard !mayBeStopped else {
      return .holds(
        Explanation(
          "its \(kind.rawValue) probe is \(probe.text), and \(trouble.got)", entity: effect.entity,
          evidence: [complaint.exhibit(now: world.now), field],
          causes: [.init(Effect(.probeUnanswered, effect.entity, detail: effect.detail))],
          lastSymptomAt: complaint.last))
    }
    return .holds(
      Explanation(
        "its \(kind.rawValue) probe is \(probe.text), and \(trouble.got)", entity: effect.entity,
        evidence: [complaint.exhibit(now: world.now), field], root: trouble.root(maker),
        lastSymptomAt: complaint.last))
  }
}

extension ProbeFails {
  /// Where network policies keep the node's own packets from the pod.
  private func closed(
    _ pod: JSON, _ probe: Probe, _ complaint: EventRecord, _ world: Investigation, _ effect: Effect
  ) async -> Finding? {
    guard let node = pod["spec"]["nodeName"].string, let port = probe.port?.number,
      let from = pod["status"]["hostIP"].string.flatMap({ IPv4Address($0) }),
      let to = pod["status"]["podIP"].string.flatMap({ IPv4Address($0) })
    else { return nil }
    let neighbours = await world.pods(on: node)
    guard let policies = await world.policies(pods: neighbours) else {
      return neighbours.gap.map { .open([$0]) }
    }
    guard let known = policies.value else { return .open([policies.gap!]) }
    let packet = Packet(.tcp, from: from, 40000, to: to, UInt16(clamping: port))
    guard let policy = known.policy(of: pod), !policy.answer(packet, .ingress).passes else { return nil }
    let denial = PolicyDenial(
      world: world, key: "\(effect.entity.namespace ?? "default")/\(effect.entity.name)", policy: policy,
      packet: packet, direction: .ingress, peer: .null,
      verify: "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")")
    if let gap = await denial.gap() { return .open([gap]) }
    let why = PolicyAdmission.text(policy.answer(packet, .ingress), policy, packet, .ingress)
    let exhibit = Exhibit(
      policies.citation ?? Citation(source: "kubernetes", locator: "policyendpoints", at: world.now),
      text: "k8s policyendpoints, and aws-node on \(node): \(why)")
    return .holds(
      Explanation(
        "its \(probe.kind.rawValue) probe gets no answer: network policies keep the kubelet's packets from it",
        entity: effect.entity, evidence: [complaint.exhibit(now: world.now), exhibit],
        root: await denial.root(exhibit), lastSymptomAt: complaint.last))
  }
}

/// A probe that fails, in words.
struct ProbeTrouble {
  let container: PodState.Container
  let spec: JSON
  let probe: Probe
  let complaint: ProbeComplaint
  let effect: Effect
  let world: Investigation

  private var verify: String { "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")" }
  private var name: String { "the \(probe.kind.rawValue) probe of container \(container.name)" }

  var got: String {
    switch complaint {
    case .refused: "nothing listens there"
    case .late: "no answer comes within \(Ages.text(probe.timeout))"
    case .status(let status): "it is answered \(status)"
    case .command(let output): output.isEmpty ? "it fails without a word" : "it fails: \(Ages.shortened(output, 120))"
    case .other(let text): "it fails: \(Ages.shortened(text, 120))"
    }
  }

  /// Ports that the container declares, other than the probe's.
  private var declared: [Int] { spec["ports"].items.compactMap { $0["containerPort"].int } }

  func root(_ maker: PodMaker) -> RootCause {
    let (code, statement, fix) = told(maker)
    return RootCause(
      code, layer: effect.entity.namespace == "kube-system" ? .inCluster : .application, entity: effect.entity,
      statement: statement, fixes: [fix])
  }

  private func told(_ maker: PodMaker) -> (String, String, Fix) {
    switch complaint {
    case .refused: return refused(maker)
    case .late:
      let longer = max(Int(probe.timeout.components.seconds) * 5, 5)
      return (
        "application/probe-times-out",
        "\(name) gets no answer within its timeout of \(Ages.text(probe.timeout)) (\(probe.text))",
        fix(
          maker, "give it more time, here \(longer)s, or make the answer quicker", field: "timeoutSeconds",
          value: .int(Int64(longer)))
      )
    case .status(let status): return answered(status, maker)
    case .command(let output):
      return (
        "application/probe-command-fails",
        "\(name) runs \(probe.text), which fails\(output.isEmpty ? "" : ": \(Ages.shortened(output, 160))")",
        fix(maker, "correct the probe's command, or what it finds to be wrong", field: nil, value: .null)
      )
    case .other(let text):
      return (
        "application/probe-fails", "\(name) fails (\(probe.text)): \(Ages.shortened(text, 200))",
        fix(maker, "correct the probe, or what answers it", field: nil, value: .null)
      )
    }
  }

  private func refused(_ maker: PodMaker) -> (String, String, Fix) {
    let port = probe.port?.number ?? 0
    if !declared.isEmpty, !declared.contains(port) {
      let list = Count.list(declared.map(String.init))
      return (
        "application/probe-port-closed",
        "\(name) asks port \(probe.port?.name ?? ""), on which nothing listens; the container declares port \(list)",
        fix(
          maker, "probe port \(declared[0]) instead, which the container declares", field: "\(probe.targetField)/port",
          value: .int(Int64(declared[0])))
      )
    }
    if probe.kind == .liveness, spec["startupProbe"].isNull {
      return (
        "application/probe-port-closed",
        "nothing listens on port \(port) within the \(Ages.text(probe.patience)) that \(name) leaves it after its start; there is no startup probe to wait for it",
        startup(maker)
      )
    }
    let limit = probe.kind == .startup ? " within the \(Ages.text(probe.patience)) that it is given" : ""
    return (
      "application/probe-port-closed", "\(name) asks port \(port), on which nothing listens\(limit)",
      fix(
        maker, "make the program listen on port \(port) on all addresses, or probe the port that it listens on",
        field: nil, value: .null)
    )
  }

  private func answered(_ status: Int, _ maker: PodMaker) -> (String, String, Fix) {
    guard case .http(let port, let path, let isTLS) = probe.target else {
      return (
        "application/probe-fails", "\(name) is answered \(status)",
        fix(maker, "correct the probe, or what answers it", field: nil, value: .null)
      )
    }
    switch status {
    case 404:
      return (
        "application/probe-path-missing",
        "\(name) asks for \(path) on port \(port.name), and there is no such path: 404",
        fix(
          maker, "probe a path that the program has: /, unless you know a better one", field: "httpGet/path",
          value: path == "/" ? .null : "/")
      )
    case 401, 403:
      return (
        "application/probe-not-allowed", "\(name) asks for \(path) without credentials, and is answered \(status)",
        fix(maker, "probe a path that needs no credentials", field: nil, value: .null)
      )
    case 400 where !isTLS:
      return (
        "application/probe-fails",
        "\(name) asks for \(path) by plain HTTP and is answered 400, as ports that speak TLS answer",
        fix(maker, "probe by HTTPS where the port speaks TLS", field: "httpGet/scheme", value: "HTTPS")
      )
    default:
      return (
        "application/says-unwell",
        "the program in container \(container.name) answers its \(probe.kind.rawValue) probe \(path) with \(status): it says itself that it is not well",
        fix(maker, "look into the program: its log, and what it depends on", field: nil, value: .null)
      )
    }
  }

  private func fix(_ maker: PodMaker, _ statement: String, field: String?, value: JSON) -> Fix {
    guard let field, !value.isNull, let path = maker.path(container: container.name, isInit: container.isInit) else {
      return maker.fix(statement, patch: nil, verify: verify, world)
    }
    let place = "\(path)/\(probe.kind.field)/\(field)"
    let steps = field.split(separator: "/").map(String.init)
    let old = spec[probe.kind.field].at(steps)
    return maker.fix(
      statement, patch: [.step("add", place, value)],
      undo: [old.isNull ? .step("remove", place) : .step("replace", place, old)], verify: verify, world)
  }

  private func startup(_ maker: PodMaker) -> Fix {
    let statement =
      "give it a startup probe of the same target that waits five minutes, if it starts slowly; else mend what it runs, or the port"
    guard let path = maker.path(container: container.name, isInit: container.isInit) else {
      return maker.fix(statement, patch: nil, verify: verify, world)
    }
    var copy = JSON.emptyObject
    copy[probe.targetField] = spec[probe.kind.field][probe.targetField]
    copy["periodSeconds"] = 10
    copy["failureThreshold"] = 30
    return maker.fix(
      statement, patch: [.step("add", "\(path)/startupProbe", copy)],
      undo: [.step("remove", "\(path)/startupProbe")], verify: verify, world)
  }
}
