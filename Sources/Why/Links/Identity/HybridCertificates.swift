import Evidence
import Mechanisms
import Wire

/// Requests of hybrid nodes for serving certificates that nobody approves: the node's label, its name or its address is
/// not as it has to be.
struct HybridCertificates: Link {
  let code = "identity/hybrid-certificates"
  let explains: [Effect.Kind] = [.servingCertificates]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.list(.csrs)
    if let gap = found.gap { return .open([gap]) }
    for csr in found.items
    where csr["spec"]["signerName"].string == KubeletCSR.signer && KubeletCSR.condition(csr: csr) == "Pending" {
      guard let subject = CertificateRequest.subject(ofCSR: csr),
        let request = KubeletCSR.Request(csr: csr, subject: subject)
      else { continue }
      let name = String(subject.commonName.dropFirst("system:node:".count))
      let node = await world.node(name)
      let cluster = await world.cluster()
      if let gap = node.gap ?? cluster.gap { return .open([gap]) }
      let hybrid = KubeletCSR.Hybrid(node: node.first ?? .null, name: name, cluster: cluster.first ?? .null)
      guard let hybrid else { continue }
      let verdict = KubeletCSR.decide(
        .init(request: .known(request), mayServe: .known(true), instanceNames: .known([]), hybrid: .known(hybrid)))
      guard verdict.isNo, let because = verdict.reasons.last,
        because.code.hasPrefix("\(KubeletCSR.name)/hybrid-")
      else { continue }
      var evidence = [
        Exhibit(
          Cite.object(
            csr, "CertificateSigningRequest", resource: .csrs, field: "spec.request",
            value: "\(subject.commonName); \((subject.dnsNames + subject.addresses).joined(separator: ", "))",
            at: found.at)),
        Exhibit(
          Cite.aws(
            .describeCluster, world.target.cluster ?? "", field: "remoteNetworkConfig.remoteNodeNetworks",
            value: hybrid.networks.isEmpty ? "none" : hybrid.networks.joined(separator: ", "), at: cluster.at)),
      ]
      let field = "metadata.labels[\(KubeletCSR.hybridLabel)]"
      if let object = node.first {
        evidence.append(
          Exhibit(
            Cite.object(
              object, "Node", resource: .nodes, field: field,
              value: object["metadata"]["labels"][KubeletCSR.hybridLabel].string ?? "none", at: node.at)))
      }
      return .holds(
        Explanation(
          "request \(csr["metadata"]["name"].string ?? "") of hybrid node \(name) for a serving certificate waits: EKS approves what is surely the node's own only",
          entity: effect.entity, evidence: evidence,
          root: RootCause(
            "identity/hybrid-request-not-approved", layer: .eks, entity: Entity("Node", name),
            statement: "EKS doesn't approve the certificate request of hybrid node \(name): \(because.text)",
            evidence: evidence,
            fixes: [fix(because, name, request, cluster.first?["remoteNetworkConfig"] ?? .null, world)])))
    }
    return .silent
  }

  private func fix(
    _ because: Because, _ name: String, _ request: KubeletCSR.Request, _ config: JSON, _ world: Investigation
  ) -> Fix {
    let cluster = world.target.cluster ?? "CLUSTER"
    let verify = "\(world.target.kubectl) get csr"
    switch because.code {
    case "\(KubeletCSR.name)/hybrid-label":
      return Fix(
        "gives the node the label of hybrid nodes",
        command:
          "\(world.target.kubectl) label node \(Shell.quote(name)) \(KubeletCSR.hybridLabel)=hybrid", owner: "hand",
        touches: ["node/\(name)"],
        undo: "\(world.target.kubectl) label node \(Shell.quote(name)) \(KubeletCSR.hybridLabel)-",
        verify: verify, expectWithin: "2m")
    case "\(KubeletCSR.name)/hybrid-address":
      // Its own network is not in the request; the address alone is surely of it.
      var next = config
      let fresh = request.addresses.filter { because.text.contains($0) }.map { "\($0)/32" }
      next["remoteNodeNetworks"] = .array(config["remoteNodeNetworks"].items + [["cidrs": JSON(fresh)]])
      func update(_ config: JSON) -> String {
        "aws eks update-cluster-config --name \(Shell.quote(cluster)) --remote-network-config \(Shell.quote(config.text()))\(world.target.awsOptions)"
      }
      return Fix(
        "adds the node's address to the remote node networks; better the whole network that the node is in",
        command: update(next), owner: "hand", touches: ["cluster/\(cluster)"],
        undo: config.isNull ? nil : update(config), verify: verify, expectWithin: "10m")
    default:
      return Fix(
        "let the kubelet of \(name) ask under its own name: its --hostname-override, and the name that its credentials give it, must be one",
        owner: "unknown", touches: ["node/\(name)"], verify: verify)
    }
  }
}
