package import Wire

/// Whether a node takes a pod by what runs on all of them: topology spread, then affinity between pods
/// (kubernetes `pkg/scheduler/framework/plugins/{podtopologyspread,interpodaffinity}`).
package enum PodTopology: Rule {
  package static let name = "scheduling/pod-topology"

  /// The pod to be placed.
  package struct Pod: Sendable {
    package var needs: PodNeeds
    package var placed: PlacedPod
    /// Constraints that keep it from nodes.
    package var spread: [SpreadConstraint]
    /// Constraints that only count for the score.
    package var softSpread: [SpreadConstraint]

    /// The rules about other pods can keep it from nodes.
    package var wantsCompany: Bool {
      !spread.isEmpty || !placed.affinity.isEmpty || !placed.antiAffinity.isEmpty
    }

    package init(pod: JSON) {
      needs = PodNeeds(pod: pod)
      placed = PlacedPod(pod: pod)
      let labels = placed.labels
      let all = pod["spec"]["topologySpreadConstraints"].items.map { SpreadConstraint(json: $0, labels: labels) }
      spread = all.filter(\.isRequired)
      softSpread = all.filter { !$0.isRequired }
    }
  }

  package struct Facts: FactSet {
    package var pod: Fact<Pod>
    /// The node's place among ``nodes``.
    package var index: Int
    package var nodes: Fact<[Neighbourhood]>
    package var namespaces: NamespaceLabels

    package init(pod: Fact<Pod>, index: Int, nodes: Fact<[Neighbourhood]>, namespaces: NamespaceLabels = [:]) {
      self.pod = pod
      self.index = index
      self.nodes = nodes
      self.namespaces = namespaces
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.pod), hider(\.nodes)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, NodeFit.Reason> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    guard let nodes = facts.nodes.value else { return .open([facts.nodes.gap!]) }
    let company = Company(pod, nodes, facts.namespaces)
    guard var reason = company.misfit(pod, nodes[facts.index].node) else { return .yes() }
    reason.evidence = [facts.nodes.citation].compactMap { $0 }
    return .no([reason])
  }

  /// What runs on all nodes, counted once for a pod that is to be placed.
  package struct Company: Sendable {
    private struct Domain: Hashable {
      var key: String
      var value: String
    }

    /// Pods that count, by constraint and domain.
    private var counts: [[String: Int]] = []
    /// What the least crowded domain has, by constraint.
    private var least: [Int] = []
    /// Where a pod runs that wants the new one away.
    private var closed: Set<Domain> = []
    /// Where pods run that the new one wants to be with.
    private var wanted: Set<Domain> = []
    /// Where pods run that the new one wants to be away from.
    private var unwanted: Set<Domain> = []
    private var isFirstOfItsGroup = false

    /// `holders` are the places of nodes with pods that have anti-affinity; nil for all.
    package init(_ pod: Pod, _ nodes: [Neighbourhood], _ namespaces: NamespaceLabels, holders: [Int]? = nil) {
      countSpread(pod, nodes)
      let placed = pod.placed
      for index in holders ?? Array(nodes.indices) {
        for there in nodes[index].pods {
          for term in there.antiAffinity where term.selects(placed, namespaces) {
            if let value = nodes[index].node.labels[term.topologyKey] {
              closed.insert(Domain(key: term.topologyKey, value: value))
            }
          }
        }
      }
      guard !placed.affinity.isEmpty || !placed.antiAffinity.isEmpty else { return }
      for other in nodes {
        for there in other.pods {
          for term in placed.antiAffinity where term.selects(there, namespaces) {
            mark(term, other.node, in: &unwanted)
          }
          if !placed.affinity.isEmpty, placed.affinity.allSatisfy({ $0.selects(there, namespaces) }) {
            for term in placed.affinity { mark(term, other.node, in: &wanted) }
          }
        }
      }
      isFirstOfItsGroup = wanted.isEmpty && placed.affinity.allSatisfy { $0.selects(placed, namespaces) }
    }

    private func mark(_ term: PodTerm, _ node: NodeOffer, in domains: inout Set<Domain>) {
      if let value = node.labels[term.topologyKey] { domains.insert(Domain(key: term.topologyKey, value: value)) }
    }

    private mutating func countSpread(_ pod: Pod, _ nodes: [Neighbourhood]) {
      guard !pod.spread.isEmpty else { return }
      counts = pod.spread.map { _ in [:] }
      for other in nodes where pod.spread.allSatisfy({ other.node.labels[$0.topologyKey] != nil }) {
        for (index, constraint) in pod.spread.enumerated() where constraint.includes(other.node, for: pod.needs) {
          counts[index][other.node.labels[constraint.topologyKey]!, default: 0] +=
            constraint.count(other.pods, namespace: pod.placed.namespace)
        }
      }
      least = zip(pod.spread, counts).map { constraint, counts in
        counts.count < constraint.minDomains ? 0 : counts.values.min() ?? 0
      }
    }

    /// What a node has against the pod.
    package func misfit(_ pod: Pod, _ node: NodeOffer) -> NodeFit.Reason? {
      let text = "node(s) didn't match pod topology spread constraints"
      for (index, constraint) in pod.spread.enumerated() {
        guard let domain = node.labels[constraint.topologyKey] else {
          return NodeFit.Reason(.spread, "\(text) (missing required label)", isFinal: true)
        }
        let own = constraint.selector.matches(pod.placed.labels) ? 1 : 0
        if (counts[index][domain] ?? 0) + own - least[index] > constraint.maxSkew {
          return NodeFit.Reason(.spread, text, isFinal: false)
        }
      }
      if !hasCompany(pod.placed, node) {
        return NodeFit.Reason(.podAffinity, "node(s) didn't match pod affinity rules", isFinal: true)
      }
      func stands(_ term: PodTerm, in domains: Set<Domain>) -> Bool {
        node.labels[term.topologyKey].map { domains.contains(Domain(key: term.topologyKey, value: $0)) } ?? false
      }
      if pod.placed.antiAffinity.contains(where: { stands($0, in: unwanted) }) {
        return NodeFit.Reason(.podAffinity, "node(s) didn't match pod anti-affinity rules", isFinal: false)
      }
      if closed.contains(where: { node.labels[$0.key] == $0.value }) {
        return NodeFit.Reason(
          .podAffinity, "node(s) didn't satisfy existing pods anti-affinity rules", isFinal: false)
      }
      return nil
    }

    private func hasCompany(_ pod: PlacedPod, _ node: NodeOffer) -> Bool {
      var isThere = true
      for term in pod.affinity {
        guard let value = node.labels[term.topologyKey] else { return false }
        if !wanted.contains(Domain(key: term.topologyKey, value: value)) { isThere = false }
      }
      // The first of a group that wants to be together may go anywhere.
      return isThere || isFirstOfItsGroup
    }
  }
}
