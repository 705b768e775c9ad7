package import Wire

/// Whether a cluster's endpoint takes connections from outside of its VPC (EKS user guide, cluster endpoint access).
package enum EndpointAdmission: Rule {
  package static let name = "identity/endpoint-admission"

  package struct Facts: FactSet {
    package var isPublic: Fact<Bool>
    /// `publicAccessCidrs`.
    package var admits: Fact<[CIDR]>
    /// The public address of the one who connects.
    package var from: Fact<IPv4Address>

    package init(isPublic: Fact<Bool>, admits: Fact<[CIDR]>, from: Fact<IPv4Address>) {
      self.isPublic = isPublic
      self.admits = admits
      self.from = from
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.isPublic), hider(\.admits), hider(\.from),
    ]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let isPublic = facts.isPublic.value else { return .open([facts.isPublic.gap!]) }
    guard isPublic else {
      return .no([
        Because(
          "\(name)/private", "public access is off: nobody outside of the VPC reaches the endpoint",
          evidence: [facts.isPublic.citation])
      ])
    }
    guard let admits = facts.admits.value else { return .open([facts.admits.gap!]) }
    if admits.contains(.everything) {
      return .yes([Because("\(name)/everybody", "the endpoint takes connections from everywhere")])
    }
    guard let from = facts.from.value else { return .open([facts.from.gap!]) }
    guard admits.contains(where: { $0.contains(from) }) else {
      let list = admits.map(\.description).joined(separator: ", ")
      return .no([
        Because(
          "\(name)/address", "the public endpoint takes connections from \(list) only, and this one is \(from)",
          evidence: [facts.admits.citation, facts.from.citation])
      ])
    }
    return .yes([Because("\(name)/listed", "\(from) is among publicAccessCidrs")])
  }
}
