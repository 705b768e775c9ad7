import Mechanisms
import Wire
import World

/// The facts of a name in a cluster's zone, from the objects as the API server has them now.
struct ClusterNameReader {
  let cluster: String
  let reader: any KubeReader

  func facts(_ question: DNSQuestion, _ settings: CorePlugins.Kubernetes) -> ClusterNames.Facts {
    var facts = ClusterNames.Facts(question: .known(question), settings: .known(settings))
    let zone = DNSName.zone(of: question.name, among: settings.zones) ?? settings.primaryZone
    switch ClusterQuery(question.name, zone: zone) {
    case .namespace(let name): facts.hasNamespace = .known(hasNamespace(name))
    case .pod(let label, let namespace):
      facts.hasNamespace = .known(hasNamespace(namespace))
      guard settings.pods == .verified, let address = ClusterQuery.address(label: label) else { break }
      facts.hasPod = .known(list("pods", namespace).contains { $0["status"]["podIP"].string == address })
    case .service(let name, let namespace, let endpoint, _, _):
      facts.hasNamespace = .known(hasNamespace(namespace))
      guard let object = get("services", namespace, name) else { break }
      let service = ClusterNames.Service(object)
      facts.service = .known(service)
      if service.isHeadless || endpoint != nil || settings.ignoresEmpty {
        facts.endpoints = .known(.read(slices: slices(of: name, namespace)))
      }
    case .reverse(let address): reverse(address.description, &facts)
    case .apex, .version, .invalid: break
    }
    return facts
  }

  private func reverse(_ address: String, _ facts: inout ClusterNames.Facts) {
    let services = list("services", "").map { ClusterNames.Service($0) }
    if let service = services.first(where: { $0.addresses.contains(address) }) {
      facts.service = .known(service)
      return
    }
    let slices = list("endpointslices.discovery.k8s.io", "").filter { slice in
      slice["endpoints"].items.contains { $0["addresses"].strings.contains(address) }
    }
    guard let slice = slices.first else { return }
    let owner = slice["metadata"]["labels"]["kubernetes.io/service-name"].string ?? ""
    let namespace = slice["metadata"]["namespace"].string ?? ""
    facts.endpointOwner = .known(services.first { $0.name == owner && $0.namespace == namespace })
    facts.endpoints = .known(
      [ClusterNames.Endpoint].read(slices: [slice]).filter { $0.address == address && $0.isReady })
  }

  private func slices(of service: String, _ namespace: String) -> [JSON] {
    list("endpointslices.discovery.k8s.io", namespace).filter {
      $0["metadata"]["labels"]["kubernetes.io/service-name"].string == service
    }
  }

  private func hasNamespace(_ name: String) -> Bool { get("namespaces", "", name) != nil }

  private func get(_ resource: String, _ namespace: String, _ name: String) -> JSON? {
    reader.get(ObjectReference(cluster: cluster, resource: resource, namespace: namespace, name: name))
  }

  private func list(_ resource: String, _ namespace: String) -> [JSON] {
    reader.list(cluster: cluster, resource: resource, namespace: namespace)
  }
}

extension [ClusterNames.Endpoint] {
  static func read(slices: [JSON]) -> Self { ClusterNames.Endpoint.read(slices: slices) }
}
