import Mechanisms
import Wire
import World

/// The nodes of a cluster with what runs on them, as one round of the scheduler sees them.
struct NodePicture {
  struct Entry {
    var object: ObjectView
    var index: Int
    var pods: [ObjectView] = []
  }

  private(set) var entries: [Entry]
  /// The same nodes as the rules see them.
  private var cluster: ClusterPicture

  init(_ nodes: [ObjectView]) {
    entries = nodes.enumerated().map { Entry(object: $1, index: $0) }
    cluster = ClusterPicture(nodes.map { NodeOffer(node: $0.json) })
  }

  mutating func add(_ pod: ObjectView, to node: String) {
    if let index = cluster.add(PodTopology.Pod(pod: pod.json), to: node) { entries[index].pods.append(pod) }
  }

  /// Why a node does not take the pod; none when it does.
  func misfits(_ pod: PodTopology.Pod, _ entry: Entry) -> [NodeFit.Reason] { cluster.fit(pod, at: entry.index).reasons }

  /// The best of the nodes that fit: the least used, with fewest pods of the same owner.
  func best(_ pod: ObjectView, _ needs: PodNeeds, among fitting: [Entry]) -> Entry? {
    let owner = pod.controller?["uid"].string
    var best: (score: Int64, entry: Entry)?
    for entry in fitting {
      let (offer, use) = (cluster.nodes[entry.index].node, cluster.uses[entry.index])
      var free: Int64 = 0
      for name in ["cpu", "memory"] {
        let room = max(1, offer.allocatable[name] ?? 1)
        let taken = (use.requested[name] ?? 0) + (needs.requests[name] ?? 0)
        free += Int64(500 * (1 - Double(taken) / Double(room)))
      }
      let siblings = owner.map { uid in entry.pods.count { $0.controller?["uid"].string == uid } } ?? 0
      let soft = offer.taints.count { taint in
        taint.effect == "PreferNoSchedule" && !needs.tolerations.contains { $0.tolerates(taint) }
      }
      let score = free - Int64(siblings * 1000 + use.pods + soft * 3000) + Int64(preferred(pod, offer) * 20)
      if best.map({ score > $0.score }) ?? true { best = (score, entry) }
    }
    return best?.entry
  }

  private func preferred(_ pod: ObjectView, _ offer: NodeOffer) -> Int {
    pod.spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"].items
      .filter { NodeTerm(json: $0["preference"]).matches(offer) }.reduce(0) { $0 + ($1["weight"].int ?? 0) }
  }
}
