import Wire

extension KindRules {
  static let nodes = KindRules(
    defaults: { object in
      object.setDefault("spec", .emptyObject)
      if object["status"]["allocatable"].isNull { object["status"]["allocatable"] = object["status"]["capacity"] }
    },
    validate: { new, old in
      var errors: [FieldError] = []
      for (index, taint) in new["spec"]["taints"].items.enumerated() {
        let at = FieldPath("spec.taints").index(index)
        let key = taint["key"].string ?? ""
        errors += NameRules.qualifiedName(key).map { .invalid(at.child("key"), .string(key), $0) }
        let effect = taint["effect"].string ?? ""
        if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(effect) {
          errors.append(
            effect.isEmpty
              ? .required(at.child("effect"))
              : .notSupported(
                at.child("effect"), .string(effect), supported: ["NoSchedule", "PreferNoSchedule", "NoExecute"]))
        }
      }
      guard let old else { return errors }
      for field in ["podCIDR", "providerID"] {
        if let before = old["spec"][field].string, !before.isEmpty, new["spec"][field].string != before {
          errors.append(
            .forbidden("spec.\(field)", "node updates may not change \(field) except from \"\" to valid"))
        }
      }
      return errors
    },
    fields: ["spec.unschedulable": { $0["spec"]["unschedulable"].bool == true ? "true" : "false" }],
    keepsStatusOnCreate: true)

  static let namespaces = KindRules(
    name: NameRules.dns1123Label,
    defaults: { object in
      if let name = object["metadata"]["name"].string {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = .string(name)
      }
    },
    prepareCreate: { object in
      object["status"] = ["phase": "Active"]
      if !object["spec"]["finalizers"].strings.contains("kubernetes") {
        object["spec"]["finalizers"].append("kubernetes")
      }
    },
    prepareUpdate: { new, old in new["spec"]["finalizers"] = old["spec"]["finalizers"] },
    fields: ["status.phase": text("status", "phase")], returnsDeleted: true)

