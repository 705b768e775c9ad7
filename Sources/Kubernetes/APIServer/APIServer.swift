import Mechanisms
import Wire
import World

/// The API server of one cluster: what it keeps, and the way of a request through it.
final class APIServer {
  unowned let storey: KubernetesStorey
  let id: String
  var options: ClusterOptions {
    didSet {
      persistOptions()
      if options.version != oldValue.version {
        version = APIServer.version(of: options)
        seedServices()
        recordAddresses()
      }
      if options.endpoints != oldValue.endpoints { reconcileEndpoints() }
    }
  }
  private(set) var version: KubernetesVersion {
    didSet { refreshTable() }
  }
  private(set) var table: ResourceTable
  private(set) var schema: KubernetesSchema
  private(set) var custom = CustomResources([])
  /// Groups that other servers serve, by their APIServices.
  private(set) var aggregated = AggregatedGroups()
  private(set) var storageVersions: [String: String]
  /// Rows by where their objects are kept; made when somebody asks first.
  private var rowsByStorage: [String: [KubeResource]]?
  /// Many definitions come at once; what they add is made once after them.
  private var isRestoring = false
  private(set) var revision: Int
  /// The past of objects is kept from this revision on.
  private var historyStart = 0
  private var stores: [String: ObjectStore] = [:]

  let tokens = TokenCache()
  let providerKeys = ProviderKeys()
  let access = AccessIndex()
  let nodeIndex = NodeIndex()
  let watches: WatchHub
  let addresses = ServiceAddresses()
  let webhooks = WebhookIndex()
  let policies = PolicyIndex()
  let flows = FlowIndex()
  /// Requests that wait for calls out of the world.
  var waiting: [String: Exchange] = [:]

  var documents: DocumentCache { storey.documents }
  var world: World { storey.world }
  var now: Timestamp { storey.world.now }

  init(_ options: ClusterOptions, in storey: KubernetesStorey) {
    self.storey = storey
    self.options = options
    watches = WatchHub(storey.streamIDs)
    id = options.id
    version = APIServer.version(of: options)
    table = ResourceTable.for(version)
    schema = KubernetesSchema.for(version)
    storageVersions = APIServer.storageVersions(table, custom)
    revision = 0
    persistOptions()
    beginHistory(at: 0)
  }

  /// As the store holds it.
  init(restoring id: String, _ row: [UInt8], in storey: KubernetesStorey) {
    self.storey = storey
    watches = WatchHub(storey.streamIDs)
    self.id = id
    do { options = try JSON.parse(row).decode(ClusterOptions.self) } catch {
      preconditionFailure("the stored row k8s-cluster/\(id) cannot be read: \(error)")
    }
    version = APIServer.version(of: options)
    table = ResourceTable.for(version)
    schema = KubernetesSchema.for(version)
    storageVersions = APIServer.storageVersions(table, custom)
    revision = 0
    for (_, value) in storey.world.takeLoaded(prefix: "k8s-revision/\(id)/") {
      revision = Int(String(decoding: value, as: UTF8.self)) ?? 0
    }
    isRestoring = true
    for (path, bytes) in storey.world.takeLoaded(prefix: "k8s/\(id)/") {
      let parts = path.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3,
        let object = StoredObject(
          key: ObjectKey(namespace: String(parts[1]), name: String(parts[2])), bytes: bytes)
      else { preconditionFailure("the stored row k8s/\(id)/\(path) cannot be read") }
      let resource = String(parts[0])
      store(resource).restore(object)
      keep(resource, old: nil, new: object)
    }
    isRestoring = false
    for resource in stores.keys.sorted() { stores[resource]!.finishRestoring() }
    historyStart = restoreHistory()
    refreshTable()
    watches.restore(storey.world.takeLoaded(prefix: "k8s-watch/\(id)/"))
  }

