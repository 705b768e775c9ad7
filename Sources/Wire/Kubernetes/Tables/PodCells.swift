/// How a pod is shown: READY, STATUS and RESTARTS, as upstream's `printPod` finds them.
package struct PodCells: Sendable {
  package let ready: String
  package let status: String
  package let restarts: Int
  /// The latest end of a container that was started again.
  package let lastRestart: Timestamp?

  package init(_ pod: JSON) {
    let spec = pod["spec"]
    let status = pod["status"]
    var total = spec["containers"].items.count
    var readyCount = 0
    var reason = status["reason"].string.flatMap { $0.isEmpty ? nil : $0 } ?? status["phase"].string ?? ""
    for condition in status["conditions"].items
    where condition["type"].string == "PodScheduled" && condition["reason"].string == "SchedulingGated" {
      reason = "SchedulingGated"
    }
    let initContainers = spec["initContainers"].items
    func isSidecar(_ name: String?) -> Bool {
      initContainers.contains { $0["name"].string == name && $0["restartPolicy"].string == "Always" }
    }
    total += initContainers.count { $0["restartPolicy"].string == "Always" }

    var restarts = 0
    var last: Timestamp?
    var sidecarRestarts = 0
    var sidecarLast: Timestamp?
    var isInitializing = false
    for (index, container) in status["initContainerStatuses"].items.enumerated() {
      let state = container["state"]
      let sidecar = isSidecar(container["name"].string)
      let ended = PodCells.ended(container)
      restarts += container["restartCount"].int ?? 0
      last = PodCells.later(last, ended)
      if sidecar {
        sidecarRestarts += container["restartCount"].int ?? 0
        sidecarLast = PodCells.later(sidecarLast, ended)
      }
      let terminated = state["terminated"]
      let waiting = state["waiting"]["reason"].string ?? ""
      if terminated.object != nil, terminated["exitCode"].int ?? 0 == 0 { continue }
      if sidecar, container["started"].bool == true {
        if container["ready"].bool == true { readyCount += 1 }
        continue
      }
      if terminated.object != nil {
        reason = "Init:" + PodCells.ending(terminated)
      } else if !waiting.isEmpty, waiting != "PodInitializing" {
        reason = "Init:" + waiting
      } else {
        reason = "Init:\(index)/\(initContainers.count)"
      }
      isInitializing = true
      break
    }

    if !isInitializing || PodCells.isTrue("Initialized", status) {
      restarts = sidecarRestarts
      last = sidecarLast
      var hasRunning = false
      for container in status["containerStatuses"].items.reversed() {
        let state = container["state"]
        restarts += container["restartCount"].int ?? 0
        last = PodCells.later(last, PodCells.ended(container))
        let waiting = state["waiting"]["reason"].string ?? ""
        if !waiting.isEmpty {
          reason = waiting
        } else if state["terminated"].object != nil {
          reason = PodCells.ending(state["terminated"])
        } else if container["ready"].bool == true, state["running"].object != nil {
          hasRunning = true
          readyCount += 1
        }
      }
      if reason == "Completed", hasRunning { reason = PodCells.isTrue("Ready", status) ? "Running" : "NotReady" }
    }

    if !pod["metadata"]["deletionTimestamp"].isNull {
      let phase = status["phase"].string
      if status["reason"].string == "NodeLost" {
        reason = "Unknown"
      } else if phase != "Succeeded", phase != "Failed" {
        reason = "Terminating"
      }
    }
    ready = "\(readyCount)/\(total)"
    self.status = reason
    self.restarts = restarts
    lastRestart = last
  }

  /// RESTARTS with the time since the last one.
  package func restartsText(now: Timestamp) -> String {
    guard restarts != 0, let lastRestart else { return String(restarts) }
    return "\(restarts) (\(HumanDuration.text(now - lastRestart)) ago)"
  }

  private static func ended(_ container: JSON) -> Timestamp? {
    container["lastState"]["terminated"]["finishedAt"].string.flatMap { Timestamp(rfc3339: $0) }
  }

  private static func later(_ a: Timestamp?, _ b: Timestamp?) -> Timestamp? {
    guard let a else { return b }
    return b.map { max(a, $0) } ?? a
  }

  private static func ending(_ terminated: JSON) -> String {
    if let reason = terminated["reason"].string, !reason.isEmpty { return reason }
    if let signal = terminated["signal"].int, signal != 0 { return "Signal:\(signal)" }
    return "ExitCode:\(terminated["exitCode"].int ?? 0)"
  }

  private static func isTrue(_ type: String, _ status: JSON) -> Bool {
    status["conditions"].items.contains { $0["type"].string == type && $0["status"].string == "True" }
  }

  /// The condition of a row whose pod has ended.
  static func condition(_ pod: JSON) -> JSON? {
    switch pod["status"]["phase"].string {
    case "Succeeded":
      [
        [
          "type": "Completed", "status": "True", "reason": "Succeeded",
          "message": "The pod has completed successfully.",
        ]
      ]
    case "Failed": [["type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."]]
    default: nil
    }
  }
}
