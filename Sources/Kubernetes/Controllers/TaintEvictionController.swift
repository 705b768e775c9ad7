import Mechanisms
import Wire
package import World

/// Deletes pods that don't tolerate the NoExecute taints of their node, when their time is over.
///
/// Source: kubernetes `pkg/controller/tainteviction`.
package struct TaintEvictionController: Reconciler {
  package static let name = "taint-eviction-controller"
  package static let credential = KubeClient.controller("node-controller")
  package static let resources = ["nodes", "pods"]

  private var marked: [String] = []

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    if reference.resource == "nodes" {
      guard let node = desk.get("nodes", "", reference.name), hasNoExecute(node) || !marked.isEmpty else { return [] }
      return desk.list("pods").filter { $0.nodeName == reference.name }.map(\.key)
    }
    let key = "\(reference.namespace)/\(reference.name)"
    guard let pod = desk.get("pods", key: key), !pod.nodeName.isEmpty, let node = desk.get("nodes", "", pod.nodeName),
      hasNoExecute(node) || marked.contains(key)
    else { return [] }
    return [key]
  }

  private func hasNoExecute(_ node: ObjectView) -> Bool {
    node.spec["taints"].items.contains { $0["effect"].string == "NoExecute" }
  }

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    guard let pod = desk.get("pods", key: key), !pod.isTerminating, let node = desk.get("nodes", "", pod.nodeName),
      let due = due(pod, node, desk)
    else {
      if let at = marked.firstIndex(of: key) {
        marked.remove(at: at)
        desk.context.cancel("key \(key)")
        if let pod = desk.get("pods", key: key), !pod.isTerminating {
          desk.event(pod, "TaintManagerEviction", "Cancelling deletion of Pod \(key)")
        }
      }
      return
    }
    if !marked.contains(key) { marked.append(key) }
    guard due <= desk.now else {
      desk.again(after: due - desk.now, .background)
      return
    }
    marked.removeAll { $0 == key }
    desk.event(pod, "TaintManagerEviction", "Marking for deletion Pod \(key)")
    desk.send(
      desk.client.patch(
        "pods", pod.namespace, pod.name,
        [
          "status": [
            "conditions": [
              [
                "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
                "message": "Taint manager: deleting due to NoExecute taint", "lastTransitionTime": desk.now.json,
              ]
            ]
          ]
        ], subresource: "status"), "delete")
    desk.send(desk.client.delete("pods", pod.namespace, pod.name, uid: pod.uid), "delete")
  }

  /// When the pod must go; nil when it may stay.
  private func due(_ pod: ObjectView, _ node: ObjectView, _ desk: Desk) -> Timestamp? {
    let taints = node.spec["taints"].items.filter { $0["effect"].string == "NoExecute" }
    guard !taints.isEmpty else { return nil }
    var due: Timestamp?
    for taint in taints {
      let known = Taint(
        key: taint["key"].string ?? "", value: taint["value"].string ?? "", effect: "NoExecute")
      let tolerations = PodNeeds(pod: pod.json).tolerations.filter { $0.tolerates(known) }
      let since = taint["timeAdded"].time ?? desk.now
      guard !tolerations.isEmpty else { return since }
      let seconds = tolerations.compactMap(\.seconds)
      guard let shortest = seconds.min() else { continue }
      let end = since + .seconds(max(0, shortest))
      due = due.map { min($0, end) } ?? end
    }
    return due
  }
}
