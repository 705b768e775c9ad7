import Wire
package import World

/// Mirrors Endpoints that somebody keeps by hand for a Service without selector into EndpointSlices.
///
/// Source: kubernetes `pkg/controller/endpointslicemirroring`.
package struct EndpointSliceMirroringController: Reconciler {
  package static let name = "endpointslicemirroring-controller"
  package static let eventSource = "endpoint-slice-mirroring-controller"
  package static let resources = ["endpoints", "services", "endpointslices.discovery.k8s.io"]

  private static let slices = "endpointslices.discovery.k8s.io"
  private static let manager = "endpointslicemirroring-controller.k8s.io"
  private static let managedBy = "endpointslice.kubernetes.io/managed-by"
  private static let serviceName = "kubernetes.io/service-name"
  /// Most addresses of a subset that are mirrored.
  private static let limit = 1000

  package init() {}

  package func keys(for reference: ObjectReference, _ desk: Desk) -> [String] {
    guard reference.resource == Self.slices else { return ["\(reference.namespace)/\(reference.name)"] }
    guard let slice = desk.get(Self.slices, reference.namespace, reference.name) else { return [] }
    guard slice.labels[Self.managedBy].string == Self.manager, let service = slice.labels[Self.serviceName].string
    else { return [] }
    return ["\(reference.namespace)/\(service)"]
  }

  package func reconcile(_ key: String, _ desk: inout Desk) {
    let (namespace, name) = Desk.parts(key)
    let endpoints = desk.get("endpoints", namespace, name)
    let service = desk.get("services", namespace, name)
    let existing = desk.list(Self.slices, namespace).filter {
      $0.labels[Self.managedBy].string == Self.manager && $0.labels[Self.serviceName].string == name
    }
    guard let endpoints, let service, service.spec["selector"].fields.isEmpty, Self.isMirrored(endpoints) else {
      for slice in existing where !slice.isTerminating { desk.delete(Self.slices, slice) }
      return
    }
    var left = existing
    for wanted in Self.wanted(endpoints) {
      if let at = left.firstIndex(where: {
        $0["ports"] == wanted["ports"] && $0["addressType"] == wanted["addressType"]
      }
      ) {
        let slice = left.remove(at: at)
        var changed = slice
        changed["endpoints"] = wanted["endpoints"]
        changed["metadata"]["labels"] = wanted["metadata"]["labels"]
        if changed.json != slice.json { desk.update(Self.slices, changed.json) }
      } else {
        desk.create(Self.slices, namespace, wanted)
      }
    }
    for slice in left where !slice.isTerminating { desk.delete(Self.slices, slice) }
  }

  private static func isMirrored(_ endpoints: ObjectView) -> Bool {
    endpoints.labels["endpointslice.kubernetes.io/skip-mirror"].string != "true"
      && endpoints.annotations["control-plane.alpha.kubernetes.io/leader"].isNull
  }

  /// A slice for each set of ports and family of addresses.
  private static func wanted(_ endpoints: ObjectView) -> [JSON] {
    var slices: [JSON] = []
    for subset in endpoints["subsets"].items {
      for family in ["IPv4", "IPv6"] {
        var members: [JSON] = []
        for (list, isReady) in [("addresses", true), ("notReadyAddresses", false)] {
          for address in subset[list].items
          where ((address["ip"].string ?? "").contains(":") ? "IPv6" : "IPv4") == family {
            members.append(member(address, isReady))
          }
        }
        guard !members.isEmpty else { continue }
        var labels = endpoints.labels
        labels[serviceName] = .string(endpoints.name)
        labels[managedBy] = .string(manager)
        slices.append([
          "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
          "metadata": [
            "generateName": .string("\(endpoints.name)-"), "namespace": .string(endpoints.namespace),
            "labels": labels, "ownerReferences": [endpoints.controllerReference],
          ], "addressType": .string(family), "endpoints": .array(Array(members.prefix(limit))),
          "ports": .array(
            subset["ports"].items.map { port in
              [
                "name": port["name"].isNull ? "" : port["name"], "protocol": port["protocol"], "port": port["port"],
                "appProtocol": port["appProtocol"],
              ]
            }),
        ])
      }
    }
    return slices
  }

  private static func member(_ address: JSON, _ isReady: Bool) -> JSON {
    [
      "addresses": [address["ip"]], "conditions": ["ready": .bool(isReady)], "hostname": address["hostname"],
      "nodeName": address["nodeName"], "targetRef": address["targetRef"],
    ]
  }
}
