import Containers
import Wire
import World

/// Containers of a node's pods: images, starts, probes, ends, restarts.
extension Kubelet {
  func spec(of name: String, _ pod: ObjectView) -> JSON {
    (pod.spec["containers"].items + pod.spec["initContainers"].items).first { $0["name"].string == name } ?? .null
  }

  func about(_ container: ContainerRecord, _ pod: ObjectView) -> JSON {
    var reference = pod.reference
    reference["fieldPath"] = .string("spec.\(container.isInit ? "initContainers" : "containers"){\(container.name)}")
    return reference
  }

  // MARK: - Order

  /// Starts what may start: init containers one after another, then all others.
  mutating func runContainers(
    _ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    for index in record.containers.indices where record.containers[index].isInit {
      drive(&record, index, pod, &turn, context)
      let container = record.containers[index]
      let isDone = container.isSidecar ? container.isRunning && container.hasStarted : container.exit?.code == 0
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
      if !container.isInit {
        if case .waiting("PodInitializing", let message) = container.state {
          record.containers[index].state = .waiting(reason: "PodInitializing", message: message)
        }
        drive(&record, index, pod, &turn, context)
      }
    }
  }

  private mutating func drive(
    _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    switch record.containers[index].state {
    case .running:
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

  private func mayRestart(_ container: ContainerRecord, _ exit: ContainerExit, _ pod: ObjectView) -> Bool {
    if container.isSidecar { return true }
    switch pod.spec["restartPolicy"].string ?? "Always" {
    case "Always": return !container.isInit || exit.code != 0
    case "OnFailure": return exit.code != 0
    default: return false
    }
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
    if let notBefore = record.containers[index].notBefore, notBefore > context.now {
      let name = record.containers[index].name
      let told = Self.goSeconds(pause)
      let text = "back-off \(told) restarting failed container=\(name) pod=\(pod.name)_\(pod.namespace)(\(pod.uid))"
      record.containers[index].state = .waiting(reason: "CrashLoopBackOff", message: text)
      event(
        about(record.containers[index], pod), context, type: "Warning", "BackOff",
        "Back-off restarting failed container \(name) in pod \(pod.name)_\(pod.namespace)(\(pod.uid))")
      turn.at(notBefore, quietly: record.containers[index].restarts > 3)
      return
    }
    start(&record, index, pod, &turn, context)
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

  /// Whether the image is there; asks for it otherwise.
  private mutating func pull(
    _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) -> Bool {
    let spec = spec(of: record.containers[index].name, pod)
    let image = spec["image"].string ?? ""
    let subject = about(record.containers[index], pod)
    if record.containers[index].hasImage { return true }
    guard ImageReference.isValid(image) else {
      record.containers[index].state = .waiting(
        reason: "InvalidImageName",
        message:
          "Failed to apply default image tag \"\(image)\": couldn't parse image name \"\(image)\": invalid reference format"
      )
      event(
        subject, context, type: "Warning", "InspectFailed",
        "Failed to apply default image tag \"\(image)\": couldn't parse image name \"\(image)\": invalid reference format"
      )
      event(subject, context, type: "Warning", "Failed", "Error: InvalidImageName")
      record.containers[index].notBefore = context.now + .seconds(10)
      turn.at(context.now + .seconds(10), quietly: true)
      return false
    }
    let policy = spec["imagePullPolicy"].string ?? "IfNotPresent"
    if record.containers[index].pullEnds == nil {
      if policy != "Always", images.contains(image) {
        event(subject, context, "Pulled", "Container image \"\(image)\" already present on machine")
        record.containers[index].hasImage = true
        return true
      }
      if policy == "Never" {
        record.containers[index].state = .waiting(
          reason: "ErrImageNeverPull", message: "Container image \"\(image)\" is not present with pull policy of Never")
        event(
          subject, context, type: "Warning", "ErrImageNeverPull",
          "Container image \"\(image)\" is not present with pull policy of Never")
        event(subject, context, type: "Warning", "Failed", "Error: ErrImageNeverPull")
        record.containers[index].notBefore = context.now + .seconds(10)
        turn.at(context.now + .seconds(10), quietly: true)
        return false
      }
      event(subject, context, "Pulling", "Pulling image \"\(image)\"")
      record.containers[index].pullEnds = context.now + context.durations[.imagePull]
    }
    guard let ends = record.containers[index].pullEnds, ends <= context.now else {
      turn.at(record.containers[index].pullEnds!)
      return false
    }
    record.containers[index].pullEnds = nil
    let told = self.told(of: record.containers[index].name, pod)["pull"].string
    if let failure = ImagePull.failure(image, told: told) {
      failedPull(&record, index, image, failure, pod, &turn, context)
      return false
    }
    if !images.contains(image) { images.append(image) }
    let took = Self.goMilliseconds(context.durations[.imagePull])
    event(
      subject, context, "Pulled",
      "Successfully pulled image \"\(image)\" in \(took) (\(took) including waiting). Image size: \(Self.size(image)) bytes."
    )
    record.containers[index].hasImage = true
    record.containers[index].failedPulls = 0
    return true
  }

  private mutating func failedPull(
    _ record: inout PodRecord, _ index: Int, _ image: String, _ failure: String, _ pod: ObjectView,
    _ turn: inout Turn, _ context: Context
  ) {
    let subject = about(record.containers[index], pod)
    let failures = record.containers[index].failedPulls
    event(subject, context, type: "Warning", "Failed", "Failed to pull image \"\(image)\": \(failure)")
    event(subject, context, type: "Warning", "Failed", "Error: ErrImagePull")
    event(subject, context, "BackOff", "Back-off pulling image \"\(image)\"")
    event(subject, context, type: "Warning", "Failed", "Error: ImagePullBackOff")
    let pause = Duration.seconds(min(300, 10 << min(failures, 5)))
    record.containers[index].failedPulls = failures + 1
    record.containers[index].state = .waiting(
      reason: "ImagePullBackOff", message: "Back-off pulling image \"\(image)\": ErrImagePull: \(failure)")
    record.containers[index].notBefore = context.now + pause
    turn.at(context.now + pause, quietly: failures > 1)
  }

  static func size(_ image: String) -> Int {
    var stream = RandomStream(seed: 0, entity: "image/\(image)")
    return 20_000_000 + Int(stream.next() % 180_000_000)
  }

  private static func goMilliseconds(_ time: Duration) -> String {
    let milliseconds = time.microseconds / 1000
    return milliseconds < 1000 ? "\(milliseconds)ms" : "\(Double(milliseconds) / 1000)s"
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
    let behaviour: ServerBehaviour? = if case .serves(let behaviour) = plan.kind { behaviour } else { nil }
    record.containers[index].ends = fault != nil ? context.now : behaviour?.exit.map { context.now + $0.after }
    record.containers[index].endCode = fault != nil ? 128 : behaviour?.exit?.code ?? 0
    record.containers[index].fault = fault.map(Self.startFault)
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
    probe(&record, index, pod, &turn, context)
    if let ends = record.containers[index].ends { turn.at(ends, quietly: ends - context.now > .seconds(60)) }
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
  mutating func endContainers(_ record: inout PodRecord, _ pod: ObjectView, _ context: Context) {
    for index in record.containers.indices {
      guard let since = record.containers[index].runningSince, let ends = record.containers[index].ends,
        ends <= context.now
      else { continue }
      end(&record.containers[index], since: since, at: max(ends, since), context)
      let inside = PodRuntime.id(record.uid)
      if context.world.exists(inside) {
        context.send(inside, "ended", ["container": .string(record.containers[index].name)])
      }
    }
  }

  private func end(_ container: inout ContainerRecord, since: Timestamp, at: Timestamp, _ context: Context) {
    let code = container.endCode
    if let program = container.program {
      context.world.stop(program)
      container.program = nil
    }
    container.state = .terminated(
      ContainerExit(
        code: code, reason: container.fault != nil ? "StartError" : code == 0 ? "Completed" : "Error", startedAt: since,
        finishedAt: at, containerID: container.id, message: container.fault))
    container.fault = nil
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
    if let ready = value["ready"].bool { record.containers[index].saysReady = ready }
    if let code = value["exit"].int {
      record.containers[index].ends = context.now
      record.containers[index].endCode = code
    }
    pods[uid] = record
    if value["ready"].bool != nil || value["exit"].int != nil { sync(uid, context) }
  }
}
