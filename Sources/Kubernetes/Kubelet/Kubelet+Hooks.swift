import Containers
import Wire
import World

/// Lifecycle hooks of containers: `postStart` and `preStop`.
///
/// Source: kubernetes `pkg/kubelet/lifecycle/handlers.go`, `pkg/kubelet/kuberuntime/kuberuntime_container.go`.
extension Kubelet {
  enum HookKind: String { case postStart, preStop }

  /// How a hook goes once it has begun.
  enum HookCourse {
    /// There is none.
    case absent
    /// It is over already; with why it failed.
    case over(failure: String?)
    /// It is over at a known time.
    case until(Timestamp)
    /// Its command runs, and its end will be told.
    case running
  }

  mutating func beginHook(
    _ kind: HookKind, _ container: ContainerRecord, _ record: PodRecord, _ pod: ObjectView, _ context: Context
  ) -> HookCourse {
    let spec = spec(of: container.name, pod)
    let handler = spec["lifecycle"][kind.rawValue]
    if handler.isNull || container.program != nil { return .absent }
    if let seconds = handler["sleep"]["seconds"].int { return .until(context.now + .seconds(seconds)) }
    if !handler["exec"].isNull {
      let command = handler["exec"]["command"].strings
      guard !isUnknown(command, spec["image"].string ?? "") else { return .over(failure: nil) }
      context.send(
        runtime(record, pod, context), "hook",
        ["container": .string(container.name), "kind": .string(kind.rawValue), "command": JSON(command)])
      return .running
    }
    guard !handler["httpGet"].isNull else {
      return .over(failure: "Cannot run handler: invalid handler: \(handler.text())")
    }
    let answers = ContainerAnswers(
      plan: plan(of: container.name, pod), ports: container.ports, declared: spec["ports"].items,
      address: record.address, age: container.runningSince.map { context.now - $0 } ?? .zero)
    guard let why = answers.failureToConnect(handler["httpGet"]) else { return .over(failure: nil) }
    return .over(
      failure:
        "HTTP lifecycle hook (\(handler["httpGet"]["path"].string ?? "")) for Container \"\(container.name)\" in Pod \"\(Self.title(pod))\" failed - error: \(why), message: \"\""
    )
  }

  /// Whether a command is a program of an image of which nothing is known: nobody can say that it fails.
  private func isUnknown(_ command: [String], _ image: String) -> Bool {
    ImageCatalogue.entry(image) == nil && !ContainerPlan.isTool(command.first ?? "")
  }

  /// A pod as the kubelet names it in messages.
  static func title(_ pod: ObjectView) -> String { "\(pod.name)_\(pod.namespace)(\(pod.uid))" }

  // MARK: - postStart

  /// Runs the hook of a container that has just been started.
  mutating func beginPostStart(_ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ context: Context) {
    switch beginHook(.postStart, record.containers[index], record, pod, context) {
    case .absent, .over(nil): return
    case .over(.some(let failure)): failPostStart(&record, index, failure, pod, context)
    case .until(let end): record.containers[index].postStart = .init(ends: end)
    case .running: record.containers[index].postStart = .init()
    }
  }

  /// Whether a container's hook is still under way; one of a known length ends here.
  func isInPostStart(_ record: inout PodRecord, _ index: Int, _ turn: inout Turn, _ context: Context) -> Bool {
    guard let hook = record.containers[index].postStart else { return false }
    guard let ends = hook.ends else { return true }
    if ends > context.now {
      turn.at(ends)
      return true
    }
    record.containers[index].postStart = nil
    return false
  }

  private mutating func failPostStart(
    _ record: inout PodRecord, _ index: Int, _ failure: String, _ pod: ObjectView, _ context: Context
  ) {
    // What the hook said stays out of the event: it may hold secrets.
    event(
      about(record.containers[index], pod), context, type: "Warning", "FailedPostStartHook", "PostStartHook failed")
    record.containers[index].hookFailure = failure
    let grace = pod.spec["terminationGracePeriodSeconds"].int ?? 30
    stop(&record, index, pod, grace: grace, context, why: "FailedPostStartHook")
  }

  // MARK: - Ends

  /// The command of a hook has ended.
  mutating func hookEnded(
    _ value: JSON, _ record: inout PodRecord, _ index: Int, _ pod: ObjectView, _ context: Context
  ) {
    guard let kind = HookKind(rawValue: value["hook"].string ?? "") else { return }
    let name = record.containers[index].name
    let spec = spec(of: name, pod)
    let command = spec["lifecycle"][kind.rawValue]["exec"]["command"].strings
    var code = value["code"].int ?? 0
    if ImageCatalogue.entry(spec["image"].string ?? "") == nil, code == 126 || code == 127 { code = 0 }
    let error =
      value["fault"].string
      ?? "command '\(command.joined(separator: " "))' exited with \(code): \(value["errors"].string ?? "")"
    let failure =
      "Exec lifecycle hook ([\(command.joined(separator: " "))]) for Container \"\(name)\" in Pod \"\(Self.title(pod))\" failed - error: \(error), message: \(GoText.quote(value["output"].string ?? ""))"
    switch kind {
    case .postStart:
      guard record.containers[index].postStart != nil else { return }
      record.containers[index].postStart = nil
      if code != 0 { failPostStart(&record, index, failure, pod, context) }
    case .preStop:
      guard let hookEnds = record.containers[index].stopping?.hookEnds, hookEnds > context.now else { return }
      record.containers[index].stopping?.hookEnds = context.now
      if code != 0 { tellFailedPreStop(record.containers[index], pod, context) }
    }
  }

  mutating func tellFailedPreStop(_ container: ContainerRecord, _ pod: ObjectView, _ context: Context) {
    event(about(container, pod), context, type: "Warning", "FailedPreStopHook", "PreStopHook failed")
  }
}
