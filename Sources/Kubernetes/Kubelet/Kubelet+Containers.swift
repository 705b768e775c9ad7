import Containers
import Wire
import World

/// Containers of a node's pods: images, starts, probes, ends, restarts.
extension Kubelet {
  func spec(of name: String, _ pod: ObjectView) -> JSON {
    for list in ["containers", "initContainers", "ephemeralContainers"] {
      if let found = pod.spec[list].items.first(where: { $0["name"].string == name }) { return found }
    }
    return .null
  }

  func about(_ container: ContainerRecord, _ pod: ObjectView) -> JSON {
    var reference = pod.reference
    let list = container.isInit ? "initContainers" : container.isMain ? "containers" : "ephemeralContainers"
    reference["fieldPath"] = .string("spec.\(list){\(container.name)}")
    return reference
  }

  // MARK: - Order

  /// Starts what may start: ephemeral containers at once, init containers one after another, then all others.
  mutating func runContainers(
    _ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    takeEphemeral(&record, pod)
    for index in record.containers.indices where record.containers[index].isEphemeral == true {
      drive(&record, index, pod, &turn, context)
    }
    for index in record.containers.indices where record.containers[index].isInit {
      drive(&record, index, pod, &turn, context)
      let container = record.containers[index]
      let isDone =
        container.isSidecar
        ? container.isRunning && container.hasStarted && container.postStart == nil : container.exit?.code == 0
      guard isDone else {
        // Sidecars that run already are still looked after.
        for other in 0..<index where record.containers[other].isSidecar {
          drive(&record, other, pod, &turn, context)
        }
        return
      }
    }
    for index in record.containers.indices {
      let container = record.containers[index]
      if container.isMain {
        if case .waiting("PodInitializing", let message) = container.state {
          record.containers[index].state = .waiting(reason: "PodInitializing", message: message)
        }
        drive(&record, index, pod, &turn, context)
        // Those behind it begin when its hook is over.
        if record.containers[index].postStart != nil { return }
      }
    }
  }

  /// Takes on the ephemeral containers that its pod was given since.
  private func takeEphemeral(_ record: inout PodRecord, _ pod: ObjectView) {
    for spec in pod.spec["ephemeralContainers"].items {
      guard let name = spec["name"].string, !record.containers.contains(where: { $0.name == name }) else { continue }
      var container = ContainerRecord(
        name: name, isInit: false, state: .waiting(reason: "ContainerCreating", message: ""))
      container.isEphemeral = true
      record.containers.append(container)
    }
  }

  private mutating func drive(
    _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    switch record.containers[index].state {
    case .running:
      if isInPostStart(&record, index, &turn, context) { return }
      probe(&record, index, pod, &turn, context)
      if let ends = record.containers[index].ends {
        turn.at(ends, quietly: ends - context.now > .seconds(60))
      }
    case .waiting: start(&record, index, pod, &turn, context)
    case .terminated(let exit):
      guard mayRestart(record.containers[index], exit, pod) else { return }
      restart(&record, index, exit, pod, &turn, context)
    }
  }

  /// Whether a container that has ended is started again.
  func mayRestart(_ container: ContainerRecord, _ exit: ContainerExit, _ pod: ObjectView) -> Bool {
    if container.isEphemeral == true { return false }
    let spec = spec(of: container.name, pod)
    return RestartPolicy(
      pod: pod.spec["restartPolicy"].string ?? "Always", container: spec["restartPolicy"].string,
      rules: spec["restartPolicyRules"].items, isInit: container.isInit && !container.isSidecar
    ).restarts(after: exit.code)
  }

  private mutating func restart(
    _ record: inout PodRecord, _ index: Int, _ exit: ContainerExit, _ pod: ObjectView, _ turn: inout Turn,
    _ context: Context
  ) {
    // Ten minutes of life make the pause start anew.
    if exit.finishedAt - exit.startedAt >= .seconds(600) { record.containers[index].crashPause = .zero }
    let pause = record.containers[index].crashPause
    if record.containers[index].notBefore == nil, pause > .zero {
      record.containers[index].notBefore = exit.finishedAt + pause
    }
    record.containers[index].last = exit
    guard let notBefore = record.containers[index].notBefore, notBefore > context.now else {
      start(&record, index, pod, &turn, context)
      return
    }
    if let failure = record.containers[index].hookFailure {
      record.containers[index].hookFailure = nil
      record.containers[index].state = .waiting(reason: Self.hookError, message: failure)
      turn.at(context.now + .seconds(1), quietly: record.containers[index].restarts > 3)
      return
    }
    holdBack(&record, index, until: notBefore, pod, &turn, context)
  }

