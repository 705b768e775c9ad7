import Wire
package import World

/// Keeps a StatefulSet's pods: numbered, in order, each with its own claims.
///
/// Source: kubernetes `pkg/controller/statefulset`.
package struct StatefulSetController: Reconciler {
  package static let name = "statefulset-controller"
  package static let resources = ["statefulsets.apps", "pods", "persistentvolumeclaims"]

  static let revisionLabel = "controller-revision-hash"

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    switch reference.resource {
    case "pods":
      return Ownership.keys(
        ofChild: reference, resource: "pods", kind: "StatefulSet", owners: "statefulsets.apps", desk)
    case "persistentvolumeclaims":
      // A claim that went while its pod waits for it is made again.
      guard desk.get("persistentvolumeclaims", reference.namespace, reference.name) == nil else { return [] }
      return desk.list("statefulsets.apps", reference.namespace).filter { reference.name.contains("-\($0.name)-") }
        .map(\.key)
    default: return ["\(reference.namespace)/\(reference.name)"]
    }
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    guard let set = desk.get("statefulsets.apps", key: key), !set.isTerminating else { return }
    let pods = Ownership.claim("pods", of: set, Ownership.selector(set), &desk) { Self.ordinal(of: $0, set) != nil }
    let history = RevisionHistory(of: set, &desk)
    guard let update = history.update else { return }
    var turn = StatefulSetTurn(set: set, pods: pods, history: history, update: update, now: desk.now)
    turn.act(&desk)
    turn.writeStatus(&desk)
    let live = Set(pods.compactMap { $0.labels[Self.revisionLabel].string } + [turn.current.name, update.name])
    history.truncate(keeping: live, &desk)
  }

  static func ordinal(of pod: ObjectView, _ set: ObjectView) -> Int? {
    guard pod.name.hasPrefix("\(set.name)-") else { return nil }
    return Int(pod.name.dropFirst(set.name.count + 1))
  }

  package func replied(_ key: String, purpose: String, _ reply: KubeReply, _ desk: inout Desk) -> Bool {
    guard let set = desk.get("statefulsets.apps", key: key) else { return false }
    let parts = purpose.split(separator: "/").map(String.init)
    if parts.count == 3 {
      let (verb, claim, pod) = (parts[0], parts[1], parts[2])
      if reply.isSuccess {
        desk.event(
          set, "SuccessfulCreate", "\(verb) Claim \(claim) Pod \(pod) in StatefulSet \(set.name) success")
      } else if reply.reason != "AlreadyExists" {
        desk.warn(
          set, "FailedCreate",
          "\(verb) Claim \(claim) for Pod \(pod) in StatefulSet \(set.name) failed error: \(reply.message)"
        )
      }
    } else if parts.count == 2, reply.reason != "AlreadyExists" {
      let (verb, pod) = (parts[0], parts[1])
      if reply.isSuccess {
        desk.event(
          set, "Successful\(verb == "create" ? "Create" : "Delete")",
          "\(verb) Pod \(pod) in StatefulSet \(set.name) successful")
      } else if reply.status != 404 {
        desk.warn(
          set, "Failed\(verb == "create" ? "Create" : "Delete")",
          "\(verb) Pod \(pod) in StatefulSet \(set.name) failed error: \(reply.message)")
      }
    }
    return Desk.isFailure(purpose, reply)
  }
}
