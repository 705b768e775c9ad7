import Wire
package import World

/// Tells the addresses behind Services as the older Endpoints.
///
/// Source: kubernetes `pkg/controller/endpoint`.
package struct EndpointsController: Reconciler {
  package static let name = "endpoint-controller"
  package static let resources = ["services", "pods"]

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    if reference.resource == "services" { return ["\(reference.namespace)/\(reference.name)"] }
    guard let pod = desk.get("pods", reference.namespace, reference.name) else {
      return desk.list("services", reference.namespace).filter { !$0.spec["selector"].fields.isEmpty }.map(\.key)
    }
    return desk.list("services", reference.namespace).filter { ServiceEndpoints.selects($0, pod) }.map(\.key)
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    let (namespace, name) = Desk.parts(key)
    let present = desk.get("endpoints", key: key)
    guard let service = desk.get("services", key: key) else {
      if let present, present.labels["endpoints.kubernetes.io/managed-by"].string == "endpoint-controller" {
        desk.delete("endpoints", present)
      }
      return
    }
    guard !service.spec["selector"].fields.isEmpty, service.spec["type"].string != "ExternalName" else { return }
    let subsets = subsets(of: service, desk)
    var labels = service.labels
    labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller"
    if service.spec["clusterIP"].string == "None" { labels["service.kubernetes.io/headless"] = "" }
    guard present?["subsets"].items ?? [] != subsets || present == nil || present?.labels != labels else { return }
    var object: JSON =
      present?.json ?? [
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": ["name": .string(name), "namespace": .string(namespace)],
      ]
    object["metadata"]["labels"] = labels
    object["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"] = desk.now.json
    object["subsets"] = subsets.isEmpty ? .null : .array(subsets)
    if present == nil {
      desk.create("endpoints", namespace, object)
    } else {
      desk.update("endpoints", object)
    }
  }

  private func subsets(of service: ObjectView, _ desk: Desk) -> [JSON] {
    var groups: [(ports: [JSON], ready: [JSON], notReady: [JSON])] = []
    for pod in desk.list("pods", service.namespace)
    where ServiceEndpoints.selects(service, pod) && !pod.isTerminating {
      guard let endpoint = ServiceEndpoints.endpoint(of: pod, service, desk) else { continue }
      let ports: [JSON] = ServiceEndpoints.ports(of: service, pod).map { port in
        [
          "name": port["name"].string == "" ? .null : port["name"], "port": port["port"],
          "protocol": port["protocol"], "appProtocol": port["appProtocol"],
        ]
      }
      let address: JSON = [
        "ip": endpoint["addresses"][0], "hostname": endpoint["hostname"], "nodeName": endpoint["nodeName"],
        "targetRef": endpoint["targetRef"],
      ]
      let at =
        groups.firstIndex { $0.ports == ports }
        ?? {
          groups.append((ports, [], []))
          return groups.count - 1
        }()
      if endpoint["conditions"]["ready"].bool == true {
        groups[at].ready.append(address)
      } else {
        groups[at].notReady.append(address)
      }
    }
    func byAddress(_ list: [JSON]) -> JSON {
      list.isEmpty ? .null : .array(list.sorted { ($0["ip"].string ?? "") < ($1["ip"].string ?? "") })
    }
    return groups.map { group in
      [
        "addresses": byAddress(group.ready), "notReadyAddresses": byAddress(group.notReady),
        "ports": group.ports.isEmpty ? .null : .array(group.ports),
      ]
    }
  }
}