  private static let hookError = "PostStartHookError"

  private mutating func holdBack(
    _ record: inout PodRecord, _ index: Int, until notBefore: Timestamp, _ pod: ObjectView, _ turn: inout Turn,
    _ context: Context
  ) {
    let name = record.containers[index].name
    let told = Self.goSeconds(record.containers[index].crashPause)
    record.containers[index].state = .waiting(
      reason: "CrashLoopBackOff",
      message: "back-off \(told) restarting failed container=\(name) pod=\(Self.title(pod))")
    event(
      about(record.containers[index], pod), context, type: "Warning", "BackOff",
      "Back-off restarting failed container \(name) in pod \(Self.title(pod))")
    turn.at(notBefore, quietly: record.containers[index].restarts > 3)
  }

  private static func goSeconds(_ pause: Duration) -> String {
    let seconds = pause.components.seconds
    return seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s"
  }

  // MARK: - Start

  private mutating func start(
    _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    if let notBefore = record.containers[index].notBefore, notBefore > context.now {
      if case .waiting(Self.hookError, _) = record.containers[index].state {
        return holdBack(&record, index, until: notBefore, pod, &turn, context)
      }
      let isOld = record.containers[index].restarts > 3 || record.containers[index].failedPulls > 3
      turn.at(notBefore, quietly: isOld)
      return
    }
    guard pull(&record, index, pod, &turn, context) else { return }
    if let fault = configFault(spec(of: record.containers[index].name, pod), pod, context) {
      record.containers[index].state = .waiting(reason: "CreateContainerConfigError", message: fault)
      event(about(record.containers[index], pod), context, type: "Warning", "Failed", "Error: \(fault)")
      record.containers[index].notBefore = context.now + .seconds(10)
      turn.at(context.now + .seconds(10), quietly: true)
      return
    }
    run(&record, index, pod, &turn, context)
  }

  /// Why the container's environment cannot be made.
  private func configFault(_ spec: JSON, _ pod: ObjectView, _ context: Context) -> String? {
    for variable in spec["env"].items {
      for (field, resource, kind) in [
        ("configMapKeyRef", "configmaps", "configmap"), ("secretKeyRef", "secrets", "secret"),
      ] {
        let reference = variable["valueFrom"][field]
        guard let name = reference["name"].string, reference["optional"].bool != true else { continue }
        guard let object = read(resource, pod.namespace, name, context) else { return "\(kind) \"\(name)\" not found" }
        let key = reference["key"].string ?? ""
        if !object["data"].has(key), !object["binaryData"].has(key) {
          let title = kind == "secret" ? "Secret" : "ConfigMap"
          return "couldn't find key \(key) in \(title) \(pod.namespace)/\(name)"
        }
      }
    }
    for source in spec["envFrom"].items {
      for (field, resource, kind) in [
        ("configMapRef", "configmaps", "configmap"), ("secretRef", "secrets", "secret"),
      ] {
        guard let name = source[field]["name"].string, source[field]["optional"].bool != true,
          read(resource, pod.namespace, name, context) == nil
        else { continue }
        return "\(kind) \"\(name)\" not found"
      }
    }
    return nil
  }

