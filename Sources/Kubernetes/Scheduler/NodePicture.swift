import Mechanisms
import Wire
import World

/// The nodes of a cluster with what runs on them, as one round of the scheduler sees them.
struct NodePicture {
  struct Entry {
    var object: ObjectView
    var offer: NodeOffer
    var use = NodeUse()
    var pods: [ObjectView] = []
  }

  private(set) var entries: [Entry]
  private var indexOf: [String: Int] = [:]

  init(_ nodes: [ObjectView]) {
    entries = nodes.map { Entry(object: $0, offer: NodeOffer(node: $0.json)) }
    for (index, node) in nodes.enumerated() { indexOf[node.name] = index }
  }

  mutating func add(_ pod: ObjectView, to node: String) {
    guard let index = indexOf[node] else { return }
    entries[index].use.add(PodNeeds(pod: pod.json))
    entries[index].pods.append(pod)
  }

  /// Why a node does not take the pod; none when it does.
  func misfits(_ pod: ObjectView, _ needs: PodNeeds, _ entry: Entry) -> [NodeFit.Reason] {
    let verdict = NodeFit.decide(
      NodeFit.Facts(pod: .known(needs), node: .known(entry.offer), use: .known(entry.use)))
    guard verdict.isYes else { return verdict.reasons }
    if let spread = TopologyFit.spreadMisfit(pod, needs, entry, entries) { return [spread] }
    if let affinity = TopologyFit.affinityMisfit(pod, entry, entries) { return [affinity] }
    return []
  }

  /// The best of the nodes that fit: the least used, with fewest pods of the same owner.
  func best(_ pod: ObjectView, _ needs: PodNeeds, among fitting: [Entry]) -> Entry? {
    let owner = pod.controller?["uid"].string
    var best: (score: Int64, entry: Entry)?
    for entry in fitting {
      var free: Int64 = 0
      for name in ["cpu", "memory"] {
        let room = max(1, entry.offer.allocatable[name] ?? 1)
        let taken = (entry.use.requested[name] ?? 0) + (needs.requests[name] ?? 0)
        free += Int64(500 * (1 - Double(taken) / Double(room)))
      }
      let siblings = owner.map { uid in entry.pods.count { $0.controller?["uid"].string == uid } } ?? 0
      let soft = entry.offer.taints.count { taint in
        taint.effect == "PreferNoSchedule" && !needs.tolerations.contains { $0.tolerates(taint) }
      }
      let score = free - Int64(siblings * 1000 + entry.use.pods + soft * 3000) + Int64(preferred(pod, entry) * 20)
      if best.map({ score > $0.score }) ?? true { best = (score, entry) }
    }
    return best?.entry
  }

  private func preferred(_ pod: ObjectView, _ entry: Entry) -> Int {
    pod.spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"].items
      .filter { NodeTerm(json: $0["preference"]).matches(entry.offer) }.reduce(0) { $0 + ($1["weight"].int ?? 0) }
  }
}
