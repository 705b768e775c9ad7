import Wire

/// An add-on's configuration values against its JSON schema (draft 6, as far as EKS's schemas use it), with the
/// faults in the words of the validator that EKS has (networknt json-schema-validator).
struct ConfigurationSchema {
  private let root: JSON

  init(_ schema: JSON) { root = schema }

  /// The faults of a value, in the order in which they are met.
  func faults(_ value: JSON) -> [String] { check(value, root, "$") }

  private func check(_ value: JSON, _ schema: JSON, _ path: String) -> [String] {
    if let name = schema["$ref"].string {
      return check(value, root["definitions"][String(name.split(separator: "/").last ?? "")], path)
    }
    if let fault = typeFault(value, schema, path) { return [fault] }
    var faults: [String] = []
    if !schema["enum"].isNull, !schema["enum"].items.contains(value) {
      let names = schema["enum"].items.map { $0.string ?? $0.text() }.joined(separator: ", ")
      faults.append("\(path): does not have a value in the enumeration [\(names)]")
    }
    if !schema["anyOf"].isNull {
      let all = schema["anyOf"].items.map { check(value, $0, path) }
      if !all.contains(where: \.isEmpty) { faults += all.flatMap { $0 } }
    }
    if let text = value.string, let pattern = schema["pattern"].string, pattern.hasSuffix("%$"), !text.hasSuffix("%") {
      faults.append("\(path): does not match the regex pattern \(pattern)")
    }
    if let number = value.int {
      if let least = schema["minimum"].int, number < least {
        faults.append("\(path): must have a minimum value of \(least)")
      }
      if let most = schema["maximum"].int, number > most {
        faults.append("\(path): must have a maximum value of \(most)")
      }
    }
    if let items = value.array, !schema["items"].isNull {
      for (index, item) in items.enumerated() { faults += check(item, schema["items"], "\(path)[\(index)]") }
    }
    if value.object != nil { faults += checkMembers(value, schema, path) }
    return faults
  }

  private func checkMembers(_ value: JSON, _ schema: JSON, _ path: String) -> [String] {
    var faults: [String] = []
    let rest = schema["additionalProperties"]
    for field in value.fields {
      let inner = "\(path).\(field.key)"
      if schema["properties"].has(field.key) {
        faults += check(field.value, schema["properties"][field.key], inner)
      } else if rest.bool == false {
        faults.append("\(inner): is not defined in the schema and the schema does not allow additional properties")
      } else if rest.object != nil {
        faults += check(field.value, rest, inner)
      }
    }
    for name in schema["required"].strings where !value.has(name) {
      faults.append("\(path).\(name): is missing but it is required")
    }
    if let least = schema["minProperties"].int, value.fields.count < least {
      faults.append("\(path): should have a minimum of \(least) properties")
    }
    return faults
  }

  private func typeFault(_ value: JSON, _ schema: JSON, _ path: String) -> String? {
    let types = schema["type"].string.map { [$0] } ?? schema["type"].strings
    guard !types.isEmpty else { return nil }
    let found = Self.type(value)
    if types.contains(found) || found == "integer" && types.contains("number") { return nil }
    return "\(path): \(found) found, \(types.count == 1 ? types[0] : "[\(types.joined(separator: ", "))]") expected"
  }

  private static func type(_ value: JSON) -> String {
    switch value {
    case .null: "null"
    case .bool: "boolean"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    case .int: "integer"
    default: "number"
    }
  }
}
