package import Wire

/// One question put to a source of evidence: source, operation, parameters.
package enum Read: Hashable, Sendable {
  case kubernetes(KubernetesRead)
  case aws(AWSRead)

  /// How gaps and `--dry-run` name it: `kubernetes:list pods -n shop`, `ec2:DescribeSubnets`.
  package var name: String {
    switch self {
    case .kubernetes(let read): read.title
    case .aws(let read): read.title
    }
  }

  package var isAWS: Bool { if case .aws = self { true } else { false } }

  /// Where a bundle keeps the answer, without `.json`.
  package var bundlePath: String {
    switch self {
    case .kubernetes(let read): read.bundlePath
    case .aws(let read): read.bundlePath
    }
  }

  /// The command of `kubectl` or `aws` that asks the same.
  package var command: String {
    switch self {
    case .kubernetes(let read): read.command
    case .aws(let read): read.command
    }
  }

  /// Whether a complete answer to `other` holds the whole answer to this read.
  package func isWithin(_ other: Read) -> Bool {
    switch (self, other) {
    case (.kubernetes(let a), .kubernetes(let b)): a.isWithin(b)
    case (.aws(let a), .aws(let b)): a.isWithin(b)
    default: false
    }
  }

  /// Whether an item of a wider answer belongs to the answer of this read.
  package func admits(_ item: JSON) -> Bool {
    switch self {
    case .kubernetes(let read): read.admits(item)
    case .aws(let read): read.admits(item)
    }
  }
}

/// An equality test on a field or label; a read holds them sorted.
package struct Term: Hashable, Sendable, Comparable {
  package var name: String
  package var values: [String]

  package init(_ name: String, _ values: [String]) {
    self.name = name
    self.values = values.sorted()
  }

  package static func < (a: Term, b: Term) -> Bool { a.name < b.name }
}

/// A get (with a name) or list of Kubernetes objects.
package struct KubernetesRead: Hashable, Sendable {
  /// Lines of a log that are read, from its end.
  package static let logLines = 20

  package var resource: KubernetesResource
  package var namespace: String?
  package var object: String?
  /// Field selector: dotted path, one value.
  package var fields: [Term]
  package var labels: [Term]

  package init(
    _ resource: KubernetesResource, namespace: String? = nil, name: String? = nil, fields: [String: String] = [:],
    labels: [String: String] = [:]
  ) {
    self.resource = resource
    self.namespace = resource.isNamespaced ? namespace : nil
    self.object = name
    self.fields = fields.map { Term($0.key, [$0.value]) }.sorted()
    self.labels = labels.map { Term($0.key, [$0.value]) }.sorted()
  }

  /// The end of a container's log: of its run before the present one, or of the present one.
  package static func log(namespace: String, pod: String, container: String, previous: Bool) -> KubernetesRead {
    KubernetesRead(
      .podLogs, namespace: namespace, name: pod,
      fields: ["container": container, "previous": previous ? "true" : "false"])
  }

  /// What the kubelet of a node counts.
  package static func stats(node: String) -> KubernetesRead { KubernetesRead(.nodeStats, name: node) }

  package var title: String {
    var text = "kubernetes:\(object == nil ? "list" : "get") \(resource.fileName)"
    if let object { text += "/\(object)" }
    if let namespace { text += " -n \(namespace)" }
    for term in fields { text += " \(term.name)=\(term.values[0])" }
    for term in labels { text += " -l \(term.name)=\(term.values[0])" }
    return text
  }

  /// Logs are texts of their own: `kubernetes/logs/shop/web-1/web.previous`.
  package var bundlePath: String {
    if resource.isFigures { return "kubernetes/stats/\(object ?? "")" }
    guard resource.isLog else { return "kubernetes/\(resource.fileName)" }
    let file = "\(value("container") ?? "container")\(value("previous") == "true" ? ".previous" : "")"
    return "kubernetes/logs/\(namespace ?? "default")/\(object ?? "")/\(file)"
  }

  /// The value that a field is asked to have.
  package func value(_ field: String) -> String? { fields.first { $0.name == field }?.values.first }

  package var command: String {
    if resource.isLog {
      let previous = value("previous") == "true" ? " --previous" : ""
      return
        "kubectl logs \(object ?? "") -n \(namespace ?? "default") -c \(value("container") ?? "")\(previous) --tail=\(KubernetesRead.logLines)"
    }
    if resource.isFigures { return "kubectl get --raw /api/v1/nodes/\(object ?? "")/proxy/stats/summary" }
    var text = "kubectl get \(resource.fileName)"
    if resource.isNamespaced { text += " -A" }
    return text + " -o json --show-managed-fields"
  }

  package func isWithin(_ other: KubernetesRead) -> Bool {
    resource == other.resource && other.object == nil
      && (other.namespace == nil || other.namespace == namespace)
      && other.fields.allSatisfy(fields.contains) && other.labels.allSatisfy(labels.contains)
  }

  package func admits(_ item: JSON) -> Bool {
    let metadata = item["metadata"]
    if let object, metadata["name"].string != object { return false }
    if let namespace, metadata["namespace"].string != namespace { return false }
    for term in fields {
      let value = item.at(term.name.split(separator: ".").map(String.init)).string ?? ""
      guard term.values.contains(value) else { return false }
    }
    for term in labels {
      guard let value = metadata["labels"][term.name].string, term.values.contains(value) else { return false }
    }
    return true
  }
}

