import Evidence
import Mechanisms
import Wire

/// STS has found another certificate at the issuer than the provider's thumbprints stand for. What the issuer shows is in
/// no API: that they differ is what STS says.
struct ProviderThumbprint: Link {
  let code = "identity/provider-thumbprint"
  let explains: [Effect.Kind] = [.providerThumbprint]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let cluster = await world.cluster()
    guard let issuer = cluster.first?["identity"]["oidc"]["issuer"].string else {
      return .open([cluster.gap ?? Gap(read: "eks:DescribeCluster", why: "identity.oidc.issuer is not in the answer")])
    }
    let host = String(issuer.dropFirst(issuer.hasPrefix("https://") ? 8 : 0))
    let listed = await world.aws(.listOpenIDConnectProviders)
    if let gap = listed.gap { return .open([gap]) }
    let arn = listed.items.compactMap { $0["Arn"].string }.first { ARN.parse($0)?.resourceID == host }
    guard let arn else {
      return .refuted(
        "IAM has no provider for the cluster's issuer, whose thumbprints could differ",
        [Exhibit(Cite.aws(.listOpenIDConnectProviders, field: "Arn", value: "none for \(host)", at: listed.at))])
    }
    let provider = await world.aws(.getOpenIDConnectProvider, ["OpenIDConnectProviderArn": arn])
    if let gap = provider.gap { return .open([gap]) }
    let thumbprints = provider.first?["ThumbprintList"].strings ?? []
    let evidence = [
      Exhibit(
        Cite.aws(
          .describeCluster, world.target.cluster ?? "", field: "identity.oidc.issuer", value: issuer, at: cluster.at)
      ),
      Exhibit(
        Cite.aws(
          .getOpenIDConnectProvider, arn, field: "ThumbprintList", value: thumbprints.joined(separator: ", "),
          at: provider.at)),
    ]
    let options = world.target.awsOptions
    let update =
      "aws iam update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn \(arn) --thumbprint-list"
    let server = host.prefix { $0 != "/" }
    // The last certificate that a server shows is the authority's.
    let shown =
      "$(openssl s_client -servername \(server) -showcerts -connect \(server):443 </dev/null 2>/dev/null | awk '/BEGIN CERT/{c=\"\"} {c=c $0 \"\\n\"} /END CERT/{l=c} END{printf \"%s\", l}' | openssl x509 -noout -fingerprint -sha1 | cut -d= -f2 | tr -d :)"
    return .holds(
      Explanation(
        "STS compares the certificate of \(server) with the provider's thumbprints, and finds it among none of them",
        entity: effect.entity, evidence: evidence,
        root: RootCause(
          "identity/provider-thumbprint-differs", layer: .aws, entity: Entity("OpenIDConnectProvider", host),
          statement:
            "the provider of the cluster's issuer has \(Count.of(thumbprints.count, "thumbprint")), \(thumbprints.joined(separator: ", ")), and none is of an authority in the chain that \(server) shows",
          evidence: evidence,
          fixes: [
            Fix(
              "gives the provider the thumbprint of the authority that the issuer shows; the next try of the SDK finds it",
              command: "\(update) \(shown)\(options)", owner: "hand", touches: ["oidc-provider/\(host)"],
              undo: thumbprints.isEmpty ? nil : "\(update) \(thumbprints.joined(separator: " "))\(options)",
              expectWithin: "5m")
          ])))
  }
}
