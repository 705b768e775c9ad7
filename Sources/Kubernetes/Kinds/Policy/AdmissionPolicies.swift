import CEL
import Wire

/// Admission policies and their bindings; `Admission/Policies` carries them out.
extension KindRules {
  static let validatingPolicies = KindRules(
    defaults: { $0["spec"].setPolicyDefaults("matchConstraints") },
    validate: { new, _ in PolicyRules.validate(validating: new) },
    validateStatus: { new, _ in PolicyRules.validate(status: new["status"], "status") },
    countsGenerations: true)

  static let mutatingPolicies = KindRules(
    defaults: { $0["spec"].setPolicyDefaults("matchConstraints") },
    validate: { new, _ in PolicyRules.validate(mutating: new) },
    countsGenerations: true)

  static let validatingPolicyBindings = KindRules(
    defaults: { $0["spec"].setMatchDefaults("matchResources") },
    validate: { new, _ in
      PolicyRules.validate(binding: new["spec"], "spec")
        + PolicyRules.validate(actions: new["spec"]["validationActions"], "spec.validationActions")
    }, countsGenerations: true)

  static let mutatingPolicyBindings = KindRules(
    defaults: { $0["spec"].setMatchDefaults("matchResources") },
    validate: { new, _ in PolicyRules.validate(binding: new["spec"], "spec") }, countsGenerations: true)
}

extension JSON {
  fileprivate mutating func setPolicyDefaults(_ matched: String) {
    setDefault("failurePolicy", "Fail")
    setMatchDefaults(matched)
  }

  fileprivate mutating func setMatchDefaults(_ matched: String) {
    ifPresent(matched) { match in
      match.setDefault("matchPolicy", "Equivalent")
      match.setDefault("namespaceSelector", .emptyObject)
      match.setDefault("objectSelector", .emptyObject)
      for list in ["resourceRules", "excludeResourceRules"] {
        match.ifPresent(list) { rules in rules.changeEach { $0.setDefault("scope", "*") } }
      }
    }
  }
}

/// Rules of admission policies (`pkg/apis/admissionregistration/validation`).
enum PolicyRules {
  private static let auditAnnotationsLimit = 20
  private static let auditExpressionLimit = 5 * 1024
  private static let either = "validations or auditAnnotations must contain at least one item"

  static func validate(validating policy: JSON) -> [FieldError] {
    let at: FieldPath = "spec"
    let spec = policy["spec"]
    let environments = PolicyEnvironments(spec, minor: DefinitionRules.newestMinor, mutates: false)
    var errors = validate(common: spec, environments, at)
    let validations = spec["validations"].items
    let annotations = spec["auditAnnotations"].items
    if validations.isEmpty, annotations.isEmpty {
      return errors + [.required(at.child("validations"), either), .required(at.child("auditAnnotations"), either)]
    }
    for (index, validation) in validations.enumerated() {
      errors += validate(validation: validation, environments, at.child("validations").index(index))
    }
    let path = at.child("auditAnnotations")
    if annotations.count > auditAnnotationsLimit {
      errors.append(
        .invalid(
          path, spec["auditAnnotations"], "must not have more than \(auditAnnotationsLimit) auditAnnotations"))
    }
    var keys: Set<String> = []
    for (index, annotation) in annotations.enumerated() {
      let key = annotation["key"].string ?? ""
      let name = policy["metadata"]["name"].string ?? ""
      errors += FieldRules.labelName(.string("\(name)/\(key)"), path.index(index).child("key"))
      let expression = (annotation["valueExpression"].string ?? "").trimmingBlanks
      if expression.isEmpty {
        errors.append(.required(path.index(index).child("valueExpression"), "valueExpression is not specified"))
      } else if expression.utf8.count > auditExpressionLimit {
        errors.append(
          .required(
            path.index(index).child("valueExpression"), "must not exceed \(auditExpressionLimit) bytes in length"))
      } else {
        errors += ExpressionRules.check(
          annotation["valueExpression"], [.string, .null], environments.environment(hasAuthorizer: true),
          path.index(index).child("valueExpression"))
      }
      if !keys.insert(key).inserted { errors.append(.duplicate(path.index(index).child("key"), .string(key))) }
    }
    return errors
  }