  static let events = KindRules(
    defaults: { object in
      object.setDefault("count", .null)
      if object["source"].isNull { object["source"] = .emptyObject }
      if object["firstTimestamp"].isNull, object["eventTime"].isNull { object["firstTimestamp"] = .null }
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

  static let leases = KindRules(
    validate: { new, _ in
      var errors: [FieldError] = []
      if let seconds = new["spec"]["leaseDurationSeconds"].int, seconds <= 0 {
        errors.append(
          .invalid("spec.leaseDurationSeconds", .int(Int64(seconds)), "must be greater than 0"))
      }
      return errors
    }, updatesUnconditionally: false, createsOnUpdate: true)

  static let roles = KindRules(
    name: NameRules.pathSegment,
    validate: { new, _ in
      var errors: [FieldError] = []
      for (index, rule) in new["rules"].items.enumerated() {
        let at = FieldPath("rules").index(index)
        if rule["verbs"].items.isEmpty {
          errors.append(.required(at.child("verbs"), "verbs must contain at least one value"))
        }
        let paths = rule["nonResourceURLs"].items
        if !paths.isEmpty {
          if new["kind"].string == "Role" {
            errors.append(
              .invalid(
                at.child("nonResourceURLs"), rule["nonResourceURLs"],
                "namespaced rules cannot apply to non-resource URLs"))
          }
          if !rule["apiGroups"].items.isEmpty || !rule["resources"].items.isEmpty {
            errors.append(
              .invalid(
                at.child("nonResourceURLs"), rule["nonResourceURLs"],
                "rules cannot apply to both regular resources and non-resource URLs"))
          }
          continue
        }
        if rule["apiGroups"].items.isEmpty {
          errors.append(.required(at.child("apiGroups"), "resource rules must supply at least one api group"))
        }
        if rule["resources"].items.isEmpty {
          errors.append(.required(at.child("resources"), "resource rules must supply at least one resource"))
        }
      }
      return errors
    }, createsOnUpdate: true)

  static let bindings = KindRules(
    name: NameRules.pathSegment,
    defaults: { object in
      if object["roleRef"].object != nil { object["roleRef"].setDefault("apiGroup", "rbac.authorization.k8s.io") }
      object.ifPresent("subjects") { subjects in
        subjects.changeEach { subject in
          guard subject["apiGroup"].isNull else { return }
          let kind = subject["kind"].string
          if kind == "User" || kind == "Group" { subject["apiGroup"] = "rbac.authorization.k8s.io" }
        }
      }
    },
    validate: { new, old in
      var errors: [FieldError] = []
      let reference = new["roleRef"]
      let kind = reference["kind"].string ?? ""
      let allowed = new["kind"].string == "RoleBinding" ? ["Role", "ClusterRole"] : ["ClusterRole"]
      if !allowed.contains(kind) {
        errors.append(.notSupported("roleRef.kind", .string(kind), supported: allowed.sorted()))
      }
      if (reference["name"].string ?? "").isEmpty { errors.append(.required("roleRef.name")) }
      for (index, subject) in new["subjects"].items.enumerated() {
        let at = FieldPath("subjects").index(index)
        if (subject["name"].string ?? "").isEmpty { errors.append(.required(at.child("name"))) }
        let kind = subject["kind"].string ?? ""
        if !["User", "Group", "ServiceAccount"].contains(kind) {
          errors.append(
            .notSupported(at.child("kind"), .string(kind), supported: ["Group", "ServiceAccount", "User"]))
        }
        if kind == "ServiceAccount", new["kind"].string == "ClusterRoleBinding",
          (subject["namespace"].string ?? "").isEmpty
        {
          errors.append(.required(at.child("namespace")))
        }
      }
      if let old, old["roleRef"] != reference {
        errors.append(.invalid("roleRef", reference, "cannot change roleRef"))
      }
      return errors
    }, createsOnUpdate: true)

  static let certificateSigningRequests = KindRules(
    name: NameRules.pathSegment,
    validate: { new, old in
      var errors: [FieldError] = []
      if old == nil {
        if (new["spec"]["request"].string ?? "").isEmpty {
          errors.append(.invalid("spec.request", "", "PEM block type must be CERTIFICATE REQUEST"))
        }
        if new["spec"]["usages"].items.isEmpty { errors.append(.required("spec.usages")) }
        if (new["spec"]["signerName"].string ?? "").isEmpty { errors.append(.required("spec.signerName")) }
      }
      return errors
    },
    prepareUpdate: { new, old in new["spec"] = old["spec"] }, fields: ["spec.signerName": text("spec", "signerName")])

  static let podDisruptionBudgets = KindRules(
    validate: { new, _ in
      if !new["spec"]["minAvailable"].isNull, !new["spec"]["maxUnavailable"].isNull {
        return [.invalid("spec", new["spec"], "minAvailable and maxUnavailable cannot be both set")]
      }
      return []
    }, countsGenerations: true, updatesUnconditionally: false)

  static let priorityClasses = KindRules(
    defaults: { object in object.setDefault("preemptionPolicy", "PreemptLowerPriority") },
    validate: { new, old in
      var errors: [FieldError] = []
      let name = new["metadata"]["name"].string ?? ""
      if name.hasPrefix("system-"), name != "system-cluster-critical", name != "system-node-critical" {
        errors.append(
          .forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for system use only"))
      }
      if !name.hasPrefix("system-"), let value = new["value"].int, value > 1_000_000_000 {
        errors.append(
          .forbidden("value", "maximum allowed value of a user defined priority is 1000000000"))
      }
      if let old, old["value"] != new["value"] {
        errors.append(.forbidden("value", "may not be changed in an update."))
      }
      return errors
    })

  static let ingresses = KindRules(
    defaults: { object in
      if object["status"]["loadBalancer"].isNull { object["status"]["loadBalancer"] = .emptyObject }
    },
    validate: { new, _ in
      if new["spec"]["rules"].items.isEmpty, new["spec"]["defaultBackend"].isNull {
        return [.invalid("spec", new["spec"], "either `defaultBackend` or `rules` must be specified")]
      }
      return []
    }, countsGenerations: true)

  static let defaultNetworkPolicy: @Sendable (inout JSON) -> Void = { object in
    object.ifPresent("spec") { spec in
      if spec["policyTypes"].items.isEmpty {
        spec["policyTypes"] = spec["egress"].items.isEmpty ? ["Ingress"] : ["Ingress", "Egress"]
      }
      for direction in ["ingress", "egress"] {
        spec.ifPresent(direction) { rules in
          rules.changeEach { rule in
            rule.ifPresent("ports") { ports in ports.changeEach { $0.setDefault("protocol", "TCP") } }
          }
        }
      }
    }
  }

  static let persistentVolumeClaims = KindRules(
    defaults: { object in
      object.ifPresent("spec") { $0.setDefault("volumeMode", "Filesystem") }
      if object["status"]["phase"].isNull { object["status"]["phase"] = "Pending" }
    },
    validate: { new, old in
      var errors: [FieldError] = []
      if new["spec"]["accessModes"].items.isEmpty {
        errors.append(.required("spec.accessModes", "at least 1 access mode is required"))
      }
      if new["spec"]["resources"]["requests"]["storage"].isNull {
        errors.append(.required("spec.resources[storage]"))
      }
      return errors
    },
    prepareCreate: { object in
      object["status"] = ["phase": "Pending"]
      protect(&object, ClaimProtectionController.finalizer)
    },
    fields: ["metadata.name": text("metadata", "name")], returnsDeleted: true)

  /// What admission's StorageObjectInUseProtection puts on.
  private static func protect(_ object: inout JSON, _ finalizer: String) {
    if !object["metadata"]["finalizers"].strings.contains(finalizer) {
      object["metadata"]["finalizers"].append(.string(finalizer))
    }
  }

  static let persistentVolumes = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("persistentVolumeReclaimPolicy", "Retain")
        spec.setDefault("volumeMode", "Filesystem")
      }
      if object["status"]["phase"].isNull { object["status"]["phase"] = "Pending" }
    },
    prepareCreate: { object in
      object["status"] = ["phase": "Pending"]
      protect(&object, VolumeProtectionController.finalizer)
    }, returnsDeleted: true)

