/// Whether a trunk takes another branch, and on which VLAN (amazon-vpc-resource-controller-k8s,
/// `pkg/provider/branch/trunk`).
package enum BranchRoom: Rule {
  package static let name = "addresses/branch-room"

  package struct Facts: FactSet {
    /// How many branches the instance type takes.
    package var limit: Fact<Int>
    /// VLANs of branches that pods have.
    package var used: Fact<[Int]>
    /// VLANs of branches whose pods are gone, which cool down before they are deleted.
    package var cooling: Fact<[Int]>

    package init(limit: Fact<Int>, used: Fact<[Int]>, cooling: Fact<[Int]>) {
      self.limit = limit
      self.used = used
      self.cooling = cooling
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.limit), hider(\.used), hider(\.cooling)]
  }

  package static let atLimit = "addresses/branch-room/limit"
  package static let noVLAN = "addresses/branch-room/vlan"
  /// VLAN ids are 1…120; 0 is reserved.
  package static let vlans = 1...120

  package static func decide(_ facts: Facts) -> Verdict<Int, Because> {
    let gaps = [facts.limit.gap, facts.used.gap, facts.cooling.gap].compactMap { $0 }
    guard let limit = facts.limit.value, let used = facts.used.value, let cooling = facts.cooling.value else {
      return .open(gaps)
    }
    guard used.count + cooling.count < limit else {
      return .no([
        Because(
          atLimit,
          "cannot create more branches at this point as used branches plus the delete queue is at max capacity",
          evidence: [facts.limit.citation, facts.used.citation, facts.cooling.citation])
      ])
    }
    guard let vlan = vlans.first(where: { !used.contains($0) && !cooling.contains($0) }) else {
      return .no([Because(noVLAN, "failed to find free vlan id in the available 121 ids")])
    }
    return .yes(vlan)
  }
}
