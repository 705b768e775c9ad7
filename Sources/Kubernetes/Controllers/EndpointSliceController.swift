import Mechanisms
import Wire
package import World

/// Tells the addresses behind Services as EndpointSlices.
///
/// Source: kubernetes `pkg/controller/endpointslice`, `staging/src/k8s.io/endpointslice`.
package struct EndpointSliceController: Reconciler {
  package static let name = "endpointslice-controller"
  package static let eventSource = "endpoint-slice-controller"
  package static let resources = ["services", "pods", "endpointslices.discovery.k8s.io", "nodes"]

  static let serviceLabel = "kubernetes.io/service-name"
  static let managedByLabel = "endpointslice.kubernetes.io/managed-by"
  static let manager = "endpointslice-controller.k8s.io"
  static let maxEndpoints = 100

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    switch reference.resource {
    case "services": return ["\(reference.namespace)/\(reference.name)"]
    case "nodes": return []
    case "pods":
      guard let pod = desk.get("pods", reference.namespace, reference.name) else {
        return desk.list("services", reference.namespace).filter { !$0.spec["selector"].fields.isEmpty }.map(\.key)
      }
      return desk.list("services", reference.namespace).filter { ServiceEndpoints.selects($0, pod) }.map(\.key)
    default:
      guard let slice = desk.get(reference.resource, reference.namespace, reference.name) else {
        return desk.list("services", reference.namespace).map(\.name).filter { reference.name.hasPrefix("\($0)-") }
          .map { "\(reference.namespace)/\($0)" }
      }
      guard slice.labels[Self.managedByLabel].string == Self.manager,
        let service = slice.labels[Self.serviceLabel].string
      else { return [] }
      return ["\(reference.namespace)/\(service)"]
    }
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    let (namespace, name) = Desk.parts(key)
    let slices = desk.list("endpointslices.discovery.k8s.io", namespace).filter {
      $0.labels[Self.managedByLabel].string == Self.manager && $0.labels[Self.serviceLabel].string == name
    }
    guard let service = desk.get("services", key: key), !service.isTerminating else {
      for slice in slices { desk.delete("endpointslices.discovery.k8s.io", slice) }
      return
    }
    guard !service.spec["selector"].fields.isEmpty, service.spec["type"].string != "ExternalName" else { return }
    let wanted = chunks(of: service, desk)
    // Slices are kept in place by their number; only those that differ are written.
    for (index, chunk) in wanted.enumerated() {
      if index < slices.count {
        var slice = slices[index].json
        guard
          slice["endpoints"].items != chunk.endpoints || slice["ports"].items != chunk.ports
            || slice["metadata"]["labels"] != labels(service)
        else { continue }
        slice["endpoints"] = .array(chunk.endpoints)
        slice["ports"] = .array(chunk.ports)
        slice["metadata"]["labels"] = labels(service)
        slice["metadata"]["annotations"] = triggerTime(service, desk)
        desk.update("endpointslices.discovery.k8s.io", slice)
      } else {
        desk.create(
          "endpointslices.discovery.k8s.io", namespace,
          [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": [
              "generateName": .string("\(name)-"), "namespace": .string(namespace), "labels": labels(service),
              "annotations": triggerTime(service, desk), "ownerReferences": [service.controllerReference],
            ],
            "addressType": .string(service.spec["ipFamilies"][0].string ?? "IPv4"),
            "endpoints": .array(chunk.endpoints), "ports": .array(chunk.ports),
          ])
      }
    }
    for slice in slices.dropFirst(wanted.count) { desk.delete("endpointslices.discovery.k8s.io", slice) }
  }

  private func triggerTime(_ service: ObjectView, _ desk: Desk) -> JSON {
    ["endpoints.kubernetes.io/last-change-trigger-time": desk.now.json]
  }

  private func labels(_ service: ObjectView) -> JSON {
    var labels = service.labels
    labels["service.kubernetes.io/headless"] = service.spec["clusterIP"].string == "None" ? "" : .null
    labels[Self.serviceLabel] = .string(service.name)
    labels[Self.managedByLabel] = .string(Self.manager)
    return labels
  }

  private struct Chunk {
    var endpoints: [JSON]
    var ports: [JSON]
  }

  /// Endpoints by their port numbers (pods may name the same port differently), at most 100 in a slice.
  private func chunks(of service: ObjectView, _ desk: Desk) -> [Chunk] {
    var byPorts: [(ports: [JSON], endpoints: [JSON])] = []
    for pod in desk.list("pods", service.namespace) where ServiceEndpoints.selects(service, pod) {
      guard let endpoint = ServiceEndpoints.endpoint(of: pod, service, desk) else { continue }
      let ports = ServiceEndpoints.ports(of: service, pod)
      if let at = byPorts.firstIndex(where: { $0.ports == ports }) {
        byPorts[at].endpoints.append(endpoint)
      } else {
        byPorts.append((ports, [endpoint]))
      }
    }
    guard !byPorts.isEmpty else { return [Chunk(endpoints: [], ports: [])] }
    return byPorts.flatMap { group in
      stride(from: 0, to: group.endpoints.count, by: Self.maxEndpoints).map { start in
        Chunk(endpoints: Array(group.endpoints[start...].prefix(Self.maxEndpoints)), ports: group.ports)
      }
    }
  }
}

/// What stands behind a Service.
enum ServiceEndpoints {
  static func selects(_ service: ObjectView, _ pod: ObjectView) -> Bool {
    ServiceBacking.selects(service.json, labels: pod.labels)
  }

  static func endpoint(of pod: ObjectView, _ service: ObjectView, _ desk: Desk) -> JSON? {
    guard let address = pod.status["podIP"].string, ServiceBacking.counts(pod.json) else { return nil }
    let serving = ServiceBacking.serves(service.json, isReady: pod.isPodReady)
    let node = desk.get("nodes", "", pod.nodeName)
    return [
      "addresses": [.string(address)],
      "conditions": [
        "ready": .bool(serving && !pod.isTerminating), "serving": .bool(serving),
        "terminating": .bool(pod.isTerminating),
      ],
      "nodeName": .string(pod.nodeName), "zone": node?.labels["topology.kubernetes.io/zone"] ?? .null,
      "targetRef": [
        "kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name), "uid": .string(pod.uid),
      ],
      "hostname": pod.spec["hostname"].isNull || pod.spec["subdomain"].string != service.name
        ? .null : pod.spec["hostname"],
    ]
  }

  static func ports(of service: ObjectView, _ pod: ObjectView) -> [JSON] {
    service.spec["ports"].items.compactMap { port in
      let proto = port["protocol"].string ?? "TCP"
      guard let number = ServiceBacking.number(of: port, in: pod.json) else { return nil }
      return [
        "name": .string(port["name"].string ?? ""), "port": .int(Int64(number)), "protocol": .string(proto),
        "appProtocol": port["appProtocol"],
      ]
    }
  }
}
