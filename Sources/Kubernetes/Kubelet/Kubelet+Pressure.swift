import Containers
import Mechanisms
import Wire
import World

/// What happens when a node runs out of memory or disk: its conditions, and who has to go.
///
/// Source: kubernetes `pkg/kubelet/eviction`; the thresholds are those of EKS's AL2023 images.
extension Kubelet {
  /// A resource of the node that can run out.
  enum Scarce: String, CaseIterable, Codable {
    case memory
    case disk = "ephemeral-storage"

    var condition: String { self == .memory ? "MemoryPressure" : "DiskPressure" }
    var pressed: (reason: String, message: String) {
      self == .memory
        ? ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available")
        : ("KubeletHasDiskPressure", "kubelet has disk pressure")
    }
    /// The node's event as the condition begins and ends.
    var events: (begin: String, end: String) {
      self == .memory
        ? ("NodeHasInsufficientMemory", "NodeHasSufficientMemory") : ("NodeHasDiskPressure", "NodeHasNoDiskPressure")
    }
  }

  /// What a resource comes to.
  struct Signal {
    var available: Int
    var threshold: Int
    /// As it is configured, or what a share of it comes to.
    var thresholdText: String

    var isMet: Bool { available < threshold }
  }

  /// How often the eviction manager looks while there is something to see.
  private static let pressureInterval: Duration = .seconds(10)
  /// How long a condition stays after the last time its threshold was met.
  private static let transition: Duration = .seconds(300)
  /// What the system takes of the disk.
  private static let systemDisk = 2_600 << 20
  static let diskGiB = 20
  private static let criticalPriority = 2_000_000_000

  /// Looks at the node once a container is there that says what it takes.
  func watchPressure(_ plan: ContainerPlan, _ context: Context) {
    guard !plan.memory.isEmpty || !plan.disk.isEmpty else { return }
    context.wake("pressure", after: .milliseconds(1))
  }

  private func signals(_ context: Context) -> [Scarce: Signal] {
    let capacity = resources.capacity
    let memory = Int(capacity["memory"].quantity?.value ?? 0)
    let disk = Int(capacity["ephemeral-storage"].quantity?.value ?? 0)
    let used = figures(at: context.now) { read("pods", $0.namespace, $0.name, context) }
    var written = Self.systemDisk + images.reduce(0) { $0 + Self.size($1) }
    for record in pods.values { written += diskUse(of: record, context) }
    return [
      .memory: Signal(available: max(0, memory - used.memory), threshold: 100 << 20, thresholdText: "100Mi"),
      .disk: Signal(available: max(0, disk - written), threshold: disk / 10, thresholdText: String(disk / 10)),
    ]
  }

  private func diskUse(of record: PodRecord, _ context: Context) -> Int {
    guard let pod = read("pods", record.namespace, record.name, context) else { return 0 }
    return record.containers.reduce(0) { $0 + diskUse(of: $1, pod, context) }
  }

  private func diskUse(of container: ContainerRecord, _ pod: ObjectView, _ context: Context) -> Int {
    guard let since = container.runningSince else { return 0 }
    let inside = context.world.state(of: PodRuntime.id(pod.uid), as: PodRuntime.self)
    return plan(of: container.name, pod).diskUse(after: context.now - since)
      + (inside?.writtenBytes(container.name) ?? 0)
  }

  // MARK: - The turn of the eviction manager

  mutating func checkPressure(_ context: Context) {
    let signals = signals(context)
    var changed = false
    var isPressed = false
    for scarce in Scarce.allCases {
      guard let signal = signals[scarce] else { continue }
      let name = identity.nodeName
      if signal.isMet {
        isPressed = true
        if pressure?[scarce.rawValue] == nil {
          changed = true
          event(
            identity.reference, context, type: "Warning", "EvictionThresholdMet",
            "Attempting to reclaim \(scarce.rawValue)")
          event(identity.reference, context, scarce.events.begin, "Node \(name) status is now: \(scarce.events.begin)")
        }
        pressure = pressure ?? [:]
        pressure![scarce.rawValue] = context.now
      } else if let last = pressure?[scarce.rawValue], last + Self.transition <= context.now {
        pressure?[scarce.rawValue] = nil
        changed = true
        event(identity.reference, context, scarce.events.end, "Node \(name) status is now: \(scarce.events.end)")
      }
    }
    if pressure?.isEmpty == true { pressure = nil }
    if changed { writeNodeStatus(context) }
    if isPressed, let scarce = Scarce.allCases.first(where: { signals[$0]?.isMet == true }),
      let signal = signals[scarce]
    {
      evictOne(scarce, signal, context)
    }
    if pressure != nil {
      context.wake("pressure", after: Self.pressureInterval, isPressed ? .foreground : .background)
    } else if let next = nextStep(context) {
      let weight: Weight = next - context.now > .seconds(60) ? .background : .foreground
      context.wake("pressure", at: next + .milliseconds(1), weight)
    }
  }

