package import Wire

/// Whether a node still speaks, as the node-lifecycle controller sees it (kubernetes
/// `pkg/controller/nodelifecycle`), and what it does about it.
package enum NodeLifecycle: Rule {
  package static let name = "nodes/lifecycle"

  package struct Facts: FactSet {
    package var now: Fact<Timestamp>
    /// When the node was made.
    package var created: Fact<Timestamp>
    /// `lastHeartbeatTime` of Ready; nil for a node that never reported.
    package var lastStatus: Fact<Timestamp?>
    /// `spec.renewTime` of the node's lease; nil without one.
    package var lastRenewal: Fact<Timestamp?>
    /// `status` of Ready.
    package var ready: Fact<String>
    /// How long silence is borne once a node has spoken, seconds.
    package var grace: Fact<Int>

    package init(
      now: Fact<Timestamp>, created: Fact<Timestamp>, lastStatus: Fact<Timestamp?>, lastRenewal: Fact<Timestamp?>,
      ready: Fact<String>, grace: Fact<Int> = .known(50)
    ) {
      self.now = now
      self.created = created
      self.lastStatus = lastStatus
      self.lastRenewal = lastRenewal
      self.ready = ready
      self.grace = grace
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.now), hider(\.created), hider(\.lastStatus), hider(\.lastRenewal), hider(\.ready), hider(\.grace),
    ]
  }

  package static let monitorPeriod = Duration.seconds(5)
  package static let startupGrace = Duration.seconds(60)
  /// How long pods stay on such a node unless they tolerate it otherwise.
  package static let defaultTolerationSeconds = 300

  /// 40 s up to Kubernetes 1.31, 50 s from 1.32.
  package static func grace(minor: Int) -> Int { minor >= 32 ? 50 : 40 }

  /// `yes` for a node that speaks and is ready.
  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    guard let now = facts.now.value else { return .open([facts.now.gap!]) }
    guard let status = facts.lastStatus.value else { return .open([facts.lastStatus.gap!]) }
    guard let renewal = facts.lastRenewal.value else { return .open([facts.lastRenewal.gap!]) }
    let evidence = [facts.lastStatus.citation, facts.lastRenewal.citation]
    guard let last = [status, renewal].compactMap({ $0 }).max() else {
      guard let created = facts.created.value else { return .open([facts.created.gap!]) }
      guard now - created > startupGrace else {
        return .no([Because("nodes/lifecycle/starting", "it has not reported yet", evidence: evidence)])
      }
      return .no([Because("nodes/lifecycle/never", unknown(wasPosted: false).message, evidence: evidence)])
    }
    guard let grace = facts.grace.value else { return .open([facts.grace.gap!]) }
    guard now - last <= .seconds(grace) else {
      return .no([Because("nodes/lifecycle/silent", unknown(wasPosted: true).message, evidence: evidence)])
    }
    guard let ready = facts.ready.value else { return .open([facts.ready.gap!]) }
    guard ready == "True" else {
      return .no([
        Because("nodes/lifecycle/not-ready", "the kubelet reports Ready \(ready)", evidence: [facts.ready.citation])
      ])
    }
    return .yes([Because("nodes/lifecycle/ready", "the kubelet reports Ready", evidence: evidence)])
  }

  /// The reason that the controller writes into the conditions of a silent node; nil where it writes none.
  package static func unknownReason(_ verdict: Verdict<Void, Because>) -> String? {
    switch verdict.reasons.last?.code {
    case "nodes/lifecycle/silent": unknown(wasPosted: true).reason
    case "nodes/lifecycle/never": unknown(wasPosted: false).reason
    default: nil
    }
  }

  /// The conditions that become `Unknown`.
  package static let conditions = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"]

  /// What the controller writes for one of them: it differs by whether the kubelet ever set it.
  package static func unknown(wasPosted: Bool) -> (reason: String, message: String) {
    wasPosted
      ? ("NodeStatusUnknown", "Kubelet stopped posting node status.")
      : ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
  }

  package static let notReady = "node.kubernetes.io/not-ready"
  package static let unreachable = "node.kubernetes.io/unreachable"
  package static let unschedulable = "node.kubernetes.io/unschedulable"
  package static let pressureTaints = [
    ("DiskPressure", "node.kubernetes.io/disk-pressure"), ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
  ]

  /// The keys of the taints that the controller sets and takes away.
  package static let taintKeys = [notReady, unreachable, unschedulable] + pressureTaints.map(\.1)

  /// The taints that follow from the `Ready` condition's status; nil where there is none yet.
  package static func taints(ready: String?) -> [Taint] {
    switch ready {
    case "True": []
    case "Unknown": ["NoSchedule", "NoExecute"].map { Taint(key: unreachable, effect: $0) }
    case "False": ["NoSchedule", "NoExecute"].map { Taint(key: notReady, effect: $0) }
    default: [Taint(key: notReady, effect: "NoSchedule")]
    }
  }

  /// All of a node's: of its conditions, by those that are True, and of its cordon.
  package static func taints(ready: String?, pressures: [String], isUnschedulable: Bool) -> [Taint] {
    taints(ready: ready)
      + pressureTaints.filter { pressures.contains($0.0) }.map { Taint(key: $0.1, effect: "NoSchedule") }
      + (isUnschedulable ? [Taint(key: unschedulable, effect: "NoSchedule")] : [])
  }
}
