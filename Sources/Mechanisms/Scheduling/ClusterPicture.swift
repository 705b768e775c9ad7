/// The nodes of a cluster with what runs on them, as the rules of scheduling see them.
package struct ClusterPicture: Sendable {
  package private(set) var nodes: [Neighbourhood]
  package private(set) var uses: [NodeUse]
  private var hasAntiAffinity = false
  private var indexOf: [String: Int] = [:]

  package init(_ nodes: [NodeOffer]) {
    self.nodes = nodes.map { Neighbourhood(node: $0, pods: []) }
    uses = nodes.map { _ in NodeUse() }
    for (index, node) in nodes.enumerated() { indexOf[node.name] = index }
  }

  /// A pod runs on a node, or is bound to it; its place among the nodes, nil for one that isn't there.
  @discardableResult
  package mutating func add(_ pod: PodTopology.Pod, to node: String) -> Int? {
    guard let index = indexOf[node] else { return nil }
    uses[index].add(pod.needs)
    nodes[index].pods.append(pod.placed)
    if !pod.placed.antiAffinity.isEmpty { hasAntiAffinity = true }
    return index
  }

  /// Whether a node takes a pod: the filters of the node itself, then those about what runs on all of them.
  package func fit(_ pod: PodTopology.Pod, at index: Int) -> Verdict<Void, NodeFit.Reason> {
    let verdict = NodeFit.decide(
      .init(pod: .known(pod.needs), node: .known(nodes[index].node), use: .known(uses[index])))
    guard verdict.isYes, pod.wantsCompany || hasAntiAffinity else { return verdict }
    return PodTopology.decide(.init(pod: .known(pod), index: index, nodes: .known(nodes)))
  }
}

/// Which nodes of a cluster take a pod (kubernetes `pkg/scheduler`: every filter on every node).
package enum PodPlacement: Rule {
  package static let name = "scheduling/pod-placement"

  /// A pod and the node that it is bound to.
  package struct Bound: Sendable {
    package var node: String
    package var pod: PodTopology.Pod

    package init(node: String, pod: PodTopology.Pod) {
      self.node = node
      self.pod = pod
    }
  }

  package struct Facts: FactSet {
    package var pod: Fact<PodTopology.Pod>
    package var nodes: Fact<[NodeOffer]>
    /// Pods that take room: bound, and not ended.
    package var bound: Fact<[Bound]>

    package init(pod: Fact<PodTopology.Pod>, nodes: Fact<[NodeOffer]>, bound: Fact<[Bound]>) {
      self.pod = pod
      self.nodes = nodes
      self.bound = bound
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.pod), hider(\.nodes), hider(\.bound)]
  }

  /// What a node has against the pod.
  package struct Misfit: Sendable, Equatable {
    package var node: String
    package var reasons: [NodeFit.Reason]
  }

  /// A `yes` gives the names of the nodes that take it.
  package static func decide(_ facts: Facts) -> Verdict<[String], Misfit> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    guard let nodes = facts.nodes.value else { return .open([facts.nodes.gap!]) }
    var picture = ClusterPicture(nodes)
    for other in facts.bound.value ?? [] { picture.add(other.pod, to: other.node) }
    var fitting: [String] = []
    var misfits: [Misfit] = []
    var gaps: [Gap] = []
    for (index, node) in nodes.enumerated() {
      let verdict: Verdict<Void, NodeFit.Reason> =
        switch facts.bound {
        case .known: picture.fit(pod, at: index)
        case .unknown(let gap): NodeFit.decide(.init(pod: .known(pod.needs), node: .known(node), use: .unknown(gap)))
        }
      switch verdict.outcome {
      case .yes: fitting.append(node.name)
      case .no: misfits.append(Misfit(node: node.name, reasons: verdict.reasons))
      case .open(let more): gaps += more
      }
    }
    if !gaps.isEmpty { return .open(gaps, misfits) }
    return fitting.isEmpty ? .no(misfits) : .yes(fitting, misfits)
  }
}
