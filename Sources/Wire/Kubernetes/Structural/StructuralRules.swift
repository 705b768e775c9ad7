/// What a definition's schema must be to be structural
/// (`apiextensions-apiserver/pkg/apiserver/schema/validation.go`, `pkg/apis/apiextensions/validation`).
package struct StructuralRules {
  private enum Level { case root, item, field }

  private var structural: [FieldError] = []
  private var forms: [FieldError] = []

  /// What is wrong with the `openAPIV3Schema` of a version.
  package static func validate(_ schema: JSON, _ path: FieldPath, hasStatus: Bool) -> [FieldError] {
    var rules = StructuralRules()
    rules.checkRoot(schema, path, hasStatus: hasStatus)
    rules.checkForm(schema, path, isRoot: true, allowsDefaults: true, depth: 0)
    rules.invariants(schema, .root, path, depth: 0)
    if rules.structural.isEmpty { rules.complete(schema, path, depth: 0) }
    var errors = rules.structural.sorted { $0.description < $1.description }
    if errors.isEmpty, rules.forms.isEmpty { errors = defaults(schema, path, depth: 0) }
    return errors + rules.forms
  }

  /// Whether any rule of CEL stands in the schema; they are kept and not evaluated.
  package static func hasExpressions(_ schema: JSON, depth: Int = 0) -> Bool {
    guard depth < JSON.depthLimit, schema.object != nil else { return false }
    if !schema["x-kubernetes-validations"].items.isEmpty { return true }
    return schema["properties"].fields.contains { hasExpressions($0.value, depth: depth + 1) }
      || hasExpressions(schema["items"], depth: depth + 1)
      || hasExpressions(schema["additionalProperties"], depth: depth + 1)
      || schema["allOf"].items.contains { hasExpressions($0, depth: depth + 1) }
  }

  // MARK: The root

  private static let rootAllowed: Set<String> = [
    "description", "type", "format", "title", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
    "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "multipleOf", "required", "items",
    "properties", "externalDocs", "example", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations",
  ]
  private static let rootNames =
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    + "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields "
    + "XValidations]"

  private mutating func checkRoot(_ schema: JSON, _ path: FieldPath, hasStatus: Bool) {
    if hasStatus {
      if let type = schema["type"].string, type != "object" {
        forms.append(
          .invalid(
            path.child("type"), .string(type),
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled"))
      } else if schema.fields.contains(where: { !StructuralRules.rootAllowed.contains($0.key) }) {
        forms.append(
          .invalid(
            path, schema,
            "only \(StructuralRules.rootNames) fields are allowed at the root of the schema if the status subresource "
              + "is enabled"))
      }
    }
    if schema["nullable"].bool == true {
      forms.append(.forbidden(path.child("nullable"), "nullable cannot be true at the root"))
    }
  }

  // MARK: Invariants

  private static let eitherType: JSON = [["type": "integer"], ["type": "string"]]

  private mutating func invariants(_ schema: JSON, _ level: Level, _ path: FieldPath, depth: Int) {
    guard depth < JSON.depthLimit, schema.object != nil else { return }
    let type = schema["type"].string ?? ""
    let isEither = schema["x-kubernetes-int-or-string"].bool == true
    let isEmbedded = schema["x-kubernetes-embedded-resource"].bool == true
    let preserves = schema["x-kubernetes-preserve-unknown-fields"].bool == true
    if type == "array", schema["items"].object == nil {
      structural.append(.required(path.child("items"), "must be specified"))
    }
    invariants(schema["items"], .item, path.child("items"), depth: depth + 1)
    for property in schema["properties"].fields {
      invariants(property.value, .field, path.child("properties").key(property.key), depth: depth + 1)
    }
    let others = schema["additionalProperties"]
    if !others.isNull, others.bool != false || others.object != nil {
      if level == .root {
        structural.append(.forbidden(path.child("additionalProperties"), "must not be used at the root"))
      }
      invariants(others, .field, path.child("additionalProperties"), depth: depth + 1)
      if isEmbedded {
        structural.append(
          .forbidden(
            path.child("additionalProperties"), "must not be used if x-kubernetes-embedded-resource is set"))
      }
    }
    for (mark, isSet) in [
      ("x-kubernetes-preserve-unknown-fields", preserves), ("x-kubernetes-embedded-resource", isEmbedded),
    ] where isEither && isSet {
      structural.append(.invalid(path.child(mark), true, "must be false if x-kubernetes-int-or-string is true"))
    }
    nested(schema, path, skipsAnyOf: schema["anyOf"] == StructuralRules.eitherType, depth: depth)
    if isEmbedded, type != "object" {
      let text = "must be object if x-kubernetes-embedded-resource is true"
      structural.append(
        type.isEmpty ? .required(path.child("type"), text) : .invalid(path.child("type"), .string(type), text))
    } else if type.isEmpty, !isEither, !preserves {
      let text =
        switch level {
        case .root: "must not be empty at the root"
        case .item: "must not be empty for specified array items"
        case .field: "must not be empty for specified object fields"
        }
      structural.append(.required(path.child("type"), text))
    }
    if level == .root, !type.isEmpty, type != "object" {
      structural.append(.invalid(path.child("type"), .string(type), "must be object at the root"))
    }
    metadata(schema, level, path, isEmbedded: isEmbedded)
    if isEmbedded, !preserves, schema["properties"].fields.isEmpty {
      structural.append(
        .required(
          path.child("properties"),
          "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"))
    }
  }

  private mutating func metadata(_ schema: JSON, _ level: Level, _ path: FieldPath, isEmbedded: Bool) {
    guard level == .root || isEmbedded else { return }
    let properties = schema["properties"]
    for name in ["kind", "apiVersion"] where properties.has(name) && properties[name]["type"].string != "string" {
      structural.append(
        .invalid(
          path.child("properties").key(name).child("type"), .string(properties[name]["type"].string ?? ""),
          "must be string"))
    }
    guard properties.has("metadata") else { return }
    let metadata = properties["metadata"]
    let at = path.child("properties").key("metadata")
    if metadata["type"].string != "object" {
      structural.append(.invalid(at.child("type"), .string(metadata["type"].string ?? ""), "must be object"))
    }
    guard level == .root else { return }
    let hasOthers =
      metadata.fields.contains { !["type", "properties", "default", "description"].contains($0.key) }
      || metadata["properties"].fields.contains { $0.key != "name" && $0.key != "generateName" }
    if hasOthers {
      structural.append(
        .forbidden(
          at, "must not specify anything other than name and generateName, but metadata is implicitly specified"))
    }
  }

  /// What stands under anyOf and the like may only restrict, not describe.
  private mutating func nested(_ schema: JSON, _ path: FieldPath, skipsAnyOf: Bool, depth: Int) {
    guard depth < JSON.depthLimit else { return }
    if !skipsAnyOf {
      for (index, part) in schema["anyOf"].items.enumerated() {
        restriction(part, path.child("anyOf").index(index), skipsAnyOf: false, depth: depth + 1)
      }
    }
    for (index, part) in schema["allOf"].items.enumerated() {
      let skips = index == 0 && part["anyOf"] == StructuralRules.eitherType
      restriction(part, path.child("allOf").index(index), skipsAnyOf: skips, depth: depth + 1)
    }
    for (index, part) in schema["oneOf"].items.enumerated() {
      restriction(part, path.child("oneOf").index(index), skipsAnyOf: false, depth: depth + 1)
    }
    if schema["not"].object != nil {
      restriction(schema["not"], path.child("not"), skipsAnyOf: false, depth: depth + 1)
    }
    if let pattern = schema["pattern"].string, !pattern.isEmpty, RegularExpression(pattern) == nil {
      structural.append(
        .invalid(
          path.child("pattern"), .string(pattern),
          "must be a valid regular expression, but isn't: error parsing regexp: \(pattern)"))
    }
  }

  private mutating func restriction(_ schema: JSON, _ path: FieldPath, skipsAnyOf: Bool, depth: Int) {
    nested(schema, path, skipsAnyOf: skipsAnyOf, depth: depth)
    if schema["items"].object != nil {
      restriction(schema["items"], path.child("items"), skipsAnyOf: false, depth: depth + 1)
    }
    for property in schema["properties"].fields {
      restriction(
        property.value, path.child("properties").key(property.key), skipsAnyOf: false, depth: depth + 1)
    }
    for (name, text, isSet) in [
      ("type", "must be empty to be structural", !(schema["type"].string ?? "").isEmpty),
      ("additionalProperties", "must be undefined to be structural", schema.has("additionalProperties")),
      ("default", "must be undefined to be structural", schema.has("default")),
      ("title", "must be empty to be structural", !(schema["title"].string ?? "").isEmpty),
      ("description", "must be empty to be structural", !(schema["description"].string ?? "").isEmpty),
      ("nullable", "must be false to be structural", schema["nullable"].bool == true),
      (
        "x-kubernetes-preserve-unknown-fields", "must be false to be structural",
        schema["x-kubernetes-preserve-unknown-fields"].bool == true
      ),
      (
        "x-kubernetes-embedded-resource", "must be false to be structural",
        schema["x-kubernetes-embedded-resource"].bool == true
      ),
      (
        "x-kubernetes-int-or-string", "must be false to be structural",
        schema["x-kubernetes-int-or-string"].bool == true
      ),
      (
        "x-kubernetes-list-map-keys", "must be empty to be structural",
        !schema["x-kubernetes-list-map-keys"].items.isEmpty
      ),
      ("x-kubernetes-list-type", "must be undefined to be structural", schema.has("x-kubernetes-list-type")),
      ("x-kubernetes-map-type", "must be undefined to be structural", schema.has("x-kubernetes-map-type")),
      (
        "x-kubernetes-validations", "must be empty to be structural",
        !schema["x-kubernetes-validations"].items.isEmpty
      ),
    ] where isSet {
      structural.append(.forbidden(path.child(name), text))
    }
    if schema["properties"].has("metadata") {
      structural.append(
        .forbidden(path.child("properties").key("metadata"), "must not be specified in a nested context"))
    }
  }

  // MARK: Completeness

  /// Every field that is restricted is described outside of the restriction too.
  private mutating func complete(_ schema: JSON, _ path: FieldPath, depth: Int) {
    guard depth < JSON.depthLimit, schema.object != nil else { return }
    for junctor in ["anyOf", "allOf", "oneOf"] {
      for (index, part) in schema[junctor].items.enumerated() {
        describes(part, schema, path.child(junctor).index(index), path, depth: depth)
      }
    }
    if schema["not"].object != nil { describes(schema["not"], schema, path.child("not"), path, depth: depth) }
    complete(schema["items"], path.child("items"), depth: depth + 1)
    for property in schema["properties"].fields {
      complete(property.value, path.child("properties").key(property.key), depth: depth + 1)
    }
    complete(schema["additionalProperties"], path.child("additionalProperties"), depth: depth + 1)
  }

  private mutating func describes(
    _ part: JSON, _ schema: JSON, _ path: FieldPath, _ outer: FieldPath, depth: Int
  ) {
    guard depth < JSON.depthLimit else { return }
    if part["items"].object != nil {
      if schema["items"].object == nil {
        structural.append(.required(outer.child("items"), "because it is defined in \(path.child("items").text)"))
      } else {
        describes(part["items"], schema["items"], path.child("items"), outer.child("items"), depth: depth + 1)
      }
    }
    for property in part["properties"].fields {
      let inner = path.child("properties").key(property.key)
      let other = outer.child("properties").key(property.key)
      if !schema["properties"].has(property.key) {
        structural.append(.required(other, "because it is defined in \(inner.text)"))
      } else {
        describes(property.value, schema["properties"][property.key], inner, other, depth: depth + 1)
      }
    }
    for junctor in ["anyOf", "allOf", "oneOf"] {
      for (index, nested) in part[junctor].items.enumerated() {
        describes(nested, schema, path.child(junctor).index(index), outer, depth: depth + 1)
      }
    }
    if part["not"].object != nil { describes(part["not"], schema, path.child("not"), outer, depth: depth + 1) }
  }

  // MARK: Forms

  private static let types = ["array", "boolean", "integer", "number", "object", "string"]
  private static let unsupported = ["additionalItems", "definitions", "dependencies", "patternProperties"]

  /// What OpenAPI allows and definitions do not, and the marks of lists and maps.
  private mutating func checkForm(
    _ schema: JSON, _ path: FieldPath, isRoot: Bool, allowsDefaults: Bool, depth: Int
  ) {
    guard depth < JSON.depthLimit, schema.object != nil else { return }
    if schema["uniqueItems"].bool == true {
      forms.append(
        .forbidden(
          path.child("uniqueItems"),
          "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"))
    }
    if !schema["additionalProperties"].isNull, !schema["properties"].fields.isEmpty,
      schema["additionalProperties"].bool != true
    {
      forms.append(
        .forbidden(path.child("additionalProperties"), "additionalProperties and properties are mutual exclusive"))
    }
    if schema["x-kubernetes-preserve-unknown-fields"].bool == false {
      forms.append(
        .invalid(path.child("x-kubernetes-preserve-unknown-fields"), false, "must be true or undefined"))
    }
    for name in StructuralRules.unsupported where schema.has(name) {
      forms.append(.forbidden(path.child(name), "\(name) is not supported"))
    }
    if let reference = schema["$ref"].string, !reference.isEmpty {
      forms.append(.forbidden(path.child("$ref"), "$ref is not supported"))
    }
    if !(schema["id"].string ?? "").isEmpty { forms.append(.forbidden(path.child("id"), "id is not supported")) }
    if schema["items"].array != nil {
      forms.append(.forbidden(path.child("items"), "items must be a schema object and not an array"))
    }
    switch schema["type"].string {
    case "null":
      forms.append(
        .forbidden(path.child("type"), "type cannot be set to null, use nullable as an alternative"))
    case let type? where !type.isEmpty && !StructuralRules.types.contains(type):
      forms.append(.notSupported(path.child("type"), .string(type), supported: StructuralRules.types))
    default: break
    }
    if schema.has("default"), !allowsDefaults {
      forms.append(.forbidden(path.child("default"), "must not be set in top-level metadata"))
    }
    checkMarks(schema, path)
    checkExpressions(schema["x-kubernetes-validations"], path.child("x-kubernetes-validations"))
    for property in schema["properties"].fields {
      let isMeta = isRoot && ["metadata", "kind", "apiVersion"].contains(property.key)
      checkForm(
        property.value, path.child("properties").key(property.key), isRoot: false,
        allowsDefaults: allowsDefaults && !isMeta, depth: depth + 1)
    }
    for name in ["items", "additionalProperties", "not"] {
      checkForm(schema[name], path.child(name), isRoot: false, allowsDefaults: allowsDefaults, depth: depth + 1)
    }
    for junctor in ["anyOf", "allOf", "oneOf"] {
      for (index, part) in schema[junctor].items.enumerated() {
        checkForm(
          part, path.child(junctor).index(index), isRoot: false, allowsDefaults: allowsDefaults, depth: depth + 1)
      }
    }
  }

  private mutating func mustBe(_ wanted: String, _ mark: String, _ schema: JSON, _ path: FieldPath) {
    let type = schema["type"].string ?? ""
    guard type != wanted else { return }
    let text = "must be \(wanted) if \(mark) is specified"
    forms.append(
      type.isEmpty ? .required(path.child("type"), text) : .invalid(path.child("type"), .string(type), text))
  }

  private mutating func checkMarks(_ schema: JSON, _ path: FieldPath) {
    if let map = schema["x-kubernetes-map-type"].string {
      mustBe("object", "x-kubernetes-map-type", schema, path)
      if map != "atomic", map != "granular" {
        forms.append(
          .notSupported(path.child("x-kubernetes-map-type"), .string(map), supported: ["atomic", "granular"]))
      }
    }
    let keys = schema["x-kubernetes-list-map-keys"]
    guard let list = schema["x-kubernetes-list-type"].string else {
      if !keys.items.isEmpty {
        forms.append(
          .required(path.child("x-kubernetes-list-type"), "must be map if x-kubernetes-list-map-keys is non-empty"))
      }
      return
    }
    mustBe("array", "x-kubernetes-list-type", schema, path)
    if !["atomic", "set", "map"].contains(list) {
      forms.append(
        .notSupported(path.child("x-kubernetes-list-type"), .string(list), supported: ["atomic", "set", "map"]))
    }
    let items = schema["items"]
    if list == "set" {
      let text = "must be atomic as item of a list with x-kubernetes-list-type=set"
      if items["type"].string == "array", let inner = items["x-kubernetes-list-type"].string, inner != "atomic" {
        forms.append(.invalid(path.child("items").child("x-kubernetes-list-type"), .string(inner), text))
      }
      if items["type"].string == "object", items["x-kubernetes-map-type"].string != "atomic" {
        forms.append(
          .invalid(path.child("items").child("x-kubernetes-map-type"), items["x-kubernetes-map-type"], text))
      }
    }
    if list != "map", !keys.items.isEmpty {
      forms.append(
        .invalid(
          path.child("x-kubernetes-list-type"), .string(list),
          "must be map if x-kubernetes-list-map-keys is non-empty"))
    }
    if list == "map" { checkKeys(keys, items, path) }
    if list != "atomic", items["nullable"].bool == true {
      forms.append(
        .forbidden(
          path.child("items").child("nullable"), "cannot be nullable when x-kubernetes-list-type is \(list)"))
    }
  }

  private mutating func checkKeys(_ keys: JSON, _ items: JSON, _ path: FieldPath) {
    let at = path.child("x-kubernetes-list-map-keys")
    if keys.items.isEmpty { forms.append(.required(at, "must not be empty if x-kubernetes-list-type is map")) }
    if items.isNull {
      forms.append(.required(path.child("items"), "must have a schema if x-kubernetes-list-type is map"))
      return
    }
    if items["type"].string != "object" {
      forms.append(
        .invalid(
          path.child("items").child("type"), .string(items["type"].string ?? ""),
          "must be object if parent array's x-kubernetes-list-type is map"))
      return
    }
    let required = items["required"].strings
    for (index, key) in keys.strings.enumerated() {
      let property = items["properties"][key]
      let place = path.child("items").child("properties").key(key)
      if !items["properties"].has(key) {
        forms.append(.invalid(at, keys, "entries must all be names of item properties"))
      } else if ["array", "object"].contains(property["type"].string) {
        forms.append(
          .invalid(
            place.child("type"), items["type"],
            "must be a scalar type if parent array's x-kubernetes-list-type is map"))
      }
      if keys.strings[..<index].contains(key) {
        forms.append(.invalid(at, keys, "must not contain duplicate entries"))
      }
      guard items["properties"].has(key) else { continue }
      if !required.contains(key), !property.has("default") {
        forms.append(
          .required(
            place.child("default"),
            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"))
      }
      if property["nullable"].bool == true {
        forms.append(
          .forbidden(
            place.child("nullable"), "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"))
      }
    }
  }

  private mutating func checkExpressions(_ rules: JSON, _ path: FieldPath) {
    for (index, rule) in rules.items.enumerated() {
      if (rule["rule"].string ?? "").allSatisfy(\.isWhitespace) {
        forms.append(.required(path.index(index).child("rule"), "rule is not specified"))
      }
      if let message = rule["message"].string, !message.isEmpty, message.allSatisfy(\.isWhitespace) {
        forms.append(
          .invalid(path.index(index).child("message"), .string(message), "must be non-empty if specified"))
      }
    }
  }

  // MARK: Defaults

  /// Every default is a value that its own schema takes.
  private static func defaults(_ schema: JSON, _ path: FieldPath, depth: Int) -> [FieldError] {
    guard depth < JSON.depthLimit, schema.object != nil else { return [] }
    var errors: [FieldError] = []
    if schema.has("default") {
      let at = path.child("default")
      for fault in SchemaValues.validate(schema["default"], schema: schema, path: "") {
        var error = fault
        error.field = fault.field == "<nil>" ? at.text : at.child(fault.field).text
        // Upstream names the place in the text as well.
        error.detail = fault.detail.hasPrefix(" in body") ? "\(at.text)\(fault.detail)" : fault.detail
        errors.append(error)
      }
    }
    for property in schema["properties"].fields {
      errors += defaults(property.value, path.child("properties").key(property.key), depth: depth + 1)
    }
    errors += defaults(schema["items"], path.child("items"), depth: depth + 1)
    return errors + defaults(schema["additionalProperties"], path.child("additionalProperties"), depth: depth + 1)
  }
}
