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
  /// The same nodes as the rules about pods beside each other see them.
  private var around: [Neighbourhood]
  private var hasAntiAffinity = false
  private var indexOf: [String: Int] = [:]

  init(_ nodes: [ObjectView]) {
    entries = nodes.map { Entry(object: $0, offer: NodeOffer(node: $0.json)) }
    around = entries.map { Neighbourhood(node: $0.offer, pods: []) }
    for (index, node) in nodes.enumerated() { indexOf[node.name] = index }
  }

  mutating func add(_ pod: ObjectView, to node: String) {
    guard let index = indexOf[node] else { return }
    entries[index].use.add(PodNeeds(pod: pod.json))
    entries[index].pods.append(pod)
    let placed = PlacedPod(pod: pod.json)
    around[index].pods.append(placed)
    if !placed.antiAffinity.isEmpty { hasAntiAffinity = true }
  }

  /// Why a node does not take the pod; none when it does.
  func misfits(_ pod: ObjectView, _ needs: PodNeeds, _ entry: Entry) -> [NodeFit.Reason] {
    let verdict = NodeFit.decide(
      NodeFit.Facts(pod: .known(needs), node: .known(entry.offer), use: .known(entry.use)))
    guard verdict.isYes else { return verdict.reasons }
    let wantsCompany =
      !pod.spec["topologySpreadConstraints"].isNull || !pod.spec["affinity"]["podAffinity"].isNull
      || !pod.spec["affinity"]["podAntiAffinity"].isNull
    guard wantsCompany || hasAntiAffinity, let index = indexOf[entry.object.name] else { return [] }
    return PodTopology.decide(
      .init(pod: .known(PodTopology.Pod(pod: pod.json)), index: index, nodes: .known(around))
    ).reasons
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
