import Containers
import Mechanisms
import Wire
import World

/// What a kubelet tells of its pods.
extension Kubelet {
  mutating func writePodStatus(_ record: PodRecord, _ pod: ObjectView, _ context: Context) {
    let status = podStatus(record, pod, context)
    guard status != pod.status, let told = uidToTell(of: record, context) else { return }
    let uid = record.uid
    var change = status
    // A merged list keeps what the patch doesn't name.
    let types = status["conditions"].items.map { $0["type"] }
    let gone = pod.status["conditions"].items.map { $0["type"] }.filter { !types.contains($0) }
    change["conditions"] = .array(
      status["conditions"].items + gone.map { ["$patch": "delete", "type": $0] })
    send("pod-status \(uid)", context, wants: .outcome) { client in
      client.patch(
        "pods", pod.namespace, pod.name, ["metadata": ["uid": .string(told)], "status": change], subresource: "status")
    }
  }

  private func podStatus(_ record: PodRecord, _ pod: ObjectView, _ context: Context) -> JSON {
    var status = pod.status
    let phase = phase(record, pod)
    status["phase"] = .string(phase)
    status["conditions"] = .array(conditions(record, pod, phase, context))
    if let failure = record.failure {
      status["reason"] = .string(failure.reason)
      status["message"] = .string(failure.message)
    }
    status["hostIP"] = .string(identity.address)
    status["hostIPs"] = [["ip": .string(identity.address)]]
    status["startTime"] = record.startedAt.json
    if !record.address.isEmpty {
      status["podIP"] = .string(record.address)
      status["podIPs"] = [["ip": .string(record.address)]]
    }
    let mains = record.containers.filter(\.isMain)
    let inits = record.containers.filter(\.isInit)
    status["containerStatuses"] = .array(mains.map { containerStatus($0, record, pod) })
    if !inits.isEmpty { status["initContainerStatuses"] = .array(inits.map { containerStatus($0, record, pod) }) }
    let others = record.containers.filter { $0.isEphemeral == true }
    if !others.isEmpty {
      status["ephemeralContainerStatuses"] = .array(others.map { containerStatus($0, record, pod) })
    }
    return status
  }

  private func phase(_ record: PodRecord, _ pod: ObjectView) -> String {
    let mains = record.containers.filter(\.isMain)
    let isRunning = record.containers.contains(where: \.isRunning)
    if record.failure != nil, !isRunning { return "Failed" }
    // Told as over once nothing of it runs any more, sidecars included.
    if !isRunning, isOver(record, pod) || (pod.isTerminating && mains.allSatisfy { $0.exit != nil }) {
      let failed = record.containers.contains { !$0.isSidecar && $0.isEphemeral != true && ($0.exit?.code ?? 0) != 0 }
      return failed ? "Failed" : "Succeeded"
    }
    // One that has never run keeps the pod pending; a pod that has been running stays so while they restart.
    if mains.contains(where: \.isYetToRun) { return "Pending" }
    if mains.contains(where: { $0.isRunning }) { return "Running" }
    if mains.contains(where: { $0.exit != nil || $0.last != nil }) { return "Running" }
    return "Pending"
  }

