package import Wire

/// What the resolver of one VPC goes by.
package struct VPCNames: Sendable {
  package var id: String
  package var region: String
  package var blocks: [CIDR]
  package var support: Bool
  package var hostnames: Bool
  /// The set of DHCP options as DescribeDhcpOptions has it.
  package var dhcp: JSON
  package var zones: [VPCResolver.Zone]
  package var rules: [VPCResolver.ForwardRule]

  package init(
    id: String, region: String, blocks: [CIDR], support: Bool, hostnames: Bool, dhcp: JSON = .null,
    zones: [VPCResolver.Zone] = [], rules: [VPCResolver.ForwardRule] = []
  ) {
    self.id = id
    self.region = region
    self.blocks = blocks
    self.support = support
    self.hostnames = hostnames
    self.dhcp = dhcp
    self.zones = zones
    self.rules = rules
  }

  /// The resolver's own address.
  package var resolver: String? { blocks.first.map { "\($0.base + 2)" } }

  package func facts(_ question: DNSQuestion, publicly: DNSReply) -> VPCResolver.Facts {
    .init(
      question: .known(question), region: .known(region), support: .known(support), hostnames: .known(hostnames),
      blocks: .known(blocks), zones: .known(zones), rules: .known(rules), publicly: .known(publicly))
  }
}

/// The true name of a cluster's endpoint and to what it may lead.
package struct EndpointName: Sendable {
  package var host: String
  package var cluster: String
  package var vpc: String
  package var isPublic: Bool
  package var isPrivate: Bool
  /// Those of the control plane's interfaces.
  package var addresses: [String]
  /// From where its public addresses may be called: publicAccessCidrs.
  package var admits: [CIDR]

  package init(
    host: String, cluster: String, vpc: String, isPublic: Bool, isPrivate: Bool, addresses: [String],
    admits: [CIDR] = [.everything]
  ) {
    self.host = DNSName.canonical(host)
    self.cluster = cluster
    self.vpc = vpc
    self.isPublic = isPublic
    self.isPrivate = isPrivate
    self.addresses = addresses
    self.admits = admits
  }

  /// `HEX.gr7.REGION.eks.amazonaws.com`.
  package static func host(id: String, region: String) -> String {
    "\(id.lowercased()).gr7.\(region).eks.amazonaws.com"
  }

  /// Public addresses of its load balancer: the same for the same name.
  package var publicAddresses: [String] {
    let hash = host.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    return [
      "54.\(hash >> 24 & 63 | 64).\(hash >> 16 & 255).\(max(hash >> 8 & 255, 1))",
      "52.\(hash & 63 | 8).\(hash >> 8 & 255).\(max(hash >> 16 & 255, 1))",
    ]
  }

  /// What stands behind its public addresses.
  package var publicHost: Fabric.OutsideHost {
    Fabric.OutsideHost(
      "the cluster's public endpoint",
      blocks: publicAddresses.compactMap { IPv4Address($0) }.map { CIDR($0, length: 32) }, admits: .known(admits))
  }

  private func side(isInside: Bool, _ names: VPCNames?) -> EndpointAddress.Side? {
    EndpointAddress.decide(
      .init(
        isPublic: .known(isPublic), isPrivate: .known(isPrivate), isInside: .known(isInside),
        support: .known(names?.support ?? true), hostnames: .known(names?.hostnames ?? true))
    ).value
  }

  /// The zone that its VPC sees, where EKS made one that counts.
  package func zone(in names: VPCNames) -> VPCResolver.Zone? {
    guard names.id == vpc, isPrivate, side(isInside: true, names) == .privately else { return nil }
    return .init(
      name: host, origin: .cluster(name: cluster), records: addresses.map { DNSRecord(host, .a, 60, $0) })
  }

  /// What the public DNS answers.
  package func publicly(_ question: DNSQuestion) -> DNSReply {
    let own = side(isInside: false, nil) == .privately ? addresses : publicAddresses
    guard question.type == .a || question.type == .any else {
      return DNSReply(authority: [PublicNames.soa("amazonaws.com")])
    }
    return DNSReply(answers: own.map { DNSRecord(host, .a, 60, $0) })
  }
}
