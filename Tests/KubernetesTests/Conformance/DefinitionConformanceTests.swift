import Kubernetes
import Testing
import Wire

/// What upstream's specs of CustomResourceDefinitions check, at the protocol; each is named for its spec.
@Suite("Conformance: CustomResourceDefinitions")
struct DefinitionConformanceTests {
  private static let merge = "application/merge-patch+json"
  private static let json = "application/json-patch+json"
  private static let free: JSON = ["type": "object", "x-kubernetes-preserve-unknown-fields": true]

  private func definition(
    _ plural: String, _ kind: String, group: String = "e2e.example.com", scope: String = "Cluster",
    versions: [String] = ["v1"], _ schema: JSON = free
  ) -> JSON {
    [
      "metadata": ["name": .string("\(plural).\(group)"), "labels": ["e2e-list-test-uuid": "u"]],
      "spec": [
        "group": .string(group), "scope": .string(scope),
        "names": [
          "plural": .string(plural), "singular": .string(kind.lowercased()), "kind": .string(kind),
          "listKind": .string("\(kind)List"),
        ],
        "versions": .array(
          versions.map {
            [
              "name": .string($0), "served": true, "storage": .bool($0 == versions[0]),
              "schema": ["openAPIV3Schema": schema],
            ]
          }),
      ],
    ]
  }

  /// As a client waits until what it watches is primed.
  private func prime(_ bench: Bench, _ path: String, _ kind: String, _ version: String) {
    let made = bench.send(
      "POST", path,
      [
        "apiVersion": .string(version), "kind": .string(kind), "metadata": ["name": "setup-instance"],
        "alpha": "foo_123", "beta": 10, "spec": [:] as JSON,
      ])
    #expect(made.status == 201, "\(made.text)")
    #expect(bench.send("DELETE", "\(path)/setup-instance").status == 200)
    let watch = bench.stream("\(path)?watch=true&resourceVersion=\(made.body["metadata"]["resourceVersion"].string!)")
    #expect(watch.events.map { $0["type"].string } == ["DELETED"])
  }

