extension TableCells {
  private func accessModes(_ modes: JSON) -> String {
    let short = [
      ("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP"),
    ]
    return short.filter { modes.strings.contains($0.0) }.map(\.1).joined(separator: ",")
  }

  private var phase: JSON { metadata["deletionTimestamp"].isNull ? text(status["phase"]) : "Terminating" }

  private var storageClassName: JSON {
    text(
      metadata["annotations"]["volume.beta.kubernetes.io/storage-class"], or: spec["storageClassName"].string ?? "")
  }

  private func amount(_ value: JSON) -> JSON { .string(value.quantity?.description ?? "0") }

  func persistentVolume() -> [JSON] {
    let claim = spec["claimRef"]
    let claimText =
      claim.object == nil ? "" : "\(claim["namespace"].string ?? "")/\(claim["name"].string ?? "")"
    return [
      name, amount(spec["capacity"]["storage"]), .string(accessModes(spec["accessModes"])),
      text(spec["persistentVolumeReclaimPolicy"]), phase, .string(claimText), storageClassName,
      text(spec["volumeAttributesClassName"], or: "<unset>"), text(status["reason"]), age,
      text(spec["volumeMode"], or: "<unset>"),
    ]
  }

  func persistentVolumeClaim() -> [JSON] {
    let isBound = !(spec["volumeName"].string ?? "").isEmpty
    return [
      name, phase, text(spec["volumeName"]), isBound ? amount(status["capacity"]["storage"]) : "",
      .string(isBound ? accessModes(status["accessModes"]) : ""), storageClassName,
      text(spec["volumeAttributesClassName"], or: "<unset>"), age, text(spec["volumeMode"], or: "<unset>"),
    ]
  }

  func storageClass() -> [JSON] {
    let annotations = metadata["annotations"]
    let isDefault = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]
      .contains { annotations[$0].string == "true" }
    return [
      .string((metadata["name"].string ?? "") + (isDefault ? " (default)" : "")), text(object["provisioner"]),
      text(object["reclaimPolicy"], or: "Delete"), text(object["volumeBindingMode"], or: "Immediate"),
      .bool(object["allowVolumeExpansion"].bool ?? false), age,
    ]
  }

  func volumeAttachment() -> [JSON] {
    [
      name, text(spec["attacher"]), text(spec["source"]["persistentVolumeName"]), text(spec["nodeName"]),
      .bool(status["attached"].bool ?? false), age,
    ]
  }

  func csiDriver() -> [JSON] {
    let audiences = spec["tokenRequests"].array.map { requests in
      requests.map { $0["audience"].string ?? "" }.joined(separator: ",")
    }
    let modes = spec["volumeLifecycleModes"].strings
    return [
      name, .bool(spec["attachRequired"].bool ?? true), .bool(spec["podInfoOnMount"].bool ?? false),
      .bool(spec["storageCapacity"].bool ?? false), .string(audiences ?? "<unset>"),
      .bool(spec["requiresRepublish"].bool ?? false),
      .string(modes.isEmpty ? "<none>" : modes.joined(separator: ",")), age,
    ]
  }

  func resourceQuota() -> [JSON] {
    var requests: [String] = []
    var limits: [String] = []
    for field in status["hard"].fields.sorted(by: { $0.key < $1.key }) {
      let used = status["used"][field.key].quantity?.description ?? "0"
      let text = "\(field.key): \(used)/\(field.value.quantity?.description ?? "0")"
      if field.key.hasPrefix("limits") { limits.append(text) } else { requests.append(text) }
    }
    return [name, .string(requests.joined(separator: ", ")), .string(limits.joined(separator: ", ")), age]
  }
}
