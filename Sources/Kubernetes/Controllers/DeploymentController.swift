import Wire
package import World

/// Rolls a Deployment's pod template out by ReplicaSets.
///
/// Source: kubernetes `pkg/controller/deployment`.
package struct DeploymentController: Reconciler {
  package static let name = "deployment-controller"
  package static let resources = ["deployments.apps", "replicasets.apps", "pods"]

  static let revision = "deployment.kubernetes.io/revision"
  static let desired = "deployment.kubernetes.io/desired-replicas"
  static let most = "deployment.kubernetes.io/max-replicas"
  static let hashLabel = "pod-template-hash"

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    switch reference.resource {
    case "replicasets.apps":
      return Ownership.keys(
        ofChild: reference, resource: "replicasets.apps", kind: "Deployment", owners: "deployments.apps", desk)
    case "pods":
      // Only Recreate waits for pods to be gone.
      guard desk.get("pods", reference.namespace, reference.name) == nil else { return [] }
      return desk.list("deployments.apps", reference.namespace)
        .filter { $0.spec["strategy"]["type"].string == "Recreate" && reference.name.hasPrefix("\($0.name)-") }
        .map(\.key)
    default: return ["\(reference.namespace)/\(reference.name)"]
    }
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let deployment = desk.get("deployments.apps", key: key) else { return }
    let sets = Ownership.claim("replicasets.apps", of: deployment, Ownership.selector(deployment), &desk)
    var rollout = Rollout(deployment: deployment, sets: sets, now: desk.now)
    if deployment.isTerminating {
      rollout.writeStatus(&desk)
      return
    }
    rollout.notePause()
    if deployment.spec["paused"].bool == true {
      rollout.findNewSet(createIfMissing: false, &desk)
      rollout.scaleProportionally(&desk)
    } else if rollout.isScaling {
      rollout.findNewSet(createIfMissing: false, &desk)
      rollout.scaleProportionally(&desk)
    } else if deployment.spec["strategy"]["type"].string == "Recreate" {
      rollout.recreate(&desk)
    } else {
      rollout.roll(&desk)
    }
    rollout.writeStatus(&desk)
    if let check = rollout.nextCheck { desk.again(after: check, .background) }
  }

  package func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    if purpose == "create", !reply.isSuccess, reply.reason != "AlreadyExists",
      let deployment = desk.get("deployments.apps", key: key)
    {
      desk.warn(deployment, "ReplicaSetCreateError", "Failed to create new replica set: \(reply.message)")
    }
    return Desk.isFailure(purpose, reply)
  }
}