  static func validate(mutating policy: JSON) -> [FieldError] {
    let at: FieldPath = "spec"
    let spec = policy["spec"]
    let environments = PolicyEnvironments(spec, minor: DefinitionRules.newestMinor, mutates: true)
    var errors = validate(common: spec, environments, at)
    if spec["mutations"].items.isEmpty {
      errors.append(.required(at.child("mutations"), "mutations must contain at least one item"))
    }
    let forms = ["ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"]
    for (index, mutation) in spec["mutations"].items.enumerated() {
      let path = at.child("mutations").index(index)
      let type = mutation["patchType"].string ?? ""
      guard let form = forms[type] else {
        errors.append(
          .notSupported(path.child("patchType"), .string(type), supported: ["ApplyConfiguration", "JSONPatch"]))
        continue
      }
      if mutation[form].isNull {
        errors.append(.required(path.child(form), "must be specified when patchType is \(type)"))
      } else if (mutation[form]["expression"].string ?? "").trimmingBlanks.isEmpty {
        errors.append(.required(path.child(form).child("expression"), "expression is not specified"))
      } else {
        errors += ExpressionRules.check(
          mutation[form]["expression"], [type == "JSONPatch" ? CompiledPolicy.patchType : CompiledPolicy.applyType],
          environments.environment(hasAuthorizer: true), path.child(form).child("expression"))
      }
      for (other, field) in forms.sorted(by: { $0.key < $1.key }) where other != type && !mutation[field].isNull {
        errors.append(.invalid(path.child(field), mutation[field], "must not be specified when patchType is \(type)"))
      }
    }
    return errors
      + FieldRules.oneOf(spec["reinvocationPolicy"], ["IfNeeded", "Never"], at.child("reinvocationPolicy"))
  }

  private static func validate(common spec: JSON, _ environments: PolicyEnvironments, _ at: FieldPath)
    -> [FieldError]
  {
    var errors = FieldRules.oneOf(spec["failurePolicy"], ["Fail", "Ignore"], at.child("failurePolicy"))
    if !spec["paramKind"].isNull { errors += validate(paramKind: spec["paramKind"], at.child("paramKind")) }
    let constraints = spec["matchConstraints"]
    let path = at.child("matchConstraints")
    if constraints.isNull {
      errors.append(.required(path))
    } else {
      errors += validate(match: constraints, path)
      if constraints["resourceRules"].items.isEmpty { errors.append(.required(path.child("resourceRules"))) }
    }
    errors += WebhookRules.validate(
      conditions: spec["matchConditions"], at.child("matchConditions"),
      PolicyEnvironments(onlyParamsOf: spec, minor: DefinitionRules.newestMinor).environment(hasAuthorizer: true))
    for (index, variable) in spec["variables"].items.enumerated() {
      let path = at.child("variables").index(index)
      let name = variable["name"].string ?? ""
      if name.trimmingBlanks.isEmpty {
        errors.append(.required(path.child("name"), "name is not specified"))
      } else if !isIdentifier(name) {
        errors.append(.invalid(path.child("name"), .string(name), "name is not a valid CEL identifier"))
      }
      if (variable["expression"].string ?? "").trimmingBlanks.isEmpty {
        errors.append(.required(path.child("expression"), "expression is not specified"))
      } else if case .failed(let why) = environments.variables[index].expression.result {
        errors.append(.invalid(path.child("expression"), variable["expression"], why))
      }
    }
    return errors
  }

  private static let reserved: Set<String> = [
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
    "let", "loop", "package", "namespace", "return", "var", "void", "while",
  ]

