import Mechanisms
import Wire
import World

extension APIServer {
  /// Answers a path that is no resource: health, version, discovery, OpenAPI.
  func document(_ exchange: Exchange) throws(KubeStatus) -> Answer {
    let path = exchange.info.path
    guard exchange.request.method == "GET" || exchange.request.method == "HEAD" else { throw .methodNotAllowed }
    let parts = path.split(separator: "/").map(String.init)
    switch parts.first ?? "" {
    case "": return .ok(["paths": JSON(rootPaths)])
    case "healthz", "livez", "readyz": return try health(parts, exchange)
    case "version" where parts.count == 1: return .ok(versionInfo)
    case "metrics" where parts.count == 1: return .text(metrics)
    case ".well-known" where path == "/.well-known/openid-configuration": return issuerConfiguration
    case "openid" where path == "/openid/v1/jwks": return issuerKeys
    case "api", "apis", "openapi": return try discovery(parts, exchange)
    default: return .text("404 page not found\n", status: 404)
    }
  }

  // MARK: - Health

  private static let checks = [
    "ping", "log", "etcd", "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers", "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter", "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers", "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced", "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-legacy-token-tracking-controller", "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles", "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer", "poststarthook/bootstrap-controller",
    "poststarthook/aggregator-reload-proxy-client-cert", "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-registration-controller", "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration", "autoregister-completion",
    "poststarthook/apiservice-openapi-controller", "poststarthook/apiservice-openapiv3-controller",
  ]

  private func health(_ parts: [String], _ exchange: Exchange) throws(KubeStatus) -> Answer {
    let checks = APIServer.checks + (parts[0] == "readyz" ? ["informer-sync", "shutdown"] : [])
    if parts.count > 1 {
      guard checks.contains(parts.dropFirst().joined(separator: "/")) else {
        return .text("404 page not found\n", status: 404)
      }
      return .text("ok")
    }
    let excluded = Set(exchange.request.query.filter { $0.name == "exclude" }.map(\.value))
    guard exchange.request.parameter("verbose") != nil else { return .text("ok") }
    let lines = checks.map { "[+]\($0) \(excluded.contains($0) ? "excluded: ok" : "ok")\n" }
    return .text(lines.joined() + "\(parts[0]) check passed\n")
  }

  // MARK: - Version and metrics

  private var versionInfo: JSON {
    let number = options.platformVersion.split(separator: ".").last.map(String.init) ?? "1"
    return [
      "major": "1", "minor": .string(String(version.minor)), "emulationMajor": "1",
      "emulationMinor": .string(String(version.minor)), "minCompatibilityMajor": "1",
      "minCompatibilityMinor": .string(String(version.minor - 1)),
      "gitVersion": .string(gitVersion), "gitCommit": .string("eks\(number)ekswhy"), "gitTreeState": "clean",
      "buildDate": .string(options.createdAt.rfc3339), "goVersion": "go1.24.9", "compiler": "gc",
      "platform": "linux/amd64",
    ]
  }

  /// `v1.33.5-eks-113cf36`, the build that the version's nodes have too.
  var gitVersion: String { KubernetesRelease.build(of: options.version) }

  private var metrics: String {
    var lines = [
      "# HELP apiserver_storage_objects Number of stored objects at the time of last check split by kind.",
      "# TYPE apiserver_storage_objects gauge",
    ]
    for resource in keptResources {
      lines.append("apiserver_storage_objects{resource=\"\(resource)\"} \(store(resource).count)")
    }
    lines.append("# HELP apiserver_longrunning_requests Gauge of all active long-running apiserver requests.")
    lines.append("# TYPE apiserver_longrunning_requests gauge")
    lines.append("apiserver_longrunning_requests{verb=\"WATCH\"} \(watches.streamCount)")
    return lines.joined(separator: "\n") + "\n"
  }

  // MARK: - Discovery

  private var groupVersions: [GroupVersion] {
    var seen: Set<GroupVersion> = []
    return table.resources.map(\.groupVersion).filter { seen.insert($0).inserted }
  }

