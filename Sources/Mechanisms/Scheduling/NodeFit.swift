import Wire

/// Whether a node takes a pod: the default scheduler's filters in their order, of which the first that fails
/// says why (kubernetes `pkg/scheduler/framework/plugins`).
package enum NodeFit: Rule {
  package static let name = "scheduling/node-fit"

  package struct Facts: FactSet {
    package var pod: Fact<PodNeeds>
    package var node: Fact<NodeOffer>
    package var use: Fact<NodeUse>

    package init(pod: Fact<PodNeeds>, node: Fact<NodeOffer>, use: Fact<NodeUse>) {
      self.pod = pod
      self.node = node
      self.use = use
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.pod), hider(\.node), hider(\.use)]
  }

  /// One reason of a node.
  package struct Reason: Sendable, Equatable {
    package enum Plugin: String, Sendable {
      case unschedulable = "NodeUnschedulable"
      case name = "NodeName"
      case taints = "TaintToleration"
      case affinity = "NodeAffinity"
      case ports = "NodePorts"
      case resources = "NodeResourcesFit"
      case volumes = "VolumeBinding"
      case volumeLimits = "NodeVolumeLimits"
      case volumeRestrictions = "VolumeRestrictions"
      case volumeZone = "VolumeZone"
      case spread = "PodTopologySpread"
      case podAffinity = "InterPodAffinity"

      /// Those that look at the volumes of a pod.
      package static let storage: [Plugin] = [.volumes, .volumeLimits, .volumeRestrictions, .volumeZone]
    }

    package var plugin: Plugin
    /// As the event counts it: `Insufficient cpu`.
    package var text: String
    /// Removing other pods would not help.
    package var isFinal: Bool
    package var evidence: [Citation]

    package init(_ plugin: Plugin, _ text: String, isFinal: Bool, evidence: [Citation?] = []) {
      self.plugin = plugin
      self.text = text
      self.isFinal = isFinal
      self.evidence = evidence.compactMap { $0 }
    }
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, Reason> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    guard let node = facts.node.value else { return .open([facts.node.gap!]) }
    let evidence = [facts.node.citation]
    if let reason = nodeReason(pod, node) {
      return .no([Reason(reason.0, reason.1, isFinal: true, evidence: evidence)])
    }
    guard let use = facts.use.value else {
      // A pod may be too big for the node even when it is empty.
      let alone = lacking(pod, node, NodeUse())
      return alone.isEmpty ? .open([facts.use.gap!]) : .no(alone.map { finish($0, evidence) })
    }
    let all = [facts.node.citation, facts.use.citation]
    if pod.hostPorts.contains(where: { port in use.hostPorts.contains { $0.clashes(port) } }) {
      return .no([
        Reason(
          .ports, "node(s) didn't have free ports for the requested pod ports", isFinal: false, evidence: all)
      ])
    }
    let reasons = lacking(pod, node, use).map { finish($0, all) }
    return reasons.isEmpty ? .yes() : .no(reasons)
  }

  private static func finish(_ lack: (String, Bool), _ evidence: [Citation?]) -> Reason {
    Reason(.resources, lack.0, isFinal: lack.1, evidence: evidence)
  }

  /// What the node itself has against the pod.
  private static func nodeReason(_ pod: PodNeeds, _ node: NodeOffer) -> (Reason.Plugin, String)? {
    let unschedulable = Taint(key: "node.kubernetes.io/unschedulable", effect: "NoSchedule")
    if node.isUnschedulable, !pod.tolerations.contains(where: { $0.tolerates(unschedulable) }) {
      return (.unschedulable, "node(s) were unschedulable")
    }
    if !pod.nodeName.isEmpty, pod.nodeName != node.name {
      return (.name, "node(s) didn't match the requested node name")
    }
    if let taint = untolerated(node.taints, pod.tolerations) {
      return (.taints, "node(s) had untolerated taint \(taint.described)")
    }
    guard matchesAffinity(pod, node) else { return (.affinity, "node(s) didn't match Pod's node affinity/selector") }
    return nil
  }

  /// The first taint that keeps a pod off.
  package static func untolerated(_ taints: [Taint], _ tolerations: [Toleration]) -> Taint? {
    taints.first { taint in
      (taint.effect == "NoSchedule" || taint.effect == "NoExecute")
        && !tolerations.contains { $0.tolerates(taint) }
    }
  }

  /// `nodeSelector` and required node affinity.
  package static func matchesAffinity(_ pod: PodNeeds, _ node: NodeOffer) -> Bool {
    pod.nodeSelector.allSatisfy { node.labels[$0.key] == $0.value }
      && pod.nodeTerms.map { $0.contains { $0.matches(node) } } ?? true
  }

  private static let first = ["cpu", "memory", "ephemeral-storage"]

  private static func order(_ requests: [String: Int64]) -> [String] {
    let known = first.count { requests[$0] != nil }
    return known == requests.count ? first : first + requests.keys.filter { !first.contains($0) }.sorted()
  }

  /// The resources that are short, in the scheduler's order, and whether the whole node would not do.
  private static func lacking(_ pod: PodNeeds, _ node: NodeOffer, _ use: NodeUse) -> [(String, Bool)] {
    var short: [(String, Bool)] = []
    let slots = (node.allocatable["pods"] ?? 0) / 1000
    if Int64(use.pods) + 1 > slots { short.append(("Too many pods", false)) }
    for name in order(pod.requests) {
      guard let wanted = pod.requests[name], wanted > 0 else { continue }
      let offered = node.allocatable[name] ?? 0
      if wanted > offered - (use.requested[name] ?? 0) { short.append(("Insufficient \(name)", wanted > offered)) }
    }
    return short
  }
}
