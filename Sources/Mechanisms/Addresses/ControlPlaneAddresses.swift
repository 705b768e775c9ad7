import Wire

/// Whether a subnet has room for the interfaces that EKS makes anew when it updates a control plane (EKS user guide,
/// "Update existing cluster to new Kubernetes version").
package enum ControlPlaneAddresses: Rule {
  package static let name = "addresses/control-plane-room"
  /// Free addresses that each subnet of a cluster needs for an update.
  package static let needed = 5

  package struct Facts: FactSet {
    /// EC2 DescribeSubnets: AvailableIpAddressCount.
    package var free: Fact<Int>

    package init(free: Fact<Int>) { self.free = free }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.free)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let free = facts.free.value else { return .open([facts.free.gap!]) }
    let text = "\(free) of \(needed) addresses are free"
    let because = Because("addresses/control-plane-room/free", text, evidence: [facts.free.citation])
    return free >= needed ? .yes([because]) : .no([because])
  }
}
