import Wire

extension KindRules {
  static let jobs = KindRules(
    defaults: { object in object.ifPresent("spec", JobRules.defaults) },
    validate: { new, old in
      var errors = JobRules.validate(new["spec"], "spec")
      if new["spec"]["manualSelector"].bool != true, old == nil { errors += JobRules.generatedSelector(new) }
      if let old { errors += JobRules.validateUpdate(new["spec"], old["spec"], old) }
      return errors
    },
    validateStatus: { new, _ in
      FieldRules.nonNegative(new["status"], ["active", "succeeded", "failed", "ready", "terminating"], "status")
    },
    prepareCreate: { object, _ in
      // The selector is the job's own uid, unless the user says that he cares for it.
      guard object["spec"]["manualSelector"].bool != true, let uid = object["metadata"]["uid"].string else { return }
      let name = object["metadata"]["name"]
      for (key, value) in [
        ("batch.kubernetes.io/controller-uid", JSON.string(uid)), ("batch.kubernetes.io/job-name", name),
        ("controller-uid", .string(uid)), ("job-name", name),
      ] { object["spec"]["template"]["metadata"]["labels"][key] = value }
      object["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"] = .string(uid)
    },
    warnings: WorkloadRules.templateWarnings, countsGenerations: true,
    fields: ["status.successful": { String($0["status"]["succeeded"].int ?? 0) }], orphansByDefault: false)

  static let cronJobs = KindRules(
    // Eleven bytes are left for the time in the names of its jobs.
    name: { name in
      NameRules.dns1123Subdomain(name) + (name.utf8.count > 52 ? ["must be no more than 52 characters"] : [])
    },
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("concurrencyPolicy", "Allow")
        spec.setDefault("suspend", false)
        spec.setDefault("successfulJobsHistoryLimit", 3)
        spec.setDefault("failedJobsHistoryLimit", 1)
        spec["jobTemplate"].ifPresent("spec") { WorkloadRules.template(&$0) }
      }
    },
    validate: { new, old in CronJobRules.validate(new["spec"], old?["spec"]) },
    warnings: { new, old in
      old != nil && old?["spec"]["jobTemplate"] == new["spec"]["jobTemplate"]
        ? []
        : PodRules.warnings(
          spec: new["spec"]["jobTemplate"]["spec"]["template"]["spec"], "spec.jobTemplate.spec.template.spec")
    }, countsGenerations: true)
}

/// Rules of Jobs (`pkg/apis/batch/validation`).
enum JobRules {
  private static let parallelismLimit = 100_000
  private static let policyRulesLimit = 20

  static func defaults(_ spec: inout JSON) {
    if spec["completions"].isNull, spec["parallelism"].isNull {
      spec["completions"] = 1
      spec["parallelism"] = 1
    }
    spec.setDefault("parallelism", 1)
    // By index or not at all: a limit per index makes that of the whole a large one.
    let limit: JSON = spec.has("backoffLimitPerIndex") ? 2_147_483_647 : 6
    spec.setDefault("backoffLimit", limit)
    spec.setDefault("completionMode", "NonIndexed")
    spec.setDefault("suspend", false)
    let replaces: JSON = spec.has("podFailurePolicy") ? "Failed" : "TerminatingOrFailed"
    spec.setDefault("podReplacementPolicy", replaces)
    spec["podFailurePolicy"].ifPresent("rules") { rules in
      rules.changeEach { rule in
        rule.ifPresent("onPodConditions") { $0.changeEach { $0.setDefault("status", "True") } }
      }
    }
    WorkloadRules.template(&spec)
  }