  @Test("AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers, also for CRDs")
  func aggregated() throws {
    let bench = try Bench()
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    func has(_ path: String, _ group: String, _ version: String, _ resource: String) -> Bool {
      let list = bench.send("GET", path, accept: accept).body
      #expect(list["kind"].string == "APIGroupDiscoveryList")
      let groups = list["items"].items.filter { ($0["metadata"]["name"].string ?? "") == group }
      let versions = groups.flatMap(\.["versions"].items).filter { $0["version"].string == version }
      return versions.contains { $0["resources"].items.contains { $0["resource"].string == resource } }
    }
    #expect(has("/api", "", "v1", "namespaces"))
    for (group, version, resource) in [
      ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations"),
      ("apiextensions.k8s.io", "v1", "customresourcedefinitions"), ("apiregistration.k8s.io", "v1", "apiservices"),
      ("apps", "v1", "deployments"), ("authentication.k8s.io", "v1", "tokenreviews"),
      ("authorization.k8s.io", "v1", "selfsubjectaccessreviews"), ("autoscaling", "v1", "horizontalpodautoscalers"),
      ("autoscaling", "v2", "horizontalpodautoscalers"), ("batch", "v1", "jobs"),
      ("certificates.k8s.io", "v1", "certificatesigningrequests"), ("coordination.k8s.io", "v1", "leases"),
      ("discovery.k8s.io", "v1", "endpointslices"), ("events.k8s.io", "v1", "events"),
      ("networking.k8s.io", "v1", "ingresses"), ("node.k8s.io", "v1", "runtimeclasses"),
      ("policy", "v1", "poddisruptionbudgets"), ("scheduling.k8s.io", "v1", "priorityclasses"),
      ("storage.k8s.io", "v1", "csinodes"),
    ] { #expect(has("/apis", group, version, resource), "\(group)/\(version) \(resource)") }
    bench.send("POST", Definitions.path, definition("testcrds", "testcrd", scope: "Namespaced"))
    #expect(has("/apis", "e2e.example.com", "v1", "testcrds"))
    prime(bench, "/apis/e2e.example.com/v1/namespaces/default/testcrds", "testcrd", "e2e.example.com/v1")
    bench.send("DELETE", "\(Definitions.path)/testcrds.e2e.example.com")
    #expect(!has("/apis", "e2e.example.com", "v1", "testcrds"))
  }

  @Test("CustomResourceDefinition Watch watch on custom resource definition objects")
  func watches() throws {
    let bench = try Bench()
    let path = "/apis/mygroup.example.com/v1beta1/noxus"
    let version = "mygroup.example.com/v1beta1"
    bench.send(
      "POST", Definitions.path,
      definition("noxus", "WishIHadChosenNoxu", group: "mygroup.example.com", versions: ["v1beta1"]))
    prime(bench, path, "WishIHadChosenNoxu", version)
    let a = bench.stream("\(path)?watch=true&fieldSelector=metadata.name%3Dname1&timeoutSeconds=600")
    let b = bench.stream("\(path)?watch=true&fieldSelector=metadata.name%3Dname2&timeoutSeconds=600")
    for name in ["name1", "name2"] {
      let made = bench.send(
        "POST", path,
        [
          "apiVersion": .string(version), "kind": "WishIHadChosenNoxu", "metadata": ["name": .string(name)],
          "content": ["key": "value"],
        ])
      #expect((name == "name1" ? a : b).events.last?["object"] == made.body)
    }
    for name in ["name1", "name2"] {
      bench.sendText(
        "PATCH", "\(path)/\(name)", #"[{ "op": "add", "path": "/dummy", "value": "test" }]"#, type: Self.json)
    }
    for name in ["name1", "name2"] { bench.send("DELETE", "\(path)/\(name)") }
    for watch in [a, b] {
      #expect(watch.events.map { $0["type"].string } == ["ADDED", "MODIFIED", "DELETED"])
      #expect(watch.events[1]["object"]["dummy"].string == "test")
    }
  }

  @Test("CustomResourceDefinition resources: listing objects works, and getting, updating and patching their status")
  func listsAndStatus() throws {
    let bench = try Bench()
    let made = (0..<10).map { bench.send("POST", Definitions.path, definition("r\($0)s", "R\($0)")).body }
    var other = definition("others", "Other")
    other["metadata"]["labels"] = .null
    bench.send("POST", Definitions.path, other)
    let label = "labelSelector=e2e-list-test-uuid%3Du"
    let list = bench.send("GET", "\(Definitions.path)?\(label)").body["items"].items
    #expect(list.map { $0["spec"] } == made.map { $0["spec"] })
    let path = "\(Definitions.path)/r0s.e2e.example.com/status"
    let status = bench.send("GET", path).body
    #expect(status["spec"] == made[0]["spec"])
    #expect(status["status"]["conditions"].items.contains { $0["type"].string == "Established" })
    var changed = status
    changed["status"]["conditions"].append(
      .object(JSONObject([("type", ""), ("status", ""), ("lastTransitionTime", .null), ("message", "updated")])))
    let updated = bench.send("PUT", path, changed)
    func has(_ reply: Bench.Reply, _ message: JSON) -> Bool {
      reply.body["status"]["conditions"].items.contains { $0["message"] == message }
    }
    #expect(has(updated, "updated"), "\(updated.text)")
    let patched = bench.sendText(
      "PATCH", path, #"[{"op": "add", "path": "/status/conditions", "value": [{"message": "patched"}]}]"#,
      type: Self.json)
    #expect(has(patched, "patched"), "\(patched.text)")
    #expect(bench.send("DELETE", "\(Definitions.path)?\(label)").status == 200)
    let left = bench.send("GET", "/apis/e2e.example.com/v1").body["resources"].items
    #expect(left.map { $0["name"].string } == ["others"])
  }

  @Test("custom resource defaulting for requests and from storage works")
  func defaulting() throws {
    let bench = try Bench()
    var schema = Self.free
    schema["properties"] = ["a": ["type": "string"], "b": ["type": "string"]]
    bench.send("POST", Definitions.path, definition("crs", "Cr", schema))
    let path = "/apis/e2e.example.com/v1/crs"
    func make(_ name: String) -> JSON {
      bench.send(
        "POST", path,
        ["apiVersion": "e2e.example.com/v1", "kind": "Cr", "metadata": ["name": .string(name)]]
      ).body
    }
    #expect(make("one")["a"].isNull)
    func patch(_ text: String) {
      let reply = bench.sendText("PATCH", "\(Definitions.path)/crs.e2e.example.com", text, type: Self.json)
      #expect(reply.status == 200, "\(reply.text)")
    }
    let at = "/spec/versions/0/schema/openAPIV3Schema/properties"
    patch("[{\"op\":\"add\",\"path\":\"\(at)/a/default\",\"value\":\"A\"}]")
    #expect(bench.send("GET", "\(path)/one").body["a"].string == "A")
    #expect(make("two")["a"].string == "A")
    patch(
      "[{\"op\":\"remove\",\"path\":\"\(at)/a/default\"},{\"op\":\"add\",\"path\":\"\(at)/b/default\",\"value\":\"B\"}]"
    )
    let two = bench.send("GET", "\(path)/two").body
    #expect(two["a"].string == "A" && two["b"].string == "B")
  }

  private static let foo: JSON = [
    "description": "Foo CRD for Testing", "type": "object",
    "properties": [
      "spec": [
        "type": "object", "description": "Specification of Foo",
        "properties": [
          "bars": [
            "description": "List of Bars and their specs.", "type": "array",
            "items": [
              "type": "object", "required": ["name"],
              "properties": [
                "name": ["description": "Name of Bar.", "type": "string"],
                "feeling": ["type": "string", "enum": ["Great", "Down"]],
                "bazs": ["description": "List of Bazs.", "items": ["type": "string"], "type": "array"],
              ],
            ],
          ]
        ],
      ],
      "status": ["description": "Status of Foo", "type": "object"],
    ],
  ]

  /// A definition as `/openapi/v2` publishes it, without what every object has.
  private func published(_ bench: Bench, _ name: String) -> JSON? {
    var found = bench.send("GET", "/openapi/v2").body["definitions"][name]
    guard found.object != nil else { return nil }
    for field in ["metadata", "apiVersion", "kind"] { found["properties"].remove(field) }
    if found["properties"].fields.isEmpty { found.remove("properties") }
    found.remove("x-kubernetes-group-version-kind")
    return found
  }

  @Test("CustomResourcePublishOpenAPI works for CRDs with and without a schema, of several groups, versions and kinds")
  func publishes() throws {
    let bench = try Bench()
    func made(_ plural: String, _ kind: String, _ group: String, _ versions: [String], _ schema: JSON) {
      let reply = bench.send(
        "POST", Definitions.path, definition(plural, kind, group: group, versions: versions, schema))
      #expect(reply.status == 201, "\(reply.text)")
    }
    made("foos", "Foo", "foo.example.com", ["v1"], Self.foo)
    made("empties", "Empty", "empty.example.com", ["v1"], Self.free)
    made("multis", "Multi", "multi.example.com", ["v2", "v3"], Self.foo)
    made("waldos", "Waldo", "multi.example.com", ["v2"], ["type": "object", "description": "Waldo CRD for Testing"])
    #expect(published(bench, "com.example.foo.v1.Foo")?.sorted == Self.foo.sorted)
    #expect(published(bench, "com.example.empty.v1.Empty") == ["type": "object"])
    #expect(published(bench, "com.example.multi.v2.Multi")?.sorted == Self.foo.sorted)
    #expect(published(bench, "com.example.multi.v3.Multi")?.sorted == Self.foo.sorted)
    #expect(published(bench, "com.example.multi.v2.Waldo") != nil)
    let renamed = bench.sendText(
      "PATCH", "\(Definitions.path)/multis.multi.example.com",
      """
      [{"op":"test","path":"/spec/versions/1/name","value":"v3"},
       {"op": "replace", "path": "/spec/versions/1/name", "value": "v4"}]
      """, type: Self.json)
    #expect(renamed.status == 200, "\(renamed.text)")
    #expect(published(bench, "com.example.multi.v4.Multi")?.sorted == Self.foo.sorted)
    #expect(published(bench, "com.example.multi.v3.Multi") == nil)
    bench.send("DELETE", "\(Definitions.path)/multis.multi.example.com")
    #expect(published(bench, "com.example.multi.v2.Multi") == nil)
    // What kubectl explains of it.
    let schema = bench.send("GET", "/openapi/v3/apis/foo.example.com/v1").body["components"]["schemas"]
    let fields = schema["com.example.foo.v1.Foo"]["properties"]
    #expect(fields["apiVersion"]["description"].string?.hasPrefix("APIVersion defines") == true)
    #expect(fields["metadata"]["description"].string?.hasPrefix("Standard object's metadata") == true)
    let meta = schema["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]["properties"]
    #expect(meta["creationTimestamp"]["description"].string?.hasPrefix("CreationTimestamp is a timestamp") == true)
  }
}
