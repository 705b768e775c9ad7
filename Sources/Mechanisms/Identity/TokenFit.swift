package import Wire

/// Whether a token of IAM's, as its client makes it, is one that a cluster's authenticator can take: before anybody
/// asks as whom it maps its sender (aws-iam-authenticator, `tokenVerifier.Verify`; STS checks the signed cluster).
package enum TokenFit: Rule {
  package static let name = "identity/token-fit"
  /// A token that was written down lives this long from its signature on.
  package static let lifetime: Int64 = 15 * 60

  package struct Facts: FactSet {
    /// Where the client sends it, and the cluster's endpoint.
    package var server: Fact<String>
    package var endpoint: Fact<String>
    /// The cluster that it is signed for, and this one.
    package var signedCluster: Fact<String>
    package var cluster: Fact<String>
    /// The region of the STS that it points to, and the cluster's.
    package var signedRegion: Fact<String>
    package var region: Fact<String>
    /// When it was signed, where it isn't made anew for each use.
    package var signedAt: Fact<Timestamp?>
    package var now: Fact<Timestamp>

    package init(
      server: Fact<String>, endpoint: Fact<String>, signedCluster: Fact<String>, cluster: Fact<String>,
      signedRegion: Fact<String>, region: Fact<String>, signedAt: Fact<Timestamp?>, now: Fact<Timestamp>
    ) {
      self.server = server
      self.endpoint = endpoint
      self.signedCluster = signedCluster
      self.cluster = cluster
      self.signedRegion = signedRegion
      self.region = region
      self.signedAt = signedAt
      self.now = now
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.server), hider(\.endpoint), hider(\.signedCluster), hider(\.cluster), hider(\.signedRegion),
      hider(\.region), hider(\.signedAt), hider(\.now),
    ]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    func no(_ code: String, _ text: String, _ citation: Citation?) -> Verdict<Void, Because> {
      .no([Because("\(name)/\(code)", text, evidence: [citation])])
    }
    let sameServer = facts.server.and(facts.endpoint).truth { $0 == $1 }
    if sameServer.isNo {
      return no(
        "server",
        "requests go to \(facts.server.value ?? ""), and the cluster's endpoint is \(facts.endpoint.value ?? "")",
        facts.server.citation)
    }
    let sameCluster = facts.signedCluster.and(facts.cluster).truth { $0 == $1 }
    if sameCluster.isNo {
      return no(
        "cluster",
        "the token is signed for cluster \(facts.signedCluster.value ?? ""), and this is \(facts.cluster.value ?? ""): STS finds the signature wrong",
        facts.signedCluster.citation)
    }
    let samePartition = facts.signedRegion.and(facts.region).truth {
      Partition.of(region: $0) == Partition.of(region: $1)
    }
    if samePartition.isNo {
      return no(
        "partition",
        "the token points to STS in \(facts.signedRegion.value ?? ""), which is another partition of AWS than the cluster's",
        facts.signedRegion.citation)
    }
    let isYoung = facts.signedAt.and(facts.now).truth { at, now in
      at.map { now - $0 <= .seconds(lifetime) } ?? true
    }
    if isYoung.isNo, let at = facts.signedAt.value.flatMap({ $0 }) {
      return no(
        "expired", "the token was signed at \(at.rfc3339), and a token is good for 15 minutes", facts.signedAt.citation)
    }
    let all = sameServer && sameCluster && samePartition && isYoung
    return all.isYes
      ? .yes([Because("\(name)/fits", "its token is signed for this cluster, and young enough")]) : .open(all.gaps)
  }
}
