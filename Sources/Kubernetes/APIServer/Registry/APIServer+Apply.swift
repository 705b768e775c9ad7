import Wire
import World

extension APIServer {
  /// Server-side apply: what is applied is merged into the object, and its fields are the manager's from then on.
  func apply(_ patch: JSON, _ exchange: Exchange, _ row: KubeResource, part: Part) throws(KubeStatus) -> Answer {
    let options = GroupName(group: "meta.k8s.io", name: "PatchOptions")
    let manager = exchange.request.parameter("fieldManager") ?? ""
    guard !manager.isEmpty else {
      throw .invalid(options, "", [.required("fieldManager", "is required for apply patch")])
    }
    var applied = patch
    guard applied.object != nil else { throw .badRequest("error decoding YAML: the patch is no object") }
    let apply = ServerSideApply(
      row.gvk, in: schema, manager: manager, subresource: part.name, now: exchange.receivedAt,
      resetFields: resetFields(row, part.name))
    try apply.checkDeclared(applied)
    try check(&applied, as: row.gvk, exchange)
    try tellDuplicates(exchange)
    guard applied["metadata"]["managedFields"].isNull else {
      throw .badRequest("metadata.managedFields must be nil")
    }
    let key = key(exchange, row)
    if applied["metadata"]["name"].isNull { applied["metadata"]["name"] = .string(key.name) }
    guard applied["metadata"]["name"].string == key.name else {
      throw .badRequest(
        "the name of the object (\(applied["metadata"]["name"].string ?? "")) does not match the name on the URL "
          + "(\(key.name))")
    }
    if row.namespaced, applied["metadata"]["namespace"].isNull {
      applied["metadata"]["namespace"] = .string(key.namespace)
    }
    let old = store(row.qualifiedName)[key]
    if old == nil, !part.name.isEmpty { throw .notFound(row.groupResource, key.name) }
    let force = RequestInfo.flag(exchange.request.parameter("force"))
    var live: JSON?
    if let old { live = try shown(old.json, row, exchange) }
    let merged = try apply.apply(applied, live: live, force: force)
    exchange.isTracked = true
    guard let old else { return try create(merged, exchange, row) }
    return try write(renderer.storable(merged, row), over: old, exchange, row, part: part)
  }

  /// Keys that came twice in what was applied are refused, told or neither.
  private func tellDuplicates(_ exchange: Exchange) throws(KubeStatus) {
    guard !exchange.yamlFaults.isEmpty else { return }
    let listed = exchange.yamlFaults.map { "  \($0)" }.joined(separator: "\n")
    let text = "error converting YAML to JSON: yaml: unmarshal errors:\n\(listed)"
    switch exchange.request.parameter("fieldValidation") ?? "Warn" {
    case "Strict": throw .badRequest("error strict decoding YAML: \(text)")
    case "Warn": exchange.warn([text])
    default: break
    }
  }

  /// Writes down which manager owns which fields.
  func track(
    _ object: inout JSON, old: JSON?, _ exchange: Exchange, _ row: KubeResource, subresource: String = ""
  ) {
    guard !exchange.isTracked else { return }
    exchange.isTracked = true
    // Heartbeats and events come by the thousand, and nobody applies them.
    if row.plural == "leases" || row.plural == "events" { return }
    let apply = ServerSideApply(
      row.gvk, in: schema, manager: exchange.fieldManager, subresource: subresource, now: exchange.receivedAt,
      resetFields: resetFields(row, subresource))
    if renderer.isKeptVersion(row) || custom.isCustom(row) {
      object = apply.update(object, live: old)
    } else {
      // Owners are told by the version that they write in.
      object = renderer.storable(
        apply.update(renderer.builtIn(object, row), live: old.map { renderer.builtIn($0, row) }), row)
    }
  }

  /// What nobody owns through an endpoint, because it doesn't write it.
  private func resetFields(_ row: KubeResource, _ subresource: String) -> [[String]] {
    switch subresource {
    case "": row.subresource("status") == nil ? [] : [["status"]]
    case "status": [["spec"]]
    default: []
    }
  }
}

extension Exchange {
  /// `fieldManager`, or else what the client calls itself.
  var fieldManager: String {
    if let manager = request.parameter("fieldManager"), !manager.isEmpty { return manager }
    let agent = userAgent.prefix { $0 != "/" }
    let name = user?.name.split(separator: ":").last ?? "unknown"
    return String((agent.isEmpty ? name : agent).prefix(128))
  }
}
