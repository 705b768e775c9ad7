import Mechanisms
import Wire
import World

/// Pods of a node from their arrival to their end.
extension Kubelet {
  /// Takes a pod on; false when there is nothing to do for it.
  mutating func admit(_ pod: ObjectView, _ context: Context) -> Bool {
    guard !pod.isPodFinished || pod.isTerminating else { return false }
    if let refusal = refusal(of: pod, context) {
      reject(pod, refusal, context)
      return false
    }
    var record = PodRecord(
      uid: pod.uid, namespace: pod.namespace, name: pod.name, startedAt: pod.status["startTime"].time ?? context.now)
    for container in pod.spec["initContainers"].items {
      record.containers.append(
        ContainerRecord(
          name: container["name"].string ?? "", isInit: true,
          isSidecar: container["restartPolicy"].string == "Always",
          state: .waiting(reason: "PodInitializing", message: "")))
    }
    let reason = record.containers.isEmpty ? "ContainerCreating" : "PodInitializing"
    for container in pod.spec["containers"].items {
      record.containers.append(
        ContainerRecord(
          name: container["name"].string ?? "", isInit: false, state: .waiting(reason: reason, message: "")))
    }
    pods[pod.uid] = record
    return true
  }

  /// Brings a pod forward as far as it goes now, and tells its status.
  mutating func sync(_ uid: String, _ context: Context) {
    guard var record = pods[uid] else { return }
    var turn = Turn()
    if statics?[uid] != nil { keepMirror(uid, context) }
    guard let pod = read("pods", record.namespace, record.name, context), pod.uid == uid else {
      vanish(&record, context)
      noticeDevices(record, nil, context)
      pods[uid] = nil
      known.needs[uid] = nil
      return
    }
    if pod.isTerminating {
      terminate(&record, pod, &turn, context)
    } else {
      advance(&record, pod, &turn, context)
    }
    pods[uid] = record
    writePodStatus(record, pod, context)
    if pod.isTerminating { finishTermination(&record, pod, context) }
    pods[uid] = record
    noticeDevices(record, pod, context)
    if shutdown != nil { goOnShuttingDown(context) }
    if pod.isTerminating, statics?[uid] != nil, !record.containers.contains(where: \.isRunning) {
      return forgetStatic(record, context)
    }
    if let at = turn.soon { context.wake("pod \(uid)", at: at) }
    if let at = turn.later { context.wake("late \(uid)", at: at, .background) }
  }

  /// When a pod is to be looked at again.
  struct Turn {
    var soon: Timestamp?
    var later: Timestamp?

    mutating func at(_ time: Timestamp, quietly: Bool = false) {
      if quietly { later = later.map { min($0, time) } ?? time } else { soon = soon.map { min($0, time) } ?? time }
    }
  }

  // MARK: - Forward

  private mutating func advance(
    _ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    endContainers(&record, pod, &turn, context)
    if record.failure == nil { checkStorage(&record, pod, &turn, context) }
    if record.failure != nil {
      endFailed(&record, pod, &turn, context)
      return
    }
    if exceedsDeadline(&record, pod, &turn, context) { return }
    if isOver(record, pod) {
      let grace = pod.spec["terminationGracePeriodSeconds"].int ?? 30
      stopAll(&record, pod, grace: grace, context)
      endContainers(&record, pod, &turn, context)
      if !record.containers.contains(where: \.isRunning) { releaseNetwork(&record, context) }
      return
    }
    guard record.sandbox == .ready else {
      makeSandbox(&record, pod, &turn, context)
      guard record.sandbox == .ready else { return }
      runContainers(&record, pod, &turn, context)
      return
    }
    resize(&record, pod, &turn, context)
    growFileSystems(pod, &turn, context)
    runContainers(&record, pod, &turn, context)
  }

  /// Lets a pod end that has failed as a whole.
  mutating func endFailed(_ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context) {
    endContainers(&record, pod, &turn, context)
    for container in record.containers where container.isRunning {
      if let ends = container.ends { turn.at(ends) }
    }
    if !record.containers.contains(where: \.isRunning) { releaseNetwork(&record, context) }
  }

