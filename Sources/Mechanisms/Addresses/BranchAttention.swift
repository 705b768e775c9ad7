package import Wire

/// Whether the resource controller took notice of a pod that wants a branch: it passes over pods of nodes that have no
/// trunk yet, and looks at all pods again only from time to time.
///
/// Source: aws/amazon-vpc-resource-controller-k8s `controllers/core/pod_controller.go`; Karpenter, troubleshooting.
package enum BranchAttention: Rule {
  package static let name = "addresses/branch-attention"

  /// Seconds until all pods are looked at again.
  package static let resync = 1800

  package struct Facts: FactSet {
    /// When the pod had its node.
    package var boundAt: Fact<Timestamp>
    /// When the node had its trunk; nil for none.
    package var trunkAt: Fact<Timestamp?>
    /// Whether the controller has said anything of the pod.
    package var isTold: Fact<Bool>

    package init(boundAt: Fact<Timestamp>, trunkAt: Fact<Timestamp?>, isTold: Fact<Bool>) {
      self.boundAt = boundAt
      self.trunkAt = trunkAt
      self.isTold = isTold
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.boundAt), hider(\.trunkAt), hider(\.isTold),
    ]
  }

  /// A `no` for a pod that it has passed over.
  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    if facts.isTold.value == true {
      return .yes([
        Because("\(name)/told", "the controller has said what it makes of the pod", evidence: [facts.isTold.citation])
      ])
    }
    let order = facts.boundAt.and(facts.trunkAt).truth { bound, trunk in trunk.map { bound >= $0 } ?? true }
    switch order {
    case .open(let gaps): return .open(gaps)
    case .yes: return .yes([Because("\(name)/later", "it had its node when that had a trunk, or the node has none")])
    case .no: break
    }
    guard facts.isTold.value != nil else { return .open([facts.isTold.gap!]) }
    return .no([
      Because(
        "\(name)/earlier",
        "it had its node at \(facts.boundAt.value?.rfc3339 ?? ""), before the node's trunk was attached at \(facts.trunkAt.value.flatMap { $0 }?.rfc3339 ?? ""): the controller passes over pods of nodes without one",
        evidence: [facts.boundAt.citation, facts.trunkAt.citation])
    ])
  }
}
