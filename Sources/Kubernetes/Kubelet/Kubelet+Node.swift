import Containers
import Mechanisms
import Wire
import World

/// Registration, status and serving certificate of a node.
extension Kubelet {
  // MARK: - Registration

  mutating func register(_ context: Context) {
    guard registration == .wanted else { return }
    log("I", "kubelet_node_status.go:72", JoinSymptoms.registering(identity.nodeName), context)
    switch reach {
    case .noHost(let host):
      refused(
        "Post \"https://\(host)/api/v1/nodes\": dial tcp: lookup \(host) on \(resolver):53: no such host", context)
      return
    case .wrongAuthority(let endpoint):
      refused(
        "Post \"\(endpoint)/api/v1/nodes\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
        context)
      return
    case .yes: break
    }
    if let error = identity.failureToReachServer("Post", "/api/v1/nodes", context) {
      refused(error, context)
      return
    }
    registration = .sent
    let node = nodeObject(context)
    send("register", context, weight: failedRegistrations > 6 ? .background : .foreground) {
      $0.create("nodes", "", node)
    }
  }

  /// The VPC's resolver: the second address of the VPC, told from the node's own.
  private var resolver: String {
    let parts = identity.host.address.split(separator: ".")
    return parts.count == 4 ? "\(parts[0]).\(parts[1]).0.2" : "169.254.169.253"
  }

  mutating func registered(_ reply: KubeReply, _ context: Context) {
    registration = .wanted
    if reply.isSuccess {
      log(
        "I", "kubelet_node_status.go:75", JoinSymptoms.registered(identity.nodeName), context)
      joined(context)
    } else if reply.reason == "AlreadyExists" {
      log(
        "I", "kubelet_node_status.go:120", JoinSymptoms.wasRegistered(identity.nodeName),
        context)
      joined(context)
    } else {
      refused(reply.message, context)
    }
  }

  private mutating func refused(_ error: String, _ context: Context) {
    registration = .wanted
    let node = identity.nodeName
    log(
      "E", "kubelet_node_status.go:107",
      JoinSymptoms.unableToRegister(node, error), context)
    if failedRegistrations % 4 == 0 {
      log(
        "E", "reflector.go:166",
        "k8s.io/client-go/informers/factory.go:160: Failed to watch *v1.Service: failed to list *v1.Service: \(error)",
        context)
      log(
        "I", "csi_plugin.go:884", "Failed to contact API server when waiting for CSINode publishing: \(error)", context)
    }
    log("E", "eviction_manager.go:292", JoinSymptoms.notFound(node), context)
    let pause = NodeRegistration.retryDelay(attempt: failedRegistrations)
    failedRegistrations += 1
    context.wake("register", after: pause, failedRegistrations > 6 ? .background : .foreground)
  }

  private mutating func joined(_ context: Context) {
    registration = .done
    failedRegistrations = 0
    let name = identity.nodeName
    let uid = read("nodes", "", name, context)?.uid ?? ""
    send("csi-node", context) { client in
      client.create(
        "csinodes.storage.k8s.io", "",
        [
          "apiVersion": "storage.k8s.io/v1", "kind": "CSINode",
          "metadata": [
            "name": .string(name),
            "ownerReferences": [
              ["apiVersion": "v1", "kind": "Node", "name": .string(name), "uid": .string(uid)]
            ],
          ], "spec": ["drivers": .array([])],
        ])
    }
    for (reason, message) in [
      ("Starting", "Starting kubelet."),
      ("NodeHasSufficientMemory", "Node \(name) status is now: NodeHasSufficientMemory"),
      ("NodeHasNoDiskPressure", "Node \(name) status is now: NodeHasNoDiskPressure"),
      ("NodeHasSufficientPID", "Node \(name) status is now: NodeHasSufficientPID"),
      ("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods"),
    ] { event(identity.reference, context, reason, message) }
    writeNodeStatus(context)
    watch(context)
    askForCertificate(context)
    tellOfNewSandboxes(context)
    let known = boots == nil ? Array((statics ?? [:]).keys) : Array(pods.keys)
    for uid in known.sorted() { sync(uid, context) }
  }

  private func nodeObject(_ context: Context) -> JSON {
    var node = NodeRegistration.node(
      name: identity.nodeName, arch: architecture, providerID: identity.providerID,
      labels: identity.labels.map { ($0.key, $0.value) },
      taints: identity.taints.map {
        Taint(key: $0["key"].string ?? "", value: $0["value"].string ?? "", effect: $0["effect"].string ?? "")
      })
    node["metadata"]["annotations"]["alpha.kubernetes.io/provided-node-ip"] = .string(identity.address)
    node["status"] = nodeStatus(nil, context)
    return node
  }