  private var rootPaths: [String] {
    var paths: Set<String> = [
      "/.well-known/openid-configuration", "/openid/v1/jwks", "/api", "/apis", "/healthz", "/livez", "/metrics",
      "/openapi/v2", "/openapi/v3", "/readyz", "/version",
    ]
    for groupVersion in groupVersions {
      if groupVersion.group.isEmpty {
        paths.insert("/api/\(groupVersion.version)")
      } else {
        paths.insert("/apis/\(groupVersion.group)")
        paths.insert("/apis/\(groupVersion)")
      }
    }
    return paths.sorted()
  }

  private func discovery(_ parts: [String], _ exchange: Exchange) throws(KubeStatus) -> Answer {
    if parts[0] == "openapi" { return try openAPI(parts, exchange) }
    switch (parts[0], parts.count) {
    case ("api", 1), ("apis", 1):
      guard let form = DiscoveryForm(exchange.accept) else { throw .notAcceptable() }
      if form == .aggregated {
        let body = documents.aggregated(parts[0] == "api", served)
        let etag = Discovery.etag(body)
        let headers: HTTPHeaders = ["Cache-Control": "public", "ETag": etag, "Vary": "Accept"]
        if exchange.request.headers["If-None-Match"] == etag {
          return Answer(304, .bytes([], contentType: Discovery.aggregatedMediaType), headers: headers)
        }
        return Answer(200, .bytes(body, contentType: Discovery.aggregatedMediaType), headers: headers)
      }
      guard parts[0] == "api" else {
        var list = Discovery.groupList(served.table)
        Discovery.addStale(aggregated, toList: &list)
        return .ok(list)
      }
      return .ok(Discovery.versions(serverAddress: "\(options.endpoints.first ?? "127.0.0.1"):443"))
    case ("api", 2):
      guard let list = Discovery.resourceList(GroupVersion(group: "", version: parts[1]), table) else { break }
      return .ok(list)
    case ("apis", 2):
      guard let group = Discovery.group(parts[1], served.table) ?? Discovery.staleGroup(parts[1], aggregated) else {
        break
      }
      return .ok(group)
    case ("apis", 3):
      guard let list = Discovery.resourceList(GroupVersion(group: parts[1], version: parts[2]), table) else { break }
      return .ok(list)
    default: break
    }
    // A group that is not served at all is no path; of one that is, the version is not found.
    if parts[0] == "apis", parts.count > 1, !table.resources.contains(where: { $0.group == parts[1] }) {
      return .text("404 page not found\n", status: 404)
    }
    throw .noSuchResource
  }

  private func openAPI(_ parts: [String], _ exchange: Exchange) throws(KubeStatus) -> Answer {
    // A definition may come at any moment, and a client keeps what it is told has not changed: a date can't tell.
    var headers: HTTPHeaders = ["Accept-Ranges": "bytes", "Last-Modified": exchange.receivedAt.httpDate]
    if parts.count == 2 {
      let etag = "\"\(documents.hash(parts[1], served))\""
      headers["ETag"] = etag
      headers["Vary"] = "Accept"
      if exchange.request.headers["If-None-Match"] == etag {
        return Answer(304, .bytes([], contentType: "text/plain; charset=utf-8"), headers: headers)
      }
    }
    switch parts.dropFirst().first {
    case "v2" where parts.count == 2:
      if exchange.accept.contains(OpenAPIProtobuf.mediaType) {
        let body = documents.v2Protobuf(served)
        return Answer(200, .bytes(body, contentType: OpenAPIProtobuf.contentType), headers: headers)
      }
      guard exchange.accept.isEmpty || exchange.accept.contains("json") || exchange.accept.contains("*/*") else {
        throw .notAcceptable(["application/json", OpenAPIProtobuf.mediaType])
      }
      return Answer(200, .bytes(documents.v2(served), contentType: "application/json"), headers: headers)
    case "v3" where parts.count == 2:
      let index = documents.index(served)
      return Answer(200, .bytes(index, contentType: "text/plain; charset=utf-8"), headers: headers)
    case "v3":
      let path = parts.dropFirst(2).joined(separator: "/")
      guard let body = documents.document(path, served) else { break }
      let hash = documents.hash(path, served)
      var headers = headers
      headers["ETag"] = "\"\(hash)\""
      headers["Vary"] = "Accept"
      // What is asked for by its hash stays what it is.
      if exchange.request.query.first(where: { $0.name == "hash" })?.value == hash {
        headers["Cache-Control"] = "public, immutable"
        headers["Expires"] = (exchange.receivedAt + .seconds(365 * 86_400)).httpDate
      }
      if exchange.request.headers["If-None-Match"] == headers["ETag"] {
        return Answer(304, .bytes([], contentType: "application/json"), headers: headers)
      }
      return Answer(200, .bytes(body, contentType: "application/json"), headers: headers)
    default: break
    }
    return .text("404 page not found\n", status: 404)
  }
}

