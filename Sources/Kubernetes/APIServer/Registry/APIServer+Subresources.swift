import Mechanisms
import Wire
import World

extension APIServer {
  func serveSubresource(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let info = exchange.info
    guard let subresource = row.subresource(info.subresource) else { throw .noSuchResource }
    let verb = info.verb
    let isConnection = ["log", "exec", "attach", "portforward", "proxy"].contains(info.subresource)
    guard subresource.verbs.contains(verb) || isConnection else { throw .methodNotAllowed }
    switch (row.plural, info.subresource, verb) {
    case (_, "status", "get"): return try get(exchange, row)
    case (_, "status", "update"): return try update(exchange, row, part: .status)
    case (_, "status", "patch"): return try patch(exchange, row, part: .status)
    case (_, "scale", _): return try scale(exchange, row)
    case ("pods", "log", "get"): return try logs(exchange, row)
    case ("pods", "exec", _), ("pods", "attach", _): return try connect(exchange, row)
    case ("pods", "portforward", _): return try portForward(exchange, row)
    case ("pods", "proxy", _), ("services", "proxy", _): return try proxy(exchange, row)
    case ("nodes", "proxy", "get"): return try nodeProxy(exchange, row)
    case (_, "proxy", _):
      _ = try existing(exchange, row)
      throw KubeStatus(
        code: 501, reason: "NotImplemented",
        message: "ekswhy does not simulate \(row.plural)/\(info.subresource): a kubelet has no address of its own")
    case ("pods", "binding", "create"): return try bind(exchange, row)
    case ("pods", "eviction", "create"): return try evict(exchange, row)
    case ("pods", "ephemeralcontainers", "get"), ("pods", "resize", "get"): return try get(exchange, row)
    case ("pods", _, "update"): return try update(exchange, row, part: .other(info.subresource))
    case ("pods", _, "patch"): return try patch(exchange, row, part: .other(info.subresource))
    case ("serviceaccounts", "token", "create"): return try requestToken(exchange, row)
    case ("namespaces", "finalize", "update"): return try finalize(exchange, row)
    case ("certificatesigningrequests", "approval", "get"): return try get(exchange, row)
    case ("certificatesigningrequests", "approval", "update"): return try update(exchange, row, part: .status)
    case ("certificatesigningrequests", "approval", "patch"): return try patch(exchange, row, part: .status)
    default: throw .noSuchResource
    }
  }

  // MARK: - Scale

  private func scale(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    if exchange.isOutside { _ = try Representation(exchange) }
    let old = try existing(exchange, row)
    let before = try worked(old.json, row, exchange)
    let paths = custom[row]?.scale
    if let paths, before.at(paths.specReplicas).isNull {
      throw .internalError(
        "the spec replicas field \(GoText.quote("." + paths.specReplicas.joined(separator: "."))) does not exist")
    }
    guard exchange.info.verb != "get" else { return .ok(scale(of: before, row)) }
    var wanted: JSON
    let gvk = GroupVersionKind(group: "autoscaling", version: "v1", kind: "Scale")
    if exchange.info.verb == "patch" {
      wanted = try patched(
        scale(of: before, row), by: try patchBody(exchange), exchange.mediaType, row, as: gvk)
    } else {
      wanted = try object(exchange, as: gvk)
    }
    exchange.requestObject = wanted
    let admission = AdmissionRequest(
      operation: .update, row: row, subresource: "scale", namespace: old.key.namespace, name: old.key.name,
      old: scale(of: before, row), exchange: exchange)
    try admit(&wanted, admission)
    try validateAdmission(wanted, admission)
    let asked = wanted["metadata"]["resourceVersion"].string ?? ""
    guard asked.isEmpty || asked == String(old.revision) else { throw .conflict(row.groupResource, old.key.name) }
    let replicas = wanted["spec"]["replicas"].int ?? 0
    guard replicas >= 0 else {
      throw .invalid(
        GroupName(group: "autoscaling", name: "Scale"), old.key.name,
        [.invalid("spec.replicas", .int(Int64(replicas)), "must be greater than or equal to 0")])
    }
    var object = before
    object.set(.int(Int64(replicas)), at: (paths?.specReplicas ?? ["spec", "replicas"])[...])
    if object["spec"] != before["spec"], let generation = object["metadata"]["generation"].int {
      object["metadata"]["generation"] = .int(Int64(generation + 1))
    }
    _ = try finishWrite(&object, over: old, exchange, row, subresource: "scale")
    guard !exchange.isDryRun, let now = store(row.qualifiedName)[old.key] else { return .ok(scale(of: object, row)) }
    return .ok(scale(of: try worked(now.json, row, exchange), row))
  }

