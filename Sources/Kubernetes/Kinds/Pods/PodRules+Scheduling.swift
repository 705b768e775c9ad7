import Wire

extension PodRules {
  // MARK: - Affinity

  static func validate(affinity: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    let required = "requiredDuringSchedulingIgnoredDuringExecution"
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    let node = affinity["nodeAffinity"]
    let nodePath = path.child("nodeAffinity")
    if node.has(required) { errors += validate(nodeSelector: node[required], nodePath.child(required)) }
    for (index, term) in node[preferred].items.enumerated() {
      let at = nodePath.child(preferred).index(index)
      errors += weight(term["weight"], at.child("weight"))
      errors += validate(nodeSelectorTerm: term["preference"], at.child("preference"), checksValues: false)
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
      let at = path.child(kind)
      for (index, term) in affinity[kind][required].items.enumerated() {
        errors += validate(podAffinityTerm: term, at.child(required).index(index))
      }
      for (index, term) in affinity[kind][preferred].items.enumerated() {
        let at = at.child(preferred).index(index)
        errors += weight(term["weight"], at.child("weight"))
        errors += validate(podAffinityTerm: term["podAffinityTerm"], at.child("podAffinityTerm"))
      }
    }
    return errors
  }

  private static func weight(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    (1...100).contains(value.int ?? 0)
      ? [] : [.invalid(at, .int(Int64(value.int ?? 0)), "must be in the range 1-100")]
  }

  /// A selector of nodes, also that of a volume.
  static func validate(nodeSelector: JSON, _ path: FieldPath) -> [FieldError] {
    let at = path.child("nodeSelectorTerms")
    let terms = nodeSelector["nodeSelectorTerms"].items
    if terms.isEmpty { return [.required(at, "must have at least one node selector term")] }
    return terms.enumerated().flatMap { validate(nodeSelectorTerm: $1, at.index($0), checksValues: true) }
  }

