import Containers
import Wire
package import World

/// What runs in the containers of one pod: the shells and tools of ``PodSystem``, moved by time, by messages of
/// its kubelet and by what clients type.
///
/// Made when it is first needed: for a container whose command really runs, or for a session in one that is data.
package struct PodRuntime: Component {
  package static let kind = "pod-runtime"
  static func id(_ uid: String) -> ComponentID { ComponentID("pod-runtime/\(uid)") }

  let cluster: String
  let namespace: String
  let name: String
  let uid: String
  let kubelet: ComponentID
  var system: PodSystem
  /// How often each container's output stream was begun, for the name of its log.
  private var attempts: [String: Int] = [:]
  private var ids: [String: String] = [:]
  /// Wakes by time alone since a container was started or a client did something.
  private var wakes = 0
  private var volumesAt: Timestamp?
  private var asksForTokens = false
  /// Commands of hooks under way, by their sessions, whose numbers are below those of clients.
  private var hooks: [Int: Hook]?

  /// The manifests of static pods as they were when they were last compared.
  var manifests: [String: String]?

  /// Queries for names under way, by their tickets.
  var lookups: [Int: PendingNames]?
  var lastLookup: Int?
  /// When the rules of Services with session affinity saw it last.
  var affinities: ClusterNetwork.Affinities?

  private struct Hook: Codable {
    var container: String
    var kind: String
    var output = ""
    var errors = ""
    static let outputLimit = 10_240
  }
  /// Wakes after which a container's own business is background.
  private static let wakeLimit = 40
  /// How often a kubelet looks whether what it has mounted has changed.
  private static let volumeInterval: Duration = .seconds(60)

  init(cluster: String, pod: ObjectView, kubelet: ComponentID, now: Timestamp, seed: UInt64) {
    self.cluster = cluster
    namespace = pod.namespace
    name = pod.name
    uid = pod.uid
    self.kubelet = kubelet
    system = PodSystem(now: now, seed: seed)
    system.sharesProcesses = pod.spec["shareProcessNamespace"].bool ?? false
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start, .changed, .aws: return
    case .kube(let tag, let reply): serverAnswered(tag, reply)
    case .wake("names"): giveUpNames(context)
    case .wake: wakes += 1
    case .message("dns", let value): guard namesAnswered(value, context) else { return }
    case .message("kernel", let value):
      system.answer(
        value["process"].int ?? 0,
        .text(
          value["text"].string ?? "", errors: value["errors"].string ?? "", status: value["status"].int ?? 0))
    case .message(let name, let value):
      if name != "signal" { wakes = 0 }
      guard received(name, value, context) else { return }
    }
    goOn(context)
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    system.disconnectAll()
    goOn(context)
  }

  // MARK: - Messages

  private mutating func received(_ name: String, _ value: JSON, _ context: Context) -> Bool {
    let session = value["session"].int ?? 0
    switch name {
    case "start":
      guard let setup = try? value["setup"].decode(ContainerSetup.self) else { return false }
      mount(context)
      attempts[setup.name] = value["attempt"].int ?? 0
      ids[setup.name] = setup.id
      if let fault = system.start(setup), !setup.serves {
        tell(["container": .string(setup.name), "fault": .string(fault), "exit": 128], context)
      }
    case "hook": beginHook(value, context)
    case "ended": system.end(value["container"].string ?? "")
    case "signal": system.signal(value["container"].string ?? "", value["signal"].int ?? 15)
    case "open":
      mount(context)
      guard let wanted = try? value["request"].decode(ContainerSessionRequest.self) else { return false }
      let request = PodSystem.SessionRequest(
        session: Int(wanted.session), container: wanted.container, command: wanted.command, hasInput: wanted.hasInput,
        isTerminal: wanted.isTerminal)
      if let fault = wanted.isAttach ? system.attach(request) : system.open(request) {
        storey(context)?.sessions.end(
          wanted.session,
          SessionStatus.failed(
            wanted.isAttach
              ? fault
              : "Internal error occurred: error executing command in container: failed to exec in container: failed to start exec \"\(context.random { $0.hex(64) })\": \(fault)"
          ))
      }
    case "input": system.input(session, value["data"].string.flatMap(Base64.decode) ?? [])
    case "input-end": system.endInput(session)
    case "resize": system.resize(session, columns: value["columns"].int ?? 80, rows: value["rows"].int ?? 24)
    case "disconnect": system.disconnect(session)
    case "token":
      asksForTokens = false
      let token = value["token"].string ?? ""
      system.tokenCame(volume: value["volume"].string ?? "", path: value["path"].string ?? "", token)
    default: return false
    }
    return true
  }

  /// Runs the command of a hook beside what runs in its container.
  private mutating func beginHook(_ value: JSON, _ context: Context) {
    mount(context)
    let container = value["container"].string ?? ""
    let session = min(-1, hooks?.keys.min() ?? -1) - 1
    let request = PodSystem.SessionRequest(
      session: session, container: container, command: value["command"].strings, hasInput: false, isTerminal: false)
    guard let fault = system.open(request) else {
      hooks = hooks ?? [:]
      hooks![session] = Hook(container: container, kind: value["kind"].string ?? "")
      return
    }
    let id = context.random { $0.hex(64) }
    tell(
      [
        "container": .string(container), "hook": value["kind"], "code": 126,
        "fault": .string(
          "rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"\(id)\": \(fault)"),
      ], context)
  }

  private mutating func hookWrote(_ session: Int, _ channel: Int, _ bytes: [UInt8]) {
    guard var hook = hooks?[session] else { return }
    let text = String(decoding: bytes, as: UTF8.self)
    hook.output += text.prefix(max(0, Hook.outputLimit - hook.output.utf8.count))
    if channel == 2 { hook.errors += text.prefix(max(0, Hook.outputLimit - hook.errors.utf8.count)) }
    hooks![session] = hook
  }

  private mutating func hookEnded(_ session: Int, _ code: Int, _ context: Context) {
    guard let hook = hooks?.removeValue(forKey: session) else { return }
    if hooks?.isEmpty == true { hooks = nil }
    tell(
      [
        "container": .string(hook.container), "hook": .string(hook.kind), "code": .int(Int64(code)),
        "output": .string(hook.output), "errors": .string(hook.errors),
      ], context)
  }

  func storey(_ context: Context) -> KubernetesStorey? { context.world.kube.host as? KubernetesStorey }

  func pod(_ context: Context) -> ObjectView? {
    let reference = ObjectReference(cluster: cluster, resource: "pods", namespace: namespace, name: name)
    return context.world.kube.host?.get(reference).map { ObjectView($0) }.flatMap { $0.uidOnNode == uid ? $0 : nil }
  }

  /// Brings what is mounted up to date, as often as a kubelet does.
  private mutating func mount(_ context: Context) {
    if let volumesAt, context.now - volumesAt < Self.volumeInterval { return }
    guard let pod = pod(context) else { return }
    volumesAt = context.now
    let (cluster, namespace) = (cluster, namespace)
    var contents = VolumeContents(cluster: cluster, pod: pod, now: context.now) { resource, name in
      context.world.kube.host?.get(
        ObjectReference(
          cluster: cluster, resource: resource, namespace: resource == "nodes" ? "" : namespace, name: name))
    }
    if let instance = instanceID(pod, context) {
      let files = HostFiles(cluster: cluster, node: pod.nodeName, instance: instance, world: context.world)
      contents.host = { files.tree(below: $0) }
    }
    contents.fill(&system.volumes)
    showManifests(pod, context)
  }

  // MARK: - Going on

  private mutating func goOn(_ context: Context) {
    if !system.isQuiet { mount(context) }
    showDevices(context)
    var next = system.run(at: context.now)
    while answerQuestions(context) { next = system.run(at: context.now) }
    tellManifests(context)
    let effects = system.effects
    system.effects = []
    var changed: Set<String> = []
    for effect in effects {
      switch effect {
      case .output(let session, let channel, let bytes) where session < 0: hookWrote(session, channel, bytes)
      case .sessionEnded(let session, let code) where session < 0: hookEnded(session, code, context)
      case .output(let session, let channel, let bytes):
        storey(context)?.sessions.output(UInt64(session), channel, bytes)
      case .sessionEnded(let session, let code):
        storey(context)?.sessions.end(UInt64(session), SessionStatus.exited(code))
      case .log(let container, let channel, let bytes):
        let line = String(decoding: bytes, as: UTF8.self)
        context.world.logs.append(
          log(container), at: context.now, "\(channel == 1 ? "stdout" : "stderr") \(line)")
        changed.insert(container)
      case .ended(let container, let code):
        tell(["container": .string(container), "exit": .int(Int64(code))], context)
      case .ports(let container, let ports):
        tell(["container": .string(container), "ports": .array(ports.map { .int(Int64($0)) })], context)
      case .asks: break
      case .tokensWanted:
        guard !asksForTokens, let pod = pod(context) else { continue }
        asksForTokens = true
        for token in VolumeContents.tokens(of: pod) {
          context.send(
            kubelet, "pod-token",
            [
              "uid": .string(uid), "volume": .string(token.volume), "path": .string(token.path),
              "audience": JSON(token.audience), "seconds": .int(Int64(token.seconds)),
            ])
        }
      }
    }
    if !changed.isEmpty, let pod = pod(context) {
      for container in changed.sorted() { ContainerLogs.told(context.world, cluster, pod, container) }
    }
    if let next {
      context.wake(
        "go-on", at: next, next - context.now > .seconds(60) || wakes > Self.wakeLimit ? .background : .foreground)
    } else {
      context.cancel("go-on")
    }
  }

  /// Counters are shown once packets have passed.
  private mutating func showDevices(_ context: Context) {
    guard !system.isQuiet, let pod = pod(context), let instance = instanceID(pod, context),
      context.world.exists(NodeTraffic.id(instance))
    else { return }
    let view = HostView(cluster: cluster, pod: pod, instance: instance, context: context)
    system.devices = view.devices
  }

  private func log(_ container: String) -> String {
    "pod/\(cluster)/\(namespace)/\(name)/\(uid)/\(container)/\(attempts[container] ?? 0)"
  }

  private func tell(_ value: JSON, _ context: Context) {
    var value = value
    value["uid"] = .string(uid)
    value["id"] = ids[value["container"].string ?? ""].map { .string($0) } ?? .null
    context.send(kubelet, "program", value)
  }

  // MARK: - Trying

  func has(_ container: String) -> Bool { system.isRunning(container) }

  /// Bytes in a volume, and those that a container has written outside of volumes.
  func volumeBytes(_ name: String) -> Int { system.bytes(inVolume: name) }
  func writtenBytes(_ container: String) -> Int { system.bytes(writtenBy: container) }

  /// The last bytes of a file of a container, as long as the container is kept.
  func tail(of path: String, in container: String, limit: Int) -> String? {
    system.content(of: path, in: container).map { String(decoding: $0.suffix(limit), as: UTF8.self) }
  }

  /// Sets a container up that only stands there, with what is mounted.
  func stand(_ setup: ContainerSetup, _ pod: ObjectView, _ context: Context) {
    let (cluster, namespace) = (cluster, namespace)
    var contents = VolumeContents(cluster: cluster, pod: pod, now: context.now) { resource, name in
      context.world.kube.host?.get(
        ObjectReference(
          cluster: cluster, resource: resource, namespace: resource == "nodes" ? "" : namespace, name: name))
    }
    if let instance = instanceID(pod, context) {
      let files = HostFiles(cluster: cluster, node: pod.nodeName, instance: instance, world: context.world)
      contents.host = { files.tree(below: $0) }
    }
    contents.fill(&system.volumes)
    _ = system.start(setup)
  }

  struct Trial {
    var code: Int
    var output: String
    /// It could not be started at all.
    var isFault = false
  }

  /// What a command would write and end with, were it run now; nil when it would take longer than that.
  func tried(
    _ command: [String], in container: String, timeout: Duration, at now: Timestamp
  ) -> Trial? {
    guard let copy = try? JSON(encoding: system).decode(PodSystem.self) else { return Trial(code: 0, output: "") }
    let session = -1
    let request = PodSystem.SessionRequest(
      session: session, container: container, command: command, hasInput: false, isTerminal: false)
    if let fault = copy.open(request) { return Trial(code: 126, output: fault, isFault: true) }
    var output: [UInt8] = []
    var time = now
    for _ in 0..<50 {
      let next = copy.run(at: time)
      for effect in copy.effects {
        switch effect {
        case .output(session, _, let bytes): output += bytes.prefix(max(0, 10_240 - output.count))
        case .sessionEnded(session, let code): return Trial(code: code, output: String(decoding: output, as: UTF8.self))
        default: break
        }
      }
      copy.effects = []
      guard let next, next - now <= timeout else { return nil }
      time = next
    }
    return nil
  }
}