  private static func isIdentifier(_ name: String) -> Bool {
    func isLetter(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "_") || (0x61...0x7a).contains(byte | 0x20) }
    guard let first = name.utf8.first, isLetter(first) else { return false }
    return name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) } && !reserved.contains(name)
  }

  private static func validate(paramKind: JSON, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    let version = paramKind["apiVersion"].string ?? ""
    let parts = version.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if version.isEmpty {
      errors.append(.required(at.child("apiVersion")))
    } else if parts.count > 2 {
      errors.append(
        .invalid(at.child("apiVersion"), .string(version), "unexpected GroupVersion string: \(version)"))
    } else {
      if parts.count == 2, !parts[0].isEmpty {
        errors += FieldRules.texts(NameRules.dns1123Subdomain(parts[0]), .string(parts[0]), at.child("apiVersion"))
      }
      if parts.last!.isEmpty {
        errors.append(.invalid(at.child("apiVersion"), .string(version), "version must be specified"))
      } else {
        errors += FieldRules.texts(NameRules.dns1035Label(parts.last!), .string(parts.last!), at.child("apiVersion"))
      }
    }
    let kind = paramKind["kind"].string ?? ""
    let faults = NameRules.dns1035Label(kind.lowercased())
    if kind.isEmpty {
      errors.append(.required(at.child("kind")))
    } else if !faults.isEmpty {
      errors.append(
        .invalid(
          at.child("kind"), .string(kind),
          "may have mixed case, but should otherwise match: \(faults.joined(separator: ","))"))
    }
    return errors
  }

  private static func validate(match: JSON, _ at: FieldPath) -> [FieldError] {
    var errors = FieldRules.oneOf(match["matchPolicy"], ["Equivalent", "Exact"], at.child("matchPolicy"))
    errors += FieldRules.labelSelector(match["namespaceSelector"], at.child("namespaceSelector"))
    errors += FieldRules.labelSelector(match["objectSelector"], at.child("objectSelector"))
    for list in ["resourceRules", "excludeResourceRules"] {
      for (index, rule) in match[list].items.enumerated() {
        let path = at.child(list).index(index)
        var names: Set<String> = []
        for (place, name) in rule["resourceNames"].strings.enumerated() {
          let path = path.child("resourceNames").index(place)
          errors += NameRules.pathSegment(name).map { .invalid(path, .string(name), $0) }
          if !names.insert(name).inserted { errors.append(.duplicate(path, .string(name))) }
        }
        errors += WebhookRules.validate(rule: rule, path)
      }
    }
    return errors
  }

  private static let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"]

  private static func validate(validation: JSON, _ environments: PolicyEnvironments, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    if (validation["expression"].string ?? "").trimmingBlanks.isEmpty {
      errors.append(.required(at.child("expression"), "expression is not specified"))
    } else {
      errors += ExpressionRules.check(
        validation["expression"], [.bool], environments.environment(hasAuthorizer: true), at.child("expression"))
    }
    if let text = validation["messageExpression"].string, !text.isEmpty {
      if text.trimmingBlanks.isEmpty {
        errors.append(.invalid(at.child("messageExpression"), .string(text), "must be non-empty if specified"))
      } else {
        errors += ExpressionRules.check(
          validation["messageExpression"], [.string], environments.environment(hasAuthorizer: false),
          at.child("messageExpression"))
      }
    }
    if let text = validation["message"].string, !text.isEmpty {
      if text.trimmingBlanks.isEmpty {
        errors.append(.invalid(at.child("message"), .string(text), "message must be non-empty if specified"))
      } else if text.trimmingBlanks.utf8.contains(where: { $0 == 0x0a || $0 == 0x0d }) {
        errors.append(.invalid(at.child("message"), .string(text), "message must not contain line breaks"))
      }
    }
    return errors + FieldRules.oneOf(validation["reason"], reasons, at.child("reason"), optional: true)
  }

  static func validate(binding spec: JSON, _ at: FieldPath) -> [FieldError] {
    var errors = FieldRules.requiredName(spec["policyName"], NameRules.dns1123Subdomain, at.child("policyName"))
    if !spec["paramRef"].isNull { errors += validate(paramRef: spec["paramRef"], at.child("paramRef")) }
    if !spec["matchResources"].isNull { errors += validate(match: spec["matchResources"], at.child("matchResources")) }
    return errors
  }

  private static func validate(paramRef: JSON, _ at: FieldPath) -> [FieldError] {
    let name = paramRef["name"].string ?? ""
    let selector = paramRef["selector"]
    var errors: [FieldError] = []
    if !name.isEmpty {
      errors += NameRules.pathSegment(name).map { .invalid(at.child("name"), .string(name), $0) }
      if !selector.isNull {
        errors.append(.forbidden(at.child("name"), "name and selector are mutually exclusive"))
      }
    }
    if !selector.isNull {
      errors += FieldRules.labelSelector(selector, at.child("selector"))
      if !name.isEmpty { errors.append(.forbidden(at.child("selector"), "name and selector are mutually exclusive")) }
    }
    if name.isEmpty, selector.isNull {
      errors.append(.required(at, "one of name or selector must be specified"))
    }
    return errors
      + FieldRules.oneOf(
        paramRef["parameterNotFoundAction"], ["Allow", "Deny"], at.child("parameterNotFoundAction"))
  }

  static func validate(actions: JSON, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    var seen: Set<String> = []
    for (index, action) in actions.items.enumerated() {
      let text = action.string ?? ""
      if !["Audit", "Deny", "Warn"].contains(text) {
        errors.append(.notSupported(at.index(index), action, supported: ["Audit", "Deny", "Warn"]))
      }
      if !seen.insert(text).inserted { errors.append(.duplicate(at.index(index), action)) }
    }
    if seen.contains("Deny"), seen.contains("Warn") {
      errors.append(
        .invalid(
          at, actions,
          "must not contain both Deny and Warn (repeating the same validation failure information in the API response "
            + "and headers serves no purpose)"))
    }
    if seen.isEmpty { errors.append(.required(at, "at least one validation action is required")) }
    return errors
  }

  static func validate(status: JSON, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    let path = at.child("typeChecking").child("expressionWarnings")
    for (index, warning) in status["typeChecking"]["expressionWarnings"].items.enumerated() {
      errors += FieldRules.required(warning["warning"], path.index(index).child("warning"))
      errors += FieldRules.required(warning["fieldRef"], path.index(index).child("fieldRef"))
    }
    return errors
  }
}
