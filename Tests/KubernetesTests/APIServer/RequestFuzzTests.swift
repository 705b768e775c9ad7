import Kubernetes
import Testing
import Wire

/// Whatever a client sends, the API server answers it, and goes on.
@Suite("Requests of any kind") struct RequestFuzzTests {
  /// SplitMix64, so that a failure is a seed.
  private struct Chance {
    var state: UInt64
    mutating func next(_ bound: Int) -> Int {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return Int((z ^ (z >> 31)) % UInt64(bound))
    }
  }

  private static let paths = [
    "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/pods/p", "/api/v1/namespaces/default/pods/p/status",
    "/api/v1/namespaces/default/pods/p/eviction", "/api/v1/namespaces/default/pods/p/binding",
    "/api/v1/namespaces/default/pods/p/ephemeralcontainers", "/api/v1/namespaces/default/services",
    "/apis/apps/v1/namespaces/default/deployments/d/scale", "/apis/apps/v1/namespaces/default/deployments/d",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/apis/example.com/v1/namespaces/default/widgets/w",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles", "/api/v1/namespaces/default/serviceaccounts/default/token",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/api/v1/namespaces/default/finalize", "/openapi/v3/x",
    "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers", "/api/v1/namespaces/n/finalize", "/apis", "/",
    "/apis/events.k8s.io/v1/namespaces/default/events", "/apis/batch/v1/namespaces/default/cronjobs",
    "/apis/networking.k8s.io/v1/namespaces/default/ingresses", "/api/v1/persistentvolumes", "/api/v1/nodes",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", "/api/v1/namespaces/default/resourcequotas",
  ]
  private static let queries = [
    "", "limit=1", "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIvcFx1MDAwMCJ9", "labelSelector=a%3Db",
    "fieldSelector=metadata.name%3Dp", "resourceVersion=5&resourceVersionMatch=Exact", "dryRun=All",
    "fieldManager=m&fieldValidation=Strict&force=true", "watch=true&timeoutSeconds=1&allowWatchBookmarks=1",
    "gracePeriodSeconds=0&propagationPolicy=Foreground", "pretty=true", "container=c&command=sh&stdin=1",
  ]
  private static let types = [
    "application/json", "application/yaml", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json", "application/apply-patch+yaml", Bench.protobuf, "text/plain", "",
  ]
  private static let accepts = [
    "", "*/*", Bench.protobuf, "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json", "text/html",
  ]
  private static let tokens = [
    "{", "}", "[", "]", "\"", ":", "null", "-1", "99999999999999999999", "1e400", "\u{0}", "é", "$patch", "delete", "/",
    "~",
    "%", "*", "\\", "metadata", "name", "spec", "containers", "finalizers", "ownerReferences", "\n  ", "- ",
  ]

  private static let bodies: [JSON] = [
    Bench.pod("p"), Bench.deployment("d", replicas: 2),
    ["kind": "DeleteOptions", "apiVersion": "v1", "preconditions": ["uid": "x"]],
    [["op": "add", "path": "/metadata/labels/x", "value": "y"], ["op": "test", "path": "/kind", "value": "Pod"]],
    ["metadata": ["labels": ["a": .null], "finalizers": ["a/b"]], "spec": ["replicas": 3]],
    ["kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": ["name": "d"], "spec": ["replicas": -1]],
    [
      "kind": "Service", "apiVersion": "v1", "metadata": ["generateName": "s-"],
      "spec": ["ports": [["port": 80, "targetPort": "http", "nodePort": 30000]], "type": "NodePort"],
    ],
    Definitions.widget(spec: ["size": 3, "tags": ["a", "a"], "port": "x"]),
    [
      "kind": "CronJob", "apiVersion": "batch/v1", "metadata": ["name": "c"],
      "spec": [
        "schedule": "*/5 * * * *", "timeZone": "Europe/Berlin", "jobTemplate": ["spec": ["template": [:] as JSON]],
      ],
    ],
    [
      "kind": "ResourceQuota", "apiVersion": "v1", "metadata": ["name": "q"],
      "spec": ["hard": ["pods": "5", "requests.cpu": "1", "count/widgets.example.com": "2"]],
    ],
  ]

