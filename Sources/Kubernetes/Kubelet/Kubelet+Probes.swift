import Containers
import Mechanisms
import Wire
import World

/// Probes of containers: each on its own time, each with its own counts.
///
/// Source: kubernetes `pkg/kubelet/prober`.
extension Kubelet {
  /// Carries out what is due of a container's probes and sets when the next is.
  mutating func probe(
    _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    let spec = spec(of: record.containers[index].name, pod)
    for kind in Probe.Kind.allCases {
      let container = record.containers[index]
      guard let since = container.runningSince, !container.wasToldToStop else { return }
      let probe = spec[kind.field]
      guard let settings = Probe(kind, of: spec), (kind == .startup) != container.hasStarted else { continue }
      // A program that runs as a component says itself whether it is ready; nothing of it is ever dead.
      if container.program != nil, kind == .liveness { continue }
      var state =
        container.probes?[kind.rawValue]
        ?? ProbeRecord(next: since + settings.initialDelay)
      guard state.next <= context.now else {
        if !rests(state, container, settings, pod) { arm(state, container, kind, pod, &turn, context) }
        continue
      }
      let outcome = outcome(of: probe, container, record, pod, context)
      state.next = context.now + settings.period
      var failure: String?
      switch outcome {
      case .passed: break
      case .failed(let why): failure = why
      case .errored(let why):
        // Says nothing of the container, and does not count.
        event(
          about(container, pod), context, type: "Warning", "Unhealthy",
          "\(kind.title) probe errored and resulted in unknown state: \(why)")
        record.containers[index].probes = record.containers[index].probes ?? [:]
        record.containers[index].probes![kind.rawValue] = state
        turn.at(state.next, quietly: true)
        continue
      }
      if let failure {
        state.successes = 0
        state.failures += 1
        // A program that has said nothing yet is given time before it is told about.
        if container.program == nil || container.saysReady != nil {
          event(
            about(container, pod), context, type: "Warning", "Unhealthy", Probe.failed(kind) + failure)
        }
      } else {
        state.failures = 0
        state.successes += 1
      }
      record.containers[index].probes = record.containers[index].probes ?? [:]
      record.containers[index].probes![kind.rawValue] = state
      settle(state, settings, probe, &record, index, pod, &turn, context)
      if record.containers[index].wasToldToStop { return }
      if kind == .startup, record.containers[index].hasStarted { continue }
      if !rests(state, container, settings, pod) { arm(state, container, kind, pod, &turn, context) }
    }
  }

  /// Whether a probe that passes will pass for ever, so that nobody has to look.
  private func rests(_ state: ProbeRecord, _ container: ContainerRecord, _ probe: Probe, _ pod: ObjectView) -> Bool {
    // The groups of its own interface may change.
    if PodENI(pod: pod.json) != nil { return false }
    guard probe.hasPassed(successes: state.successes) else { return false }
    if container.program != nil { return true }
    if case .exec = probe.target { return false }
    if container.runs == true { return false }
    return !(plan(of: container.name, pod).serves ?? []).contains { serve in
      (serve.routes ?? []).contains { $0.until != nil }
    }
  }

  private func arm(
    _ state: ProbeRecord, _ container: ContainerRecord, _ kind: Probe.Kind, _ pod: ObjectView, _ turn: inout Turn,
    _ context: Context
  ) {
    var isComing = state.failures == 0 && state.successes == 0
    if case .serves(let behaviour) = plan(of: container.name, pod).kind, let since = container.runningSince,
      since + behaviour.start > context.now
    {
      isComing = true
    }
    let isFatal = kind != .readiness && state.failures > 0 && container.restarts <= 2
    turn.at(state.next, quietly: !(isComing || isFatal))
  }

