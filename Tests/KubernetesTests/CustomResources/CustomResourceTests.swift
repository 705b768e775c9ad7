import Kubernetes
import Testing
import Wire

@Suite("A custom resource")
struct CustomResourceTests {
  /// What is put into the spec, and what is said of it.
  static let cases: [(String, JSON, [String])] = [
    ("size", "big", [#"spec.size: Invalid value: "string": spec.size in body must be of type integer: "string""#]),
    ("size", 1.5, [#"spec.size: Invalid value: "number": spec.size in body must be of type integer: "number""#]),
    ("size", 0, ["spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"]),
    ("size", 11, ["spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"]),
    ("colour", "blue", [#"spec.colour: Unsupported value: "blue": supported values: "red", "green""#]),
    ("name", "A1", [#"spec.name: Invalid value: "A1": spec.name in body should match '^[a-z]+$'"#]),
    ("name", "a", [#"spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long"#]),
    ("name", "abcdef", ["spec.name: Too long: may not be more than 5 bytes"]),
    ("ratio", 0.7, ["spec.ratio: Invalid value: 0.7: spec.ratio in body should be a multiple of 0.5"]),
    (
      "port", true,
      [#"spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean""#]
    ),
    (
      "address", "10.0.0",
      [#"spec.address: Invalid value: "10.0.0": spec.address in body must be of type ipv4: "10.0.0""#]
    ),
    ("tags", ["a", "b", "a"], [#"spec.tags[2]: Duplicate value: "a""#]),
    ("tags", ["a", "b", "c", "d"], ["spec.tags: Too many: 4: must have at most 3 items"]),
    ("parts", [["id": "a"], ["id": "a"]], [#"spec.parts[1]: Duplicate value: {"id":"a"}"#]),
    ("parts", [["weight": 1]], ["spec.parts[0].id: Required value"]),
    ("parts", [], ["spec.parts: Invalid value: 0: spec.parts in body should have at least 1 items"]),
    (
      "labels", ["a": 1],
      [#"spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer""#]
    ),
    ("labels", ["a": "1", "b": "2", "c": "3"], ["spec.labels: Too many: 3: must have at most 2 items"]),
    (
      "either", ["a": "1", "b": "2"],
      [
        #"<nil>: Invalid value: "": "spec.either" must validate one and only one schema (oneOf). Found 2 valid alternatives"#
      ]
    ),
  ]

  @Test("is checked against its schema in upstream's words")
  func refused() throws {
    let bench = try Bench.withWidgets()
    for (field, value, causes) in Self.cases {
      var spec: JSON = ["size": 1]
      spec[field] = value
      let reply = bench.send("POST", Definitions.widgets, Definitions.widget(spec: spec))
      #expect(reply.status == 422, "\(field): \(reply.text)")
      #expect(reply.causes == causes, "\(field)")
    }
    let none = bench.send("POST", Definitions.widgets, Definitions.widget(spec: [:]))
    #expect(none.message == #"Widget.example.com "w" is invalid: spec.size: Required value"#)
  }

  @Test("is pruned and has its defaults")
  func shaped() throws {
    let bench = try Bench.withWidgets()
    let spec: JSON = [
      "size": 1, "unknown": 1, "maybe": "x", "free": ["any": ["thing": 1]], "parts": [["id": "a", "odd": 1]],
      "template": ["apiVersion": "v1", "kind": "Pod", "metadata": ["name": "x"], "spec": ["a": 1]],
    ]
    let reply = bench.send("POST", Definitions.widgets, Definitions.widget(spec: spec))
    #expect(reply.status == 201)
    #expect(
      reply.headers.fields.filter { $0.name == "Warning" }.map(\.value) == [
        #"299 - "unknown field \"spec.unknown\"""#, #"299 - "unknown field \"spec.parts[0].odd\"""#,
      ])
    let kept = reply.body["spec"]
    #expect(kept["unknown"].isNull)
    #expect(kept["colour"].string == "red")
    #expect(kept["parts"] == [["id": "a", "weight": 7]])
    #expect(kept["free"]["any"]["thing"].int == 1)
    #expect(kept["template"]["spec"]["a"].int == 1)
    let strict = bench.send(
      "POST", Definitions.widgets + "?fieldValidation=Strict", Definitions.widget("s", spec: ["size": 1, "odd": 1]))
    #expect(
      strict.message
        == #"Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.odd""#)
    let meta = bench.send(
      "POST", Definitions.widgets + "?fieldValidation=Strict",
      Definitions.widget("m", spec: ["size": 1]).with(1, "metadata.odd"))
    #expect(meta.message.hasSuffix(#"strict decoding error: unknown field "metadata.odd""#))
  }

  @Test("that was kept before a rule came may stay as it is")
  func ratchets() throws {
    let bench = try Bench.withWidgets([
      "type": "object", "properties": ["size": ["type": "integer"], "n": ["type": "integer"]],
    ])
    let made = bench.send("POST", Definitions.widgets, Definitions.widget(spec: ["size": 50])).body
    let path = "\(Definitions.path)/widgets.example.com"
    let definition = bench.send("GET", path).body
    let stricter = definition.with(
      ["type": "integer", "maximum": 10], "spec.versions.0.schema.openAPIV3Schema.properties.spec.properties.size")
    #expect(bench.send("PUT", path, stricter).status == 200)
    #expect(bench.send("PUT", "\(Definitions.widgets)/w", made.with(1, "spec.n")).status == 200)
    let current = bench.send("GET", "\(Definitions.widgets)/w").body
    #expect(bench.send("PUT", "\(Definitions.widgets)/w", current.with(51, "spec.size")).status == 422)
  }

  @Test("has a status and a scale of its own")
  func subresources() throws {
    let bench = try Bench.withWidgets(
      ["type": "object", "properties": ["replicas": ["type": "integer"]]],
      more: [
        "subresources": [
          "status": [:] as JSON,
          "scale": [
            "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
          ],
        ],
        "schema": [
          "openAPIV3Schema": [
            "type": "object",
            "properties": [
              "spec": ["type": "object", "properties": ["replicas": ["type": "integer"]]],
              "status": [
                "type": "object",
                "properties": ["replicas": ["type": "integer"], "selector": ["type": "string"]],
              ],
            ],
          ]
        ],
      ])
    let made = bench.send(
      "POST", Definitions.widgets, Definitions.widget(spec: ["replicas": 1]).with(["replicas": 9], "status")
    ).body
    #expect(made["status"].isNull)
    #expect(made["metadata"]["generation"].int == 1)
    let path = "\(Definitions.widgets)/w"
    let told = bench.send(
      "PUT", "\(path)/status", made.with(["replicas": 1, "selector": "a=b"], "status").with(5, "spec.replicas")
    ).body
    #expect(told["status"]["replicas"].int == 1)
    #expect(told["spec"]["replicas"].int == 1)
    #expect(told["metadata"]["generation"].int == 1)
    let scale = bench.send("GET", "\(path)/scale").body
    #expect(scale["kind"].string == "Scale")
    #expect(scale["status"] == ["replicas": 1, "selector": "a=b"])
    let scaled = bench.send(
      "PATCH", "\(path)/scale", ["spec": ["replicas": 4]], type: "application/merge-patch+json"
    ).body
    #expect(scaled["spec"]["replicas"].int == 4)
    let after = bench.send("GET", path).body
    #expect(after["spec"]["replicas"].int == 4)
    #expect(after["metadata"]["generation"].int == 2)
    let wrong = bench.send("PUT", "\(path)/status", after.with("many", "status.replicas"))
    #expect(
      wrong.causes == [
        #"status.replicas: Invalid value: "string": status.replicas in body must be of type integer: "string""#
      ])
    bench.send("PATCH", path, JSON.emptyObject.withNull("spec", "replicas"), type: "application/merge-patch+json")
    #expect(
      bench.send("GET", "\(path)/scale").message
        == #"Internal error occurred: the spec replicas field ".spec.replicas" does not exist"#)
  }

  @Test("is selected by the fields that its definition names")
  func selected() throws {
    let bench = try Bench.withWidgets(more: [
      "selectableFields": [["jsonPath": ".spec.colour"], ["jsonPath": ".spec.size"]]
    ])
    for (name, colour, size) in [("a", "red", 1), ("b", "green", 1), ("c", "red", 2)] {
      bench.send(
        "POST", Definitions.widgets,
        Definitions.widget(name, spec: ["size": .int(Int64(size)), "colour": .string(colour)]))
    }
    func names(_ selector: String) -> [String] {
      bench.send("GET", "\(Definitions.widgets)?fieldSelector=\(selector)").body["items"].items
        .compactMap { $0["metadata"]["name"].string }
    }
    #expect(names("spec.colour%3Dred") == ["a", "c"])
    #expect(names("spec.colour%3Dred,spec.size%3D1") == ["a"])
    let unknown = bench.send("GET", "\(Definitions.widgets)?fieldSelector=spec.name%3Dx")
    #expect(unknown.status == 400)
    #expect(unknown.message == "field label not supported: spec.name")
  }

  @Test("is shown in the columns of its definition")
  func columns() throws {
    let bench = try Bench.withWidgets(more: [
      "additionalPrinterColumns": [
        ["name": "Size", "type": "integer", "jsonPath": ".spec.size"],
        ["name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1],
        ["name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"],
      ]
    ])
    bench.send("POST", Definitions.widgets, Definitions.widget(spec: ["size": 3]))
    let table = bench.send(
      "GET", Definitions.widgets, accept: "application/json;as=Table;v=v1;g=meta.k8s.io"
    ).body
    #expect(table["columnDefinitions"].items.map { $0["name"].string } == ["Name", "Size", "Colour", "Age"])
    #expect(table["columnDefinitions"].items.map { $0["priority"].int } == [0, 0, 1, 0])
    #expect(table["rows"][0]["cells"] == ["w", 3, "red", "0s"])
  }

  @Test("is applied from the server's side, lists by their keys")
  func applied() throws {
    let bench = try Bench.withWidgets()
    func apply(_ manager: String, _ spec: JSON, force: Bool = false) -> Bench.Reply {
      bench.send(
        "PATCH", "\(Definitions.widgets)/w?fieldManager=\(manager)&force=\(force)", Definitions.widget(spec: spec),
        type: "application/apply-patch+yaml")
    }
    #expect(apply("a", ["size": 1, "parts": [["id": "x", "weight": 1]], "tags": ["t"]]).status == 201)
    let both = apply("b", ["size": 1, "parts": [["id": "y"]], "tags": ["u"]])
    #expect(both.status == 200)
    #expect(both.body["spec"]["parts"].items.compactMap { $0["id"].string } == ["x", "y"])
    #expect(both.body["spec"]["tags"].strings == ["t", "u"])
    let conflict = apply("b", ["size": 2, "parts": [["id": "x", "weight": 2]]])
    #expect(conflict.status == 409)
    #expect(
      conflict.message
        == "Apply failed with 2 conflicts: conflicts with \"a\":\n- .spec.size\n- .spec.parts[id=\"x\"].weight")
    let less = apply("a", ["size": 1])
    #expect(less.body["spec"]["parts"].items.compactMap { $0["id"].string } == ["y"])
  }
}
