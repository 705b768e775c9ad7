import Wire

/// Definitions that tests are made of.
enum Definitions {
  static let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
  static let widgets = "/apis/example.com/v1/namespaces/default/widgets"

  static func version(_ name: String = "v1", spec: JSON, storage: Bool = true, more: JSON = .emptyObject) -> JSON {
    var version: JSON = [
      "name": .string(name), "served": true, "storage": .bool(storage),
      "schema": [
        "openAPIV3Schema": ["type": "object", "properties": ["spec": spec, "status": ["type": "object"]]]
      ],
    ]
    for field in more.fields { version[field.key] = field.value }
    return version
  }

  static func definition(_ kind: String = "Widget", versions: [JSON], more: JSON = .emptyObject) -> JSON {
    let plural = kind.lowercased() + "s"
    var spec: JSON = [
      "group": "example.com", "scope": "Namespaced", "names": ["plural": .string(plural), "kind": .string(kind)],
      "versions": .array(versions),
    ]
    for field in more.fields { spec[field.key] = field.value }
    return ["metadata": ["name": .string("\(plural).example.com")], "spec": spec]
  }

  static func widget(_ name: String = "w", spec: JSON, version: String = "v1") -> JSON {
    [
      "apiVersion": .string("example.com/\(version)"), "kind": "Widget", "metadata": ["name": .string(name)],
      "spec": spec,
    ]
  }

  /// A spec with one field of each sort.
  static let spec: JSON = [
    "type": "object", "required": ["size"],
    "properties": [
      "size": ["type": "integer", "minimum": 1, "maximum": 10],
      "colour": ["type": "string", "enum": ["red", "green"], "default": "red"],
      "name": ["type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5],
      "ratio": ["type": "number", "multipleOf": 0.5], "on": ["type": "boolean"],
      "port": ["x-kubernetes-int-or-string": true], "address": ["type": "string", "format": "ipv4"],
      "maybe": ["type": "string", "nullable": true],
      "tags": ["type": "array", "x-kubernetes-list-type": "set", "items": ["type": "string"], "maxItems": 3],
      "parts": [
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"], "minItems": 1,
        "items": [
          "type": "object", "required": ["id"],
          "properties": ["id": ["type": "string"], "weight": ["type": "integer", "default": 7]],
        ],
      ],
      "labels": ["type": "object", "additionalProperties": ["type": "string"], "maxProperties": 2],
      "free": ["type": "object", "x-kubernetes-preserve-unknown-fields": true],
      "template": [
        "type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true,
      ],
      "either": [
        "type": "object", "properties": ["a": ["type": "string"], "b": ["type": "string"]],
        "oneOf": [["required": ["a"]], ["required": ["b"]]],
      ],
    ],
  ]
}

extension Bench {
  /// A cluster that knows Widgets.
  static func withWidgets(_ spec: JSON = Definitions.spec, more: JSON = .emptyObject) throws -> Bench {
    let bench = try Bench()
    let made = bench.send(
      "POST", Definitions.path, Definitions.definition(versions: [Definitions.version(spec: spec, more: more)]))
    precondition(made.status == 201, made.text)
    return bench
  }
}
