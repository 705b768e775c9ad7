import Testing
import Wire

@Suite("Schemas of custom resources")
struct StructuralSchemaTests {
  @Test(
    "formats",
    arguments: [
      ("ipv4", "10.0.0.1", true), ("ipv4", "10.0.0", false), ("ipv6", "2001:db8::1", true), ("ipv6", "1::2::3", false),
      ("cidr", "10.0.0.0/8", true), ("cidr", "10.0.0.0/33", false),
      ("uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", true), ("uuid4", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", false),
      ("date", "2026-02-30", false), ("date", "2026-02-28", true), ("date-time", "2026-02-28T01:02:03Z", true),
      ("duration", "1h30m", true), ("duration", "soon", false), ("hostname", "a-b.example.com", true),
      ("hostname", "-a", false), ("email", "a@example.com", true), ("email", "a", false),
      ("mac", "00:1b:63:84:45:e6", true),
      ("hexcolor", "#ff00aa", true), ("rgbcolor", "rgb(1,2,300)", false), ("isbn10", "0321751043", true),
      ("isbn13", "9780321751041", true), ("creditcard", "4111111111111111", true), ("ssn", "111-22-3333", true),
      ("uri", "https://a.b/c", true), ("uri", "not a uri", false), ("byte", "aGk=", true), ("whatever", "x", true),
    ])
  func formats(_ format: String, _ text: String, _ isGood: Bool) {
    #expect(SchemaFormats.matches(text, format) == isGood)
  }

  @Test("an expression is found anywhere, and held by its anchors")
  func expressions() throws {
    #expect(try #require(RegularExpression("b+")).isFound(in: "aabba"))
    #expect(try #require(RegularExpression("^b+$")).isFound(in: "aabba") == false)
    #expect(try #require(RegularExpression("^a|z$")).isFound(in: "xyz"))
    #expect(RegularExpression("(") == nil)
    // What is exponential for those that go back is not here.
    #expect(try #require(RegularExpression("^(a+)+$")).isFound(in: String(repeating: "a", count: 2000) + "b") == false)
  }

  @Test("no schema and no value brings it down")
  func neverCrashes() throws {
    var mutations = Mutations(seed: 23)
    let schema = Array(
      #"{"type":"object","required":["a"],"properties":{"a":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"items":{"type":"object","properties":{"k":{"type":"string","default":"d","pattern":"^[a-z]+(b|c)*$","format":"ipv4"}}}},"m":{"type":"object","additionalProperties":{"type":"integer","minimum":1,"multipleOf":2}},"e":{"x-kubernetes-int-or-string":true},"o":{"anyOf":[{"required":["x"]},{"not":{"minimum":3}}],"nullable":true}}}"#
        .utf8)
    let value = Array(#"{"a":[{"k":"x"},{"k":"x"},{}],"m":{"p":1,"q":2},"e":"5","o":null,"z":{"y":[1,[2]]}}"#.utf8)
    for _ in 0..<1500 {
      guard let schema = try? JSON.parse(mutations.spoil(schema)), let object = try? JSON.parse(mutations.spoil(value))
      else { continue }
      _ = StructuralRules.validate(schema, "s", hasStatus: true)
      var shaped = object
      var pruning = SchemaPruning(SchemaTests.schema)
      pruning.prune(&shaped, schema)
      SchemaPruning.setDefaults(&shaped, schema)
      _ = SchemaValues.validate(shaped, schema: schema)
      _ = SchemaValues.validate(shaped, old: object, schema: schema)
      _ = SchemaLists.validate(shaped, schema)
      _ = OpenAPIProtobuf.document(["definitions": ["a": schema], "paths": ["/": ["get": object]]])
    }
    // As deep as it may come, and deeper.
    var deep: JSON = ["type": "object"]
    for _ in 0..<2000 { deep = ["type": "object", "properties": ["a": deep]] }
    _ = StructuralRules.validate(deep, "s", hasStatus: false)
  }
}
