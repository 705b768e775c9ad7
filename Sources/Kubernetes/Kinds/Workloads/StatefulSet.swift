import Wire

extension KindRules {
  static let statefulSets = KindRules(
    // Its name is part of the names and labels of its pods.
    name: NameRules.dns1123Label,
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("replicas", 1)
        spec.setDefault("podManagementPolicy", "OrderedReady")
        spec.setDefault("revisionHistoryLimit", 10)
        spec.setDefault("serviceName", "")
        if spec["updateStrategy"]["type"].isNull { spec["updateStrategy"]["type"] = "RollingUpdate" }
        if spec["updateStrategy"]["type"].string == "RollingUpdate" {
          spec["updateStrategy"]["rollingUpdate"].setDefault("partition", 0)
        }
        spec["persistentVolumeClaimRetentionPolicy"].setDefault("whenDeleted", "Retain")
        spec["persistentVolumeClaimRetentionPolicy"].setDefault("whenScaled", "Retain")
        WorkloadRules.template(&spec)
        spec.ifPresent("volumeClaimTemplates") { claims in
          claims.changeEach { claim in
            claim.setDefault("apiVersion", "v1")
            claim.setDefault("kind", "PersistentVolumeClaim")
            claim.ifPresent("spec") { $0.setDefault("volumeMode", "Filesystem") }
            claim["status"].setDefault("phase", "Pending")
          }
        }
      }
    },
    validate: { new, old in StatefulSetRules.validate(new["spec"], old?["spec"]) },
    validateStatus: { new, old in
      WorkloadRules.validate(
        status: new["status"],
        counters: [
          "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "observedGeneration", "availableReplicas",
        ], whole: "replicas", parts: ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"])
        + WorkloadRules.collisions(new, old)
    },
    warnings: WorkloadRules.templateWarnings,
    countsGenerations: true)
}

/// Rules of StatefulSets that no other workload has.
enum StatefulSetRules {
  private static let updatable = [
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
  ]

  static func validate(_ spec: JSON, _ old: JSON?) -> [FieldError] {
    let path: FieldPath = "spec"
    var errors: [FieldError] = []
    if let policy = spec["podManagementPolicy"].string, policy != "OrderedReady", policy != "Parallel" {
      errors.append(
        .invalid(path.child("podManagementPolicy"), .string(policy), "must be 'OrderedReady' or 'Parallel'"))
    }
    errors += validate(strategy: spec["updateStrategy"])
    for field in ["whenDeleted", "whenScaled"] {
      errors += FieldRules.oneOf(
        spec["persistentVolumeClaimRetentionPolicy"][field], ["Delete", "Retain"],
        path.child("persistentVolumeClaimRetentionPolicy").child(field))
    }
    errors += FieldRules.nonNegative(spec, ["replicas", "minReadySeconds", "revisionHistoryLimit"], path)
    errors += FieldRules.nonNegative(spec["ordinals"]["start"], path.child("ordinals").child("start"))
    errors += FieldRules.name(spec["serviceName"], NameRules.dns1123Subdomain, path.child("serviceName"))
    // Its claims are volumes of the pods, so that mounts of them are right.
    var complete = spec
    for claim in spec["volumeClaimTemplates"].items {
      let name = claim["metadata"]["name"]
      guard !complete["template"]["spec"]["volumes"].items.contains(where: { $0["name"] == name }) else { continue }
      complete["template"]["spec"]["volumes"].append(
        ["name": name, "persistentVolumeClaim": ["claimName": name]] as JSON)
    }
    errors += WorkloadRules.validate(
      selectorOf: complete, path, empty: "empty selector is invalid for statefulset", kind: "StatefulSet")
    guard let old else { return errors }
    var before = old
    var after = spec
    for field in updatable {
      before[field] = .null
      after[field] = .null
    }
    if !FieldRules.same(before, after) {
      let listed = updatable.dropLast().map { "'\($0)'" }.joined(separator: ", ")
      errors.append(
        .forbidden(
          "spec", "updates to statefulset spec for fields other than \(listed) and 'minReadySeconds' are forbidden"))
    }
    return errors
  }

  private static func validate(strategy: JSON) -> [FieldError] {
    let path: FieldPath = "spec.updateStrategy"
    let update = strategy["rollingUpdate"]
    switch strategy["type"].string {
    case "OnDelete":
      return update.isNull
        ? []
        : [.invalid(path.child("rollingUpdate"), update, "only allowed for updateStrategy 'RollingUpdate'")]
    case "RollingUpdate":
      let at = path.child("rollingUpdate")
      var errors = FieldRules.nonNegative(update["partition"], at.child("partition"))
      guard !update["maxUnavailable"].isNull else { return errors }
      errors += FieldRules.intOrPercent(update["maxUnavailable"], at.child("maxUnavailable"))
      if DeploymentRules.scale(update["maxUnavailable"]) == 0 {
        errors.append(.invalid(at.child("maxUnavailable"), update["maxUnavailable"], "cannot be 0"))
      }
      return errors + FieldRules.notMoreThanAll(update["maxUnavailable"], at.child("maxUnavailable"))
    default:
      return [.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    }
  }
}
