package import Wire

/// What an interface may send in a second to the VPC's resolver and the other services behind link-local addresses; the
/// rest is dropped without a word, and counted.
///
/// Source: EC2 user guide, metrics of the ENA driver; VPC guide, DNS quotas.
package struct LinkLocalAllowance: Codable, Sendable {
  private var second: Int64 = 0
  private var sent = 0
  /// `linklocal_allowance_exceeded` of `ethtool -S`.
  package private(set) var exceeded = 0

  package init() {}

  package func admits(at now: Timestamp) -> Bool { now.seconds != second || sent < VPCResolver.packetLimit }

  /// A packet is sent.
  package mutating func take(at now: Timestamp) {
    if now.seconds != second { (second, sent) = (now.seconds, 0) }
    if sent < VPCResolver.packetLimit { sent += 1 } else { exceeded += 1 }
  }

  /// The counter's name, and how a line of `ethtool -S` has it.
  package static let counter = "linklocal_allowance_exceeded"
}

/// Whether interfaces of a node have dropped queries to the VPC's resolver.
package enum ResolverAllowance: Rule {
  package static let name = "names/resolver-allowance"

  package struct Facts: FactSet {
    /// ``LinkLocalAllowance/counter``, all interfaces of the node together.
    package var exceeded: Fact<Int>

    package init(exceeded: Fact<Int>) { self.exceeded = exceeded }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.exceeded)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Int, Because> {
    guard let exceeded = facts.exceeded.value else { return .open([facts.exceeded.gap!]) }
    let text = "\(LinkLocalAllowance.counter) is \(exceeded)"
    guard exceeded > 0 else { return .no([Because("\(name)/kept", text, evidence: [facts.exceeded.citation])]) }
    return .yes(exceeded, [Because("\(name)/exceeded", text, evidence: [facts.exceeded.citation])])
  }
}
