import Wire

extension PodRules {
  static func validate(_ new: JSON, _ old: JSON?) -> [FieldError] {
    guard let old else { return validate(spec: new["spec"], "spec", inPod: true) }
    var errors: [FieldError] = []
    let before = normalised(old["spec"])
    let after = normalised(new["spec"])
    if before != after {
      errors.append(
        .forbidden(
          "spec",
          "pod updates may not change fields other than `spec.containers[*].image`,"
            + "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            + "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            + "previously negative)"))
    }
    for toleration in old["spec"]["tolerations"].items where !new["spec"]["tolerations"].items.contains(toleration) {
      errors.append(
        .forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"))
      break
    }
    return errors
  }

  /// A spec without what an update may change.
  private static func normalised(_ spec: JSON) -> JSON {
    var spec = spec
    for list in ["containers", "initContainers"] {
      spec.ifPresent(list) { $0.changeEach { $0["image"] = .null } }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "ephemeralContainers"] {
      spec[field] = .null
    }
    return spec
  }

  /// Validates a pod's or a template's spec.
  static func validate(spec: JSON, _ path: FieldPath, inPod: Bool) -> [FieldError] {
    var errors: [FieldError] = []
    var volumes: Set<String> = []
    for (index, volume) in spec["volumes"].items.enumerated() {
      let at = path.child("volumes").index(index)
      let name = volume["name"].string ?? ""
      if name.isEmpty {
        errors.append(.required(at.child("name")))
      } else {
        errors += NameRules.dns1123Label(name).map { .invalid(at.child("name"), .string(name), $0) }
        if !volumes.insert(name).inserted { errors.append(.duplicate(at.child("name"), .string(name))) }
      }
      if volume.fields.count(where: { $0.key != "name" }) > 1 {
        errors.append(.forbidden(at.child(volume.fields.last!.key), "may not specify more than 1 volume type"))
      }
    }
    var names: Set<String> = []
    let containers = path.child("containers")
    if spec["containers"].items.isEmpty { errors.append(.required(containers)) }
    for (index, container) in spec["containers"].items.enumerated() {
      errors += validate(container: container, containers.index(index), volumes: volumes, names: &names)
    }
    for (index, container) in spec["initContainers"].items.enumerated() {
      let at = path.child("initContainers").index(index)
      errors += validate(container: container, at, volumes: volumes, names: &names)
      guard container["restartPolicy"].isNull else { continue }
      for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] where container.has(field) {
        errors.append(.forbidden(at.child(field), "may not be set for init containers without restartPolicy=Always"))
      }
    }
    func check(_ field: String, _ allowed: [String]) {
      guard let value = spec[field].string, !allowed.contains(value) else { return }
      errors.append(.notSupported(path.child(field), .string(value), supported: allowed.sorted()))
    }
    check("restartPolicy", ["Always", "OnFailure", "Never"])
    check("dnsPolicy", ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"])
    if spec["dnsPolicy"].string == "None", spec["dnsConfig"]["nameservers"].items.isEmpty {
      errors.append(
        .required(
          path.child("dnsConfig").child("nameservers"),
          "must provide at least one DNS nameserver when `dnsPolicy` is None"))
    }
    if let name = spec["serviceAccountName"].string, !name.isEmpty {
      errors += NameRules.dns1123Subdomain(name).map { .invalid(path.child("serviceAccountName"), .string(name), $0) }
    }
    if let name = spec["nodeName"].string, !name.isEmpty {
      errors += NameRules.dns1123Subdomain(name).map { .invalid(path.child("nodeName"), .string(name), $0) }
    }
    for field in spec["nodeSelector"].fields {
      errors += validateLabel(field.key, field.value, path.child("nodeSelector"))
    }
    for (index, toleration) in spec["tolerations"].items.enumerated() {
      errors += validate(toleration: toleration, path.child("tolerations").index(index))
    }
    if let seconds = spec["activeDeadlineSeconds"].int, seconds < 1 {
      errors.append(
        .invalid(
          path.child("activeDeadlineSeconds"), .int(Int64(seconds)), "must be between 1 and 2147483647, inclusive"))
    }
    if let seconds = spec["terminationGracePeriodSeconds"].int, seconds < 0 {
      errors.append(
        .invalid(
          path.child("terminationGracePeriodSeconds"), .int(Int64(seconds)), "must be greater than or equal to 0"))
    }
    return errors
  }

  private static func validate(
    container: JSON, _ path: FieldPath, volumes: Set<String>, names: inout Set<String>
  ) -> [FieldError] {
    var errors: [FieldError] = []
    let name = container["name"].string ?? ""
    if name.isEmpty {
      errors.append(.required(path.child("name")))
    } else {
      errors += NameRules.dns1123Label(name).map { .invalid(path.child("name"), .string(name), $0) }
      if !names.insert(name).inserted { errors.append(.duplicate(path.child("name"), .string(name))) }
    }
    let image = container["image"].string ?? ""
    if image.isEmpty {
      errors.append(.required(path.child("image")))
    } else if image.trimmingBlanks != image {
      errors.append(.invalid(path.child("image"), .string(image), "must not have leading or trailing whitespace"))
    }
    if let policy = container["imagePullPolicy"].string, !["Always", "IfNotPresent", "Never"].contains(policy) {
      errors.append(
        .notSupported(
          path.child("imagePullPolicy"), .string(policy), supported: ["Always", "IfNotPresent", "Never"]))
    }
    var portNames: Set<String> = []
    for (index, port) in container["ports"].items.enumerated() {
      let at = path.child("ports").index(index)
      if let name = port["name"].string, !name.isEmpty {
        errors += NameRules.portName(name).map { .invalid(at.child("name"), .string(name), $0) }
        if !portNames.insert(name).inserted { errors.append(.duplicate(at.child("name"), .string(name))) }
      }
      if port["containerPort"].isNull {
        errors.append(.required(at.child("containerPort")))
      } else if let number = port["containerPort"].int {
        errors += validatePort(number, at.child("containerPort"))
      }
      if let text = port["protocol"].string, !["TCP", "UDP", "SCTP"].contains(text) {
        errors.append(.notSupported(at.child("protocol"), .string(text), supported: ["SCTP", "TCP", "UDP"]))
      }
    }
    for (index, variable) in container["env"].items.enumerated() {
      let at = path.child("env").index(index)
      let name = variable["name"].string ?? ""
      if name.isEmpty {
        errors.append(.required(at.child("name")))
      } else {
        errors += NameRules.environmentVariable(name).map { .invalid(at.child("name"), .string(name), $0) }
      }
      if variable.has("valueFrom"), !(variable["value"].string ?? "").isEmpty {
        errors.append(
          .invalid(at.child("valueFrom"), "", "may not be specified when `value` is not empty"))
      }
    }
    var paths: Set<String> = []
    for (index, mount) in container["volumeMounts"].items.enumerated() {
      let at = path.child("volumeMounts").index(index)
      let name = mount["name"].string ?? ""
      if name.isEmpty {
        errors.append(.required(at.child("name")))
      } else if !volumes.contains(name) {
        errors.append(.notFound(at.child("name"), .string(name)))
      }
      let target = mount["mountPath"].string ?? ""
      if target.isEmpty {
        errors.append(.required(at.child("mountPath")))
      } else if !paths.insert(target).inserted {
        errors.append(.invalid(at.child("mountPath"), .string(target), "must be unique"))
      }
    }
    errors += validate(resources: container["resources"], path.child("resources"))
    return errors
  }

  static func validate(resources: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    for field in resources["requests"].fields {
      let at = path.child("requests")
      guard let request = field.value.quantity else { continue }
      if request < .zero {
        errors.append(.invalid(at.key(field.key), field.value, "must be greater than or equal to 0"))
      }
      if let limit = resources["limits"][field.key].quantity, limit < request {
        errors.append(
          .invalid(
            at, .string(request.description),
            "must be less than or equal to \(field.key) limit of \(limit.description)"))
      }
    }
    return errors
  }

  private static func validate(toleration: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    let key = toleration["key"].string ?? ""
    if !key.isEmpty {
      errors += NameRules.qualifiedName(key).map { .invalid(path.child("key"), .string(key), $0) }
    }
    let op = toleration["operator"].string ?? "Equal"
    if key.isEmpty, op != "Exists" {
      errors.append(
        .invalid(
          path.child("operator"), .string(toleration["operator"].string ?? ""),
          "operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
    }
    if op != "Exists", op != "Equal" {
      errors.append(.notSupported(path.child("operator"), .string(op), supported: ["Equal", "Exists"]))
    }
    if op == "Exists", !(toleration["value"].string ?? "").isEmpty {
      errors.append(
        .invalid(path.child("operator"), toleration, "value must be empty when `operator` is 'Exists'"))
    }
    if !toleration["tolerationSeconds"].isNull, toleration["effect"].string != "NoExecute" {
      errors.append(
        .invalid(
          path.child("effect"), .string(toleration["effect"].string ?? ""),
          "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    }
    if let effect = toleration["effect"].string, !effect.isEmpty,
      !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(effect)
    {
      errors.append(
        .notSupported(
          path.child("effect"), .string(effect), supported: ["NoExecute", "NoSchedule", "PreferNoSchedule"]))
    }
    return errors
  }
}

/// The port's number is 1 to 65535.
func validatePort(_ number: Int, _ path: FieldPath) -> [FieldError] {
  (1...65535).contains(number) ? [] : [.invalid(path, .int(Int64(number)), "must be between 1 and 65535, inclusive")]
}

func validateLabel(_ key: String, _ value: JSON, _ path: FieldPath) -> [FieldError] {
  var errors: [FieldError] = NameRules.qualifiedName(key).map { .invalid(path, .string(key), $0) }
  errors += NameRules.labelValue(value.string ?? "").map { .invalid(path, value, $0) }
  return errors
}

extension String {
  /// Without blanks and line ends around it.
  var trimmingBlanks: String {
    var bytes = utf8[...]
    while let first = bytes.first, first == 0x20 || (0x09...0x0d).contains(first) { bytes.removeFirst() }
    while let last = bytes.last, last == 0x20 || (0x09...0x0d).contains(last) { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