  private mutating func run(
    _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    let name = record.containers[index].name
    let subject = about(record.containers[index], pod)
    event(subject, context, "Created", "Created container: \(name)")
    let plan = plan(of: name, pod)
    let fault: String? = if case .fault(let text) = plan.kind { text } else { nil }
    if let fault {
      event(subject, context, type: "Warning", "Failed", "Error: \(Self.startFault(fault))")
    } else {
      event(subject, context, "Started", "Started container \(name)")
    }
    if case .terminated(let exit) = record.containers[index].state { record.containers[index].last = exit }
    if record.containers[index].last != nil { record.containers[index].restarts += 1 }
    let id = context.random { $0.hex(64) }
    record.containers[index].id = id
    record.containers[index].state = .running(since: context.now)
    record.containers[index].notBefore = nil
    record.containers[index].wasToldToStop = false
    record.containers[index].keepsResources = nil
    record.containers[index].stopping = nil
    record.containers[index].hookFailure = nil
    let behaviour: ServerBehaviour? = if case .serves(let behaviour) = plan.kind { behaviour } else { nil }
    record.containers[index].ends = fault != nil ? context.now : behaviour?.exit.map { context.now + $0.after }
    record.containers[index].endCode = fault != nil ? 128 : behaviour?.exit?.code ?? 0
    record.containers[index].fault = fault.map(Self.startFault)
    if fault == nil {
      limitMemory(&record.containers[index], plan, pod, context)
      watchPressure(plan, context)
    }
    record.containers[index].ports = nil
    if case .runs = plan.kind { record.containers[index].runs = true } else { record.containers[index].runs = nil }
    record.containers[index].probes = nil
    record.containers[index].saysReady = nil
    let probes = spec(of: name, pod)
    record.containers[index].hasStarted = probes["startupProbe"].isNull
    record.containers[index].isReady = probes["readinessProbe"].isNull && probes["startupProbe"].isNull
    let stream = ContainerLogs.stream(
      cluster: identity.cluster, pod: pod, container: name, attempt: record.containers[index].restarts)
    writeLog(behaviour?.log ?? [], stream, record, pod, name, context)
    record.containers[index].program = context.world.nodes.startProgram(
      NodeHooks.Launch(
        cluster: identity.cluster, instanceID: identity.instanceID, nodeName: identity.nodeName,
        region: identity.region, container: name, containerID: id, pod: pod.json, kubelet: context.id), context)
    if fault == nil, record.containers[index].program == nil {
      if record.containers[index].runs == true {
        runtime(record, pod, context)
        begin(record.containers[index], record, pod, context)
      } else if context.world.exists(PodRuntime.id(record.uid)) {
        begin(record.containers[index], record, pod, context)
      }
    }
    if fault == nil {
      beginPostStart(&record, index, pod, context)
      goOnStopping(&record, pod, &turn, context)
    }
    if !isInPostStart(&record, index, &turn, context) { probe(&record, index, pod, &turn, context) }
    if let ends = record.containers[index].ends { turn.at(ends, quietly: ends - context.now > .seconds(60)) }
  }

  /// Lets a container end where it comes to take more memory than it may.
  func limitMemory(
    _ container: inout ContainerRecord, _ plan: ContainerPlan, _ pod: ObjectView, _ context: Context
  ) {
    if container.endsByMemory == true { container.ends = nil }
    container.endsByMemory = nil
    let limit = spec(of: container.name, pod)["resources"]["limits"]["memory"].string.flatMap { Quantity($0) }
    guard let limit, let after = plan.outgrows(Int(limit.milliValue / 1000)) else { return }
    let at = max(context.now, (container.runningSince ?? context.now) + after)
    if let ends = container.ends, ends <= at { return }
    container.ends = at
    container.endCode = 137
    container.endsByMemory = true
  }

  /// How a container that could not be started is told.
  private static func startFault(_ why: String) -> String {
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: \(why)"
  }

  /// Lines of a program that is data, with what they name filled in.
  private func writeLog(
    _ lines: [String], _ stream: String, _ record: PodRecord, _ pod: ObjectView, _ name: String, _ context: Context
  ) {
    guard !lines.isEmpty else { return }
    let civil = context.now.civil
    let clock = "\(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2))"
    let klog =
      "\(civil.month.padded(2))\(civil.day.padded(2)) \(clock).\(Int(context.now.microseconds % 1_000_000).padded(6))"
    let port = plan(of: name, pod).serves?.first.map { String($0.port) } ?? ""
    for line in lines {
      var text = line
      if text.contains("{") {
        text = text.replacing("{time}", with: "\(civil.year)/\(civil.month.padded(2))/\(civil.day.padded(2)) \(clock)")
          .replacing("{rfc3339}", with: context.now.rfc3339).replacing("{klog}", with: klog)
          .replacing("{ip}", with: record.address).replacing("{hostname}", with: pod.name).replacing(
            "{port}", with: port)
      }
      context.world.logs.append(stream, at: context.now, "stdout \(text)")
    }
    ContainerLogs.told(context.world, identity.cluster, pod, name)
  }