  private var architecture: String { OptimizedImage.needsARM(identity.instanceType) ? "arm64" : "amd64" }

  // MARK: - Status

  mutating func writeNodeStatus(_ context: Context) {
    guard registration == .done else { return }
    guard let node = read("nodes", "", identity.nodeName, context) else {
      if credential.client(identity, context) == nil || statusFailed > 0 {
        context.wake("status", after: .seconds(10), .background)
      }
      return
    }
    let wasReady = node.isConditionTrue("Ready")
    let status = nodeStatus(node, context)
    let name = identity.nodeName
    if let told = node.status["nodeInfo"]["bootID"].string, !told.isEmpty, told != bootID {
      event(
        identity.reference, context, type: "Warning", "Rebooted",
        "Node \(name) has been rebooted, boot id: \(bootID)")
    }
    if hasNetwork, !wasReady {
      log(
        "I", "kubelet_node_status.go:479", "\"Recording event message for node\" node=\"\(name)\" event=\"NodeReady\"",
        context)
      event(identity.reference, context, "NodeReady", "Node \(name) status is now: NodeReady")
    } else if !hasNetwork {
      log(
        "E", "kubelet.go:2904",
        JoinSymptoms.networkNotReady,
        context)
    }
    // Reported at every change and else every five minutes; what doesn't get through at once is tried again sooner.
    context.wake("status", after: .seconds(300), .background)
    send("node-status", context, weight: .background) { client in
      client.patch("nodes", "", name, ["status": status], subresource: "status")
    }
  }

