import Testing
import Wire

/// Rules in CEL of custom resources, with upstream's texts.
@Suite("Rules of custom resources")
struct SchemaRuleTests {
  private static let spec: JSON = [
    "type": "object",
    "x-kubernetes-validations": [
      [
        "rule": "self.min <= self.max", "messageExpression": "'min %d is over max %d'.format([self.min, self.max])",
        "fieldPath": ".min",
      ],
      [
        "rule": "!has(oldSelf.fixed) || self.fixed == oldSelf.fixed", "message": "fixed is fixed",
        "reason": "FieldValueForbidden",
      ],
    ],
    "properties": [
      "min": ["type": "integer", "default": 0], "max": ["type": "integer", "default": 10],
      "fixed": ["type": "string", "maxLength": 20],
      "when": ["type": "string", "format": "date-time"],
      "either": [
        "x-kubernetes-int-or-string": true,
        "x-kubernetes-validations": [["rule": "type(self) == int ? self < 5 : self == 'many'"]],
      ],
      "name": [
        "type": "string", "maxLength": 10,
        "x-kubernetes-validations": [
          ["rule": "self.matches('^[a-z]+$')", "message": "letters only"],
          [
            "rule": "!oldSelf.hasValue() || oldSelf.value() != 'last'", "optionalOldSelf": true,
            "message": "it was the last",
          ],
        ],
      ],
      "parts": [
        "type": "array", "maxItems": 5, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
        "x-kubernetes-validations": [["rule": "self.all(p, p.weight < 100) && self.exists(p, p.id == 'main')"]],
        "items": [
          "type": "object", "required": ["id"],
          "x-kubernetes-validations": [["rule": "self.weight >= oldSelf.weight", "message": "weights only grow"]],
          "properties": ["id": ["type": "string", "maxLength": 5], "weight": ["type": "integer", "default": 1]],
        ],
      ],
    ],
  ]

  private func bench() throws -> Bench {
    let bench = try Bench()
    let made = bench.send(
      "POST", Definitions.path, Definitions.definition(versions: [Definitions.version(spec: Self.spec)]))
    try #require(made.status == 201, "\(made.text)")
    return bench
  }

  private func create(_ bench: Bench, _ spec: JSON, _ name: String = "w") -> Bench.Reply {
    bench.send("POST", Definitions.widgets, Definitions.widget(name, spec: spec))
  }

  @Test("hold for what is made")
  func creation() throws {
    let bench = try bench()
    #expect(create(bench, ["min": 3, "name": "abc", "either": "many", "parts": [["id": "main"]]]).status == 201)
    for (index, (spec, cause)) in [
      (["min": 11] as JSON, "spec.min: Invalid value: \"object\": min 11 is over max 10"),
      (["name": "A1"], "spec.name: Invalid value: \"string\": letters only"),
      (["either": 7], "spec.either: Invalid value: \"\": failed rule: type(self) == int ? self < 5 : self == 'many'"),
      (
        ["parts": [["id": "other"]]],
        "spec.parts: Invalid value: \"array\": failed rule: self.all(p, p.weight < 100) && self.exists(p, p.id == 'main')"
      ),
    ].enumerated() {
      let reply = create(bench, spec, "w\(index)")
      #expect(reply.status == 422)
      #expect(reply.causes == [cause])
    }
  }