  // MARK: - End

  /// Lets those end whose time has come.
  mutating func endContainers(
    _ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    var goesOn = true
    while goesOn {
      goesOn = false
      for index in record.containers.indices {
        guard let since = record.containers[index].runningSince, let ends = record.containers[index].ends,
          ends <= context.now
        else { continue }
        goesOn = true
        let message = terminationMessage(record.containers[index], record, pod, context)
        end(&record.containers[index], since: since, at: max(ends, since), message, context)
        let inside = PodRuntime.id(record.uid)
        if context.world.exists(inside) {
          context.send(inside, "ended", ["container": .string(record.containers[index].name)])
        }
      }
      goOnStopping(&record, pod, &turn, context)
    }
  }

  private mutating func end(
    _ container: inout ContainerRecord, since: Timestamp, at: Timestamp, _ message: String?, _ context: Context
  ) {
    let code = container.endCode
    let reason =
      container.fault != nil
      ? "StartError" : container.endsByMemory == true ? "OOMKilled" : code == 0 ? "Completed" : "Error"
    if let program = container.program {
      stop(program, context)
      container.program = nil
    }
    container.state = .terminated(
      ContainerExit(
        code: code, reason: reason, startedAt: since, finishedAt: at, containerID: container.id, message: message))
    container.fault = nil
    container.postStart = nil
    container.stopping = nil
    container.endsByMemory = nil
    container.ends = nil
    container.isReady = false
    container.hasStarted = false
    // The first restart is at once, the second after ten seconds, and so on up to five minutes.
    if container.restarts > 0 {
      container.crashPause =
        container.crashPause == .zero ? .seconds(10) : min(container.crashPause * 2, .seconds(300))
    }
    container.notBefore = nil
  }

  /// A program says whether it is ready. One that is asked over HTTP is asked again as it first says so: what
  /// counts is its own answer, and not that it didn't listen yet.
  private func heard(_ ready: Bool, _ record: inout PodRecord, _ index: Int, _ context: Context) {
    let container = record.containers[index]
    if ready, container.saysReady == nil, var state = container.probes?["readiness"],
      let pod = read("pods", record.namespace, record.name, context),
      spec(of: container.name, pod)["readinessProbe"].has("httpGet")
    {
      state.next = context.now
      state.failures = 0
      record.containers[index].probes?["readiness"] = state
    }
    record.containers[index].saysReady = ready
  }

  /// A program of a container tells how it fares.
  mutating func programTold(_ value: JSON, _ context: Context) {
    guard let uid = value["uid"].string, let name = value["container"].string, var record = pods[uid],
      let index = record.containers.firstIndex(where: { $0.name == name && $0.id == value["id"].string })
    else { return }
    if let line = value["line"].string, let pod = read("pods", record.namespace, record.name, context) {
      let stream = ContainerLogs.stream(
        cluster: identity.cluster, pod: pod, container: name, attempt: record.containers[index].restarts)
      context.world.logs.append(stream, at: context.now, "stdout \(line)")
      ContainerLogs.told(context.world, identity.cluster, pod, name)
    }
    if let fault = value["fault"].string { record.containers[index].fault = Self.startFault(fault) }
    if !value["ports"].isNull { record.containers[index].ports = value["ports"].items.compactMap(\.int) }
    if let ready = value["ready"].bool { heard(ready, &record, index, context) }
    if !value["hook"].isNull, let pod = read("pods", record.namespace, record.name, context) {
      hookEnded(value, &record, index, pod, context)
    }
    if let code = value["exit"].int {
      record.containers[index].endsByMemory = nil
      record.containers[index].ends = context.now
      record.containers[index].endCode = code
    }
    pods[uid] = record
    if value["ready"].bool != nil || value["exit"].int != nil || !value["hook"].isNull { sync(uid, context) }
  }
}
