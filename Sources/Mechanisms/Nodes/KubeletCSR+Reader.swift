package import Wire

extension KubeletCSR {
  /// The certificate request inside `spec.request`, which whoever reads PEM has opened.
  package struct Subject: Sendable, Equatable {
    package var commonName: String
    package var organizations: [String]
    package var dnsNames: [String]
    package var addresses: [String]
    package var emails: [String]
    package var uris: [String]

    package init(
      commonName: String, organizations: [String], dnsNames: [String] = [], addresses: [String] = [],
      emails: [String] = [], uris: [String] = []
    ) {
      self.commonName = commonName
      self.organizations = organizations
      self.dnsNames = dnsNames
      self.addresses = addresses
      self.emails = emails
      self.uris = uris
    }
  }
}

extension KubeletCSR.Request {
  /// From a CertificateSigningRequest; nil for another signer's.
  package init?(csr: JSON, subject: KubeletCSR.Subject) {
    let spec = csr["spec"]
    guard spec["signerName"].string == KubeletCSR.signer else { return nil }
    self.init(
      username: spec["username"].string ?? "", groups: spec["groups"].strings, usages: spec["usages"].strings,
      commonName: subject.commonName, organizations: subject.organizations, dnsNames: subject.dnsNames,
      addresses: subject.addresses, emails: subject.emails, uris: subject.uris)
  }
}

extension KubeletCSR.Hybrid {
  /// Nil for a node inside AWS. Hybrid nodes have the ids that Systems Manager or their own certificates give them.
  package init?(node: JSON, name: String, cluster: JSON) {
    let label = node["metadata"]["labels"][KubeletCSR.hybridLabel].string
    let provider = node["spec"]["providerID"].string ?? ""
    guard label == "hybrid" || provider.hasPrefix("eks-hybrid://") || name.hasPrefix("mi-") else { return nil }
    self.init(
      isLabelled: label == "hybrid",
      networks: cluster["remoteNetworkConfig"]["remoteNodeNetworks"].items.flatMap { $0["cidrs"].strings })
  }
}

extension KubeletCSR {
  /// How far a request has come by its status: what `kubectl get csr` prints under CONDITION.
  package static func condition(csr: JSON) -> String {
    let types = csr["status"]["conditions"].items.compactMap { $0["type"].string }
    var words = ["Approved", "Denied", "Failed"].filter(types.contains)
    if words.isEmpty { words = ["Pending"] }
    if !(csr["status"]["certificate"].string ?? "").isEmpty { words.append("Issued") }
    return words.joined(separator: ",")
  }

  /// The names that EC2 has for an instance: from an item of DescribeInstances.
  package static func names(instance: JSON) -> [String] {
    var names = [instance["PrivateDnsName"], instance["PrivateIpAddress"], instance["PublicDnsName"]]
    names.append(instance["PublicIpAddress"])
    names.append(instance["InstanceId"])
    for interface in instance["NetworkInterfaces"].items {
      names += interface["Ipv6Addresses"].items.map { $0["Ipv6Address"] }
      for address in interface["PrivateIpAddresses"].items where address["Primary"].bool == true {
        names += [address["PrivateIpAddress"], address["PrivateDnsName"]]
      }
    }
    var seen: [String] = []
    for name in names.compactMap(\.string) where !name.isEmpty && !seen.contains(name) { seen.append(name) }
    return seen
  }
}
