import Evidence
import Mechanisms
import Wire

/// A Service and the pods behind it.
struct ServiceState: Sendable {
  var service: JSON
  var entity: Entity
  /// All pods of its namespace.
  var pods: [JSON]
  var at: Timestamp

  static func read(_ entity: Entity, _ world: Investigation) async -> (state: ServiceState?, gap: Gap?) {
    let found = await world.object(.services, namespace: entity.namespace, name: entity.name)
    guard let service = found.first else { return (nil, found.gap) }
    let pods = await world.list(.pods, namespace: entity.namespace)
    if let gap = pods.gap { return (nil, gap) }
    return (ServiceState(service: service, entity: entity, pods: pods.items, at: found.at), nil)
  }

  var type: String { service["spec"]["type"].string ?? "ClusterIP" }
  var isHeadless: Bool { service["spec"]["clusterIP"].string == "None" }
  var hasSelector: Bool { ServiceBacking.hasSelector(service) }
  var ports: [JSON] { service["spec"]["ports"].items }

  /// `app=web,tier=front`
  var selector: String {
    service["spec"]["selector"].fields.map { "\($0.key)=\($0.value.string ?? "")" }.sorted().joined(separator: ",")
  }

  /// The pods that its selector picks, those that have ended left out.
  var picked: [PodState] {
    pods.filter { ServiceBacking.selects(service, labels: $0["metadata"]["labels"]) }.map(PodState.init)
      .filter { !$0.isFinished && !$0.isDeleting }
  }

  var serving: [PodState] {
    picked.filter { ServiceBacking.counts($0.pod) && ServiceBacking.serves(service, isReady: $0.isReady) }
  }

  /// Ports whose target has a name that none of the serving pods knows.
  var unknownPorts: [JSON] {
    let behind = serving
    return ports.filter { port in behind.allSatisfy { ServiceBacking.number(of: port, in: $0.pod) == nil } }
  }

  func exhibit(_ field: String, _ value: String) -> Exhibit {
    Exhibit(Cite.object(service, "Service", resource: .services, field: field, value: value, at: at))
  }
}
