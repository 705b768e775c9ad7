import Wire
import World

extension APIServer {
  /// Server-side apply: creates the object, or merges what was applied into it by owner.
  func apply(_ patch: JSON, _ exchange: Exchange, _ row: KubeResource, part: Part) throws(KubeStatus) -> Answer {
    guard !(exchange.request.parameter("fieldManager") ?? "").isEmpty else {
      throw .invalid(
        GroupName(group: "meta.k8s.io", name: "PatchOptions"), "",
        [.required("fieldManager", "is required for apply patch")])
    }
    var config = patch
    try check(&config, as: row.gvk, exchange)
    let key = key(exchange, row)
    if let name = config["metadata"]["name"].string, name != key.name {
      throw .badRequest("the name of the object (\(name)) does not match the name on the URL (\(key.name))")
    }
    config["metadata"]["name"] = .string(key.name)
    if row.namespaced { config["metadata"]["namespace"] = .string(key.namespace) }
    let owners = owners(exchange, row, subresource: part.name)
    let force = ["true", "1"].contains(exchange.request.parameter("force") ?? "")
    guard let old = store(row.qualifiedName)[key] else {
      guard case .main = part else { throw .notFound(row.groupResource, key.name) }
      return try create(owners.apply(config, live: nil, force: force), exchange, row)
    }
    let object = try owners.apply(config, live: renderer.kept(old.json, row), force: force)
    return try write(renderer.isKeptForm(row) ? object : EventForms.kept(object), over: old, exchange, row, part: part)
  }

  /// Writes down which manager owns which fields; an apply has done so already.
  func track(
    _ object: inout JSON, old: JSON?, _ exchange: Exchange, _ row: KubeResource, subresource: String = ""
  ) {
    if exchange.info.verb == "patch", exchange.mediaType == "application/apply-patch+yaml" { return }
    // Heartbeats and events come by the thousand, and nobody applies them.
    if ["leases", "events"].contains(row.plural) { return }
    let owners = owners(exchange, row, subresource: subresource)
    // A client that sends back what it read says nothing of owners.
    var changed = object
    if changed["metadata"]["managedFields"] == old?["metadata"]["managedFields"] ?? .null {
      changed["metadata"]["managedFields"] = .null
    }
    object = owners.update(changed, live: old)
  }

  private func owners(_ exchange: Exchange, _ row: KubeResource, subresource: String) -> ServerSideApply {
    let named = exchange.request.parameter("fieldManager") ?? ""
    let agent = exchange.userAgent.prefix { $0 != "/" }
    let user = exchange.user?.name.split(separator: ":").last ?? ""
    let manager = named.isEmpty ? String(agent.isEmpty ? user : agent).prefix(128) : named[...]
    var reset: [[String]] = []
    if subresource == "status" {
      reset = [["spec"]]
    } else if row.subresource("status") != nil {
      reset = [["status"]]
    }
    return ServerSideApply(
      row.gvk, in: schema, manager: String(manager), subresource: subresource, now: now, resetFields: reset)
  }
}
