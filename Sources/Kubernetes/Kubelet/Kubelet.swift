import Wire
package import World

/// The kubelet of a node, once nodeadm has started it.
///
/// Source: kubernetes `pkg/kubelet`.
package struct Kubelet: Component {
  package static let kind = "kubelet"
  package static func id(_ instance: String) -> ComponentID { ComponentID("kubelet/\(instance)") }

  static let pid = 1523

  /// Whether the API server can be reached with what the user data says.
  package enum Reach: Codable, Sendable {
    case yes
    case noHost(String)
    case wrongAuthority(String)
  }

  enum Registration: String, Codable { case wanted, sent, done }

  package let identity: MachineIdentity
  let reach: Reach
  var credential = NodeCredential()
  var events: EventRecorder
  var registration = Registration.wanted
  var failedRegistrations = 0
  var hasNetwork = false
  /// The request for its serving certificate, and whether it was answered with one.
  var signingRequest: String?
  var wasApproved = false
  var hasCertificate = false
  var statusAt: Timestamp?
  var statusFailed = 0
  var pods: [String: PodRecord] = [:]
  var images: [String] = []
  var isWatching = false
  /// Pods whose status could not be written.
  var unwritten = 0
  /// When each threshold of eviction was met last, by resource, as long as that is told.
  var pressure: [String: Timestamp]?
  /// CSI drivers that have told of themselves, by name, each with the program that speaks for it.
  var drivers: [String: ComponentID]?
  /// Files in the directory of static pods, by name, and the pods that they came to, by uid.
  var manifests: [String: String]?
  var statics: [String: JSON]?
  /// How far the node is on its way down.
  var shutdown: ShutdownRecord?
  /// What plugins offer, by the name of the resource.
  var devices: [String: DeviceRecord]?
  /// Changes came while the server could not be reached.
  var hasMissed: Bool?
  /// How often its machine has booted before.
  var boots: Int?
  let known = Known()

  private enum CodingKeys: String, CodingKey {
    case identity, reach, credential, events, registration, failedRegistrations, hasNetwork, signingRequest
    case wasApproved, hasCertificate, statusAt, statusFailed, pods, images, isWatching, unwritten, drivers, hasMissed
    case manifests, statics, shutdown, devices, boots
  }

  package init(_ identity: MachineIdentity, reach: Reach = .yes) {
    self.identity = identity
    self.reach = reach
    // On Fargate the pod has the machine's own interface.
    hasNetwork = identity.fargate != nil
    events = EventRecorder(component: "kubelet", host: identity.nodeName)
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start:
      log("I", "server.go:529", "\"Kubelet version\" kubeletVersion=\"\(identity.kubeletVersion)\"", context)
      manifests = identity.settings?.manifests
      recall(context)
      register(context)
      runStatics(context)
    case .wake("register"): register(context)
    case .wake("status"): writeNodeStatus(context)
    case .wake("watch"): watch(context)
    case .wake("pressure"): checkPressure(context)
    case .wake("certificate"): askForCertificate(context)
    case .wake("shutdown"): goOnShuttingDown(context)
    case .wake("devices"): forgetDevices(context)
    case .wake(let timer):
      // `pod <uid>`, `late <uid>`.
      if let blank = timer.firstIndex(of: " ") { sync(String(timer[timer.index(after: blank)...]), context) }
    case .changed(let reference):
      guard identity.failureToReachServer("Get", "", context) == nil else { return missed(context) }
      changed(reference, context)
    case .kube(let tag, let reply): replied(tag, reply, context)
    case .message(let name, let value): told(name, value, context)
    case .aws: break
    }
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    if registration == .done { writeNodeStatus(context) }
    if registration == .sent {
      registration = .wanted
      context.wake("register", after: .zero)
    }
  }

  func log(_ severity: String, _ place: String, _ message: String, _ context: Context) {
    Journal(stream: identity.log("kubelet"), pid: Self.pid).write(severity, place, message, context)
  }

  // MARK: - Requests

  mutating func send(
    _ tag: String, _ context: Context, weight: Weight = .foreground, wants part: KubeReply.Part = .whole,
    _ make: (KubeClient) -> KubeRequest
  ) {
    guard let client = credential.client(identity, context) else {
      replied(
        tag, KubeReply(status: 0, body: ["message": .string(NodeCredential.failure), "reason": "Credential"]), context)
      return
    }
    let request = make(client)
    let method = request.method == "GET" ? "Get" : request.method.prefix(1) + request.method.dropFirst().lowercased()
    if let error = identity.failureToReachServer(String(method), request.path, context) {
      replied(tag, KubeReply(status: 0, body: ["message": .string(error), "reason": "Timeout"]), context)
      return
    }
    context.submit(request, tag: tag, weight: weight, wants: part)
  }

  mutating func event(
    _ about: JSON, _ context: Context, type: String = "Normal", _ reason: String, _ message: String
  ) {
    guard let client = credential.client(identity, context),
      identity.failureToReachServer("Post", "", context) == nil
    else { return }
    context.record(&events, client, about: about, type: type, reason: reason, message)
  }

  private mutating func replied(_ tag: String, _ reply: KubeReply, _ context: Context) {
    if reply.status == 401 { credential.refuse() }
    switch tag {
    case "register": registered(reply, context)
    case "node-status", "csi-node", "csi-driver", "node-labels": nodeWritten(tag, reply, context)
    case "csr": certificateAsked(reply, context)
    case "mirror-gone": break
    default: podReplied(tag, reply, context)
    }
  }

  // MARK: - Changes

  func reference(_ resource: String, _ namespace: String, _ name: String) -> ObjectReference {
    ObjectReference(cluster: identity.cluster, resource: resource, namespace: namespace, name: name)
  }

  /// An object as the node knows it: of a static pod what its file says, with what its mirror has.
  func read(_ resource: String, _ namespace: String, _ name: String, _ context: Context) -> ObjectView? {
    if statics != nil, resource == "pods", let pod = staticPod(namespace, name, context) { return pod }
    return context.world.kube.host?.get(reference(resource, namespace, name)).map { ObjectView($0) }
  }

  mutating func watch(_ context: Context) {
    guard !isWatching, let client = credential.client(identity, context) else { return }
    let reply = context.world.kube.host?.watch(
      cluster: identity.cluster,
      resources: ["pods?spec.nodeName=\(identity.nodeName)", "certificatesigningrequests.certificates.k8s.io"],
      credential: client.credential, component: context.id)
    if reply?.isSuccess == true {
      isWatching = true
      return
    }
    let why = reply?.message ?? "no API server"
    log(
      "E", "reflector.go:166",
      "k8s.io/kubernetes/pkg/kubelet/config/apiserver.go:66: Failed to watch *v1.Pod: failed to list *v1.Pod: \(why)",
      context)
    context.wake("watch", after: .seconds(1), .background)
  }

  /// A change that doesn't come: the watch is at its end, and begun anew when the server is reached again.
  private mutating func missed(_ context: Context) {
    guard hasMissed != true else { return }
    hasMissed = true
    context.wake("status", after: .seconds(10), .background)
  }

  /// Looks at everything again after some time without the server.
  mutating func catchUp(_ context: Context) {
    guard hasMissed == true else { return }
    hasMissed = nil
    context.world.kube.host?.unwatch(cluster: identity.cluster, component: context.id)
    isWatching = false
    watch(context)
    for uid in pods.keys.sorted() { sync(uid, context) }
  }

  private mutating func changed(_ reference: ObjectReference, _ context: Context) {
    if reference.resource == "pods" {
      let json = context.world.kube.host?.get(reference)
      if let pod = json.map({ ObjectView($0) }), pod.nodeName == identity.nodeName, !isMirror(pod, context) {
        if pods[pod.uid] == nil, !admit(pod, context) { return }
        sync(pod.uid, context)
      }
      // The one of that name that it had may be another or gone.
      for record in pods.values.filter({ $0.namespace == reference.namespace && $0.name == reference.name })
        .sorted(by: { $0.uid < $1.uid }) where record.uid != json?["metadata"]["uid"].string
      {
        sync(record.uid, context)
      }
    } else if reference.name == signingRequest {
      certificateChanged(context)
    }
  }

  private mutating func told(_ name: String, _ value: JSON, _ context: Context) {
    switch name {
    case "cni-config":
      guard !hasNetwork else { return }
      hasNetwork = true
      writeNodeStatus(context)
      for uid in pods.keys.sorted() { sync(uid, context) }
    case "cni": networkAnswered(value, context)
    case "program": programTold(value, context)
    case "token": askForToken(value, context)
    case "csi-driver": registerDriver(value, context)
    case "pod-token": askForPodToken(value, context)
    case "open": openSession(value, context)
    case "manifests": manifestsWritten(value, context)
    case "shutdown": beginShutdown(context)
    default: break
    }
  }
}
