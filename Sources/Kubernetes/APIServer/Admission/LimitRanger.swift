import Wire
import World

/// Defaults and bounds of a namespace's LimitRanges (`plugin/pkg/admission/limitranger`).
enum LimitRanger {
  private static let annotation = "kubernetes.io/limit-ranger"

  private static func applies(_ request: AdmissionRequest) -> Bool {
    if request.isFor("pods") { return request.operation == .create }
    return request.isFor("persistentvolumeclaims") && (request.operation == .create || request.operation == .update)
  }

  // MARK: - Defaults

  static func mutate(_ object: inout JSON, _ request: AdmissionRequest, _ server: APIServer) {
    guard applies(request), request.isFor("pods") else { return }
    for range in server.read("limitranges", namespace: request.namespace) { setDefaults(&object, range) }
  }

  private static func setDefaults(_ pod: inout JSON, _ range: JSON) {
    var requests: [String: JSON] = [:]
    var limits: [String: JSON] = [:]
    for limit in range["spec"]["limits"].items where limit["type"].string == "Container" {
      for field in limit["defaultRequest"].fields { requests[field.key] = field.value }
      for field in limit["default"].fields { limits[field.key] = field.value }
    }
    guard !requests.isEmpty || !limits.isEmpty else { return }
    var notes: [String] = []
    for (list, word) in [("containers", "container"), ("initContainers", "init container")] {
      pod["spec"].ifPresent(list) { containers in
        containers.changeEach { container in
          let name = container["name"].string ?? ""
          // A limit that is there already stands in for a request that is not, so it is looked at first.
          var added: [(String, [String])] = []
          for (field, defaults) in [("limits", limits), ("requests", requests)] {
            var set: [String] = []
            for key in defaults.keys.sorted() where container["resources"][field][key].isNull {
              container["resources"][field][key] = defaults[key]!
              set.append(key)
            }
            added.append((field == "limits" ? "limit" : "request", set))
          }
          for (what, set) in added.reversed() where !set.isEmpty {
            notes.append("\(set.joined(separator: ", ")) \(what) for \(word) \(name)")
          }
        }
      }
    }
    guard !notes.isEmpty else { return }
    pod["metadata"]["annotations"][annotation] = .string("LimitRanger plugin set: \(notes.joined(separator: "; "))")
  }

  // MARK: - Bounds

  static func validate(_ object: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    guard applies(request) else { return }
    if !object["metadata"]["deletionTimestamp"].isNull { return }
    for range in server.read("limitranges", namespace: request.namespace) {
      let faults = faults(object, range, isPod: request.isFor("pods"))
      guard let first = faults.first else { continue }
      throw request.refused(faults.count == 1 ? first : "[\(faults.joined(separator: ", "))]")
    }
  }

  /// What of a pod or a claim a LimitRange does not allow.
  static func faults(_ object: JSON, _ range: JSON, isPod: Bool) -> [String] {
    var faults: [String] = []
    let spec = object["spec"]
    for limit in range["spec"]["limits"].items {
      switch limit["type"].string {
      case "Container" where isPod:
        for container in spec["containers"].items + spec["initContainers"].items {
          faults += check(
            limit, "Container", PodResources.amounts(container["resources"]["requests"]),
            PodResources.amounts(container["resources"]["limits"]))
        }
      case "Pod" where isPod:
        faults += check(limit, "Pod", PodResources.total(spec, "requests"), PodResources.total(spec, "limits"))
      case "PersistentVolumeClaim" where !isPod:
        let requests = PodResources.amounts(spec["resources"]["requests"])
        for (name, bound) in sorted(limit["min"]) {
          faults += least(name, "PersistentVolumeClaim", bound, requests[name], nil)
        }
        for (name, bound) in sorted(limit["max"]) {
          guard let asked = requests[name] else {
            faults.append("maximum \(name) usage per PersistentVolumeClaim is \(bound).  No request is specified")
            continue
          }
          if asked > bound {
            faults.append("maximum \(name) usage per PersistentVolumeClaim is \(bound), but request is \(asked)")
          }
        }
      default: break
      }
    }
    return faults
  }

  private static func sorted(_ amounts: JSON) -> [(name: String, bound: Quantity)] {
    amounts.fields.compactMap { field in field.value.quantity.map { (field.key, $0) } }.sorted { $0.0 < $1.0 }
  }

  private static func check(
    _ limit: JSON, _ type: String, _ requests: PodResources.Amounts, _ limits: PodResources.Amounts
  ) -> [String] {
    var faults: [String] = []
    for (name, bound) in sorted(limit["min"]) { faults += least(name, type, bound, requests[name], limits[name]) }
    for (name, bound) in sorted(limit["max"]) {
      let text = "maximum \(name) usage per \(type) is \(bound)"
      guard let most = limits[name] else {
        faults.append("\(text).  No limit is specified")
        continue
      }
      if most > bound {
        faults.append("\(text), but limit is \(most)")
      } else if let asked = requests[name], asked > bound {
        faults.append("\(text), but request is \(asked)")
      }
    }
    for (name, bound) in sorted(limit["maxLimitRequestRatio"]) {
      let text = "\(name) max limit to request ratio per \(type) is \(bound)"
      guard let asked = requests[name], !asked.isZero else {
        faults.append("\(text), but no request is specified or request is 0")
        continue
      }
      guard let most = limits[name], !most.isZero else {
        faults.append("\(text), but no limit is specified or limit is 0")
        continue
      }
      let ratio = most.double / asked.double
      if ratio > bound.double {
        let millionths = Int64((ratio * 1_000_000).rounded())
        let fraction = String(1_000_000 + millionths % 1_000_000).dropFirst()
        faults.append("\(text), but provided ratio is \(millionths / 1_000_000).\(fraction)")
      }
    }
    return faults
  }

  private static func least(_ name: String, _ type: String, _ bound: Quantity, _ asked: Quantity?, _ most: Quantity?)
    -> [String]
  {
    let text = "minimum \(name) usage per \(type) is \(bound)"
    guard let asked else { return ["\(text).  No request is specified"] }
    if asked < bound { return ["\(text), but request is \(asked)"] }
    if let most, most < bound { return ["\(text), but limit is \(most)"] }
    return []
  }
}
