import Foundation
import Testing
import Wire

/// Answers recorded from a kube-apiserver 1.36, met in all that isn't particular to that cluster.
@Suite(.serialized, .enabled(if: Clients.curl))
struct GoldenAnswerTests {
  /// One world for all of them.
  @Test func answers() async throws {
    let server = Server(cluster: try await QuickCluster(nodes: 0))
    try server.bodiesAndHeaders()
    try server.tablesPartsAndWatchLists()
    try server.discovery()
  }
}

/// An API server that is asked what kube-apiserver was asked.
private struct Server {
  let cluster: QuickCluster

  struct Answer {
    var status: Int
    var headers: [String: String]
    var body: String
    var json: JSON { get throws { try JSON.parse(body) } }
  }

  static func golden(_ name: String) throws -> JSON {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try JSON.parse(
      Array(Data(contentsOf: folder.appendingPathComponent("Golden/kubernetes/\(name).json").resolvingSymlinksInPath()))
    )
  }

  func send(
    _ method: String, _ path: String, _ body: JSON? = nil, type: String = "application/json",
    accept: String = "application/json", token: String? = nil
  ) throws -> Answer {
    var words = ["-sk", "-i", "-X", method, "--max-time", "30", "-H", "Accept: \(accept)"]
    words += ["-H", "Authorization: Bearer \(token ?? cluster.token)"]
    if let body { words += ["-H", "Content-Type: \(type)", "--data-binary", body.text()] }
    let told = try Shell.run("curl", words + [cluster.endpoint + path], environment: cluster.eks.environment).output
    let parts = told.replacing("\r\n", with: "\n").split(
      separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
    let head = parts[0].split(separator: "\n")
    var headers: [String: String] = [:]
    for line in head.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    let status = head.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
    return Answer(status: status, headers: headers, body: parts.count > 1 ? String(parts[1]) : "")
  }

  /// What differs from cluster to cluster is the same in both; order of fields does not count.
  static func plain(_ value: JSON) -> JSON {
    switch value {
    case .array(let items): return .array(items.map(plain))
    case .object(let object):
      var fields: [(String, JSON)] = []
      for field in object.fields.sorted(by: { $0.key < $1.key }) {
        let isOwn = [
          "uid", "resourceVersion", "creationTimestamp", "time", "token", "expirationTimestamp", "manager", "audiences",
        ].contains(field.key)
        fields.append((field.key, isOwn ? "*" : plain(field.value)))
      }
      return .object(JSONObject(fields))
    default: return value
    }
  }

  func expectGolden(
    _ name: String, _ answer: Answer, status: Int, replacing: [(String, String)] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var body = answer.body
    for (from, to) in replacing { body = body.replacing(from, with: to) }
    #expect(answer.status == status, "\(name)", sourceLocation: sourceLocation)
    let ours = Self.plain(try JSON.parse(body)).text()
    let theirs = Self.plain(try Self.golden(name)).text()
    #expect(ours == theirs, "\(name)", sourceLocation: sourceLocation)
    #expect(answer.headers["content-type"] == "application/json", "\(name)", sourceLocation: sourceLocation)
    #expect(answer.headers["cache-control"] == "no-cache, private", "\(name)", sourceLocation: sourceLocation)
    #expect(answer.headers["audit-id"] != nil, "\(name)", sourceLocation: sourceLocation)
  }

  func bodiesAndHeaders() throws {
    let maps = "/api/v1/namespaces/default/configmaps"
    func map(_ name: String, _ more: [(String, JSON)] = []) -> JSON {
      var object: JSON = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)]]
      for (key, value) in more { object[key] = value }
      return object
    }
    try expectGolden("notfound", send("GET", "/api/v1/namespaces/default/pods/nope"), status: 404)
    try expectGolden("badver", send("GET", "/apis/apps/v9/deployments"), status: 404)
    try expectGolden("badcontinue", send("GET", "/api/v1/namespaces?limit=1&continue=abc"), status: 400)
    try expectGolden("badtoken-401", send("GET", "/api/v1/namespaces", token: "x"), status: 401)
    try expectGolden(
      "strict-400", send("POST", "\(maps)?fieldValidation=Strict", map("x", [("dta", ["a": "b"])])), status: 400)
    let warned = try send("POST", "\(maps)?fieldValidation=Warn", map("x", [("dta", ["a": "b"])]))
    try expectGolden("warn", warned, status: 201)
    #expect(warned.headers["warning"] == #"299 - "unknown field \"dta\"""#)
    try expectGolden("exists-409", send("POST", maps, map("x")), status: 409)
    var stale = map("x", [("data", ["a": "b"])])
    stale["metadata"]["resourceVersion"] = "1"
    try expectGolden("conflict-409", send("PUT", "\(maps)/x", stale), status: 409)
    try expectGolden(
      "invalid-422",
      send(
        "POST", "/api/v1/namespaces/default/pods",
        ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "BAD_"], "spec": [:]]), status: 422)
    try expectGolden("del", send("DELETE", "\(maps)/x"), status: 200)
    try expectGolden("unsupported-406", send("GET", "/api/v1/namespaces", accept: "application/xml"), status: 406)
    try expectGolden("unsupported-415", send("POST", maps, map("y"), type: "application/xml"), status: 415)

    let apply = "application/apply-patch+yaml"
    let ssa = "\(maps)/ssa?fieldManager="
    try expectGolden("ssa", send("PATCH", "\(ssa)m1", map("ssa", [("data", ["a": "b"])]), type: apply), status: 201)
    let conflict = try send("PATCH", "\(ssa)m2", map("ssa", [("data", ["a": "c"])]), type: apply)
    try expectGolden("ssa-conflict", conflict, status: 409)

    try expectGolden(
      "ssar",
      send(
        "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        [
          "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
          "spec": ["resourceAttributes": ["verb": "get", "resource": "pods"]],
        ]), status: 201)
    try expectGolden(
      "tokenreq",
      send(
        "POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
        [
          "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": ["expirationSeconds": 3600],
        ]), status: 201)

    let nowhere = try send("GET", "/nope")
    #expect(nowhere.status == 404 && nowhere.body == "404 page not found\n")
    #expect(nowhere.headers["content-type"] == "text/plain; charset=utf-8")
    #expect(nowhere.headers["x-content-type-options"] == "nosniff")
    let alive = try send("GET", "/livez?verbose")
    #expect(alive.status == 200 && alive.body.hasPrefix("[+]ping ok\n") && alive.body.hasSuffix("livez check passed\n"))
  }

  func tablesPartsAndWatchLists() throws {
    let table = try send("GET", "/api/v1/namespaces", accept: "application/json;as=Table;g=meta.k8s.io;v=v1").json
    let theirs = try Self.golden("table-ns")
    #expect(table["kind"] == "Table" && table["apiVersion"] == "meta.k8s.io/v1")
    func columns(_ table: JSON) -> [[String]] {
      table["columnDefinitions"].items.map {
        [$0["name"].string ?? "", $0["type"].string ?? "", $0["format"].string ?? "", "\($0["priority"].int ?? -1)"]
      }
    }
    #expect(columns(table) == columns(theirs))
    let rows = table["rows"].items.map { Array($0["cells"].items.prefix(2)) }
    let known = theirs["rows"].items.map { Array($0["cells"].items.prefix(2)) }
    #expect(rows.count == 4 && rows.allSatisfy(known.contains))
    #expect(table["rows"][0]["object"]["kind"] == "PartialObjectMetadata")

    let parts = try send(
      "GET", "/api/v1/namespaces", accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    ).json
    #expect(parts["kind"] == "PartialObjectMetadataList" && parts["apiVersion"] == "meta.k8s.io/v1")
    #expect(parts["items"][0]["kind"] == "PartialObjectMetadata" && parts["items"][0]["spec"].isNull)

    let watch = try send(
      "GET",
      "/api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"
    )
    let events = try watch.body.split(separator: "\n").map { try JSON.parse(String($0)) }
    let mark = try #require(events.first { $0["type"] == "BOOKMARK" })
    #expect(mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true")
    #expect(mark["object"]["kind"] == "ConfigMap" && mark["object"]["apiVersion"] == "v1")
    #expect(events.prefix { $0["type"] == "ADDED" }.count >= 4, "first what there is")
  }

  /// Of each kind that both versions serve, everything is told alike.
  func discovery() throws {
    func byName(_ list: JSON, _ key: String) -> [String: JSON] {
      Dictionary(list.items.map { ($0[key].string ?? "", $0) }, uniquingKeysWith: { first, _ in first })
    }
    let ours = byName(try send("GET", "/api/v1").json["resources"], "name")
    for (name, theirs) in byName(try Self.golden("api-v1-legacy")["resources"], "name").sorted(by: { $0.key < $1.key })
    {
      guard let own = ours[name] else {
        Issue.record("/api/v1 lacks \(name)")
        continue
      }
      for key in ["singularName", "namespaced", "kind", "verbs", "shortNames", "categories", "group", "version"] {
        #expect(own[key] == theirs[key], "\(name) \(key)")
      }
    }

    let groups = byName(try send("GET", "/apis").json["groups"], "name")
    for (name, theirs) in byName(try Self.golden("apis-legacy")["groups"], "name").sorted(by: { $0.key < $1.key }) {
      guard let own = groups[name] else { continue }
      #expect(own["preferredVersion"] == theirs["preferredVersion"], "\(name)")
    }
    #expect(groups.keys.contains("apps") && groups.keys.contains("apiextensions.k8s.io"))

    for (path, name) in [("/api", "api-v2"), ("/apis", "apis-v2")] {
      let answer = try send(
        "GET", path, accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
      #expect(
        answer.headers["content-type"]
          == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
      #expect(answer.headers["cache-control"] == "public" && answer.headers["etag"] != nil)
      let golden = try Self.golden(name)
      let own = try answer.json
      #expect(own["kind"] == golden["kind"] && own["apiVersion"] == golden["apiVersion"])
      func resources(_ document: JSON) -> [String: JSON] {
        var found: [String: JSON] = [:]
        for group in document["items"].items {
          for version in group["versions"].items {
            for resource in version["resources"].items {
              let key = [
                group["metadata"]["name"].string ?? "", version["version"].string ?? "",
                resource["resource"].string ?? "",
              ].joined(separator: "/")
              found[key] = resource
            }
          }
        }
        return found
      }
      let (mine, theirs) = (resources(own), resources(golden))
      for (key, resource) in theirs.sorted(by: { $0.key < $1.key }) {
        guard let found = mine[key] else { continue }
        for field in ["scope", "singularResource", "verbs", "shortNames", "categories"] {
          #expect(found[field] == resource[field], "\(key) \(field)")
        }
        #expect(found["responseKind"]["kind"] == resource["responseKind"]["kind"], "\(key)")
        let subresources = { (one: JSON) in
          Set(one["subresources"].items.map { "\($0["subresource"].string ?? "") \($0["verbs"].text())" })
        }
        #expect(subresources(found).isSuperset(of: subresources(resource).filter { !$0.hasPrefix("resize") }), "\(key)")
      }
      #expect(mine.count > (path == "/api" ? 15 : 40))
    }

    let roots = Set(try send("GET", "/").json["paths"].strings)
    let isOurs = { (path: String) in
      let parts = path.split(separator: "/")
      return parts.first != "apis" || parts.count == 1 || groups[String(parts[1])] != nil
    }
    let common = try Self.golden("root")["paths"].strings.filter { isOurs($0) && !$0.contains("healthz/") }
    for path in [
      "/api", "/api/v1", "/apis", "/apis/apps/v1", "/healthz", "/livez", "/metrics", "/openapi/v3", "/version",
    ]
    where common.contains(path) { #expect(roots.contains(path), "\(path)") }

    let version = try send("GET", "/version").json
    for field in [
      "major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler",
      "platform",
    ] { #expect(version[field].string?.isEmpty == false, "\(field)") }
    let paths = Set(try send("GET", "/openapi/v3").json["paths"].fields.map(\.key))
    let index = try Self.golden("openapi-v3-paths").strings
    for path in index where path.hasPrefix("apis/") || path == "api/v1" {
      let parts = path.split(separator: "/")
      guard parts[0] == "api" || groups[String(parts[1])] != nil, parts.count > 2 else { continue }
      let versions = groups[String(parts[1])]?["versions"].items.compactMap { $0["version"].string } ?? []
      guard parts[0] == "api" || versions.contains(String(parts[2])) else { continue }
      #expect(paths.contains(path), "\(path)")
    }
  }
}
