import Wire

extension KindRules {
  static let deployments = KindRules(
    defaults: { object in
      WorkloadRules.labelsFromTemplate(&object)
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
      WorkloadRules.validate(new, old, immutableSelector: true) + WorkloadRules.validateRollingUpdate(new)
    },
    countsGenerations: true)

  static let replicaSets = KindRules(
    defaults: { object in
      WorkloadRules.labelsFromTemplate(&object)
      object.ifPresent("spec") { spec in
        spec.setDefault("replicas", 1)
        WorkloadRules.template(&spec)
      }
    },
    validate: { new, old in WorkloadRules.validate(new, old, immutableSelector: true) },
    countsGenerations: true, fields: ["status.replicas": { String($0["status"]["replicas"].int ?? 0) }])

  static let replicationControllers = KindRules(
    defaults: { object in
      WorkloadRules.labelsFromTemplate(&object)
      object.ifPresent("spec") { spec in
        spec.setDefault("replicas", 1)
        if spec["selector"].isNull { spec["selector"] = spec["template"]["metadata"]["labels"] }
        WorkloadRules.template(&spec)
      }
    },
    countsGenerations: true, fields: ["status.replicas": { String($0["status"]["replicas"].int ?? 0) }],
    orphansByDefault: true)

  static let daemonSets = KindRules(
    defaults: { object in
      WorkloadRules.labelsFromTemplate(&object)
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
    validate: { new, old in WorkloadRules.validate(new, old, immutableSelector: true) },
    countsGenerations: true)

  static let statefulSets = KindRules(
    defaults: { object in
      WorkloadRules.labelsFromTemplate(&object)
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
    validate: { new, old in
      var errors = WorkloadRules.validate(new, old, immutableSelector: false)
      guard let old else { return errors }
      var before = old["spec"]
      var after = new["spec"]
      for field in [
        "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
      ] {
        before[field] = .null
        after[field] = .null
      }
      if before != after {
        errors.append(
          .forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
              + "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"))
      }
      return errors
    },
    countsGenerations: true)

  static let jobs = KindRules(
    defaults: { object in
      WorkloadRules.labelsFromTemplate(&object)
      object.ifPresent("spec", WorkloadRules.jobDefaults)
    },
    validate: { new, old in
      var errors: [FieldError] = []
      if old == nil {
        errors += PodRules.validate(spec: new["spec"]["template"]["spec"], "spec.template.spec", inPod: false)
        let policy = new["spec"]["template"]["spec"]["restartPolicy"].string ?? "Always"
        if policy != "OnFailure", policy != "Never" {
          errors.append(
            .required("spec.template.spec.restartPolicy", "valid values: \"OnFailure\", \"Never\""))
        }
      } else if let old {
        for field in ["completions", "selector", "template", "completionMode"]
        where old["spec"][field] != new["spec"][field] && !(field == "completions" || field == "template") {
          errors.append(.invalid("spec.\(field)", new["spec"][field], "field is immutable"))
        }
      }
      return errors
    },
    prepareCreate: { object in
      // The selector is the job's own uid, unless the user says that he cares for it.
      guard object["spec"]["manualSelector"].bool != true, let uid = object["metadata"]["uid"].string else { return }
      let name = object["metadata"]["name"]
      for (key, value) in [
        ("batch.kubernetes.io/controller-uid", JSON.string(uid)), ("batch.kubernetes.io/job-name", name),
        ("controller-uid", .string(uid)), ("job-name", name),
      ] { object["spec"]["template"]["metadata"]["labels"][key] = value }
      object["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"] = .string(uid)
    },
    countsGenerations: true,
    fields: ["status.successful": { String($0["status"]["succeeded"].int ?? 0) }], orphansByDefault: false)

  static let cronJobs = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("concurrencyPolicy", "Allow")
        spec.setDefault("suspend", false)
        spec.setDefault("successfulJobsHistoryLimit", 3)
        spec.setDefault("failedJobsHistoryLimit", 1)
        spec["jobTemplate"].ifPresent("spec") { spec in
          spec.ifPresent("template") { $0.ifPresent("spec") { PodRules.defaults(&$0, inPod: false) } }
        }
      }
    },
    validate: { new, _ in
      (new["spec"]["schedule"].string ?? "").isEmpty ? [.required("spec.schedule")] : []
    },
    countsGenerations: true)
}

