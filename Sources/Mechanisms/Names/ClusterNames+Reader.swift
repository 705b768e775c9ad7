package import Wire

extension ClusterNames.Service {
  /// Of a Service as the API server has it.
  package init(_ object: JSON) {
    let spec = object["spec"]
    var addresses = spec["clusterIPs"].strings
    if addresses.isEmpty, let only = spec["clusterIP"].string, !only.isEmpty { addresses = [only] }
    self.init(
      name: object["metadata"]["name"].string ?? "", namespace: object["metadata"]["namespace"].string ?? "",
      type: spec["type"].string ?? "ClusterIP", addresses: addresses.filter { $0 != "None" },
      isHeadless: spec["clusterIP"].string == "None", externalName: spec["externalName"].string ?? "",
      ports: spec["ports"].items.map { port in
        .init(
          name: port["name"].string ?? "", number: port["port"].int ?? 0,
          transport: (port["protocol"].string ?? "TCP").lowercased())
      })
  }
}

extension ClusterNames.Endpoint {
  /// Of EndpointSlices of one service.
  package static func read(slices: [JSON]) -> [Self] {
    var found: [Self] = []
    for slice in slices {
      let ports = slice["ports"].items.map { port in
        ClusterNames.Port(
          name: port["name"].string ?? "", number: port["port"].int ?? 0,
          transport: (port["protocol"].string ?? "TCP").lowercased())
      }
      for endpoint in slice["endpoints"].items {
        for address in endpoint["addresses"].strings {
          found.append(
            Self(
              address: address, isReady: endpoint["conditions"]["ready"].bool ?? true,
              hostname: endpoint["hostname"].string ?? "", pod: endpoint["targetRef"]["name"].string ?? "",
              ports: ports))
        }
      }
    }
    return found
  }
}
