import Mechanisms
import Wire
import World

extension APIServer {
  /// Carries out a request for a resource, which was allowed.
  func serve(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let info = exchange.info
    guard row.namespaced || info.namespace.isEmpty || row.plural == "namespaces" else { throw .noSuchResource }
    if exchange.isOutside, custom.isCustom(row), info.subresource != "scale" {
      // Before anything is written.
      _ = try Representation(exchange, isCustom: true)
    }
    try checkWriteOptions(exchange)
    if !info.subresource.isEmpty { return try serveSubresource(exchange, row) }
    if let text = custom[row]?.deprecation ?? Deprecations.warning(row, version) { exchange.warn([text]) }
    switch info.verb {
    case "get", "list", "watch", "create", "delete", "deletecollection": break
    // There is no such route for a collection.
    case "update" where !info.name.isEmpty, "patch" where !info.name.isEmpty: break
    default: throw .methodNotAllowed
    }
    guard row.verbs.contains(info.verb) else {
      if !row.isStored, info.verb != "create" { throw .methodNotAllowed }
      throw .methodNotSupported(row.groupResource, info.verb)
    }
    switch info.verb {
    case "get": return try get(exchange, row)
    case "list": return try list(exchange, row)
    case "watch": return try watch(exchange, row)
    case "create":
      // What is no object with metadata has no other form.
      if !row.isStored { _ = try Representation(exchange, hasMetadata: false) }
      if let answer = try review(exchange, row) { return answer }
      return try create(exchange, row)
    case "update": return try update(exchange, row)
    case "patch": return try patch(exchange, row)
    case "delete": return try delete(exchange, row)
    default: return try deleteCollection(exchange, row)
    }
  }

  /// Namespace and name under which the request's object is kept.
  func key(_ exchange: Exchange, _ row: KubeResource) -> ObjectKey {
    ObjectKey(namespace: row.namespaced ? exchange.info.namespace : "", name: exchange.info.name)
  }

  func existing(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> StoredObject {
    let key = key(exchange, row)
    guard let object = store(row.qualifiedName)[key] else { throw .notFound(row.groupResource, key.name) }
    return object
  }

  /// The answer that shows an object in the form that was asked for.
  func answer(_ object: StoredObject, _ exchange: Exchange, _ row: KubeResource, status: Int = 200)
    throws(KubeStatus) -> Answer
  {
    let representation = try Representation(exchange)
    let isKeptForm = renderer.isKeptForm(row)
    if exchange.isOutside, representation == .object, isKeptForm { return Answer(status, .kept(object)) }
    let shown = isKeptForm ? object.json : try shown(object.json, row, exchange)
    return Answer(status, .json(exchange.isOutside ? renderer.object(shown, row, representation) : shown))
  }

  /// The same for an object that is not kept (a dry run).
  func answer(_ object: JSON, _ exchange: Exchange, _ row: KubeResource, status: Int = 200)
    throws(KubeStatus) -> Answer
  {
    let representation = exchange.isOutside ? try Representation(exchange) : .object
    return Answer(status, .json(renderer.object(try shown(object, row, exchange), row, representation)))
  }

  /// What the resource's kind has of its own.
  func rules(_ row: KubeResource) -> KindRules { custom[row]?.rules ?? .of(row.qualifiedName) }

  var renderer: ObjectRenderer {
    ObjectRenderer(now: now, version: version, custom: custom, schema: schema, storageVersions: storageVersions)
  }

  // MARK: - Bodies

  /// The largest body that is taken, as `--max-request-bytes`.
  static let bodyLimit = 3 << 20

  /// The request's body as a value, whatever it is written in.
  func body(_ exchange: Exchange) throws(KubeStatus) -> JSON {
    switch exchange.request.body {
    case .none: return .null
    case .json(let json): return json
    case .bytes(let bytes):
      guard bytes.count <= APIServer.bodyLimit else {
        throw .tooLargeBody("limit is \(APIServer.bodyLimit)")
      }
      return try decode(bytes, mediaType: exchange.mediaType, exchange)
    }
  }

  /// Reads an object of a kind: checks what it says it is, and its fields against the schema.
  func object(_ exchange: Exchange, as gvk: GroupVersionKind) throws(KubeStatus) -> JSON {
    var object = try body(exchange)
    guard case .object = object else {
      throw .badRequest("the object provided is unrecognized (must be of type \(gvk.kind)): couldn't get version/kind")
    }
    try check(&object, as: gvk, exchange)
    return object
  }

  /// Gives an object the form in which it is kept, by its own kind and version; `old` is what is kept already.
  func settle(_ object: inout JSON, over old: JSON = .null) {
    guard let version = GroupVersion(object["apiVersion"].string ?? "") else { return }
    schema.settle(
      &object, as: GroupVersionKind(group: version.group, version: version.version, kind: object["kind"].string ?? ""),
      over: old)
  }

  func check(_ object: inout JSON, as gvk: GroupVersionKind, _ exchange: Exchange) throws(KubeStatus) {
    if object["kind"].isNull { object["kind"] = .string(gvk.kind) }
    if object["apiVersion"].isNull { object["apiVersion"] = .string(gvk.apiVersion) }
    let said = object["apiVersion"].string ?? ""
    guard said == gvk.apiVersion, object["kind"].string == gvk.kind else {
      let found = GroupVersion(said) ?? GroupVersion(group: "", version: said)
      if object["kind"].string != gvk.kind {
        throw .badRequest(
          "\(object["kind"].string ?? "") in version \(GoText.quote(found.version)) cannot be handled as a \(gvk.kind): "
            + "converting (\(said), Kind=\(object["kind"].string ?? "")) to (\(gvk.apiVersion), Kind=\(gvk.kind)): "
            + "unknown conversion")
      }
      throw .badRequest(
        "the API version in the data (\(said)) does not match the expected API version (\(gvk.apiVersion))")
    }
    // What comes from inside the world was written by ourselves.
    guard exchange.isOutside else { return }
    try validateFields(&object, as: gvk, exchange)
  }
}

extension Exchange {
  /// Content type of the body, without parameters.
  var mediaType: String {
    let text = request.headers["Content-Type"] ?? "application/json"
    return String(text.prefix { $0 != ";" }).trimmingBlanks.lowercased()
  }
}