  private static func version(of options: ClusterOptions) -> KubernetesVersion {
    KubernetesVersion(options.version) ?? KubernetesVersion.known.upperBound
  }

  private func persistOptions() {
    do { world.put("k8s-cluster/\(id)", try JSON.bytes(encoding: options)) } catch {
      preconditionFailure("the options of cluster \(id) cannot be written: \(error)")
    }
  }

  /// Takes every row of the cluster out of the store and ends its watches.
  func removeEverything() {
    for resource in stores.keys.sorted() {
      for key in stores[resource]!.order { world.removeRow(row(resource, key)) }
      removeHistory(stores[resource]!)
    }
    endHistory()
    for component in watches.components { world.removeRow("k8s-watch/\(id)/\(component)") }
    watches.endAll(world)
    for id in waiting.keys.sorted() {
      let exchange = waiting[id]!
      if exchange.isOutside { finish(exchange, .status(.unavailable("the cluster is being deleted"))) }
    }
    waiting.removeAll()
    stores.removeAll()
    world.removeRow("k8s-cluster/\(id)")
    world.removeRow("k8s-revision/\(id)/")
  }

  /// The versions in which objects are kept whose resource is served in several: the definition's, or the first.
  private static func storageVersions(_ table: ResourceTable, _ custom: CustomResources) -> [String: String] {
    var first: [String: String] = [:]
    var several: [String: String] = [:]
    for row in table.resources {
      if let version = first[row.qualifiedName] {
        several[row.qualifiedName] = custom.storageVersions[row.qualifiedName] ?? version
      } else {
        first[row.qualifiedName] = row.version
      }
    }
    return several
  }

  static let definitions = "customresourcedefinitions.apiextensions.k8s.io"
  static let services = "apiservices.apiregistration.k8s.io"

  /// Lets the served kinds be the built-in ones and those that definitions add.
  private func refreshTable() {
    let builtIn = ResourceTable.for(version)
    let definitions = read(APIServer.definitions, namespace: "")
    custom = CustomResources(definitions, reusing: custom)
    schema = KubernetesSchema.for(version)
    aggregated = AggregatedGroups(read(APIServer.services, namespace: ""))
    let added = custom.rows + aggregated.rows
    table = added.isEmpty ? builtIn : ResourceTable(builtIn.resources + added)
    storageVersions = APIServer.storageVersions(table, custom)
    rowsByStorage = nil
    for (gvk, kind) in custom.ordered { schema = schema.adding(gvk, openAPIV3Schema: kind.schema) }
  }

  /// Other rows of the same objects, such as a kind in another version.
  func equivalents(of row: KubeResource) -> [KubeResource] {
    let rows = rowsByStorage ?? Dictionary(grouping: table.resources) { APIServer.storage($0.qualifiedName) }
    rowsByStorage = rows
    return (rows[APIServer.storage(row.qualifiedName)] ?? []).filter { $0 != row }
  }

  // MARK: - Keeping

  /// Where objects of a resource are kept: resources that are two views of one are kept once.
  static func storage(_ qualified: String) -> String { qualified == "events.events.k8s.io" ? "events" : qualified }

  func store(_ resource: String) -> ObjectStore {
    let name = APIServer.storage(resource)
    if let store = stores[name] { return store }
    let store = ObjectStore(name, oldest: historyStart)
    stores[name] = store
    return store
  }

  /// Resources of which objects are kept, in order.
  var keptResources: [String] { stores.keys.filter { stores[$0]!.count > 0 }.sorted() }

  private func row(_ resource: String, _ key: ObjectKey) -> String {
    "k8s/\(id)/\(resource)/\(key.namespace)/\(key.name)"
  }

