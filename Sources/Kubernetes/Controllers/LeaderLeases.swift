import Wire
package import World

/// Holds the leases by which the parts of a control plane agree on who of them acts, so that others that are started
/// beside the built-in ones wait for their turn.
///
/// Source: client-go `tools/leaderelection` (15 s long). Renewed every ten seconds, not every two.
package struct LeaderLeases: Component {
  package static let kind = "leader-leases"
  package static func id(_ cluster: String) -> ComponentID { ComponentID("leader-leases/\(cluster)") }

  private static let resource = "leases.coordination.k8s.io"
  private static let namespace = "kube-system"
  private static let interval: Duration = .seconds(10)
  private static let seconds = 15

  private let cluster: String
  /// Names of the leases that are held: `kube-scheduler`.
  private var held: [String]
  private var holder = ""
  private var isUnderWay: [String] = []

  package init(_ cluster: String, held: [String]) {
    self.cluster = cluster
    self.held = held
  }

  package mutating func step(_ input: Input, _ context: Context) {
    switch input {
    case .start, .wake: renew(context)
    case .message("hold", let names):
      held = names.strings
      renew(context)
    case .kube(let tag, _): isUnderWay.removeAll { $0 == tag }
    default: break
    }
  }

  package mutating func resumed(after gap: Duration, _ context: Context) {
    isUnderWay = []
    renew(context)
  }

  private mutating func renew(_ context: Context) {
    if holder.isEmpty { holder = "ip-172-16-0-10.ec2.internal_\(context.random { $0.uuid() })" }
    for name in held where !isUnderWay.contains(name) { renew(name, context) }
    if !held.isEmpty { context.wake("renew", after: Self.interval, .heartbeat) }
  }

  private mutating func renew(_ name: String, _ context: Context) {
    let client = KubeClient(cluster: cluster, credential: KubeClient.user("system:\(name)"), userAgent: name)
    let reference = ObjectReference(
      cluster: cluster, resource: Self.resource, namespace: Self.namespace, name: name)
    let now: JSON = .string(context.now.rfc3339Micro)
    isUnderWay.append(name)
    guard var lease = context.world.kube.host?.get(reference) else {
      return context.submit(
        client.create(
          Self.resource, Self.namespace,
          [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": ["name": .string(name), "namespace": .string(Self.namespace)],
            "spec": [
              "holderIdentity": .string(holder), "leaseDurationSeconds": .int(Int64(Self.seconds)),
              "acquireTime": now, "renewTime": now, "leaseTransitions": 0,
            ],
          ]), tag: name, weight: .heartbeat, wants: .outcome)
    }
    let spec = lease["spec"]
    if spec["holderIdentity"].string != holder {
      // Whoever holds it keeps it for as long as he renews it.
      let until = (spec["renewTime"].time ?? context.now) + .seconds(spec["leaseDurationSeconds"].int ?? Self.seconds)
      guard (spec["holderIdentity"].string ?? "").isEmpty || until < context.now else {
        isUnderWay.removeAll { $0 == name }
        return
      }
      lease["spec"]["holderIdentity"] = .string(holder)
      lease["spec"]["acquireTime"] = now
      lease["spec"]["leaseDurationSeconds"] = .int(Int64(Self.seconds))
      lease["spec"]["leaseTransitions"] = .int(Int64((spec["leaseTransitions"].int ?? 0) + 1))
    }
    lease["spec"]["renewTime"] = now
    context.submit(client.update(Self.resource, lease), tag: name, weight: .heartbeat, wants: .outcome)
  }
}
