package import Wire

/// A pod as those on other nodes see it.
package struct PlacedPod: Sendable {
  package var uid: String
  package var namespace: String
  package var name: String
  package var labels: [String: String]
  package var isTerminating: Bool
  /// Required terms.
  package var affinity: [PodTerm]
  /// Required terms.
  package var antiAffinity: [PodTerm]
  package var preferredAffinity: [WeightedTerm]
  package var preferredAntiAffinity: [WeightedTerm]
  /// `status.startTime`, as it stands there; empty before.
  package var startTime: String
  /// Claims that it uses, by name.
  package var claims: [String]

  /// Whether it draws others to it or drives them off.
  var countsForScores: Bool { !affinity.isEmpty || !preferredAffinity.isEmpty || !preferredAntiAffinity.isEmpty }

  /// A term that only counts for the score.
  package struct WeightedTerm: Sendable {
    package var weight: Int
    package var term: PodTerm
  }

  package init(pod: JSON) {
    let required = "requiredDuringSchedulingIgnoredDuringExecution"
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    let metadata = pod["metadata"]
    uid = metadata["uid"].string ?? ""
    namespace = metadata["namespace"].string ?? ""
    name = metadata["name"].string ?? ""
    labels = metadata["labels"].stringMap
    isTerminating = !metadata["deletionTimestamp"].isNull
    startTime = pod["status"]["startTime"].string ?? ""
    claims = PodVolumes.claims(of: pod).map(\.claim)
    let own = namespace
    let affinity = pod["spec"]["affinity"]
    func terms(_ kind: String) -> [PodTerm] {
      affinity[kind][required].items.map { PodTerm(json: $0, namespace: own) }
    }
    func weighted(_ kind: String) -> [WeightedTerm] {
      affinity[kind][preferred].items.map {
        WeightedTerm(weight: $0["weight"].int ?? 0, term: PodTerm(json: $0["podAffinityTerm"], namespace: own))
      }
    }
    if affinity.isNull {
      (self.affinity, antiAffinity, preferredAffinity, preferredAntiAffinity) = ([], [], [], [])
    } else {
      (self.affinity, antiAffinity) = (terms("podAffinity"), terms("podAntiAffinity"))
      (preferredAffinity, preferredAntiAffinity) = (weighted("podAffinity"), weighted("podAntiAffinity"))
    }
  }
}

/// Labels of namespaces by name.
package typealias NamespaceLabels = [String: [String: String]]

/// One term of affinity between pods.
package struct PodTerm: Sendable {
  package var topologyKey: String
  package var namespaces: [String]
  /// Namespaces by their labels, beside those named.
  package var namespaceSelector: LabelSelector?
  package var selector: LabelSelector

  package init(json: JSON, namespace: String) {
    topologyKey = json["topologyKey"].string ?? ""
    let named = json["namespaces"].strings
    if json["namespaceSelector"].object != nil {
      namespaceSelector = (try? LabelSelector(labelSelector: json["namespaceSelector"])) ?? .nothing
    }
    namespaces = named.isEmpty && namespaceSelector == nil ? [namespace] : named
    selector = (try? LabelSelector(labelSelector: json["labelSelector"])) ?? .nothing
  }

  package func selects(_ pod: PlacedPod, _ labels: NamespaceLabels = [:]) -> Bool {
    (namespaces.contains(pod.namespace) || namespaceSelector?.matches(labels[pod.namespace] ?? [:]) == true)
      && selector.matches(pod.labels)
  }
}

/// A constraint on how pods are spread.
package struct SpreadConstraint: Sendable {
  package var topologyKey: String
  package var maxSkew: Int
  package var selector: LabelSelector
  /// `DoNotSchedule`; else it only counts for the score.
  package var isRequired: Bool
  /// With fewer domains than that, the least crowded one counts as empty.
  package var minDomains: Int
  /// Nodes that the pod's node affinity excludes don't count.
  package var honorsAffinity: Bool
  /// Nodes whose taints the pod doesn't tolerate don't count.
  package var honorsTaints: Bool

  package init(
    topologyKey: String, maxSkew: Int, selector: LabelSelector, isRequired: Bool, minDomains: Int = 1,
    honorsAffinity: Bool = true, honorsTaints: Bool = false
  ) {
    self.topologyKey = topologyKey
    self.maxSkew = maxSkew
    self.selector = selector
    self.isRequired = isRequired
    self.minDomains = minDomains
    self.honorsAffinity = honorsAffinity
    self.honorsTaints = honorsTaints
  }

  /// `labels` are the pod's own, for `matchLabelKeys`.
  package init(json: JSON, labels: [String: String]) {
    var selector = (try? LabelSelector(labelSelector: json["labelSelector"])) ?? .nothing
    if !selector.isNothing {
      for key in json["matchLabelKeys"].strings {
        guard let value = labels[key], !selector.requirements.contains(where: { $0.key == key && $0.values == [value] })
        else { continue }
        selector.requirements.append(.init(key: key, op: .in, values: [value]))
      }
    }
    self.init(
      topologyKey: json["topologyKey"].string ?? "", maxSkew: json["maxSkew"].int ?? 1, selector: selector,
      isRequired: json["whenUnsatisfiable"].string ?? "DoNotSchedule" == "DoNotSchedule",
      minDomains: json["minDomains"].int ?? 1, honorsAffinity: json["nodeAffinityPolicy"].string != "Ignore",
      honorsTaints: json["nodeTaintsPolicy"].string == "Honor")
  }

  /// Whether the pods of a node count, and the node's domain with them.
  func includes(_ node: NodeOffer, for pod: PodNeeds) -> Bool {
    if honorsAffinity, !NodeFit.matchesAffinity(pod, node) { return false }
    return !honorsTaints || NodeFit.untolerated(node.taints, pod.tolerations) == nil
  }

  /// Pods of a node that count.
  func count(_ pods: [PlacedPod], namespace: String) -> Int {
    pods.count { $0.namespace == namespace && !$0.isTerminating && selector.matches($0.labels) }
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
}
