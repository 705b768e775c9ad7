import Kubernetes
import Testing
import Wire

@Suite("A definition of custom resources")
struct DefinitionTests {
  static let base = Definitions.definition(versions: [Definitions.version(spec: ["type": "object"])])
  static let schema = "spec.versions.0.schema.openAPIV3Schema"
  static let at = "spec.validation.openAPIV3Schema"

  /// What is put where, and what is said of it.
  static let cases: [(String, JSON, [String])] = [
    (
      "metadata.name", "other.example.com",
      [#"metadata.name: Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group"#]
    ),
    (
      "spec.group", "example",
      [
        #"metadata.name: Invalid value: "widgets.example.com": must be spec.names.plural+"."+spec.group"#,
        #"spec.group: Invalid value: "example": should be a domain with at least one dot"#,
      ]
    ),
    ("spec.scope", "Galaxy", [#"spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced""#]),
    (
      "spec.names.listKind", "Widget",
      [#"spec.names.listKind: Invalid value: "Widget": kind and listKind may not be the same"#]
    ),
    (
      "spec.versions.0.schema", .null,
      ["spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"]
    ),
    (schema, ["properties": ["a": ["type": "string"]]], ["\(at).type: Required value: must not be empty at the root"]),
    (
      schema, ["type": "object", "properties": ["a": ["minimum": 1]]],
      ["\(at).properties[a].type: Required value: must not be empty for specified object fields"]
    ),
    (
      schema, ["type": "object", "properties": ["a": ["type": "array"]]],
      ["\(at).properties[a].items: Required value: must be specified"]
    ),
    (
      schema, ["type": "object", "additionalProperties": ["type": "string"]],
      ["\(at).additionalProperties: Forbidden: must not be used at the root"]
    ),
    (
      schema, ["type": "object", "properties": ["a": ["type": "string", "anyOf": [["type": "string"]]]]],
      ["\(at).properties[a].anyOf[0].type: Forbidden: must be empty to be structural"]
    ),
    (
      schema, ["type": "object", "anyOf": [["properties": ["b": ["minimum": 1]]]]],
      [
        "\(at).properties[b]: Required value: because it is defined in \(at).anyOf[0].properties[b]"
      ]
    ),
    (
      schema,
      [
        "type": "object", "properties": ["metadata": ["type": "object", "properties": ["labels": ["type": "object"]]]],
      ],
      [
        "\(at).properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified"
      ]
    ),
    (
      schema, ["type": "object", "properties": ["a": ["type": "object", "x-kubernetes-embedded-resource": true]]],
      [
        "\(at).properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
      ]
    ),
    (
      schema,
      [
        "type": "object",
        "properties": ["a": ["type": "array", "items": ["type": "object"], "x-kubernetes-list-type": "set"]],
      ],
      [
        "\(at).properties[a].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set"
      ]
    ),
    (
      schema,
      [
        "type": "object",
        "properties": ["a": ["type": "array", "items": ["type": "object"], "x-kubernetes-list-type": "map"]],
      ],
      [
        "\(at).properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"
      ]
    ),
    (
      schema, ["type": "object", "properties": ["a": ["type": "string", "default": 5]]],
      [
        #"\#(at).properties[a].default: Invalid value: "integer": \#(at).properties[a].default in body must be of type string: "integer""#
      ]
    ),
    (
      schema, ["type": "object", "properties": ["a": ["type": "object", "uniqueItems": true, "$ref": "#/x"]]],
      [
        "\(at).properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        "\(at).properties[a].$ref: Forbidden: $ref is not supported",
      ]
    ),
    (
      "spec.versions.0.additionalPrinterColumns", [["name": "A", "type": "thing", "jsonPath": ".spec.a"]],
      [
        #"spec.additionalPrinterColumns[0].type: Invalid value: "thing": must be one of boolean,date,integer,number,string"#
      ]
    ),
    (
      "spec.versions.0.subresources",
      ["scale": ["specReplicasPath": ".status.replicas", "statusReplicasPath": ".status.replicas"]],
      [
        #"spec.subresources.scale.specReplicasPath: Invalid value: ".status.replicas": should be a json path under .spec"#
      ]
    ),
    (
      "spec.versions.0.selectableFields", [["jsonPath": ".spec.nothing"]],
      [
        #"spec.selectableFields[0].jsonPath: Invalid value: ".spec.nothing": is an invalid path: does not refer to a valid field"#
      ]
    ),
    (
      "spec.versions.0.deprecationWarning", "old",
      [#"spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions"#]
    ),
    (
      "spec.conversion", ["strategy": "Webhook"],
      [
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        "spec.conversion.conversionReviewVersions: Required value",
      ]
    ),
  ]

  @Test("is refused in upstream's words when it is not structural")
  func refused() throws {
    let bench = try Bench()
    for (path, value, causes) in Self.cases {
      let reply = bench.send("POST", Definitions.path, Self.base.with(value, path))
      #expect(reply.status == 422, "\(path) \(value.text()): \(reply.text)")
      #expect(reply.causes == causes, "\(path) \(value.text())")
    }
  }

  @Test("is served at once, in discovery and OpenAPI too")
  func served() throws {
    let bench = try Bench.withWidgets(more: ["subresources": ["status": [:] as JSON]])
    let made = bench.send("GET", "\(Definitions.path)/widgets.example.com").body
    let conditions = made["status"]["conditions"].items.map { "\($0["type"].string!) \($0["status"].string!)" }
    #expect(conditions == ["NamesAccepted True", "Established True"])
    #expect(made["status"]["acceptedNames"]["listKind"].string == "WidgetList")
    #expect(made["status"]["storedVersions"].strings == ["v1"])
    #expect(made["metadata"]["finalizers"].strings == ["customresourcecleanup.apiextensions.k8s.io"])
    #expect(
      bench.send("GET", "/apis/example.com/v1").body["resources"].items.map { $0["name"].string } == [
        "widgets", "widgets/status",
      ])
    let aggregated = bench.send(
      "GET", "/apis", accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    ).body
    #expect(aggregated["items"].items.contains { $0["metadata"]["name"].string == "example.com" })
    let index = bench.send("GET", "/openapi/v3").body["paths"]["apis/example.com/v1"]["serverRelativeURL"].string
    let document = bench.send("GET", index ?? "/none").body
    let spec = document["components"]["schemas"]["com.example.v1.Widget"]["properties"]["spec"]
    #expect(spec["properties"]["size"]["type"].string == "integer")
    let v2 = bench.send("GET", "/openapi/v2").body["definitions"]["com.example.v1.Widget"]
    #expect(v2["properties"]["spec"]["properties"]["colour"]["default"].string == "red")
  }

  @Test("goes with its instances, after those that are held")
  func goes() throws {
    let bench = try Bench.withWidgets()
    bench.send("POST", Definitions.widgets, Definitions.widget("free", spec: ["size": 1]))
    bench.send(
      "POST", Definitions.widgets, Definitions.widget("held", spec: ["size": 1]).with(["a.b/c"], "metadata.finalizers"))
    let path = "\(Definitions.path)/widgets.example.com"
    #expect(bench.send("DELETE", path).body["metadata"]["deletionTimestamp"].string != nil)
    let going = bench.send("GET", path).body
    #expect(
      going["status"]["conditions"].items.contains {
        $0["type"].string == "Terminating" && $0["reason"].string == "InstanceDeletionInProgress"
      })
    #expect(bench.send("GET", "\(Definitions.widgets)/free").status == 404)
    let more = bench.send("POST", Definitions.widgets, Definitions.widget("more", spec: ["size": 1]))
    #expect(more.status == 405)
    #expect(more.message == "create not allowed while custom resource definition is terminating")
    bench.send(
      "PATCH", "\(Definitions.widgets)/held", JSON.emptyObject.withNull("metadata", "finalizers"),
      type: "application/merge-patch+json")
    #expect(bench.send("GET", path).status == 404)
    #expect(bench.send("GET", Definitions.widgets).status == 404)
    #expect(bench.send("GET", "/apis/example.com").status == 404)
  }

  @Test("whose names another has waits for them")
  func conflicts() throws {
    let bench = try Bench.withWidgets()
    var other = Definitions.definition("Gadget", versions: [Definitions.version(spec: ["type": "object"])])
    other["spec"]["names"]["shortNames"] = ["widgets"]
    bench.send("POST", Definitions.path, other)
    let path = "\(Definitions.path)/gadgets.example.com"
    let waiting = bench.send("GET", path).body["status"]["conditions"].items
    #expect(waiting[0]["reason"].string == "ShortNamesConflict")
    #expect(waiting[0]["message"].string == #""widgets" is already in use"#)
    #expect(waiting[1]["reason"].string == "NotAccepted")
    #expect(bench.send("GET", "/apis/example.com/v1/namespaces/default/gadgets").status == 404)
    bench.send("DELETE", "\(Definitions.path)/widgets.example.com")
    #expect(bench.send("GET", path).body["status"]["conditions"][1]["status"].string == "True")
    #expect(bench.send("GET", "/apis/example.com/v1/namespaces/default/gadgets").status == 200)
  }

  @Test("with several versions keeps one and shows each")
  func versions() throws {
    let bench = try Bench()
    let v1 = Definitions.version("v1", spec: ["type": "object", "x-kubernetes-preserve-unknown-fields": true])
    let v2 = Definitions.version(
      "v2", spec: ["type": "object", "properties": ["n": ["type": "integer", "default": 3]]], storage: false,
      more: ["deprecated": true])
    let definition = Definitions.definition(versions: [v1, v2])
    let made = bench.send("POST", Definitions.path, definition).body
    bench.send("POST", Definitions.widgets, Definitions.widget(spec: [:]))
    let shown = bench.send("GET", "/apis/example.com/v2/namespaces/default/widgets/w")
    #expect(shown.body["apiVersion"].string == "example.com/v2")
    // Defaults are of the version in which an object is kept.
    #expect(shown.body["spec"]["n"].isNull)
    #expect(shown.headers["Warning"] == #"299 - "example.com/v2 Widget is deprecated""#)
    // Both kept versions are remembered, and none may go while objects are kept in it.
    var moved = made
    moved["spec"]["versions"][0]["storage"] = false
    moved["spec"]["versions"][1]["storage"] = true
    let kept = bench.send("PUT", "\(Definitions.path)/widgets.example.com", moved).body
    #expect(kept["status"]["storedVersions"].strings == ["v1", "v2"])
    var gone = kept
    gone["spec"]["versions"] = .array([kept["spec"]["versions"][1]])
    let refused = bench.send("PUT", "\(Definitions.path)/widgets.example.com", gone)
    #expect(
      refused.causes.first?.hasPrefix(#"status.storedVersions[0]: Invalid value: "v1": missing from spec.versions"#)
        == true)
    #expect(bench.send("GET", "\(Definitions.widgets)/w").body["apiVersion"].string == "example.com/v1")
  }
}
