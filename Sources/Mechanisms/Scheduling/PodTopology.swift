package import Wire

/// A pod as those on other nodes see it.
package struct PlacedPod: Sendable {
  package var namespace: String
  package var labels: [String: String]
  package var isTerminating: Bool
  /// Required terms.
  package var affinity: [PodTerm]
  /// Required terms.
  package var antiAffinity: [PodTerm]

  package init(pod: JSON) {
    let required = "requiredDuringSchedulingIgnoredDuringExecution"
    let metadata = pod["metadata"]
    namespace = metadata["namespace"].string ?? ""
    labels = metadata["labels"].stringMap
    isTerminating = !metadata["deletionTimestamp"].isNull
    let own = namespace
    affinity = pod["spec"]["affinity"]["podAffinity"][required].items.map { PodTerm(json: $0, namespace: own) }
    antiAffinity = pod["spec"]["affinity"]["podAntiAffinity"][required].items.map {
      PodTerm(json: $0, namespace: own)
    }
  }
}

/// One term of affinity between pods.
package struct PodTerm: Sendable {
  package var topologyKey: String
  package var namespaces: [String]
  package var selector: LabelSelector

  package init(json: JSON, namespace: String) {
    topologyKey = json["topologyKey"].string ?? ""
    let named = json["namespaces"].strings
    namespaces = named.isEmpty ? [namespace] : named
    selector = (try? LabelSelector(labelSelector: json["labelSelector"])) ?? .nothing
  }

  package func selects(_ pod: PlacedPod) -> Bool {
    namespaces.contains(pod.namespace) && selector.matches(pod.labels)
  }
}

/// A constraint on how pods are spread that keeps a pod from nodes.
package struct SpreadConstraint: Sendable {
  package var topologyKey: String
  package var maxSkew: Int
  package var selector: LabelSelector

  /// Nil for one that only prefers.
  package init?(json: JSON) {
    guard json["whenUnsatisfiable"].string ?? "DoNotSchedule" == "DoNotSchedule" else { return nil }
    topologyKey = json["topologyKey"].string ?? ""
    maxSkew = json["maxSkew"].int ?? 1
    selector = (try? LabelSelector(labelSelector: json["labelSelector"])) ?? .nothing
  }
}

/// A node and the pods on it.
package struct Neighbourhood: Sendable {
  package var node: NodeOffer
  package var pods: [PlacedPod]

  package init(node: NodeOffer, pods: [PlacedPod]) {
    self.node = node
    self.pods = pods
  }

  func isWith(_ other: Neighbourhood, by key: String) -> Bool {
    guard let domain = node.labels[key] else { return false }
    return other.node.labels[key] == domain
  }
}

/// Whether a node takes a pod by what runs on all of them: topology spread, then affinity between pods
/// (kubernetes `pkg/scheduler/framework/plugins/{podtopologyspread,interpodaffinity}`).
package enum PodTopology: Rule {
  package static let name = "scheduling/pod-topology"

  /// The pod to be placed.
  package struct Pod: Sendable {
    package var needs: PodNeeds
    package var placed: PlacedPod
    package var spread: [SpreadConstraint]

    /// The rules about other pods can keep it from nodes.
    package var wantsCompany: Bool {
      !spread.isEmpty || !placed.affinity.isEmpty || !placed.antiAffinity.isEmpty
    }

    package init(pod: JSON) {
      needs = PodNeeds(pod: pod)
      placed = PlacedPod(pod: pod)
      spread = pod["spec"]["topologySpreadConstraints"].items.compactMap(SpreadConstraint.init(json:))
    }
  }

  package struct Facts: FactSet {
    package var pod: Fact<Pod>
    /// The node's place among ``nodes``.
    package var index: Int
    package var nodes: Fact<[Neighbourhood]>

    package init(pod: Fact<Pod>, index: Int, nodes: Fact<[Neighbourhood]>) {
      self.pod = pod
      self.index = index
      self.nodes = nodes
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.pod), hider(\.nodes)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Void, NodeFit.Reason> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    guard let nodes = facts.nodes.value else { return .open([facts.nodes.gap!]) }
    let misfit = spread(pod, nodes[facts.index], nodes) ?? affinity(pod.placed, nodes[facts.index], nodes)
    guard var reason = misfit else { return .yes() }
    reason.evidence = [facts.nodes.citation].compactMap { $0 }
    return .no([reason])
  }

  private static func spread(_ pod: Pod, _ here: Neighbourhood, _ nodes: [Neighbourhood]) -> NodeFit.Reason? {
    let text = "node(s) didn't match pod topology spread constraints"
    for constraint in pod.spread {
      let key = constraint.topologyKey
      guard let domain = here.node.labels[key] else {
        return NodeFit.Reason(.spread, "\(text) (missing required label)", isFinal: true)
      }
      var counts: [String: Int] = [:]
      for other in nodes {
        guard let there = other.node.labels[key], NodeFit.matchesAffinity(pod.needs, other.node) else { continue }
        counts[there, default: 0] += other.pods.count {
          $0.namespace == pod.placed.namespace && !$0.isTerminating && constraint.selector.matches($0.labels)
        }
      }
      let own = constraint.selector.matches(pod.placed.labels) ? 1 : 0
      if (counts[domain] ?? 0) + own - (counts.values.min() ?? 0) > constraint.maxSkew {
        return NodeFit.Reason(.spread, text, isFinal: false)
      }
    }
    return nil
  }

  private static func affinity(_ pod: PlacedPod, _ here: Neighbourhood, _ nodes: [Neighbourhood]) -> NodeFit.Reason? {
    func isMet(_ term: PodTerm) -> Bool {
      nodes.contains { other in
        here.isWith(other, by: term.topologyKey) && other.pods.contains { !$0.isTerminating && term.selects($0) }
      }
    }
    for other in nodes {
      for there in other.pods {
        for term in there.antiAffinity where term.selects(pod) && here.isWith(other, by: term.topologyKey) {
          return NodeFit.Reason(
            .podAffinity, "node(s) didn't satisfy existing pods anti-affinity rules", isFinal: false)
        }
      }
    }
    for term in pod.antiAffinity where isMet(term) {
      return NodeFit.Reason(.podAffinity, "node(s) didn't match pod anti-affinity rules", isFinal: false)
    }
    for term in pod.affinity where !isMet(term) {
      // The first of a group that wants to be together may go anywhere.
      let isThere = nodes.contains { $0.pods.contains { term.selects($0) } }
      if !isThere, term.selects(pod) { continue }
      return NodeFit.Reason(.podAffinity, "node(s) didn't match pod affinity rules", isFinal: true)
    }
    return nil
  }
}
