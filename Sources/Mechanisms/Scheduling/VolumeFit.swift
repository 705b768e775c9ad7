/// The storage of a pod to be placed, as far as it has to do with nodes.
package struct PodStorage: Sendable {
  /// A claim that a pod uses.
  package struct Claim: Sendable {
    package var claim: VolumeClaim
    /// The volume it is bound to; nil when it isn't, or when that volume is gone.
    package var volume: VolumeOffer?
    /// `WaitForFirstConsumer`: it is bound when the pod has a node.
    package var waitsForConsumer = false
    /// Who makes volumes of its class; nil for a class that has none.
    package var provisioner: String?
    /// Where volumes of its class can be; nil for everywhere.
    package var topologies: [NodeTerm]?

    package init(_ claim: VolumeClaim) { self.claim = claim }
  }

  /// What is wrong with a claim wherever the pod is put.
  package struct Problem: Sendable, Equatable {
    package enum Kind: Sendable {
      case missing, lost, terminating, unbound
    }

    package var kind: Kind
    package var claim: String
    /// In the scheduler's words.
    package var text: String

    package init(_ kind: Kind, _ claim: String, _ text: String) {
      self.kind = kind
      self.claim = claim
      self.text = text
    }
  }

  package var claims: [Claim] = []
  package var problem: Problem?
  /// Volumes that claims can still be bound to.
  package var volumes: [VolumeOffer] = []
  /// Another pod uses a claim of his that is for one pod alone.
  package var isTaken = false
  /// Volumes attached to nodes, and how many there can be, by node and driver.
  package var attached: [String: [String: Set<String>]] = [:]
  package var limits: [String: [String: Int]] = [:]
  /// The text of a volume that can't be reached from a node changed with Kubernetes 1.34.
  package var hasOldTexts = false

  package init() {}
}

/// Whether a node takes a pod by its volumes (kubernetes `pkg/scheduler/framework/plugins/{volumerestrictions,
/// nodevolumelimits,volumebinding,volumezone}`).
package enum VolumeFit: Rule {
  package static let name = "scheduling/volume-fit"

  /// What is to be bound once the pod is put on the node.
  package struct Plan: Sendable, Equatable {
    /// Volumes by the name of their claim.
    package var bindings: [String: String] = [:]
    /// Claims whose volume is to be made for that node.
    package var provisions: [String] = []

    package init() {}
    package var isEmpty: Bool { bindings.isEmpty && provisions.isEmpty }
  }

  package struct Facts: FactSet {
    package var pod: Fact<PodStorage>
    package var node: Fact<NodeOffer>

    package init(pod: Fact<PodStorage>, node: Fact<NodeOffer>) {
      self.pod = pod
      self.node = node
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.pod), hider(\.node)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Plan, NodeFit.Reason> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    guard let node = facts.node.value else { return .open([facts.node.gap!]) }
    let evidence = [facts.pod.citation, facts.node.citation]
    func no(
      _ text: String, isFinal: Bool, _ plugin: NodeFit.Reason.Plugin = .volumes
    ) -> Verdict<Plan, NodeFit.Reason> {
      .no([NodeFit.Reason(plugin, text, isFinal: isFinal, evidence: evidence)])
    }
    if pod.isTaken {
      return no(
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
        isFinal: false, .volumeRestrictions)
    }
    if exceedsLimit(pod, node) {
      return no("node(s) exceed max volume count", isFinal: false, .volumeLimits)
    }
    if pod.claims.contains(where: { !$0.claim.volumeName.isEmpty && $0.claim.isBound && $0.volume == nil }) {
      return no("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)", isFinal: true)
    }
    if pod.claims.contains(where: { $0.volume.map { !$0.isReached(from: node) } ?? false }) {
      return no(
        pod.hasOldTexts
          ? "node(s) had volume node affinity conflict" : "node(s) didn't match PersistentVolume's node affinity",
        isFinal: true)
    }
    guard let plan = plan(pod, node) else {
      return no("node(s) didn't find available persistent volumes to bind", isFinal: true)
    }
    if pod.claims.contains(where: { $0.volume.map { !isInZone($0, node) } ?? false }) {
      return no("node(s) had no available volume zone", isFinal: true, .volumeZone)
    }
    return .yes(plan)
  }

  private static func exceedsLimit(_ pod: PodStorage, _ node: NodeOffer) -> Bool {
    guard let limits = pod.limits[node.name] else { return false }
    var wanted = pod.attached[node.name] ?? [:]
    var added: Set<String> = []
    for claim in pod.claims {
      if let volume = claim.volume, !volume.driver.isEmpty {
        if wanted[volume.driver, default: []].insert(volume.handle).inserted { added.insert(volume.driver) }
      } else if claim.volume == nil, let driver = claim.provisioner {
        wanted[driver, default: []].insert("\(claim.claim.namespace)/\(claim.claim.name)")
        added.insert(driver)
      }
    }
    return added.contains { driver in limits[driver].map { wanted[driver]!.count > $0 } ?? false }
  }

  /// Volumes for the claims that wait for the pod: ones that are there, else ones to be made.
  private static func plan(_ pod: PodStorage, _ node: NodeOffer) -> Plan? {
    var plan = Plan()
    let waiting = pod.claims.filter { $0.volume == nil && $0.claim.volumeName.isEmpty && $0.waitsForConsumer }
      .sorted { $0.claim.requested < $1.claim.requested }
    for claim in waiting {
      if let best = VolumeMatch.best(
        for: claim.claim, among: pod.volumes, node: node, waitsForConsumer: true, except: Set(plan.bindings.values))
      {
        plan.bindings[claim.claim.name] = best.name
      } else if claim.provisioner != nil, claim.topologies.map({ $0.contains { $0.matches(node) } }) ?? true {
        plan.provisions.append(claim.claim.name)
      } else {
        return nil
      }
    }
    return plan
  }

  /// Zone and region labels of a volume from before there was node affinity.
  private static func isInZone(_ volume: VolumeOffer, _ node: NodeOffer) -> Bool {
    for key in [
      "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
      "failure-domain.beta.kubernetes.io/region",
    ] {
      guard let label = volume.labels[key] else { continue }
      guard let here = node.labels[key] else { continue }
      if !label.split(separator: "__").contains(Substring(here)), label != here { return false }
    }
    return true
  }
}
