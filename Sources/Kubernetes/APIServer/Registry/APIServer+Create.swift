import Wire
import World

extension APIServer {
  func create(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    guard exchange.info.name.isEmpty else { throw .methodNotAllowed }
    let object = try object(exchange, as: row.gvk)
    exchange.requestObject = object
    return try create(object, exchange, row)
  }

  /// Makes an object: defaults, admission, system fields, validation, store.
  func create(_ given: JSON, _ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let rules = self.rules(row)
    try refuseOfEnding(row)
    var object = renderer.storable(given, row)
    try placeInNamespace(&object, exchange, row)
    settle(&object)
    chooseFamily(&object, row)
    rules.defaults(&object)
    track(&object, old: nil, exchange, row)
    var admission = AdmissionRequest(
      operation: .create, row: row, subresource: "", namespace: exchange.info.namespace,
      name: object["metadata"]["name"].string ?? "", old: nil, exchange: exchange)
    admission.generateName = object["metadata"]["generateName"].string ?? ""
    try admit(&object, admission)
    try prepareForCreate(&object, exchange, row, rules)
    settle(&object)
    let name = object["metadata"]["name"].string ?? ""
    try validate(object, nil, row, rules)
    exchange.warn(rules.warnings(object, nil))
    admission.name = name
    try validateAdmission(object, admission)
    let key = ObjectKey(namespace: row.namespaced ? exchange.info.namespace : "", name: name)
    if store(row.qualifiedName)[key] != nil {
      if !(given["metadata"]["generateName"].string ?? "").isEmpty, (given["metadata"]["name"].string ?? "").isEmpty {
        throw .generateNameConflict(row.groupResource, name)
      }
      throw .alreadyExists(row.groupResource, name)
    }
    if let refused = try allocate(&object, old: nil, row) { throw refused }
    if exchange.isDryRun { return try answer(object, exchange, row, status: 201) }
    let kept = try storage(object, row, exchange)
    return try answer(put(row.qualifiedName, key, kept), exchange, row, status: 201)
  }

  private func placeInNamespace(_ object: inout JSON, _ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) {
    if object["metadata"].object == nil { object["metadata"] = .emptyObject }
    guard row.namespaced else {
      object["metadata"]["namespace"] = .null
      return
    }
    let namespace = exchange.info.namespace
    guard !namespace.isEmpty else {
      throw .badRequest("an empty namespace may not be set during creation")
    }
    let said = object["metadata"]["namespace"].string ?? ""
    guard said.isEmpty || said == namespace else {
      throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
    }
    object["metadata"]["namespace"] = .string(namespace)
  }

  /// What the rules of a kind may know of a write.
  func writeFacts(_ exchange: Exchange, _ row: KubeResource, _ rules: KindRules) -> KindRules.Write {
    KindRules.Write(
      user: exchange.user, now: exchange.receivedAt,
      others: rules.readsOthers ? read(row.qualifiedName, namespace: "") : [])
  }

  /// How often a name is drawn before the conflict is told (`maxNameGenerationCreateAttempts`).
  private static let nameAttempts = 8

  private func prepareForCreate(
    _ object: inout JSON, _ exchange: Exchange, _ row: KubeResource, _ rules: KindRules
  ) throws(KubeStatus) {
    let generate = object["metadata"]["generateName"].string ?? ""
    if (object["metadata"]["name"].string ?? "").isEmpty, !generate.isEmpty {
      var name = exchange.draw(world) { GeneratedNames.name(generate, using: &$0) }
      let namespace = row.namespaced ? exchange.info.namespace : ""
      for _ in 1..<APIServer.nameAttempts where store(row.qualifiedName)[.init(namespace: namespace, name: name)] != nil
      {
        name = exchange.draw(world) { GeneratedNames.name(generate, using: &$0) }
      }
      object["metadata"]["name"] = .string(name)
    }
    guard
      (object["metadata"]["resourceVersion"].string ?? "").isEmpty
        || object["metadata"]["resourceVersion"].string == "0"
    else { throw .badRequest("resourceVersion should not be set on objects to be created") }
    object["metadata"]["uid"] = .string(exchange.draw(world) { $0.uuid() })
    object["metadata"]["resourceVersion"] = .null
    object["metadata"]["creationTimestamp"] = .string(exchange.receivedAt.rfc3339)
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] { object["metadata"][field] = .null }
    object["metadata"]["generation"] = rules.countsGenerations ? 1 : .null
    if row.subresource("status") != nil, !rules.keepsStatusOnCreate { object["status"] = .null }
    rules.prepareCreate(&object, writeFacts(exchange, row, rules))
  }

  // MARK: - Validation

  /// Checks metadata and what the kind says of itself; 422 with every fault.
  func validate(_ new: JSON, _ old: JSON?, _ row: KubeResource, _ rules: KindRules) throws(KubeStatus) {
    var errors = MetadataRules.validate(new["metadata"], old?["metadata"], row, rules)
    errors += rules.validate(new, old)
    guard errors.isEmpty else {
      throw .invalid(row.groupKind, new["metadata"]["name"].string ?? "", errors)
    }
  }
}
