package import Wire

extension AddonHealth.Workload {
  /// From a Deployment or DaemonSet; nil for any other kind.
  package init?(_ object: JSON) {
    let name = object["metadata"]["name"].string ?? ""
    let status = object["status"]
    switch object["kind"].string {
    case "Deployment":
      self.init(
        name: "deployment/\(name)", desired: object["spec"]["replicas"].int ?? 1,
        ready: status["availableReplicas"].int ?? 0)
    case "DaemonSet":
      // One whose controller has not looked at it yet says nothing of how many it wants.
      let isSeen = (status["observedGeneration"].int ?? 0) >= (object["metadata"]["generation"].int ?? 1)
      self.init(
        name: "daemonset/\(name)", desired: isSeen ? status["desiredNumberScheduled"].int ?? 0 : 1,
        ready: status["numberAvailable"].int ?? status["numberReady"].int ?? 0)
    default: return nil
    }
  }
}