  private func conditions(_ record: PodRecord, _ pod: ObjectView, _ phase: String, _ context: Context) -> [JSON] {
    func condition(_ type: String, _ isTrue: Bool, _ reason: String = "", _ message: String = "") -> JSON {
      let old = pod.condition(type)
      let status = isTrue ? "True" : "False"
      let fresh: JSON = [
        "type": .string(type), "status": .string(status), "observedGeneration": old["observedGeneration"],
        "lastProbeTime": .null,
        "lastTransitionTime": old["status"].string == status ? old["lastTransitionTime"] : context.now.json,
        "reason": isTrue && reason != "PodCompleted" || reason.isEmpty ? .null : .string(reason),
        "message": isTrue || message.isEmpty ? .null : .string(message),
      ]
      // The patch must say that what was told of before is no more.
      guard case .object(var object) = fresh else { return fresh }
      for field in ["reason", "message"] where fresh[field].isNull && !old[field].isNull { object.append(field, .null) }
      return .object(object)
    }
    let inits = record.containers.filter { $0.isInit && !($0.isSidecar ? $0.hasStarted : $0.exit?.code == 0) }
    let unready = record.containers.filter { ($0.isMain || $0.isSidecar) && !$0.isReady }
    let incomplete = "containers with incomplete status: [\(inits.map(\.name).joined(separator: " "))]"
    let notReady = "containers with unready status: [\(unready.map(\.name).joined(separator: " "))]"
    var list = [
      condition("PodReadyToStartContainers", record.sandbox == .ready),
      condition("Initialized", inits.isEmpty || phase == "Succeeded", "ContainersNotInitialized", incomplete),
    ]
    let gates = pod.spec["readinessGates"].items.compactMap { $0["conditionType"].string }
    let closed = gates.filter { !pod.isConditionTrue($0) }
    switch phase {
    case "Succeeded", "Failed":
      let reason = phase == "Succeeded" ? "PodCompleted" : "PodFailed"
      list.append(condition("Ready", false, reason))
      list.append(condition("ContainersReady", false, reason))
    default:
      let isReady = unready.isEmpty && closed.isEmpty
      list.append(
        unready.isEmpty && !closed.isEmpty
          ? condition(
            "Ready", false, "ReadinessGatesNotReady",
            pod.condition(closed[0]).isNull
              ? "corresponding condition of pod readiness gate \"\(closed[0])\" does not exist."
              : "the status of pod readiness gate \"\(closed[0])\" is not \"True\", but \(pod.condition(closed[0])["status"].string ?? "")"
          )
          : condition("Ready", isReady, "ContainersNotReady", notReady))
      list.append(condition("ContainersReady", unready.isEmpty, "ContainersNotReady", notReady))
    }
    list.append(condition("PodScheduled", true))
    if let fault = resizeFault(pod, context) {
      list.append(condition("PodResizePending", true))
      list[list.count - 1]["reason"] = .string(fault.reason)
      list[list.count - 1]["message"] = .string(fault.message)
    } else if record.containers.contains(where: { $0.keepsResources == true }) {
      list.append(condition("PodResizeInProgress", true))
    }
    if let failure = record.failure, failure.reason == Self.evicted || failure.reason == NodeShutdown.reason {
      list.append(condition("DisruptionTarget", true))
      list[list.count - 1]["reason"] = "TerminationByKubelet"
      list[list.count - 1]["message"] = .string(failure.message)
    }
    let own = list.compactMap { $0["type"].string } + ["PodResizePending", "PodResizeInProgress"]
    return list + pod.status["conditions"].items.filter { !own.contains($0["type"].string ?? "") }
  }

  private func containerStatus(_ container: ContainerRecord, _ record: PodRecord, _ pod: ObjectView) -> JSON {
    let image = spec(of: container.name, pod)["image"].string ?? ""
    var object = JSONObject()
    if !container.id.isEmpty { object.append("containerID", .string("containerd://\(container.id)")) }
    object.append("image", .string(container.id.isEmpty ? image : ImageReference.full(image)))
    object.append("imageID", .string(container.id.isEmpty ? "" : Self.digest(image)))
    object.append(
      "lastState",
      container.last.map { ["terminated": Self.terminated($0, Self.messageLimit(of: record))] } ?? .emptyObject)
    object.append("name", .string(container.name))
    object.append(
      "ready",
      .bool(
        container.isInit && !container.isSidecar
          ? container.exit?.code == 0
          : container.isReady && container.postStart == nil && container.isEphemeral != true))
    object.append("restartCount", .int(Int64(container.restarts)))
    let resources = resources(of: container, pod)
    if !resources.isNull {
      object.append("allocatedResources", resources["requests"])
      object.append("resources", resources)
    }
    let isStarted =
      container.isRunning && container.hasStarted && container.postStart == nil && container.isEphemeral != true
    object.append("started", .bool(isStarted))
    // What is started is told when its hook is over.
    let shown: ContainerRecord.State =
      container.postStart == nil
      ? container.state
      : .waiting(
        reason: record.containers.contains(where: \.isInit) ? "PodInitializing" : "ContainerCreating", message: "")
    object.append("state", Self.state(shown, messageLimit: Self.messageLimit(of: record)))
    return .object(object)
  }

  static func digest(_ image: String) -> String {
    var stream = RandomStream(seed: 0, entity: "digest/\(image)")
    let name = ImageReference.full(image).split(separator: "@")[0]
    let slash = name.lastIndex(of: "/") ?? name.startIndex
    let tag = name[slash...].firstIndex(of: ":") ?? name.endIndex
    return "\(name[..<tag])@sha256:\(stream.hex(64))"
  }

  /// Bytes of a message that a container may leave: all of a pod's together are bounded too.
  private static func messageLimit(of record: PodRecord) -> Int { min(4096, 12_288 / max(1, record.containers.count)) }

  private static func state(_ state: ContainerRecord.State, messageLimit: Int) -> JSON {
    switch state {
    case .waiting(let reason, let message):
      ["waiting": ["message": message.isEmpty ? .null : .string(message), "reason": .string(reason)]]
    case .running(let since): ["running": ["startedAt": since.json]]
    case .terminated(let exit): ["terminated": terminated(exit, messageLimit)]
    }
  }

  private static func terminated(_ exit: ContainerExit, _ messageLimit: Int) -> JSON {
    [
      "containerID": .string("containerd://\(exit.containerID)"), "exitCode": .int(Int64(exit.code)),
      "finishedAt": exit.finishedAt.json,
      "message": JSON(exit.message.map { String(decoding: $0.utf8.prefix(messageLimit), as: UTF8.self) }),
      "reason": .string(exit.reason),
      "startedAt": exit.startedAt.json,
    ]
  }
}
