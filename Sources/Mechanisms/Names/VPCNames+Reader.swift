package import Wire

extension VPCResolver.Zone {
  /// The zones of interface endpoints with private DNS, from the items of DescribeVpcEndpoints and of
  /// DescribeNetworkInterfaces: each name leads to the endpoint's interfaces.
  package static func read(endpoints: [JSON], interfaces: [JSON]) -> [Self] {
    var zones: [Self] = []
    for endpoint in endpoints where endpoint["PrivateDnsEnabled"].bool == true {
      guard endpoint["VpcEndpointType"].string == "Interface" else { continue }
      let ids = endpoint["NetworkInterfaceIds"].strings
      let addresses = interfaces.filter { ids.contains($0["NetworkInterfaceId"].string ?? "") }
        .compactMap { $0["PrivateIpAddress"].string }
      let names = endpoint["DnsEntries"].items.compactMap { $0["DnsName"].string }
        .filter { !$0.hasPrefix("vpce-") && !$0.hasPrefix("*.vpce-") }
      for name in names {
        zones.append(zone(name, endpoint: endpoint["VpcEndpointId"].string ?? "", addresses: addresses))
      }
    }
    return zones
  }

  /// That of one name which an endpoint takes over.
  package static func zone(_ name: String, endpoint: String, addresses: [String]) -> Self {
    let bare = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
    return Self(
      name: bare, origin: .endpoint(id: endpoint), records: addresses.map { DNSRecord(name, .a, 60, $0) })
  }
}
