/// Which objects by their labels: requirements that must all hold.
package struct LabelSelector: Hashable, Sendable {
  package struct Requirement: Hashable, Sendable {
    package enum Operator: String, Sendable {
      case `in`
      case notIn = "notin"
      case equals = "="
      case notEquals = "!="
      case exists
      case doesNotExist = "!"
      case greaterThan = "gt"
      case lessThan = "lt"
    }

    package var key: String
    package var op: Operator
    package var values: [String]

    package init(key: String, op: Operator, values: [String] = []) {
      self.key = key
      self.op = op
      self.values = values
    }

    package func matches(_ labels: (String) -> String?) -> Bool {
      let value = labels(key)
      switch op {
      case .in, .equals: return value.map(values.contains) ?? false
      case .notIn, .notEquals: return value.map { !values.contains($0) } ?? true
      case .exists: return value != nil
      case .doesNotExist: return value == nil
      case .greaterThan, .lessThan:
        guard let number = value.flatMap({ Int64($0) }), values.count == 1, let bound = Int64(values[0]) else {
          return false
        }
        return op == .greaterThan ? number > bound : number < bound
      }
    }
  }

  package var requirements: [Requirement]
  /// Selects nothing, as an absent `metav1.LabelSelector` does.
  package var isNothing = false

  package init(_ requirements: [Requirement] = []) { self.requirements = requirements }

  package static let everything = LabelSelector()
  package static let nothing: LabelSelector = {
    var selector = LabelSelector()
    selector.isNothing = true
    return selector
  }()

  package var isEverything: Bool { requirements.isEmpty && !isNothing }

  package func matches(_ labels: (String) -> String?) -> Bool {
    !isNothing && requirements.allSatisfy { $0.matches(labels) }
  }
  package func matches(_ labels: [String: String]) -> Bool { matches { labels[$0] } }
  /// By the `labels` object of an object's metadata.
  package func matches(_ labels: JSON) -> Bool { matches { labels[$0].string } }

  /// The selector of a plain map such as a Service's `spec.selector`; an empty map selects everything.
  package init(matchLabels: JSON) {
    requirements = matchLabels.fields.compactMap { field in
      field.value.string.map { Requirement(key: field.key, op: .equals, values: [$0]) }
    }.sorted { $0.key < $1.key }
  }

  /// The selector of a `metav1.LabelSelector`: null selects nothing, the empty one everything.
  ///
  /// Throws the first thing that is wrong with it, as upstream's `LabelSelectorAsSelector` words it.
  package init(labelSelector json: JSON) throws(SelectorError) {
    guard json.object != nil else {
      self = .nothing
      return
    }
    requirements = LabelSelector(matchLabels: json["matchLabels"]).requirements
    for expression in json["matchExpressions"].items {
      let key = expression["key"].string ?? ""
      let values = expression["values"].strings
      let op: Requirement.Operator
      switch expression["operator"].string ?? "" {
      case "In": op = .in
      case "NotIn": op = .notIn
      case "Exists": op = .exists
      case "DoesNotExist": op = .doesNotExist
      case let other: throw SelectorError("\(GoText.quote(other)) is not a valid label selector operator")
      }
      requirements.append(try Requirement.checked(key, op, values))
    }
  }

  /// The text form, requirements by key, as upstream's `Selector.String`.
  package var text: String {
    requirements.sorted { $0.key < $1.key }.map { requirement in
      let values = requirement.values.sorted().joined(separator: ",")
      return switch requirement.op {
      case .exists: requirement.key
      case .doesNotExist: "!\(requirement.key)"
      case .equals: "\(requirement.key)=\(values)"
      case .notEquals: "\(requirement.key)!=\(values)"
      case .in: "\(requirement.key) in (\(values))"
      case .notIn: "\(requirement.key) notin (\(values))"
      case .greaterThan: "\(requirement.key)>\(values)"
      case .lessThan: "\(requirement.key)<\(values)"
      }
    }.joined(separator: ",")
  }
}

/// Why a selector's text is none, in upstream's words.
package struct SelectorError: Error, Equatable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

extension LabelSelector.Requirement {
  /// The requirement, its key and values checked as upstream's `NewRequirement` does.
  static func checked(_ key: String, _ op: Operator, _ values: [String]) throws(SelectorError) -> Self {
    var errors: [String] = []
    let faults = NameRules.qualifiedName(key)
    if !faults.isEmpty {
      errors.append("key: Invalid value: \(GoText.quote(key)): \(faults.joined(separator: "; "))")
    }
    let printed = "[" + values.map(GoText.quote).joined(separator: ",") + "]"
    switch op {
    case .in, .notIn:
      if values.isEmpty {
        errors.append("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
      }
    case .equals, .notEquals:
      if values.count != 1 {
        errors.append("values: Invalid value: \(printed): exact-match compatibility requires one single value")
      }
    case .exists, .doesNotExist:
      if !values.isEmpty {
        errors.append("values: Invalid value: \(printed): values set must be empty for exists and does not exist")
      }
    case .greaterThan, .lessThan:
      if values.count != 1 {
        errors.append(
          "values: Invalid value: \(printed): for 'Gt', 'Lt' operators, exactly one value is required")
      }
      for (index, value) in values.enumerated() where Int64(value) == nil {
        errors.append(
          "values[\(index)]: Invalid value: \(GoText.quote(value)): for 'Gt', 'Lt' operators, the value must be an integer"
        )
      }
    }
    for (index, value) in values.enumerated() {
      let faults = NameRules.labelValue(value)
      if !faults.isEmpty {
        errors.append(
          "values[\(index)][\(key)]: Invalid value: \(GoText.quote(value)): \(faults.joined(separator: "; "))")
      }
    }
    guard errors.isEmpty else {
      throw SelectorError(errors.count == 1 ? errors[0] : "[\(errors.joined(separator: ", "))]")
    }
    return Self(key: key, op: op, values: values)
  }
}
