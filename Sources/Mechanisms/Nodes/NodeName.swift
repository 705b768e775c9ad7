package import Wire

/// What an instance is called, and a node after it.
package enum NodeName {
  /// A subnet's setting for the host names of its instances.
  package enum HostnameType: String, Sendable, Codable {
    case ip = "ip-name"
    case resource = "resource-name"
  }

  /// EC2's PrivateDnsName: `ip-10-0-1-23.ec2.internal` in us-east-1, `.REGION.compute.internal` elsewhere;
  /// by resource `i-….` before the same.
  package static func privateDNSName(
    address: IPv4Address, instanceID: String, region: String, hostnameType: HostnameType = .ip
  ) -> String {
    let host = hostnameType == .ip ? "ip-\(address.dashed)" : instanceID
    return "\(host).\(domain(region: region))"
  }

  package static func domain(region: String) -> String {
    region == "us-east-1" ? "ec2.internal" : "\(region).compute.internal"
  }

  /// The name under which the kubelet registers: the private DNS name, or the instance's id where nodeadm is told so.
  package static func of(privateDNSName: String, instanceID: String, instanceIDNodeName: Bool = false) -> String {
    instanceIDNodeName ? instanceID : privateDNSName
  }

  /// `aws:///us-east-1a/i-…`
  package static func providerID(zone: String, instanceID: String) -> String { "aws:///\(zone)/\(instanceID)" }

  /// The instance's id in a provider id; nil where it is none of EC2's.
  package static func instanceID(providerID: String) -> String? {
    guard providerID.hasPrefix("aws://"), let last = providerID.split(separator: "/").last, last.hasPrefix("i-") else {
      return nil
    }
    return String(last)
  }
}
