import CEL
import Wire

/// The rules of a schema, evaluated on objects (`apiextensions-apiserver/pkg/apiserver/schema/cel`).
struct SchemaExpressions: Sendable {
  /// The part of a schema under which there are rules.
  private final class Part: Sendable {
    let type: String
    let declared: SchemaType
    let rules: [SchemaRule]
    let items: Part?
    let properties: [(name: String, part: Part)]
    let additional: Part?
    let all: [Part]
    /// Names by which elements of a list are the same before and after.
    let keys: [String]
    let isCorrelatable: Bool

    /// Nil when there is no rule.
    init?(_ schema: JSON, rules source: JSON, isRoot: Bool, _ declared: SchemaType?, minor: Int, depth: Int) {
      guard depth < JSON.depthLimit, let declared else { return nil }
      self.declared = declared
      type = schema["type"].string ?? ""
      rules = source["x-kubernetes-validations"].items.map { SchemaRule($0, of: declared, minor: minor) }
      func part(_ schema: JSON, _ source: JSON, _ type: SchemaType?) -> Part? {
        guard StructuralRules.hasExpressions(source) else { return nil }
        let isEmbedded = schema["x-kubernetes-embedded-resource"].bool == true
        return Part(schema, rules: source, isRoot: isEmbedded, type, minor: minor, depth: depth + 1)
      }
      var element: SchemaType?
      switch declared {
      case .list(let inner, _, _), .map(let inner, _): element = inner
      default: break
      }
      items = part(schema["items"], source["items"], element)
      additional = part(schema["additionalProperties"], source["additionalProperties"], element)
      var found: [(name: String, part: Part)] = []
      for property in source["properties"].fields {
        let inner = schema["properties"][property.key]
        var type: SchemaType?
        if case .object(let object) = declared, let name = Escaping.escape(property.key) {
          type = object.fields[name]?.type
        } else {
          type = SchemaDeclarations.type(inner)
        }
        if let part = part(inner, property.value, type) { found.append((property.key, part)) }
      }
      properties = found
      all = source["allOf"].items.compactMap { source in
        guard StructuralRules.hasExpressions(source) else { return nil }
        return Part(schema, rules: source, isRoot: isRoot, declared, minor: minor, depth: depth + 1)
      }
      keys =
        schema["x-kubernetes-list-type"].string == "map" ? schema["x-kubernetes-list-map-keys"].strings : []
      isCorrelatable = schema["x-kubernetes-map-type"].string != "atomic"
      if rules.isEmpty, items == nil, additional == nil, properties.isEmpty, all.isEmpty { return nil }
    }
  }

  private let root: Part

  /// Nil when the schema has no rules.
  init?(_ schema: JSON, minor: Int) {
    guard StructuralRules.hasExpressions(schema),
      let part = Part(
        schema, rules: schema, isRoot: true, SchemaDeclarations.type(schema, isRoot: true), minor: minor, depth: 0)
    else { return nil }
    root = part
  }

  // MARK: - Evaluation

  /// What all rules may cost for one object.
  private static let budget: Int64 = 10_000_000
  private static let callLimit: UInt64 = 1_000_000
  private static let messageLimit = 5 * 1024

  func validate(_ new: JSON, _ old: JSON?) -> [FieldError] {
    var walk = Walk()
    walk.validate(new, old, root, "", isKept: false)
    return walk.errors
  }

  private struct Walk {
    var errors: [FieldError] = []
    var budget = SchemaExpressions.budget

    private func place(_ path: FieldPath) -> FieldPath { path.text.isEmpty ? "<nil>" : path }

    /// `isKept`: what holds the value is as it was before, so that its faults are not told again.
    mutating func validate(_ value: JSON, _ old: JSON?, _ part: Part, _ path: FieldPath, isKept: Bool) {
      guard budget >= 0, !value.isNull else { return }
      let isKept = isKept || old == value
      evaluate(part, value, old, path, isKept: isKept)
      for other in part.all where budget >= 0 { validate(value, old, other, path, isKept: isKept) }
      switch value {
      case .array(let items):
        guard let inner = part.items else { return }
        for (index, item) in items.enumerated() where budget >= 0 {
          let before = part.keys.isEmpty ? nil : old?.items.first { same($0, item, part.keys) }
          validate(item, before, inner, path.index(index), isKept: isKept)
        }
      case .object(let object):
        if let inner = part.additional {
          for field in object.fields where budget >= 0 {
            validate(
              field.value, part.isCorrelatable ? present(old, field.key) : nil, inner, path.key(field.key),
              isKept: isKept)
          }
        }
        for (name, inner) in part.properties where budget >= 0 && object.has(name) {
          validate(
            object[name], part.isCorrelatable ? present(old, name) : nil, inner, path.child(name), isKept: isKept)
        }
      default: break
      }
    }

