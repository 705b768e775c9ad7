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
      let wanted = object["spec"]["clusterIP"].string ?? ""
      if wanted.isEmpty {
        guard let address = freeAddress() else {
          return .internalError("failed to allocate a serviceIP: range is full")
        }
        object["spec"]["clusterIP"] = .string("\(address)")
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

  private func addressFault(_ text: String) -> String? {
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

  /// One out of the first block that has any left.
  private func freeAddress() -> IPv4Address? {
    for block in readyBlocks {
      let start = world.newID { Int($0.next() % 4093) }
      if let address = addresses.freeAddress(in: block, from: start, isTaken: isTaken) { return address }
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
