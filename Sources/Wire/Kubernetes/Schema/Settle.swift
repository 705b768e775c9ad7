extension KubernetesSchema {
  /// Gives an object the form in which upstream writes it back after decoding it into its type: empty lists,
  /// maps, strings, zeros and falses that the type leaves out are gone, and what it always writes is there.
  ///
  /// `nodeSelector: {}` goes, `resources: {}` of a container comes, `lastProbeTime: null` too. An object of a kind
  /// that the schema does not know is left as it is, and so is everything of a custom resource but its metadata.
  /// What still shares its storage with `old`, a settled object of the same kind, is passed over.
  package func settle(_ object: inout JSON, as gvk: GroupVersionKind, over old: JSON = .null) {
    if let index = index(of: gvk) { settle(&object, index, old, depth: 0) }
  }

  private func settle(_ value: inout JSON, _ index: Int, _ old: JSON, depth: Int) {
    guard case .object(var object) = value, depth <= JSON.depthLimit else { return }
    let type = types[index]
    value = .null
    var leavesOut = false
    for at in object.fields.indices {
      guard let field = type[object.fields[at].key] else { continue }
      settle(&object.fields[at].value, field.shape, old[field.name], depth: depth + 1)
      switch field.presence {
      case .asSaid: break
      case .leftOut:
        if object.fields[at].value.isEmptyValue {
          object.fields[at].value = .null
          leavesOut = true
        }
      case .always:
        if object.fields[at].value.isEmptyValue { object.fields[at].value = empty(field.shape) }
      }
    }
    if leavesOut { object.fields.removeAll { $0.value.isNull && type[$0.key]?.presence == .leftOut } }
    for field in type.alwaysWritten where !object.has(field.name) {
      var fresh = empty(field.shape)
      settle(&fresh, field.shape, .null, depth: depth + 1)
      object.append(field.name, fresh)
    }
    value = .object(object)
  }

  private func settle(_ value: inout JSON, _ shape: KubernetesType.Shape, _ old: JSON, depth: Int) {
    if value.sharesStorage(with: old) { return }
    switch shape {
    case .object(let index): settle(&value, index, old, depth: depth)
    case .list(let items):
      guard items.hasFields, case .array(var array) = value else { return }
      value = .null
      for at in array.indices { settle(&array[at], items, old[at], depth: depth + 1) }
      value = .array(array)
    case .map(let values):
      guard values.hasFields, case .object(var object) = value else { return }
      value = .null
      for at in object.fields.indices {
        settle(&object.fields[at].value, values, old[object.fields[at].key], depth: depth + 1)
      }
      value = .object(object)
    default: break
    }
  }

  /// What Go writes for a value of that shape which nobody set.
  private func empty(_ shape: KubernetesType.Shape) -> JSON {
    switch shape {
    case .string: ""
    case .bool: false
    case .int32, .int64, .double, .intOrString: 0
    case .quantity: "0"
    case .object: .emptyObject
    case .bytes, .time, .microTime, .list, .map, .anyObject, .any: .null
    }
  }
}

extension KubernetesType.Shape {
  /// Whether there may be objects with fields in it.
  fileprivate var hasFields: Bool {
    switch self {
    case .object: true
    case .list(let inner), .map(let inner): inner.hasFields
    default: false
    }
  }
}

extension JSON {
  fileprivate var isEmptyValue: Bool {
    switch self {
    case .null: true
    case .bool(let value): !value
    case .int(let value): value == 0
    case .double(let value): value == 0
    case .string(let text): text.isEmpty
    case .array(let array): array.isEmpty
    case .object(let object): object.isEmpty
    }
  }
}
