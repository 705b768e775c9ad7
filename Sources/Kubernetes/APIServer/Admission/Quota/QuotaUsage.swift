import Wire

/// What the objects of a namespace use of what a ResourceQuota counts (`pkg/quota/v1`).
enum QuotaUsage {
  typealias Amounts = PodResources.Amounts

  /// Resources that have names of their own in a quota beside `count/…`.
  private static let plain: Set<String> = [
    "pods", "services", "configmaps", "secrets", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas",
  ]

  /// What one object uses.
  static func of(_ object: JSON, _ resource: String) -> Amounts {
    let one = Quantity(1)
    var used: Amounts = ["count/\(resource)": one]
    switch resource {
    case "pods":
      let phase = object["status"]["phase"].string
      guard phase != "Succeeded", phase != "Failed" else { return used }
      used["pods"] = one
      for (name, amount) in PodResources.total(object["spec"], "requests") {
        if ["cpu", "memory", "ephemeral-storage"].contains(name) || name.hasPrefix("hugepages-") {
          used[name] = amount
        }
        used["requests.\(name)"] = amount
      }
      for (name, amount) in PodResources.total(object["spec"], "limits") { used["limits.\(name)"] = amount }
    case "services":
      used["services"] = one
      let ports = Quantity(Int64(object["spec"]["ports"].items.count))
      switch object["spec"]["type"].string {
      case "NodePort": used["services.nodeports"] = ports
      case "LoadBalancer":
        used["services.loadbalancers"] = one
        used["services.nodeports"] = ports
      default: break
      }
    case "persistentvolumeclaims":
      used["persistentvolumeclaims"] = one
      let size = object["spec"]["resources"]["requests"]["storage"].quantity
      used["requests.storage"] = size
      if let storageClass = object["spec"]["storageClassName"].string, !storageClass.isEmpty {
        used["\(storageClass).storageclass.storage.k8s.io/persistentvolumeclaims"] = one
        used["\(storageClass).storageclass.storage.k8s.io/requests.storage"] = size
      }
    default: if plain.contains(resource) { used[resource] = one }
    }
    return used
  }

  /// The resources whose objects a quota's bounds are about, in order.
  static func counted(_ hard: JSON) -> [String] {
    var found: Set<String> = []
    for field in hard.fields {
      let key = field.key
      if key.hasPrefix("count/") {
        found.insert(String(key.dropFirst(6)))
      } else if key.hasPrefix("services") {
        found.insert("services")
      } else if key == "persistentvolumeclaims" || key == "requests.storage" || key.contains(".storageclass.") {
        found.insert("persistentvolumeclaims")
      } else if plain.contains(key) {
        found.insert(key)
      } else {
        found.insert("pods")
      }
    }
    return found.sorted()
  }

  /// Whether a quota is about an object: its scopes choose among pods.
  static func matches(_ quota: JSON, _ object: JSON, _ resource: String) -> Bool {
    var requirements = quota["spec"]["scopes"].strings.map { scope -> JSON in
      ["scopeName": .string(scope), "operator": "Exists"]
    }
    requirements += quota["spec"]["scopeSelector"]["matchExpressions"].items
    guard !requirements.isEmpty else { return true }
    guard resource == "pods" else { return false }
    return requirements.allSatisfy { matches($0, object["spec"]) }
  }

  private static func matches(_ requirement: JSON, _ spec: JSON) -> Bool {
    switch requirement["scopeName"].string {
    case "Terminating": return (spec["activeDeadlineSeconds"].int ?? -1) >= 0
    case "NotTerminating": return (spec["activeDeadlineSeconds"].int ?? -1) < 0
    case "BestEffort": return isBestEffort(spec)
    case "NotBestEffort": return !isBestEffort(spec)
    case "PriorityClass":
      let name = spec["priorityClassName"].string ?? ""
      switch requirement["operator"].string {
      case "In": return requirement["values"].strings.contains(name)
      case "NotIn": return !requirement["values"].strings.contains(name)
      case "DoesNotExist": return name.isEmpty
      default: return !name.isEmpty
      }
    case "CrossNamespacePodAffinity":
      return ["podAffinity", "podAntiAffinity"].contains { kind in
        let affinity = spec["affinity"][kind]
        let terms =
          affinity["requiredDuringSchedulingIgnoredDuringExecution"].items
          + affinity["preferredDuringSchedulingIgnoredDuringExecution"].items.map { $0["podAffinityTerm"] }
        return terms.contains { !$0["namespaces"].items.isEmpty || $0["namespaceSelector"].object != nil }
      }
    default: return false
    }
  }

  private static func isBestEffort(_ spec: JSON) -> Bool {
    (spec["containers"].items + spec["initContainers"].items).allSatisfy { container in
      ["requests", "limits"].allSatisfy { field in
        ["cpu", "memory"].allSatisfy { container["resources"][field][$0].quantity?.isZero ?? true }
      }
    }
  }

  /// What a namespace uses of a quota's bounds; `objects` gives those of a resource.
  static func total(_ quota: JSON, _ objects: (_ resource: String) -> [JSON]) -> Amounts {
    let hard = quota["spec"]["hard"]
    var total: Amounts = [:]
    for field in hard.fields { total[field.key] = Quantity(0, format: field.value.quantity?.format ?? .decimal) }
    for resource in counted(hard) {
      for object in objects(resource) where matches(quota, object, resource) {
        for (name, amount) in of(object, resource) where hard.has(name) {
          // What nothing was used of takes the form of its first use.
          total[name] = total[name].flatMap { $0.isZero ? nil : $0 + amount } ?? amount
        }
      }
    }
    return total
  }

  static func json(_ amounts: Amounts) -> JSON {
    .object(JSONObject(amounts.keys.sorted().map { ($0, .string("\(amounts[$0]!)")) }))
  }

  static func text(_ amounts: Amounts) -> String {
    amounts.keys.sorted().map { "\($0)=\(amounts[$0]!)" }.joined(separator: ",")
  }
}
