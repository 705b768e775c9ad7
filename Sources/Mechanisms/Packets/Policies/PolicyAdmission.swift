import Wire

/// Whether the network policies of a pod let a new flow through.
package enum PolicyAdmission: Rule {
  package static let name = "packets/network-policy"

  package struct Facts: FactSet {
    /// Kubernetes: PolicyEndpoints that select the pod, and how its node's agent runs.
    package var policy: Fact<PodPolicy>
    package var packet: Fact<Packet>
    package var direction: Fact<PodPolicy.Direction>

    package init(policy: Fact<PodPolicy>, packet: Fact<Packet>, direction: Fact<PodPolicy.Direction>) {
      self.policy = policy
      self.packet = packet
      self.direction = direction
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.policy), hider(\.packet), hider(\.direction),
    ]
  }

  package static let noRule = "\(name)/no-rule"
  package static let nothingLoaded = "\(name)/nothing-loaded"

  package static func decide(_ facts: Facts) -> Verdict<PodPolicy.Answer, Because> {
    guard let policy = facts.policy.value, let packet = facts.packet.value, let direction = facts.direction.value
    else { return .open([facts.policy.gap, facts.packet.gap, facts.direction.gap].compactMap { $0 }) }
    let answer = policy.answer(packet, direction)
    let because = Because(
      code(answer), text(answer, policy, packet, direction), evidence: [facts.policy.citation])
    return answer.passes ? .yes(answer, [because]) : .no([because])
  }

  private static func code(_ answer: PodPolicy.Answer) -> String {
    switch answer {
    case .free: "\(name)/none"
    case .ofNode: "\(name)/node"
    case .rule: "\(name)/rule"
    case .noRule: noRule
    case .nothingLoaded: nothingLoaded
    }
  }

  package static func text(
    _ answer: PodPolicy.Answer, _ policy: PodPolicy, _ packet: Packet, _ direction: PodPolicy.Direction
  ) -> String {
    let isIn = direction == .ingress
    let peer = isIn ? "from \(packet.source)" : "to \(packet.destination)"
    let what =
      packet.transport.hasPorts
      ? "\(packet.transport) \(packet.destinationPort) \(peer)" : "\(packet.transport) \(peer)"
    let way = isIn ? "in" : "out"
    let side = policy.side(direction)
    switch answer {
    case .free: return "no network policy is in force for what goes \(way)"
    case .ofNode: return "what its own node sends is let in whatever the policies say"
    case .rule(let index): return "NetworkPolicy \(side?.rules[index].policy ?? "") lets \(what) \(way)"
    case .noRule:
      let names = side?.policies ?? []
      let them =
        names.count == 1
        ? "NetworkPolicy \(names[0]) does not let" : "none of the NetworkPolicies \(names.joined(separator: ", ")) lets"
      return "\(them) \(what) \(way)"
    case .nothingLoaded:
      return "no policy is loaded for it, and in strict mode nothing passes before (NETWORK_POLICY_ENFORCING_MODE)"
    }
  }
}