  mutating func nodeWritten(_ tag: String, _ reply: KubeReply, _ context: Context) {
    if reply.isSuccess || reply.reason == "AlreadyExists" {
      if tag == "node-status" {
        statusFailed = 0
        catchUp(context)
      }
      return
    }
    if tag == "csi-node" {
      log(
        "E", "csi_plugin.go:328",
        "Failed to initialize CSINode: error updating CSINode annotation: timed out waiting for the condition; caused by: \(reply.message)",
        context)
      return
    }
    statusFailed += 1
    log(
      "E", "kubelet_node_status.go:549",
      "\"Error updating node status, will retry\" err=\(GoText.quote("error getting node \"\(identity.nodeName)\": \(reply.message)"))",
      context)
    context.wake("status", after: .seconds(10), .background)
  }

  private func nodeStatus(_ node: ObjectView?, _ context: Context) -> JSON {
    let system = identity.system ?? .al2023
    let (capacity, allocatable) = resources
    var addresses: JSON = [
      ["type": "InternalIP", "address": .string(identity.address)],
      ["type": "Hostname", "address": .string(identity.nodeName)],
    ]
    if let known = node?.status["addresses"], known.items.count > 2 { addresses = known }
    return [
      "addresses": addresses,
      "capacity": capacity, "allocatable": allocatable,
      "conditions": .array(conditions(node, context)),
      "daemonEndpoints": ["kubeletEndpoint": ["Port": 10250]],
      "images": imageList,
      "nodeInfo": [
        "machineID": .string(Self.identifier("machine", identity)), "systemUUID": .string(systemUUID),
        "bootID": .string(bootID), "kernelVersion": .string(identity.kernel ?? system.kernel),
        "osImage": .string(system.osImage), "containerRuntimeVersion": .string(system.runtime),
        "kubeletVersion": .string(identity.kubeletVersion), "kubeProxyVersion": "", "operatingSystem": "linux",
        "architecture": .string(architecture),
      ],
    ]
  }

  var resources: (capacity: JSON, allocatable: JSON) {
    if let fargate = identity.fargate {
      return (
        NodeCapacity.fargateCapacity(
          milliCPU: fargate.milliCPU, memoryMiB: fargate.memoryMiB, diskGiB: fargate.diskGiB),
        NodeCapacity.fargateAllocatable(
          milliCPU: fargate.milliCPU, memoryMiB: fargate.memoryMiB, diskGiB: fargate.diskGiB)
      )
    }
    let limits = InstanceLimits.named(identity.instanceType) ?? Self.unknownType
    return withDevices(
      NodeCapacity.capacity(limits, maxPods: identity.maxPods, diskGiB: Self.diskGiB),
      NodeCapacity.allocatable(
        limits, maxPods: identity.maxPods, reservedFor: MaxPods.nodeadm(identity.instanceType), diskGiB: Self.diskGiB)
    )
  }

  /// The largest images of the node, at most 50; null as long as it has none.
  private var imageList: JSON {
    guard !images.isEmpty else { return .null }
    let sized = images.map { (image: $0, size: Self.size($0)) }
      .sorted { ($1.size, $0.image) < ($0.size, $1.image) }
    return .array(
      sized.prefix(50).map { image, size in
        [
          "names": [.string(Self.digest(image)), .string(ImageReference.full(image))],
          "sizeBytes": .int(Int64(size)),
        ]
      })
  }

  /// What a type outside the table is taken for.
  static let unknownType = InstanceLimits.named("m5.large")!

  private var systemUUID: String { "ec2" + Self.uuid("system", identity).dropFirst(3) }

  private static func identifier(_ what: String, _ identity: MachineIdentity) -> String {
    var stream = RandomStream(seed: 0, entity: "\(what)/\(identity.instanceID)")
    return stream.hex(32)
  }

  static func uuid(_ what: String, _ identity: MachineIdentity) -> String {
    var stream = RandomStream(seed: 0, entity: "\(what)/\(identity.instanceID)")
    return stream.uuid()
  }

  private func conditions(_ node: ObjectView?, _ context: Context) -> [JSON] {
    func condition(_ type: String, _ status: String, _ reason: String, _ message: String) -> JSON {
      let old = node?.condition(type) ?? .null
      return [
        "type": .string(type), "status": .string(status), "lastHeartbeatTime": context.now.json,
        "lastTransitionTime": old["status"].string == status ? old["lastTransitionTime"] : context.now.json,
        "reason": .string(reason), "message": .string(message),
      ]
    }
    let verdict = NodeReadiness.decide(
      NodeReadiness.Facts(
        runtimeIsUp: .known(true), hasNetworkConfig: .known(hasNetwork), hasCSINode: .known(true),
        isShuttingDown: .known(shutdown != nil)))
    let ready = NodeReadiness.condition(verdict)
    let pressed = Scarce.allCases.filter { pressure?[$0.rawValue] != nil }
    return NodeReadiness.noPressure.map { none in
      guard let scarce = pressed.first(where: { $0.condition == none.type }) else {
        return condition(none.type, "False", none.reason, none.message)
      }
      return condition(none.type, "True", scarce.pressed.reason, scarce.pressed.message)
    }
      + [condition("Ready", ready.status, ready.reason, ready.message)]
  }

  // MARK: - Serving certificate

  mutating func askForCertificate(_ context: Context) {
    guard !hasCertificate, signingRequest == nil, let clusters = context.world.ports.clusters else { return }
    let name = identity.nodeName
    guard
      let pem = try? clusters.makeCertificateRequest(
        CertificateSubject(commonName: "system:node:\(name)", organizations: ["system:nodes"]), dnsNames: [name],
        addresses: [identity.address])
    else { return }
    send("csr", context) { client in
      client.create(
        "certificatesigningrequests.certificates.k8s.io", "",
        [
          "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
          "metadata": ["generateName": "csr-"],
          "spec": [
            "request": .string(Base64.encode(Array(pem.utf8))), "signerName": "kubernetes.io/kubelet-serving",
            "usages": ["digital signature", "server auth"],
          ],
        ])
    }
  }

  mutating func certificateAsked(_ reply: KubeReply, _ context: Context) {
    guard reply.isSuccess else {
      log(
        "E", "certificate_manager.go:487",
        "kubernetes.io/kubelet-serving: Failed while requesting a signed certificate from the control plane: cannot create certificate signing request: \(reply.message)",
        context)
      context.wake("certificate", after: .seconds(2), .background)
      return
    }
    signingRequest = reply.body["metadata"]["name"].string
    certificateChanged(context)
  }

  mutating func certificateChanged(_ context: Context) {
    guard !hasCertificate, let name = signingRequest,
      let request = read("certificatesigningrequests.certificates.k8s.io", "", name, context)
    else { return }
    if !request.status["certificate"].isNull {
      hasCertificate = true
      log("I", "csr.go:270", "certificate signing request \(name) is issued", context)
    } else if request.isConditionTrue("Approved"), !wasApproved {
      wasApproved = true
      log("I", "csr.go:266", "certificate signing request \(name) is approved, waiting to be issued", context)
    }
  }
}