  static let storageClasses = KindRules(
    defaults: { object in
      object.setDefault("reclaimPolicy", "Delete")
      object.setDefault("volumeBindingMode", "Immediate")
    },
    validate: { new, old in
      var errors: [FieldError] = []
      if (new["provisioner"].string ?? "").isEmpty { errors.append(.required("provisioner")) }
      if let old {
        for field in ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"]
        where old[field] != new[field] {
          errors.append(.forbidden(FieldPath(field), "updates to \(field) are forbidden."))
        }
      }
      return errors
    })

  static let defaultAutoscaler: @Sendable (inout JSON) -> Void = { object in
    object.ifPresent("spec") { $0.setDefault("minReplicas", 1) }
  }

  static let webhooks = KindRules(
    defaults: { object in
      object.ifPresent("webhooks") { webhooks in
        webhooks.changeEach { webhook in
          webhook.setDefault("failurePolicy", "Fail")
          webhook.setDefault("matchPolicy", "Equivalent")
          webhook.setDefault("namespaceSelector", .emptyObject)
          webhook.setDefault("objectSelector", .emptyObject)
          webhook.setDefault("timeoutSeconds", 10)
          webhook.ifPresent("rules") { rules in rules.changeEach { $0.setDefault("scope", "*") } }
          webhook["clientConfig"].ifPresent("service") { $0.setDefault("port", 443) }
        }
      }
    }, countsGenerations: true)
}