  static func validate(_ spec: JSON, _ path: FieldPath) -> [FieldError] {
    let template = spec["template"]["spec"]
    var errors = FieldRules.nonNegative(
      spec,
      [
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex", "maxFailedIndexes",
      ], path)
    let mode = spec["completionMode"].string
    if let mode, mode != "NonIndexed", mode != "Indexed" {
      errors.append(
        .notSupported(path.child("completionMode"), .string(mode), supported: ["Indexed", "NonIndexed"]))
    }
    if mode == "Indexed" {
      if spec["completions"].isNull {
        errors.append(.required(path.child("completions"), "when completion mode is Indexed"))
      }
      if let parallelism = spec["parallelism"].int, parallelism > parallelismLimit {
        errors.append(
          .invalid(
            path.child("parallelism"), spec["parallelism"],
            "must be less than or equal to \(parallelismLimit) when completion mode is Indexed"))
      }
      if let failed = spec["maxFailedIndexes"].int, let all = spec["completions"].int, failed > all {
        errors.append(
          .invalid(
            path.child("maxFailedIndexes"), spec["maxFailedIndexes"], "must be less than or equal to completions"))
      }
    } else {
      for field in ["backoffLimitPerIndex", "maxFailedIndexes"] where !spec[field].isNull {
        errors.append(.invalid(path.child(field), spec[field], "requires indexed completion mode"))
      }
      if !spec["successPolicy"].isNull {
        errors.append(
          .invalid(path.child("successPolicy"), spec["successPolicy"], "requires indexed completion mode"))
      }
    }
    if !spec["maxFailedIndexes"].isNull, spec["backoffLimitPerIndex"].isNull {
      errors.append(
        .required(path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
    }
    errors += FieldRules.oneOf(
      spec["podReplacementPolicy"],
      spec["podFailurePolicy"].isNull ? ["Failed", "TerminatingOrFailed"] : ["Failed"],
      path.child("podReplacementPolicy"), optional: true)
    if let manager = spec["managedBy"].string {
      errors += IngressRules.domainPrefixedPath(manager, path.child("managedBy"))
      if manager.utf8.count > 63 { errors.append(.tooLong(path.child("managedBy"), limit: 63)) }
    }
    errors += PodRules.validate(template: spec["template"], path.child("template"))
    errors += validate(failurePolicy: spec["podFailurePolicy"], spec, path.child("podFailurePolicy"))
    let at = path.child("template").child("spec").child("restartPolicy")
    switch template["restartPolicy"].string {
    case nil, "", "Always":
      errors.append(.required(at, "valid values: \"OnFailure\", \"Never\""))
    case "OnFailure":
      if !spec["podFailurePolicy"].isNull {
        errors.append(.invalid(at, "OnFailure", "only \"Never\" is supported when podFailurePolicy is specified"))
      }
    case "Never": break
    case let other?: errors.append(.notSupported(at, .string(other), supported: ["OnFailure", "Never"]))
    }
    return errors
  }

  private static func validate(failurePolicy policy: JSON, _ spec: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    let rules = policy["rules"].items
    if rules.count > policyRulesLimit {
      errors.append(.tooMany(path.child("rules"), count: rules.count, limit: policyRulesLimit))
    }
    for (index, rule) in rules.enumerated() {
      let at = path.child("rules").index(index)
      let action = rule["action"].string ?? ""
      switch action {
      case "":
        errors.append(.required(at.child("action"), "valid values: \"Count\", \"FailIndex\", \"FailJob\", \"Ignore\""))
      case "FailIndex":
        if spec["backoffLimitPerIndex"].isNull {
          errors.append(.invalid(at.child("action"), "FailIndex", "requires the backoffLimitPerIndex to be set"))
        }
      case "Count", "FailJob", "Ignore": break
      default:
        errors.append(
          .notSupported(
            at.child("action"), .string(action), supported: ["Count", "FailIndex", "FailJob", "Ignore"]))
      }
      let hasCodes = !rule["onExitCodes"].isNull
      let hasConditions = !rule["onPodConditions"].items.isEmpty
      if hasCodes, hasConditions {
        errors.append(
          .invalid(at, rule, "specifying both OnExitCodes and OnPodConditions is not supported"))
      } else if !hasCodes, !hasConditions {
        errors.append(.invalid(at, rule, "specifying one of OnExitCodes and OnPodConditions is required"))
      }
      if hasCodes { errors += validate(exitCodes: rule["onExitCodes"], at.child("onExitCodes"), spec) }
      for (place, condition) in rule["onPodConditions"].items.enumerated() {
        let at = at.child("onPodConditions").index(place)
        errors += FieldRules.labelName(condition["type"], at.child("type"))
        errors += FieldRules.oneOf(condition["status"], ["False", "True", "Unknown"], at.child("status"))
      }
    }
    return errors
  }

  private static func validate(exitCodes: JSON, _ at: FieldPath, _ spec: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    let op = exitCodes["operator"].string ?? ""
    switch op {
    case "": errors.append(.required(at.child("operator"), "valid values: \"In\", \"NotIn\""))
    case "In", "NotIn": break
    default: errors.append(.notSupported(at.child("operator"), .string(op), supported: ["In", "NotIn"]))
    }
    if let name = exitCodes["containerName"].string {
      let containers = spec["template"]["spec"]["containers"].items + spec["template"]["spec"]["initContainers"].items
      if !containers.contains(where: { $0["name"].string == name }) {
        errors.append(
          .invalid(
            at.child("containerName"), .string(name),
            "must be one of the container or initContainer names in the pod template"))
      }
    }
    let values = exitCodes["values"].items
    if values.isEmpty {
      errors.append(.invalid(at.child("values"), .array([]), "at least one value is required"))
    } else if values.count > 255 {
      errors.append(.tooMany(at.child("values"), count: values.count, limit: 255))
    }
    var last: Int?
    var isOrdered = true
    for (index, value) in values.enumerated() {
      if op == "In", value.int == 0 {
        errors.append(.invalid(at.child("values").index(index), value, "must not be 0 for the In operator"))
      }
      if let last, let number = value.int, number <= last { isOrdered = false }
      last = value.int
    }
    if Set(values.compactMap(\.int)).count != values.count {
      for (index, value) in values.enumerated() where values[..<index].contains(value) {
        errors.append(.duplicate(at.child("values").index(index), value))
      }
    } else if !isOrdered {
      errors.append(.invalid(at.child("values"), exitCodes["values"], "must be ordered"))
    }
    return errors
  }

  /// A selector is only taken from a user who says that he cares for it.
  static func generatedSelector(_ job: JSON) -> [FieldError] {
    guard let uid = job["metadata"]["uid"].string else { return [] }
    let label = "batch.kubernetes.io/controller-uid"
    let given = job["spec"]["selector"]["matchLabels"].fields.contains { $0.key != label && $0.key != "controller-uid" }
    if given || job["spec"]["selector"]["matchLabels"][label].string != uid {
      return [
        .invalid("spec.selector", job["spec"]["selector"], "`selector` not auto-generated")
      ]
    }
    return []
  }

  static func validateUpdate(_ spec: JSON, _ old: JSON, _ job: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    // An indexed job may grow and shrink with its parallelism.
    let isElastic =
      spec["completionMode"].string == "Indexed" && spec["completions"] == spec["parallelism"]
    if spec["completions"] != old["completions"], !isElastic {
      errors.append(.invalid("spec.completions", spec["completions"], FieldRules.immutableText))
    }
    errors += FieldRules.immutable(spec["selector"], old["selector"], "spec.selector")
    var after = spec["template"]
    var before = old["template"]
    if old["suspend"].bool == true, job["status"]["startTime"].isNull {
      // Where its pods may go can be said until it first starts.
      for part in ["annotations", "labels"] {
        after["metadata"][part] = .null
        before["metadata"][part] = .null
      }
      for part in ["nodeSelector", "affinity", "tolerations", "schedulingGates"] {
        after["spec"][part] = .null
        before["spec"][part] = .null
      }
    }
    if !FieldRules.same(after, before) {
      errors.append(.invalid("spec.template", spec["template"], FieldRules.immutableText))
    }
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
      errors += FieldRules.immutable(spec[field], old[field], FieldPath("spec").child(field))
    }
    return errors
  }
}
