import Evidence
import Mechanisms
import Wire

/// Why a container ends: its memory limit, a probe, its command, or the program itself.
struct ContainerEnds: Link {
  let code = "application/container-ends"
  let explains: [Effect.Kind] = [.containerEnds]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    guard let container = PodState(pod).containers.first(where: { $0.name == effect.detail }) else { return .silent }
    let spec = PodState.spec(of: container, in: pod)
    let events = await world.events(about: pod, kind: "Pod")
    let kills = events.events.compactMap { event -> ContainerEnding.Kill? in
      Probe.Kind.allCases.first { event.message == Probe.killed(container.name, by: $0) }
        .map { ContainerEnding.Kill($0, last: event.last) }
    }
    let verdict = ContainerEnding.decide(
      .init(
        end: .known(container.ended.isNull ? nil : ContainerEnding.End(container.ended)),
        probes: .known(Probe.Kind.allCases.compactMap { Probe($0, of: spec) }),
        kills: events.gap.map { .unknown($0) } ?? .known(kills)))
    guard let cause = verdict.value else { return verdict.isNo ? .silent : .open(verdict.gaps) }
    if case .probe(let kind) = cause {
      return .holds(
        Explanation(
          "the kubelet kills it, because its \(kind.rawValue) probe fails", entity: effect.entity,
          evidence: events.events.first { $0.message == Probe.killed(container.name, by: kind) }
            .map { [$0.exhibit(now: world.now)] } ?? [],
          causes: [.init(Effect(.probeFails, effect.entity, detail: "\(container.name)/\(kind.rawValue)"))]))
    }
    if case .unseen = cause {
      let node = Entity("Node", pod["spec"]["nodeName"].string ?? "")
      return .holds(
        Explanation(
          "it was gone with what ran it, and its runtime found it so afterwards", entity: effect.entity, evidence: [],
          causes: [.init(Effect(.nodeWentDown, node, detail: container.ended["finishedAt"].string ?? ""))]))
    }
    let log = await ContainerLog.ended(container, of: effect.entity, world)
    let end = End(pod: pod, container: container, spec: spec, cause: cause, log: log, effect: effect, world: world)
    let maker = await PodMaker.of(pod, world)
    var evidence = log.evidence
    if !ContainerEnding.End(container.ended).message.isEmpty { evidence.insert(end.message, at: 0) }
    if case .exits = cause {
      if let complaint = log.complaint(of: effect.entity) {
        return .holds(
          Explanation(
            "its command ends by itself: \(complaint.statement)", entity: effect.entity,
            evidence: [complaint.exhibit(log)],
            causes: complaint.causes))
      }
      // What it said may lead on.
      if log.gap != nil {
        return .holds(
          Explanation(
            end.step, entity: effect.entity, evidence: evidence,
            causes: [.init(Effect(.lastWords, effect.entity, detail: container.name))]))
      }
    }
    return .holds(
      Explanation(
        end.step, entity: effect.entity, evidence: evidence, root: end.root(maker),
        notNeeded: log.gap.map { [$0] } ?? []))
  }
}

/// What a container wrote before it ended can't be read.
struct LastWordsUnread: Link {
  let code = "application/last-words"
  let explains: [Effect.Kind] = [.lastWords]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.object(.pods, namespace: effect.entity.namespace, name: effect.entity.name)
    guard let pod = found.first else { return found.gap.map { .open([$0]) } ?? .silent }
    guard let container = PodState(pod).containers.first(where: { $0.name == effect.detail }) else { return .silent }
    let log = await ContainerLog.ended(container, of: effect.entity, world)
    return log.gap.map { .open([$0]) } ?? .silent
  }
}

/// One end of a container, in words.
private struct End {
  let pod: JSON
  let container: PodState.Container
  let spec: JSON
  let cause: ContainerEnding.Cause
  let log: ContainerLog
  let effect: Effect
  let world: Investigation

  private var name: String { container.name }
  private var end: ContainerEnding.End { ContainerEnding.End(container.ended) }
  private var title: String { "\(container.isInit ? "init container" : "container") \(name)" }
  private var verify: String { "ekswhy \(effect.entity.title) -n \(effect.entity.namespace ?? "default")" }

