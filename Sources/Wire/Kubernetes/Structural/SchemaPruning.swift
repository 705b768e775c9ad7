/// What a structural schema does to an object before it is looked at: unknown fields go, defaults come
/// (`apiextensions-apiserver/pkg/apiserver/schema`, `pruning` and `defaulting`).
package struct SchemaPruning {
  private let schema: KubernetesSchema
  package private(set) var findings = FieldFindings()

  /// `duplicates` are the paths of fields that came twice, to be told at their places.
  package init(_ schema: KubernetesSchema, duplicates: [String] = []) {
    self.schema = schema
    findings.duplicates = duplicates
  }

  /// Takes out the fields that the schema of a custom resource does not have.
  package mutating func prune(_ object: inout JSON, _ root: JSON) {
    prune(&object, root, "", isResource: true, preserves: false, depth: 0)
  }

  private static let resourceFields: Set<String> = ["apiVersion", "kind", "metadata"]

  private mutating func prune(
    _ value: inout JSON, _ schema: JSON, _ path: String, isResource: Bool, preserves: Bool, depth: Int
  ) {
    guard depth < JSON.depthLimit else { return }
    let preserves = preserves && schema.object == nil || schema["x-kubernetes-preserve-unknown-fields"].bool == true
    let isResource = isResource || schema["x-kubernetes-embedded-resource"].bool == true
    switch value {
    case .object(var object):
      value = .null
      let properties = schema["properties"]
      let others = schema["additionalProperties"]
      object.fields = object.fields.compactMap { field in
        var field = field
        let place = path.isEmpty ? field.key : "\(path).\(field.key)"
        if isResource, SchemaPruning.resourceFields.contains(field.key) {
          if field.key == "metadata" { pruneMetadata(&field.value, place) }
          return field
        }
        if properties.has(field.key) {
          prune(&field.value, properties[field.key], place, isResource: false, preserves: false, depth: depth + 1)
          findings.pass(place)
          return field
        }
        if others.object != nil {
          prune(&field.value, others, place, isResource: false, preserves: false, depth: depth + 1)
          return field
        }
        if others.bool == true || preserves { return field }
        findings.addUnknown(place)
        return Optional.none
      }
      value = .object(object)
    case .array(var array):
      guard schema["items"].object != nil else { return }
      value = .null
      for index in array.indices {
        prune(
          &array[index], schema["items"], "\(path)[\(index)]", isResource: false, preserves: false, depth: depth + 1)
      }
      value = .array(array)
    default: break
    }
  }

  /// The metadata of an object has the fields of every object's.
  private mutating func pruneMetadata(_ value: inout JSON, _ path: String) {
    let found = schema.prune(&value, asTypeNamed: KubernetesSchema.objectMeta, path)
    for path in found.unknown { findings.addUnknown(path) }
    if findings.mismatch == nil { findings.mismatch = found.mismatch }
  }

  // MARK: Defaults

  /// Sets what the schema has a default for and the object leaves out; nulls that may not be are left out.
  package static func setDefaults(_ value: inout JSON, _ schema: JSON, depth: Int = 0) {
    guard depth < JSON.depthLimit else { return }
    switch value {
    case .object(var object):
      value = .null
      let properties = schema["properties"].fields
      for property in properties {
        let inner = property.value
        if let at = object.index(of: property.key) {
          if object.fields[at].value.isNull, inner["nullable"].bool != true {
            object.fields.remove(at: at)
          } else {
            setDefaults(&object.fields[at].value, inner, depth: depth + 1)
            continue
          }
        }
        guard inner.has("default") else { continue }
        var fresh = inner["default"]
        setDefaults(&fresh, inner, depth: depth + 1)
        object.append(property.key, fresh)
      }
      let others = schema["additionalProperties"]
      if others.object != nil {
        for at in object.fields.indices where !schema["properties"].has(object.fields[at].key) {
          setDefaults(&object.fields[at].value, others, depth: depth + 1)
        }
      }
      value = .object(object)
    case .array(var array):
      guard schema["items"].object != nil else { return }
      value = .null
      for index in array.indices { setDefaults(&array[index], schema["items"], depth: depth + 1) }
      value = .array(array)
    default: break
    }
  }

  /// Whether the schema sets anything at all.
  package static func hasDefaults(_ schema: JSON, depth: Int = 0) -> Bool {
    guard depth < JSON.depthLimit, schema.object != nil else { return false }
    if schema.has("default") { return true }
    return schema["properties"].fields.contains { hasDefaults($0.value, depth: depth + 1) }
      || hasDefaults(schema["items"], depth: depth + 1)
      || hasDefaults(schema["additionalProperties"], depth: depth + 1)
  }
}