  private func scale(of object: JSON, _ row: KubeResource) -> JSON {
    let selector: String
    let paths = custom[row]?.scale
    if let paths {
      selector = paths.selector.flatMap { object.at($0).string } ?? ""
    } else if row.group.isEmpty {
      selector = LabelSelector(matchLabels: object["spec"]["selector"]).text
    } else {
      selector = (try? LabelSelector(labelSelector: object["spec"]["selector"]))?.text ?? ""
    }
    var metadata: JSON = [:]
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
      metadata[field] = object["metadata"][field]
    }
    return [
      "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
      "spec": ["replicas": .int(Int64(object.at(paths?.specReplicas ?? ["spec", "replicas"]).int ?? 0))],
      "status": [
        "replicas": .int(Int64(object.at(paths?.statusReplicas ?? ["status", "replicas"]).int ?? 0)),
        "selector": selector.isEmpty ? .null : .string(selector),
      ],
    ]
  }

  // MARK: - Binding and eviction

  private func bind(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    var binding = try object(exchange, as: GroupVersionKind(group: "", version: "v1", kind: "Binding"))
    exchange.requestObject = binding
    let old = try existing(exchange, row)
    let admission = AdmissionRequest(
      operation: .create, row: row, subresource: "binding", namespace: old.key.namespace, name: old.key.name, old: nil,
      exchange: exchange)
    try admit(&binding, admission)
    try validateAdmission(binding, admission)
    var pod = old.json
    let node = binding["target"]["name"].string ?? ""
    guard !node.isEmpty else {
      throw .invalid(
        GroupName(group: "", name: "Binding"), old.key.name, [.required("target.name")])
    }
    if let uid = binding["metadata"]["uid"].string, !uid.isEmpty, uid != old.uid {
      throw .uidPrecondition(row.groupResource, old.key.name, wanted: uid, found: old.uid)
    }
    guard pod["metadata"]["deletionTimestamp"].isNull else {
      throw .conflict(
        row.groupResource, old.key.name, "pod \(old.key.name) is being deleted, cannot be assigned to a host")
    }
    if let taken = pod["spec"]["nodeName"].string, !taken.isEmpty {
      throw .conflict(
        row.groupResource, old.key.name, "pod \(old.key.name) is already assigned to node \(GoText.quote(taken))")
    }
    pod["spec"]["nodeName"] = .string(node)
    for field in binding["metadata"]["annotations"].fields { pod["metadata"]["annotations"][field.key] = field.value }
    var conditions = pod["status"]["conditions"].items.filter { $0["type"].string != "PodScheduled" }
    conditions.append([
      "type": "PodScheduled", "status": "True", "lastTransitionTime": .string(now.rfc3339),
    ])
    pod["status"]["conditions"] = .array(conditions)
    track(&pod, old: old.json, exchange, row, subresource: "binding")
    if !exchange.isDryRun { put(row.qualifiedName, old.key, pod) }
    return Answer(201, .json(KubeStatus.success.json))
  }

  private func evict(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let body = try body(exchange)
    exchange.requestObject = body
    let old = try existing(exchange, row)
    let pod = old.json
    var options = DeleteOptions()
    options.gracePeriod = body["deleteOptions"]["gracePeriodSeconds"].int
    options.uid = body["deleteOptions"]["preconditions"]["uid"].string
    options.isDryRun = exchange.isDryRun || body["deleteOptions"]["dryRun"].strings.contains("All")
    let admission = AdmissionRequest(
      operation: .create, row: row, subresource: "eviction", namespace: old.key.namespace, name: old.key.name,
      old: pod, exchange: exchange)
    var eviction = body
    try admit(&eviction, admission)
    try validateAdmission(eviction, admission)
    let phase = pod["status"]["phase"].string
    let needsNoBudget =
      phase == "Succeeded" || phase == "Failed" || phase == "Pending" || !pod["metadata"]["deletionTimestamp"].isNull
    if !needsNoBudget { try spendBudget(pod, old.key, dryRun: options.isDryRun) }
    _ = try delete(old, options, exchange, row)
    return Answer(201, .json(KubeStatus.success.json))
  }

  /// Takes one disruption from the pod's budget; 429 where there is none left.
  private func spendBudget(_ pod: JSON, _ key: ObjectKey, dryRun: Bool) throws(KubeStatus) {
    let resource = "poddisruptionbudgets.policy"
    let budgets = store(resource).list(namespace: key.namespace).filter { budget in
      (try? LabelSelector(labelSelector: budget.json["spec"]["selector"]))?.matches(pod["metadata"]["labels"]) ?? false
    }
    guard budgets.count <= 1 else {
      throw .internalError(
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
    }
    guard let budget = budgets.first else { return }
    var object = budget.json
    let isReady = pod["status"]["conditions"].items.contains {
      $0["type"].string == "Ready" && $0["status"].string == "True"
    }
    let healthy = object["status"]["currentHealthy"].int ?? 0
    let needed = object["status"]["desiredHealthy"].int ?? 0
    // Ill pods don't count, so they may go while enough healthy ones are left.
    if !isReady, object["spec"]["unhealthyPodEvictionPolicy"].string == "AlwaysAllow" || healthy >= needed && needed > 0
    {
      return
    }
    if (object["status"]["observedGeneration"].int ?? 0) < (object["metadata"]["generation"].int ?? 0) {
      throw .tooManyRequests(
        "Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds: 10,
        causes: [
          .init(
            reason: "DisruptionBudget",
            message: "The disruption budget \(budget.key.name) is still being processed by the server.")
        ])
    }
    let allowed = object["status"]["disruptionsAllowed"].int ?? 0
    guard allowed > 0 else { throw .disruptionBudget(budget.key.name, needed: needed, healthy: healthy) }
    guard !dryRun else { return }
    object["status"]["disruptionsAllowed"] = .int(Int64(allowed - 1))
    object["status"]["disruptedPods"][key.name] = .string(now.rfc3339)
    put(resource, budget.key, object)
  }

  // MARK: - Namespaces

  private func finalize(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let given = try object(exchange, as: row.gvk)
    exchange.requestObject = given
    let old = try existing(exchange, row)
    let asked = given["metadata"]["resourceVersion"].string ?? ""
    guard asked.isEmpty || asked == String(old.revision) else { throw .conflict(row.groupResource, old.key.name) }
    var object = old.json
    object["spec"]["finalizers"] = given["spec"]["finalizers"].items.isEmpty ? .null : given["spec"]["finalizers"]
    if object["spec"].fields.isEmpty { object["spec"] = .emptyObject }
    if !object["metadata"]["deletionTimestamp"].isNull, object["spec"]["finalizers"].items.isEmpty,
      object["metadata"]["finalizers"].items.isEmpty
    {
      return try answer(remove(row.qualifiedName, old.key, last: object), exchange, row)
    }
    return try finishWrite(&object, over: old, exchange, row, subresource: "finalize")
  }
}
