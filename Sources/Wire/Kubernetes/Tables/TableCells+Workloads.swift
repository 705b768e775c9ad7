extension TableCells {
  func pod() -> [JSON] {
    let cells = PodCells(object)
    let gates = spec["readinessGates"].items
    var gateText = "<none>"
    if !gates.isEmpty {
      let met = gates.count { gate in gate["conditionType"].string.map(isTrue) ?? false }
      gateText = "\(met)/\(gates.count)"
    }
    return [
      name, .string(cells.ready), .string(cells.status), .string(cells.restartsText(now: now)), age,
      text(status["podIPs"][0]["ip"], or: "<none>"), text(spec["nodeName"], or: "<none>"),
      text(status["nominatedNodeName"], or: "<none>"), .string(gateText),
    ]
  }

  func replicas() -> [JSON] {
    [name, count(spec["replicas"]), count(status["replicas"]), count(status["readyReplicas"]), age]
  }

  func readyOf(_ desired: JSON) -> JSON { .string("\(status["readyReplicas"].int ?? 0)/\(desired.int ?? 0)") }

  func deployment() -> [JSON] {
    [
      name, readyOf(spec["replicas"]), count(status["updatedReplicas"]), count(status["availableReplicas"]), age,
    ] + containers(spec["template"]) + [.string((try? LabelSelector(labelSelector: spec["selector"]).text) ?? "")]
  }

  func daemonSet() -> [JSON] {
    let counts = [
      "desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable",
    ]
    return [name] + counts.map { count(status[$0]) } + [labels(spec["template"]["spec"]["nodeSelector"]), age]
      + containers(spec["template"]) + [selector(spec["selector"])]
  }

  func controllerRevision() -> [JSON] {
    var controller = "<none>"
    if let owner = metadata["ownerReferences"].items.first(where: { $0["controller"].bool == true }) {
      let group = GroupVersion(owner["apiVersion"].string ?? "")?.group ?? ""
      let kind = (owner["kind"].string ?? "").lowercased()
      controller = "\(GroupName(group: group, name: kind))/\(owner["name"].string ?? "")"
    }
    return [name, .string(controller), count(object["revision"]), age]
  }

  func job() -> [JSON] {
    let succeeded = status["succeeded"].int ?? 0
    let parallelism = spec["parallelism"].int ?? 0
    let completions =
      spec["completions"].int.map { "\(succeeded)/\($0)" }
      ?? (parallelism > 1 ? "\(succeeded)/1 of \(parallelism)" : "\(succeeded)/1")
    var duration = ""
    if let start = status["startTime"].string.flatMap({ Timestamp(rfc3339: $0) }) {
      let end = status["completionTime"].string.flatMap { Timestamp(rfc3339: $0) } ?? now
      duration = HumanDuration.text(end - start)
    }
    let state =
      isTrue("Complete")
      ? "Complete"
      : isTrue("Failed")
        ? "Failed"
        : !metadata["deletionTimestamp"].isNull
          ? "Terminating"
          : ["Suspended", "FailureTarget", "SuccessCriteriaMet"].first(where: isTrue) ?? "Running"
    return [name, .string(state), .string(completions), .string(duration), age] + containers(spec["template"])
      + [selector(spec["selector"])]
  }

  func cronJob() -> [JSON] {
    let suspend = spec["suspend"].bool.map { $0 ? "True" : "False" } ?? "<unset>"
    let last = status["lastScheduleTime"]
    let template = spec["jobTemplate"]["spec"]
    return [
      name, text(spec["schedule"]), text(spec["timeZone"], or: "<none>"), .string(suspend),
      .int(Int64(status["active"].items.count)), last.isNull ? "<none>" : since(last), age,
    ] + containers(template["template"]) + [selector(template["selector"])]
  }

  func node() -> [JSON] {
    var state = [condition("Ready").map { $0["status"].string == "True" ? "Ready" : "NotReady" } ?? "Unknown"]
    if spec["unschedulable"].bool == true { state.append("SchedulingDisabled") }
    let prefix = "node-role.kubernetes.io/"
    var roles: Set<String> = []
    for label in metadata["labels"].fields {
      if label.key.hasPrefix(prefix), label.key.utf8.count > prefix.utf8.count {
        roles.insert(String(label.key.dropFirst(prefix.count)))
      } else if label.key == "kubernetes.io/role", let role = label.value.string, !role.isEmpty {
        roles.insert(role)
      }
    }
    let info = status["nodeInfo"]
    func address(_ type: String) -> JSON {
      status["addresses"].items.first { $0["type"].string == type }?["address"] ?? "<none>"
    }
    return [
      name, .string(state.joined(separator: ",")),
      .string(roles.isEmpty ? "<none>" : roles.sorted().joined(separator: ",")), age, text(info["kubeletVersion"]),
      address("InternalIP"), address("ExternalIP"), text(info["osImage"], or: "<unknown>"),
      text(info["kernelVersion"], or: "<unknown>"), text(info["containerRuntimeVersion"], or: "<unknown>"),
    ]
  }

  func event() -> [JSON] {
    // Events of events.k8s.io name their fields otherwise.
    let involved = object["involvedObject"].isNull ? object["regarding"] : object["involvedObject"]
    func either(_ a: String, _ b: String) -> JSON { object[a].isNull ? object[b] : object[a] }
    let firstTime = either("firstTimestamp", "deprecatedFirstTimestamp")
    let lastTime = either("lastTimestamp", "deprecatedLastTimestamp")
    let first = since(firstTime.isNull ? object["eventTime"] : firstTime)
    var last = lastTime.isNull ? first : since(lastTime)
    var times = either("count", "deprecatedCount").int ?? 0
    if object["series"].object != nil {
      last = since(object["series"]["lastObservedTime"])
      times = object["series"]["count"].int ?? 0
    } else if times == 0 {
      times = 1
    }
    let kind = (involved["kind"].string ?? "").lowercased()
    let target = involved["name"].string.map { $0.isEmpty ? kind : "\(kind)/\($0)" } ?? kind
    let source = either("source", "deprecatedSource")
    let parts: [JSON] =
      text(source["component"]) == ""
      ? [
        either("reportingComponent", "reportingController"), object["reportingInstance"],
      ] : [source["component"], source["host"]]
    let origin = parts.compactMap(\.string).filter { !$0.isEmpty }.joined(separator: ", ")
    return [
      last, text(object["type"]), text(object["reason"]), .string(target), text(involved["fieldPath"]),
      .string(origin), .string(trimmed(either("message", "note").string ?? "")), first, .int(Int64(times)), name,
    ]
  }

  private func trimmed(_ text: String) -> String {
    String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}
