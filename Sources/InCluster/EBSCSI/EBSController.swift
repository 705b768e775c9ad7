import Mechanisms
import Wire
package import World

/// The controller of the EBS CSI driver with its sidecars: provisioner, attacher and resizer. The program of the
/// container `ebs-plugin` in the Deployment `ebs-csi-controller`.
///
/// Of several replicas one acts; the others look now and then whether it is their turn.
/// Source: kubernetes-sigs/aws-ebs-csi-driver `pkg/driver`, `pkg/cloud`; kubernetes-csi/external-provisioner,
/// external-attacher, external-resizer.
package struct EBSController: Component {
  package static let kind = "ebs-csi-controller"
  package static func id(_ pod: String) -> ComponentID { ComponentID("ebs-csi-controller/\(pod)") }

  static let driver = "ebs.csi.aws.com"
  private static let resources = [
    "persistentvolumeclaims", "persistentvolumes", "volumeattachments.storage.k8s.io",
  ]

  /// Timers for volumes that are being created: this, the volume's id, and the key of the claim.
  static let awaits = "await "

  let launch: NodeHooks.Launch
  var events: EventRecorder
  var isWatching = false
  /// What is under way, by the key of its object.
  var busy: Set<String> = []
  /// Failures in a row, by the key of the object.
  var failures: [String: Int] = [:]
  /// The access key of the session that its pod's identity gave it.
  var accessKeyID: String?
  var expires: Timestamp?
  /// Keys that wait for credentials or a token.
  var waiting: [String] = []
  /// Its service account's token is never kept in the state.
  var token: String?

  private enum CodingKeys: String, CodingKey {
    case launch, events, isWatching, busy, failures, accessKeyID, expires, waiting
  }

  package init(_ launch: NodeHooks.Launch) {
    self.launch = launch
    let pod = launch.pod["metadata"]["name"].string ?? ""
    events = EventRecorder(component: "\(Self.driver)_\(pod)_\(launch.pod["metadata"]["uid"].string ?? "")")
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start: begin(context)
    case .wake("begin"): begin(context)
    case .wake(let timer) where timer.hasPrefix(Self.awaits): lookAtNew(timer, context)
    case .wake(let key): work(key, context)
    case .changed(let reference): work(Self.key(of: reference), context)
    case .message("token", let value): tokenCame(value, context)
    case .message: break
    case .kube(let tag, let reply): answered(tag, reply, context)
    case .aws(let tag, let reply): answered(tag, reply, context)
    }
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    // What was asked with the forgotten token is asked again.
    waiting = []
    begin(context)
  }

  // MARK: - Start

  private mutating func begin(_ context: Context) {
    guard token != nil else {
      context.send(
        launch.kubelet, "token", ["uid": launch.pod["metadata"]["uid"], "program": .string(context.id.text)])
      return
    }
    guard isLeader(context) else {
      context.wake("begin", after: .seconds(15), .background)
      return
    }
    guard !isWatching, let client = client(context) else { return }
    let reply = context.world.kube.host?.watch(
      cluster: launch.cluster, resources: Self.resources, credential: client.credential, component: context.id)
    isWatching = reply?.isSuccess == true
    if !isWatching {
      say("E", "Failed to watch: \(reply?.message ?? "no API server")", context)
      context.wake("begin", after: .seconds(10), .background)
    }
  }

  /// Whether it is this replica that acts: the first by its pod's id of those that run.
  private func isLeader(_ context: Context) -> Bool {
    let namespace = launch.pod["metadata"]["namespace"].string ?? "kube-system"
    let pods =
      context.world.kube.host?.list(cluster: launch.cluster, resource: "pods", namespace: namespace).map {
        ObjectView($0).uid
      } ?? []
    return pods.filter { context.world.exists(Self.id($0)) }.min() == launch.pod["metadata"]["uid"].string
  }

  private mutating func tokenCame(_ value: JSON, _ context: Context) {
    if value["audience"].string != nil {
      exchange(value, context)
      return
    }
    guard let text = value["token"].string else {
      context.wake("begin", after: .seconds(2), .background)
      return
    }
    let isFirst = token == nil
    token = text
    if isFirst {
      tell(["ready": true], context)
      begin(context)
      goOn(context)
    }
  }

  func client(_ context: Context) -> KubeClient? {
    token.map {
      KubeClient(
        cluster: launch.cluster, credential: .bearer($0), userAgent: "csi-provisioner/v5.3.0",
        sourceIP: launch.pod["status"]["podIP"].string ?? "")
    }
  }

  // MARK: - Work

  /// `persistentvolumeclaims default/data`
  static func key(of reference: ObjectReference) -> String {
    "\(reference.resource) \(reference.namespace.isEmpty ? reference.name : "\(reference.namespace)/\(reference.name)")"
  }

  private mutating func work(_ key: String, _ context: Context) {
    guard isWatching, !busy.contains(key), !context.isWaiting(for: key) else { return }
    guard let object = object(key, context) else {
      failures[key] = nil
      return
    }
    switch key.prefix(while: { $0 != " " }) {
    case "persistentvolumeclaims":
      provision(object, key, context)
      resize(object, key, context)
    case "persistentvolumes": remove(object, key, context)
    default:
      if object.isTerminating { detach(object, key, context) } else { attach(object, key, context) }
    }
  }

  func object(_ key: String, _ context: Context) -> ObjectView? {
    let parts = key.split(separator: " ", maxSplits: 1).map(String.init)
    let names = parts[1].split(separator: "/", maxSplits: 1).map(String.init)
    let reference = ObjectReference(
      cluster: launch.cluster, resource: parts[0], namespace: names.count == 2 ? names[0] : "", name: names.last ?? "")
    return context.world.kube.host?.get(reference).map { ObjectView($0) }
  }

  func read(_ resource: String, _ name: String, _ context: Context) -> ObjectView? {
    object("\(resource) \(name)", context)
  }

  /// Tries again after a second, doubled each time up to five minutes.
  mutating func again(_ key: String, _ context: Context) {
    busy.remove(key)
    let count = failures[key] ?? 0
    failures[key] = count + 1
    context.wake(
      key, after: .seconds(min(300, 1 << min(count, 9))), count > 3 ? .background : .foreground)
  }

  mutating func done(_ key: String) {
    busy.remove(key)
    failures[key] = nil
  }

  /// Looks at all that waited for credentials.
  mutating func goOn(_ context: Context) {
    let keys = waiting
    waiting = []
    for key in keys { work(key, context) }
  }

  // MARK: - Requests

  mutating func send(
    _ tag: String, _ key: String, _ context: Context, _ make: (KubeClient) -> KubeRequest
  ) {
    guard let client = client(context) else {
      again(key, context)
      return
    }
    busy.insert(key)
    context.submit(make(client), tag: "\(tag) \(key)")
  }

  private mutating func answered(_ tag: String, _ reply: KubeReply, _ context: Context) {
    guard tag != "event", let blank = tag.firstIndex(of: " ") else { return }
    if reply.status == 401 { token = nil }
    let key = String(tag[tag.index(after: blank)...])
    kubeAnswered(String(tag[..<blank]), key, reply, context)
  }

  private mutating func answered(_ tag: String, _ reply: AWSReply, _ context: Context) {
    if tag == "session" { return sessionCame(reply, context) }
    // The call, the id of the request, the key.
    let parts = tag.split(separator: " ", maxSplits: 2).map(String.init)
    guard parts.count == 3 else { return }
    ec2Answered(parts[0], parts[2], reply, request: parts[1], context)
  }

  mutating func event(
    _ object: ObjectView, _ context: Context, type: String = "Normal", _ reason: String, _ message: String
  ) {
    guard let client = client(context) else { return }
    context.record(&events, client, about: object.reference, type: type, reason: reason, message)
  }

  // MARK: - Telling

  func say(_ level: String, _ message: String, _ context: Context) {
    let civil = context.now.civil
    let clock = "\(civil.hour.padded(2)):\(civil.minute.padded(2)):\(civil.second.padded(2)).000000"
    tell(
      [
        "line": .string(
          "\(level)\(civil.month.padded(2))\(civil.day.padded(2)) \(clock)       1 controller.go:150] \(message)")
      ], context)
  }

  private func tell(_ value: JSON, _ context: Context) {
    var value = value
    value["uid"] = launch.pod["metadata"]["uid"]
    value["container"] = .string(launch.container)
    value["id"] = .string(launch.containerID)
    context.send(launch.kubelet, "program", value)
  }
}