  private mutating func makeSandbox(
    _ record: inout PodRecord, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) {
    if record.sandbox == .asked, let askedAt = record.askedAt {
      // The agent may have ended with the question: the plugin's call then fails.
      guard askedAt + Self.networkPatience <= context.now else {
        turn.at(askedAt + Self.networkPatience, quietly: true)
        return
      }
      record.sandbox = .none
      refuseSandbox(&record, pod, Self.noNetworkAgent, context)
    }
    guard record.sandbox == .none else { return }
    if let notBefore = record.notBefore, notBefore > context.now {
      turn.at(notBefore, quietly: record.failedSandboxes + record.failedMounts > 2)
      return
    }
    let isHostNetwork = pod.spec["hostNetwork"].bool == true || identity.fargate != nil
    if !hasNetwork, !isHostNetwork {
      event(
        pod.reference, context, type: "Warning", "NetworkNotReady",
        "network is not ready: \(NodeReadiness.networkNotReady)")
      turn.at(context.now + .seconds(10), quietly: true)
      return
    }
    guard mountVolumes(&record, pod, &turn, context) else { return }
    record.sandboxID = context.random { $0.hex(64) }
    tellOfResolver(pod, context)
    if isHostNetwork {
      record.sandbox = .ready
      record.address = identity.address
      return
    }
    askForAddress(&record, pod, context)
    if record.sandbox == .asked { turn.at(context.now + Self.networkPatience, quietly: true) }
    if record.sandbox == .none, let notBefore = record.notBefore {
      turn.at(notBefore, quietly: record.failedSandboxes > 2)
    }
  }

  /// How long an ADD may take.
  private static let networkPatience: Duration = .seconds(10)
  private static let noNetworkAgent =
    "add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix /var/run/aws-node/ipamd.sock: connect: connection refused\""

  private var network: ComponentID { ComponentID("ipamd/\(identity.instanceID)") }

  private mutating func askForAddress(_ record: inout PodRecord, _ pod: ObjectView, _ context: Context) {
    guard context.world.exists(network) else {
      refuseSandbox(&record, pod, Self.noNetworkAgent, context)
      return
    }
    record.sandbox = .asked
    record.askedAt = context.now
    context.send(
      network, "add",
      [
        "uid": .string(record.uid), "namespace": .string(record.namespace), "name": .string(record.name),
        "sandbox": .string(record.sandboxID), "kubelet": .string(context.id.text),
      ])
  }

  /// The CNI's answer to an ADD.
  mutating func networkAnswered(_ value: JSON, _ context: Context) {
    guard let uid = value["uid"].string, var record = pods[uid], record.sandbox == .asked,
      record.sandboxID == value["sandbox"].string
    else { return }
    if let address = value["address"].string {
      record.sandbox = .ready
      record.address = address
      record.notBefore = nil
    } else if let pod = read("pods", record.namespace, record.name, context), pod.uid == uid {
      record.sandbox = .none
      refuseSandbox(&record, pod, value["error"].string ?? "", context)
    } else {
      record.sandbox = .none
    }
    pods[uid] = record
    sync(uid, context)
  }

  private mutating func refuseSandbox(
    _ record: inout PodRecord, _ pod: ObjectView, _ error: String, _ context: Context
  ) {
    let why =
      "failed to setup network for sandbox \"\(record.sandboxID)\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): \(error)"
    event(
      pod.reference, context, type: "Warning", "FailedCreatePodSandBox",
      "Failed to create pod sandbox: rpc error: code = Unknown desc = \(why)")
    log(
      "E", "log.go:32",
      "\"RunPodSandbox from runtime service failed\" err=\(GoText.quote("rpc error: code = Unknown desc = \(why)"))",
      context)
    // Pod workers wait ten seconds and up to half as long again.
    let pause = Duration.seconds(10) + .microseconds(context.random { Int64($0.next() % 5_000_000) })
    record.failedSandboxes += 1
    record.notBefore = context.now + pause
    record.sandboxID = ""
  }

  // MARK: - The end

  /// Whether no container is left that runs or will run.
  func isOver(_ record: PodRecord, _ pod: ObjectView) -> Bool {
    let hasFailedToBegin = record.containers.contains { container in
      guard container.isInit, !container.isSidecar, let exit = container.exit, exit.code != 0 else { return false }
      return !mayRestart(container, exit, pod)
    }
    if hasFailedToBegin { return true }
    let main = record.containers.filter(\.isMain)
    return !main.isEmpty
      && main.allSatisfy { container in
        guard let exit = container.exit else { return false }
        return !mayRestart(container, exit, pod)
      }
  }

