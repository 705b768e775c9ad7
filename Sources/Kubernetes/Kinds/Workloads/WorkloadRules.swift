import Wire

/// What workloads have in common (`pkg/apis/apps/validation`).
enum WorkloadRules {
  /// Sets what a template leaves open.
  static func template(_ spec: inout JSON) {
    spec.ifPresent("template") { template in
      template.ifPresent("spec") { PodRules.defaults(&$0, inPod: false) }
    }
  }

  /// A selector and the template that it must select. `called` is the workload as messages name it.
  static func validate(
    selectorOf spec: JSON, _ path: FieldPath, empty: String, kind: String, restartPolicies: [String] = ["Always"]
  ) -> [FieldError] {
    let selector = spec["selector"]
    var errors: [FieldError] = []
    if selector.isNull {
      errors.append(.required(path.child("selector")))
    } else {
      errors += FieldRules.labelSelector(selector, path.child("selector"))
      if selector["matchLabels"].fields.isEmpty, selector["matchExpressions"].items.isEmpty {
        errors.append(.invalid(path.child("selector"), selector, empty))
      }
    }
    guard let parsed = try? LabelSelector(labelSelector: selector) else {
      return errors + [.invalid(path.child("selector"), selector, "invalid label selector")]
    }
    return errors + validate(templateOf: spec, path, parsed, kind: kind, restartPolicies: restartPolicies)
  }

  static func validate(
    templateOf spec: JSON, _ path: FieldPath, _ selector: LabelSelector, kind: String,
    restartPolicies: [String] = ["Always"]
  ) -> [FieldError] {
    let template = spec["template"]
    let at = path.child("template")
    var errors: [FieldError] = []
    let labels = template["metadata"]["labels"]
    if !selector.isEverything, !selector.isNothing, !selector.matches(labels) {
      errors.append(
        .invalid(
          at.child("metadata").child("labels"), labels.isNull ? .emptyObject : labels,
          "`selector` does not match template `labels`"))
    }
    errors += PodRules.validate(template: template, at)
    let policy = template["spec"]["restartPolicy"]
    if let text = policy.string, !restartPolicies.contains(text) {
      errors.append(
        .notSupported(at.child("spec").child("restartPolicy"), policy, supported: restartPolicies))
    }
    if !template["spec"]["activeDeadlineSeconds"].isNull {
      errors.append(
        .forbidden(
          at.child("spec").child("activeDeadlineSeconds"), "activeDeadlineSeconds in \(kind) is not Supported"))
    }
    return errors
  }

  /// Counters of a status: none negative, none of the parts more than the whole.
  static func validate(status: JSON, counters: [String], whole: String, parts: [String]) -> [FieldError] {
    let path: FieldPath = "status"
    var errors = FieldRules.nonNegative(status, counters, path)
    let total = status[whole].int ?? 0
    for part in parts where (status[part].int ?? 0) > total {
      errors.append(.invalid(path.child(part), status[part], "cannot be greater than status.\(whole)"))
    }
    if parts.contains("availableReplicas"), parts.contains("readyReplicas"),
      (status["availableReplicas"].int ?? 0) > (status["readyReplicas"].int ?? 0)
    {
      errors.append(
        .invalid(path.child("availableReplicas"), status["availableReplicas"], "cannot be greater than readyReplicas"))
    }
    return errors
  }

  static func collisions(_ new: JSON, _ old: JSON?) -> [FieldError] {
    let count = new["status"]["collisionCount"].int
    var errors = FieldRules.nonNegative(new["status"]["collisionCount"], "status.collisionCount")
    if let before = old?["status"]["collisionCount"].int, (count ?? -1) < before {
      errors.append(.invalid("status.collisionCount", .int(Int64(count ?? 0)), "cannot be decremented"))
    }
    return errors
  }

  static func templateWarnings(_ new: JSON, _ old: JSON?) -> [String] {
    old != nil && old?["spec"]["template"] == new["spec"]["template"]
      ? [] : PodRules.warnings(spec: new["spec"]["template"]["spec"], "spec.template.spec")
  }
}
