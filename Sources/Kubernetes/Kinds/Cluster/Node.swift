import Wire

extension KindRules {
  static let nodes = KindRules(
    defaults: { object in
      object.setDefault("spec", .emptyObject)
      if object["status"]["allocatable"].isNull { object["status"]["allocatable"] = object["status"]["capacity"] }
    },
    validate: NodeRules.validate,
    validateStatus: { new, _ in NodeRules.validate(status: new["status"]) },
    fields: ["spec.unschedulable": { $0["spec"]["unschedulable"].bool == true ? "true" : "false" }],
    keepsStatusOnCreate: true)

  static let namespaces = KindRules(
    name: NameRules.dns1123Label,
    defaults: { object in
      if let name = object["metadata"]["name"].string {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = .string(name)
      }
    },
    validate: { new, old in
      guard old == nil else { return [] }
      return new["spec"]["finalizers"].items.flatMap { NodeRules.finalizer($0, "spec.finalizers") }
    },
    validateStatus: { new, _ in
      let isEnding = !new["metadata"]["deletionTimestamp"].isNull
      let phase = new["status"]["phase"]
      if !isEnding, phase.string != "Active" {
        return [
          .invalid(
            "status.Phase", .string(phase.string ?? ""), "may only be 'Active' if `deletionTimestamp` is empty")
        ]
      }
      if isEnding, phase.string != "Terminating" {
        return [
          .invalid(
            "status.Phase", .string(phase.string ?? ""),
            "may only be 'Terminating' if `deletionTimestamp` is not empty")
        ]
      }
      return []
    },
    prepareCreate: { object, _ in
      object["status"] = ["phase": "Active"]
      if !object["spec"]["finalizers"].strings.contains("kubernetes") {
        object["spec"]["finalizers"].append("kubernetes")
      }
    },
    prepareUpdate: { new, old, _ in new["spec"]["finalizers"] = old["spec"]["finalizers"] },
    fields: ["status.phase": text("status", "phase")], returnsDeleted: true)
}

/// Rules of Nodes.
enum NodeRules {
  static func validate(_ new: JSON, _ old: JSON?) -> [FieldError] {
    // Upstream names the taints below metadata.
    var errors = validate(taints: new["spec"]["taints"], "metadata.taints")
    errors += validate(status: new["status"])
    for (index, block) in new["spec"]["podCIDRs"].items.enumerated() where old == nil {
      errors += FieldRules.block(block, FieldPath("spec.podCIDRs").index(index))
    }
    guard let old else { return errors }
    var addresses: [JSON] = []
    for (index, address) in new["status"]["addresses"].items.enumerated() {
      if addresses.contains(address) { errors.append(.duplicate(FieldPath("status.addresses").index(index), address)) }
      addresses.append(address)
    }
    let blocks = old["spec"]["podCIDRs"].items
    if !blocks.isEmpty, blocks != new["spec"]["podCIDRs"].items {
      errors.append(
        .forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid"))
    }
    if let before = old["spec"]["providerID"].string, !before.isEmpty, new["spec"]["providerID"].string != before {
      errors.append(
        .forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid"))
    }
    return errors
  }

  static func validate(taints: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    var seen: Set<String> = []
    for (index, taint) in taints.items.enumerated() {
      let at = path.index(index)
      errors += FieldRules.labelName(taint["key"], at.child("key"))
      let faults = NameRules.labelValue(taint["value"].string ?? "")
      if !faults.isEmpty {
        errors.append(.invalid(at.child("value"), taint["value"], faults.joined(separator: ";")))
      }
      errors += FieldRules.oneOf(taint["effect"], PodRules.taintEffects, at.child("effect"))
      if !seen.insert("\(taint["key"].string ?? "")=\(taint["effect"].string ?? "")").inserted {
        var duplicate = FieldError.duplicate(at, taint)
        duplicate.detail = "taints must be unique by key and effect pair"
        errors.append(duplicate)
      }
    }
    return errors
  }

  static func validate(status: JSON) -> [FieldError] {
    ["capacity", "allocatable"].flatMap { list in
      status[list].fields.flatMap {
        ResourceRules.amount($0.key, $0.value, FieldPath("status").child(list).child($0.key))
      }
    }
  }

  /// A namespace's finalizer: a name of the system's, or one with a domain.
  static func finalizer(_ value: JSON, _ at: FieldPath) -> [FieldError] {
    let name = value.string ?? ""
    var errors = FieldRules.texts(NameRules.qualifiedName(name), .string(name), at)
    if !name.contains("/"), !["kubernetes", "orphan", "foregroundDeletion"].contains(name) {
      errors.append(
        .invalid(at, .string(name), "name is neither a standard finalizer name nor is it fully qualified"))
    }
    return errors
  }
}