    private func present(_ old: JSON?, _ name: String) -> JSON? {
      guard let old, old.has(name), !old[name].isNull else { return nil }
      return old[name]
    }

    private func same(_ a: JSON, _ b: JSON, _ keys: [String]) -> Bool { keys.allSatisfy { a[$0] == b[$0] } }

    private mutating func tell(_ path: FieldPath, _ part: Part, _ detail: String) {
      errors.append(.invalid(place(path), .string(part.type), detail))
    }

    private mutating func evaluate(_ part: Part, _ value: JSON, _ old: JSON?, _ path: FieldPath, isKept: Bool) {
      guard !part.rules.isEmpty else { return }
      guard budget > 0 else { return stop(path, part) }
      let own = Value(value, part.declared)
      let before = old.map { Value($0, part.declared) }
      for rule in part.rules {
        if let fault = rule.fault {
          tell(path, part, "rule compile error: \(fault)")
          continue
        }
        guard let expression = rule.expression else { continue }
        if rule.usesOldSelf, before == nil, !rule.isOptional { continue }
        let activation = Activation(["self": own])
        if rule.isOptional {
          activation.set("oldSelf", .optional(before))
        } else if let before {
          activation.set("oldSelf", before)
        }
        let outcome = expression.evaluate(
          activation, limit: SchemaExpressions.callLimit, zones: AdmissionZones.offset)
        guard Int64(clamping: outcome.cost) <= budget else { return stop(path, part) }
        budget -= Int64(clamping: outcome.cost)
        switch outcome.value {
        case .bool(true): break
        case .error(let error):
          if error.text.hasPrefix("no such overload") {
            tell(
              path, part,
              "'\(error.text)': call arguments did not match a supported operator, function or macro signature for "
                + "rule: \(rule.shown)")
          } else if error.isFatal {
            tell(
              path, part,
              "'\(error.text)': no further validation rules will be run due to call cost exceeds limit for rule: "
                + rule.shown)
            budget = -1
            return
          } else {
            tell(path, part, "\(error.text) evaluating rule: \(rule.shown)")
          }
        default:
          let detail = message(rule, activation)
          if isKept, !rule.usesOldSelf { break }
          errors.append(error(rule, part, path, detail))
          if budget < 0 { return }
        }
      }
    }

    private mutating func stop(_ path: FieldPath, _ part: Part) {
      tell(
        path, part,
        "validation failed due to running out of cost budget, no further validation rules will be run")
      budget = -1
    }

    private mutating func message(_ rule: SchemaRule, _ activation: Activation) -> String {
      let plain = rule.message.isEmpty ? "failed rule: \(rule.rule)" : rule.message
      guard let expression = rule.messageExpression else { return plain }
      let outcome = expression.evaluate(
        activation, limit: SchemaExpressions.callLimit, zones: AdmissionZones.offset)
      guard Int64(clamping: outcome.cost) <= budget else {
        budget = -1
        return "messageExpression evaluation failed due to running out of cost budget, no further validation rules "
          + "will be run"
      }
      budget -= Int64(clamping: outcome.cost)
      guard case .string(let text) = outcome.value else { return plain }
      let message = text.trimmingBlanks
      let isGood = !message.isEmpty && message.utf8.count <= SchemaExpressions.messageLimit
      return isGood && !message.utf8.contains(0x0a) ? message : plain
    }

    private func error(_ rule: SchemaRule, _ part: Part, _ path: FieldPath, _ detail: String) -> FieldError {
      let path = rule.fieldPath.isEmpty ? place(path) : path.child(rule.fieldPath)
      return switch rule.reason {
      case "FieldValueForbidden": .forbidden(path, detail)
      case "FieldValueRequired": .required(path, detail)
      case "FieldValueDuplicate": .duplicate(path, .string(part.type))
      default: .invalid(path, .string(part.type), detail)
      }
    }
  }
}
