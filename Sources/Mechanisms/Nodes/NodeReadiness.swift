import Wire

/// The kubelet's `Ready` condition (kubernetes `pkg/kubelet/nodestatus`).
package enum NodeReadiness: Rule {
  package static let name = "nodes/readiness"

  package struct Facts: FactSet {
    package var runtimeIsUp: Fact<Bool>
    /// `/etc/cni/net.d/10-aws.conflist` is there.
    package var hasNetworkConfig: Fact<Bool>
    package var hasCSINode: Fact<Bool>
    /// How long ago the pod lifecycle generator was seen, seconds; nil before the first time.
    package var lifecycleAge: Fact<Int?>
    /// Its system shuts down, and its kubelet knows.
    package var isShuttingDown: Fact<Bool>

    package init(
      runtimeIsUp: Fact<Bool>, hasNetworkConfig: Fact<Bool>, hasCSINode: Fact<Bool>,
      lifecycleAge: Fact<Int?> = .known(0), isShuttingDown: Fact<Bool> = .known(false)
    ) {
      self.runtimeIsUp = runtimeIsUp
      self.hasNetworkConfig = hasNetworkConfig
      self.hasCSINode = hasCSINode
      self.lifecycleAge = lifecycleAge
      self.isShuttingDown = isShuttingDown
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.runtimeIsUp), hider(\.hasNetworkConfig), hider(\.hasCSINode), hider(\.lifecycleAge),
      hider(\.isShuttingDown),
    ]
  }

  package static let networkNotReady =
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    + "message:Network plugin returns error: cni plugin not initialized"
  package static let readyMessage = "kubelet is posting ready status"

  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    let checks: [(Truth, String, String, Citation?)] = [
      (Truth(facts.runtimeIsUp), "runtime", "container runtime is down", facts.runtimeIsUp.citation),
      (
        Truth(facts.hasNetworkConfig), "network", networkNotReady, facts.hasNetworkConfig.citation
      ),
      (
        Truth(facts.lifecycleAge.map { ($0 ?? .max) <= 180 }), "lifecycle",
        "PLEG is not healthy: "
          + (facts.lifecycleAge.value.flatMap { $0 }.map {
            "pleg was last seen active \(GoText.duration(seconds: $0)) ago; threshold is 3m0s"
          } ?? "pleg has yet to be successful"), facts.lifecycleAge.citation
      ),
      (Truth(facts.hasCSINode), "csi", "CSINode is not yet initialized", facts.hasCSINode.citation),
      (
        Truth(facts.isShuttingDown.map { !$0 }), "shutdown", NodeShutdown.readiness, facts.isShuttingDown.citation
      ),
    ]
    let reasons = checks.filter { $0.0.isNo }.map {
      Because("nodes/readiness/\($0.1)", $0.2, evidence: [$0.3])
    }
    if !reasons.isEmpty { return .no(reasons) }
    let gaps = checks.flatMap { $0.0.gaps }
    return gaps.isEmpty ? .yes([Because("nodes/readiness/ready", readyMessage)]) : .open(gaps)
  }

  /// The condition as the node's status has it, without its times.
  package static func condition(_ verdict: Verdict<Void, Because>) -> (status: String, reason: String, message: String)
  {
    verdict.isYes
      ? ("True", "KubeletReady", readyMessage)
      : ("False", "KubeletNotReady", verdict.reasons.map(\.text).joined(separator: ","))
  }

  /// The pressure conditions of a node that has none of it.
  package static let noPressure: [(type: String, reason: String, message: String)] = [
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
  ]
}
