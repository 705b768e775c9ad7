/// Checks a value against a schema of OpenAPI v3, in the words of `k8s.io/kube-openapi/pkg/validation`.
///
/// What an update left as it was is not checked again, as with `CRDValidationRatcheting`.
package struct SchemaValues {
  private var errors: [FieldError] = []

  /// What is wrong with an object; `old` is what it was before an update.
  package static func validate(_ value: JSON, old: JSON? = nil, schema: JSON, path: String = "") -> [FieldError] {
    var walk = SchemaValues()
    walk.validate(value, old, schema, path, depth: 0)
    return walk.errors
  }

  private mutating func validate(_ value: JSON, _ old: JSON?, _ schema: JSON, _ path: String, depth: Int) {
    guard depth < JSON.depthLimit else { return }
    if let old, old == value { return }
    if value.isNull, schema["nullable"].bool == true { return }
    validateType(value, schema, path)
    validateJunctors(value, schema, path, depth: depth)
    switch value {
    case .string(let text): validateText(text, schema, path)
    case .int, .double: validateNumber(value, schema, path)
    case .array(let items): validateItems(items, old, schema, path, depth: depth)
    default: break
    }
    validateEnum(value, schema, path)
    if case .object(let object) = value { validateFields(object, old, schema, path, depth: depth) }
  }

  // MARK: Types

  private static func kind(_ value: JSON) -> String {
    switch value {
    case .null: "null"
    case .bool: "boolean"
    case .int: "integer"
    case .double: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }

  private mutating func validateType(_ value: JSON, _ schema: JSON, _ path: String) {
    let isEither = schema["x-kubernetes-int-or-string"].bool == true
    let types = isEither ? ["integer", "string"] : schema["type"].string.map { [$0] } ?? []
    guard !types.isEmpty else { return checkFormat(value, schema, path) }
    let kind = SchemaValues.kind(value)
    let isWholeNumber = kind == "number" && types.contains("integer") && value.int != nil
    let isNumber = kind == "integer" && types.contains("number")
    guard types.contains(kind) || isWholeNumber || isNumber else {
      let text = "\(named(path)) must be of type \(types.joined(separator: ",")): \(GoText.quote(kind))"
      errors.append(.typeInvalid(field(path), .string(kind), text))
      return
    }
    checkFormat(value, schema, path)
  }

  private mutating func checkFormat(_ value: JSON, _ schema: JSON, _ path: String) {
    guard let format = schema["format"].string else { return }
    switch value {
    case .string(let text):
      guard SchemaFormats.isKnown(format), !SchemaFormats.matches(text, format) else { return }
      errors.append(
        .typeInvalid(field(path), value, "\(named(path)) must be of type \(format): \(GoText.quote(text))"))
    case .int(let number) where format == "int32" && Int32(exactly: number) == nil:
      errors.append(.typeInvalid(field(path), "int64", "\(named(path)) must be of type int32: \"int64\""))
    default: break
    }
  }

  // MARK: Values

  private mutating func invalid(_ path: String, _ value: JSON, _ what: String) {
    errors.append(.invalid(field(path), value, "\(named(path)) \(what)"))
  }

  private mutating func validateText(_ text: String, _ schema: JSON, _ path: String) {
    let count = text.unicodeScalars.count
    if let most = schema["maxLength"].int, count > most { errors.append(.tooLong(field(path), limit: most)) }
    if let least = schema["minLength"].int, count < least {
      invalid(path, .string(text), "should be at least \(least) chars long")
    }
    if let pattern = schema["pattern"].string, !pattern.isEmpty, let expression = RegularExpression(pattern),
      !expression.isFound(in: text)
    {
      invalid(path, .string(text), "should match '\(pattern)'")
    }
  }

  private mutating func validateNumber(_ value: JSON, _ schema: JSON, _ path: String) {
    guard let number = value.double else { return }
    if let factor = schema["multipleOf"].double, factor > 0 {
      let quotient = number / factor
      if quotient != quotient.rounded() {
        invalid(path, value, "should be a multiple of \(schema["multipleOf"].text())")
      }
    }
    if let most = schema["maximum"].double {
      let excludes = schema["exclusiveMaximum"].bool == true
      if excludes ? number >= most : number > most {
        invalid(path, value, "should be less than \(excludes ? "" : "or equal to ")\(schema["maximum"].text())")
      }
    }
    if let least = schema["minimum"].double {
      let excludes = schema["exclusiveMinimum"].bool == true
      if excludes ? number <= least : number < least {
        invalid(path, value, "should be greater than \(excludes ? "" : "or equal to ")\(schema["minimum"].text())")
      }
    }
  }

  private mutating func validateEnum(_ value: JSON, _ schema: JSON, _ path: String) {
    guard let allowed = schema["enum"].array, !allowed.contains(value) else { return }
    errors.append(
      .notSupported(field(path), value, supported: allowed.map { $0.string ?? $0.text() }))
  }

  // MARK: Lists and objects

  private mutating func validateItems(_ items: [JSON], _ old: JSON?, _ schema: JSON, _ path: String, depth: Int) {
    let inner = schema["items"]
    if inner.object != nil {
      for (index, item) in items.enumerated() {
        validate(item, counterpart(of: item, at: index, in: old, schema), inner, "\(path)[\(index)]", depth: depth + 1)
      }
    }
    if let least = schema["minItems"].int, items.count < least {
      invalid(path, .int(Int64(items.count)), "should have at least \(least) items")
    }
    if let most = schema["maxItems"].int, items.count > most {
      errors.append(.tooMany(field(path), count: items.count, limit: most))
    }
    if schema["uniqueItems"].bool == true, items.indices.contains(where: { items[..<$0].contains(items[$0]) }) {
      invalid(path, "", "shouldn't contain duplicates")
    }
  }

  /// The element that it was before: by its keys in a list that has some, else nothing unless all are the same.
  private func counterpart(of item: JSON, at index: Int, in old: JSON?, _ schema: JSON) -> JSON? {
    guard let before = old?.array else { return Optional.none }
    guard schema["x-kubernetes-list-type"].string == "map" else { return Optional.none }
    let keys = schema["x-kubernetes-list-map-keys"].strings
    return before.first { element in keys.allSatisfy { element[$0] == item[$0] } }
  }

  private mutating func validateFields(
    _ object: JSONObject, _ old: JSON?, _ schema: JSON, _ path: String, depth: Int
  ) {
    if let least = schema["minProperties"].int, object.count < least {
      invalid(path, .int(Int64(object.count)), "should have at least \(least) properties")
      return
    }
    if let most = schema["maxProperties"].int, object.count > most {
      errors.append(.tooMany(field(path), count: object.count, limit: most))
      return
    }
    let properties = schema["properties"]
    let others = schema["additionalProperties"]
    for member in object.fields {
      let before = old?.object.flatMap { $0.has(member.key) ? $0[member.key] : nil }
      let place = path.isEmpty ? member.key : "\(path).\(member.key)"
      if properties.has(member.key) {
        validate(member.value, before, properties[member.key], place, depth: depth + 1)
      } else if others.object != nil {
        validate(member.value, before, others, place, depth: depth + 1)
      } else if others.bool == false {
        errors.append(
          .invalid(field(place), .string(member.key), "\(path).\(member.key) in body is a forbidden property"))
      }
    }
    for name in schema["required"].strings where !object.has(name) && !properties[name].has("default") {
      errors.append(.required(field("\(path).\(name)")))
    }
  }

  // MARK: allOf, anyOf, oneOf, not

  private func faults(_ value: JSON, _ schema: JSON, _ path: String, depth: Int) -> [FieldError] {
    var walk = SchemaValues()
    walk.validate(value, nil, schema, path, depth: depth + 1)
    return walk.errors
  }

  private mutating func whole(_ text: String) { errors.append(.invalid("<nil>", "", text)) }

  private mutating func validateJunctors(_ value: JSON, _ schema: JSON, _ path: String, depth: Int) {
    let place = GoText.quote(path)
    if let options = schema["anyOf"].array, !options.isEmpty {
      let results = options.map { faults(value, $0, path, depth: depth) }
      if !results.contains(where: \.isEmpty) {
        whole("\(place) must validate at least one schema (anyOf)")
        errors += results.min { $0.count < $1.count } ?? []
      }
    }
    if let options = schema["oneOf"].array, !options.isEmpty {
      let results = options.map { faults(value, $0, path, depth: depth) }
      let valid = results.count(where: \.isEmpty)
      if valid != 1 {
        let found = valid == 0 ? "Found none valid" : "Found \(valid) valid alternatives"
        whole("\(place) must validate one and only one schema (oneOf). \(found)")
        if valid == 0 { errors += results.min { $0.count < $1.count } ?? [] }
      }
    }
    if let parts = schema["allOf"].array, !parts.isEmpty {
      let results = parts.map { faults(value, $0, path, depth: depth) }
      errors += results.flatMap { $0 }
      let valid = results.count(where: \.isEmpty)
      if valid < parts.count {
        whole("\(place) must validate all the schemas (allOf)\(valid == 0 ? ". None validated" : "")")
      }
    }
    if schema["not"].object != nil, faults(value, schema["not"], path, depth: depth).isEmpty {
      whole("\(place) must not validate the schema (not)")
    }
  }

  // MARK: Names

  private func named(_ path: String) -> String { "\(path) in body" }

  private func field(_ path: String) -> FieldPath {
    let name = path.hasPrefix(".") ? String(path.dropFirst()) : path
    return FieldPath(name.isEmpty ? "<nil>" : name)
  }
}
