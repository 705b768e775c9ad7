import Wire

extension KindRules {
  static let limitRanges = KindRules(
    defaults: { object in
      object["spec"].ifPresent("limits") { limits in
        limits.changeEach { limit in
          guard limit["type"].string == "Container" else { return }
          // What is allowed at most is given where nothing is said, and asked for too.
          for (target, source) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
            for field in limit[source].fields where limit[target][field.key].isNull {
              limit[target][field.key] = field.value
            }
          }
        }
      }
    },
    validate: { new, _ in
      var errors: [FieldError] = []
      var types: Set<String> = []
      for (index, limit) in new["spec"]["limits"].items.enumerated() {
        let at = FieldPath("spec.limits").index(index)
        errors += LimitRules.validate(limit, at)
        if !types.insert(limit["type"].string ?? "").inserted {
          errors.append(.duplicate(at.child("type"), limit["type"]))
        }
      }
      return errors
    })

  static let resourceQuotas = KindRules(
    validate: { new, old in
      var errors = QuotaRules.validate(new["spec"])
      if let old, Set(old["spec"]["scopes"].strings) != Set(new["spec"]["scopes"].strings) {
        errors.append(.invalid("spec.scopes", new["spec"]["scopes"], FieldRules.immutableText))
      }
      return errors
    },
    validateStatus: { new, _ in
      ["hard", "used"].flatMap { list in
        new["status"][list].fields.flatMap { field -> [FieldError] in
          let at = FieldPath("status").child(list).key(field.key)
          return ResourceRules.quotaName(field.key, at) + ResourceRules.amount(field.key, field.value, at)
        }
      }
    }, returnsDeleted: true)
}

/// Rules of LimitRanges.
enum LimitRules {
  static func validate(_ limit: JSON, _ at: FieldPath) -> [FieldError] {
    let type = limit["type"].string ?? ""
    var errors = FieldRules.texts(NameRules.qualifiedName(type), .string(type), at.child("type"))
    if errors.isEmpty, !type.contains("/"), !["Pod", "Container", "PersistentVolumeClaim"].contains(type) {
      errors.append(.invalid(at.child("type"), .string(type), "must be a standard limit type or fully qualified"))
    }
    var keys: [String] = []
    let isOfPods = type == "Pod" || type == "Container"
    for list in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
      if type == "Pod", list.hasPrefix("default") {
        if !limit[list].fields.isEmpty {
          errors.append(.forbidden(at.child(list), "may not be specified when `type` is 'Pod'"))
        }
        continue
      }
      for field in limit[list].fields {
        let path = at.child(list).key(field.key)
        errors += isOfPods ? ResourceRules.containerName(field.key, path) : ResourceRules.name(field.key, path)
        if !keys.contains(field.key) { keys.append(field.key) }
      }
    }
    if type == "PersistentVolumeClaim", limit["min"]["storage"].isNull, limit["max"]["storage"].isNull {
      errors.append(
        .required(
          at.child("limits"), "either minimum or maximum storage value is required, but neither was provided"))
    }
    return errors + keys.flatMap { amounts(limit, $0, at) }
  }

  private static func amounts(_ limit: JSON, _ key: String, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    func held(_ list: String) -> Quantity? { limit[list][key].quantity }
    func check(_ low: String, _ high: String, _ list: String, _ value: String, _ text: String, _ other: String) {
      guard let a = held(low), let b = held(high), a > b else { return }
      errors.append(
        .invalid(
          at.child(list).key(key), limit[value][key],
          "\(text) \(a.description) is greater than \(other) \(b.description)"))
    }
    check("min", "max", "min", "min", "min value", "max value")
    check("min", "defaultRequest", "defaultRequest", "defaultRequest", "min value", "default request value")
    check("defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value", "max value")
    check(
      "defaultRequest", "default", "defaultRequest", "defaultRequest", "default request value", "default limit value")
    check("min", "default", "default", "min", "min value", "default value")
    check("default", "max", "default", "max", "default value", "max value")
    if let ratio = held("maxLimitRequestRatio"), ratio < Quantity(1) {
      errors.append(
        .invalid(
          at.child("maxLimitRequestRatio").key(key), limit["maxLimitRequestRatio"][key],
          "ratio \(ratio.description) is less than 1"))
    }
    if !ResourceRules.isOvercommitted(key), let given = held("default"), let asked = held("defaultRequest"),
      given != asked
    {
      errors.append(
        .invalid(
          at.child("defaultRequest").key(key), limit["defaultRequest"][key],
          "default value \(given.description) must equal to defaultRequest value \(asked.description) in \(key)"))
    }
    return errors
  }
}