  private mutating func settle(
    _ state: ProbeRecord, _ settings: Probe, _ probe: JSON, _ record: inout PodRecord, _ index: Int, _ pod: ObjectView,
    _ turn: inout Turn, _ context: Context
  ) {
    let hasPassed = settings.hasPassed(successes: state.successes)
    let hasFailed = settings.hasFailed(failures: state.failures)
    switch settings.kind {
    case .startup where hasPassed:
      record.containers[index].hasStarted = true
      record.containers[index].isReady = spec(of: record.containers[index].name, pod)["readinessProbe"].isNull
    case .readiness where hasPassed: record.containers[index].isReady = true
    case .readiness where hasFailed: record.containers[index].isReady = false
    case .startup where hasFailed, .liveness where hasFailed:
      let grace =
        probe["terminationGracePeriodSeconds"].int ?? pod.spec["terminationGracePeriodSeconds"].int ?? 30
      stop(
        &record, index, pod, grace: grace, context,
        why: Probe.killed(record.containers[index].name, by: settings.kind))
      goOnStopping(&record, pod, &turn, context)
    default: break
    }
  }

  // MARK: - Answers

  private enum Outcome {
    case passed
    case failed(String)
    /// It could not be made.
    case errored(String)

    init(_ failure: String?) { self = failure.map { .failed($0) } ?? .passed }
  }

  private func outcome(
    of probe: JSON, _ container: ContainerRecord, _ record: PodRecord, _ pod: ObjectView, _ context: Context
  ) -> Outcome {
    let answers = ContainerAnswers(
      plan: plan(of: container.name, pod), ports: container.ports,
      declared: spec(of: container.name, pod)["ports"].items, address: record.address,
      age: container.runningSince.map { context.now - $0 } ?? .zero)
    if let fault = faultOnTheWay(probe, answers, pod, context) { return .failed(fault) }
    if container.program != nil {
      if container.saysReady == true { return .passed }
      return probe.has("httpGet")
        ? .failed("HTTP probe failed with statuscode: 503")
        : .failed(
          "{\"level\":\"info\",\"caller\":\"/root/sdk/go/src/runtime/proc.go:283\",\"msg\":\"timeout: failed to connect service \\\":50051\\\" within 5s\"}"
        )
    }
    if !probe["exec"].isNull { return execOutcome(probe, container, record, pod, context) }
    return Outcome(answers.failure(of: probe))
  }

  /// Why a probe does not come to the pod, or its answer not back; nil where both do. In the node's own network
  /// nothing stops it.
  private func faultOnTheWay(
    _ probe: JSON, _ answers: ContainerAnswers, _ pod: ObjectView, _ context: Context
  ) -> String? {
    guard !pod.isInHostNetwork, identity.fargate == nil, let target = answers.target(of: probe),
      target.host == answers.address
    else { return nil }
    let network = ClusterNetwork(cluster: identity.cluster, world: context.world)
    let effect = network.probe(pod, target.host, target.port, from: identity.host)
    return effect?.failure(target.host, target.port).flatMap { answers.failure(of: probe, dial: $0) }
  }

  /// Runs a probe's command on a copy of the pod's inside, so that its outcome is there at once.
  private func execOutcome(
    _ probe: JSON, _ container: ContainerRecord, _ record: PodRecord, _ pod: ObjectView, _ context: Context
  ) -> Outcome {
    let command = probe["exec"]["command"].strings
    let inside: PodRuntime
    if let running = context.world.state(of: PodRuntime.id(record.uid), as: PodRuntime.self) {
      guard running.has(container.name) else { return .passed }
      inside = running
    } else {
      // Of an image that nobody knows nobody knows what its programs say.
      guard ImageCatalogue.entry(spec(of: container.name, pod)["image"].string ?? "") != nil else { return .passed }
      inside = PodRuntime(cluster: identity.cluster, pod: pod, kubelet: context.id, now: context.now, seed: 1)
      inside.stand(setup(container.name, id: container.id, record, pod, context), pod, context)
    }
    let timeout = Duration.seconds(probe["timeoutSeconds"].int ?? 1)
    guard let outcome = inside.tried(command, in: container.name, timeout: timeout, at: context.now) else {
      return .failed(
        "command timed out: \"\(command.joined(separator: " "))\" timed out after \(timeout.components.seconds)s")
    }
    if outcome.isFault {
      let id = context.random { $0.hex(64) }
      return .errored(
        "rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"\(id)\": \(outcome.output)"
      )
    }
    return outcome.code == 0 ? .passed : .failed(outcome.output)
  }
}
