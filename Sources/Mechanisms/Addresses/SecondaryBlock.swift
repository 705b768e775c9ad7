package import Wire

/// Whether a VPC may have a further CIDR block (VPC user guide, "IPv4 CIDR block association restrictions").
package enum SecondaryBlock: Rule {
  package static let name = "addresses/secondary-block"

  package struct Facts: FactSet {
    /// EC2 DescribeVpcs: the blocks it has, the primary one first.
    package var present: Fact<[CIDR]>
    package var wanted: Fact<CIDR>

    package init(present: Fact<[CIDR]>, wanted: Fact<CIDR>) {
      self.present = present
      self.wanted = wanted
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.present), hider(\.wanted)]
  }

  package static let conflict = "addresses/secondary-block/conflict"
  package static let restricted = "addresses/secondary-block/restricted"

  private static let privateRanges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map { CIDR($0)! }
  /// AWS's own services use it inside every VPC.
  private static let benchmark = CIDR("198.19.0.0/16")!

  package static func decide(_ facts: Facts) -> Verdict<CIDR, Because> {
    guard let wanted = facts.wanted.value else { return .open([facts.wanted.gap!]) }
    guard let present = facts.present.value, let primary = present.first else {
      return .open([facts.present.gap ?? Gap(read: "ec2:DescribeVpcs", why: "it shows no block")])
    }
    if let other = present.first(where: { $0.overlaps(wanted) }) {
      return .no([Because(conflict, "\(wanted) overlaps \(other)", evidence: [facts.present.citation])])
    }
    func no(_ why: String) -> Verdict<CIDR, Because> {
      .no([Because(restricted, why, evidence: [facts.present.citation])])
    }
    if wanted.overlaps(benchmark) { return no("\(benchmark) is AWS's own") }
    let own = privateRanges.first { $0.contains(primary) }
    if let range = privateRanges.first(where: { $0.overlaps(wanted) }), range != own {
      return no("\(wanted) is of another private range than \(primary)")
    }
    if own == privateRanges[0], CIDR("10.0.0.0/16")!.overlaps(wanted),
      present.contains(where: { CIDR("10.0.0.0/15")!.overlaps($0) })
    {
      return no("a VPC with a block of 10.0.0.0/15 takes none of 10.0.0.0/16")
    }
    if own == privateRanges[1], CIDR("172.31.0.0/16")!.overlaps(wanted) {
      return no("172.31.0.0/16 is the default VPC's")
    }
    return .yes(wanted)
  }
}
