import Evidence
import Mechanisms
import Wire

/// What a Pod object says of its own state.
struct PodState: Sendable {
  struct Container: Sendable {
    var name: String
    var isInit: Bool
    var isReady: Bool
    var restarts: Int
    /// `ContainerCreating`, `CrashLoopBackOff`, `ImagePullBackOff`.
    var waiting: String?
    var waitingMessage: String
    var isRunning: Bool
    var terminated: JSON
    var last: JSON
    var image: String
  }

  var pod: JSON
  var name: String
  var namespace: String?
  var phase: String
  var node: String?
  var created: Timestamp?
  var containers: [Container]

  init(_ pod: JSON) {
    self.pod = pod
    name = pod["metadata"]["name"].string ?? ""
    namespace = pod["metadata"]["namespace"].string
    phase = pod["status"]["phase"].string ?? ""
    node = pod["spec"]["nodeName"].string
    created = pod["metadata"]["creationTimestamp"].time
    func read(_ list: JSON, isInit: Bool) -> [Container] {
      list.items.map { status in
        Container(
          name: status["name"].string ?? "", isInit: isInit, isReady: status["ready"].bool ?? false,
          restarts: status["restartCount"].int ?? 0, waiting: status["state"]["waiting"]["reason"].string,
          waitingMessage: status["state"]["waiting"]["message"].string ?? "",
          isRunning: !status["state"]["running"].isNull, terminated: status["state"]["terminated"],
          last: status["lastState"]["terminated"], image: status["image"].string ?? "")
      }
    }
    containers =
      read(pod["status"]["initContainerStatuses"], isInit: true)
      + read(pod["status"]["containerStatuses"], isInit: false)
  }

  func condition(_ type: String) -> JSON {
    pod["status"]["conditions"].items.first { $0["type"].string == type } ?? .null
  }

  /// What the pod's spec says of a container.
  static func spec(of container: Container, in pod: JSON) -> JSON {
    pod["spec"][container.isInit ? "initContainers" : "containers"].items
      .first { $0["name"].string == container.name } ?? .null
  }

  var isReady: Bool { condition("Ready")["status"].string == "True" }
  var isHostNetwork: Bool { pod["spec"]["hostNetwork"].bool ?? false }
  var isDeleting: Bool { !pod["metadata"]["deletionTimestamp"].isNull }
  var isFinished: Bool { phase == "Succeeded" || phase == "Failed" }
  var address: String? { pod["status"]["podIP"].string.flatMap { $0.isEmpty ? nil : $0 } }
  var entity: Entity { Entity("Pod", name, namespace: namespace) }

  /// The word that `kubectl get pods` prints for its state.
  var word: String {
    if isDeleting { return "Terminating" }
    for container in containers {
      if let waiting = container.waiting, waiting != "PodInitializing" {
        return container.isInit ? "Init:\(waiting)" : waiting
      }
      if !container.isInit, let reason = container.terminated["reason"].string { return reason }
    }
    return pod["status"]["reason"].string ?? phase
  }

  /// Since when it is in this state.
  var since: Timestamp? {
    condition("Ready")["lastTransitionTime"].time ?? condition("PodScheduled")["lastTransitionTime"].time ?? created
  }

  /// What keeps it from being ready, in a few words.
  var trouble: String {
    for container in containers where !container.isReady && container.terminated["exitCode"].int != 0 {
      let restarts = container.restarts > 0 ? ", \(Count.of(container.restarts, "restart"))" : ""
      if let waiting = container.waiting { return "container \(container.name) is \(waiting)\(restarts)" }
      if container.isInit, container.isRunning { return "init container \(container.name) still runs\(restarts)" }
      if container.isRunning { return "container \(container.name) runs and fails its readiness probe\(restarts)" }
      if let code = container.terminated["exitCode"].int {
        return "container \(container.name) ended with exit code \(code)\(restarts)"
      }
    }
    return "it is \(word)"
  }

  func exhibit(_ now: Timestamp) -> Exhibit {
    let ready = condition("Ready")
    let since = ready["lastTransitionTime"].time
    return Exhibit(
      Cite.object(
        pod, "Pod", resource: .pods, field: "status.conditions[Ready]", value: ready["status"].string ?? phase,
        at: since ?? now),
      text: "k8s pods/\(namespace ?? "")/\(name): "
        + (isReady ? "Ready" : trouble) + (since.map { ", since \(Ages.clock($0, now: now))" } ?? ""))
  }
}
