import Mechanisms
import Wire
package import World

/// ipamd, the agent of the VPC CNI on a node: the program of the container `aws-node`.
///
/// Source: aws/amazon-vpc-cni-k8s `pkg/ipamd`, `pkg/awsutils`, `cmd/aws-vpc-cni`.
package struct Ipamd: Component {
  package static let kind = "ipamd"
  package static func id(_ instance: String) -> ComponentID { ComponentID("ipamd/\(instance)") }

  enum Phase: String, Codable {
    /// Waits for an answer of the API server.
    case checkingServer
    /// Asks EC2 for the interfaces that the instance has.
    case discovering
    /// Fills the pool for the first time.
    case prescaling
    case running
    case failed
  }

  let launch: NodeHooks.Launch
  var phase = Phase.checkingServer
  var pool: IPPool
  var attempts = 0
  var startedAt: Timestamp?
  var growth: Growth?
  /// EC2 calls that wait for those before them: the pool's loop is one thread.
  var queued: [IPPool.Effect] = []
  var busy = false
  var events: EventRecorder
  /// Requests in a row that EC2 refused: past the second, trying again is background.
  var refusals = 0
  /// The trunk has been asked for, by the node's CNINode.
  var asksForTrunk: Bool?
  /// When it last compared its own picture with the instance's metadata.
  var comparedAt: Timestamp?
  /// Of its own role, where it has one.
  var session: Session?
  /// Its service account's token is never kept in the state.
  var token: String?
  /// Of a node of an IPv6 cluster, in the place of the pool.
  var six: IPv6Pool?

  private enum CodingKeys: String, CodingKey {
    case six, launch, phase, pool, attempts, startedAt, growth, queued, busy, events, refusals, asksForTrunk,
      comparedAt,
      session
  }

  package init(_ launch: NodeHooks.Launch) {
    self.launch = launch
    events = EventRecorder(component: "aws-node", host: launch.nodeName)
    pool = IPPool(settings: PoolSettings(), instanceID: launch.instanceID, maxENIs: 0, ipv4PerENI: 0, maxPods: 0)
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: begin(context)
    case .wake("server"): checkServer(context)
    case .wake("discover"): discover(context)
    case .wake("resize"): resize(context)
    case .wake("attached"): attached(context)
    case .wake("delete"): deleteDetached(context)
    case .wake("reconcile"): reconcile(context)
    case .message(let name, let value): told(name, value, context)
    case .kube(let tag, let reply): answered(tag, reply, context)
    case .aws(let tag, let reply): answered(tag, reply, context)
    case .changed, .wake: break
    }
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    if phase == .checkingServer { context.wake("server", after: .zero) }
  }

  // MARK: - Telling

  func log(_ level: String, _ message: String, _ context: Context, caller: String = "ipamd/ipamd.go") {
    context.world.logs.append(
      "node/\(launch.cluster)/\(launch.instanceID)/ipamd", at: context.now,
      "{\"level\":\"\(level)\",\"ts\":\"\(context.now.rfc3339Milli)\",\"caller\":\"\(caller)\",\"msg\":\(JSON.string(message).text())}"
    )
  }

  /// A line of the container's own output.
  func say(_ message: String, _ context: Context) {
    tell(
      [
        "line": .string(
          "{\"level\":\"info\",\"ts\":\"\(context.now.rfc3339Milli)\",\"caller\":\"entrypoint.sh\",\"msg\":\(JSON.string(message).text())}"
        )
      ], context)
  }

  private func tell(_ value: JSON, _ context: Context) {
    var value = value
    value["uid"] = launch.pod["metadata"]["uid"]
    value["container"] = .string(launch.container)
    value["id"] = .string(launch.containerID)
    context.send(launch.kubelet, "program", value)
  }

  /// Ends as a process does, with code 1.
  mutating func exit(_ why: String, _ context: Context) {
    phase = .failed
    log("error", "Initialization failure: \(why)", context, caller: "aws-k8s-agent/main.go:28")
    tell(["exit": 1], context)
  }

  // MARK: - Start

  private mutating func begin(_ context: Context) {
    for line in [
      "Validating env variables ...", "Install CNI binaries..", "Starting IPAM daemon in the background ... ",
      "Checking for IPAM connectivity ... ",
    ] { say(line, context) }
    if case .known(let settings, _) = PoolSettings.read(awsNode: launch.pod) { pool.settings = settings }
    if let fault = pool.settings.fault {
      exit(fault, context)
      return
    }
    log("info", "Starting L-IPAMD   ...", context, caller: "aws-k8s-agent/main.go:34")
    log("info", "Testing communication with server", context, caller: "aws-k8s-agent/main.go:42")
    checkServer(context)
  }

  private mutating func checkServer(_ context: Context) {
    guard phase == .checkingServer else { return }
    let address = serviceAddress(context)
    if let why = context.world.ports.packets.dial(launch.cluster, launch.nodeName, address, 443) {
      unreachable("Get \"https://\(address):443/version?timeout=5s\": \(why)", context)
      return
    }
    guard let token else {
      context.send(
        launch.kubelet, "token", ["uid": launch.pod["metadata"]["uid"], "program": .string(context.id.text)])
      return
    }
    context.submit(
      KubeClient(
        cluster: launch.cluster, credential: .bearer(token), userAgent: "amazon-k8s-agent",
        sourceIP: launch.pod["status"]["hostIP"].string ?? ""
      ).get("nodes", "", launch.nodeName), tag: "server", weight: attempts > 3 ? .background : .foreground)
  }

  private func serviceAddress(_ context: Context) -> String {
    context.world.kube.host?.get(
      ObjectReference(cluster: launch.cluster, resource: "services", namespace: "default", name: "kubernetes")
    )?["spec"]["clusterIP"].string ?? "172.20.0.1"
  }

  private mutating func unreachable(_ why: String, _ context: Context) {
    attempts += 1
    log("error", "Unable to reach API Server, \(why)", context, caller: "k8sapi/k8sutils.go:89")
    context.wake("server", after: .seconds(2), attempts > 3 ? .background : .foreground)
  }

  private mutating func told(_ name: String, _ value: JSON, _ context: Context) {
    switch name {
    case "token" where value["audience"].string != nil: exchange(value, context)
    case "token":
      if let text = value["token"].string {
        token = text
        if phase == .checkingServer { checkServer(context) }
      } else {
        unreachable(value["error"].string ?? "no token", context)
      }
    case "add": add(value, context)
    case "remove":
      guard let uid = value["uid"].string else { return }
      if pool.settings.withIPv6 == true { return releaseIPv6(uid, context) }
      take(.remove(pod: uid), context)
      scheduleResize(context, weight: .foreground)
    default: break
    }
  }

  private mutating func answered(_ tag: String, _ reply: KubeReply, _ context: Context) {
    switch tag {
    case "eniconfig": configured(reply, context)
    case "cninode": askedForTrunk(reply, context)
    default: serverAnswered(tag, reply, context)
    }
  }

  private mutating func serverAnswered(_ tag: String, _ reply: KubeReply, _ context: Context) {
    guard tag == "server", phase == .checkingServer else { return }
    if reply.status == 401 { token = nil }
    guard reply.isSuccess else {
      unreachable(reply.message, context)
      return
    }
    attempts = 0
    log("info", "Successful communication with the Cluster!", context, caller: "k8sapi/k8sutils.go:75")
    let pods = reply.body["status"]["capacity"]["pods"]
    let type = context.world.ports.instanceMetadata(launch.instanceID, "meta-data/instance-type") ?? ""
    let limits = InstanceLimits.named(type)
    pool.maxENIs = limits?.maxENIs ?? 2
    if pool.settings.maxENI >= 1 { pool.maxENIs = min(pool.maxENIs, pool.settings.maxENI) }
    pool.ipv4PerENI = limits?.ipv4PerENI ?? 2
    pool.supportsTrunk = limits?.supportsTrunk ?? false
    pool.maxPods =
      pods.int ?? pods.string.flatMap { Int($0) } ?? limits.map { MaxPods.formula($0) } ?? MaxPods.fallback
    if pool.settings.withIPv6 == true, limits?.supportsPrefixes == false {
      log(
        "error",
        "Prefix Delegation is not supported on non-nitro instance \(type). IPv6 is only supported in Prefix delegation Mode. ",
        context)
      return exit("ipamd: failed to validate configuration", context)
    }
    if pool.settings.prefixDelegation, limits?.supportsPrefixes == false {
      log(
        "warn", "Prefix delegation is not supported on non-nitro instance \(type), falling back to secondary IP mode",
        context)
      pool.settings.prefixDelegation = false
    }
    phase = .discovering
    discover(context)
  }

  /// The daemon answers: the network of the node may be used.
  mutating func serve(_ context: Context) {
    if pool.settings.customNetworking, pool.totalIPs == 0 {
      exit("Failed to attach any ENIs for custom networking", context)
      return
    }
    phase = .running
    startedAt = context.now
    comparedAt = context.now
    askForTrunk(context)
    log("info", "Serving RPC Handler version v1.20.4 on 127.0.0.1:50051", context, caller: "rpc/rpc.pb.go")
    for line in [
      "Copying config file ... ", "Successfully copied CNI plugin binary and config file.",
      "Foregrounding IPAM daemon ...",
    ] {
      say(line, context)
    }
    context.send(launch.kubelet, "cni-config")
    tell(["ready": true], context)
    scheduleResize(context, weight: .foreground)
  }

  // MARK: - Sandboxes

  private mutating func add(_ value: JSON, _ context: Context) {
    guard let uid = value["uid"].string else { return }
    guard phase == .running else {
      context.send(
        launch.kubelet, "cni",
        [
          "uid": .string(uid), "sandbox": value["sandbox"],
          "error":
            "add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:50051: connect: connection refused\"",
        ])
      return
    }
    log(
      "info",
      "Received AddNetwork for NS \(value["namespace"].string ?? ""), Pod \(value["name"].string ?? ""), Sandbox \(value["sandbox"].string ?? ""), ifname eth0",
      context, caller: "rpc_handler.go")
    if pool.settings.withIPv6 == true { return giveIPv6(uid, value, context) }
    if pool.settings.podENI, let pod = branchPod(value, context) {
      giveBranch(pod, value, context)
      return
    }
    let (after, effects, _) = pool.step(.add(pod: uid), context.now)
    pool = after
    for effect in effects {
      switch effect {
      case .give(_, let address, _, let device):
        log(
          "info", "Send AddNetworkReply: Success: true IPAddr: \(address), DeviceNumber: \(device), err: <nil>",
          context,
          caller: "rpc_handler.go")
        context.send(
          launch.kubelet, "cni",
          ["uid": .string(uid), "sandbox": value["sandbox"], "address": .string("\(address)")])
      case .refuse(_, let message):
        log("warn", "Failed to assign IPs from network card 0: \(message)", context, caller: "rpc_handler.go")
        log(
          "info", "Send AddNetworkReply: Success: false IPAddr: , resp: , err: \(message)", context,
          caller: "rpc_handler.go")
        context.send(
          launch.kubelet, "cni",
          [
            "uid": .string(uid), "sandbox": value["sandbox"],
            "error": "add cmd: failed to assign an IP address to container",
          ])
      default: carryOut(effect, context)
      }
    }
    // A pool that may not grow now will not have more for being looked at.
    scheduleResize(context, weight: mayGrow(context) ? .foreground : .background)
  }
}
