import Wire

/// A HorizontalPodAutoscaler as autoscaling/v1 writes it, over the kept one of v2: the target for CPU is a field, and
/// what v1 has no field for is an annotation.
///
/// Source: kubernetes `pkg/apis/autoscaling/v1/conversion.go`.
enum AutoscalerForms {
  private static let prefix = "autoscaling.alpha.kubernetes.io/"

  // MARK: - v1 to v2

  static func v2(_ object: JSON) -> JSON {
    var kept = object
    let target = kept["spec"].remove("targetCPUUtilizationPercentage") ?? .null
    var metrics = annotation("metrics", of: &kept).items.map(spec)
    if !target.isNull {
      metrics.append([
        "type": "Resource",
        "resource": ["name": "cpu", "target": ["type": "Utilization", "averageUtilization": target]],
      ])
    }
    if !metrics.isEmpty { kept["spec"]["metrics"] = .array(metrics) }
    let behavior = annotation("behavior", of: &kept)
    if behavior.object != nil { kept["spec"]["behavior"] = recased(behavior, lower: true) }
    let conditions = annotation("conditions", of: &kept)
    let current = annotation("current-metrics", of: &kept)
    guard kept["status"].object != nil || !current.items.isEmpty || !conditions.items.isEmpty else { return kept }
    let percentage = kept["status"].remove("currentCPUUtilizationPercentage") ?? .null
    if !current.items.isEmpty {
      kept["status"]["currentMetrics"] = .array(current.items.map(status))
    } else if !percentage.isNull {
      kept["status"]["currentMetrics"] = [
        ["type": "Resource", "resource": ["name": "cpu", "current": ["averageUtilization": percentage]]]
      ]
    }
    if !conditions.items.isEmpty { kept["status"]["conditions"] = conditions }
    return kept
  }

  private static func annotation(_ name: String, of object: inout JSON) -> JSON {
    guard let text = object["metadata"]["annotations"][prefix + name].string else { return .null }
    object["metadata"]["annotations"][prefix + name] = .null
    if object["metadata"]["annotations"].fields.isEmpty { object["metadata"]["annotations"] = .null }
    return (try? JSON.parse(Array(text.utf8))) ?? .null
  }

  // MARK: - v2 to v1

  static func v1(_ object: JSON) -> JSON {
    var shown = object
    let metrics = (shown["spec"].remove("metrics") ?? .null).items
    for metric in metrics where isUtilizationOfCPU(metric) {
      shown["spec"]["targetCPUUtilizationPercentage"] = metric["resource"]["target"]["averageUtilization"]
    }
    let others = metrics.filter { !isUtilizationOfCPU($0) }
    if !others.isEmpty { annotate(&shown, "metrics", .array(others.map(oldSpec))) }
    if let behavior = shown["spec"].remove("behavior") { annotate(&shown, "behavior", recased(behavior, lower: false)) }
    guard shown["status"].object != nil else { return shown }
    let current = (shown["status"].remove("currentMetrics") ?? .null).items
    let conditions = shown["status"].remove("conditions") ?? .null
    if !current.isEmpty { annotate(&shown, "current-metrics", .array(current.map(oldStatus))) }
    if !conditions.items.isEmpty { annotate(&shown, "conditions", conditions) }
    for metric in current where metric["type"].string == "Resource" && metric["resource"]["name"].string == "cpu" {
      shown["status"]["currentCPUUtilizationPercentage"] = metric["resource"]["current"]["averageUtilization"]
    }
    // v1 says both always.
    for field in ["currentReplicas", "desiredReplicas"] where shown["status"][field].isNull {
      shown["status"][field] = 0
    }
    return shown
  }

  private static func isUtilizationOfCPU(_ metric: JSON) -> Bool {
    metric["type"].string == "Resource" && metric["resource"]["name"].string == "cpu"
      && !metric["resource"]["target"]["averageUtilization"].isNull
  }

  private static func annotate(_ object: inout JSON, _ name: String, _ value: JSON) {
    object["metadata"]["annotations"][prefix + name] = .string(value.text())
  }

  // MARK: - Metrics

  private static let keys = [
    "Object": "object", "Pods": "pods", "Resource": "resource", "ContainerResource": "containerResource",
    "External": "external",
  ]

  /// A metric's target as v1 writes it.
  private static func oldSpec(_ metric: JSON) -> JSON {
    let type = metric["type"].string ?? ""
    let key = keys[type] ?? ""
    let source = metric[key]
    let target = source["target"]
    var old: JSON = [:]
    switch type {
    case "Object":
      old["target"] = source["describedObject"]
      old["metricName"] = source["metric"]["name"]
      old["targetValue"] = target["value"].isNull ? "0" : target["value"]
      old["selector"] = source["metric"]["selector"]
      old["averageValue"] = target["averageValue"]
    case "Pods":
      old["metricName"] = source["metric"]["name"]
      old["targetAverageValue"] = target["averageValue"]
      old["selector"] = source["metric"]["selector"]
    case "External":
      old["metricName"] = source["metric"]["name"]
      old["metricSelector"] = source["metric"]["selector"]
      old["targetValue"] = target["value"]
      old["targetAverageValue"] = target["averageValue"]
    default:
      old["name"] = source["name"]
      old["targetAverageUtilization"] = target["averageUtilization"]
      old["targetAverageValue"] = target["averageValue"]
      old["container"] = source["container"]
    }
    return ["type": metric["type"], key: old]
  }

