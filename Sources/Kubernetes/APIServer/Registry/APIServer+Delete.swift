import Wire
import World

extension APIServer {
  /// `DeleteOptions`, from the body and the query.
  struct DeleteOptions {
    var gracePeriod: Int?
    var policy: String?
    var uid: String?
    var resourceVersion: String?
    var isDryRun = false
  }

  func deleteOptions(_ exchange: Exchange) throws(KubeStatus) -> DeleteOptions {
    let body = try body(exchange)
    var options = DeleteOptions()
    options.gracePeriod =
      exchange.request.parameter("gracePeriodSeconds").flatMap(Int.init) ?? body["gracePeriodSeconds"].int
    options.policy = exchange.request.parameter("propagationPolicy") ?? body["propagationPolicy"].string
    if options.policy == nil {
      if let orphan = body["orphanDependents"].bool { options.policy = orphan ? "Orphan" : "Background" }
    }
    options.uid = body["preconditions"]["uid"].string
    options.resourceVersion = body["preconditions"]["resourceVersion"].string
    options.isDryRun = exchange.isDryRun || body["dryRun"].strings.contains("All")
    if let policy = options.policy, !["Orphan", "Background", "Foreground"].contains(policy) {
      throw .invalid(
        GroupName(group: "meta.k8s.io", name: "DeleteOptions"), "",
        [.notSupported("propagationPolicy", .string(policy), supported: ["Background", "Foreground", "Orphan", "nil"])])
    }
    return options
  }

  func delete(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let options = try deleteOptions(exchange)
    let old = try existing(exchange, row)
    switch try delete(old, options, exchange, row) {
    case .removed(let last):
      if rules(row).returnsDeleted { return try answer(last, exchange, row) }
      return .ok(KubeStatus.deleted(row.groupResource, old.key.name, uid: old.uid).json)
    case .pending(let object): return try answer(object, exchange, row, status: options.gracePeriod == nil ? 200 : 200)
    }
  }

  enum Deletion {
    case removed(StoredObject)
    /// It stays until its grace period is over or its finalizers are gone.
    case pending(StoredObject)
  }

  /// Deletes an object, at once or in order.
  func delete(_ old: StoredObject, _ options: DeleteOptions, _ exchange: Exchange, _ row: KubeResource)
    throws(KubeStatus) -> Deletion
  {
    if let uid = options.uid, uid != old.uid {
      throw .uidPrecondition(row.groupResource, old.key.name, wanted: uid, found: old.uid)
    }
    if let wanted = options.resourceVersion, wanted != String(old.revision) {
      throw .resourceVersionPrecondition(
        row.groupResource, old.key.name, wanted: wanted, found: String(old.revision))
    }
    var object = old.json
    let shown = try worked(object, row, exchange)
    // The objects of a collection are shown without their names, as the request has none.
    let admission = AdmissionRequest(
      operation: .delete, row: row, subresource: "", namespace: old.key.namespace,
      name: exchange.info.verb == "deletecollection" ? "" : old.key.name, old: shown, exchange: exchange,
      deletion: options)
    var nothing = JSON.null
    try admit(&nothing, admission)
    try validateAdmission(.null, admission)
    if options.isDryRun { return .removed(old) }
    if row.plural == "namespaces", row.group.isEmpty { return deleteNamespace(old, row) }
    setPropagation(&object, options, row)
    let grace = gracePeriod(object, options, row)
    let isEnding = !object["metadata"]["deletionTimestamp"].isNull
    if grace == 0, object["metadata"]["finalizers"].items.isEmpty {
      object["metadata"]["deletionTimestamp"] =
        object["metadata"]["deletionTimestamp"].isNull
        ? .null : object["metadata"]["deletionTimestamp"]
      if row.plural == "pods" || isEnding {
        object["metadata"]["deletionGracePeriodSeconds"] = 0
        if !isEnding { object["metadata"]["deletionTimestamp"] = .string(now.rfc3339) }
      }
      return .removed(remove(row.qualifiedName, old.key, last: object))
    }
    if isEnding {
      // A shorter grace period counts, a longer one does not.
      let held = object["metadata"]["deletionGracePeriodSeconds"].int ?? 0
      if grace < held, let text = object["metadata"]["deletionTimestamp"].string, let at = Timestamp(rfc3339: text) {
        let asked = at - .seconds(held)
        object["metadata"]["deletionTimestamp"] = .string(max(asked + .seconds(grace), now).rfc3339)
        object["metadata"]["deletionGracePeriodSeconds"] = .int(Int64(grace))
      }
    } else {
      object["metadata"]["deletionTimestamp"] = .string((now + .seconds(grace)).rfc3339)
      object["metadata"]["deletionGracePeriodSeconds"] = .int(Int64(grace))
      if let generation = object["metadata"]["generation"].int {
        object["metadata"]["generation"] = .int(Int64(generation + 1))
      }
    }
    guard object != old.json else { return .pending(old) }
    let pending = put(row.qualifiedName, old.key, object)
    if row.qualifiedName == APIServer.definitions { endDefinition(pending) }
    return .pending(pending)
  }

