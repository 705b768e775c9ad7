import Mechanisms
import Wire
import World

/// How an update of a cluster makes the control plane's interfaces anew.
extension ClusterLife {
  /// Versions and networks come with interfaces of their own; what kept them from being made, as DescribeUpdate tells.
  func replaceInterfaces(for update: UpdateRow, _ service: EKSService, _ row: ClusterRow) -> JSON? {
    guard ControlPlaneReplacement.types.contains(update.document["type"].string ?? "") else { return nil }
    let wanted = update.change["resourcesVpcConfig"]
    let ids = wanted.isNull ? row.subnets : wanted["subnetIds"].strings
    let described = service.call("ec2", "DescribeSubnets", ["SubnetIds": JSON(ids)])
    if let error = described.error {
      return Self.problem(error.code == "InvalidSubnetID.NotFound" ? "SubnetNotFound" : "Unknown", error.message, ids)
    }
    for subnet in described.output?["Subnets"].items ?? [] {
      let id = subnet["SubnetId"].string ?? ""
      let free = subnet["AvailableIpAddressCount"].int ?? 0
      guard ControlPlaneAddresses.decide(.init(free: .known(free))).isNo else { continue }
      return Self.problem(
        "IpNotAvailable",
        "Subnet \(id) does not have enough free addresses. Free IPs: \(free). EKS needs at least \(ControlPlaneAddresses.needed) free IPs in each subnet for an update.",
        [id])
    }
    let old = row.interfaceIDs
    service.clusters.update(name) { row in
      row.interfaceIDs = []
      row.interfaceAddresses = []
      row.interfaceIPv6 = nil
      if !wanted.isNull { row.document["resourcesVpcConfig"] = wanted }
    }
    if let error = makeInterfaces(service, in: ids) {
      for id in service.clusters[name]?.interfaceIDs ?? [] { Self.delete(id, service) }
      service.clusters.update(name) { changed in
        changed.interfaceIDs = old
        changed.interfaceAddresses = row.interfaceAddresses
        changed.interfaceIPv6 = row.interfaceIPv6
        changed.document["resourcesVpcConfig"] = row.document["resourcesVpcConfig"]
      }
      return Self.problem(
        error.code == "InvalidGroup.NotFound" ? "SecurityGroupNotFound" : "Unknown", error.message, ids)
    }
    for id in old { Self.delete(id, service) }
    return nil
  }

  private static func delete(_ id: String, _ service: EKSService) {
    _ = service.call("ec2", "DeleteNetworkInterface", ["NetworkInterfaceId": .string(id)])
  }

  private static func problem(_ code: String, _ message: String, _ ids: [String]) -> JSON {
    ["errorCode": .string(code), "errorMessage": .string(message), "resourceIds": JSON(ids)]
  }
}
