package import Wire

extension PodPlacement.Bound {
  /// From a Pod; nil for one that takes no room of a node.
  package init?(pod: JSON) {
    guard let node = pod["spec"]["nodeName"].string, !node.isEmpty, !NodeUse.isOver(pod) else { return nil }
    self.init(node: node, pod: PodTopology.Pod(pod: pod))
  }
}

extension NodeFit {
  /// Whether `nodeSelector` and required node affinity of a pod, or of a template of pods, admit a Node.
  package static func admits(template: JSON, node: JSON) -> Bool {
    matchesAffinity(PodNeeds(pod: template), NodeOffer(node: node))
  }
}
