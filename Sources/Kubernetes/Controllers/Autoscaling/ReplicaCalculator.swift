package import Wire
package import World

/// How many replicas a metric asks for.
///
/// Source: kubernetes `pkg/controller/podautoscaler/replica_calculator.go`, `metrics/utilization.go`.
package struct ReplicaCalculator {
  /// What a pod took.
  package struct Sample: Sendable {
    package var milli: Int64
    package var at: Timestamp
    package var window: Duration

    package init(milli: Int64, at: Timestamp = Timestamp(microseconds: 0), window: Duration = .zero) {
      self.milli = milli
      self.at = at
      self.window = window
    }
  }

  package struct Proposal: Equatable, Sendable {
    package var replicas: Int
    /// Percent of what was asked for, where the target is such.
    package var utilization: Int?
    /// Thousandths for each pod.
    package var average: Int64

    package init(replicas: Int, utilization: Int?, average: Int64) {
      self.replicas = replicas
      self.utilization = utilization
      self.average = average
    }
  }

  package struct Failure: Error, Equatable {
    package var message: String

    init(_ message: String) { self.message = message }
  }

  /// How long figures of a started pod may be of its start alone.
  private static let initialization: Duration = .seconds(300)
  /// How long after its start a pod may first become ready.
  private static let initialReadiness: Duration = .seconds(30)

  package var now: Timestamp
  package var current: Int
  /// Shares by which the figures may differ from the target: up and down.
  package var tolerance: (up: Double, down: Double)

  package init(now: Timestamp, current: Int, tolerance: (up: Double, down: Double) = (0.1, 0.1)) {
    self.now = now
    self.current = current
    self.tolerance = tolerance
  }

  private func isWithin(_ ratio: Double) -> Bool { 1 - tolerance.down <= ratio && ratio <= 1 + tolerance.up }

  // MARK: - Utilization of what is asked for

  package func utilization(
    target: Int, resource: String, container: String?, samples: [String: Sample], pods: [ObjectView]
  ) throws(Failure) -> Proposal {
    guard !pods.isEmpty else { throw Failure("no pods returned by selector while calculating replica count") }
    var groups = Groups(pods, samples, resource: resource, now: now)
    guard !groups.samples.isEmpty else {
      throw Failure("did not receive metrics for targeted pods (pods might be unready)")
    }
    let requests = try Self.requests(pods, resource, container)
    let (ratio, percent, average) = try Self.ratio(groups.samples, requests, target)
    func stays() -> Proposal { Proposal(replicas: current, utilization: percent, average: average) }
    let countsUnready = !groups.unready.isEmpty && ratio > 1
    if !countsUnready, groups.missing.isEmpty {
      if isWithin(ratio) { return stays() }
      return Proposal(
        replicas: Int((ratio * Double(groups.ready)).rounded(.up)), utilization: percent, average: average)
    }
    for name in groups.missing {
      if ratio < 1 {
        groups.samples[name] = Sample(milli: (requests[name] ?? 0) * Int64(max(100, target)) / 100)
      } else if ratio > 1 {
        groups.samples[name] = Sample(milli: 0)
      }
    }
    if countsUnready { for name in groups.unready { groups.samples[name] = Sample(milli: 0) } }
    let (next, _, _) = try Self.ratio(groups.samples, requests, target)
    guard let replicas = settled(ratio, next, groups.samples.count) else { return stays() }
    return Proposal(replicas: replicas, utilization: percent, average: average)
  }

  // MARK: - Plain averages

  /// For a target of so many thousandths for each pod.
  package func average(
    target: Int64, resource: String, samples: [String: Sample], pods: [ObjectView]
  ) throws(Failure) -> Proposal {
    guard !pods.isEmpty else { throw Failure("no pods returned by selector while calculating replica count") }
    var groups = Groups(pods, samples, resource: resource, now: now)
    guard !groups.samples.isEmpty else {
      throw Failure("did not receive metrics for targeted pods (pods might be unready)")
    }
    func measure() -> (ratio: Double, average: Int64) {
      let average = groups.samples.values.reduce(0) { $0 + $1.milli } / Int64(groups.samples.count)
      return (Double(average) / Double(max(target, 1)), average)
    }
    let (ratio, average) = measure()
    let stays = Proposal(replicas: current, utilization: nil, average: average)
    let countsUnready = !groups.unready.isEmpty && ratio > 1
    if !countsUnready, groups.missing.isEmpty {
      if isWithin(ratio) { return stays }
      return Proposal(replicas: Int((ratio * Double(groups.ready)).rounded(.up)), utilization: nil, average: average)
    }
    for name in groups.missing { groups.samples[name] = Sample(milli: ratio < 1 ? target : 0) }
    if countsUnready { for name in groups.unready { groups.samples[name] = Sample(milli: 0) } }
    guard let replicas = settled(ratio, measure().ratio, groups.samples.count) else { return stays }
    return Proposal(replicas: replicas, utilization: nil, average: average)
  }

  /// What a ratio comes to that counts pods without figures as well; nil where nothing is to change by it.
  private func settled(_ before: Double, _ ratio: Double, _ count: Int) -> Int? {
    if isWithin(ratio) || before < 1 && ratio > 1 || before > 1 && ratio < 1 { return nil }
    let replicas = Int((ratio * Double(count)).rounded(.up))
    return ratio < 1 && replicas > current || ratio > 1 && replicas < current ? nil : replicas
  }

  // MARK: - Pods

  /// Pods by what their figures are good for.
  private struct Groups {
    var samples: [String: Sample]
    var ready = 0
    var unready: [String] = []
    var missing: [String] = []

    init(_ pods: [ObjectView], _ all: [String: Sample], resource: String, now: Timestamp) {
      samples = all
      for pod in pods {
        if pod.isTerminating || pod.phase == "Failed" {
          samples[pod.name] = nil
        } else if pod.phase == "Pending" {
          unready.append(pod.name)
          samples[pod.name] = nil
        } else if let sample = all[pod.name] {
          if resource == "cpu", Self.isUnready(pod, sample, now) {
            unready.append(pod.name)
            samples[pod.name] = nil
          } else {
            ready += 1
          }
        } else {
          missing.append(pod.name)
        }
      }
    }

    private static func isUnready(_ pod: ObjectView, _ sample: Sample, _ now: Timestamp) -> Bool {
      let condition = pod.condition("Ready")
      guard condition.object != nil, let start = pod.status["startTime"].time else { return true }
      let isFalse = condition["status"].string == "False"
      let turned = condition["lastTransitionTime"].time ?? start
      if start + initialization > now { return isFalse || sample.at < turned + sample.window }
      return isFalse && start + initialReadiness > turned
    }
  }

  private static func requests(
    _ pods: [ObjectView], _ resource: String, _ container: String?
  ) throws(Failure) -> [String: Int64] {
    var requests: [String: Int64] = [:]
    for pod in pods {
      var sum: Int64 = 0
      let sidecars = pod.spec["initContainers"].items.filter { $0["restartPolicy"].string == "Always" }
      for spec in pod.spec["containers"].items + sidecars {
        let name = spec["name"].string ?? ""
        if let container, name != container { continue }
        guard let request = spec["resources"]["requests"][resource].quantity else {
          throw Failure("missing request for \(resource) in container \(name) of Pod \(pod.name)")
        }
        sum += request.milliValue
      }
      requests[pod.name] = sum
    }
    return requests
  }

  private static func ratio(
    _ samples: [String: Sample], _ requests: [String: Int64], _ target: Int
  ) throws(Failure) -> (ratio: Double, percent: Int, average: Int64) {
    var (used, asked, count): (Int64, Int64, Int64) = (0, 0, 0)
    for (name, sample) in samples {
      guard let request = requests[name] else { continue }
      used += sample.milli
      asked += request
      count += 1
    }
    guard asked > 0 else { throw Failure("no metrics returned matched known pods") }
    let percent = Int(used * 100 / asked)
    return (Double(percent) / Double(max(target, 1)), percent, used / max(count, 1))
  }
}