  var message: Exhibit {
    Exhibit(
      Cite.object(
        pod, "Pod", resource: .pods, field: "status.containerStatuses[\(name)].lastState.terminated.message",
        value: end.message, at: end.finished),
      text: "its status: \"\(Ages.shortened(end.message, 240))\"")
  }

  /// `; its last words: no database at db:5432`.
  private var words: String {
    if let last = log.lines.last { return "; its last words: \(last)" }
    if let gap = log.gap { return "; its log could not be read (\(gap.why))" }
    return "; its log is empty"
  }

  var step: String {
    switch cause {
    case .memory: "the kernel killed it for want of memory"
    case .commandMissing, .commandUnusable, .notStarted: "its command can't be started"
    case .signal(let number): "it was ended by signal \(number)\(End.signal(number))"
    default: "its command ends by itself\(words)"
    }
  }

  static func signal(_ number: Int) -> String {
    let names = [
      1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL",
      11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM",
    ]
    return names[number].map { " (\($0))" } ?? ""
  }

  func root(_ maker: PodMaker) -> RootCause {
    let (code, statement, fix) = told(maker)
    // What runs in kube-system is EKS's, or at least not what operators wrote.
    let layer: RootCause.Layer = effect.entity.namespace == "kube-system" ? .inCluster : .application
    return RootCause(code, layer: layer, entity: effect.entity, statement: statement, fixes: [fix])
  }

  private func told(_ maker: PodMaker) -> (String, String, Fix) {
    func change(_ statement: String) -> Fix { maker.fix(statement, patch: nil, verify: verify, world) }
    switch cause {
    case .memory: return memory(maker)
    case .commandMissing:
      return (
        "application/command-not-found", "\(title) can't be started: \(missing)",
        change("correct the command of container \(name), or use an image that holds it")
      )
    case .commandUnusable:
      return (
        "application/command-not-executable",
        "\(title) can't be started: its command can't be executed\(end.message.isEmpty ? words : " (\(Ages.shortened(end.message, 160)))")",
        change(
          "make the file executable in the image, or use an image for the node's architecture, for container \(name)")
      )
    case .notStarted:
      return (
        "application/container-not-started",
        "\(title) can't be started: \(Ages.shortened(end.message, 200))",
        change("correct what the message names, for container \(name)")
      )
    case .completed:
      let restarts =
        container.isInit ? "" : ", and restartPolicy \(pod["spec"]["restartPolicy"].string ?? "Always") starts it again"
      return (
        "application/command-completes", "\(title)'s command ends by itself with exit code 0\(restarts)\(words)",
        change("give container \(name) a command that goes on running, or make it a Job")
      )
    case .signal(let number):
      return (
        "application/ended-by-signal",
        "\(title) was ended by signal \(number)\(End.signal(number)), which neither a probe nor its memory limit explains\(words)",
        change("mend what container \(name) runs; a crash in native code and a kill from inside look alike here")
      )
    case .exits(let code):
      return (
        "application/command-fails", "\(title)'s command ends by itself with exit code \(code)\(words)",
        change("mend what container \(name) runs, or what it is configured with")
      )
    case .probe, .unseen: preconditionFailure("another link's")
    }
  }

  private var missing: String {
    if let at = end.message.firstRange(of: "exec: ") {
      return "its image has no \(Ages.shortened(String(end.message[at.upperBound...]), 120))"
    }
    return "the shell found no such command\(words)"
  }

  private func memory(_ maker: PodMaker) -> (String, String, Fix) {
    let limit = spec["resources"]["limits"]["memory"]
    guard let text = limit.string ?? limit.int.map(String.init), let amount = limit.quantity else {
      return (
        "application/memory-limit",
        "\(title) was killed because its node had no memory left; it has no memory limit of its own",
        maker.fix(
          "give container \(name) a memory request and limit, so that it is placed where there is room", patch: nil,
          verify: verify, world)
      )
    }
    let double = (amount + amount).description
    let path = maker.path(container: name, isInit: container.isInit).map { "\($0)/resources/limits/memory" }
    return (
      "application/memory-limit", "\(title) was killed at its memory limit of \(text)",
      maker.fix(
        "raise the memory limit of container \(name), here to twice what it is, or make it use less",
        patch: path.map { [.step("replace", $0, .string(double))] },
        undo: path.map { [.step("replace", $0, .string(text))] }, verify: verify, world)
    )
  }
}