  @Test("compare with what was before")
  func transitions() throws {
    let bench = try bench()
    #expect(create(bench, ["fixed": "a", "name": "abc", "parts": [["id": "main", "weight": 5]]]).status == 201)
    func change(_ spec: JSON) -> [String] {
      bench.send(
        "PATCH", "\(Definitions.widgets)/w", ["spec": spec], type: "application/merge-patch+json"
      ).causes
    }
    #expect(change(["fixed": "b"]) == ["spec: Forbidden: fixed is fixed"])
    #expect(
      change(["parts": [["id": "x", "weight": 1], ["id": "main", "weight": 4]]])
        == ["spec.parts[1]: Invalid value: \"object\": weights only grow"])
    #expect(change(["parts": [["id": "x", "weight": 1], ["id": "main", "weight": 6]]]).isEmpty)
    #expect(change(["name": "last"]).isEmpty)
    #expect(change(["name": "other"]) == ["spec.name: Invalid value: \"string\": it was the last"])
  }

  @Test("are not asked of an object whose form is wrong")
  func blocked() throws {
    let bench = try bench()
    let reply = create(bench, ["min": "x"])
    #expect(
      reply.causes.last
        == "<nil>: Invalid value: \"null\": some validation rules were not checked because the object was invalid; correct "
        + "the existing errors to complete validation")
  }

  @Test("are judged when they are defined")
  func definitions() throws {
    let bench = try Bench()
    func causes(_ spec: JSON) -> [String] {
      bench.send(
        "POST", "\(Definitions.path)?dryRun=All", Definitions.definition(versions: [Definitions.version(spec: spec)])
      )
      .causes
    }
    let at = "spec.validation.openAPIV3Schema.properties[spec]"
    func rule(_ rule: JSON) -> JSON {
      [
        "type": "object",
        "properties": [
          "a": ["type": "integer"],
          "l": ["type": "array", "maxItems": 3, "items": ["type": "string", "maxLength": 3]],
        ],
        "x-kubernetes-validations": [rule],
      ]
    }
    #expect(
      causes(rule(["rule": "self.b > 1"])) == [
        "\(at).x-kubernetes-validations[0].rule: Invalid value: {\"rule\":\"self.b > 1\"}: compilation failed: ERROR: "
          + "<input>:1:5: undefined field 'b'\n | self.b > 1\n | ....^"
      ])
    #expect(
      causes(rule(["rule": "self.a"])) == [
        "\(at).x-kubernetes-validations[0].rule: Invalid value: {\"rule\":\"self.a\"}: cel expression must evaluate to a bool"
      ])
    #expect(
      causes(rule(["rule": "self.a > 1", "fieldPath": ".c"])) == [
        "\(at).x-kubernetes-validations[0].fieldPath: Invalid value: \".c\": fieldPath must be a valid path: does not refer to a valid field"
      ])
    #expect(
      causes(rule(["rule": "self.a > 1", "reason": "Odd"])).first
        == "\(at).x-kubernetes-validations[0].reason: Unsupported value: \"Odd\": supported values: \"FieldValueDuplicate\", "
        + "\"FieldValueForbidden\", \"FieldValueInvalid\", \"FieldValueRequired\"")
    let list: JSON = [
      "type": "object",
      "properties": [
        "l": [
          "type": "array", "maxItems": 3,
          "items": ["type": "integer", "x-kubernetes-validations": [["rule": "self > oldSelf"]]],
        ]
      ],
    ]
    #expect(
      causes(list).first?.hasSuffix(
        "oldSelf cannot be used on the uncorrelatable portion of the schema within \(at).properties[l]") == true)
  }

  private static let dear: [(schema: JSON, rule: String, cost: Double)] = [
    (["type": "array", "items": ["type": "number"]], "self.all(x, x == 0.0)", 6_291_454),
    (["type": "array", "items": ["type": "number"]], "self.all(x, self.all(y, true))", .infinity),
    (["type": "string"], "self.contains('test')", 314_574),
    (["type": "string"], "self.find('[0-9]+') == ''", 629_147),
    (["type": "object", "additionalProperties": ["type": "string"]], "self.all(x, x.contains(self[x]))", 2_752_507),
    (["type": "string", "maxLength": 10_000], "self.contains('test')", 4_001),
  ]

  /// What a rule costs at most, told by how far fifty thousand of it are over the limits.
  @Test("cost as much as upstream says", arguments: dear)
  func costs(_ schema: JSON, _ text: String, _ cost: Double) throws {
    let bench = try Bench()
    var part = schema
    part["x-kubernetes-validations"] = [["rule": .string(text)]]
    var list: JSON = ["type": "array", "maxItems": 50_000, "items": ["type": "object"]]
    list["items"]["properties"]["p"] = part
    var spec: JSON = ["type": "object"]
    spec["properties"]["l"] = list
    let causes = bench.send(
      "POST", "\(Definitions.path)?dryRun=All", Definitions.definition(versions: [Definitions.version(spec: spec)])
    ).causes
    let at = "spec.validation.openAPIV3Schema"
    let advice =
      "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
      + "are declared)"
    func factor(_ limit: Double) -> String {
      let factor = cost * 50_000 / limit
      if factor > 100 { return "more than 100x" }
      let tenths = Int((factor * 10).rounded())
      return "\(tenths / 10).\(tenths % 10)x"
    }
    let rule = "\(at).properties[spec].properties[l].items.properties[p].x-kubernetes-validations[0].rule"
    #expect(
      causes == [
        "\(rule): Forbidden: estimated rule cost exceeds budget by factor of \(factor(1e7)) \(advice)",
        "\(rule): Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
        "\(at): Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget "
          + "by factor of \(factor(1e8)) \(advice)",
      ])
  }
}