/// In which form a client wants to be told what is served.
private enum DiscoveryForm {
  case aggregated, legacy

  init?(_ accept: String) {
    guard !accept.isEmpty else {
      self = .legacy
      return
    }
    for option in accept.split(separator: ",") {
      let text = String(option).trimmingBlanks
      if text.hasPrefix("application/json;") {
        guard text.contains("g=apidiscovery.k8s.io"), text.contains("v=v2;") || text.hasSuffix("v=v2") else { continue }
        self = .aggregated
        return
      }
      if text == "application/json" || text == "*/*" || text == "application/*" {
        self = .legacy
        return
      }
    }
    // Clients of old that want protobuf alone are answered in JSON.
    guard accept.contains("protobuf") else { return nil }
    self = .legacy
  }
}

/// What an API server serves, as far as its documents depend on it.
struct Served {
  var version: KubernetesVersion
  var table: ResourceTable
  var schema: KubernetesSchema
  var custom: CustomResources

  var aggregated: AggregatedGroups

  var name: String { "\(version)\(custom.fingerprint)\(aggregated.fingerprint)" }
  var openAPI: OpenAPI {
    let own =
      aggregated.rows.isEmpty && aggregated.proxied.isEmpty
      ? table
      : ResourceTable(
        table.resources.filter { !aggregated.serves($0.group) && aggregated.proxied[$0.groupVersion] == nil })
    return OpenAPI(own, schema, version: version, custom: custom.schemas)
  }
}

extension APIServer {
  var served: Served {
    let others = aggregated.proxied.isEmpty ? [] : aggregatedRows
    return Served(
      version: version, table: others.isEmpty ? table : ResourceTable(table.resources + others), schema: schema,
      custom: custom, aggregated: aggregated)
  }
}

/// Documents, which are the same for all clusters of a version that have the same custom resources; made at
/// their first use.
final class DocumentCache {
  /// More than these are of definitions that have changed since.
  private static let limit = 256
  private var held: [String: [UInt8]] = [:]

  private func held(_ key: String, _ make: () -> [UInt8]) -> [UInt8] {
    if let bytes = held[key] { return bytes }
    if held.count >= DocumentCache.limit { held.removeAll() }
    let bytes = make()
    held[key] = bytes
    return bytes
  }

  func aggregated(_ core: Bool, _ served: Served) -> [UInt8] {
    held("\(served.name)/discovery/\(core)") {
      var document = Discovery.aggregated(served.table, core: core)
      if !core { Discovery.addStale(served.aggregated, to: &document) }
      return document.bytes(.go)
    }
  }

  /// Stands for a document's content, which follows from what is served and the path.
  func hash(_ path: String, _ served: Served) -> String { Discovery.hash(Array("\(served.name) \(path)".utf8)) }

  func index(_ served: Served) -> [UInt8] {
    held("\(served.name)/index") {
      OpenAPI.index(served.openAPI.documents.map { (path: $0.path, hash: hash($0.path, served)) }).bytes(.go)
    }
  }

  func document(_ path: String, _ served: Served) -> [UInt8]? {
    let openAPI = served.openAPI
    guard let found = openAPI.documents.first(where: { $0.path == path }) else { return nil }
    return held("\(served.name)/\(path)") { openAPI.document(found.groupVersion).bytes(.go) }
  }

  func v2Protobuf(_ served: Served) -> [UInt8] {
    held("\(served.name)/v2.proto") { OpenAPIProtobuf.document(served.openAPI.v2()) }
  }

  func v2(_ served: Served) -> [UInt8] { held("\(served.name)/v2") { served.openAPI.v2().bytes(.go) } }
}
