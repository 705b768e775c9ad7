/// Whether what an EKS add-on put into a cluster is there and runs (EKS user guide, add-on health; texts as
/// `DescribeAddon` shows them).
package enum AddonHealth: Rule {
  package static let name = "ownership/addon-health"

  /// A Deployment or DaemonSet of the add-on.
  package struct Workload: Sendable, Equatable {
    /// `deployment/coredns`.
    package var name: String
    package var desired: Int
    package var ready: Int

    package init(name: String, desired: Int, ready: Int) {
      self.name = name
      self.desired = desired
      self.ready = ready
    }
  }

  package struct Facts: FactSet {
    /// Workloads that are there.
    package var workloads: Fact<[Workload]>
    /// What of the add-on is gone, in the API server's words.
    package var missing: Fact<[String]>

    package init(workloads: Fact<[Workload]>, missing: Fact<[String]>) {
      self.workloads = workloads
      self.missing = missing
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.workloads), hider(\.missing)]
  }

  package static let tooFewMessage =
    "The add-on is unhealthy because it doesn't have the desired number of replicas."
  /// For how long replicas may be missing before the add-on counts as degraded, and how long a new one is waited for
  /// (observed: about a minute, about twenty).
  package static let patience = Duration.seconds(60)
  package static let deadline = Duration.seconds(20 * 60)

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    if let missing = facts.missing.value, !missing.isEmpty {
      return .no(missing.map { Because("ownership/addon-health/missing", $0, evidence: [facts.missing.citation]) })
    }
    let few = (facts.workloads.value ?? []).filter { $0.ready < $0.desired }
    guard few.isEmpty else {
      return .no(
        few.map {
          Because(
            "ownership/addon-health/replicas", "\($0.name) has \($0.ready) of \($0.desired) pods ready",
            evidence: [facts.workloads.citation],
            details: ["workload": .string($0.name), "ready": .int(Int64($0.ready)), "desired": .int(Int64($0.desired))])
        })
    }
    let gaps = [facts.workloads.gap, facts.missing.gap].compactMap { $0 }
    guard gaps.isEmpty else { return .open(gaps) }
    return .yes([Because("ownership/addon-health/healthy", "all of its pods are ready")])
  }

  /// The issue that `DescribeAddon` shows for a verdict of no.
  package static func issue(_ verdict: Verdict<Void, Because>) -> AddonIssue? {
    guard verdict.isNo, let reason = verdict.reasons.last else { return nil }
    return reason.code == "ownership/addon-health/missing"
      ? AddonIssue("K8sResourceNotFound", reason.text) : AddonIssue("InsufficientNumberOfReplicas", tooFewMessage)
  }
}
