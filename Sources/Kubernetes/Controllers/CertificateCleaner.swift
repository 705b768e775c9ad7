import Wire
package import World

/// Removes certificate requests that nobody waits for any more (`pkg/controller/certificates/cleaner`).
package struct CertificateCleaner: Reconciler {
  package static let name = "csrcleaner"
  package static let credential = KubeClient.controller("certificate-controller")
  package static let resources: [String] = []

  private static let resource = "certificatesigningrequests.certificates.k8s.io"
  private static let interval = Duration.seconds(3600)
  /// How long a request is kept that was decided, failed or issued; one that waits is kept for a day.
  private static let doneFor = Duration.seconds(3600)
  private static let pendingFor = Duration.seconds(24 * 3600)

  package init() {}

  package func started(_ desk: inout Desk) { desk.context.wake("clean", after: Self.interval, .background) }

  package func woke(_ timer: String, _ desk: inout Desk) {
    desk.context.wake("clean", after: Self.interval, .background)
    for request in desk.list(Self.resource) where isStale(request, at: desk.now) {
      desk.key = request.name
      desk.delete(Self.resource, request)
    }
  }

  package func resumed(after gap: Duration, _ desk: inout Desk) {
    if !desk.context.isWaiting(for: "clean") { started(&desk) }
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {}

  private func isStale(_ request: ObjectView, at now: Timestamp) -> Bool {
    func since(_ time: JSON) -> Duration? { time.string.flatMap(Timestamp.init(rfc3339:)).map { now - $0 } }
    let conditions = request.status["conditions"].items
    func isOld(_ types: [String]) -> Bool {
      conditions.contains { condition in
        types.contains(condition["type"].string ?? "")
          && since(condition["lastUpdateTime"]).map { $0 > Self.doneFor } == true
      }
    }
    let decided = ["Approved", "Denied", "Failed"]
    if isOld(["Denied", "Failed"]) { return true }
    if !request.status["certificate"].isNull { return isOld(["Approved"]) }
    guard !conditions.contains(where: { decided.contains($0["type"].string ?? "") }) else { return false }
    return since(request.json["metadata"]["creationTimestamp"]).map { $0 > Self.pendingFor } == true
  }
}
