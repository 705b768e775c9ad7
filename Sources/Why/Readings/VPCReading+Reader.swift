import Evidence
import Mechanisms
import Wire

extension Investigation {
  /// What the resolver of the cluster's VPC goes by.
  func vpcNames() async -> VPCReading {
    let cluster = await cluster()
    let region = target.region ?? "us-east-1"
    guard let id = cluster.first?["resourcesVpcConfig"]["vpcId"].string else {
      let gap = cluster.gap ?? Gap(read: "eks:DescribeCluster", why: "it names no VPC")
      return VPCReading(
        id: "", region: region, blocks: .unknown(gap), support: .unknown(gap), hostnames: .unknown(gap),
        zones: .unknown(gap), dhcp: .null, endpoint: nil)
    }
    async let vpcRead = aws(.describeVpcs, filters: ["VpcIds": [id]])
    async let supportRead = attribute("enableDnsSupport", "EnableDnsSupport", id)
    async let hostnamesRead = attribute("enableDnsHostnames", "EnableDnsHostnames", id)
    async let endpointsRead = aws(.describeVpcEndpoints, filters: ["vpc-id": [id]])
    let (vpc, support, hostnames, endpoints) = await (vpcRead, supportRead, hostnamesRead, endpointsRead)
    let block = vpc.first?["CidrBlock"].string.flatMap { CIDR($0) }
    var reading = VPCReading(
      id: id, region: region, blocks: .known([block].compactMap { $0 }), support: support, hostnames: hostnames,
      zones: .known([]), dhcp: .null, endpoint: endpointName(cluster.first ?? .null, id, region))
    if let gap = vpc.gap { reading.blocks = .unknown(gap) }
    if let options = vpc.first?["DhcpOptionsId"].string {
      reading.dhcp = await aws(.describeDhcpOptions, filters: ["DhcpOptionsIds": [options]]).first ?? .null
    }
    reading.zones = await zones(endpoints, reading)
    return reading
  }

  private func attribute(_ name: String, _ field: String, _ vpc: String) async -> Fact<Bool> {
    let read = await aws(.describeVpcAttribute, ["VpcId": vpc, "Attribute": name])
    guard let value = read.first?[field]["Value"].bool else {
      return .unknown(read.gap ?? Gap(read: "ec2:DescribeVpcAttribute \(name)", why: "it says nothing of it"))
    }
    return .known(
      value, .read(Cite.aws(.describeVpcAttribute, vpc, field: name, value: "\(value)", at: read.at)))
  }

  private func zones(_ endpoints: Found, _ reading: VPCReading) async -> Fact<[VPCResolver.Zone]> {
    if let gap = endpoints.gap { return .unknown(gap) }
    let ids = endpoints.items.filter { $0["PrivateDnsEnabled"].bool == true }.flatMap {
      $0["NetworkInterfaceIds"].strings
    }
    var interfaces: [JSON] = []
    if !ids.isEmpty {
      let read = await aws(.describeNetworkInterfaces, filters: ["NetworkInterfaceIds": ids])
      if let gap = read.gap { return .unknown(gap) }
      interfaces = read.items
    }
    var zones = VPCResolver.Zone.read(endpoints: endpoints.items, interfaces: interfaces)
    if let endpoint = reading.endpoint {
      let names = VPCNames(
        id: reading.id, region: reading.region, blocks: [], support: reading.support.value ?? true,
        hostnames: reading.hostnames.value ?? true)
      zones += [endpoint.zone(in: names)].compactMap { $0 }
    }
    let named = zones.map(\.name).joined(separator: ", ")
    return .known(
      zones,
      .read(
        Cite.aws(
          .describeVpcEndpoints, reading.id, field: "PrivateDnsEnabled", value: named.isEmpty ? "none" : named,
          at: endpoints.at)))
  }

  /// The name of the cluster's endpoint; its private addresses are told by the Kubernetes API alone.
  private func endpointName(_ cluster: JSON, _ vpc: String, _ region: String) -> EndpointName? {
    guard let url = cluster["endpoint"].string, let host = url.split(separator: "/").dropFirst().first else {
      return nil
    }
    let access = cluster["resourcesVpcConfig"]
    return EndpointName(
      host: String(host.prefix { $0 != ":" }), cluster: cluster["name"].string ?? "", vpc: vpc,
      isPublic: access["endpointPublicAccess"].bool ?? true, isPrivate: access["endpointPrivateAccess"].bool ?? false,
      addresses: ["the control plane's interfaces"])
  }
}