/// Rules of ResourceQuotas.
enum QuotaRules {
  private static let scopes = [
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
  ]
  private static let compute: Set<String> = [
    "pods", "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
    "limits.cpu", "limits.memory", "limits.ephemeral-storage",
  ]

  static func validate(_ spec: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    for field in spec["hard"].fields {
      let at = FieldPath("spec.hard").key(field.key)
      errors += ResourceRules.quotaName(field.key, at)
      errors += ResourceRules.amount(field.key, field.value, at)
    }
    let counted = spec["hard"].fields.map(\.key).sorted()
    let held = spec["scopes"]
    for scope in held.strings {
      if !scopes.contains(scope) { errors.append(.invalid("spec.scopes", held, "unsupported scope")) }
      for name in counted where ResourceRules.isStandardQuota(name) && !isCounted(name, under: scope) {
        errors.append(.invalid("spec.scopes", held, "unsupported scope applied to resource"))
      }
    }
    errors += conflicts(held.strings, held)
    return errors + validate(selector: spec, counted)
  }

  private static func isCounted(_ name: String, under scope: String) -> Bool {
    switch scope {
    case "BestEffort": name == "pods"
    case "Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity":
      compute.contains(name)
    case "VolumeAttributesClass": name == "requests.storage" || name == "persistentvolumeclaims"
    default: true
    }
  }

  private static func conflicts(_ scopes: [String], _ value: JSON) -> [FieldError] {
    [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]].compactMap { pair in
      pair.allSatisfy(scopes.contains) ? .invalid("spec.scopes", value, "conflicting scopes") : nil
    }
  }

  private static func validate(selector spec: JSON, _ counted: [String]) -> [FieldError] {
    let selector = spec["scopeSelector"]
    let at: FieldPath = "spec.scopeSelector.matchExpressions"
    var errors: [FieldError] = []
    for requirement in selector["matchExpressions"].items {
      let scope = requirement["scopeName"].string ?? ""
      let op = requirement["operator"].string ?? ""
      if !scopes.contains(scope) {
        errors.append(.invalid(at.child("scopeName"), .string(scope), "unsupported scope"))
      }
      for name in counted where ResourceRules.isStandardQuota(name) && !isCounted(name, under: scope) {
        errors.append(.invalid(at, selector, "unsupported scope applied to resource"))
      }
      if scope != "PriorityClass", scope != "VolumeAttributesClass", scopes.contains(scope), op != "Exists" {
        errors.append(
          .invalid(
            at.child("operator"), .string(op),
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
              + "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
              + "ResourceQuotaScopeCrossNamespacePodAffinity"))
      }
      let values = requirement["values"]
      switch op {
      case "In", "NotIn":
        if values.items.isEmpty {
          errors.append(
            .required(
              at.child("values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"))
        }
      case "Exists", "DoesNotExist":
        if !values.items.isEmpty {
          errors.append(
            .invalid(
              at.child("values"), values,
              "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"))
        }
      default: errors.append(.invalid(at.child("operator"), .string(op), "not a valid selector operator"))
      }
    }
    let names = selector["matchExpressions"].items.compactMap { $0["scopeName"].string }
    return errors + conflicts(names, spec["scopes"])
  }
}
