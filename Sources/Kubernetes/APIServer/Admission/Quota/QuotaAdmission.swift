import Wire
import World

/// Refuses what would use more than the ResourceQuotas of its namespace leave.
enum QuotaAdmission {
  static func validate(_ object: JSON, _ request: AdmissionRequest, _ server: APIServer) throws(KubeStatus) {
    guard request.operation == .create || request.operation == .update, request.subresource.isEmpty,
      request.row.namespaced
    else { return }
    let quotas = server.read("resourcequotas", namespace: request.namespace)
    guard !quotas.isEmpty else { return }
    let resource = APIServer.storage(request.row.qualifiedName)
    // An update counts where it can change what is used.
    if request.operation == .update, resource != "services", resource != "persistentvolumeclaims" { return }
    for quota in quotas where QuotaUsage.matches(quota, object, resource) {
      try check(quota, object, resource, request, server)
    }
  }

  private static func check(
    _ quota: JSON, _ object: JSON, _ resource: String, _ request: AdmissionRequest, _ server: APIServer
  ) throws(KubeStatus) {
    let hard = quota["spec"]["hard"]
    let name = quota["metadata"]["name"].string ?? ""
    if resource == "pods" { try checkConstraints(name, hard, object["spec"], request) }
    var asked = QuotaUsage.of(object, resource).filter { hard.has($0.key) }
    if let old = request.old {
      for (key, amount) in QuotaUsage.of(old, resource) {
        guard let new = asked[key] else { continue }
        asked[key] = new - amount
      }
    }
    asked = asked.filter { $0.value > Quantity.zero }
    guard !asked.isEmpty else { return }
    let used = QuotaUsage.total(quota) { server.read($0, namespace: request.namespace) }
    let exceeded = asked.filter { key, amount in
      (used[key] ?? .zero) + amount > (hard[key].quantity ?? .zero)
    }
    guard !exceeded.isEmpty else { return }
    let limited = PodResources.amounts(hard)
    func only(_ amounts: QuotaUsage.Amounts) -> String {
      QuotaUsage.text(amounts.filter { exceeded[$0.key] != nil })
    }
    throw request.refused(
      "exceeded quota: \(name), requested: \(only(asked)), used: \(only(used)), limited: \(only(limited))")
  }

  /// Where a quota bounds a computing resource, every container must say what it takes of it.
  private static func checkConstraints(_ quota: String, _ hard: JSON, _ spec: JSON, _ request: AdmissionRequest)
    throws(KubeStatus)
  {
    let wanted: [(key: String, field: String, name: String)] = [
      ("cpu", "requests", "cpu"), ("limits.cpu", "limits", "cpu"), ("limits.memory", "limits", "memory"),
      ("memory", "requests", "memory"), ("requests.cpu", "requests", "cpu"), ("requests.memory", "requests", "memory"),
    ].filter { hard.has($0.0) }
    var missing: [String] = []
    for (key, field, name) in wanted {
      let containers = (spec["containers"].items + spec["initContainers"].items).filter {
        $0["resources"][field][name].isNull
      }
      guard !containers.isEmpty, spec["resources"][field][name].isNull else { continue }
      missing.append("\(key) for: \(containers.map { $0["name"].string ?? "" }.sorted().joined(separator: ","))")
    }
    guard !missing.isEmpty else { return }
    throw request.refused("failed quota: \(quota): must specify \(missing.joined(separator: "; "))")
  }
}

extension APIServer {
  /// Lets the quotas of a namespace be counted anew when what they count has changed.
  func tellQuotas(_ resource: String, _ namespace: String) {
    guard !namespace.isEmpty, resource != "events", resource != "leases.coordination.k8s.io",
      resource != "resourcequotas"
    else { return }
    for quota in store("resourcequotas").list(namespace: namespace) {
      guard QuotaUsage.counted(quota.json["spec"]["hard"]).contains(resource) else { continue }
      let reference = ObjectReference(
        cluster: id, resource: "resourcequotas", namespace: namespace, name: quota.key.name)
      world.schedule(Controller<ResourceQuotaController>.id(id), .changed(reference), at: now)
    }
  }
}
