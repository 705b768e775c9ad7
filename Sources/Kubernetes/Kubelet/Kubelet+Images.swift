import Containers
import Mechanisms
import Wire
import World

/// Images of containers: what is there, what is pulled, and how often that is tried.
///
/// Source: kubernetes `pkg/kubelet/images`.
extension Kubelet {
  /// Whether the image is there; asks for it otherwise.
  mutating func pull(
    _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ turn: inout Turn, _ context: Context
  ) -> Bool {
    if record.containers[index].hasImage { return true }
    let spec = spec(of: record.containers[index].name, pod)
    let image = spec["image"].string ?? ""
    guard ImageReference.isValid(image) else {
      let why =
        "Failed to apply default image tag \"\(image)\": couldn't parse image name \"\(image)\": invalid reference format"
      refuseImage(&record, index, "InvalidImageName", why, told: "InspectFailed", pod, &turn, context)
      return false
    }
    guard record.containers[index].pullEnds == nil else {
      return finishPull(&record, index, image, pod, &turn, context)
    }
    let policy = spec["imagePullPolicy"].string ?? "IfNotPresent"
    let subject = about(record.containers[index], pod)
    if policy != "Always", images.contains(image) {
      event(subject, context, "Pulled", "Container image \"\(image)\" already present on machine")
      record.containers[index].hasImage = true
      return true
    }
    if policy == "Never" {
      let why = "Container image \"\(image)\" is not present with pull policy of Never"
      refuseImage(&record, index, "ErrImageNeverPull", why, told: "ErrImageNeverPull", pod, &turn, context)
      return false
    }
    if let retry = record.containers[index].pullAgainAt, retry > context.now {
      holdPull(&record, index, image, until: retry, pod, &turn, context)
      return false
    }
    tellMissingPullSecrets(pod, context)
    event(subject, context, "Pulling", "Pulling image \"\(image)\"")
    record.containers[index].pullEnds = context.now + context.durations[.imagePull]
    return finishPull(&record, index, image, pod, &turn, context)
  }

  private mutating func refuseImage(
    _ record: inout PodRecord, _ index: Int, _ reason: String, _ why: String, told: String, _ pod: ObjectView,
    _ turn: inout Turn, _ context: Context
  ) {
    let subject = about(record.containers[index], pod)
    record.containers[index].state = .waiting(reason: reason, message: why)
    event(subject, context, type: "Warning", told, why)
    event(subject, context, type: "Warning", "Failed", "Error: \(reason)")
    record.containers[index].notBefore = context.now + .seconds(10)
    turn.at(context.now + .seconds(10), quietly: true)
  }

  private mutating func finishPull(
    _ record: inout PodRecord, _ index: Int, _ image: String, _ pod: ObjectView, _ turn: inout Turn,
    _ context: Context
  ) -> Bool {
    guard let ends = record.containers[index].pullEnds, ends <= context.now else {
      turn.at(record.containers[index].pullEnds!)
      return false
    }
    record.containers[index].pullEnds = nil
    var told = self.told(of: record.containers[index].name, pod)["pull"].string
    if told == "private" { told = pullSecrets(pod, context).isEmpty ? "denied" : "ok" }
    if let failure = told == nil ? unreached(image, context) : nil {
      failedPull(&record, index, image, failure, pod, &turn, context)
      return false
    }
    if let failure = ImagePull.failure(image, told: told) {
      failedPull(&record, index, image, failure, pod, &turn, context)
      return false
    }
    if !images.contains(image) { images.append(image) }
    let took = Self.goMilliseconds(context.durations[.imagePull])
    event(
      about(record.containers[index], pod), context, "Pulled",
      "Successfully pulled image \"\(image)\" in \(took) (\(took) including waiting). Image size: \(Self.size(image)) bytes."
    )
    record.containers[index].hasImage = true
    record.containers[index].failedPulls = 0
    record.containers[index].pullAgainAt = nil
    return true
  }

  /// Why the node gets nothing from the image's registry, in containerd's words.
  private func unreached(_ image: String, _ context: Context) -> String? {
    let hosts = PublicNames.hosts(ofRegistry: String(ImageReference.full(image).prefix { $0 != "/" }))
    for (place, host) in hosts.enumerated() {
      guard let obstacle = context.world.ports.obstacle(from: identity.instanceID, to: host) else { continue }
      return ImagePull.unreached(image, host, place, obstacle.dialError(host, resolver: VPCResolver.linkLocal))
    }
    return nil
  }

  /// A pull has failed: ten seconds until the next, doubled each time up to five minutes.
  private mutating func failedPull(
    _ record: inout PodRecord, _ index: Int, _ image: String, _ failure: String, _ pod: ObjectView,
    _ turn: inout Turn, _ context: Context
  ) {
    let subject = about(record.containers[index], pod)
    let failures = record.containers[index].failedPulls
    event(subject, context, type: "Warning", "Failed", "Failed to pull image \"\(image)\": \(failure)")
    event(subject, context, type: "Warning", "Failed", "Error: ErrImagePull")
    record.containers[index].state = .waiting(reason: "ErrImagePull", message: failure)
    record.containers[index].failedPulls = failures + 1
    record.containers[index].pullAgainAt = context.now + .seconds(min(300, 10 << min(failures, 5)))
    // The pod is looked at again before that, and then told as held back.
    record.containers[index].notBefore = context.now + .seconds(2)
    turn.at(context.now + .seconds(2), quietly: failures > 1)
  }

  private mutating func holdPull(
    _ record: inout PodRecord, _ index: Int, _ image: String, until retry: Timestamp, _ pod: ObjectView,
    _ turn: inout Turn, _ context: Context
  ) {
    let why: String =
      switch record.containers[index].state {
      case .waiting("ErrImagePull", let failure): "Back-off pulling image \"\(image)\": ErrImagePull: \(failure)"
      case .waiting(_, let message): message
      default: "Back-off pulling image \"\(image)\""
      }
    let subject = about(record.containers[index], pod)
    event(subject, context, "BackOff", "Back-off pulling image \"\(image)\"")
    event(subject, context, type: "Warning", "Failed", "Error: ImagePullBackOff")
    record.containers[index].state = .waiting(reason: "ImagePullBackOff", message: why)
    record.containers[index].notBefore = retry
    turn.at(retry, quietly: record.containers[index].failedPulls > 2)
  }

  /// Names of the pod's pull secrets that are there.
  private func pullSecrets(_ pod: ObjectView, _ context: Context) -> [String] {
    pod.spec["imagePullSecrets"].items.compactMap { $0["name"].string }
      .filter { read("secrets", pod.namespace, $0, context) != nil }
  }

  private mutating func tellMissingPullSecrets(_ pod: ObjectView, _ context: Context) {
    let missing = pod.spec["imagePullSecrets"].items.compactMap { $0["name"].string }
      .filter { read("secrets", pod.namespace, $0, context) == nil }
    guard !missing.isEmpty else { return }
    event(
      pod.reference, context, type: "Warning", "FailedToRetrieveImagePullSecret",
      "Unable to retrieve some image pull secrets (\(missing.joined(separator: ", "))); attempting to pull the image may not succeed."
    )
  }

  static func size(_ image: String) -> Int {
    var stream = RandomStream(seed: 0, entity: "image/\(image)")
    return 20_000_000 + Int(stream.next() % 180_000_000)
  }

  private static func goMilliseconds(_ time: Duration) -> String {
    let milliseconds = time.microseconds / 1000
    return milliseconds < 1000 ? "\(milliseconds)ms" : "\(Double(milliseconds) / 1000)s"
  }
}
