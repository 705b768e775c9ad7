import Wire

extension KindRules {
  static let roles = KindRules(
    name: NameRules.pathSegment,
    validate: { new, _ in
      var errors: [FieldError] = []
      for (index, rule) in new["rules"].items.enumerated() {
        errors += validate(rule: rule, FieldPath("rules").index(index), isLocal: new["kind"].string == "Role")
      }
      let aggregation = new["aggregationRule"]
      if !aggregation.isNull {
        let at: FieldPath = "aggregationRule.clusterRoleSelectors"
        if aggregation["clusterRoleSelectors"].items.isEmpty {
          errors.append(.required(at, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
        }
        for (index, selector) in aggregation["clusterRoleSelectors"].items.enumerated() {
          errors += FieldRules.labelSelector(selector, at.index(index))
        }
      }
      return errors
    }, createsOnUpdate: true)

  private static func validate(rule: JSON, _ at: FieldPath, isLocal: Bool) -> [FieldError] {
    var errors: [FieldError] = []
    if rule["verbs"].items.isEmpty {
      errors.append(.required(at.child("verbs"), "verbs must contain at least one value"))
    }
    let paths = rule["nonResourceURLs"]
    if !paths.items.isEmpty {
      if isLocal {
        errors.append(
          .invalid(at.child("nonResourceURLs"), paths, "namespaced rules cannot apply to non-resource URLs"))
      }
      if !rule["apiGroups"].items.isEmpty || !rule["resources"].items.isEmpty || !rule["resourceNames"].items.isEmpty {
        errors.append(
          .invalid(
            at.child("nonResourceURLs"), paths, "rules cannot apply to both regular resources and non-resource URLs"))
      }
      return errors
    }
    if rule["apiGroups"].items.isEmpty {
      errors.append(.required(at.child("apiGroups"), "resource rules must supply at least one api group"))
    }
    if rule["resources"].items.isEmpty {
      errors.append(.required(at.child("resources"), "resource rules must supply at least one resource"))
    }
    return errors
  }

  private static let authorization = "rbac.authorization.k8s.io"

  static let bindings = KindRules(
    name: NameRules.pathSegment,
    defaults: { object in
      if object["roleRef"].object != nil, (object["roleRef"]["apiGroup"].string ?? "").isEmpty {
        object["roleRef"]["apiGroup"] = .string(authorization)
      }
      object.ifPresent("subjects") { subjects in
        subjects.changeEach { subject in
          guard (subject["apiGroup"].string ?? "").isEmpty else { return }
          let kind = subject["kind"].string
          if kind == "User" || kind == "Group" { subject["apiGroup"] = .string(authorization) }
        }
      }
    },
    validate: { new, old in
      let reference = new["roleRef"]
      let isLocal = new["kind"].string == "RoleBinding"
      var errors: [FieldError] = []
      if reference["apiGroup"].string != authorization {
        errors.append(
          .notSupported("roleRef.apiGroup", .string(reference["apiGroup"].string ?? ""), supported: [authorization]))
      }
      let kind = reference["kind"].string ?? ""
      let allowed = isLocal ? ["Role", "ClusterRole"] : ["ClusterRole"]
      if !allowed.contains(kind) {
        errors.append(.notSupported("roleRef.kind", .string(kind), supported: allowed))
      }
      errors += FieldRules.requiredName(reference["name"], NameRules.pathSegment, "roleRef.name")
      for (index, subject) in new["subjects"].items.enumerated() {
        errors += validate(subject: subject, FieldPath("subjects").index(index), isLocal: isLocal)
      }
      if let old, old["roleRef"] != reference {
        errors.append(.invalid("roleRef", reference, "cannot change roleRef"))
      }
      return errors
    }, createsOnUpdate: true)

  private static func validate(subject: JSON, _ at: FieldPath, isLocal: Bool) -> [FieldError] {
    var errors = FieldRules.required(subject["name"], at.child("name"))
    let kind = subject["kind"].string ?? ""
    let group = subject["apiGroup"].string ?? ""
    switch kind {
    case "ServiceAccount":
      errors += FieldRules.name(subject["name"], NameRules.dns1123Subdomain, at.child("name"))
      if !group.isEmpty { errors.append(.notSupported(at.child("apiGroup"), .string(group), supported: [""])) }
      if !isLocal, (subject["namespace"].string ?? "").isEmpty { errors.append(.required(at.child("namespace"))) }
    case "User", "Group":
      if group != authorization {
        errors.append(.notSupported(at.child("apiGroup"), .string(group), supported: [authorization]))
      }
    default:
      errors.append(
        .notSupported(at.child("kind"), .string(kind), supported: ["ServiceAccount", "User", "Group"]))
    }
    return errors
  }

  static let podDisruptionBudgets = KindRules(
    validate: { new, _ in
      let spec = new["spec"]
      var errors: [FieldError] = []
      if !spec["minAvailable"].isNull, !spec["maxUnavailable"].isNull {
        errors.append(.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
      }
      for field in ["minAvailable", "maxUnavailable"] {
        errors += FieldRules.intOrPercent(spec[field], FieldPath("spec").child(field))
        errors += FieldRules.notMoreThanAll(spec[field], FieldPath("spec").child(field))
      }
      errors += FieldRules.labelSelector(spec["selector"], "spec.selector")
      return errors
        + FieldRules.oneOf(
          spec["unhealthyPodEvictionPolicy"], ["AlwaysAllow", "IfHealthyBudget"], "spec.unhealthyPodEvictionPolicy",
          optional: true)
    },
    validateStatus: { new, _ in
      FieldRules.nonNegative(
        new["status"], ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"], "status")
    },
    countsGenerations: true, updatesUnconditionally: false)
}
