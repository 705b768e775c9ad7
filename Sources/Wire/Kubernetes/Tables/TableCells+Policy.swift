extension TableCells {
  func policyCells(of resource: String) -> [JSON] {
    switch resource {
    case "poddisruptionbudgets.policy":
      [
        name, .string(IntOrString(spec["minAvailable"])?.description ?? "N/A"),
        .string(IntOrString(spec["maxUnavailable"])?.description ?? "N/A"), count(status["disruptionsAllowed"]), age,
      ]
    case "horizontalpodautoscalers.autoscaling": autoscaler()
    case "roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io": [name, created]
    case "rolebindings.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io": binding()
    case "certificatesigningrequests.certificates.k8s.io": signingRequest()
    case "leases.coordination.k8s.io": [name, text(spec["holderIdentity"]), age]
    case "priorityclasses.scheduling.k8s.io":
      [
        name, count(object["value"]), .bool(object["globalDefault"].bool ?? false), age,
        text(object["preemptionPolicy"], or: "PreemptLowerPriority"),
      ]
    case "runtimeclasses.node.k8s.io": [name, text(object["handler"]), age]
    case "mutatingwebhookconfigurations.admissionregistration.k8s.io",
      "validatingwebhookconfigurations.admissionregistration.k8s.io":
      [name, .int(Int64(object["webhooks"].items.count)), age]
    case "validatingadmissionpolicies.admissionregistration.k8s.io":
      [name, .int(Int64(spec["validations"].items.count)), parameterKind(), age]
    case "mutatingadmissionpolicies.admissionregistration.k8s.io":
      [name, .int(Int64(spec["mutations"].items.count)), parameterKind(), age]
    case "validatingadmissionpolicybindings.admissionregistration.k8s.io",
      "mutatingadmissionpolicybindings.admissionregistration.k8s.io":
      [name, text(spec["policyName"]), parameterReference(), age]
    case "flowschemas.flowcontrol.apiserver.k8s.io":
      [
        name, text(spec["priorityLevelConfiguration"]["name"]), count(spec["matchingPrecedence"]),
        text(spec["distinguisherMethod"]["type"], or: "<none>"), age,
        text(condition("Dangling")?["status"] ?? .null, or: "?"),
      ]
    case "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": priorityLevel()
    case "apiservices.apiregistration.k8s.io": apiService()
    case "resourceclaims.resource.k8s.io": [name, .string(claimState()), age]
    case "resourceclaimtemplates.resource.k8s.io", "deviceclasses.resource.k8s.io": [name, age]
    case "resourceslices.resource.k8s.io":
      [name, text(spec["nodeName"]), text(spec["driver"]), text(spec["pool"]["name"]), age]
    case "componentstatuses": [name, "Unknown", "", ""]
    default: [name, created]
    }
  }

  private func autoscaler() -> [JSON] {
    let target = spec["scaleTargetRef"]
    var metrics = spec["metrics"].items
    var current = status["currentMetrics"].items
    if metrics.isEmpty, let percent = spec["targetCPUUtilizationPercentage"].int {
      metrics = [["type": "Resource", "resource": ["name": "cpu", "target": ["averageUtilization": JSON(percent)]]]]
      if let percent = status["currentCPUUtilizationPercentage"].int {
        current = [["resource": ["current": ["averageUtilization": JSON(percent)]]]]
      }
    }
    let texts = metrics.enumerated().map { index, metric in
      metricText(metric, current.indices.contains(index) ? current[index] : .null)
    }
    return [
      name, .string("\(target["kind"].string ?? "")/\(target["name"].string ?? "")"),
      .string(texts.isEmpty ? "<none>" : shortened(texts, limit: 2, separator: ", ")),
      .string(spec["minReplicas"].int.map(String.init) ?? "<unset>"), count(spec["maxReplicas"]),
      count(status["currentReplicas"]), age,
    ]
  }

  private func metricText(_ metric: JSON, _ status: JSON) -> String {
    let keys = [
      "Resource": "resource", "ContainerResource": "containerResource", "Pods": "pods", "Object": "object",
      "External": "external",
    ]
    guard let type = metric["type"].string, let key = keys[type] else { return "<unknown type>" }
    let target = metric[key]["target"]
    let current = status[key]["current"]
    let isResource = type == "Resource" || type == "ContainerResource"
    let label = isResource ? "\(metric[key]["name"].string ?? ""): " : ""
    if let average = target["averageValue"].quantity {
      let mark = type == "Object" || type == "External" ? " (avg)" : ""
      return "\(label)\(current["averageValue"].quantity?.description ?? "<unknown>")/\(average)\(mark)"
    }
    if isResource {
      let used = current["averageUtilization"].int.map { "\($0)%" } ?? "<unknown>"
      return "\(label)\(used)/\(target["averageUtilization"].int.map { "\($0)%" } ?? "<auto>")"
    }
    return "\(current["value"].quantity?.description ?? "<unknown>")/\(target["value"].quantity?.description ?? "0")"
  }

  private func binding() -> [JSON] {
    let role = object["roleRef"]
    func subjects(_ kind: String) -> JSON {
      let names = object["subjects"].items.filter { $0["kind"].string == kind }.map { subject in
        let name = subject["name"].string ?? ""
        guard kind == "ServiceAccount", let namespace = subject["namespace"].string, !namespace.isEmpty else {
          return name
        }
        return "\(namespace)/\(name)"
      }
      return .string(names.joined(separator: ", "))
    }
    return [
      name, .string("\(role["kind"].string ?? "")/\(role["name"].string ?? "")"), age, subjects("User"),
      subjects("Group"), subjects("ServiceAccount"),
    ]
  }

  private func signingRequest() -> [JSON] {
    var state = condition("Denied") != nil ? "Denied" : condition("Approved") != nil ? "Approved" : "Pending"
    if condition("Failed") != nil { state += ",Failed" }
    if !(status["certificate"].string ?? "").isEmpty { state += ",Issued" }
    let duration = spec["expirationSeconds"].int.map { HumanDuration.text(.seconds($0)) }
    return [
      name, age, text(spec["signerName"], or: "<none>"), text(spec["username"]), .string(duration ?? "<none>"),
      .string(state),
    ]
  }

  private func parameterKind() -> JSON {
    let kind = spec["paramKind"]
    guard kind.object != nil else { return "<unset>" }
    return .string("\(kind["apiVersion"].string ?? "")/\(kind["kind"].string ?? "")")
  }

  private func parameterReference() -> JSON {
    let reference = spec["paramRef"]
    guard reference.object != nil else { return "<unset>" }
    guard let name = reference["name"].string, !name.isEmpty else { return selector(reference["selector"]) }
    return .string(reference["namespace"].string.map { "\($0)/\(name)" } ?? "*/\(name)")
  }

  private func priorityLevel() -> [JSON] {
    let limited = spec["limited"].object == nil ? spec["exempt"] : spec["limited"]
    let queuing = spec["limited"]["limitResponse"]["queuing"]
    func told(_ value: JSON) -> JSON { value.int.map { .int(Int64($0)) } ?? "<none>" }
    return [
      name, text(spec["type"]), told(limited["nominalConcurrencyShares"]), told(queuing["queues"]),
      told(queuing["handSize"]), told(queuing["queueLengthLimit"]), age,
    ]
  }

  private func apiService() -> [JSON] {
    let service = spec["service"]
    let target =
      service.object == nil ? "Local" : "\(service["namespace"].string ?? "")/\(service["name"].string ?? "")"
    var state = "Unknown"
    if let condition = condition("Available") {
      state = condition["status"].string ?? "Unknown"
      if state != "True", let reason = condition["reason"].string, !reason.isEmpty { state += " (\(reason))" }
    }
    return [name, .string(target), .string(state), age]
  }

  private func claimState() -> String {
    var states: [String] = []
    if !metadata["deletionTimestamp"].isNull { states.append("deleted") }
    if status["allocation"].object == nil {
      if states.isEmpty { states.append("pending") }
    } else {
      states.append("allocated")
      states.append(status["reservedFor"].items.isEmpty ? "available" : "reserved")
    }
    return states.filter { $0 != "available" }.joined(separator: ",")
  }
}
