import Containers
import Mechanisms
import Wire
package import World

/// Tells whether the servers behind APIServices can be reached, and keeps APIServices of what definitions add.
///
/// Source: kubernetes `kube-aggregator/pkg/controllers/status`, `autoregister`, `crdregistration_controller.go`.
package struct APIServiceController: Reconciler {
  package static let name = "apiservice-availability-controller"
  package static let resources = [services, definitions, "services", "endpoints"]
  package static var credential: KubeRequest.Credential {
    KubeClient.user("system:apiserver", groups: ["system:masters"])
  }
  package static var informer: KubeRequest.Credential { credential }

  private static let services = "apiservices.apiregistration.k8s.io"
  private static let definitions = "customresourcedefinitions.apiextensions.k8s.io"
  /// How often a server is asked again.
  private static let interval: Duration = .seconds(30)

  /// Names of APIServices by the Service that stands for their server.
  private var backed: [String: [String]] = [:]

  package init() {}

  package mutating func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    switch reference.resource {
    case Self.services:
      remember(reference.name, desk)
      return [reference.name]
    case Self.definitions:
      return desk.get(Self.definitions, "", reference.name).map(Self.versions) ?? [reference.name]
    default: return backed["\(reference.namespace)/\(reference.name)"] ?? []
    }
  }

  private mutating func remember(_ name: String, _ desk: Desk) {
    for key in backed.keys where backed[key]!.contains(name) { backed[key]!.removeAll { $0 == name } }
    guard let service = desk.get(Self.services, "", name)?.spec["service"], service.object != nil else { return }
    backed["\(service["namespace"].string ?? "")/\(service["name"].string ?? "")", default: []].append(name)
  }

  /// Names of the APIServices of a definition's versions.
  private static func versions(_ definition: ObjectView) -> [String] {
    definition.spec["versions"].items.filter { $0["served"].bool == true }
      .map { "\($0["name"].string ?? "").\(definition.spec["group"].string ?? "")" }
  }

  package mutating func reconcile(_ key: String, _ desk: inout Desk) {
    register(key, &desk)
    guard let service = desk.get(Self.services, "", key) else { return }
    var condition = service.spec["service"].object == nil ? LocalService.condition(desk.now) : judge(service, desk)
    let old = service.condition("Available")
    if old["status"] == condition["status"] { condition["lastTransitionTime"] = old["lastTransitionTime"] }
    if service.spec["service"].object != nil { desk.again(after: Self.interval, .background) }
    guard old != condition else { return }
    var status = service.status
    status["conditions"] = .array(
      status["conditions"].items.filter { $0["type"].string != "Available" } + [condition])
    desk.updateStatus(Self.services, service, status)
  }

  /// Makes or removes the APIService of a version that definitions serve.
  private func register(_ name: String, _ desk: inout Desk) {
    let isServed = desk.list(Self.definitions).contains { definition in
      !definition.isTerminating && definition.isConditionTrue("Established") && Self.versions(definition).contains(name)
    }
    let there = desk.get(Self.services, "", name)
    if isServed, there == nil, let dot = name.firstIndex(of: ".") {
      let version = GroupVersion(group: String(name[name.index(after: dot)...]), version: String(name[..<dot]))
      desk.create(
        Self.services, "",
        LocalService.object(version, mark: "true", priorities: LocalService.custom, desk.now))
    } else if !isServed, let there, there.labels[LocalService.mark].string == "true" {
      desk.delete(Self.services, there)
    }
  }

  /// Whether the server behind an APIService answers, as a condition.
  private func judge(_ object: ObjectView, _ desk: Desk) -> JSON {
    let named = object.spec["service"]
    let (name, namespace) = (named["name"].string ?? "", named["namespace"].string ?? "")
    let port = named["port"].int ?? 443
    func no(_ reason: String, _ message: String) -> JSON {
      [
        "type": "Available", "status": "False", "lastTransitionTime": desk.now.json, "reason": .string(reason),
        "message": .string(message),
      ]
    }
    let place = "service/\(name) in \"\(namespace)\""
    guard let service = desk.get("services", namespace, name) else {
      return no("ServiceNotFound", "\(place) is not present")
    }
    guard let open = service.spec["ports"].items.first(where: { $0["port"].int == port }) else {
      return no("ServicePortError", "\(place) is not listening on port \(port)")
    }
    let portName = open["name"].string ?? ""
    let slices = (KubernetesVersion(desk.facts.version)?.minor ?? 36) >= 33
    guard let endpoints = desk.get("endpoints", namespace, name) else {
      return no(
        "EndpointsNotFound",
        "cannot find \(slices ? "endpointslices" : "endpoints") for \(place)\(slices ? "" : " with port name \"\(portName)\"")"
      )
    }
    let subset = endpoints["subsets"].items.first { subset in
      !subset["addresses"].items.isEmpty
        && subset["ports"].items.contains { ($0["name"].string ?? "") == portName }
    }
    guard let subset else {
      return no(
        "MissingEndpoints",
        "\(slices ? "endpointslices" : "endpoints") for \(place) have no addresses with port name \"\(portName)\"")
    }
    let version = GroupVersion(
      group: object.spec["group"].string ?? "", version: object.spec["version"].string ?? "")
    let number = subset["ports"].items.first { ($0["name"].string ?? "") == portName }?["port"].int ?? port
    let address = subset["addresses"][0]["ip"].string ?? ""
    let url = "https://\(address):\(number)/apis/\(version)"
    let network = ClusterNetwork(cluster: desk.cluster, world: desk.context.world)
    if let fault = network.callOut(to: address, number)?.failure(address, number) {
      let why =
        fault.hasSuffix("i/o timeout")
        ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" : fault
      return no("FailedDiscoveryCheck", "failing or missing response from \(url): Get \"\(url)\": \(why)")
    }
    if version != AggregatedGroups.metrics || !Self.serves(subset, namespace, desk) {
      if let fault = Self.fault(of: version, url, subset, number, namespace, desk) {
        return no("FailedDiscoveryCheck", "failing or missing response from \(url): \(fault)")
      }
    }
    return [
      "type": "Available", "status": "True", "lastTransitionTime": desk.now.json, "reason": "Passed",
      "message": "all checks passed",
    ]
  }

  /// What is wrong with what a server says of its own group version; nil when nothing is.
  private static func fault(
    of version: GroupVersion, _ url: String, _ subset: JSON, _ port: Int, _ namespace: String, _ desk: Desk
  ) -> String? {
    guard let name = subset["addresses"][0]["targetRef"]["name"].string, let pod = desk.get("pods", namespace, name),
      let storey = desk.context.world.kube.host as? KubernetesStorey
    else { return "bad status from \(url): 404" }
    switch storey.aggregatedDocument(version, cluster: desk.cluster, pod: pod.json, port: port) {
    case .success(let answer) where (200..<300).contains(answer.status): return nil
    case .success(let answer): return "bad status from \(url): \(answer.status)"
    case .failure, nil: return "bad status from \(url): 404"
    }
  }

  /// Whether a metrics-server stands behind an address.
  private static func serves(_ subset: JSON, _ namespace: String, _ desk: Desk) -> Bool {
    subset["addresses"].items.contains { address in
      guard let name = address["targetRef"]["name"].string, let pod = desk.get("pods", namespace, name) else {
        return false
      }
      return pod.spec["containers"].items.contains { ContainerPlan.isMetricsServer($0["image"].string ?? "") }
    }
  }
}
