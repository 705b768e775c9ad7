import Wire

extension PodRules {
  static func validate(podSecurity spec: JSON, _ path: FieldPath) -> [FieldError] {
    let context = spec["securityContext"]
    let at = path.child("securityContext")
    var errors: [FieldError] = []
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
      errors += FieldRules.identity(context[field], at.child(field))
    }
    for (index, group) in context["supplementalGroups"].items.enumerated() {
      errors += FieldRules.identity(group, at.child("supplementalGroups").index(index))
    }
    if spec["shareProcessNamespace"].bool == true, spec["hostPID"].bool == true {
      errors.append(
        .invalid(
          at.child("shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled"))
    }
    errors += validate(sysctls: context["sysctls"], at.child("sysctls"))
    errors += FieldRules.oneOf(
      context["fsGroupChangePolicy"], ["Always", "OnRootMismatch"], at.child("fsGroupChangePolicy"), optional: true)
    errors += validate(seccomp: context["seccompProfile"], at.child("seccompProfile"))
    errors += validate(appArmor: context["appArmorProfile"], at.child("appArmorProfile"))
    errors += FieldRules.oneOf(
      context["supplementalGroupsPolicy"], ["Merge", "Strict"], at.child("supplementalGroupsPolicy"), optional: true)
    if spec["hostUsers"].bool == false {
      for (field, name) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")]
      where spec[field].bool == true {
        errors.append(.forbidden(path.child(name), "when `pod.Spec.HostUsers` is false"))
      }
    }
    return errors
  }

  private static let sysctlExpression =
    "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"

  private static func validate(sysctls: JSON, _ path: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    var names: Set<String> = []
    for (index, sysctl) in sysctls.items.enumerated() {
      let at = path.index(index).child("name")
      let name = sysctl["name"].string ?? ""
      if name.isEmpty {
        errors.append(.required(at))
      } else if !isSysctl(name) {
        errors.append(
          .invalid(at, .string(name), "must have at most 253 characters and match regex \(sysctlExpression)"))
      } else if !names.insert(name).inserted {
        errors.append(.duplicate(at, .string(name)))
      }
    }
    return errors
  }

  private static func isSysctl(_ name: String) -> Bool {
    guard name.utf8.count <= 253 else { return false }
    func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) }
    return name.utf8.split(omittingEmptySubsequences: false, whereSeparator: { $0 == 0x2e || $0 == 0x2f })
      .allSatisfy { part in
        guard let first = part.first, let last = part.last, isLetter(first), isLetter(last) else { return false }
        return part.allSatisfy { isLetter($0) || $0 == 0x2d || $0 == 0x5f }
      }
  }

  private static func validate(seccomp profile: JSON, _ path: FieldPath) -> [FieldError] {
    guard profile.object != nil else { return [] }
    var errors: [FieldError] = []
    let type = profile["type"].string ?? ""
    if type.isEmpty {
      errors.append(.required(path.child("type"), "type is required when seccompProfile is set"))
    } else if !["Localhost", "RuntimeDefault", "Unconfined"].contains(type) {
      errors.append(
        .notSupported(path.child("type"), .string(type), supported: ["Localhost", "RuntimeDefault", "Unconfined"]))
    }
    let local = profile["localhostProfile"]
    if type == "Localhost" {
      if local.isNull {
        errors.append(.required(path.child("localhostProfile"), "must be set when seccomp type is Localhost"))
      } else {
        errors += validate(localPath: local, path.child("localhostProfile"), isDescending: true)
      }
    } else if !local.isNull {
      errors.append(
        .invalid(path.child("localhostProfile"), profile, "can only be set when seccomp type is Localhost"))
    }
    return errors
  }

  private static func validate(appArmor profile: JSON, _ path: FieldPath) -> [FieldError] {
    guard profile.object != nil else { return [] }
    let local = profile["localhostProfile"]
    let at = path.child("localhostProfile")
    switch profile["type"].string ?? "" {
    case "Localhost":
      let text = local.string ?? ""
      if text.trimmingBlanks != text { return [.invalid(at, local, "must not be padded with whitespace")] }
      if text.isEmpty { return [.required(at, "must be set when AppArmor type is Localhost")] }
      return text.utf8.count > 4095 ? [.tooLong(at, limit: 4095)] : []
    case "RuntimeDefault", "Unconfined":
      return local.isNull ? [] : [.invalid(at, local, "can only be set when AppArmor type is Localhost")]
    case "": return [.required(path.child("type"), "type is required when appArmorProfile is set")]
    case let other:
      return [
        .notSupported(path.child("type"), .string(other), supported: ["Localhost", "RuntimeDefault", "Unconfined"])
      ]
    }
  }

  static func validate(containerSecurity context: JSON, _ path: FieldPath, hasHostUsers: Bool) -> [FieldError] {
    guard context.object != nil else { return [] }
    var errors: [FieldError] = []
    for field in ["runAsUser", "runAsGroup"] { errors += FieldRules.identity(context[field], path.child(field)) }
    errors += FieldRules.oneOf(context["procMount"], ["Default", "Unmasked"], path.child("procMount"), optional: true)
    if hasHostUsers, context["procMount"].string == "Unmasked" {
      errors.append(
        .invalid(path.child("procMount"), "Unmasked", "`hostUsers` must be false to use `Unmasked`"))
    }
    errors += validate(seccomp: context["seccompProfile"], path.child("seccompProfile"))
    if context["allowPrivilegeEscalation"].bool == false {
      if context["privileged"].bool == true {
        errors.append(
          .invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
      }
      if context["capabilities"]["add"].strings.contains("CAP_SYS_ADMIN") {
        errors.append(
          .invalid(
            path, context, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
      }
    }
    return errors + validate(appArmor: context["appArmorProfile"], path.child("appArmorProfile"))
  }
}
