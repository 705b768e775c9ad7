package import Wire

extension ServicePort {
  /// The ports of Services with the endpoints of their EndpointSlices. Headless ones, those without an IPv4 address
  /// and names (`ExternalName`) are nobody's rules.
  package static func read(services: [JSON], slices: [JSON]) -> [ServicePort] {
    var ports: [ServicePort] = []
    for service in services {
      let spec = service["spec"]
      guard let address = spec["clusterIP"].string.flatMap({ IPv4Address($0) }),
        spec["type"].string != "ExternalName"
      else { continue }
      let namespace = service["metadata"]["namespace"].string ?? ""
      let name = service["metadata"]["name"].string ?? ""
      let own = slices.filter { slice in
        slice["metadata"]["namespace"].string == namespace
          && slice["metadata"]["labels"]["kubernetes.io/service-name"].string == name
          && slice["addressType"].string != "IPv6" && slice["addressType"].string != "FQDN"
      }
      for item in spec["ports"].items {
        guard let number = item["port"].int.flatMap({ UInt16(exactly: $0) }) else { continue }
        let transport = Transport(name: item["protocol"].string ?? "TCP") ?? .tcp
        guard transport.hasPorts else { continue }
        var port = ServicePort(
          namespace, name, item["name"].string ?? "", transport, address: address, port: number,
          nodePort: item["nodePort"].int.flatMap { $0 > 0 ? UInt16(exactly: $0) : nil })
        port.isInternalLocal = spec["internalTrafficPolicy"].string == "Local"
        port.isExternalLocal = spec["externalTrafficPolicy"].string == "Local"
        if spec["sessionAffinity"].string == "ClientIP" {
          port.affinity = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].int ?? 10800
        }
        port.externalAddresses = spec["externalIPs"].items.compactMap { $0.string.flatMap { IPv4Address($0) } }
        port.sourceRanges = spec["loadBalancerSourceRanges"].items.compactMap { $0.string.flatMap { CIDR($0) } }
        port.balancerAddresses = service["status"]["loadBalancer"]["ingress"].items.filter {
          $0["ipMode"].string != "Proxy"
        }.compactMap { $0["ip"].string.flatMap { IPv4Address($0) } }
        port.healthCheckNodePort = spec["healthCheckNodePort"].int.flatMap { $0 > 0 ? UInt16(exactly: $0) : nil }
        port.endpoints = endpoints(own, port)
        ports.append(port)
      }
    }
    return ports
  }

  private static func endpoints(_ slices: [JSON], _ port: ServicePort) -> [Endpoint] {
    var found: [Endpoint] = []
    for slice in slices {
      for item in slice["ports"].items {
        guard (item["name"].string ?? "") == port.name,
          (Transport(name: item["protocol"].string ?? "TCP") ?? .tcp) == port.transport,
          let number = item["port"].int.flatMap({ UInt16(exactly: $0) })
        else { continue }
        for endpoint in slice["endpoints"].items {
          guard let address = endpoint["addresses"].items.first?.string.flatMap({ IPv4Address($0) }) else { continue }
          let conditions = endpoint["conditions"]
          let isReady = conditions["ready"].bool ?? true
          let next = Endpoint(
            address, number, node: endpoint["nodeName"].string, zone: endpoint["zone"].string, ready: isReady,
            serving: conditions["serving"].bool ?? isReady, terminating: conditions["terminating"].bool ?? false,
            zoneHints: endpoint["hints"]["forZones"].items.compactMap { $0["name"].string },
            nodeHints: endpoint["hints"]["forNodes"].items.compactMap { $0["name"].string })
          if !found.contains(where: { $0.address == address && $0.port == number }) { found.append(next) }
        }
      }
    }
    return found
  }
}
