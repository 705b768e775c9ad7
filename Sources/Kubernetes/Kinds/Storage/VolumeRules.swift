import Wire

/// Rules of volumes and claims (`pkg/apis/core/validation`).
enum VolumeRules {
  private static let modes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]

  private static func validate(accessModes: JSON, _ at: FieldPath) -> [FieldError] {
    if accessModes.items.isEmpty { return [.required(at, "at least 1 access mode is required")] }
    var errors: [FieldError] = []
    for mode in accessModes.items where !modes.contains(mode.string ?? "") {
      errors.append(.notSupported(at, mode, supported: modes))
    }
    let known = Set(accessModes.strings.filter(modes.contains))
    if known.contains("ReadWriteOncePod"), known.count > 1 {
      errors.append(.forbidden(at, "may not use ReadWriteOncePod with other access modes"))
    }
    return errors
  }

  // MARK: - Claims

  static func validate(claim spec: JSON, _ path: FieldPath) -> [FieldError] {
    var errors = validate(accessModes: spec["accessModes"], path.child("accessModes"))
    errors += FieldRules.labelSelector(spec["selector"], path.child("selector"))
    let at = path.child("resources").key("storage")
    if let size = spec["resources"]["requests"]["storage"].quantity {
      if size <= .zero { errors.append(.invalid(at, .string(size.description), FieldRules.notPositive)) }
    } else {
      errors.append(.required(at))
    }
    errors += FieldRules.name(
      spec["storageClassName"], NameRules.dns1123Subdomain, path.child("storageClassName"))
    errors += FieldRules.oneOf(
      spec["volumeMode"], ["Block", "Filesystem"], path.child("volumeMode"), optional: true)
    errors += validate(source: spec["dataSource"], path.child("dataSource"))
    errors += validate(source: spec["dataSourceRef"], path.child("dataSourceRef"))
    if spec["dataSource"].object != nil, spec["dataSourceRef"].object != nil,
      ["apiGroup", "kind", "name"].contains(where: { spec["dataSource"][$0] != spec["dataSourceRef"][$0] })
    {
      errors.append(.invalid(path, .string("\(path.child("dataSource").text)"), "must match dataSourceRef"))
    }
    return errors
      + FieldRules.name(
        spec["volumeAttributesClassName"], NameRules.dns1123Subdomain, path.child("volumeAttributesClassName"))
  }

  private static func validate(source: JSON, _ at: FieldPath) -> [FieldError] {
    guard source.object != nil else { return [] }
    var errors = FieldRules.required(source["name"], at.child("name"))
    errors += FieldRules.required(source["kind"], at.child("kind"))
    let group = source["apiGroup"].string ?? ""
    if group.isEmpty, source["kind"].string != "PersistentVolumeClaim" {
      errors.append(
        .invalid(at, source["kind"], "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
    }
    return errors + FieldRules.name(source["apiGroup"], NameRules.dns1123Subdomain, at.child("apiGroup"))
  }

  static func validateChange(claim new: JSON, _ old: JSON) -> [FieldError] {
    var errors: [FieldError] = []
    var after = new["spec"]
    var before = old["spec"]
    // The binder names the volume, once; a class may be said as long as none was.
    if (before["volumeName"].string ?? "").isEmpty { before["volumeName"] = after["volumeName"] }
    if before["storageClassName"].isNull { before["storageClassName"] = after["storageClassName"] }
    if new["status"]["phase"].string == "Bound" {
      after["resources"]["requests"]["storage"] = before["resources"]["requests"]["storage"]
      after["volumeAttributesClassName"] = before["volumeAttributesClassName"]
    }
    if !FieldRules.same(after, before) {
      errors.append(
        .forbidden(
          "spec",
          "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"))
    }
    if let now = new["spec"]["resources"]["requests"]["storage"].quantity,
      let then = old["spec"]["resources"]["requests"]["storage"].quantity, now < then
    {
      let given = old["status"]["capacity"]["storage"].quantity ?? .zero
      if now <= given {
        errors.append(.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
      }
    }
    return errors + FieldRules.immutable(new["spec"]["volumeMode"], old["spec"]["volumeMode"], "volumeMode")
  }

  // MARK: - Volumes

  private static let otherFields: Set<String> = [
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
    "storageClassName", "volumeAttributesClassName", "volumeMode",
  ]

  private static func sources(_ spec: JSON) -> [JSONObject.Field] {
    spec.fields.filter { !otherFields.contains($0.key) }
  }

  static func validate(volume spec: JSON) -> [FieldError] {
    let path: FieldPath = "spec"
    var errors = validate(accessModes: spec["accessModes"], path.child("accessModes"))
    let capacity = spec["capacity"]
    if capacity.fields.isEmpty { errors.append(.required(path.child("capacity"))) }
    if capacity["storage"].isNull || capacity.fields.count > 1 {
      errors.append(.notSupported(path.child("capacity"), capacity, supported: ["storage"]))
    }
    for field in capacity.fields {
      guard let quantity = field.value.quantity, quantity <= .zero else { continue }
      errors.append(
        .invalid(path.child("capacity").key(field.key), .string(quantity.description), FieldRules.notPositive))
    }
    errors += FieldRules.oneOf(
      spec["persistentVolumeReclaimPolicy"], ["Delete", "Recycle", "Retain"],
      path.child("persistentVolumeReclaimPolicy"), optional: true)
    let affinity = spec["nodeAffinity"]
    if affinity.object != nil {
      let at = path.child("nodeAffinity").child("required")
      errors +=
        affinity["required"].isNull
        ? [.required(at, "must specify required node constraints")]
        : PodRules.validate(nodeSelector: affinity["required"], at)
    }
    let sources = self.sources(spec)
    if sources.isEmpty { errors.append(.required(path, "must specify a volume type")) }
    for (index, source) in sources.enumerated() {
      if index > 0 {
        errors.append(.forbidden(path.child(source.key), "may not specify more than 1 volume type"))
      } else {
        errors += validate(source: source, spec, path.child(source.key))
      }
    }
    errors += FieldRules.name(spec["storageClassName"], NameRules.dns1123Subdomain, path.child("storageClassName"))
    return errors
      + FieldRules.oneOf(spec["volumeMode"], ["Block", "Filesystem"], path.child("volumeMode"), optional: true)
  }

  private static func validate(source: JSONObject.Field, _ spec: JSON, _ at: FieldPath) -> [FieldError] {
    switch source.key {
    case "hostPath": return PodRules.validate(hostPath: source.value, at)
    case "csi":
      return StorageRules.driverName(source.value["driver"], at.child("driver"))
        + FieldRules.required(source.value["volumeHandle"], at.child("volumeHandle"))
    case "nfs":
      return FieldRules.required(source.value["server"], at.child("server"))
        + FieldRules.required(source.value["path"], at.child("path"))
    case "local":
      var errors = FieldRules.required(source.value["path"], at.child("path"))
      errors += PodRules.noBacksteps(source.value["path"].string ?? "", at.child("path"))
      if spec["nodeAffinity"].isNull {
        errors.append(.required("spec.nodeAffinity", "Local volume requires node affinity"))
      }
      return errors
    case "awsElasticBlockStore": return FieldRules.required(source.value["volumeID"], at.child("volumeID"))
    default: return []
    }
  }

  static func validateChange(volume new: JSON, _ old: JSON) -> [FieldError] {
    func source(_ spec: JSON) -> JSON {
      var source = JSON.object(JSONObject(sources(spec).map { ($0.key, $0.value) }))
      if old["csi"].object != nil, old["csi"]["controllerExpandSecretRef"].isNull {
        source["csi"].remove("controllerExpandSecretRef")
      }
      return source
    }
    var errors: [FieldError] = []
    if !FieldRules.same(source(new), source(old)) {
      errors.append(
        .forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"))
    }
    errors += FieldRules.immutable(new["volumeMode"], old["volumeMode"], "volumeMode")
    if !old["nodeAffinity"].isNull {
      errors += FieldRules.immutable(new["nodeAffinity"], old["nodeAffinity"], "nodeAffinity")
    }
    return errors
  }
}
