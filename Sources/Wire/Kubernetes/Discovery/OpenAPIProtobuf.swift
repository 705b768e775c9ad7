/// An OpenAPI v2 document in protobuf, as kubectl and controllers ask for it.
///
/// Messages of `gnostic-models/openapiv2/OpenAPIv2.proto`. Values that may be anything are JSON, which is YAML too.
package enum OpenAPIProtobuf {
  /// What clients ask for.
  package static let mediaType = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
  /// What the answer says that it is: a media type has no `@`.
  package static let contentType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

  package static func document(_ json: JSON) -> [UInt8] {
    var writer = ProtobufWriter()
    writer.put(1, json["swagger"].string)
    var info = ProtobufWriter()
    info.put(1, json["info"]["title"].string)
    info.put(2, json["info"]["version"].string)
    writer.put(2, info.bytes)
    var paths = ProtobufWriter()
    for path in json["paths"].fields { paths.put(2, named(path.key, pathItem(path.value))) }
    writer.put(8, paths.bytes)
    writer.put(9, schemas(json["definitions"]))
    return writer.bytes
  }

  private static func named(_ name: String, _ value: [UInt8]) -> [UInt8] {
    var writer = ProtobufWriter()
    writer.put(1, name)
    writer.put(2, value)
    return writer.bytes
  }

  private static func any(_ json: JSON) -> [UInt8] {
    var writer = ProtobufWriter()
    writer.put(2, json.text() + "\n")
    return writer.bytes
  }

  private static func extensions(_ json: JSON, _ field: Int, to writer: inout ProtobufWriter) {
    for member in json.fields where member.key.hasPrefix("x-") {
      writer.put(field, named(member.key, any(member.value)))
    }
  }

  // MARK: Paths

  private static let methods = [
    ("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("options", 6), ("head", 7), ("patch", 8),
  ]

  private static func pathItem(_ json: JSON) -> [UInt8] {
    var writer = ProtobufWriter()
    for (method, field) in methods where json.has(method) { writer.put(field, operation(json[method])) }
    for parameter in json["parameters"].items { writer.put(9, self.parameter(parameter)) }
    return writer.bytes
  }

  private static func operation(_ json: JSON) -> [UInt8] {
    var writer = ProtobufWriter()
    writer.put(5, json["operationId"].string)
    writer.put(7, json["consumes"].strings)
    for parameter in json["parameters"].items { writer.put(8, self.parameter(parameter)) }
    var responses = ProtobufWriter()
    for response in json["responses"].fields {
      var told = ProtobufWriter()
      told.put(1, response.value["description"].string)
      if response.value["schema"].object != nil {
        var item = ProtobufWriter()
        item.put(1, schema(response.value["schema"], depth: 0))
        told.put(2, item.bytes)
      }
      var value = ProtobufWriter()
      value.put(1, told.bytes)
      responses.put(1, named(response.key, value.bytes))
    }
    writer.put(9, responses.bytes)
    extensions(json, 13, to: &writer)
    return writer.bytes
  }

  /// A parameter of the query or of the path; both have the same fields up to what stands for an empty value.
  private static func parameter(_ json: JSON) -> [UInt8] {
    let isPath = json["in"].string == "path"
    var fields = ProtobufWriter()
    fields.put(1, json["required"].bool)
    fields.put(2, json["in"].string)
    fields.put(4, json["name"].string)
    fields.put(isPath ? 5 : 6, (json["type"].string ?? json["schema"]["type"].string))
    fields.put(isPath ? 19 : 20, json["uniqueItems"].bool)
    var kind = ProtobufWriter()
    kind.put(isPath ? 4 : 3, fields.bytes)
    var parameter = ProtobufWriter()
    parameter.put(2, kind.bytes)
    var item = ProtobufWriter()
    item.put(1, parameter.bytes)
    return item.bytes
  }

  // MARK: Schemas

  private static func schemas(_ json: JSON, depth: Int = 0) -> [UInt8] {
    var writer = ProtobufWriter()
    for member in json.fields { writer.put(1, named(member.key, schema(member.value, depth: depth + 1))) }
    return writer.bytes
  }

  private static func schema(_ json: JSON, depth: Int) -> [UInt8] {
    guard depth < JSON.depthLimit else { return [] }
    var writer = ProtobufWriter()
    writer.put(1, json["$ref"].string)
    writer.put(2, json["format"].string)
    writer.put(3, json["title"].string)
    writer.put(4, json["description"].string)
    if json.has("default") { writer.put(5, any(json["default"])) }
    writer.put(6, json["multipleOf"].double)
    writer.put(7, json["maximum"].double)
    writer.put(8, json["exclusiveMaximum"].bool)
    writer.put(9, json["minimum"].double)
    writer.put(10, json["exclusiveMinimum"].bool)
    writer.put(11, json["maxLength"].int)
    writer.put(12, json["minLength"].int)
    writer.put(13, json["pattern"].string)
    writer.put(14, json["maxItems"].int)
    writer.put(15, json["minItems"].int)
    writer.put(16, json["uniqueItems"].bool)
    writer.put(17, json["maxProperties"].int)
    writer.put(18, json["minProperties"].int)
    writer.put(19, json["required"].strings)
    for value in json["enum"].items { writer.put(20, any(value)) }
    let others = json["additionalProperties"]
    if !others.isNull {
      var item = ProtobufWriter()
      if let allowed = others.bool { item.put(2, allowed) } else { item.put(1, schema(others, depth: depth + 1)) }
      writer.put(21, item.bytes)
    }
    if let type = json["type"].string {
      var item = ProtobufWriter()
      item.put(1, type)
      writer.put(22, item.bytes)
    }
    if json["items"].object != nil {
      var item = ProtobufWriter()
      item.put(1, schema(json["items"], depth: depth + 1))
      writer.put(23, item.bytes)
    }
    for part in json["allOf"].items { writer.put(24, schema(part, depth: depth + 1)) }
    if !json["properties"].fields.isEmpty { writer.put(25, schemas(json["properties"], depth: depth)) }
    extensions(json, 31, to: &writer)
    return writer.bytes
  }
}
