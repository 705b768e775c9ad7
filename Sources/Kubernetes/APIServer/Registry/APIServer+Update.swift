import Wire
import World

extension APIServer {
  /// What part of an object a write is for.
  enum Part {
    case main
    case status
    /// A named subresource that may change what `merge` lets it.
    case other(String)

    var name: String {
      switch self {
      case .main: ""
      case .status: "status"
      case .other(let name): name
      }
    }
  }

  func update(_ exchange: Exchange, _ row: KubeResource, part: Part = .main) throws(KubeStatus) -> Answer {
    let object = try object(exchange, as: row.gvk)
    exchange.requestObject = object
    let name = object["metadata"]["name"].string ?? ""
    if name.isEmpty {
      throw .badRequest("the name of the object (\(name)) does not match the name on the URL (\(exchange.info.name))")
    }
    guard name == exchange.info.name else {
      throw .badRequest(
        "the name of the object (\(name)) does not match the name on the URL (\(exchange.info.name))")
    }
    let namespace = object["metadata"]["namespace"].string ?? ""
    if row.namespaced, !namespace.isEmpty, namespace != exchange.info.namespace {
      throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
    }
    let key = key(exchange, row)
    let rules = self.rules(row)
    guard let old = store(row.qualifiedName)[key] else {
      guard rules.createsOnUpdate, case .main = part else { throw .notFound(row.groupResource, key.name) }
      var fresh = object
      fresh["metadata"]["resourceVersion"] = .null
      return try create(fresh, exchange, row)
    }
    return try write(renderer.storable(object, row), over: old, exchange, row, part: part)
  }

  /// Writes a changed object over the kept one: preconditions, what may not change, admission, validation.
  func write(
    _ given: JSON, over old: StoredObject, _ exchange: Exchange, _ row: KubeResource, part: Part
  ) throws(KubeStatus) -> Answer {
    let rules = self.rules(row)
    let before = try worked(old.json, row, exchange)
    var object = given
    try checkPreconditions(&object, old, row, rules)
    keepSystemFields(&object, before)
    settle(&object, over: before)
    var settled = object
    switch part {
    case .main:
      if row.subresource("status") != nil { object["status"] = before["status"] }
      chooseFamily(&object, row)
      rules.defaults(&object)
      rules.prepareUpdate(&object, before, writeFacts(exchange, row, rules))
    case .status:
      let metadata = object["metadata"]
      let status = object["status"]
      object = before
      for field in metadataWithStatus(row) { object["metadata"][field] = metadata[field] }
      object["status"] = status
      settled = object
      rules.defaults(&object)
    case .other(let name):
      if let subresource = rules.subresources[name] {
        let given = object
        object = before
        object["metadata"]["managedFields"] = given["metadata"]["managedFields"]
        object["metadata"]["resourceVersion"] = given["metadata"]["resourceVersion"]
        subresource.take(&object, given)
        settled = before
      }
      rules.defaults(&object)
    }
    track(&object, old: before, exchange, row, subresource: part.name)
    let admission = AdmissionRequest(
      operation: .update, row: row, subresource: part.name, namespace: exchange.info.namespace, name: old.key.name,
      old: before, exchange: exchange)
    // An owner list that was taken away stays away.
    let owners = object["metadata"]["managedFields"]
    try admit(&object, admission)
    keepSystemFields(&object, before)
    object["metadata"]["managedFields"] = owners
    if rules.countsGenerations, isChanged(object, before, row) {
      object["metadata"]["generation"] = .int(Int64((before["metadata"]["generation"].int ?? 0) + 1))
    }
    var errors = MetadataRules.validate(object["metadata"], before["metadata"], row, rules)
    switch part {
    case .main: errors += rules.validate(object, before)
    case .status: errors += rules.validateStatus(object, before)
    case .other(let name): errors += rules.subresources[name]?.validate(object, before) ?? []
    }
    guard errors.isEmpty else { throw .invalid(row.groupKind, old.key.name, errors) }
    if case .main = part { exchange.warn(rules.warnings(object, before)) }
    try validateAdmission(object, admission)
    if let refused = try allocate(&object, old: before, row) { throw refused }
    return try finishWrite(&object, over: old, settled: settled, exchange, row, subresource: part.name)
  }

