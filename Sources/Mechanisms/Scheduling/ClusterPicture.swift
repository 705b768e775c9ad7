/// The nodes of a cluster with what runs on them, as the rules of scheduling see them. Nodes stand in order of name.
package struct ClusterPicture: Sendable {
  /// Where a pod stands, and as what.
  package struct Place: Sendable {
    package var node: String
    package var pod: PodTopology.Pod
  }

  package private(set) var nodes: [Neighbourhood] = []
  package private(set) var uses: [NodeUse] = []
  package var namespaces: NamespaceLabels = [:]
  /// Pods by uid, also those on nodes that aren't there.
  private var places: [String: Place] = [:]
  /// How many pods with anti-affinity a node has, by its name.
  private var antiAffinity: [String: Int] = [:]
  /// Pods with affinity that counts for scores, by the name of their node.
  private var affine: [String: [PlacedPod]] = [:]
  private var indexOf: [String: Int] = [:]

  package init(_ nodes: [NodeOffer] = []) {
    let sorted = nodes.sorted { $0.name < $1.name }
    self.nodes = sorted.map { Neighbourhood(node: $0, pods: []) }
    uses = sorted.map { _ in NodeUse() }
    for (index, node) in sorted.enumerated() { indexOf[node.name] = index }
  }

  package func index(of node: String) -> Int? { indexOf[node] }
  package func place(of uid: String) -> Place? { places[uid] }

  // MARK: - Nodes

  package mutating func set(_ node: NodeOffer) {
    if let index = indexOf[node.name] {
      nodes[index].node = node
      return
    }
    var at = nodes.count
    while at > 0, nodes[at - 1].node.name > node.name { at -= 1 }
    nodes.insert(Neighbourhood(node: node, pods: []), at: at)
    uses.insert(NodeUse(), at: at)
    for index in at..<nodes.count { indexOf[nodes[index].node.name] = index }
    for uid in places.keys.sorted() where places[uid]!.node == node.name { enter(places[uid]!.pod, at) }
  }

  package mutating func removeNode(_ name: String) {
    guard let at = indexOf.removeValue(forKey: name) else { return }
    affine[name] = nil
    nodes.remove(at: at)
    uses.remove(at: at)
    antiAffinity[name] = nil
    for index in at..<nodes.count { indexOf[nodes[index].node.name] = index }
  }

  // MARK: - Pods

  /// A pod runs on a node, or is bound to it; its place among the nodes, nil for one that isn't there.
  @discardableResult
  package mutating func add(_ pod: PodTopology.Pod, to node: String) -> Int? {
    remove(pod.placed.uid)
    if !pod.placed.uid.isEmpty { places[pod.placed.uid] = Place(node: node, pod: pod) }
    guard let index = indexOf[node] else { return nil }
    enter(pod, index)
    return index
  }

  private mutating func enter(_ pod: PodTopology.Pod, _ index: Int) {
    uses[index].add(pod.needs)
    nodes[index].pods.append(pod.placed)
    if !pod.placed.antiAffinity.isEmpty { antiAffinity[nodes[index].node.name, default: 0] += 1 }
    if pod.placed.countsForScores { affine[nodes[index].node.name, default: []].append(pod.placed) }
  }

  package mutating func remove(_ uid: String) {
    guard let place = places.removeValue(forKey: uid), let index = indexOf[place.node] else { return }
    uses[index].remove(place.pod.needs)
    if let at = nodes[index].pods.firstIndex(where: { $0.uid == uid }) { nodes[index].pods.remove(at: at) }
    if place.pod.placed.countsForScores {
      affine[place.node]?.removeAll { $0.uid == uid }
      if affine[place.node]?.isEmpty == true { affine[place.node] = nil }
    }
    if !place.pod.placed.antiAffinity.isEmpty {
      let left = (antiAffinity[place.node] ?? 1) - 1
      antiAffinity[place.node] = left > 0 ? left : nil
    }
  }

  /// Pods with affinity that counts for scores, and the nodes that they are on.
  package var affinePods: [(node: NodeOffer, pods: [PlacedPod])] {
    affine.keys.compactMap { indexOf[$0] }.sorted().map { (nodes[$0].node, affine[nodes[$0].node.name]!) }
  }

  /// The pods of a node with what they take.
  package func pods(at index: Int) -> [PodTopology.Pod] {
    nodes[index].pods.compactMap { places[$0.uid]?.pod }
  }

  // MARK: - Fit

  /// What the rules about other pods need to know, counted once for a pod; nil when they have nothing to say.
  package func company(of pod: PodTopology.Pod) -> PodTopology.Company? {
    guard pod.wantsCompany || !antiAffinity.isEmpty else { return nil }
    let holders = antiAffinity.keys.compactMap { indexOf[$0] }.sorted()
    return PodTopology.Company(pod, nodes, namespaces, holders: holders)
  }

  /// Whether a node takes a pod: the filters of the node itself, its volumes, then those about what runs on all of
  /// them.
  package func fit(
    _ pod: PodTopology.Pod, at index: Int, company: PodTopology.Company?, volumes: PodStorage? = nil,
    beside others: [PodNeeds] = []
  ) -> Verdict<VolumeFit.Plan, NodeFit.Reason> {
    if let named = pod.needs.namedNodes, !named.contains(nodes[index].node.name) {
      return .no([NodeFit.Reason(.affinity, "node(s) didn't satisfy plugin(s) [NodeAffinity]", isFinal: true)])
    }
    var use = uses[index]
    for other in others { use.add(other) }
    let verdict = NodeFit.decide(
      .init(pod: .known(pod.needs), node: .known(nodes[index].node), use: .known(use)))
    guard verdict.isYes else { return .no(verdict.reasons) }
    var plan = VolumeFit.Plan()
    if let volumes {
      let storage = VolumeFit.decide(.init(pod: .known(volumes), node: .known(nodes[index].node)))
      guard let found = storage.value else { return storage }
      plan = found
    }
    if let reason = company?.misfit(pod, nodes[index].node) { return .no([reason]) }
    return .yes(plan)
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
    /// The storage of the pod; empty for one that claims none.
    package var volumes: Fact<PodStorage>

    package init(
      pod: Fact<PodTopology.Pod>, nodes: Fact<[NodeOffer]>, bound: Fact<[Bound]>,
      volumes: Fact<PodStorage> = .known(PodStorage())
    ) {
      self.volumes = volumes
      self.pod = pod
      self.nodes = nodes
      self.bound = bound
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.pod), hider(\.nodes), hider(\.bound), hider(\.volumes),
    ]
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
    for (index, other) in (facts.bound.value ?? []).enumerated() {
      // Evidence may lack uids; each is a pod of its own all the same.
      var pod = other.pod
      if pod.placed.uid.isEmpty { pod.placed.uid = "\(index)" }
      picture.add(pod, to: other.node)
    }
    let company = picture.company(of: pod)
    var fitting: [String] = []
    var misfits: [Misfit] = []
    var gaps: [Gap] = []
    for index in picture.nodes.indices {
      let node = picture.nodes[index].node
      let verdict: Verdict<VolumeFit.Plan, NodeFit.Reason> =
        switch facts.bound {
        case .known: picture.fit(pod, at: index, company: company, volumes: facts.volumes.value)
        case .unknown(let gap):
          NodeFit.decide(.init(pod: .known(pod.needs), node: .known(node), use: .unknown(gap))).map { VolumeFit.Plan() }
        }
      switch verdict.outcome {
      case .yes:
        if let gap = facts.volumes.gap { gaps.append(gap) } else { fitting.append(node.name) }
      case .no: misfits.append(Misfit(node: node.name, reasons: verdict.reasons))
      case .open(let more): gaps += more
      }
    }
    if let first = gaps.first { return .open([first], misfits) }
    return fitting.isEmpty ? .no(misfits) : .yes(fitting, misfits)
  }
}