  /// Only pods end gracefully: those that run on a node and have not ended by themselves.
  private func gracePeriod(_ object: JSON, _ options: DeleteOptions, _ row: KubeResource) -> Int {
    guard row.plural == "pods", row.group.isEmpty else { return 0 }
    if (object["spec"]["nodeName"].string ?? "").isEmpty { return 0 }
    let phase = object["status"]["phase"].string
    if phase == "Succeeded" || phase == "Failed" { return 0 }
    let grace = options.gracePeriod ?? object["spec"]["terminationGracePeriodSeconds"].int ?? 30
    return grace < 0 ? 1 : grace
  }

  private func setPropagation(_ object: inout JSON, _ options: DeleteOptions, _ row: KubeResource) {
    var policy = options.policy
    let held = object["metadata"]["finalizers"].strings
    if policy == nil {
      policy =
        held.contains("orphan")
        ? "Orphan"
        : held.contains("foregroundDeletion")
          ? "Foreground" : rules(row).orphansByDefault ? "Orphan" : "Background"
    }
    var finalizers = held.filter { $0 != "orphan" && $0 != "foregroundDeletion" }
    if policy == "Orphan" { finalizers.append("orphan") }
    if policy == "Foreground" { finalizers.append("foregroundDeletion") }
    object["metadata"]["finalizers"] = finalizers.isEmpty ? .null : JSON(finalizers)
  }

  /// A namespace ends when its controller has emptied it.
  private func deleteNamespace(_ old: StoredObject, _ row: KubeResource) -> Deletion {
    var object = old.json
    if object["metadata"]["deletionTimestamp"].isNull {
      object["metadata"]["deletionTimestamp"] = .string(now.rfc3339)
      object["status"]["phase"] = "Terminating"
      return .pending(put(row.qualifiedName, old.key, object))
    }
    guard object["spec"]["finalizers"].items.isEmpty, object["metadata"]["finalizers"].items.isEmpty else {
      return .pending(old)
    }
    return .removed(remove(row.qualifiedName, old.key, last: object))
  }

  func deleteCollection(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let options = try deleteOptions(exchange)
    let selection = try selection(exchange, row)
    let namespace = row.namespaced ? exchange.info.namespace : ""
    let chosen =
      exchange.collection
      ?? store(row.qualifiedName).list(namespace: namespace).filter {
        selection.isEverything || selection.matches($0.json)
      }
    _ = try shown(chosen.map(\.json), row, exchange)
    // A webhook may let the deletion wait between two objects; those before are gone already.
    exchange.collection = chosen
    for object in chosen.dropFirst(exchange.deleted) {
      if let present = store(row.qualifiedName)[object.key] { _ = try delete(present, options, exchange, row) }
      exchange.deleted += 1
    }
    let metadata: JSON = ["resourceVersion": .string(String(revision))]
    let shown = try shown(chosen.map(\.json), row, exchange)
    return .ok(renderer.list(shown, row, try Representation(exchange), metadata: metadata))
  }
}
