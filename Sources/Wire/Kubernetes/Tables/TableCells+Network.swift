extension TableCells {
  func service() -> [JSON] {
    let type = spec["type"].string ?? ""
    let external = spec["externalIPs"].strings
    let address: String
    switch type {
    case "ClusterIP", "NodePort": address = external.isEmpty ? "<none>" : external.joined(separator: ",")
    case "LoadBalancer":
      let all = balancerAddresses() + external
      address = all.isEmpty ? "<pending>" : all.joined(separator: ",")
    case "ExternalName": address = spec["externalName"].string ?? ""
    default: address = "<unknown>"
    }
    let ports = spec["ports"].items.map { port -> String in
      let number = port["port"].int ?? 0
      let node = port["nodePort"].int ?? 0
      return "\(number)\(node > 0 ? ":\(node)" : "")/\(port["protocol"].string ?? "")"
    }
    return [
      name, .string(type), text(spec["clusterIPs"][0], or: spec["clusterIP"].string ?? "<none>"), .string(address),
      .string(ports.isEmpty ? "<none>" : ports.joined(separator: ",")), age, labels(spec["selector"]),
    ]
  }

  private func balancerAddresses() -> [String] {
    let addresses = status["loadBalancer"]["ingress"].items.compactMap { point in
      [point["ip"].string, point["hostname"].string].compactMap { $0 }.first { !$0.isEmpty }
    }
    return Set(addresses).sorted()
  }

  func endpoints() -> JSON {
    let subsets = object["subsets"].items
    if subsets.isEmpty { return "<none>" }
    var all: [String] = []
    for subset in subsets {
      let addresses = subset["addresses"].items.map { $0["ip"].string ?? "" }
      if subset["ports"].items.isEmpty { all += addresses }
      for port in subset["ports"].items {
        all += addresses.map { "\($0.contains(":") ? "[\($0)]" : $0):\(port["port"].int ?? 0)" }
      }
    }
    return .string(shortened(all))
  }

  func endpointSlice() -> [JSON] {
    let ports = object["ports"].items.map { port in
      port["port"].int.map(String.init) ?? port["name"].string ?? "*"
    }
    let addresses = object["endpoints"].items.flatMap { $0["addresses"].strings }
    return [
      name, text(object["addressType"]), .string(ports.isEmpty ? "<unset>" : shortened(ports)),
      .string(addresses.isEmpty ? "<unset>" : shortened(addresses)), age,
    ]
  }

  func ingress() -> [JSON] {
    let rules = spec["rules"].items
    let hosts = rules.prefix(3).compactMap { $0["host"].string }.filter { !$0.isEmpty }
    var shown = hosts.isEmpty ? "*" : hosts.joined(separator: ",")
    if hosts.count == 3, rules.count > 3 { shown += " + \(rules.count - 3) more..." }
    return [
      name, text(spec["ingressClassName"], or: "<none>"), .string(shown),
      .string(balancerAddresses().joined(separator: ",")), spec["tls"].items.isEmpty ? "80" : "80, 443", age,
    ]
  }

  func ingressClass() -> [JSON] {
    let reference = spec["parameters"]
    var parameters = "<none>"
    if reference.object != nil {
      let group = reference["apiGroup"].string.map { ".\($0)" } ?? ""
      parameters = "\(reference["kind"].string ?? "")\(group)/\(reference["name"].string ?? "")"
    }
    return [name, text(spec["controller"]), .string(parameters), age]
  }

  func parentReference() -> JSON {
    let reference = spec["parentRef"]
    let parts = ["resource", "group", "namespace", "name"].compactMap { key -> String? in
      guard let text = reference[key].string, !text.isEmpty else { return nil }
      return key == "group" ? "." + text : text
    }
    return .string(parts.joined(separator: "/").replacing("/.", with: "."))
  }
}
