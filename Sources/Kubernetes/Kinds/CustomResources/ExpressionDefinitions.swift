import CEL
import Wire

/// What the rules of a definition must be (`apiextensions-apiserver/pkg/apis/apiextensions/validation`).
struct ExpressionDefinitions {
  private var errors: [FieldError] = []
  private let minor: Int

  private static let reasons = [
    "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired",
  ]

  /// What is wrong with the rules of a schema.
  static func validate(_ schema: JSON, _ path: FieldPath, minor: Int) -> [FieldError] {
    guard StructuralRules.hasExpressions(schema) else { return [] }
    var definitions = ExpressionDefinitions(minor: minor)
    definitions.check(
      schema, rules: schema, path, isRoot: true, type: SchemaDeclarations.type(schema, isRoot: true),
      uncorrelatable: nil, depth: 0)
    return definitions.errors
  }

  private init(minor: Int) { self.minor = minor }

  private mutating func check(
    _ schema: JSON, rules source: JSON, _ path: FieldPath, isRoot: Bool, type: SchemaType?, uncorrelatable: FieldPath?,
    depth: Int
  ) {
    guard depth < JSON.depthLimit, StructuralRules.hasExpressions(source) else { return }
    let at = path.child("x-kubernetes-validations")
    for (index, rule) in source["x-kubernetes-validations"].items.enumerated() {
      check(rule, at.index(index), schema, type, uncorrelatable)
    }
    var element: SchemaType?
    switch type {
    case .list(let inner, _, _)?, .map(let inner, _)?: element = inner
    default: break
    }
    let isList = schema["x-kubernetes-list-type"].string == "map"
    check(
      schema["items"], rules: source["items"], path.child("items"), isRoot: false, type: element,
      uncorrelatable: uncorrelatable ?? (isList ? nil : path), depth: depth + 1)
    let inner = uncorrelatable ?? (schema["x-kubernetes-map-type"].string == "atomic" ? path : nil)
    check(
      schema["additionalProperties"], rules: source["additionalProperties"], path.child("additionalProperties"),
      isRoot: false, type: element, uncorrelatable: inner, depth: depth + 1)
    for property in source["properties"].fields {
      let part = schema["properties"][property.key]
      var own: SchemaType?
      if case .object(let object)? = type, let name = Escaping.escape(property.key) {
        own = object.fields[name]?.type
      } else {
        own = SchemaDeclarations.type(part)
      }
      check(
        part, rules: property.value, path.child("properties").key(property.key),
        isRoot: part["x-kubernetes-embedded-resource"].bool == true, type: own, uncorrelatable: inner,
        depth: depth + 1)
    }
    for (index, part) in source["allOf"].items.enumerated() {
      check(
        schema, rules: part, path.child("allOf").index(index), isRoot: isRoot, type: type,
        uncorrelatable: uncorrelatable, depth: depth + 1)
    }
  }

  private mutating func check(
    _ rule: JSON, _ at: FieldPath, _ schema: JSON, _ type: SchemaType?, _ uncorrelatable: FieldPath?
  ) {
    let text = (rule["rule"].string ?? "").trimmingBlanks
    let message = rule["message"].string ?? ""
    if message.trimmingBlanks.utf8.contains(0x0a) {
      errors.append(.invalid(at.child("message"), .string(message), "message must not contain line breaks"))
    }
    if message.isEmpty, text.utf8.contains(0x0a) {
      errors.append(.required(at.child("message"), "message must be specified if rule contains line breaks"))
    }
    if let expression = rule["messageExpression"].string, !expression.isEmpty, expression.trimmingBlanks.isEmpty {
      errors.append(.required(at.child("messageExpression"), "must be non-empty if specified"))
    }
    if let reason = rule["reason"].string, !ExpressionDefinitions.reasons.contains(reason) {
      errors.append(
        .notSupported(at.child("reason"), .string(reason), supported: ExpressionDefinitions.reasons))
    }
    if let path = rule["fieldPath"].string, !path.isEmpty, let fault = fault(path, schema) {
      errors.append(
        .invalid(at.child("fieldPath"), .string(path), "fieldPath must be a valid path: \(fault)"))
    }
    guard !text.isEmpty else { return }
    guard let type else {
      errors.append(
        FieldError(
          .internalError, at,
          detail: "CEL internal error: rule declared on schema that does not support validation rules type: "
            + "'\(schema["type"].string ?? "")' x-kubernetes-preserve-unknown-fields: "
            + "'\(schema["x-kubernetes-preserve-unknown-fields"].bool == true)'"))
      return
    }
    let compiled = SchemaRule(rule, of: type, minor: minor)
    if let fault = compiled.fault { errors.append(.invalid(at.child("rule"), rule, fault)) }
    if let fault = compiled.messageFault { errors.append(.invalid(at.child("messageExpression"), rule, fault)) }
    if compiled.usesOldSelf {
      if let uncorrelatable {
        errors.append(
          .invalid(
            at.child("rule"), rule["rule"],
            "oldSelf cannot be used on the uncorrelatable portion of the schema within \(uncorrelatable.text)"))
      }
    } else if compiled.isOptional, compiled.expression != nil {
      errors.append(
        .invalid(at.child("optionalOldSelf"), true, "may not be set if oldSelf is not used in rule"))
    }
  }

  /// Why a path leads to no field of a schema.
  private func fault(_ path: String, _ schema: JSON) -> String? {
    var rest = path[...]
    var place = schema
    while !rest.isEmpty {
      let name: String
      if rest.hasPrefix(".") {
        rest = rest.dropFirst()
        name = String(rest.prefix { $0 != "." && $0 != "[" })
        rest = rest.dropFirst(name.count)
        if name.isEmpty { return "unexpected end of JSON path" }
      } else if rest.hasPrefix("['") {
        guard let end = rest.firstRange(of: "']") else { return "unexpected end of JSON path" }
        name = String(rest[..<end.lowerBound].dropFirst(2)).replacing("\\'", with: "'")
        rest = rest[end.upperBound...]
      } else if rest.hasPrefix("[") {
        let token = rest.dropFirst().prefix { $0 != "]" && $0 != "." }
        return token.isEmpty ? "unexpected end of JSON path" : "expected single quoted string but got \(token)"
      } else {
        return "expected [ or . but got: \(rest.prefix { $0 != "." && $0 != "[" && $0 != "]" })"
      }
      if place["properties"].object != nil {
        guard place["properties"].has(name) else { return "does not refer to a valid field" }
        place = place["properties"][name]
      } else if place["additionalProperties"].object != nil {
        place = place["additionalProperties"]
      } else {
        return "does not refer to a valid field"
      }
    }
    return nil
  }
}
