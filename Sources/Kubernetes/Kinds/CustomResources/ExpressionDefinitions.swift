import CEL
import Wire

/// What the rules of a definition must be (`apiextensions-apiserver/pkg/apis/apiextensions/validation`).
struct ExpressionDefinitions {
  private var errors: [FieldError] = []
  private let minor: Int
  /// What was taken before may be dearer than what is taken now.
  private let isKept: Bool
  private var costs: [(path: FieldPath, cost: UInt64)] = []

  private static let reasons = [
    "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired",
  ]

  /// What is wrong with the rules of a schema.
  static func validate(_ schema: JSON, _ path: FieldPath, minor: Int, isKept: Bool) -> [FieldError] {
    guard StructuralRules.hasExpressions(schema) else { return [] }
    var definitions = ExpressionDefinitions(minor: minor, isKept: isKept)
    definitions.check(
      schema, rules: schema, path, isRoot: true, type: SchemaDeclarations.type(schema, isRoot: true),
      uncorrelatable: nil, count: 1, depth: 0)
    definitions.checkTotal(path)
    return definitions.errors
  }

  private init(minor: Int, isKept: Bool) {
    self.minor = minor
    self.isKept = isKept
  }

  private mutating func check(
    _ schema: JSON, rules source: JSON, _ path: FieldPath, isRoot: Bool, type: SchemaType?, uncorrelatable: FieldPath?,
    count: UInt64?, depth: Int
  ) {
    guard depth < JSON.depthLimit, StructuralRules.hasExpressions(source) else { return }
    let at = path.child("x-kubernetes-validations")
    for (index, rule) in source["x-kubernetes-validations"].items.enumerated() {
      check(rule, at.index(index), schema, type, uncorrelatable, count: count)
    }
    var parts = count
    if schema["type"].string == "array" {
      parts = bounded(count, schema["maxItems"])
    } else if schema["additionalProperties"].object != nil {
      parts = bounded(count, schema["maxProperties"])
    }
    var element: SchemaType?
    switch type {
    case .list(let inner, _, _)?, .map(let inner, _)?: element = inner
    default: break
    }
    let isList = schema["x-kubernetes-list-type"].string == "map"
    check(
      schema["items"], rules: source["items"], path.child("items"), isRoot: false, type: element,
      uncorrelatable: uncorrelatable ?? (isList ? nil : path), count: parts, depth: depth + 1)
    let inner = uncorrelatable ?? (schema["x-kubernetes-map-type"].string == "atomic" ? path : nil)
    check(
      schema["additionalProperties"], rules: source["additionalProperties"], path.child("additionalProperties"),
      isRoot: false, type: element, uncorrelatable: inner, count: parts, depth: depth + 1)
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
        count: parts, depth: depth + 1)
    }
    for (index, part) in source["allOf"].items.enumerated() {
      check(
        schema, rules: part, path.child("allOf").index(index), isRoot: isRoot, type: type,
        uncorrelatable: uncorrelatable, count: count, depth: depth + 1)
    }
  }

  private mutating func check(
    _ rule: JSON, _ at: FieldPath, _ schema: JSON, _ type: SchemaType?, _ uncorrelatable: FieldPath?,
    count: UInt64?
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
    checkCosts(compiled, at, type, count ?? SchemaDeclarations.greatestCount(schema))
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

  // MARK: Costs

  /// What one rule may cost at most, and all rules of a schema, by the bounds of what they read.
  private static let ruleLimit: UInt64 = 10_000_000
  private static let totalLimit: UInt64 = 100_000_000

  private func bounded(_ count: UInt64?, _ limit: JSON) -> UInt64? {
    guard let count, let limit = limit.int else { return nil }
    return count.times(UInt64(max(limit, 0)))
  }

  private mutating func checkCosts(_ rule: SchemaRule, _ at: FieldPath, _ type: SchemaType, _ count: UInt64) {
    if let expression = rule.expression {
      let cost = StaticCost.greatest(of: expression, root: type).times(count)
      observe(cost, at.child("rule"), "estimated rule cost")
    }
    if let expression = rule.messageExpression {
      let cost = StaticCost.greatest(of: expression, root: type)
      observe(cost, at.child("messageExpression"), "estimated messageExpression cost")
    }
  }

  private mutating func observe(_ cost: UInt64, _ path: FieldPath, _ what: String) {
    costs.append((path, cost))
    guard !isKept, cost > Self.ruleLimit else { return }
    errors.append(.forbidden(path, Self.excess(of: what, cost, over: Self.ruleLimit)))
  }

  private mutating func checkTotal(_ path: FieldPath) {
    let total = costs.reduce(0 as UInt64) { sum, next in
      let (value, overflow) = sum.addingReportingOverflow(next.cost)
      return overflow ? .max : value
    }
    guard total > Self.totalLimit else { return }
    let dear = costs.filter { $0.cost >= Self.totalLimit / 100 }.enumerated()
      .sorted { $0.element.cost != $1.element.cost ? $0.element.cost > $1.element.cost : $0.offset < $1.offset }
    for (_, rule) in dear.prefix(4) {
      errors.append(
        .forbidden(
          rule.path,
          "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"))
    }
    let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
    errors.append(.forbidden(path, Self.excess(of: what, total, over: Self.totalLimit)))
  }

  private static func excess(of what: String, _ cost: UInt64, over limit: UInt64) -> String {
    let factor = Double(cost) / Double(limit)
    let shown = factor > 100 ? "more than 100" : factor < 1.5 ? fixed(factor, digits: 6) : fixed(factor, digits: 1)
    return "\(what) exceeds budget by factor of \(shown)x (try simplifying the rule, or adding maxItems, "
      + "maxProperties, and maxLength where arrays, maps, and strings are declared)"
  }

  private static func fixed(_ value: Double, digits: Int) -> String {
    let unit = (0..<digits).reduce(1) { whole, _ in whole * 10 }
    let parts = Int((value * Double(unit)).rounded(.toNearestOrEven))
    let fraction = String(parts % unit)
    return "\(parts / unit)." + String(repeating: "0", count: digits - fraction.count) + fraction
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
