import Containers
import Wire
import World

/// What containers and their node take of the CPU and of memory, as the kubelet's resource metrics tell it.
///
/// What is read is the state at the end of the last whole interval, so that all who ask within one see the same.
extension Kubelet {
  /// How often metrics-server reads the kubelets, and over what time it measures the CPU.
  static let figuresInterval: Duration = .seconds(15)
  /// Figures of containers that are younger than that at the time of reading are not told.
  private static let freshFor: Duration = .seconds(10)
  /// What the system and the kubelet take themselves, and what each pod adds.
  private static let systemCPU = 24, systemMemory = 420 << 20
  private static let podCPU = 1, podMemory = 2 << 20

  /// The last time at which the figures were read.
  static func reading(before now: Timestamp) -> Timestamp {
    let step = figuresInterval.microseconds
    return Timestamp(microseconds: now.microseconds - now.microseconds % step)
  }

  /// Figures of a pod's running containers; empty as long as one of them is too young.
  func figures(of record: PodRecord, _ pod: ObjectView, at time: Timestamp) -> [ContainerFigures] {
    var figures: [ContainerFigures] = []
    for container in record.containers where container.isRunning {
      guard let since = container.runningSince, since + Self.freshFor <= time else { return [] }
      let use = use(of: container, pod, at: time)
      figures.append(
        ContainerFigures(
          name: container.name, milliCPU: use.cpu, memory: use.memory, window: min(Self.figuresInterval, time - since)))
    }
    return figures
  }

  /// What a running container takes; no more of the CPU than it may.
  func use(of container: ContainerRecord, _ pod: ObjectView, at time: Timestamp) -> (cpu: Int, memory: Int) {
    guard let since = container.runningSince else { return (0, 0) }
    var use = plan(of: container.name, pod).use(after: time - since)
    let limits = spec(of: container.name, pod)["resources"]["limits"]
    if let limit = limits["cpu"].quantity { use.cpu = min(use.cpu, Int(limit.milliValue)) }
    if let limit = limits["memory"].quantity { use.memory = min(use.memory, Int(limit.value)) }
    return use
  }

  /// What the whole node takes.
  func figures(at time: Timestamp, _ pod: (PodRecord) -> ObjectView?) -> (milliCPU: Int, memory: Int) {
    var (cpu, memory) = (Self.systemCPU, Self.systemMemory)
    for uid in pods.keys.sorted() {
      guard let record = pods[uid], let object = pod(record) else { continue }
      cpu += Self.podCPU
      memory += Self.podMemory
      for container in record.containers where container.isRunning {
        let use = use(of: container, object, at: time)
        cpu += use.cpu
        memory += use.memory
      }
    }
    return (cpu, memory)
  }
}
