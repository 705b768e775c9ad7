import Kubernetes
import Testing
import Wire

@Suite("Conformance: FieldValidation and CustomResourceDefinition resources")
struct FieldValidationConformanceTests {
  private static let ports: JSON = [
    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    "items": [
      "type": "object", "required": ["containerPort", "protocol"],
      "properties": [
        "containerPort": ["type": "integer", "format": "int32"], "name": ["type": "string"],
        "protocol": ["type": "string"],
      ],
    ],
  ]
  private static let spec: JSON = [
    "type": "object",
    "properties": [
      "foo": ["type": "string"],
      "cronSpec": ["type": "string", "pattern": #"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"#], "ports": ports,
      "template": [
        "type": "object", "x-kubernetes-embedded-resource": true,
        "properties": ["metadata": ["type": "object"], "spec": ["type": "object"]],
      ],
    ],
  ]

  private func apply(_ bench: Bench, _ text: String) -> Bench.Reply {
    bench.sendText(
      "PATCH", "\(Definitions.widgets)/mytest?fieldManager=m&fieldValidation=Strict", text,
      type: "application/apply-patch+yaml")
  }

  private static let head = "\napiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: mytest\n"
  private static let body =
    "  cronSpec: \"* * * * */5\"\n  ports:\n  - name: x\n    containerPort: 80\n    protocol: TCP\n"

  @Test("should create/apply a valid CR for CRD with validation schema")
  func valid() throws {
    let bench = try Bench.withWidgets(Self.spec)
    let reply = apply(bench, Self.head + "  finalizers:\n  - test-finalizer/a\nspec:\n  foo: foo1\n" + Self.body)
    #expect(reply.status == 201, "\(reply.text)")
  }

  @Test("should create/apply a CR with unknown fields for CRD with no validation schema")
  func free() throws {
    let bench = try Bench.withWidgets(["type": "object", "x-kubernetes-preserve-unknown-fields": true])
    let reply = apply(bench, Self.head + "spec:\n  unknown: uk1\n" + Self.body)
    #expect(reply.status == 201 && reply.body["spec"]["unknown"].string == "uk1", "\(reply.text)")
  }

  @Test("should create/apply an invalid CR with extra properties for CRD with validation schema")
  func extra() throws {
    let bench = try Bench.withWidgets(Self.spec)
    let reply = apply(bench, Self.head + "unknownField: unknown\nspec:\n  foo: foo1\n" + Self.body)
    #expect(reply.message.contains(".unknownField: field not declared in schema"), "\(reply.text)")
  }

  @Test("should detect unknown metadata fields in both the root and embedded object of a CR")
  func metadata() throws {
    let bench = try Bench.withWidgets(Self.spec)
    let reply = apply(bench, Self.head + "  unknownMeta: unknown\nspec:\n  foo: foo1\n" + Self.body)
    #expect(reply.message.contains(".metadata.unknownMeta: field not declared in schema"), "\(reply.text)")
  }

  @Test("should detect duplicates in a CR when preserving unknown fields")
  func duplicates() throws {
    var spec = Self.spec
    spec["x-kubernetes-preserve-unknown-fields"] = true
    let bench = try Bench.withWidgets(spec)
    let reply = apply(
      bench,
      Self.head + "  finalizers:\n  - test-finalizer/a\nspec:\n  unknown: uk1\n  foo: foo1\n  foo: foo2\n" + Self.body)
    #expect(reply.status == 400)
    #expect(reply.message.contains("line 11: key \"foo\" already set in map"), "\(reply.text)")
  }

  @Test("should detect unknown and duplicate fields of a typed object")
  func typed() throws {
    let bench = try Bench()
    let text =
      #"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","labels":{"app":"n"}},"spec":{"unknownField":"foo","replicas":2,"replicas":3,"selector":{"matchLabels":{"app":"n"}},"template":{"metadata":{"labels":{"app":"n"}},"spec":{"containers":[{"name":"n","image":"n"}]}}}}"#
    let path = "/apis/apps/v1/namespaces/default/deployments"
    let strict = bench.sendText("POST", path + "?fieldValidation=Strict", text)
    #expect(
      strict.message.contains(
        #"strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas""#),
      "\(strict.message)")
    let warned = bench.sendText("POST", path + "?fieldValidation=Warn", text)
    #expect(
      warned.headers.fields.filter { $0.name == "Warning" }.map(\.value) == [
        #"299 - "unknown field \"spec.unknownField\"""#, #"299 - "duplicate field \"spec.replicas\"""#,
      ])
    #expect(warned.body["spec"]["replicas"].int == 3)
    let ignored = bench.sendText(
      "POST", path + "?fieldValidation=Ignore", text.replacing(#""name":"d""#, with: #""name":"e""#))
    #expect(ignored.status == 201 && ignored.headers["Warning"] == nil)
  }

  // MARK: - Definitions

  @Test("custom resource defaulting for requests and from storage works")
  func defaulting() throws {
    let bench = try Bench.withWidgets([
      "type": "object", "properties": ["a": ["type": "integer"], "b": ["type": "integer"]],
    ])
    bench.send("POST", Definitions.widgets, Definitions.widget(spec: ["a": 1]))
    let path = "\(Definitions.path)/widgets.example.com"
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    let patch: JSON = [
      ["op": "replace", "path": .string("\(properties)/b"), "value": ["type": "integer", "default": 7]]
    ]
    #expect(bench.send("PATCH", path, patch, type: "application/json-patch+json").status == 200)
    #expect(bench.send("GET", "\(Definitions.widgets)/w").body["spec"]["b"].int == 7)
    #expect(bench.send("GET", Definitions.widgets).body["items"][0]["spec"]["b"].int == 7)
    let fresh = bench.send("POST", Definitions.widgets, Definitions.widget("x", spec: ["a": 1])).body
    #expect(fresh["spec"]["b"].int == 7)
  }

  @Test("getting/updating/patching custom resource definition status sub-resource works")
  func status() throws {
    let bench = try Bench.withWidgets()
    let path = "\(Definitions.path)/widgets.example.com/status"
    let got = bench.send("GET", path).body
    var condition: JSON = [
      "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from an e2e test",
      "lastTransitionTime": "2026-11-22T12:00:00Z",
    ]
    var updated = got
    updated["status"]["conditions"].append(condition)
    #expect(bench.send("PUT", path, updated).body["status"]["conditions"].items.count == 3)
    condition["type"] = "StatusPatched"
    let patched = bench.send(
      "PATCH", path, ["status": ["conditions": [condition]]], type: "application/merge-patch+json")
    #expect(patched.body["status"]["conditions"][0]["type"].string == "StatusPatched", "\(patched.text)")
  }

  @Test("listing custom resource definition objects works, and so does deleting them as a collection")
  func listing() throws {
    let bench = try Bench()
    for kind in ["Widget", "Gadget", "Gizmo"] {
      let made = bench.send(
        "POST", Definitions.path,
        Definitions.definition(kind, versions: [Definitions.version(spec: ["type": "object"])])
          .with(["group": "test"], "metadata.labels"))
      #expect(made.status == 201, "\(made.text)")
    }
    #expect(bench.send("GET", Definitions.path + "?labelSelector=group%3Dtest").body["items"].items.count == 3)
    bench.send("DELETE", Definitions.path + "?labelSelector=group%3Dtest")
    #expect(bench.send("GET", Definitions.path).body["items"].items.isEmpty)
  }

  @Test("watch on custom resource definition objects")
  func watch() throws {
    let bench = try Bench.withWidgets()
    let stream = bench.stream("\(Definitions.widgets)?watch=true")
    let made = bench.send("POST", Definitions.widgets, Definitions.widget(spec: ["size": 1])).body
    bench.send("PUT", "\(Definitions.widgets)/w", made.with(2, "spec.size"))
    bench.send("DELETE", "\(Definitions.widgets)/w")
    #expect(stream.events.map { $0["type"].string } == ["ADDED", "MODIFIED", "DELETED"])
  }

  @Test("the published spec follows a version that is renamed, and one that is no longer served")
  func publishes() throws {
    let bench = try Bench()
    let schema: JSON = ["type": "object", "properties": ["bars": ["type": "array", "items": ["type": "string"]]]]
    let made = bench.send(
      "POST", Definitions.path,
      Definitions.definition(versions: [
        Definitions.version("v2", spec: schema), Definitions.version("v3", spec: schema, storage: false),
      ])
    ).body
    func published() -> [String] {
      bench.send("GET", "/openapi/v2").body["definitions"].object!.keys.filter { $0.hasSuffix(".Widget") }
    }
    #expect(published() == ["com.example.v2.Widget", "com.example.v3.Widget"])
    let path = "\(Definitions.path)/widgets.example.com"
    let renamed = bench.send("PUT", path, made.with("v4", "spec.versions.1.name"))
    #expect(renamed.status == 200, "\(renamed.text)")
    #expect(published() == ["com.example.v2.Widget", "com.example.v4.Widget"])
    bench.send("PUT", path, renamed.body.with(false, "spec.versions.1.served"))
    #expect(published() == ["com.example.v2.Widget"])
    #expect(bench.send("GET", "/apis/example.com/v4").status == 404)
  }
}
