/// What the schema says of a place in an object, as structured merge reads it.
struct ApplyType {
  enum Form {
    case scalar
    /// Merged field by field.
    case map
    /// Owned and replaced as a whole.
    case atomic
    case set
    case associative([String])
    /// The value tells: maps merge, lists are atomic.
    case deduced
  }

  let schema: KubernetesSchema
  let form: Form
  private let shape: KubernetesType.Shape

  init(schema: KubernetesSchema, root: GroupVersionKind) {
    self.schema = schema
    if let index = schema.index(of: root) {
      (form, shape) = (.map, .object(index))
    } else {
      (form, shape) = (.deduced, .any)
    }
  }

  private init(schema: KubernetesSchema, shape: KubernetesType.Shape, form: Form) {
    self.schema = schema
    self.shape = shape
    self.form = form
  }

  /// Whether a field of that name belongs to the type, and is no key of a map.
  func names(_ field: String) -> Bool {
    if case .object(let index) = shape { schema.types[index][field] != nil } else { false }
  }

  /// Whether there may be a field of that name.
  func declares(_ field: String) -> Bool {
    guard case .object(let index) = shape else { return true }
    return schema.types[index].preservesUnknownFields || schema.types[index][field] != nil
  }

  /// What Go has in a field that was not given, so that the field is never added or removed by itself: a struct
  /// held by value, or a list that is always written. The schemas do not tell which structs are so held.
  func standing(_ field: String) -> JSON? {
    guard case .object(let index) = shape, let known = schema.types[index][field] else { return Optional.none }
    switch known.shape {
    case .object where ApplyType.valueStructs.contains(field): return .emptyObject
    case .list where known.isRequired: return .null
    default: return Optional.none
    }
  }

  private static let valueStructs: Set<String> = [
    "metadata", "spec", "status", "template", "strategy", "updateStrategy", "jobTemplate", "resources", "source",
    "names", "acceptedNames", "nodeInfo", "daemonEndpoints", "kubeletEndpoint", "loadBalancer", "scaleTargetRef",
    "involvedObject", "roleRef",
  ]

  func child(_ element: FieldSet.Element) -> ApplyType {
    switch (shape, element) {
    case (.object(let index), .field(let name)):
      guard let field = schema.types[index][name] else { return ApplyType(schema: schema, shape: .any, form: .deduced) }
      return ApplyType(schema: schema, shape: field.shape, form: ApplyType.form(field.shape, field, schema))
    case (.map(let values), .field), (.list(let values), _):
      return ApplyType(schema: schema, shape: values, form: ApplyType.form(values, nil, schema))
    default: return ApplyType(schema: schema, shape: .any, form: .deduced)
    }
  }

  private static func form(
    _ shape: KubernetesType.Shape, _ field: KubernetesType.Field?, _ schema: KubernetesSchema
  ) -> Form {
    switch shape {
    case .any, .anyObject: return .deduced
    case .object(let index): return schema.types[index].isAtomic || field?.isAtomicMap == true ? .atomic : .map
    case .map: return field?.isAtomicMap == true ? .atomic : .map
    case .list:
      switch field?.listType {
      case .map: return .associative(field?.listMapKeys ?? [])
      case .set: return .set
      case .atomic: return .atomic
      case nil:
        guard let field, field.merges else { return .atomic }
        return field.mergeKey.map { .associative([$0]) } ?? .set
      }
    default: return .scalar
    }
  }

  /// The form of a value here: a deduced one by the value itself.
  func form(of value: JSON) -> Form {
    guard case .deduced = form else { return form }
    switch value {
    case .object: return .map
    case .array: return .atomic
    default: return .scalar
    }
  }

  /// The step that leads to an element of a list that is a set or has keys; nil where the element lacks a key.
  func element(_ item: JSON) -> FieldSet.Element? {
    switch form {
    case .set: return .value(item.text())
    case .associative(let keys):
      var fields: [(String, JSON)] = []
      for key in keys {
        let value = item[key]
        if !value.isNull {
          fields.append((key, value))
        } else if case .list(.object(let index)) = shape, let standard = schema.types[index][key]?.keyDefault {
          fields.append((key, .string(standard)))
        } else {
          continue
        }
      }
      return fields.isEmpty ? nil : FieldSet.Element(keys: fields)
    default: return nil
    }
  }
}
