import Wire
package import World

/// A kind that keeps a number of equal pods.
package protocol ReplicaKind {
  static var resource: String { get }
  static var kind: String { get }
  static var controller: String { get }
}

package enum ReplicaSets: ReplicaKind {
  package static let resource = "replicasets.apps"
  package static let kind = "ReplicaSet"
  package static let controller = "replicaset-controller"
}

package enum ReplicationControllers: ReplicaKind {
  package static let resource = "replicationcontrollers"
  package static let kind = "ReplicationController"
  package static let controller = "replication-controller"
}

package typealias ReplicaSetController = ReplicaController<ReplicaSets>
package typealias ReplicationController = ReplicaController<ReplicationControllers>

/// Keeps the wanted number of a ReplicaSet's or ReplicationController's pods.
///
/// Source: kubernetes `pkg/controller/{replicaset,replication}`.
package struct ReplicaController<K: ReplicaKind>: Reconciler {
  package static var name: String { K.controller }
  package static var resources: [String] { [K.resource, "pods"] }

  /// Most pods that one look creates or deletes.
  private static var burst: Int { 500 }

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == "pods" else { return ["\(reference.namespace)/\(reference.name)"] }
    return Ownership.keys(
      ofChild: reference, resource: "pods", kind: K.kind, owners: K.resource, desk)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let set = desk.get(K.resource, key: key) else { return }
    let selector = Ownership.selector(set)
    let pods = Ownership.claim("pods", of: set, selector, &desk) { $0.isPodActive || $0.isTerminating }
    let active = pods.filter(\.isPodActive)
    let wanted = set.spec["replicas"].int ?? 1
    if !set.isTerminating {
      if active.count < wanted {
        let template = PodTemplate.pod(from: set.spec["template"], owner: set, namePrefix: "\(set.name)-")
        for _ in 0..<min(wanted - active.count, Self.burst) {
          desk.send(desk.client.create("pods", set.namespace, template), "create")
        }
      } else if active.count > wanted {
        let surplus = min(active.count - wanted, Self.burst)
        let related = PodRank.related(to: set, desk)
        for pod in PodRank.inOrderOfDeletion(active, related: related, now: desk.now).prefix(surplus) {
          desk.send(desk.client.delete("pods", pod.namespace, pod.name, uid: pod.uid), "delete/\(pod.name)")
        }
      }
    }
    writeStatus(set, pods.filter { !$0.isPodFinished }, active, &desk)
  }

  private func writeStatus(_ set: ObjectView, _ pods: [ObjectView], _ active: [ObjectView], _ desk: inout Desk) {
    let minReady = Duration.seconds(set.spec["minReadySeconds"].int ?? 0)
    let ready = active.filter(\.isPodReady)
    let (available, wait) = Availability.count(ready, minReady: minReady, now: desk.now)
    let template = LabelSelector(matchLabels: set.spec["template"]["metadata"]["labels"])
    var status = set.status
    status["replicas"] = .int(Int64(active.count))
    status["fullyLabeledReplicas"] = Self.positive(active.count { template.matches($0.labels) })
    status["readyReplicas"] = Self.positive(ready.count)
    status["availableReplicas"] = Self.positive(available)
    status["observedGeneration"] = .int(Int64(set.generation))
    if active.count >= set.spec["replicas"].int ?? 1 {
      let left = status["conditions"].items.filter { $0["type"].string != "ReplicaFailure" }
      status["conditions"] = left.isEmpty ? .null : .array(left)
    }
    desk.updateStatus(K.resource, set, status)
    if let wait { desk.again(after: wait) }
  }

  private static func positive(_ count: Int) -> JSON { count > 0 ? .int(Int64(count)) : .null }

  package func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    guard let set = desk.get(K.resource, key: key) else { return false }
    if purpose == "create" {
      if reply.isSuccess {
        desk.event(set, "SuccessfulCreate", "Created pod: \(reply.body["metadata"]["name"].string ?? "")")
        return false
      }
      // A namespace on its way out needs no more pods.
      if reply.body["details"]["causes"].items.contains(where: { $0["reason"].string == "NamespaceTerminating" }) {
        return false
      }
      desk.warn(set, "FailedCreate", "Error creating: \(reply.message)")
      var status = set.status
      let old = set.condition("ReplicaFailure")
      status["conditions"] = .array(
        status["conditions"].items.filter { $0["type"].string != "ReplicaFailure" } + [
          [
            "type": "ReplicaFailure", "status": "True",
            "lastTransitionTime": old.isNull ? desk.now.json : old["lastTransitionTime"], "reason": "FailedCreate",
            "message": .string(reply.message),
          ]
        ])
      desk.updateStatus(K.resource, set, status)
      return true
    }
    if purpose.hasPrefix("delete/") {
      let pod = String(purpose.dropFirst(7))
      if reply.isSuccess {
        desk.event(set, "SuccessfulDelete", "Deleted pod: \(pod)")
      } else if reply.status != 404 {
        desk.warn(set, "FailedDelete", "Error deleting: \(reply.message)")
      }
    }
    return Desk.isFailure(purpose, reply)
  }
}
