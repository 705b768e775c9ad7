package import Wire

extension PodResolver.Facts {
  /// Of a pod, as the API server has it with its defaults.
  package static func read(
    pod: JSON, source: Source, clusterDNS: Fact<[String]>, node: Fact<ResolverConfiguration>
  ) -> Self {
    Self(
      policy: .known(pod["spec"]["dnsPolicy"].string ?? "ClusterFirst", source),
      isHostNetwork: .known(pod["spec"]["hostNetwork"].bool ?? false, source),
      namespace: .known(pod["metadata"]["namespace"].string ?? "default", source),
      config: .known(pod["spec"]["dnsConfig"], source), clusterDNS: clusterDNS, node: node)
  }
}

extension ResolverConfiguration {
  /// What an EC2 node of Amazon Linux is given by DHCP: the VPC's resolver and the region's domain.
  ///
  /// `dhcp` is the VPC's set of options as DescribeDhcpOptions has it, null for AWS's own.
  package static func node(region: String, vpcBlock: CIDR?, dhcp: JSON = .null) -> ResolverConfiguration {
    let own = vpcBlock.map { "\($0.base + 2)" } ?? "169.254.169.253"
    let usual = region == "us-east-1" ? "ec2.internal" : "\(region).compute.internal"
    func values(_ key: String) -> [String] {
      dhcp["DhcpConfigurations"].items.first { $0["Key"].string == key }?["Values"].items.compactMap {
        $0["Value"].string
      } ?? []
    }
    guard !dhcp.isNull else { return ResolverConfiguration(nameservers: [own], searches: [usual]) }
    let servers = values("domain-name-servers").map { $0 == "AmazonProvidedDNS" ? own : $0 }
    return ResolverConfiguration(
      nameservers: servers, searches: values("domain-name").flatMap { $0.split(separator: " ").map(String.init) })
  }
}
