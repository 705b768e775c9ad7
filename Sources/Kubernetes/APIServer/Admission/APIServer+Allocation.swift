import Wire
import World

extension APIServer {
  /// Gives a Service its addresses and ports; the refusal where there is none, or it is another's.
  func allocate(_ object: inout JSON, old: JSON?, _ row: KubeResource) throws(KubeStatus) -> KubeStatus? {
    guard row.plural == "services", row.group.isEmpty else { return nil }
    let name = object["metadata"]["name"].string ?? ""
    let type = object["spec"]["type"].string ?? "ClusterIP"
    if type == "ExternalName" {
      for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] { object["spec"][field] = .null }
    } else {
      for (index, family) in object["spec"]["ipFamilies"].strings.enumerated() where family != options.ipFamily {
        let at = FieldPath("spec.ipFamilies").index(index)
        return .invalid(row.groupKind, name, [.invalid(at, .string(family), "not configured on this cluster")])
      }
      let wanted = object["spec"]["clusterIP"].string ?? ""
      if wanted.isEmpty {
        guard let address = freeAddress() else {
          return .internalError("failed to allocate a serviceIP: range is full")
        }
        object["spec"]["clusterIP"] = .string(address)
      } else if wanted != "None", wanted != old?["spec"]["clusterIP"].string {
        if let fault = addressFault(wanted) {
          return .invalid(
            row.groupKind, name, [.invalid("spec.clusterIPs", JSON([wanted]), fault)])
        }
      }
      object["spec"]["clusterIPs"] = [object["spec"]["clusterIP"]]
    }
    if type == "NodePort" || type == "LoadBalancer" && object["spec"]["allocateLoadBalancerNodePorts"].bool != false {
      return try allocatePorts(&object, old: old, row)
    }
    if type == "ClusterIP" || type == "ExternalName" {
      object["spec"].ifPresent("ports") { ports in ports.changeEach { $0["nodePort"] = .null } }
    }
    return nil
  }

  /// A Service that names no family has the cluster's.
  func chooseFamily(_ object: inout JSON, _ row: KubeResource) {
    guard row.plural == "services", row.group.isEmpty, object["spec"]["type"].string != "ExternalName" else { return }
    object["spec"].setDefault("ipFamilies", [.string(options.ipFamily)])
  }

  private func addressFault(_ text: String) -> String? {
    if let address = IPv6Address(text) { return addressFault(address) }
    guard let address = IPv4Address(text) else {
      return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    }
    guard let block = readyBlocks.first(where: { $0.contains(address) }) else {
      return "failed to allocate IP \(text): the provided network does not match the current range"
    }
    guard address != block.base, address != block.last else {
      return "failed to allocate IP \(text): the provided IP (\(text)) is not in the valid range. "
        + "The range of valid IPs is \(block)"
    }
    return isTaken(address) ? "failed to allocate IP \(text): provided IP is already allocated" : nil
  }

  private func addressFault(_ address: IPv6Address) -> String? {
    guard let block = readyIPv6Blocks.first(where: { $0.contains(address) }) else {
      return "failed to allocate IP \(address): the provided network does not match the current range"
    }
    guard address != block.base else {
      return "failed to allocate IP \(address): the provided IP (\(address)) is not in the valid range. "
        + "The range of valid IPs is \(block)"
    }
    return isTaken(address) ? "failed to allocate IP \(address): provided IP is already allocated" : nil
  }

  /// One out of the first block that has any left.
  private func freeAddress() -> String? {
    for block in readyBlocks {
      let start = world.newID { Int($0.next() % 4093) }
      let place = addresses.freePlace(among: block.count, from: start) { isTaken(block.base + $0) }
      if let place { return "\(block.base + place)" }
    }
    for block in readyIPv6Blocks {
      let start = world.newID { Int($0.next() % 1_048_573) }
      let count = 1 << min(128 - block.length, 30)
      let place = addresses.freePlace(among: count, from: start) { isTaken(block.base + UInt64($0)) }
      if let place { return "\(block.base + UInt64(place))" }
    }
    return nil
  }

  private func allocatePorts(_ object: inout JSON, old: JSON?, _ row: KubeResource) throws(KubeStatus) -> KubeStatus? {
    let held = Set((old?["spec"]["ports"].items ?? []).compactMap { $0["nodePort"].int })
    var taken: Set<Int> = []
    var refusal: KubeStatus?
    let name = object["metadata"]["name"].string ?? ""
    let kind = row.groupKind
    var ports = object["spec"]["ports"]
    for index in ports.items.indices {
      if let asked = ports[index]["nodePort"].int, asked != 0 {
        let at = FieldPath("spec.ports").index(index).child("nodePort")
        if !ServiceAddresses.nodePorts.contains(asked) {
          refusal = .invalid(
            kind, name,
            [
              .invalid(
                at, .int(Int64(asked)),
                "provided port is not in the valid range. The range of valid ports is 30000-32767")
            ])
        } else if !held.contains(asked), addresses.isTaken(port: asked) {
          refusal = .invalid(kind, name, [.invalid(at, .int(Int64(asked)), "provided port is already allocated")])
        }
        taken.insert(asked)
        continue
      }
      var start = world.newID { Int($0.next() % 2768) }
      while let port = addresses.freePort(from: start) {
        start = port - ServiceAddresses.nodePorts.lowerBound + 1
        guard taken.insert(port).inserted else { continue }
        ports[index]["nodePort"] = .int(Int64(port))
        break
      }
    }
    object["spec"]["ports"] = ports
    return refusal
  }
}