  /// What of the metadata is written along with a status: with a custom resource's nothing of the user's.
  private func metadataWithStatus(_ row: KubeResource) -> [String] {
    let own = ["managedFields", "resourceVersion"]
    if custom.isCustom(row) { return own }
    switch row.qualifiedName {
    case "deployments.apps": return ["annotations", "finalizers", "ownerReferences"] + own
    case "pods": return ["labels", "annotations", "finalizers"] + own
    default: return ["labels", "annotations", "finalizers", "ownerReferences"] + own
    }
  }

  /// Keeps a changed object, or removes it when nothing holds it any more; an unchanged one is not written.
  /// What is as it stands in `settled` has its form already.
  func finishWrite(
    _ object: inout JSON, over old: StoredObject, settled: JSON = .null, _ exchange: Exchange, _ row: KubeResource,
    subresource: String
  ) throws(KubeStatus) -> Answer {
    let before = try worked(old.json, row, exchange)
    settle(&object, over: settled.isNull ? before : settled)
    object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
    // What is kept in a version of before is written again, in the present one.
    if object == before, !isOutdated(old.json, row) { return try answer(old, exchange, row) }
    track(&object, old: before, exchange, row, subresource: subresource)
    if exchange.isDryRun { return try answer(object, exchange, row) }
    if !object["metadata"]["deletionTimestamp"].isNull, object["metadata"]["finalizers"].items.isEmpty,
      !(before["metadata"]["finalizers"].items.isEmpty),
      (object["metadata"]["deletionGracePeriodSeconds"].int ?? 0) == 0,
      row.plural != "namespaces" || object["spec"]["finalizers"].items.isEmpty
    {
      let last = try storage(object, row, exchange)
      return try answer(remove(row.qualifiedName, old.key, last: last), exchange, row)
    }
    let kept = try storage(object, row, exchange)
    return try answer(put(row.qualifiedName, old.key, kept), exchange, row)
  }

  private func checkPreconditions(
    _ object: inout JSON, _ old: StoredObject, _ row: KubeResource, _ rules: KindRules
  ) throws(KubeStatus) {
    let wanted = object["metadata"]["resourceVersion"].string ?? ""
    if wanted.isEmpty || wanted == "0" {
      guard rules.updatesUnconditionally || wanted == "0" else {
        throw .invalid(
          row.groupKind, old.key.name,
          [FieldError(.invalid, "metadata.resourceVersion", value: "0x0", detail: "must be specified for an update")])
      }
    } else if wanted != String(old.revision) {
      throw .conflict(row.groupResource, old.key.name)
    }
    let uid = object["metadata"]["uid"].string ?? ""
    guard uid.isEmpty || uid == old.uid else {
      throw .uidPrecondition(row.groupResource, old.key.name, wanted: uid, found: old.uid)
    }
  }

  private func keepSystemFields(_ object: inout JSON, _ before: JSON) {
    for field in [
      "name", "generateName", "namespace", "uid", "creationTimestamp", "deletionTimestamp",
      "deletionGracePeriodSeconds", "generation", "selfLink",
    ] { object["metadata"][field] = before["metadata"][field] }
    if object["metadata"]["managedFields"].isNull {
      object["metadata"]["managedFields"] = before["metadata"]["managedFields"]
    }
    object["kind"] = before["kind"]
    object["apiVersion"] = before["apiVersion"]
  }

  /// Whether anything but metadata and status differs.
  private func isChanged(_ new: JSON, _ old: JSON, _ row: KubeResource) -> Bool {
    func rest(_ object: JSON) -> JSON {
      var object = object
      object["metadata"] = .null
      // Without a subresource of its own the status is as good as the rest.
      if row.subresource("status") != nil || !custom.isCustom(row) { object["status"] = .null }
      return object
    }
    return rest(new) != rest(old)
  }
}
