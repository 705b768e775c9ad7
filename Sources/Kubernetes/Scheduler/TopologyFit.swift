import Wire
import World

/// Filters that look at the pods on other nodes: topology spread, affinity between pods.
enum TopologyFit {
  static func spreadMisfit(
    _ pod: ObjectView, _ node: ObjectView, nodes: [ObjectView], usages: [String: NodeFit.Usage]
  ) -> NodeFit.Misfit? {
    for constraint in pod.spec["topologySpreadConstraints"].items
    where constraint["whenUnsatisfiable"].string ?? "DoNotSchedule" == "DoNotSchedule" {
      let key = constraint["topologyKey"].string ?? ""
      guard let domain = node.labels[key].string else {
        return NodeFit.Misfit(
          text: "node(s) didn't match pod topology spread constraints (missing required label)", isHelpable: false)
      }
      let selector = (try? LabelSelector(labelSelector: constraint["labelSelector"])) ?? .nothing
      var counts: [String: Int] = [:]
      for other in nodes {
        guard let there = other.labels[key].string, NodeFit.matchesAffinity(pod, other) else { continue }
        counts[there, default: 0] += (usages[other.name]?.podsThere ?? []).count {
          $0.namespace == pod.namespace && !$0.isTerminating && selector.matches($0.labels)
        }
      }
      let own = selector.matches(pod.labels) ? 1 : 0
      let least = counts.values.min() ?? 0
      if (counts[domain] ?? 0) + own - least > constraint["maxSkew"].int ?? 1 {
        return NodeFit.Misfit(text: "node(s) didn't match pod topology spread constraints", isHelpable: true)
      }
    }
    return nil
  }

  static func affinityMisfit(
    _ pod: ObjectView, _ node: ObjectView, nodes: [ObjectView], usages: [String: NodeFit.Usage]
  ) -> NodeFit.Misfit? {
    let required = "requiredDuringSchedulingIgnoredDuringExecution"
    // Anti-affinity of pods that are there already.
    for other in nodes {
      for there in usages[other.name]?.podsThere ?? [] {
        for term in there.spec["affinity"]["podAntiAffinity"][required].items
        where selects(term, of: there, pod) && sameDomain(term, node, other) {
          return NodeFit.Misfit(
            text: "node(s) didn't satisfy existing pods anti-affinity rules", isHelpable: true)
        }
      }
    }
    for term in pod.spec["affinity"]["podAntiAffinity"][required].items
    where isMet(term, pod, node, nodes, usages) {
      return NodeFit.Misfit(text: "node(s) didn't match pod anti-affinity rules", isHelpable: true)
    }
    for term in pod.spec["affinity"]["podAffinity"][required].items where !isMet(term, pod, node, nodes, usages) {
      // The first of a group that wants to be together may go anywhere.
      let anywhere = nodes.contains { other in
        (usages[other.name]?.podsThere ?? []).contains { selects(term, of: pod, $0) }
      }
      if !anywhere, selects(term, of: pod, pod) { continue }
      return NodeFit.Misfit(text: "node(s) didn't match pod affinity rules", isHelpable: false)
    }
    return nil
  }

  private static func isMet(
    _ term: JSON, _ pod: ObjectView, _ node: ObjectView, _ nodes: [ObjectView], _ usages: [String: NodeFit.Usage]
  ) -> Bool {
    nodes.contains { other in
      sameDomain(term, node, other)
        && (usages[other.name]?.podsThere ?? []).contains { !$0.isTerminating && selects(term, of: pod, $0) }
    }
  }

  private static func sameDomain(_ term: JSON, _ a: ObjectView, _ b: ObjectView) -> Bool {
    let key = term["topologyKey"].string ?? ""
    guard let domain = a.labels[key].string else { return false }
    return b.labels[key].string == domain
  }

  private static func selects(_ term: JSON, of owner: ObjectView, _ pod: ObjectView) -> Bool {
    let namespaces = term["namespaces"].strings
    guard namespaces.isEmpty ? pod.namespace == owner.namespace : namespaces.contains(pod.namespace) else {
      return false
    }
    return ((try? LabelSelector(labelSelector: term["labelSelector"])) ?? .nothing).matches(pod.labels)
  }
}
