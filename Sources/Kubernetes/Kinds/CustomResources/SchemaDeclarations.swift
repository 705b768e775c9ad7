import CEL
import Wire

/// Types of a structural schema, as rules see them (`k8s.io/apiserver/pkg/cel/common/schemas.go`).
enum SchemaDeclarations {
  private static let requestLimit = SchemaType.requestLimit

  /// The type of a value; nil where a rule can know nothing of it.
  static func type(_ schema: JSON, isRoot: Bool = false, name: String = "selfType", depth: Int = 0) -> SchemaType? {
    guard depth < JSON.depthLimit, schema.object != nil else { return nil }
    if schema["x-kubernetes-int-or-string"].bool == true {
      return .intOrString(maxLength: schema["maxLength"].int.map { $0 * 4 } ?? requestLimit - 2)
    }
    switch schema["type"].string {
    case "boolean": return .bool
    case "integer": return .int
    case "number": return .double
    case "string": return text(schema)
    case "array":
      guard let element = type(schema["items"], name: "\(name).@idx", depth: depth + 1) else { return nil }
      let limit = schema["maxItems"].int ?? (requestLimit - 2) / (minimalSize(schema["items"], depth: 0) + 1)
      return .list(element, maxItems: limit, merge: merge(schema))
    case "object":
      if schema["additionalProperties"].object != nil {
        guard let value = type(schema["additionalProperties"], name: "\(name).@elem", depth: depth + 1) else {
          return nil
        }
        let limit =
          schema["maxProperties"].int
          ?? (requestLimit - 2) / (minimalSize(schema["additionalProperties"], depth: 0) + 6)
        return .map(value, maxProperties: limit)
      }
      return .object(object(schema, isRoot: isRoot, name: name, depth: depth))
    default: return nil
    }
  }

  private static func merge(_ schema: JSON) -> ListMerge {
    switch schema["x-kubernetes-list-type"].string {
    case "set": .set
    case "map": .map(keys: schema["x-kubernetes-list-map-keys"].strings)
    default: .atomic
    }
  }

  private static func text(_ schema: JSON) -> SchemaType {
    switch schema["format"].string {
    case "byte": return .bytes(maxLength: schema["maxLength"].int ?? requestLimit - 2)
    case "duration": return .duration
    case "date": return .timestamp(maxLength: 12)
    case "date-time": return .timestamp()
    default: break
    }
    // Characters take four bytes at most.
    if let length = schema["maxLength"].int {
      return .string(maxLength: length.multipliedReportingOverflow(by: 4).partialValue)
    }
    let longest = schema["enum"].items.map { $0.string?.utf8.count ?? 0 }.max()
    return .string(maxLength: longest ?? requestLimit - 2)
  }

  private static func object(_ schema: JSON, isRoot: Bool, name: String, depth: Int) -> ObjectType {
    var fields: [ObjectType.Field] = []
    let required = Set(schema["required"].strings)
    for property in schema["properties"].fields {
      let isEmbedded = property.value["x-kubernetes-embedded-resource"].bool == true
      if isRoot || isEmbedded, ["apiVersion", "kind", "metadata"].contains(property.key), isRoot { continue }
      guard
        let type = type(
          property.value, isRoot: isEmbedded, name: "\(name).\(property.key)", depth: depth + 1)
      else { continue }
      fields.append(.init(property.key, type, isRequired: required.contains(property.key)))
    }
    if isRoot {
      let text = SchemaType.string(maxLength: requestLimit - 2)
      let metadata = ObjectType("\(name).metadata", [.init("name", text), .init("generateName", text)])
      fields.append(.init("apiVersion", text))
      fields.append(.init("kind", text))
      fields.append(.init("metadata", .object(metadata)))
    }
    return ObjectType(name, fields)
  }

  /// How often a value can stand in a request at most.
  static func greatestCount(_ schema: JSON) -> UInt64 { UInt64(requestLimit / (minimalSize(schema, depth: 0) + 1)) }

  /// How short a value can be written.
  private static func minimalSize(_ schema: JSON, depth: Int) -> Int {
    guard depth < JSON.depthLimit, schema.object != nil else { return 1 }
    if schema["x-kubernetes-int-or-string"].bool == true { return 1 }
    switch schema["type"].string {
    case "boolean": return 4
    case "string":
      switch schema["format"].string {
      case "duration": return 3
      case "date": return 12
      case "date-time": return 21
      default: return 2
      }
    case "array": return 2
    case "object":
      return 2
        + schema["required"].strings.reduce(0) { sum, name in
          let property = schema["properties"][name]
          guard property.object != nil, !property.has("default") else { return sum }
          return sum + name.utf8.count + 4 + minimalSize(property, depth: depth + 1)
        }
    default: return 1
    }
  }
}
