/// Lists that are sets or maps hold nothing twice (`apiextensions-apiserver/pkg/apiserver/schema/listtype`).
package enum SchemaLists {
  package static func validate(_ value: JSON, _ schema: JSON, _ path: FieldPath = "") -> [FieldError] {
    switch value {
    case .object(let object):
      return object.fields.flatMap { field -> [FieldError] in
        if schema["additionalProperties"].object != nil, !schema["properties"].has(field.key) {
          return validate(field.value, schema["additionalProperties"], path.key(field.key))
        }
        guard schema["properties"].has(field.key) else { return [] }
        return validate(field.value, schema["properties"][field.key], path.child(field.key))
      }
    case .array(let items):
      let inner = schema["items"]
      return duplicates(items, schema, path)
        + items.enumerated().flatMap { validate($1, inner, path.index($0)) }
    default: return []
    }
  }

  private static func duplicates(_ items: [JSON], _ schema: JSON, _ path: FieldPath) -> [FieldError] {
    switch schema["x-kubernetes-list-type"].string {
    case "set": return twice(items).map { .duplicate(path.index($0), items[$0]) }
    case "map":
      for (index, item) in items.enumerated() where item.object == nil && !item.isNull {
        return [.invalid(path.index(index), item, "must be an object for an array of list-type map")]
      }
      let names = schema["x-kubernetes-list-map-keys"].strings
      let keys = items.map { item in
        JSON.object(JSONObject(names.filter { item.has($0) }.map { ($0, item[$0]) }))
      }
      return twice(keys).map { .duplicate(path.index($0), keys[$0]) }
    default: return []
    }
  }

  /// Places of the second of each that come more than once.
  private static func twice(_ items: [JSON]) -> [Int] {
    var seen: [String: Int] = [:]
    return items.indices.filter { index in
      let count = seen[items[index].sorted.text(), default: 0] + 1
      seen[items[index].sorted.text()] = count
      return count == 2
    }
  }
}
