import Wire
import World

/// What an autoscaler's metrics say, each by its own source.
struct AutoscalerMetrics {
  struct Fault: Error {
    var reason: String
    var message: String
  }

  struct Outcome {
    var replicas = 0
    /// The metric that asks for the most.
    var name = ""
    var statuses: JSON = .null
    var failures: [Fault] = []
    var summary = ""
  }

  let namespace: String
  /// What the resource metrics API answered.
  let reply: KubeReply
  let pods: [ObjectView]
  let calculator: ReplicaCalculator

  func evaluate(_ metrics: [JSON]) -> Outcome {
    var outcome = Outcome()
    var statuses: [JSON] = []
    for metric in metrics {
      do {
        let (proposal, name, status) = try evaluate(metric)
        statuses.append(status)
        if outcome.replicas == 0 || proposal.replicas > outcome.replicas {
          outcome.replicas = proposal.replicas
          outcome.name = name
        }
      } catch {
        if outcome.failures.isEmpty { outcome.summary = "\(prefix(metric)): \(error.message)" }
        outcome.failures.append(error)
        statuses.append(["type": ""])
      }
    }
    outcome.statuses = statuses.isEmpty ? .null : .array(statuses)
    if !outcome.failures.isEmpty {
      outcome.summary =
        "invalid metrics (\(outcome.failures.count) invalid out of \(metrics.count)), first error is: \(outcome.summary)"
    }
    return outcome
  }

  private func prefix(_ metric: JSON) -> String {
    switch metric["type"].string ?? "" {
    case "Resource": "failed to get \(metric["resource"]["name"].string ?? "") resource metric value"
    case "ContainerResource":
      "failed to get \(metric["containerResource"]["name"].string ?? "") container metric value"
    case "Pods": "failed to get pods metric value"
    case "Object": "failed to get object metric value"
    default: "failed to get \(metric["external"]["metric"]["name"].string ?? "") external metric value"
    }
  }

  private func evaluate(
    _ metric: JSON
  ) throws(Fault) -> (proposal: ReplicaCalculator.Proposal, name: String, status: JSON) {
    func missing(_ reason: String, _ message: String) -> Fault { Fault(reason: reason, message: message) }
    switch metric["type"].string ?? "" {
    case "Resource": return try resource(metric["resource"], "Resource", "resource", "FailedGetResourceMetric")
    case "ContainerResource":
      return try resource(
        metric["containerResource"], "ContainerResource", "containerResource", "FailedGetContainerResourceMetric")
    case "Pods":
      throw missing(
        "FailedGetPodsMetric",
        "unable to get metric \(metric["pods"]["metric"]["name"].string ?? ""): unable to fetch metrics from custom metrics API: \(Self.noCustomMetrics)"
      )
    case "Object":
      let described = metric["object"]["describedObject"]
      throw missing(
        "FailedGetObjectMetric",
        "unable to get metric \(metric["object"]["metric"]["name"].string ?? ""): \(described["kind"].string ?? "") on \(namespace) \(described["name"].string ?? "")/unable to fetch metrics from custom metrics API: \(Self.noCustomMetrics)"
      )
    default:
      let name = metric["external"]["metric"]["name"].string ?? ""
      let selector = (try? LabelSelector(labelSelector: metric["external"]["metric"]["selector"]))?.text ?? ""
      throw missing(
        "FailedGetExternalMetric",
        "unable to get external metric \(namespace)/\(name)/\(selector.isEmpty ? "nil" : "&LabelSelector{\(selector)}"): unable to fetch metrics from external metrics API: the server could not find the requested resource (get \(name).external.metrics.k8s.io)"
      )
    }
  }

  private static let noCustomMetrics = "no custom metrics API (custom.metrics.k8s.io) registered"

  // MARK: - CPU and memory

  private func resource(
    _ source: JSON, _ type: String, _ field: String, _ reason: String
  ) throws(Fault) -> (proposal: ReplicaCalculator.Proposal, name: String, status: JSON) {
    let resource = source["name"].string ?? ""
    let container = source["container"].string
    let target = source["target"]
    func named(_ failure: ReplicaCalculator.Failure, _ what: String) -> Fault {
      Fault(reason: reason, message: "failed to get \(resource) \(what): \(failure.message)")
    }
    var current: JSON = [:]
    let proposal: ReplicaCalculator.Proposal
    let name: String
    if let average = target["averageValue"].quantity {
      do {
        proposal = try calculator.average(
          target: average.milliValue, resource: resource, samples: try samples(resource, container), pods: pods)
      } catch { throw named(error, "usage") }
      name = "\(resource) resource"
    } else {
      guard let percent = target["averageUtilization"].int else {
        throw Fault(
          reason: reason,
          message:
            "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set"
        )
      }
      do {
        proposal = try calculator.utilization(
          target: percent, resource: resource, container: container, samples: try samples(resource, container),
          pods: pods)
      } catch { throw named(error, "utilization") }
      current["averageUtilization"] = proposal.utilization.map { .int(Int64($0)) } ?? .null
      let what = container == nil ? "resource" : "container resource"
      name = "\(resource) \(what) utilization (percentage of request)"
    }
    current["averageValue"] = .string(Quantity(milli: proposal.average).description)
    var status: JSON = ["name": .string(resource), "current": current]
    if let container { status["container"] = .string(container) }
    return (proposal, name, ["type": .string(type), field: status])
  }

  /// What the pods took, by their names.
  private func samples(
    _ resource: String, _ container: String?
  ) throws(ReplicaCalculator.Failure) -> [String: ReplicaCalculator.Sample] {
    let what = "unable to get metrics for resource \(resource)"
    guard reply.isSuccess else {
      throw ReplicaCalculator.Failure("\(what): unable to fetch metrics from resource metrics API: \(unreached)")
    }
    let items = reply.body["items"].items
    guard !items.isEmpty else {
      throw ReplicaCalculator.Failure("\(what): no metrics returned from resource metrics API")
    }
    var samples: [String: ReplicaCalculator.Sample] = [:]
    for item in items {
      let name = item["metadata"]["name"].string ?? ""
      let all = item["containers"].items
      let wanted = container == nil ? all : all.filter { $0["name"].string == container }
      if let container, wanted.isEmpty {
        throw ReplicaCalculator.Failure(
          "\(what): container \(container) not present in metrics for pod \(namespace)/\(name)")
      }
      let uses = wanted.compactMap { $0["usage"][resource].quantity?.milliValue }
      guard !uses.isEmpty, uses.count == wanted.count else { continue }
      samples[name] = ReplicaCalculator.Sample(
        milli: uses.reduce(0, +), at: item["timestamp"].time ?? calculator.now,
        window: GoDuration.parse(item["window"].string ?? "") ?? .zero)
    }
    return samples
  }

  /// An answer without metrics, in client-go's words.
  private var unreached: String {
    switch reply.status {
    case 404: "the server could not find the requested resource (get pods.metrics.k8s.io)"
    case 503: "the server is currently unable to handle the request (get pods.metrics.k8s.io)"
    default: reply.message
    }
  }
}