/// A call of a reading AWS operation.
package struct AWSRead: Hashable, Sendable {
  package var operation: AWSCall
  /// Parameters that name what is read, as the API spells them; they make the bundle's file name.
  package var parameters: [String: String]
  /// Filters and lists of ids.
  package var filters: [Term]

  package init(_ operation: AWSCall, _ parameters: [String: String] = [:], filters: [String: [String]] = [:]) {
    self.operation = operation
    self.parameters = parameters
    self.filters = filters.map { Term($0.key, $0.value) }.sorted()
  }

  package var title: String {
    let named = parameters.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
    let filtered = filters.map { " \($0.name)=\($0.values.joined(separator: "|"))" }
    return operation.action + (named + filtered).joined()
  }

  package var bundlePath: String {
    let path = "aws/\(operation.service)/\(operation.commandName)"
    guard !parameters.isEmpty else { return path }
    let key = parameters.sorted { $0.key < $1.key }
      .map { "\(PercentEncoding.encode($0.key))=\(PercentEncoding.encode($0.value))" }.joined(separator: ",")
    return "\(path)--\(key)"
  }

  package var command: String {
    if operation == .getMetricStatistics {
      let plain = ["Namespace", "MetricName", "StartTime", "EndTime", "Period"].map {
        " --\(AWSCall.kebab($0)) \(parameters[$0] ?? "")"
      }
      return
        "aws cloudwatch get-metric-statistics\(plain.joined()) --statistics Sum --dimensions Name=InstanceId,Value=\(parameters["InstanceId"] ?? "")"
    }
    let named = parameters.sorted { $0.key < $1.key }.map { " --\(AWSCall.kebab($0.key)) \($0.value)" }
    let commandService = operation.service
    return "aws \(commandService) \(operation.commandName)\(named.joined())"
  }

  /// The parameters as the operation takes them.
  package var input: JSON {
    if operation == .getMetricStatistics { return metric }
    var input = JSON.emptyObject
    for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
      input[name] = operation.numbers.contains(name) ? JSON(Int(value)) : .string(value)
    }
    var filterList: [JSON] = []
    for term in filters {
      if operation.idLists[term.name] != nil {
        input[term.name] = .array(term.values.map { .string($0) })
      } else if operation.service == "ec2" {
        filterList.append(["Name": .string(term.name), "Values": .array(term.values.map { .string($0) })])
      } else if operation == .lookupEvents {
        input["LookupAttributes"] = [
          ["AttributeKey": .string(term.name), "AttributeValue": .string(term.values[0])]
        ]
      } else {
        input[term.name] =
          operation.numbers.contains(term.name) ? JSON(Int(term.values[0])) : .string(term.values[0])
      }
    }
    if !filterList.isEmpty { input["Filters"] = .array(filterList) }
    return input
  }

  /// Of a metric of an instance: its dimension and its statistic stand among the parameters by their names.
  private var metric: JSON {
    func seconds(_ name: String) -> JSON {
      JSON((parameters[name].flatMap { Timestamp(rfc3339: $0) }?.seconds).map { Int($0) })
    }
    return [
      "Namespace": JSON(parameters["Namespace"]), "MetricName": JSON(parameters["MetricName"]),
      "Dimensions": [["Name": "InstanceId", "Value": JSON(parameters["InstanceId"])]],
      "StartTime": seconds("StartTime"), "EndTime": seconds("EndTime"),
      "Period": JSON(parameters["Period"].flatMap { Int($0) }), "Statistics": ["Sum"],
    ]
  }

  package func isWithin(_ other: AWSRead) -> Bool {
    operation == other.operation && parameters == other.parameters
      && other.filters.allSatisfy { wide in
        filters.contains { $0.name == wide.name && $0.values.allSatisfy(wide.values.contains) }
      }
  }

  package func admits(_ item: JSON) -> Bool {
    filters.allSatisfy { term in
      if operation == .filterLogEvents {
        guard term.name == "startTime", let from = Int(term.values[0]) else { return true }
        return item["timestamp"].int.map { $0 >= from } ?? true
      }
      if term.name.hasPrefix("tag:") {
        let key = String(term.name.dropFirst(4))
        return item["Tags"].items.contains {
          $0["Key"].string == key && term.values.contains($0["Value"].string ?? "")
        }
      }
      if term.name == "tag-key" {
        return item["Tags"].items.contains { term.values.contains($0["Key"].string ?? "") }
      }
      guard let path = operation.idLists[term.name] ?? operation.filters[term.name] else { return false }
      return term.values.contains(item.at(path).string ?? "")
    }
  }
}