/// What workloads have in common.
enum WorkloadRules {
  /// An object without labels has its template's (`SetDefaults_…` of apps).
  static func labelsFromTemplate(_ object: inout JSON) {
    // Only the legacy kinds do so; apps/v1 leaves labels alone.
    guard object["kind"].string == "ReplicationController" else { return }
    let labels = object["spec"]["template"]["metadata"]["labels"]
    if object["metadata"]["labels"].fields.isEmpty, !labels.fields.isEmpty { object["metadata"]["labels"] = labels }
  }

  static func template(_ spec: inout JSON) {
    spec.ifPresent("template") { template in
      template.ifPresent("spec") { PodRules.defaults(&$0, inPod: false) }
    }
  }

  static func jobDefaults(_ spec: inout JSON) {
    if spec["completions"].isNull, spec["parallelism"].isNull {
      spec["completions"] = 1
      spec["parallelism"] = 1
    }
    spec.setDefault("parallelism", 1)
    spec.setDefault("backoffLimit", 6)
    spec.setDefault("completionMode", "NonIndexed")
    spec.setDefault("suspend", false)
    spec.setDefault("manualSelector", .null)
    let replaces: JSON = spec.has("podFailurePolicy") ? "Failed" : "TerminatingOrFailed"
    spec.setDefault("podReplacementPolicy", replaces)
    template(&spec)
  }

  static func validate(_ new: JSON, _ old: JSON?, immutableSelector: Bool) -> [FieldError] {
    var errors: [FieldError] = []
    let spec = new["spec"]
    if let replicas = spec["replicas"].int, replicas < 0 {
      errors.append(.invalid("spec.replicas", .int(Int64(replicas)), "must be greater than or equal to 0"))
    }
    let selector = spec["selector"]
    if selector.isNull {
      errors.append(.required("spec.selector"))
    } else if selector["matchLabels"].fields.isEmpty, selector["matchExpressions"].items.isEmpty {
      errors.append(.invalid("spec.selector", selector, "empty selector is invalid for \(named(new))"))
    }
    do throws(SelectorError) {
      let parsed = try LabelSelector(labelSelector: selector)
      let labels = spec["template"]["metadata"]["labels"]
      if !selector.isNull, !parsed.matches(labels) {
        errors.append(
          .invalid(
            "spec.template.metadata.labels", labels.isNull ? .emptyObject : labels,
            "`selector` does not match template `labels`"))
      }
    } catch {
      errors.append(.invalid("spec.selector", selector, error.description))
    }
    for field in spec["template"]["metadata"]["labels"].fields {
      errors += validateLabel(field.key, field.value, "spec.template.metadata.labels")
    }
    errors += PodRules.validate(spec: spec["template"]["spec"], "spec.template.spec", inPod: false)
    if let policy = spec["template"]["spec"]["restartPolicy"].string, policy != "Always" {
      errors.append(.notSupported("spec.template.spec.restartPolicy", .string(policy), supported: ["Always"]))
    }
    if !spec["template"]["spec"]["activeDeadlineSeconds"].isNull {
      errors.append(
        .forbidden(
          "spec.template.spec.activeDeadlineSeconds",
          "activeDeadlineSeconds in \(new["kind"].string ?? "") is not Supported"))
    }
    if immutableSelector, let old, old["spec"]["selector"] != selector {
      errors.append(.invalid("spec.selector", selector, "field is immutable"))
    }
    return errors
  }

  private static func named(_ object: JSON) -> String {
    switch object["kind"].string {
    case "DaemonSet": "daemonset"
    case "StatefulSet": "statefulset"
    default: "deployment"
    }
  }

  static func validateRollingUpdate(_ object: JSON) -> [FieldError] {
    let strategy = object["spec"]["strategy"]
    switch strategy["type"].string {
    case "Recreate":
      return strategy["rollingUpdate"].isNull
        ? []
        : [
          .forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'")
        ]
    case "RollingUpdate":
      let unavailable = IntOrString(strategy["rollingUpdate"]["maxUnavailable"])?.scaled(100, roundingUp: false) ?? 0
      let surge = IntOrString(strategy["rollingUpdate"]["maxSurge"])?.scaled(100, roundingUp: true) ?? 0
      guard unavailable == 0, surge == 0 else { return [] }
      return [
        .invalid(
          "spec.strategy.rollingUpdate.maxUnavailable", strategy["rollingUpdate"]["maxUnavailable"],
          "may not be 0 when `maxSurge` is 0")
      ]
    case let other:
      return [
        .notSupported("spec.strategy.type", JSON(other), supported: ["Recreate", "RollingUpdate"])
      ]
    }
  }
}