  /// When a container takes something else than now.
  private func nextStep(_ context: Context) -> Timestamp? {
    var steps: [Timestamp] = []
    for record in pods.values {
      guard let pod = read("pods", record.namespace, record.name, context) else { continue }
      for container in record.containers {
        guard let since = container.runningSince else { continue }
        let plan = plan(of: container.name, pod)
        steps += (plan.memory + plan.disk).map { since + $0.after }.filter { $0 > context.now }
      }
    }
    return steps.min()
  }

  // MARK: - Who goes

  /// A pod as the ranking sees it.
  struct Candidate {
    var uid: String
    var key: String
    var priority: Int
    var used: Int
    var requested: Int

    /// Who goes first: those beyond their requests, then the less important, then those furthest beyond.
    static func precedes(_ a: Candidate, _ b: Candidate) -> Bool {
      let (aExceeds, bExceeds) = (a.used > a.requested, b.used > b.requested)
      if aExceeds != bExceeds { return aExceeds }
      if a.priority != b.priority { return a.priority < b.priority }
      if a.used - a.requested != b.used - b.requested { return a.used - a.requested > b.used - b.requested }
      return a.key < b.key
    }
  }

  private mutating func evictOne(_ scarce: Scarce, _ signal: Signal, _ context: Context) {
    var candidates: [(candidate: Candidate, pod: ObjectView)] = []
    for uid in pods.keys.sorted() {
      guard let record = pods[uid], record.failure == nil, record.killAt == nil,
        record.containers.contains(where: \.isRunning),
        let pod = read("pods", record.namespace, record.name, context),
        (pod.spec["priority"].int ?? 0) < Self.criticalPriority
      else { continue }
      let uses = uses(of: record, pod, scarce, context)
      candidates.append(
        (
          Candidate(
            uid: uid, key: record.key, priority: pod.spec["priority"].int ?? 0,
            used: uses.reduce(0) { $0 + $1.used }, requested: uses.reduce(0) { $0 + $1.requested }), pod
        ))
    }
    guard let first = candidates.min(by: { Candidate.precedes($0.candidate, $1.candidate) }),
      var record = pods[first.candidate.uid]
    else { return }
    var text =
      "The node was low on resource: \(scarce.rawValue). Threshold quantity: \(signal.thresholdText), "
      + "available: \(Quantity(Int64(signal.available / 1024 * 1024), format: .binary)). "
    for use in uses(of: record, first.pod, scarce, context) where use.used > use.requested {
      let amount = Quantity(Int64(use.used / 1024 * 1024), format: .binary)
      text +=
        "Container \(use.name) was using \(amount), request is \(use.request), has larger consumption of \(scarce.rawValue). "
    }
    record.failure = .init(reason: Self.evicted, message: text)
    event(first.pod.reference, context, type: "Warning", Self.evicted, text)
    stopAll(&record, first.pod, grace: 1, context)
    pods[first.candidate.uid] = record
    sync(first.candidate.uid, context)
  }

  private func uses(
    of record: PodRecord, _ pod: ObjectView, _ scarce: Scarce, _ context: Context
  ) -> [(name: String, used: Int, requested: Int, request: String)] {
    record.containers.filter(\.isRunning).map { container in
      let request = spec(of: container.name, pod)["resources"]["requests"][scarce.rawValue].quantity ?? .zero
      let used =
        scarce == .memory
        ? use(of: container, pod, at: context.now).memory : diskUse(of: container, pod, context)
      return (container.name, used, Int(request.value), request.description)
    }
  }

  // MARK: - New pods

  /// Why a pod isn't taken as long as the node has too little; nil when it is.
  func pressureRefusal(of pod: ObjectView) -> Refusal? {
    let conditions = Scarce.allCases.filter { pressure?[$0.rawValue] != nil }.map(\.condition)
    guard !conditions.isEmpty, (pod.spec["priority"].int ?? 0) < Self.criticalPriority else { return nil }
    if conditions == [Scarce.memory.condition] {
      if pod.status["qosClass"].string != "BestEffort" { return nil }
      let taint = Taint(key: "node.kubernetes.io/memory-pressure", value: "", effect: "NoSchedule")
      if PodNeeds(pod: pod.json).tolerations.contains(where: { $0.tolerates(taint) }) { return nil }
    }
    return Refusal(
      reason: Self.evicted, message: "The node had condition: [\(conditions.joined(separator: " "))]. ")
  }
}