  /// Tells the API server that a terminated pod may go, once nothing of it runs.
  private mutating func finishTermination(_ record: inout PodRecord, _ pod: ObjectView, _ context: Context) {
    guard !record.containers.contains(where: \.isRunning) else { return }
    releaseNetwork(&record, context)
    guard !record.toldTerminated, statics?[record.uid] == nil else { return }
    record.toldTerminated = true
    let uid = record.uid
    send("gone \(uid)", context) {
      $0.delete("pods", pod.namespace, pod.name, uid: uid, gracePeriod: 0)
    }
  }

  func releaseNetwork(_ record: inout PodRecord, _ context: Context) {
    guard record.sandbox == .ready || record.sandbox == .asked, record.address != identity.address else { return }
    record.sandbox = .gone
    if context.world.exists(network) {
      context.send(network, "remove", ["uid": .string(record.uid), "sandbox": .string(record.sandboxID)])
    }
  }

  /// The object is gone: what runs of it is killed.
  private mutating func vanish(_ record: inout PodRecord, _ context: Context) {
    for container in record.containers {
      if let program = container.program { stop(program, context) }
    }
    context.world.stop(PodRuntime.id(record.uid))
    releaseNetwork(&record, context)
    context.cancel("pod \(record.uid)")
    context.cancel("late \(record.uid)")
  }

  mutating func podReplied(_ tag: String, _ reply: KubeReply, _ context: Context) {
    let parts = tag.split(separator: " ", maxSplits: 2).map(String.init)
    guard parts.count >= 2 else { return }
    let uid = parts[1]
    switch parts[0] {
    case "mirror": mirrorAnswered(uid, reply, context)
    case "pod-token": podTokenAnswered(tag, reply, context)
    case "pod-status":
      guard !reply.isSuccess, reply.status != 404, pods[uid] != nil else { return }
      log(
        "I", "status_manager.go:895",
        "\"Failed to update status for pod\" pod=\"\(pods[uid]?.key ?? uid)\" err=\(GoText.quote(reply.message))",
        context)
      context.wake("late \(uid)", after: .seconds(10), .background)
    case "gone":
      if reply.isSuccess || reply.status == 404 || reply.status == 409 { return }
      pods[uid]?.toldTerminated = false
      context.wake("late \(uid)", after: .seconds(10), .background)
    case "token": tokenAnswered(uid, parts.count == 3 ? parts[2] : "", reply, context)
    default: break
    }
  }

  // MARK: - Tokens of service accounts

  /// A program asks for the token that is projected into its pod.
  mutating func askForToken(_ value: JSON, _ context: Context) {
    guard let uid = value["uid"].string, let record = pods[uid], let program = value["program"].string,
      let pod = read("pods", record.namespace, record.name, context)
    else { return }
    let account = pod.spec["serviceAccountName"].string ?? "default"
    let audience = value["audience"].string
    send("token \(uid) \(program)\(audience.map { " \($0)" } ?? "")", context) { client in
      client.request(
        "POST", "/api/v1/namespaces/\(record.namespace)/serviceaccounts/\(account)/token",
        body: [
          "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
          "spec": [
            "audiences": audience.map { [.string($0)] } ?? .null,
            "expirationSeconds": .int(audience == nil ? 3607 : 86_400),
            "boundObjectRef": [
              "apiVersion": "v1", "kind": "Pod", "name": .string(record.name), "uid": .string(uid),
            ],
          ],
        ])
    }
  }

  private func tokenAnswered(_ uid: String, _ asked: String, _ reply: KubeReply, _ context: Context) {
    let parts = asked.split(separator: " ").map(String.init)
    context.send(
      ComponentID(parts.first ?? ""), "token",
      [
        "token": reply.isSuccess ? reply.body["status"]["token"] : .null,
        "error": reply.isSuccess ? .null : .string(reply.message),
        "audience": parts.count > 1 ? .string(parts[1]) : .null,
      ])
  }
}
