import Wire

extension KindRules {
  static let deployments = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("replicas", 1)
        spec.setDefault("revisionHistoryLimit", 10)
        spec.setDefault("progressDeadlineSeconds", 600)
        if spec["strategy"]["type"].isNull { spec["strategy"]["type"] = "RollingUpdate" }
        if spec["strategy"]["type"].string == "RollingUpdate" {
          spec["strategy"]["rollingUpdate"].setDefault("maxUnavailable", "25%")
          spec["strategy"]["rollingUpdate"].setDefault("maxSurge", "25%")
        }
        WorkloadRules.template(&spec)
      }
    },
    validate: { new, old in
      let spec = new["spec"]
      var errors = FieldRules.nonNegative(spec["replicas"], "spec.replicas")
      errors += WorkloadRules.validate(
        selectorOf: spec, "spec", empty: "empty selector is invalid for deployment", kind: "ReplicaSet")
      errors += DeploymentRules.validate(strategy: spec["strategy"])
      errors += FieldRules.nonNegative(spec, ["minReadySeconds", "revisionHistoryLimit"], "spec")
      if let deadline = spec["progressDeadlineSeconds"].int {
        errors += FieldRules.nonNegative(spec["progressDeadlineSeconds"], "spec.progressDeadlineSeconds")
        if deadline <= spec["minReadySeconds"].int ?? 0 {
          errors.append(
            .invalid(
              "spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], "must be greater than minReadySeconds"))
        }
      }
      if let old { errors += FieldRules.immutable(spec["selector"], old["spec"]["selector"], "spec.selector") }
      return errors
    },
    validateStatus: { new, old in
      WorkloadRules.validate(
        status: new["status"],
        counters: [
          "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
          "unavailableReplicas",
        ], whole: "replicas", parts: ["updatedReplicas", "readyReplicas", "availableReplicas"])
        + WorkloadRules.collisions(new, old)
    },
    warnings: WorkloadRules.templateWarnings, countsGenerations: true)

  static let replicaSets = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("replicas", 1)
        WorkloadRules.template(&spec)
      }
    },
    validate: { new, old in
      let spec = new["spec"]
      var errors = FieldRules.nonNegative(spec, ["replicas", "minReadySeconds"], "spec")
      errors += WorkloadRules.validate(
        selectorOf: spec, "spec", empty: "empty selector is invalid for deployment", kind: "ReplicaSet")
      if let old { errors += FieldRules.immutable(spec["selector"], old["spec"]["selector"], "spec.selector") }
      return errors
    },
    validateStatus: { new, _ in replicaStatus(new["status"]) }, warnings: WorkloadRules.templateWarnings,
    countsGenerations: true,
    fields: ["status.replicas": { String($0["status"]["replicas"].int ?? 0) }])

  static let replicationControllers = KindRules(
    defaults: { object in
      // Only this kind takes its labels and its selector from the template.
      let labels = object["spec"]["template"]["metadata"]["labels"]
      if !labels.fields.isEmpty {
        if object["metadata"]["labels"].fields.isEmpty { object["metadata"]["labels"] = labels }
        if object["spec"]["selector"].fields.isEmpty { object["spec"]["selector"] = labels }
      }
      object.ifPresent("spec") { spec in
        spec.setDefault("replicas", 1)
        WorkloadRules.template(&spec)
      }
    },
    validate: { new, _ in
      let spec = new["spec"]
      var errors = FieldRules.nonNegative(spec["minReadySeconds"], "spec.minReadySeconds")
      if spec["selector"].fields.isEmpty { errors.append(.required("spec.selector")) }
      errors += FieldRules.nonNegative(spec["replicas"], "spec.replicas")
      guard !spec["template"].isNull else { return errors + [.required("spec.template")] }
      return errors
        + WorkloadRules.validate(
          templateOf: spec, "spec", LabelSelector(matchLabels: spec["selector"]), kind: "ReplicationController")
    },
    validateStatus: { new, _ in replicaStatus(new["status"]) }, warnings: WorkloadRules.templateWarnings,
    countsGenerations: true,
    fields: ["status.replicas": { String($0["status"]["replicas"].int ?? 0) }], orphansByDefault: true)

  private static func replicaStatus(_ status: JSON) -> [FieldError] {
    WorkloadRules.validate(
      status: status,
      counters: ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"],
      whole: "replicas", parts: ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"])
  }

  static let controllerRevisions = KindRules(
    validate: { new, old in
      var errors: [FieldError] = []
      if new["data"].isNull { errors.append(.required("data", "data is mandatory")) }
      errors += FieldRules.nonNegative(new["revision"], "revision")
      if let old { errors += FieldRules.immutable(new["data"], old["data"], "data") }
      return errors
    })
}

/// Rules of Deployments that no other workload has.
enum DeploymentRules {
  static func validate(strategy: JSON) -> [FieldError] {
    let path: FieldPath = "spec.strategy"
    switch strategy["type"].string {
    case "Recreate":
      return strategy["rollingUpdate"].isNull
        ? []
        : [
          .forbidden(path.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'")
        ]
    case "RollingUpdate":
      let update = strategy["rollingUpdate"]
      let at = path.child("rollingUpdate")
      let unavailable = update["maxUnavailable"]
      var errors = FieldRules.intOrPercent(unavailable, at.child("maxUnavailable"))
      errors += FieldRules.intOrPercent(update["maxSurge"], at.child("maxSurge"))
      if scale(unavailable) == 0, scale(update["maxSurge"]) == 0 {
        errors.append(.invalid(at.child("maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0"))
      }
      return errors + FieldRules.notMoreThanAll(unavailable, at.child("maxUnavailable"))
    case let other:
      return [
        .notSupported(path.child("type"), .string(other ?? ""), supported: ["Recreate", "RollingUpdate"])
      ]
    }
  }

  /// The number, or of a percentage its number.
  static func scale(_ value: JSON) -> Int? {
    switch IntOrString(value) {
    case .int(let number): number
    case .string: IntOrString(value)?.percent
    case nil: 0
    }
  }
}
