import Wire

extension KindRules {
  static let events = KindRules(
    defaults: { object in
      if object["source"].isNull { object["source"] = .emptyObject }
      object.setDefault("reportingComponent", "")
      object.setDefault("reportingInstance", "")
    },
    validate: { new, old in
      var errors: [FieldError] = []
      let namespace = new["metadata"]["namespace"].string ?? ""
      let involved = new["involvedObject"]["namespace"].string ?? ""
      if old == nil, involved.isEmpty ? namespace != "default" && namespace != "kube-system" : namespace != involved {
        errors.append(
          .invalid("involvedObject.namespace", .string(involved), "does not match event.namespace"))
      }
      // Those that say when they happened in the new way are held to more.
      guard !new["eventTime"].isNull else { return errors }
      if old == nil { errors += recent(new) }
      return errors
    },
    fields: [
      "involvedObject.kind": text("involvedObject", "kind"),
      "involvedObject.namespace": text("involvedObject", "namespace"),
      "involvedObject.name": text("involvedObject", "name"), "involvedObject.uid": text("involvedObject", "uid"),
      "involvedObject.apiVersion": text("involvedObject", "apiVersion"),
      "involvedObject.resourceVersion": text("involvedObject", "resourceVersion"),
      "involvedObject.fieldPath": text("involvedObject", "fieldPath"), "reason": text("reason"),
      "reportingComponent": { event in
        let text = event["reportingComponent"].string ?? ""
        return text.isEmpty ? event["source"]["component"].string ?? "" : text
      },
      "source": { event in
        let text = event["source"]["component"].string ?? ""
        return text.isEmpty ? event["reportingComponent"].string ?? "" : text
      }, "type": text("type"),
    ], createsOnUpdate: true)

  /// The same objects by the names that events.k8s.io has for their fields.
  static let newEvents: KindRules = {
    var rules = events
    rules.fields = [:]
    for (name, kept) in [("reason", "reason"), ("type", "type"), ("reportingController", "reportingComponent")] {
      rules.fields[name] = events.fields[kept]
    }
    for part in ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"] {
      rules.fields["regarding.\(part)"] = events.fields["involvedObject.\(part)"]
    }
    return rules
  }()

  private static let instanceLimit = 128
  private static let reasonLimit = 128
  private static let noteLimit = 1024

  private static func recent(_ event: JSON) -> [FieldError] {
    var errors = FieldRules.required(event["reportingComponent"], "reportingController")
    errors += FieldRules.name(event["reportingComponent"], NameRules.qualifiedName, "reportingController")
    errors += FieldRules.required(event["reportingInstance"], "reportingInstance")
    errors += FieldRules.required(event["action"], "action")
    errors += FieldRules.required(event["reason"], "reason")
    for (field, shown, limit) in [
      ("reportingInstance", "reportingInstance", instanceLimit), ("action", "action", instanceLimit),
      ("reason", "reason", reasonLimit), ("message", "message", noteLimit),
    ] where (event[field].string?.utf8.count ?? 0) > limit {
      errors.append(.invalid(FieldPath(shown), "", "can have at most \(limit) characters"))
    }
    errors += FieldRules.oneOf(event["type"], ["Normal", "Warning"], "type")
    return errors
  }

  static let leases = KindRules(
    validate: { new, _ in
      let spec = new["spec"]
      var errors: [FieldError] = []
      if let seconds = spec["leaseDurationSeconds"].int, seconds <= 0 {
        errors.append(.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"))
      }
      errors += FieldRules.nonNegative(spec["leaseTransitions"], "spec.leaseTransitions")
      return errors
    }, updatesUnconditionally: false, createsOnUpdate: true)

  static let priorityClasses = KindRules(
    defaults: { object in object.setDefault("preemptionPolicy", "PreemptLowerPriority") },
    validate: { new, old in
      var errors: [FieldError] = []
      let name = new["metadata"]["name"].string ?? ""
      if name.hasPrefix("system-") {
        if let standard = systemPriorities[name] {
          if new["value"].int != standard {
            errors.append(
              .forbidden(
                "metadata.name",
                "priority class names with 'system-' prefix are reserved for system use only. error: value of "
                  + "\(name) PriorityClass must be \(standard)"))
          }
        } else {
          errors.append(
            .forbidden(
              "metadata.name",
              "priority class names with 'system-' prefix are reserved for system use only. error: \(name) is not a "
                + "known system priority class"))
        }
      } else if let value = new["value"].int, value > 1_000_000_000 {
        errors.append(.forbidden("value", "maximum allowed value of a user defined priority is 1000000000"))
      }
      errors += FieldRules.oneOf(
        new["preemptionPolicy"], ["PreemptLowerPriority", "Never"], "preemptionPolicy", optional: true)
      if let old {
        if (old["value"].int ?? 0) != (new["value"].int ?? 0) {
          errors.append(.forbidden("value", "may not be changed in an update."))
        }
        errors += FieldRules.immutable(new["preemptionPolicy"], old["preemptionPolicy"], "preemptionPolicy")
      }
      return errors
    }, countsGenerations: true)

  private static let systemPriorities = [
    "system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000,
  ]

  static let runtimeClasses = KindRules(
    validate: { new, old in
      var errors = FieldRules.texts(
        NameRules.dns1123Label(new["handler"].string ?? ""), .string(new["handler"].string ?? ""), "handler")
      if !new["overhead"]["podFixed"].isNull {
        errors += ResourceRules.requirements(["limits": new["overhead"]["podFixed"]], "overhead.podFixed")
      }
      errors += FieldRules.labels(new["scheduling"]["nodeSelector"], "scheduling.nodeSelector")
      errors += PodRules.validate(tolerations: new["scheduling"]["tolerations"], "scheduling.tolerations")
      if let old { errors += FieldRules.immutable(new["handler"], old["handler"], "handler") }
      return errors
    })
}
