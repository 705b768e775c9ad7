extension KubernetesSchema {
  /// This schema and the type of a custom resource, from its structural `openAPIV3Schema`.
  ///
  /// `apiVersion`, `kind` and `metadata` are those of every object, whatever the schema says.
  package func adding(_ gvk: GroupVersionKind, openAPIV3Schema: JSON) -> KubernetesSchema {
    var builder = CustomTypes(types: types, objectMeta: index(of: KubernetesSchema.objectMeta))
    builder.addRoot(gvk, openAPIV3Schema)
    return KubernetesSchema(types: builder.types)
  }
}

private struct CustomTypes {
  var types: [KubernetesType]
  let objectMeta: Int?

  mutating func addRoot(_ gvk: GroupVersionKind, _ schema: JSON) {
    let name = "\(gvk.group.split(separator: ".").reversed().joined(separator: ".")).\(gvk.version).\(gvk.kind)"
    var fields = self.fields(schema, name, depth: 0, without: ["apiVersion", "kind", "metadata"])
    fields.append(.init(name: "apiVersion", shape: .string))
    fields.append(.init(name: "kind", shape: .string))
    fields.append(.init(name: "metadata", shape: objectMeta.map { .object($0) } ?? .anyObject))
    types.append(
      KubernetesType(
        name: name, kinds: [gvk], fields: fields,
        preservesUnknownFields: schema["x-kubernetes-preserve-unknown-fields"].bool ?? false))
  }

  mutating func fields(_ schema: JSON, _ name: String, depth: Int, without: [String] = []) -> [KubernetesType.Field] {
    let required = Set(schema["required"].strings)
    var fields: [KubernetesType.Field] = []
    for (key, schema) in schema["properties"].fields.map({ ($0.key, $0.value) }) where !without.contains(key) {
      var traits = KubernetesType.FieldTraits()
      traits.isRequired = required.contains(key)
      traits.listType = schema["x-kubernetes-list-type"].string.flatMap { .init(rawValue: $0) }
      traits.listMapKeys = schema["x-kubernetes-list-map-keys"].strings
      traits.isAtomicMap = schema["x-kubernetes-map-type"].string == "atomic"
      traits.values = schema["enum"].strings
      traits.defaultValue = schema.has("default") ? schema["default"] : nil
      traits.keyDefault = schema["default"].string
      traits.itemsListType = schema["items"]["x-kubernetes-list-type"].string.flatMap { .init(rawValue: $0) }
      let shape = shape(schema, "\(name).\(key)", depth: depth + 1)
      fields.append(KubernetesType.Field(name: key, shape: shape, traits))
    }
    return fields
  }

  mutating func shape(_ schema: JSON, _ name: String, depth: Int) -> KubernetesType.Shape {
    if depth > 100 { return .any }
    if schema["x-kubernetes-int-or-string"].bool == true { return .intOrString }
    let preserves = schema["x-kubernetes-preserve-unknown-fields"].bool == true
    switch schema["type"].string {
    case "string":
      // The format date-time keeps its text here, where upstream's own times are rewritten.
      return schema["format"].string == "byte" ? .bytes : .string
    case "boolean": return .bool
    case "integer": return schema["format"].string == "int32" ? .int32 : .int64
    case "number": return .double
    case "array": return .list(shape(schema["items"], name, depth: depth + 1))
    case "object":
      if schema["x-kubernetes-embedded-resource"].bool == true { return .anyObject }
      if schema.has("additionalProperties") {
        let values = schema["additionalProperties"]
        return .map(values.object == nil ? .any : shape(values, name, depth: depth + 1))
      }
      if preserves, schema["properties"].fields.isEmpty { return .anyObject }
      let fields = self.fields(schema, name, depth: depth)
      types.append(
        KubernetesType(
          name: name, fields: fields, isAtomic: schema["x-kubernetes-map-type"].string == "atomic",
          preservesUnknownFields: preserves))
      return .object(types.count - 1)
    default: return .any
    }
  }
}
