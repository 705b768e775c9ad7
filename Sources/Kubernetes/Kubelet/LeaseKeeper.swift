import Wire
package import World

/// Renews the lease of a node: its sign of life.
///
/// Source: kubernetes `staging/src/k8s.io/component-helpers/apimachinery/lease` (every 10 s, 40 s long).
package struct LeaseKeeper: Component {
  package static let kind = "lease"
  package static func id(_ instance: String) -> ComponentID { ComponentID("lease/\(instance)") }

  private static let resource = "leases.coordination.k8s.io"
  private static let namespace = "kube-node-lease"
  private static let interval: Duration = .seconds(10)

  private let identity: MachineIdentity
  private var credential = NodeCredential()
  private var failures = 0
  private var isUnderWay = false

  package init(_ identity: MachineIdentity) { self.identity = identity }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start, .wake: renew(context)
    case .kube(_, let reply):
      isUnderWay = false
      if reply.isSuccess {
        failures = 0
        // Upstream jitters by 4 %.
        let jitter = context.random { Int64($0.next() % 400_000) }
        context.wake("renew", after: Self.interval + .microseconds(jitter), .heartbeat)
      } else {
        if reply.status == 401 { credential.refuse() }
        failed(reply.message, context)
      }
    default: break
    }
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    isUnderWay = false
    context.wake("renew", after: .zero, .heartbeat)
  }

  private mutating func renew(_ context: Context) {
    guard !isUnderWay else { return }
    guard let client = credential.client(identity, context) else {
      failed("Get \"https://\(identity.cluster)/apis/coordination.k8s.io/v1\": \(NodeCredential.failure)", context)
      return
    }
    let path = "/apis/coordination.k8s.io/v1/namespaces/\(Self.namespace)/leases/\(identity.nodeName)?timeout=10s"
    if let error = identity.failureToReachServer("Put", path, context) {
      failed(error, context)
      return
    }
    isUnderWay = true
    let reference = ObjectReference(
      cluster: identity.cluster, resource: Self.resource, namespace: Self.namespace, name: identity.nodeName)
    let time: JSON = .string(context.now.rfc3339Micro)
    if var lease = context.world.kube.host?.get(reference) {
      lease["spec"]["renewTime"] = time
      lease["spec"]["holderIdentity"] = .string(identity.nodeName)
      context.submit(client.update(Self.resource, lease), tag: "renew", weight: .heartbeat, wants: .outcome)
    } else {
      let node = context.world.kube.host?.get(
        ObjectReference(cluster: identity.cluster, resource: "nodes", namespace: "", name: identity.nodeName))
      let owner: JSON =
        node.map {
          [
            [
              "apiVersion": "v1", "kind": "Node", "name": .string(identity.nodeName), "uid": $0["metadata"]["uid"],
            ]
          ]
        } ?? .null
      context.submit(
        client.create(
          Self.resource, Self.namespace,
          [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": [
              "name": .string(identity.nodeName), "namespace": .string(Self.namespace), "ownerReferences": owner,
            ],
            "spec": [
              "holderIdentity": .string(identity.nodeName), "leaseDurationSeconds": 40, "renewTime": time,
            ],
          ]), tag: "renew", weight: .heartbeat, wants: .outcome)
    }
  }

  private mutating func failed(_ error: String, _ context: Context) {
    let pause = min(Duration.milliseconds(200 << min(failures, 6)), .seconds(7))
    failures += 1
    let told = pause < .seconds(1) ? "\(pause.microseconds / 1000)ms" : Self.seconds(pause)
    Journal(stream: identity.log("kubelet"), pid: Kubelet.pid).write(
      "E", "controller.go:145",
      "\"Failed to ensure lease exists, will retry\" err=\(GoText.quote(error)) interval=\"\(told)\"",
      context)
    context.wake("renew", after: pause, .background)
  }

  /// As Go prints a duration below a minute.
  private static func seconds(_ pause: Duration) -> String {
    let tenths = pause.microseconds / 100_000
    return tenths % 10 == 0 ? "\(tenths / 10)s" : "\(tenths / 10).\(tenths % 10)s"
  }
}