  /// Puts an object under the next revision and tells those who watch. Returns it as kept.
  @discardableResult
  func put(_ resource: String, _ key: ObjectKey, _ object: JSON) -> StoredObject {
    let store = store(resource)
    var object = object
    let kept = StoredObject(key: key, revision: stamp(&object), json: object)
    world.put(row(store.resource, key), kept.bytes)
    if revision % APIServer.dropInterval == 0 { dropValues() }
    let change = store.put(kept)
    remember(change, store)
    keep(store.resource, old: change.previous, new: kept)
    watches.tell(change, store.resource, self)
    tellQuotas(store.resource, key.namespace)
    if store.resource == "services" { recordAddress(old: change.previous, new: kept) }
    return kept
  }

  /// Writes between two drops of parsed values, which of large resources are more than what is worked on.
  private static let dropInterval = 8192

  private func dropValues() {
    for resource in stores.keys.sorted() where stores[resource]!.count > 4096 { stores[resource]!.dropValues() }
  }

  /// Removes an object and tells those who watch. Returns its last state.
  @discardableResult
  func remove(_ resource: String, _ key: ObjectKey, last object: JSON) -> StoredObject {
    let store = store(resource)
    var object = object
    let last = StoredObject(key: key, revision: stamp(&object), json: object)
    world.removeRow(row(store.resource, key))
    if let change = store.remove(last) {
      remember(change, store)
      keep(store.resource, old: change.previous, new: nil)
      watches.tell(change, store.resource, self)
      tellQuotas(store.resource, key.namespace)
      if store.resource == "services" { recordAddress(old: change.previous, new: nil) }
      definitionMayGo(after: store.resource)
    }
    return last
  }

  private func stamp(_ object: inout JSON) -> Int {
    revision += 1
    world.put("k8s-revision/\(id)/", Array(String(revision).utf8))
    object["metadata"]["resourceVersion"] = .string(String(revision))
    return revision
  }

  /// Lets the indexes see a change.
  private func keep(_ resource: String, old: StoredObject?, new: StoredObject?) {
    switch resource {
    case "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io",
      "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io":
      access.invalidate()
    case "pods": nodeIndex.pod(old: old, new: new)
    case WebhookIndex.mutating, WebhookIndex.validating: webhooks.invalidate()
    case PolicyIndex.validating, PolicyIndex.validatingBindings, PolicyIndex.mutating, PolicyIndex.mutatingBindings:
      policies.invalidate()
    case FlowIndex.schemas, FlowIndex.levels: flows.invalidate()
    case "services": addresses.service(old: old, new: new)
    case APIServer.definitions: if !isRestoring { refreshTable() }
    case APIServer.services:
      if !isRestoring, AggregatedGroups(read(APIServer.services, namespace: "")) != aggregated { refreshTable() }
    default: break
    }
  }

  // MARK: - Reading from inside

  func read(_ resource: String, _ namespace: String, _ name: String) -> JSON? {
    stores[APIServer.storage(resource)]?[ObjectKey(namespace: namespace, name: name)]?.json
  }

  func read(_ resource: String, namespace: String) -> [JSON] {
    stores[APIServer.storage(resource)]?.list(namespace: namespace).map(\.json) ?? []
  }

  /// The objects that say so, in order.
  func read(_ resource: String, _ field: ValueIndex.Field, _ value: String) -> [JSON] {
    stores[APIServer.storage(resource)]?.list(field, value).map(\.json) ?? []
  }

  func children(_ resource: String, namespace: String, of controller: String) -> [JSON] {
    stores[APIServer.storage(resource)]?.children(namespace: namespace, of: controller).map(\.json) ?? []
  }

  // MARK: - A request

  func handle(_ request: KubeRequest, _ target: KubeReplyTarget) {
    let auditID = request.auditID.isEmpty ? world.newID { $0.uuid() } : request.auditID
    begin(Exchange(request, target, at: now, auditID: auditID))
  }

