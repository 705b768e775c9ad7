import Wire

extension PodRules {
  private static let updatable =
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    + "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    + "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

  static func validateUpdate(_ new: JSON, _ old: JSON) -> [FieldError] {
    var errors = annotationChanges(new["metadata"]["annotations"], old["metadata"]["annotations"])
    let after = new["spec"]
    let before = old["spec"]
    for list in ["containers", "initContainers"] where after[list].items.count != before[list].items.count {
      let at = FieldPath("spec").child(list)
      return errors + [.forbidden(at, "pod updates may not add or remove containers")]
    }
    errors += deadlineChange(after["activeDeadlineSeconds"], before["activeDeadlineSeconds"])
    let isKept = before["tolerations"].items.allSatisfy { old in
      after["tolerations"].items.contains { new in
        var old = old
        old["tolerationSeconds"] = new["tolerationSeconds"]
        return old == new
      }
    }
    if !isKept {
      errors.append(
        .forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"))
    }
    let gates = before["schedulingGates"].items.compactMap { $0["name"].string }
    for (index, gate) in after["schedulingGates"].items.enumerated() {
      let name = gate["name"].string ?? ""
      guard !gates.contains(name) else { continue }
      errors.append(
        .forbidden(
          FieldPath("spec.schedulingGates").index(index).child("name"),
          "only deletion is allowed, but found new scheduling gate '\(name)'"))
    }
    errors += gatedChanges(after, before)
    if !FieldRules.same(comparable(after, before), comparable(before, before)) {
      errors.append(.forbidden("spec", updatable))
    }
    return errors
  }

  private static func annotationChanges(_ new: JSON, _ old: JSON) -> [FieldError] {
    let mirror = "kubernetes.io/config.mirror"
    guard new[mirror] != old[mirror] else { return [] }
    return [
      .forbidden(
        FieldPath("metadata.annotations").key(mirror),
        old.has(mirror) ? "may not remove or update mirror pod annotation" : "may not add mirror pod annotation")
    ]
  }

  private static func deadlineChange(_ new: JSON, _ old: JSON) -> [FieldError] {
    let at: FieldPath = "spec.activeDeadlineSeconds"
    guard let seconds = new.int else {
      return old.isNull ? [] : [.invalid(at, .null, "must not update from a positive integer to nil value")]
    }
    if let before = old.int, before < seconds {
      return [.invalid(at, new, "must be less than or equal to previous value")]
    }
    return []
  }

  /// While a pod is held by a gate, it may be bound to fewer nodes.
  private static func gatedChanges(_ new: JSON, _ old: JSON) -> [FieldError] {
    guard !old["schedulingGates"].items.isEmpty else { return [] }
    for field in old["nodeSelector"].fields where new["nodeSelector"][field.key] != field.value {
      return [
        .invalid(
          "spec.nodeSelector", new["nodeSelector"],
          "only additions to spec.nodeSelector are allowed (no mutations or deletions)")
      ]
    }
    return []
  }

  /// A spec without what an update may change.
  private static func comparable(_ spec: JSON, _ old: JSON) -> JSON {
    var spec = spec
    for list in ["containers", "initContainers"] {
      spec.ifPresent(list) { $0.changeEach { $0["image"] = .null } }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] { spec[field] = .null }
    if let grace = old["terminationGracePeriodSeconds"].int, grace < 0,
      [1, grace].contains(spec["terminationGracePeriodSeconds"].int ?? 0)
    {
      spec["terminationGracePeriodSeconds"] = .null
    }
    if !old["schedulingGates"].items.isEmpty {
      spec["nodeSelector"] = .null
      spec["affinity"]["nodeAffinity"] = .null
    }
    return spec
  }

  // MARK: - Subresources

  static func validateStatus(_ new: JSON, _ old: JSON?) -> [FieldError] {
    guard let old else { return [] }
    var errors: [FieldError] = []
    for (index, condition) in new["status"]["conditions"].items.enumerated() {
      let type = condition["type"].string ?? ""
      guard !["PodScheduled", "Ready", "Initialized"].contains(type) else { continue }
      errors += FieldRules.texts(
        NameRules.qualifiedName(type), .string(type), FieldPath("metadata.conditions").index(index).child("Type"))
    }
    let nominated = new["status"]["nominatedNodeName"]
    if nominated != old["status"]["nominatedNodeName"] {
      errors += FieldRules.name(nominated, NameRules.dns1123Subdomain, "status.nominatedNodeName")
    }
    errors += FieldRules.immutable(new["status"]["qosClass"], old["status"]["qosClass"], "status.qosClass")
    let policy = old["spec"]["restartPolicy"].string ?? "Always"
    let sidecars = old["spec"]["initContainers"].items.filter { $0["restartPolicy"].string == "Always" }
    errors += revivals(new, old, "containerStatuses", policy, without: [])
    errors += revivals(new, old, "initContainerStatuses", policy, without: sidecars.compactMap { $0["name"].string })
    return errors + revivals(new, old, "ephemeralContainerStatuses", "Never", without: [])
  }

  /// Containers that had ended for good and are said to run again.
  private static func revivals(
    _ new: JSON, _ old: JSON, _ list: String, _ policy: String, without: [String]
  ) -> [FieldError] {
    guard policy != "Always" else { return [] }
    var errors: [FieldError] = []
    for (index, before) in old["status"][list].items.enumerated() {
      let ended = before["state"]["terminated"]
      let name = before["name"].string ?? ""
      guard !ended.isNull, !(policy == "OnFailure" && (ended["exitCode"].int ?? 0) != 0), !without.contains(name)
      else { continue }
      for after in new["status"][list].items
      where after["name"].string == name && after["state"]["terminated"].isNull {
        errors.append(
          .forbidden(
            FieldPath("status").child(list).index(index).child("state"),
            "may not be transitioned to non-terminated state"))
      }
    }
    return errors
  }

  static func validateEphemeralContainers(_ new: JSON, _ old: JSON?) -> [FieldError] {
    var errors = validate(spec: new["spec"], "spec", inPod: true)
    if old?["metadata"]["annotations"].has("kubernetes.io/config.mirror") == true {
      return [.forbidden("", "static pods do not support ephemeral containers")]
    }
    let kept = new["spec"]["ephemeralContainers"].items
    for before in old?["spec"]["ephemeralContainers"].items ?? [] {
      let name = GoText.quote(before["name"].string ?? "")
      let at: FieldPath = "spec.ephemeralContainers"
      guard let after = kept.first(where: { $0["name"] == before["name"] }) else {
        errors.append(.forbidden(at, "existing ephemeral containers \(name) may not be removed\n"))
        continue
      }
      if !FieldRules.same(before, after) {
        errors.append(.forbidden(at, "existing ephemeral containers \(name) may not be changed\n"))
      }
    }
    return errors
  }

  static func takeResize(_ new: inout JSON, _ given: JSON) {
    for list in ["containers", "initContainers"] {
      for index in new["spec"][list].items.indices {
        let name = new["spec"][list][index]["name"]
        guard let sent = given["spec"][list].items.first(where: { $0["name"] == name }) else { continue }
        new["spec"][list][index]["resources"] = sent["resources"]
        new["spec"][list][index]["resizePolicy"] = sent["resizePolicy"]
      }
    }
  }

  static func validateResize(_ new: JSON, _ old: JSON?) -> [FieldError] {
    guard let old else { return [] }
    if old["metadata"]["annotations"].has("kubernetes.io/config.mirror") {
      return [.forbidden("", "static pods cannot be resized")]
    }
    var errors = validate(spec: new["spec"], "spec", inPod: true)
    let quality = qualityOfService(new["spec"])
    if (old["status"]["qosClass"].string ?? qualityOfService(old["spec"])) != quality {
      errors.append(.invalid("spec", .string(quality), "Pod QOS Class may not change as a result of resizing"))
    }
    for (index, before) in old["spec"]["containers"].items.enumerated() {
      let after = new["spec"]["containers"][index]
      let at = FieldPath("spec.containers").index(index).child("resources")
      for kind in ["requests", "limits"] {
        let isRemoved = before["resources"][kind].fields.contains { !after["resources"][kind].has($0.key) }
        if isRemoved {
          errors.append(.forbidden(at.child(kind), "resource \(kind) cannot be removed"))
        }
        for field in after["resources"][kind].fields
        where field.key != "cpu" && field.key != "memory" && before["resources"][kind][field.key] != field.value {
          errors.append(.forbidden("spec", "only cpu and memory resources are mutable"))
        }
      }
    }
    for (index, before) in old["spec"]["initContainers"].items.enumerated()
    where before["restartPolicy"].string != "Always"
      && !FieldRules.same(before["resources"], new["spec"]["initContainers"][index]["resources"])
    {
      errors.append(.forbidden("spec", "resources for non-sidecar init containers are immutable"))
    }
    return errors
  }

  // MARK: - Warnings

  private static let deprecatedLabels: [String: String] = [
    "beta.kubernetes.io/arch": "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    "beta.kubernetes.io/os": "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    "failure-domain.beta.kubernetes.io/region":
      "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    "failure-domain.beta.kubernetes.io/zone": "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    "beta.kubernetes.io/instance-type": "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
  ]

  static func warnings(_ new: JSON, _ old: JSON?) -> [String] {
    old != nil && old?["spec"] == new["spec"] ? [] : warnings(spec: new["spec"], "spec")
  }

  /// What upstream warns of in a pod's or a template's spec.
  static func warnings(spec: JSON, _ path: FieldPath) -> [String] {
    var warnings: [String] = []
    for field in spec["nodeSelector"].fields {
      if let text = deprecatedLabels[field.key] {
        warnings.append("\(path.child("nodeSelector").key(field.key).text): \(text)")
      }
    }
    for (index, secret) in spec["imagePullSecrets"].items.enumerated() where (secret["name"].string ?? "").isEmpty {
      let at = path.child("imagePullSecrets").index(index).child("name")
      warnings.append("\(at.text): invalid empty name \"\"")
    }
    if let grace = spec["terminationGracePeriodSeconds"].int, grace < 0 {
      let at = path.child("terminationGracePeriodSeconds")
      warnings.append("\(at.text): must be >= 0; negative values are invalid and will be treated as 1")
    }
    for list in ["initContainers", "containers"] {
      for (index, container) in spec[list].items.enumerated() {
        warnings += self.warnings(container: container, path.child(list).index(index))
      }
    }
    return warnings
  }

  private static func warnings(container: JSON, _ path: FieldPath) -> [String] {
    var warnings: [String] = []
    var names: Set<String> = []
    for (index, variable) in container["env"].items.enumerated() {
      let name = variable["name"].string ?? ""
      if !names.insert(name).inserted {
        warnings.append(
          "\(path.child("env").index(index).text): hides previous definition of \(GoText.quote(name)), which may be "
            + "dropped when using apply")
      }
    }
    for kind in ["limits", "requests"] {
      for resource in ["memory", "ephemeral-storage"] {
        let value = container["resources"][kind][resource]
        guard let quantity = value.quantity, quantity.nano % 1_000_000_000 != 0 else { continue }
        warnings.append(
          "\(path.child("resources").child(kind).key(resource).text): fractional byte value "
            + "\(GoText.quote(quantity.description)) is invalid, must be an integer")
      }
    }
    return warnings
  }
}
