import Mechanisms
import Wire
import World

/// Filters that look at the pods on other nodes: topology spread, affinity between pods.
enum TopologyFit {
  static func spreadMisfit(
    _ pod: ObjectView, _ needs: PodNeeds, _ entry: NodePicture.Entry, _ entries: [NodePicture.Entry]
  ) -> NodeFit.Reason? {
    let text = "node(s) didn't match pod topology spread constraints"
    for constraint in pod.spec["topologySpreadConstraints"].items
    where constraint["whenUnsatisfiable"].string ?? "DoNotSchedule" == "DoNotSchedule" {
      let key = constraint["topologyKey"].string ?? ""
      guard let domain = entry.offer.labels[key] else {
        return NodeFit.Reason(.spread, "\(text) (missing required label)", isFinal: true)
      }
      let selector = (try? LabelSelector(labelSelector: constraint["labelSelector"])) ?? .nothing
      var counts: [String: Int] = [:]
      for other in entries {
        guard let there = other.offer.labels[key], NodeFit.matchesAffinity(needs, other.offer) else { continue }
        counts[there, default: 0] += other.pods.count {
          $0.namespace == pod.namespace && !$0.isTerminating && selector.matches($0.labels)
        }
      }
      let own = selector.matches(pod.labels) ? 1 : 0
      if (counts[domain] ?? 0) + own - (counts.values.min() ?? 0) > constraint["maxSkew"].int ?? 1 {
        return NodeFit.Reason(.spread, text, isFinal: false)
      }
    }
    return nil
  }

  static func affinityMisfit(
    _ pod: ObjectView, _ entry: NodePicture.Entry, _ entries: [NodePicture.Entry]
  ) -> NodeFit.Reason? {
    let required = "requiredDuringSchedulingIgnoredDuringExecution"
    for other in entries {
      for there in other.pods {
        for term in there.spec["affinity"]["podAntiAffinity"][required].items
        where selects(term, of: there, pod) && sameDomain(term, entry, other) {
          return NodeFit.Reason(
            .podAffinity, "node(s) didn't satisfy existing pods anti-affinity rules", isFinal: false)
        }
      }
    }
    for term in pod.spec["affinity"]["podAntiAffinity"][required].items where isMet(term, pod, entry, entries) {
      return NodeFit.Reason(.podAffinity, "node(s) didn't match pod anti-affinity rules", isFinal: false)
    }
    for term in pod.spec["affinity"]["podAffinity"][required].items where !isMet(term, pod, entry, entries) {
      // The first of a group that wants to be together may go anywhere.
      let isThere = entries.contains { $0.pods.contains { selects(term, of: pod, $0) } }
      if !isThere, selects(term, of: pod, pod) { continue }
      return NodeFit.Reason(.podAffinity, "node(s) didn't match pod affinity rules", isFinal: true)
    }
    return nil
  }

  private static func isMet(
    _ term: JSON, _ pod: ObjectView, _ entry: NodePicture.Entry, _ entries: [NodePicture.Entry]
  ) -> Bool {
    entries.contains { other in
      sameDomain(term, entry, other)
        && other.pods.contains { !$0.isTerminating && selects(term, of: pod, $0) }
    }
  }

  private static func sameDomain(_ term: JSON, _ a: NodePicture.Entry, _ b: NodePicture.Entry) -> Bool {
    let key = term["topologyKey"].string ?? ""
    guard let domain = a.offer.labels[key] else { return false }
    return b.offer.labels[key] == domain
  }

  private static func selects(_ term: JSON, of owner: ObjectView, _ pod: ObjectView) -> Bool {
    let namespaces = term["namespaces"].strings
    guard namespaces.isEmpty ? pod.namespace == owner.namespace : namespaces.contains(pod.namespace) else {
      return false
    }
    return ((try? LabelSelector(labelSelector: term["labelSelector"])) ?? .nothing).matches(pod.labels)
  }
}