  /// Finds out who asks and whether he may, and goes on with what he asks for.
  func begin(_ exchange: Exchange) {
    do throws(KubeStatus) {
      try authenticate(exchange)
      if let fault = try impersonate(exchange) { return finish(exchange, fault) }
      try authorize(exchange)
    } catch {
      if error == .suspended { return suspend(exchange) }
      return finish(exchange, .status(error))
    }
    exchange.ownAnnotations = exchange.annotations.count
    carryOut(exchange)
  }

  /// Does what an allowed request asks for, answers it, or lets it wait.
  func carryOut(_ exchange: Exchange) {
    let answer: Answer
    do throws(KubeStatus) { answer = try respond(exchange) } catch {
      if error == .suspended { return suspend(exchange) }
      answer = .status(error)
    }
    finish(exchange, answer)
  }

  func finish(_ exchange: Exchange, _ answer: Answer) {
    audit(exchange, answer)
    send(answer, exchange)
  }

  private func respond(_ exchange: Exchange) throws(KubeStatus) -> Answer {
    let info = exchange.info
    if let answer = unavailable(exchange) { return answer }
    if let answer = try proxied(exchange) { return answer }
    guard info.isResource else { return try document(exchange) }
    guard let row = table[info.group, info.version, info.resource] else {
      throw .noSuchResource
    }
    if aggregated.serves(info.group) { return try figures(exchange, row) }
    return try serve(exchange, row)
  }

  private func send(_ answer: Answer, _ exchange: Exchange) {
    if case .streaming = answer.body { return }
    guard case .outside(let responder) = exchange.target else {
      guard exchange.target.isRead(answer.status) else {
        return world.kube.answer(exchange.target, status: answer.status, headers: answer.headers, body: .null)
      }
      let body: JSON
      switch answer.body {
      case .json(let json): body = json
      case .kept(let object): body = object.json
      case .bytes(let bytes, _): body = .string(String(decoding: bytes, as: UTF8.self))
      case .streaming: return
      }
      return world.kube.answer(exchange.target, status: answer.status, headers: answer.headers, body: body)
    }
    var headers = headers(exchange)
    // What the answer says of its keeping stands alone.
    if answer.headers["Cache-Control"] != nil { headers["Cache-Control"] = nil }
    headers.fields += answer.headers.fields
    let bytes: [UInt8]
    switch answer.body {
    case .json(let json):
      if exchange.isProtobuf, let encoded = ProtobufEncoder.encode(json) {
        headers.add("Content-Type", "application/vnd.kubernetes.protobuf")
        bytes = encoded
        break
      }
      headers.add("Content-Type", "application/json")
      bytes = json.bytes(.go) + [0x0a]
    case .kept(let object):
      if exchange.isProtobuf, let encoded = ProtobufEncoder.encode(object.json) {
        headers.add("Content-Type", "application/vnd.kubernetes.protobuf")
        bytes = encoded
        break
      }
      headers.add("Content-Type", "application/json")
      bytes = object.bytes + [0x0a]
    case .bytes(let body, let contentType):
      headers.add("Content-Type", contentType)
      bytes = body
    case .streaming: return
    }
    let response = HTTPResponse(status: answer.status, headers: headers, body: bytes)
    let failed = headers
    world.answerOutside { failure in
      guard let failure else { return responder.send(response) }
      let status = KubeStatus.internalError("\(failure)")
      responder.send(HTTPResponse(status: 500, headers: failed, body: status.json.bytes(.go)))
    }
  }

  /// What every answer to the outside has.
  func headers(_ exchange: Exchange) -> HTTPHeaders {
    var headers: HTTPHeaders = ["Audit-Id": exchange.auditID, "Cache-Control": "no-cache, private"]
    if let flow = flows.flow(of: exchange, self) {
      headers.add("X-Kubernetes-Pf-Flowschema-Uid", flow.schemaUID)
      headers.add("X-Kubernetes-Pf-Prioritylevel-Uid", flow.levelUID)
    }
    for warning in exchange.warnings { headers.add("Warning", "299 - \(GoText.quote(warning))") }
    return headers
  }
}
