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
      zones += Self.zones(names, endpoint: endpoint["VpcEndpointId"].string ?? "", addresses: addresses)
    }
    return zones
  }

  /// Those of the names that an endpoint takes over: a wildcard's records stand in the zone of what it is below.
  package static func zones(_ names: [String], endpoint: String, addresses: [String]) -> [Self] {
    var zones: [Self] = []
    for name in names {
      let bare = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
      let records = addresses.map { DNSRecord(name, .a, 60, $0) }
      if let known = zones.firstIndex(where: { $0.name == DNSName.canonical(bare) }) {
        zones[known].records += records
      } else {
        zones.append(Self(name: bare, origin: .endpoint(id: endpoint), records: records))
      }
    }
    return zones
  }
}
