import Wire

extension KindRules {
  static let apiServices = KindRules(
    name: NameRules.pathSegment,
    defaults: { object in
      guard object["spec"]["service"].object != nil else { return }
      object["spec"]["service"].setDefault("port", 443)
    },
    validate: { new, _ in APIServiceRules.validate(new) })
}

/// Rules of APIServices (`kube-aggregator/pkg/apis/apiregistration/validation`).
enum APIServiceRules {
  private static let priorityLimit = 20_000

  static func validate(_ object: JSON) -> [FieldError] {
    let spec = object["spec"]
    let path: FieldPath = "spec"
    var errors: [FieldError] = []
    let name = object["metadata"]["name"].string ?? ""
    let group = spec["group"].string ?? ""
    let version = spec["version"].string ?? ""
    let required = "\(version).\(group)"
    if name != required {
      errors.append(
        .invalid("metadata.name", .string(name), "must be `spec.version+\".\"+spec.group`: \(GoText.quote(required))"))
    }
    if !group.isEmpty {
      errors += NameRules.dns1123Subdomain(group).map { .invalid(path.child("group"), .string(group), $0) }
    }
    errors += NameRules.dns1035Label(version).map { .invalid(path.child("version"), .string(version), $0) }
    if let least = spec["groupPriorityMinimum"].int, least <= 0 || least > priorityLimit {
      errors.append(
        .invalid(
          path.child("groupPriorityMinimum"), spec["groupPriorityMinimum"],
          "must be positive and less than \(priorityLimit)"))
    }
    if let priority = spec["versionPriority"].int, priority <= 0 || priority > 1000 {
      errors.append(
        .invalid(path.child("versionPriority"), spec["versionPriority"], "must be positive and less than 1000"))
    }
    let bundle = Base64.decode(spec["caBundle"].string ?? "")?.count ?? 0
    let skips = spec["insecureSkipTLSVerify"].bool == true
    guard spec["service"].object != nil else {
      if bundle > 0 {
        errors.append(
          .invalid(path.child("caBundle"), .string("\(bundle) bytes"), "local APIServices may not have a caBundle"))
      }
      if skips {
        errors.append(
          .invalid(
            path.child("insecureSkipTLSVerify"), true, "local APIServices may not have insecureSkipTLSVerify"))
      }
      return errors
    }
    for field in ["namespace", "name"] {
      errors += FieldRules.required(spec["service"][field], path.child("service").child(field))
    }
    if skips, bundle > 0 {
      errors.append(
        .invalid(path.child("insecureSkipTLSVerify"), true, "may not be true if caBundle is present"))
    }
    return errors
  }
}
