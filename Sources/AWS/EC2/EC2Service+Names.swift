import Mechanisms
import Wire
import World

/// What a VPC's resolver goes by.
extension EC2Service {
  func names(ofVPC id: String) -> VPCNames? {
    guard let vpc = vpcs[id] else { return nil }
    return VPCNames(
      id: id, region: world.region, blocks: vpc.blocks, support: vpc.dnsSupport, hostnames: vpc.dnsHostnames,
      dhcp: json(dhcpOptions(of: vpc)), zones: endpoints.filter { $0.vpc == id && $0.privateDNS }.flatMap(zones))
  }

  /// The private zones of an endpoint: each name that it takes over leads to its interfaces.
  private func zones(_ endpoint: VPCEndpoint) -> [VPCResolver.Zone] {
    let addresses = endpoint.interfaces.compactMap { interfaces[$0]?.primary }
    return VPCResolver.Zone.zones(privateNames(endpoint), endpoint: endpoint.id, addresses: addresses)
  }
}
