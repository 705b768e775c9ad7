package import Wire

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How well nodes that take a pod suit it: the scheduler's scores with their weights
/// (kubernetes `pkg/scheduler/framework/plugins`, default profile).
package struct NodeScore: Sendable, Equatable {
  /// Each from 0 to 100.
  package var taints: Int64 = 0
  package var affinity: Int64 = 0
  package var spread: Int64 = 0
  package var podAffinity: Int64 = 0
  package var leastAllocated: Int64 = 0
  package var balanced: Int64 = 0
  package var images: Int64 = 0

  package var total: Int64 {
    3 * taints + 2 * affinity + 2 * spread + 2 * podAffinity + leastAllocated + balanced + images
  }

  /// What nodes are scored by, beside what runs on them.
  package struct Wish: Sendable {
    package var pod: PodTopology.Pod
    /// Selects the pods of the same owners and services, for a pod that has no spread constraints of its own.
    package var siblings: LabelSelector?
    /// How many of them each node has, in the picture's order, when that was counted already.
    package var siblingCounts: [Int]?

    package init(pod: PodTopology.Pod, siblings: LabelSelector? = nil, siblingCounts: [Int]? = nil) {
      self.pod = pod
      self.siblings = siblings
      self.siblingCounts = siblingCounts
    }
  }

  /// The scores of the nodes at these places, in their order.
  package static func scores(_ wish: Wish, _ picture: ClusterPicture, among places: [Int]) -> [NodeScore] {
    var scores = places.map { place in
      var score = NodeScore()
      let (node, use) = (picture.nodes[place].node, picture.uses[place])
      score.leastAllocated = leastAllocated(wish.pod.needs, node, use)
      score.balanced = balanced(wish.pod.needs, node, use)
      score.taints = Int64(
        node.taints.count { taint in
          taint.effect == "PreferNoSchedule" && !wish.pod.needs.tolerations.contains { $0.tolerates(taint) }
        })
      score.affinity = wish.pod.needs.preferredNodes.reduce(0) {
        $0 + ($1.term.matches(node) ? Int64($1.weight) : 0)
      }
      return score
    }
    normalize(&scores, \.taints, reverse: true)
    normalize(&scores, \.affinity, reverse: false)
    scoreSpread(&scores, wish, picture, places)
    scorePodAffinity(&scores, wish.pod, picture, places)
    scoreImages(&scores, wish.pod.needs, picture, places)
    return scores
  }

  private static func normalize(_ scores: inout [NodeScore], _ part: WritableKeyPath<NodeScore, Int64>, reverse: Bool) {
    let most = scores.map { $0[keyPath: part] }.max() ?? 0
    for index in scores.indices {
      let value = most == 0 ? 0 : 100 * scores[index][keyPath: part] / most
      scores[index][keyPath: part] = reverse ? 100 - value : value
    }
  }

  // MARK: - Room

  private static func leastAllocated(_ pod: PodNeeds, _ node: NodeOffer, _ use: NodeUse) -> Int64 {
    func free(_ name: String, _ taken: Int64) -> Int64 {
      guard let room = node.allocatable[name], room > 0, taken <= room else { return 0 }
      return (room - taken) * 100 / room
    }
    let cpu = free("cpu", use.scoredCPU + pod.scoredCPU)
    let memory = free("memory", use.scoredMemory + pod.scoredMemory)
    return (cpu + memory) / 2
  }

  private static func balanced(_ pod: PodNeeds, _ node: NodeOffer, _ use: NodeUse) -> Int64 {
    guard pod.requests["cpu"] != nil || pod.requests["memory"] != nil else { return 0 }
    func part(_ name: String) -> Double {
      guard let room = node.allocatable[name], room > 0 else { return 0 }
      return min(1, Double((use.requested[name] ?? 0) + (pod.requests[name] ?? 0)) / Double(room))
    }
    return Int64((1 - abs(part("cpu") - part("memory")) / 2) * 100)
  }

  // MARK: - Spread

  private static func scoreSpread(
    _ scores: inout [NodeScore], _ wish: Wish, _ picture: ClusterPicture, _ places: [Int]
  ) {
    var constraints = wish.pod.softSpread
    let isOwn = !constraints.isEmpty || !wish.pod.spread.isEmpty
    if !isOwn, let selector = wish.siblings {
      constraints = [("kubernetes.io/hostname", 3), ("topology.kubernetes.io/zone", 5)].map {
        SpreadConstraint(topologyKey: $0, maxSkew: $1, selector: selector, isRequired: false)
      }
    }
    guard !constraints.isEmpty else { return }
    func lacks(_ node: NodeOffer) -> Bool { isOwn && constraints.contains { node.labels[$0.topologyKey] == nil } }
    let namespace = wish.pod.placed.namespace
    func count(_ constraint: SpreadConstraint, at place: Int) -> Int {
      if !isOwn, let counts = wish.siblingCounts { return counts[place] }
      return constraint.count(picture.nodes[place].pods, namespace: namespace)
    }
    let isIgnored = places.map { lacks(picture.nodes[$0].node) }
    var domains: [[String: Int]] = constraints.map { _ in [:] }
    for (index, place) in places.enumerated() where !isIgnored[index] {
      for (at, constraint) in constraints.enumerated() where constraint.topologyKey != "kubernetes.io/hostname" {
        if let domain = picture.nodes[place].node.labels[constraint.topologyKey] { domains[at][domain] = 0 }
      }
    }
    for (place, other) in picture.nodes.enumerated() where !lacks(other.node) {
      for (at, constraint) in constraints.enumerated() {
        guard let domain = other.node.labels[constraint.topologyKey], let known = domains[at][domain],
          constraint.includes(other.node, for: wish.pod.needs)
        else { continue }
        domains[at][domain] = known + count(constraint, at: place)
      }
    }
    let weights = constraints.enumerated().map { at, constraint in
      let size = constraint.topologyKey == "kubernetes.io/hostname" ? isIgnored.count { !$0 } : domains[at].count
      return log(Double(size + 2))
    }
    var raw: [Int64?] = []
    for (index, place) in places.enumerated() {
      guard !isIgnored[index] else {
        raw.append(nil)
        continue
      }
      var sum = 0.0
      let here = picture.nodes[place]
      for (at, constraint) in constraints.enumerated() {
        guard let domain = here.node.labels[constraint.topologyKey] else { continue }
        let pods = domains[at][domain] ?? count(constraint, at: place)
        sum += Double(pods) * weights[at] + Double(constraint.maxSkew - 1)
      }
      raw.append(Int64(sum.rounded()))
    }
    let known = raw.compactMap { $0 }
    guard let most = known.max(), let least = known.min() else { return }
    for (index, value) in raw.enumerated() {
      scores[index].spread = value.map { most == 0 ? 100 : 100 * (most + least - $0) / most } ?? 0
    }
  }

  // MARK: - Other pods

  private struct Domain: Hashable {
    var key: String
    var value: String
  }

  private static func scorePodAffinity(
    _ scores: inout [NodeScore], _ pod: PodTopology.Pod, _ picture: ClusterPicture, _ places: [Int]
  ) {
    let own = pod.placed
    var sums: [Domain: Int64] = [:]
    let labels = picture.namespaces
    func add(_ term: PodTerm, _ weight: Int, _ target: PlacedPod, at node: NodeOffer) {
      guard let value = node.labels[term.topologyKey], term.selects(target, labels) else { return }
      sums[Domain(key: term.topologyKey, value: value), default: 0] += Int64(weight)
    }
    if !own.preferredAffinity.isEmpty || !own.preferredAntiAffinity.isEmpty {
      for other in picture.nodes {
        for there in other.pods {
          for wish in own.preferredAffinity { add(wish.term, wish.weight, there, at: other.node) }
          for wish in own.preferredAntiAffinity { add(wish.term, -wish.weight, there, at: other.node) }
        }
      }
    }
    for (node, pods) in picture.affinePods {
      for there in pods {
        for term in there.affinity { add(term, 1, own, at: node) }
        for wish in there.preferredAffinity { add(wish.term, wish.weight, own, at: node) }
        for wish in there.preferredAntiAffinity { add(wish.term, -wish.weight, own, at: node) }
      }
    }
    guard !sums.isEmpty else { return }
    let raw = places.map { place in
      picture.nodes[place].node.labels.reduce(Int64(0)) { $0 + (sums[Domain(key: $1.key, value: $1.value)] ?? 0) }
    }
    guard let most = raw.max(), let least = raw.min(), most > least else { return }
    for (index, value) in raw.enumerated() { scores[index].podAffinity = 100 * (value - least) / (most - least) }
  }

  // MARK: - Images

  private static func scoreImages(
    _ scores: inout [NodeScore], _ pod: PodNeeds, _ picture: ClusterPicture, _ places: [Int]
  ) {
    guard !pod.images.isEmpty else { return }
    let megabyte: Int64 = 1024 * 1024
    let least = 23 * megabyte
    let most = 1000 * megabyte * Int64(pod.images.count)
    let spread = pod.images.map { image in picture.nodes.count { $0.node.images[image] != nil } }
    for (index, place) in places.enumerated() {
      let node = picture.nodes[place].node
      guard !node.images.isEmpty else { continue }
      var sum: Int64 = 0
      for (at, image) in pod.images.enumerated() {
        guard let size = node.images[image] else { continue }
        sum += Int64(Double(size) * Double(spread[at]) / Double(picture.nodes.count))
      }
      scores[index].images = 100 * (min(max(sum, least), most) - least) / (most - least)
    }
  }
}
