import Wire

extension KindRules {
  static let daemonSets = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("revisionHistoryLimit", 10)
        if spec["updateStrategy"]["type"].isNull { spec["updateStrategy"]["type"] = "RollingUpdate" }
        if spec["updateStrategy"]["type"].string == "RollingUpdate" {
          spec["updateStrategy"]["rollingUpdate"].setDefault("maxUnavailable", 1)
          spec["updateStrategy"]["rollingUpdate"].setDefault("maxSurge", 0)
        }
        WorkloadRules.template(&spec)
      }
    },
    validate: { new, old in
      let spec = new["spec"]
      var errors = WorkloadRules.validate(
        selectorOf: spec, "spec", empty: "empty selector is invalid for daemonset", kind: "DaemonSet")
      errors += FieldRules.nonNegative(spec, ["minReadySeconds", "revisionHistoryLimit"], "spec")
      errors += DaemonSetRules.validate(strategy: spec["updateStrategy"])
      if let old { errors += FieldRules.immutable(spec["selector"], old["spec"]["selector"], "spec.selector") }
      return errors
    },
    validateStatus: { new, old in
      FieldRules.nonNegative(
        new["status"],
        [
          "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady",
          "observedGeneration", "updatedNumberScheduled", "numberAvailable", "numberUnavailable",
        ], "status") + WorkloadRules.collisions(new, old)
    },
    warnings: WorkloadRules.templateWarnings, countsGenerations: true)
}

/// Rules of DaemonSets that no other workload has.
enum DaemonSetRules {
  static func validate(strategy: JSON) -> [FieldError] {
    let path: FieldPath = "spec.updateStrategy"
    switch strategy["type"].string {
    case "OnDelete": return []
    case "RollingUpdate":
      let update = strategy["rollingUpdate"]
      let at = path.child("rollingUpdate")
      if update.isNull { return [.required(at)] }
      let unavailable = update["maxUnavailable"]
      let surge = update["maxSurge"]
      var errors = FieldRules.intOrPercent(unavailable, at.child("maxUnavailable"))
      errors += FieldRules.notMoreThanAll(unavailable, at.child("maxUnavailable"))
      errors += FieldRules.intOrPercent(surge, at.child("maxSurge"))
      errors += FieldRules.notMoreThanAll(surge, at.child("maxSurge"))
      let hasUnavailable = DeploymentRules.scale(unavailable) != 0
      let hasSurge = DeploymentRules.scale(surge) != 0
      if hasUnavailable, hasSurge {
        errors.append(.invalid(at.child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero"))
      } else if !hasUnavailable, !hasSurge {
        errors.append(.required(at.child("maxUnavailable"), "cannot be 0 when maxSurge is 0"))
      }
      return errors
    case let other:
      return [.notSupported(path.child("type"), .string(other ?? ""), supported: ["RollingUpdate", "OnDelete"])]
    }
  }
}
