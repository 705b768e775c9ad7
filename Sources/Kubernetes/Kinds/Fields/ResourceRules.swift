import Wire

/// The names of resources that are counted and limited, and their amounts.
enum ResourceRules {
  private static let container: Set<String> = ["cpu", "memory", "ephemeral-storage"]
  private static let objects: Set<String> = [
    "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
  ]
  private static let quota: Set<String> = objects.union(container).union([
    "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage", "limits.cpu",
    "limits.memory", "limits.ephemeral-storage",
  ])
  private static let standard = quota.union(["storage"])

  static func isHugePages(_ name: String) -> Bool { name.hasPrefix("hugepages-") }
  static func isNative(_ name: String) -> Bool { !name.contains("/") || name.contains("kubernetes.io/") }
  static func isOvercommitted(_ name: String) -> Bool { isNative(name) && !isHugePages(name) }

  static func isExtended(_ name: String) -> Bool {
    !isNative(name) && !name.hasPrefix("requests.") && NameRules.qualifiedName("requests.\(name)").isEmpty
  }

  private static func isQuotaHugePages(_ name: String) -> Bool {
    isHugePages(name) || name.hasPrefix("requests.hugepages-")
  }

  static func isStandardQuota(_ name: String) -> Bool { quota.contains(name) || isQuotaHugePages(name) }

  // MARK: Names

  static func name(_ name: String, _ at: FieldPath) -> [FieldError] {
    let faults = NameRules.qualifiedName(name)
    if !faults.isEmpty { return FieldRules.texts(faults, .string(name), at) }
    if !name.contains("/"), !standard.contains(name), !isQuotaHugePages(name) {
      return [.invalid(at, .string(name), "must be a standard resource type or fully qualified")]
    }
    return []
  }

  static func containerName(_ name: String, _ at: FieldPath) -> [FieldError] {
    var errors = self.name(name, at)
    if !name.contains("/") {
      if !container.contains(name), !isHugePages(name) {
        errors.append(.invalid(at, .string(name), "must be a standard resource for containers"))
      }
    } else if !isNative(name), !isExtended(name) {
      errors.append(.invalid(at, .string(name), "doesn't follow extended resource name standard"))
    }
    return errors
  }

  static func quotaName(_ name: String, _ at: FieldPath) -> [FieldError] {
    let errors = self.name(name, at)
    guard !name.contains("/"), !isStandardQuota(name) else { return errors }
    return errors + [.invalid(at, .string(name), "must be a standard resource for quota")]
  }

  // MARK: Amounts

  static func amount(_ name: String, _ value: JSON, _ at: FieldPath) -> [FieldError] {
    guard let quantity = value.quantity else { return [] }
    var errors: [FieldError] = []
    if quantity < .zero { errors.append(.invalid(at, .string(quantity.description), FieldRules.negative)) }
    if objects.contains(name) || isExtended(name), quantity.nano % 1_000_000_000 != 0 {
      errors.append(.invalid(at, .string(quantity.description), "must be an integer"))
    }
    return errors
  }

  /// `resources` of a container.
  static func requirements(_ resources: JSON, _ at: FieldPath) -> [FieldError] {
    var errors: [FieldError] = []
    var hasCompute = false
    var hasHugePages = false
    for list in ["limits", "requests"] {
      for field in resources[list].fields {
        let path = at.child(list).key(field.key)
        errors += containerName(field.key, path)
        errors += amount(field.key, field.value, path)
        hasHugePages = hasHugePages || isHugePages(field.key)
        hasCompute = hasCompute || field.key == "cpu" || field.key == "memory"
        if list == "requests" { errors += request(field, resources["limits"][field.key], at) }
      }
    }
    if hasHugePages, !hasCompute { errors.append(.forbidden(at, "HugePages require cpu or memory")) }
    return errors
  }

  private static func request(_ field: JSONObject.Field, _ limit: JSON, _ at: FieldPath) -> [FieldError] {
    guard let request = field.value.quantity else { return [] }
    guard let limit = limit.quantity else {
      return isOvercommitted(field.key)
        ? [] : [.required(at.child("limits"), "Limit must be set for non overcommitable resources")]
    }
    let value = JSON.string(request.description)
    if request != limit, !isOvercommitted(field.key) {
      return [.invalid(at.child("requests"), value, "must be equal to \(field.key) limit of \(limit.description)")]
    }
    if limit < request {
      return [
        .invalid(
          at.child("requests"), value, "must be less than or equal to \(field.key) limit of \(limit.description)")
      ]
    }
    return []
  }
}
