/// Whether a kubelet may stand under a control plane: never a newer one, nor one older by more than three minor
/// versions (Kubernetes version skew policy).
package enum VersionSkew: Rule {
  package static let name = "nodes/version-skew"

  package struct Facts: FactSet {
    /// Minor versions: 34 of 1.34.
    package var controlPlane: Fact<Int>
    package var kubelet: Fact<Int>

    package init(controlPlane: Fact<Int>, kubelet: Fact<Int>) {
      self.controlPlane = controlPlane
      self.kubelet = kubelet
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.controlPlane), hider(\.kubelet)]
  }

  package static let most = 3

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    let truth = facts.controlPlane.and(facts.kubelet).truth { (0...most).contains($0 - $1) }
    let evidence = [facts.kubelet.citation, facts.controlPlane.citation]
    let number = (facts.controlPlane.value ?? 0) - (facts.kubelet.value ?? 0)
    switch truth {
    case .yes:
      return .yes([
        Because("nodes/version-skew/kept", "the kubelet is \(number) minor versions behind", evidence: evidence)
      ])
    case .no:
      let what = number < 0 ? "newer than the control plane" : "\(number) minor versions behind, and \(most) may be"
      return .no([Because("nodes/version-skew/broken", "the kubelet is \(what)", evidence: evidence)])
    case .open(let gaps): return .open(gaps)
    }
  }

  /// 34 of `1.34`, `v1.34.2-eks-1`.
  package static func minor(_ version: String) -> Int? {
    let parts = version.split(separator: ".")
    return parts.count > 1 ? Int(parts[1].prefix { $0.isNumber }) : nil
  }
}
