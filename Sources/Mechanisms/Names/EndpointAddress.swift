/// To which addresses the name of a cluster's endpoint leads, by who asks.
///
/// Source: EKS user guide, cluster endpoint access.
package enum EndpointAddress: Rule {
  package static let name = "names/endpoint-address"

  package struct Facts: FactSet {
    package var isPublic: Fact<Bool>
    package var isPrivate: Fact<Bool>
    /// Whether it is the resolver of the cluster's VPC that is asked.
    package var isInside: Fact<Bool>
    /// `enableDnsSupport` and `enableDnsHostnames`.
    package var support: Fact<Bool>
    package var hostnames: Fact<Bool>

    package init(
      isPublic: Fact<Bool>, isPrivate: Fact<Bool>, isInside: Fact<Bool>, support: Fact<Bool>, hostnames: Fact<Bool>
    ) {
      self.isPublic = isPublic
      self.isPrivate = isPrivate
      self.isInside = isInside
      self.support = support
      self.hostnames = hostnames
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.isPublic), hider(\.isPrivate), hider(\.isInside), hider(\.support), hider(\.hostnames),
    ]
  }

  package enum Side: String, Sendable {
    /// Addresses of the Internet.
    case publicly
    /// The control plane's interfaces in the cluster's subnets.
    case privately
  }

  package static func decide(_ facts: Facts) -> Verdict<Side, Because> {
    func because(_ code: String, _ text: String, _ citations: Citation?...) -> Because {
      Because("names/endpoint-address/\(code)", text, evidence: citations)
    }
    let hasZone =
      Truth(facts.isPrivate) && Truth(facts.isInside) && Truth(facts.support) && Truth(facts.hostnames)
    if hasZone.isYes {
      return .yes(
        .privately,
        [
          because(
            "private-zone",
            "private access is on, so the VPC's resolver has a zone of EKS's for the endpoint: it answers the addresses of the control plane's interfaces",
            facts.isPrivate.citation)
        ])
    }
    guard let isPublic = facts.isPublic.value else { return .open([facts.isPublic.gap!]) }
    if !isPublic {
      return .yes(
        .privately,
        [
          because(
            "private-only", "public access is off: the public DNS, too, answers private addresses",
            facts.isPublic.citation)
        ])
    }
    guard hasZone.isNo else { return .open(hasZone.gaps) }
    let why =
      Truth(facts.isPrivate).isNo
      ? "private access is off"
      : Truth(facts.isInside).isNo
        ? "the one who asks is outside of the VPC" : "enableDnsSupport or enableDnsHostnames of the VPC is off"
    return .yes(
      .publicly,
      [
        because(
          "public", "\(why): the name leads to public addresses", facts.isPrivate.citation, facts.hostnames.citation)
      ])
  }
}