  private static func spec(_ metric: JSON) -> JSON {
    let type = metric["type"].string ?? ""
    let key = keys[type] ?? ""
    let old = metric[key]
    var source: JSON = [:]
    var target: JSON = [:]
    switch type {
    case "Object":
      source["describedObject"] = old["target"]
      target = old["averageValue"].isNull ? goal(value: old["targetValue"]) : goal(average: old["averageValue"])
      source["metric"] = identity(old["metricName"], old["selector"])
    case "Pods":
      source["metric"] = identity(old["metricName"], old["selector"])
      target = goal(average: old["targetAverageValue"])
    case "External":
      source["metric"] = identity(old["metricName"], old["metricSelector"])
      target =
        old["targetAverageValue"].isNull ? goal(value: old["targetValue"]) : goal(average: old["targetAverageValue"])
    default:
      source["name"] = old["name"]
      target =
        old["targetAverageUtilization"].isNull
        ? goal(average: old["targetAverageValue"])
        : ["type": "Utilization", "averageUtilization": old["targetAverageUtilization"]]
      source["container"] = old["container"]
    }
    source["target"] = target
    return ["type": metric["type"], key: source]
  }

  private static func goal(value: JSON) -> JSON { ["type": "Value", "value": value] }
  private static func goal(average: JSON) -> JSON { ["type": "AverageValue", "averageValue": average] }

  private static func identity(_ name: JSON, _ selector: JSON) -> JSON {
    var metric: JSON = ["name": name]
    metric["selector"] = selector
    return metric
  }

  /// A metric's figure as v1 writes it.
  private static func oldStatus(_ metric: JSON) -> JSON {
    let type = metric["type"].string ?? ""
    let key = keys[type] ?? ""
    let source = metric[key]
    let current = source["current"]
    var old: JSON = [:]
    switch type {
    case "Object":
      old["target"] = source["describedObject"]
      old["metricName"] = source["metric"]["name"]
      old["currentValue"] = current["value"].isNull ? "0" : current["value"]
      old["selector"] = source["metric"]["selector"]
      old["averageValue"] = current["averageValue"]
    case "Pods":
      old["metricName"] = source["metric"]["name"]
      old["currentAverageValue"] = current["averageValue"].isNull ? "0" : current["averageValue"]
      old["selector"] = source["metric"]["selector"]
    case "External":
      old["metricName"] = source["metric"]["name"]
      old["metricSelector"] = source["metric"]["selector"]
      old["currentValue"] = current["value"].isNull ? "0" : current["value"]
      old["currentAverageValue"] = current["averageValue"]
    default:
      old["name"] = source["name"]
      old["currentAverageUtilization"] = current["averageUtilization"]
      old["currentAverageValue"] = current["averageValue"].isNull ? "0" : current["averageValue"]
      old["container"] = source["container"]
    }
    return ["type": metric["type"], key: old]
  }

  private static func status(_ metric: JSON) -> JSON {
    let type = metric["type"].string ?? ""
    let key = keys[type] ?? ""
    let old = metric[key]
    var source: JSON = [:]
    var current: JSON = [:]
    switch type {
    case "Object", "External":
      if type == "Object" { source["describedObject"] = old["target"] }
      source["metric"] = identity(old["metricName"], old[type == "Object" ? "selector" : "metricSelector"])
      current["value"] = old["currentValue"]
      current["averageValue"] = old[type == "Object" ? "averageValue" : "currentAverageValue"]
    case "Pods":
      source["metric"] = identity(old["metricName"], old["selector"])
      current["averageValue"] = old["currentAverageValue"]
    default:
      source["name"] = old["name"]
      source["container"] = old["container"]
      current["averageUtilization"] = old["currentAverageUtilization"]
      current["averageValue"] = old["currentAverageValue"]
    }
    source["current"] = current
    return ["type": metric["type"], key: source]
  }

  // MARK: - Behaviour

  /// Behaviour stands in its annotation by the names that Go's fields have.
  private static func recased(_ value: JSON, lower: Bool) -> JSON {
    switch value {
    case .array(let items): return .array(items.map { recased($0, lower: lower) })
    case .object(let object):
      var result = JSONObject([])
      for field in object.fields {
        let first = field.key.prefix(1)
        let key = (lower ? first.lowercased() : first.uppercased()) + field.key.dropFirst()
        let isTold = !lower || !field.value.isNull
        if isTold { result.append(key, recased(field.value, lower: lower)) }
      }
      return .object(result)
    default: return value
    }
  }
}
