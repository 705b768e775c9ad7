import Wire

extension KindRules {
  static let persistentVolumeClaims = KindRules(
    defaults: { object in
      object.ifPresent("spec") { $0.setDefault("volumeMode", "Filesystem") }
      if object["status"]["phase"].isNull { object["status"]["phase"] = "Pending" }
    },
    validate: { new, old in
      VolumeRules.validate(claim: new["spec"], "spec") + (old.map { VolumeRules.validateChange(claim: new, $0) } ?? [])
    },
    validateStatus: { new, _ in
      new["status"]["capacity"].fields.compactMap { field in
        guard let quantity = field.value.quantity, quantity < .zero else { return nil }
        return .invalid(
          FieldPath("status.capacity").key(field.key), .string(quantity.description),
          "must be a valid resource quantity")
      }
    },
    prepareCreate: { object, _ in
      object["status"] = ["phase": "Pending"]
      protect(&object, ClaimProtectionController.finalizer)
    }, returnsDeleted: true)

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
        spec.ifPresent("hostPath") { $0.setDefault("type", "") }
      }
      if object["status"]["phase"].isNull { object["status"]["phase"] = "Pending" }
    },
    validate: { new, old in
      VolumeRules.validate(volume: new["spec"])
        + (old.map { VolumeRules.validateChange(volume: new["spec"], $0["spec"]) } ?? [])
    },
    prepareCreate: { object, _ in
      object["status"] = ["phase": "Pending"]
      protect(&object, VolumeProtectionController.finalizer)
    },
    warnings: { new, _ in
      new["spec"]["persistentVolumeReclaimPolicy"].string == "Recycle"
        ? [
          "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
            + "approach is to use dynamic provisioning."
        ] : []
    }, returnsDeleted: true)

  static let storageClasses = KindRules(
    defaults: { object in
      object.setDefault("reclaimPolicy", "Delete")
      object.setDefault("volumeBindingMode", "Immediate")
    },
    validate: { new, old in
      var errors = StorageRules.validate(storageClass: new)
      guard let old else { return errors }
      for field in ["parameters", "provisioner", "reclaimPolicy"] where !FieldRules.same(old[field], new[field]) {
        errors.append(.forbidden(FieldPath(field), "updates to \(field) are forbidden."))
      }
      errors += FieldRules.immutable(new["volumeBindingMode"], old["volumeBindingMode"], "volumeBindingMode")
      return errors
    }, returnsDeleted: true)

  static let volumeAttachments = KindRules(
    validate: { new, old in
      let spec = new["spec"]
      var errors = StorageRules.attacher(spec["attacher"], "spec.attacher")
      let source = spec["source"]
      let name = source["persistentVolumeName"]
      if name.isNull, source["inlineVolumeSpec"].isNull {
        errors.append(.required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
      } else if !name.isNull, !source["inlineVolumeSpec"].isNull {
        errors.append(
          .forbidden("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
      } else if !name.isNull {
        errors += FieldRules.required(name, "spec.source.persistentVolumeName")
      }
      errors += FieldRules.texts(
        NameRules.dns1123Subdomain(spec["nodeName"].string ?? ""), .string(spec["nodeName"].string ?? ""),
        "spec.nodeName")
      if let old, !FieldRules.same(old["spec"], spec) {
        errors.append(.invalid("spec", spec, FieldRules.immutableText))
      }
      return errors
    }, returnsDeleted: true)

  static let csiNodes = KindRules(
    validate: { new, old in
      var errors: [FieldError] = []
      var names: Set<String> = []
      for (index, driver) in new["spec"]["drivers"].items.enumerated() {
        let at = FieldPath("spec.drivers").index(index)
        errors += StorageRules.driverName(driver["name"], at.child("name"))
        if !names.insert(driver["name"].string ?? "").inserted {
          errors.append(.duplicate(at.child("name"), driver["name"]))
        }
        let id = driver["nodeID"].string ?? ""
        if id.isEmpty {
          errors.append(.required(at.child("nodeID"), ""))
        } else if id.utf8.count > 192 {
          errors.append(.invalid(at.child("nodeID"), .string(id), "must be 192 characters or less"))
        }
        if let count = driver["allocatable"]["count"].int, count < 0 {
          errors.append(
            .invalid(at.child("allocatable").child("count"), driver["allocatable"]["count"], FieldRules.negative))
        }
        var keys: Set<String> = []
        for key in driver["topologyKeys"].items {
          if (key.string ?? "").isEmpty {
            errors.append(.required(at.child("topologyKeys"), ""))
          } else if !keys.insert(key.string ?? "").inserted {
            errors.append(.duplicate(at.child("topologyKeys"), key))
          }
          errors += FieldRules.texts(NameRules.qualifiedName(key.string ?? ""), key, at.child("topologyKeys"))
        }
      }
      for before in old?["spec"]["drivers"].items ?? [] {
        guard let after = new["spec"]["drivers"].items.first(where: { $0["name"] == before["name"] }) else { continue }
        var kept = after
        kept["allocatable"] = before["allocatable"]
        if !FieldRules.same(kept, before) {
          errors.append(.invalid("CSINode", before["name"], "field is immutable"))
        }
      }
      return errors
    }, returnsDeleted: true)

  static let csiDrivers = KindRules(
    defaults: { object in
      object.ifPresent("spec") { spec in
        spec.setDefault("attachRequired", true)
        spec.setDefault("podInfoOnMount", false)
        spec.setDefault("storageCapacity", false)
        spec.setDefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
        spec.setDefault("volumeLifecycleModes", ["Persistent"])
        spec.setDefault("requiresRepublish", false)
        spec.setDefault("seLinuxMount", false)
      }
    },
    validate: { new, old in
      let spec = new["spec"]
      var errors = StorageRules.driverName(new["metadata"]["name"], "metadata.name")
      errors += FieldRules.oneOf(
        spec["fsGroupPolicy"], ["File", "None", "ReadWriteOnceWithFSType"], "spec.fsGroupPolicy", optional: true)
      for mode in spec["volumeLifecycleModes"].items where mode.string != "Ephemeral" && mode.string != "Persistent" {
        errors.append(
          .notSupported("spec.volumeLifecycleModes", mode, supported: ["Ephemeral", "Persistent"]))
      }
      guard let old else { return errors }
      for field in ["attachRequired", "fsGroupPolicy", "volumeLifecycleModes"] {
        errors += FieldRules.immutable(spec[field], old["spec"][field], FieldPath("spec").child(field))
      }
      return errors
    }, countsGenerations: true, returnsDeleted: true)

  static let csiStorageCapacities = KindRules(
    validate: { new, old in
      var errors = FieldRules.requiredName(new["storageClassName"], NameRules.dns1123Subdomain, "storageClassName")
      for field in ["capacity", "maximumVolumeSize"] {
        guard let quantity = new[field].quantity, quantity < .zero else { continue }
        errors.append(.invalid(FieldPath(field), .string(quantity.description), FieldRules.negative))
      }
      errors += FieldRules.labelSelector(new["nodeTopology"], "nodeTopology")
      guard let old else { return errors }
      errors += FieldRules.immutable(new["nodeTopology"], old["nodeTopology"], "nodeTopology")
      return errors + FieldRules.immutable(new["storageClassName"], old["storageClassName"], "storageClassName")
    })
}

/// Rules of classes, drivers and attachments (`pkg/apis/storage/validation`).
enum StorageRules {
  private static let parametersLimit = 512
  private static let parameterBytesLimit = 256 << 10
  private static let driverNameLimit = 63

  static func validate(storageClass: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    let provisioner = storageClass["provisioner"].string ?? ""
    if provisioner.isEmpty {
      errors.append(.required("provisioner", ""))
    } else {
      errors += FieldRules.texts(NameRules.qualifiedName(provisioner.lowercased()), .string(provisioner), "provisioner")
    }
    let parameters = storageClass["parameters"].fields
    if parameters.count > parametersLimit {
      errors.append(.tooLong("Provisioner Parameters", limit: parametersLimit))
    }
    if parameters.contains(where: { $0.key.isEmpty }) {
      errors.append(.invalid("parameters", "", "field can not be empty."))
    }
    let bytes = parameters.reduce(0) { $0 + $1.key.utf8.count + ($1.value.string?.utf8.count ?? 0) }
    if bytes > parameterBytesLimit { errors.append(.tooLong("parameters", limit: parameterBytesLimit)) }
    errors += FieldRules.oneOf(storageClass["reclaimPolicy"], ["Delete", "Retain"], "reclaimPolicy", optional: true)
    errors += FieldRules.oneOf(
      storageClass["volumeBindingMode"], ["Immediate", "WaitForFirstConsumer"], "volumeBindingMode")
    for (index, term) in storageClass["allowedTopologies"].items.enumerated() {
      for (place, requirement) in term["matchLabelExpressions"].items.enumerated() {
        let at = FieldPath("allowedTopologies").index(index).child("matchLabelExpressions").index(place)
        if requirement["values"].items.isEmpty { errors.append(.required(at.child("values"))) }
        errors += FieldRules.labelName(requirement["key"], at.child("key"))
      }
    }
    return errors
  }

  static func attacher(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    let text = value.string ?? ""
    return text.isEmpty ? [.required(at)] : FieldRules.texts(NameRules.qualifiedName(text.lowercased()), value, at)
  }

  static func driverName(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    let text = value.string ?? ""
    if text.isEmpty { return [.required(at)] }
    var errors: [FieldError] = []
    if text.utf8.count > driverNameLimit { errors.append(.tooLong(at, limit: driverNameLimit)) }
    return errors + FieldRules.texts(NameRules.dns1123Subdomain(text.lowercased()), value, at)
  }
}