  private func mutate(_ bytes: [UInt8], _ chance: inout Chance) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<chance.next(4) {
      let at = bytes.isEmpty ? 0 : chance.next(bytes.count)
      switch chance.next(5) {
      case 0 where !bytes.isEmpty: bytes[at] = UInt8(chance.next(256))
      case 1 where !bytes.isEmpty: bytes.remove(at: at)
      case 2 where !bytes.isEmpty:
        bytes.insert(contentsOf: bytes[at..<min(at + 20, bytes.count)], at: chance.next(bytes.count))
      default: bytes.insert(contentsOf: Self.tokens[chance.next(Self.tokens.count)].utf8, at: at)
      }
    }
    return bytes
  }

  /// Values of another type in place of what a field wants.
  private func twist(_ json: JSON, _ chance: inout Chance, depth: Int = 0) -> JSON {
    if chance.next(12) == 0 {
      let others: [JSON] = [.null, true, -1, 1.5, "", "x", [], [:] as JSON, ["a", .null], ["a": ["b": .null]]]
      return others[chance.next(others.count)]
    }
    switch json {
    case .array(let items): return .array(items.map { twist($0, &chance, depth: depth + 1) })
    case .object(let object):
      return .object(JSONObject(object.fields.map { ($0.key, twist($0.value, &chance, depth: depth + 1)) }))
    default: return json
    }
  }

  @Test("are answered", arguments: 0..<4)
  func requests(_ seed: UInt64) throws {
    let bench = try Bench.withWidgets()
    bench.send("POST", "/api/v1/namespaces/default/pods", Bench.pod("p"))
    bench.send("POST", "/apis/apps/v1/namespaces/default/deployments", Bench.deployment("d", replicas: 1))
    bench.send("POST", Definitions.widgets, Definitions.widget(spec: ["size": 2]))
    var chance = Chance(state: seed)
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "PATCH", "POST", "HEAD", "OPTIONS"]
    for turn in 0..<400 {
      var path = Self.paths[chance.next(Self.paths.count)]
      if chance.next(10) == 0 { path = "/" + String(decoding: mutate(Array(path.utf8), &chance), as: UTF8.self) }
      var query = Self.queries[chance.next(Self.queries.count)]
      if chance.next(4) == 0 { query = String(decoding: mutate(Array(query.utf8), &chance), as: UTF8.self) }
      let type = Self.types[chance.next(Self.types.count)]
      let body = twist(Self.bodies[chance.next(Self.bodies.count)], &chance)
      var bytes = body.bytes()
      if type == Bench.protobuf { bytes = ProtobufEncoder.encode(body) ?? bytes }
      if chance.next(3) == 0 { bytes = mutate(bytes, &chance) }
      let method = methods[chance.next(methods.count)]
      let reply = bench.sendRaw(
        method, path.replacing("?", with: "") + "?" + query, bytes, type: type,
        accept: Self.accepts[chance.next(Self.accepts.count)])
      #expect((200..<600).contains(reply.status), "seed \(seed) turn \(turn): \(method) \(path)?\(query) \(type)")
      // As upstream answers an applied object that its schema does not have.
      if reply.message.hasPrefix("failed to create typed patch object") { continue }
      #expect(reply.status != 500, "seed \(seed) turn \(turn): \(method) \(path)?\(query) \(type) \(reply.text)")
    }
    // Everything is still there, and readable.
    for path in ["/api/v1/pods", "/apis/apps/v1/deployments", "/api/v1/events"] {
      #expect(bench.send("GET", path).status == 200, "seed \(seed): \(path)")
    }
    _ = try Bench(bench.store)
  }
}
