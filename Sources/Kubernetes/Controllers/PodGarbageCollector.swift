import Wire
import World

/// Removes pods whose node is gone, and finished ones past the limit.
///
/// Source: kubernetes `pkg/controller/podgc`.
package struct PodGarbageCollector: Reconciler {
  package static let name = "pod-garbage-collector"
  package static let resources = ["nodes"]

  /// How long a node may be missing before its pods go.
  private static let quarantine: Duration = .seconds(40)

  private var missingSince: [String: Timestamp] = [:]

  package init() {}

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    guard desk.get("nodes", "", key) == nil else {
      missingSince[key] = nil
      return
    }
    let orphans = desk.list("pods").filter { $0.nodeName == key }
    guard !orphans.isEmpty else {
      missingSince[key] = nil
      return
    }
    let since = missingSince[key] ?? desk.now
    missingSince[key] = since
    guard desk.now - since >= Self.quarantine else {
      desk.again(after: since + Self.quarantine - desk.now)
      return
    }
    missingSince[key] = nil
    for pod in orphans {
      if !pod.isPodFinished {
        let message = "PodGC: node no longer exists"
        desk.send(
          desk.client.patch(
            "pods", pod.namespace, pod.name,
            [
              "status": [
                "phase": "Failed",
                "conditions": [
                  [
                    "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
                    "message": .string(message), "lastTransitionTime": desk.now.json,
                  ]
                ],
              ]
            ], subresource: "status"), "delete")
      }
      desk.send(desk.client.delete("pods", pod.namespace, pod.name, gracePeriod: 0), "delete")
    }
  }
}