  private static func validate(nodeSelectorTerm term: JSON, _ path: FieldPath, checksValues: Bool) -> [FieldError] {
    var errors: [FieldError] = []
    for (index, requirement) in term["matchExpressions"].items.enumerated() {
      let at = path.child("matchExpressions").index(index)
      let values = requirement["values"].items
      switch requirement["operator"].string ?? "" {
      case "In", "NotIn":
        if values.isEmpty {
          errors.append(.required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'"))
        }
      case "Exists", "DoesNotExist":
        if !values.isEmpty {
          errors.append(
            .forbidden(at.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        }
      case "Gt", "Lt":
        if values.count != 1 {
          errors.append(.required(at.child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'"))
        }
      case let other: errors.append(.invalid(at.child("operator"), .string(other), "not a valid selector operator"))
      }
      errors += FieldRules.labelName(requirement["key"], at.child("key"))
      guard checksValues else { continue }
      for (place, value) in values.enumerated() {
        errors += FieldRules.texts(
          NameRules.labelValue(value.string ?? ""), value, at.child("values").index(place))
      }
    }
    for (index, requirement) in term["matchFields"].items.enumerated() {
      let at = path.child("matchFields").index(index)
      switch requirement["operator"].string ?? "" {
      case "In", "NotIn":
        if requirement["values"].items.count != 1 {
          errors.append(
            .required(
              at.child("values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
        }
      case let other: errors.append(.invalid(at.child("operator"), .string(other), "not a valid selector operator"))
      }
      guard requirement["key"].string == "metadata.name" else {
        errors.append(
          .invalid(at.child("key"), .string(requirement["key"].string ?? ""), "not a valid field selector key"))
        continue
      }
      for (place, value) in requirement["values"].items.enumerated() {
        errors += FieldRules.texts(
          NameRules.dns1123Subdomain(value.string ?? ""), value, at.child("values").index(place))
      }
    }
    return errors
  }

  private static func validate(podAffinityTerm term: JSON, _ path: FieldPath) -> [FieldError] {
    var errors = FieldRules.labelSelector(term["labelSelector"], path.child("labelSelector"))
    errors += FieldRules.labelSelector(term["namespaceSelector"], path.child("namespaceSelector"))
    for name in term["namespaces"].items {
      errors += FieldRules.texts(NameRules.dns1123Label(name.string ?? ""), name, path.child("namespace"))
    }
    for field in ["matchLabelKeys", "mismatchLabelKeys"] where !term[field].items.isEmpty {
      if term["labelSelector"].isNull {
        errors.append(.forbidden(path.child(field), "must not be specified when labelSelector is not set"))
        continue
      }
      for (index, key) in term[field].items.enumerated() {
        errors += FieldRules.labelName(key, path.child(field).index(index))
      }
    }
    for (index, key) in term["matchLabelKeys"].items.enumerated() where term["mismatchLabelKeys"].items.contains(key) {
      errors.append(
        .invalid(
          path.child("matchLabelKeys").index(index), key, "exists in both matchLabelKeys and mismatchLabelKeys"))
    }
    if (term["topologyKey"].string ?? "").isEmpty {
      errors.append(.required(path.child("topologyKey"), "can not be empty"))
    }
    return errors + FieldRules.labelName(term["topologyKey"], path.child("topologyKey"))
  }

  // MARK: - Taints, spread and gates

  static let taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"]

  static func validate(tolerations: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    for (index, toleration) in tolerations.items.enumerated() {
      let at = path.index(index)
      let key = toleration["key"].string ?? ""
      let op = toleration["operator"].string ?? ""
      let value = toleration["value"].string ?? ""
      let effect = toleration["effect"].string ?? ""
      if !key.isEmpty { errors += FieldRules.labelName(toleration["key"], at.child("key")) }
      if key.isEmpty, op != "Exists" {
        errors.append(
          .invalid(
            at.child("operator"), .string(op),
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
      }
      if !toleration["tolerationSeconds"].isNull, effect != "NoExecute" {
        errors.append(
          .invalid(
            at.child("effect"), .string(effect), "effect must be 'NoExecute' when `tolerationSeconds` is set"))
      }
      switch op {
      case "", "Equal":
        let faults = NameRules.labelValue(value)
        if !faults.isEmpty {
          errors.append(.invalid(at.child("operator"), .string(value), faults.joined(separator: ";")))
        }
      case "Exists":
        if !value.isEmpty {
          errors.append(
            .invalid(at.child("operator"), .string(value), "value must be empty when `operator` is 'Exists'"))
        }
      default:
        errors.append(.notSupported(at.child("operator"), .string(op), supported: ["Equal", "Exists"]))
      }
      if !effect.isEmpty, !taintEffects.contains(effect) {
        errors.append(.notSupported(at.child("effect"), .string(effect), supported: taintEffects))
      }
    }
    return errors
  }

  static func validate(spread constraints: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    let list = constraints.items
    for (index, constraint) in list.enumerated() {
      let at = path.index(index)
      let key = constraint["topologyKey"].string ?? ""
      let action = constraint["whenUnsatisfiable"].string ?? ""
      if (constraint["maxSkew"].int ?? 0) <= 0 {
        errors.append(
          .invalid(at.child("maxSkew"), .int(Int64(constraint["maxSkew"].int ?? 0)), FieldRules.notPositive))
      }
      if key.isEmpty { errors.append(.required(at.child("topologyKey"), "can not be empty")) }
      if action != "DoNotSchedule", action != "ScheduleAnyway" {
        errors.append(
          .notSupported(
            at.child("whenUnsatisfiable"), .string(action), supported: ["DoNotSchedule", "ScheduleAnyway"]))
      }
      if list[(index + 1)...].contains(where: {
        $0["topologyKey"].string == key && $0["whenUnsatisfiable"].string == action
      }) {
        errors.append(.duplicate(at.child("{topologyKey, whenUnsatisfiable}"), .string("{\(key), \(action)}")))
      }
      if let domains = constraint["minDomains"].int {
        if domains <= 0 {
          errors.append(.invalid(at.child("minDomains"), constraint["minDomains"], FieldRules.notPositive))
        }
        if action != "DoNotSchedule" {
          errors.append(
            .invalid(
              at.child("minDomains"), constraint["minDomains"],
              "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not \(action)"))
        }
      }
      for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
        errors += FieldRules.oneOf(constraint[field], ["Honor", "Ignore"], at.child(field), optional: true)
      }
      errors += validate(matchLabelKeysOf: constraint, at.child("matchLabelKeys"))
      errors += FieldRules.labelSelector(constraint["labelSelector"], at.child("labelSelector"))
    }
    return errors
  }

  private static func validate(matchLabelKeysOf constraint: JSON, _ path: FieldPath) -> [FieldError] {
    let keys = constraint["matchLabelKeys"].items
    if keys.isEmpty { return [] }
    var errors: [FieldError] = []
    let selector = constraint["labelSelector"]
    if selector.isNull {
      errors.append(.forbidden(path, "must not be specified when labelSelector is not set"))
    }
    let selected =
      selector["matchLabels"].fields.map(\.key) + selector["matchExpressions"].items.compactMap { $0["key"].string }
    for (index, key) in keys.enumerated() {
      errors += FieldRules.labelName(key, path.index(index))
      if selected.contains(key.string ?? "") {
        errors.append(.invalid(path.index(index), key, "exists in both matchLabelKeys and labelSelector"))
      }
    }
    return errors
  }

  static func validate(schedulingGates gates: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    var seen: Set<String> = []
    for (index, gate) in gates.items.enumerated() {
      errors += FieldRules.labelName(gate["name"], path.index(index))
      if !seen.insert(gate["name"].string ?? "").inserted {
        errors.append(.duplicate(path.index(index), .string(gate["name"].string ?? "")))
      }
    }
    return errors
  }
}
