import Wire

/// Whether a kubelet's request for a serving certificate is one, and is approved and issued (kubernetes
/// `pkg/apis/certificates`; EKS's certificate controller).
package enum KubeletCSR: Rule {
  package static let name = "nodes/kubelet-csr"
  package static let signer = "kubernetes.io/kubelet-serving"

  /// A request, its PEM read.
  package struct Request: Sendable, Equatable {
    package var username: String
    package var groups: [String]
    package var signer: String
    package var usages: [String]
    package var commonName: String
    package var organizations: [String]
    package var dnsNames: [String]
    package var addresses: [String]
    package var emails: [String]
    package var uris: [String]

    package init(
      username: String, groups: [String], signer: String = KubeletCSR.signer, usages: [String], commonName: String,
      organizations: [String], dnsNames: [String], addresses: [String], emails: [String] = [], uris: [String] = []
    ) {
      self.username = username
      self.groups = groups
      self.signer = signer
      self.usages = usages
      self.commonName = commonName
      self.organizations = organizations
      self.dnsNames = dnsNames
      self.addresses = addresses
      self.emails = emails
      self.uris = uris
    }
  }

  /// What counts for a node outside AWS, of which EC2 knows nothing.
  package struct Hybrid: Sendable, Equatable {
    /// Its Node has the label of hybrid nodes.
    package var isLabelled: Bool
    /// DescribeCluster, `remoteNetworkConfig.remoteNodeNetworks`.
    package var networks: [String]

    package init(isLabelled: Bool, networks: [String]) {
      self.isLabelled = isLabelled
      self.networks = networks
    }
  }

  package struct Facts: FactSet {
    package var request: Fact<Request>
    /// Whether RBAC lets the requester create `certificatesigningrequests/selfnodeserver`.
    package var mayServe: Fact<Bool>
    /// The names and addresses that EC2 has for the node's instance.
    package var instanceNames: Fact<[String]>
    /// Nil for a node inside AWS.
    package var hybrid: Fact<Hybrid?>

    package init(
      request: Fact<Request>, mayServe: Fact<Bool>, instanceNames: Fact<[String]>, hybrid: Fact<Hybrid?> = .known(nil)
    ) {
      self.request = request
      self.mayServe = mayServe
      self.instanceNames = instanceNames
      self.hybrid = hybrid
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.request), hider(\.mayServe), hider(\.instanceNames), hider(\.hybrid),
    ]
  }

  /// How far it comes.
  package enum Outcome: String, Sendable {
    case approved = "Approved"
    case issued = "Approved,Issued"
  }

  package static let approvalReason = "AutoApproved"
  package static let approvalMessage = "Auto approving self kubelet server certificate after SubjectAccessReview."

  /// `no` stays Pending; approved without being issued where its names are not the instance's.
  package static func decide(_ facts: Facts) -> Verdict<Outcome, Because> {
    guard let request = facts.request.value else { return .open([facts.request.gap!]) }
    let evidence = [facts.request.citation]
    if let fault = fault(request) {
      return .no([Because("nodes/kubelet-csr/malformed", fault, evidence: evidence)])
    }
    guard request.commonName == request.username else {
      return .no([
        Because(
          "nodes/kubelet-csr/requester",
          "it is for \(request.commonName), and was asked for by \(request.username)", evidence: evidence)
      ])
    }
    guard let mayServe = facts.mayServe.value else { return .open([facts.mayServe.gap!]) }
    guard mayServe else {
      return .no([
        Because(
          "nodes/kubelet-csr/not-allowed",
          "\(request.username) may not create certificatesigningrequests/selfnodeserver",
          evidence: [facts.mayServe.citation])
      ])
    }
    switch facts.hybrid {
    case .unknown(let gap): return .open([gap])
    case .known(nil, _): break
    case .known(let hybrid?, let source): return decide(request, hybrid, evidence + [source.citation])
    }
    guard let names = facts.instanceNames.value else { return .open([facts.instanceNames.gap!]) }
    let foreign = (request.dnsNames + request.addresses).filter { !names.contains($0) }
    guard foreign.isEmpty else {
      return .yes(
        .approved,
        [
          Because(
            "nodes/kubelet-csr/names", "\(foreign.joined(separator: ", ")) is not the instance's by EC2",
            evidence: evidence + [facts.instanceNames.citation])
        ])
    }
    return .yes(.issued, [Because("nodes/kubelet-csr/issued", approvalMessage, evidence: evidence)])
  }

  /// Of a hybrid node: its label, its own name and addresses in the cluster's remote node networks.
  private static func decide(_ request: Request, _ hybrid: Hybrid, _ evidence: [Citation?]) -> Verdict<Outcome, Because>
  {
    func no(_ code: String, _ text: String) -> Verdict<Outcome, Because> {
      .no([Because("nodes/kubelet-csr/hybrid-\(code)", text, evidence: evidence)])
    }
    let name = String(request.commonName.dropFirst("system:node:".count))
    guard hybrid.isLabelled else { return no("label", "node \(name) has no label \(hybridLabel)=hybrid") }
    guard request.dnsNames.contains(name) else {
      return no("name", "no DNS name in it (\(request.dnsNames.joined(separator: ", "))) is the node's, \(name)")
    }
    let networks = hybrid.networks.compactMap { CIDR($0) }
    let outside = request.addresses.filter { text in
      IPv4Address(text).map { address in !networks.contains { $0.contains(address) } } ?? false
    }
    guard outside.isEmpty else {
      let known = hybrid.networks.isEmpty ? "there are none" : hybrid.networks.joined(separator: ", ")
      return no(
        "address",
        "\(outside.joined(separator: ", ")) is in none of the cluster's remote node networks (\(known))")
    }
    return .yes(.issued, [Because("nodes/kubelet-csr/issued", approvalMessage, evidence: evidence)])
  }

  package static let hybridLabel = "eks.amazonaws.com/compute-type"

  /// What is wrong with its form; nil for a good one.
  package static func fault(_ request: Request) -> String? { faults(request).first }

  /// All that is wrong with its form.
  package static func faults(_ request: Request) -> [String] {
    var faults: [String] = []
    if request.organizations != ["system:nodes"] { faults.append("subject organization is not system:nodes") }
    if request.dnsNames.isEmpty, request.addresses.isEmpty { faults.append("DNS or IP subjectAltName is required") }
    if !request.emails.isEmpty { faults.append("Email subjectAltNames are not allowed") }
    if !request.uris.isEmpty { faults.append("URI subjectAltNames are not allowed") }
    let usages = Set(request.usages)
    if usages != ["digital signature", "server auth"],
      usages != ["digital signature", "key encipherment", "server auth"]
    {
      faults.append("usages did not match [digital signature key encipherment server auth]")
    }
    if !request.commonName.hasPrefix("system:node:") {
      faults.append("subject common name does not begin with system:node:")
    }
    return faults
  }
}
