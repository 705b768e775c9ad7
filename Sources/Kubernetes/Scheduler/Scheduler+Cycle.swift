import Mechanisms
import Wire
import World

/// One pod's way to a node: filters, scores, preemption, binding.
extension Scheduler {
  mutating func place(_ pod: ObjectView, _ round: inout Round, _ context: Context) {
    let wanted = PodTopology.Pod(pod: pod.json)
    let volumes = storage(of: pod, context)
    let nodeCount = cache.picture.nodes.count
    if let problem = volumes?.problem, nodeCount > 0 {
      let texts = Array(repeating: Preemption.notHelpful, count: nodeCount)
      let message = SchedulingFailure.message(
        nodes: Array(repeating: [], count: nodeCount), early: problem.text,
        preemption: SchedulingFailure.preemption(texts, nodes: nodeCount, claimsSpeak: !isBefore134))
      refuse(pod, message, plugins: [NodeFit.Reason.Plugin.volumes.rawValue], context)
      return
    }
    let company = cache.picture.company(of: wanted)
    let search = search(wanted, pod, company, volumes, &round, context)
    guard let best = best(pod, wanted, search.fitting.map(\.index), &round, context) else {
      preempt(pod, wanted, search.misfits, volumes, &round, context)
      return
    }
    let node = cache.picture.nodes[best].node.name
    let plan = search.fitting.first { $0.index == best }?.plan ?? VolumeFit.Plan()
    cache.assume(pod, wanted, on: node)
    for (siblings, _) in round.siblings
    where siblings.namespace == pod.namespace && siblings.selector.matches(wanted.placed.labels) {
      round.siblings[siblings]?[best] += 1
    }
    unschedulable[pod.key] = nil
    assumed[pod.key] = node
    if pod.status["nominatedNodeName"].string != nil { round.nominated = nil }
    if plan.isEmpty {
      bind(pod, to: node, context)
    } else {
      prepareVolumes(pod, node, plan, context)
    }
  }

  private struct Search {
    var fitting: [(index: Int, plan: VolumeFit.Plan)] = []
    var misfits: [[NodeFit.Reason]] = []
  }

  private mutating func search(
    _ wanted: PodTopology.Pod, _ pod: ObjectView, _ company: PodTopology.Company?, _ volumes: PodStorage?,
    _ round: inout Round, _ context: Context
  ) -> Search {
    let picture = cache.picture
    let nominated = nominees(&round, context)
    func test(_ index: Int) -> Verdict<VolumeFit.Plan, NodeFit.Reason> {
      let others = (nominated[picture.nodes[index].node.name] ?? [])
        .filter { $0.uid != pod.uid && $0.needs.priority >= wanted.needs.priority }.map(\.needs)
      return picture.fit(wanted, at: index, company: company, volumes: volumes, beside: others)
    }
    var found = Search()
    if let name = pod.status["nominatedNodeName"].string, let index = picture.index(of: name),
      let plan = test(index).value
    {
      found.fitting = [(index, plan)]
      return found
    }
    let count = picture.nodes.count
    guard count > 0 else { return found }
    let enough = Self.enough(of: count)
    let start = count > enough ? (nextNode ?? 0) % count : 0
    var seen = 0
    found.misfits = Array(repeating: [], count: count)
    while seen < count, found.fitting.count < enough {
      let index = (start + seen) % count
      let verdict = test(index)
      if let plan = verdict.value {
        found.fitting.append((index, plan))
      } else {
        found.misfits[index] = verdict.reasons
      }
      seen += 1
    }
    if count > enough { nextNode = (start + seen) % count }
    return found
  }

  /// How many nodes that fit are enough to choose from: all up to 100, of more a part that shrinks from a half.
  private static func enough(of count: Int) -> Int {
    guard count > 100 else { return count }
    return max(100, count * max(5, 50 - count / 125) / 100)
  }

  /// Pods that wait for a node which preemption clears for them.
  private func nominees(_ round: inout Round, _ context: Context) -> [String: [Round.Nominee]] {
    if let known = round.nominated { return known }
    var found: [String: [Round.Nominee]] = [:]
    for key in unschedulable.keys.sorted() {
      guard let pod = read("pods", key, context), let node = pod.status["nominatedNodeName"].string, !node.isEmpty
      else { continue }
      found[node, default: []].append(.init(uid: pod.uid, needs: PodNeeds(pod: pod.json)))
    }
    round.nominated = found
    return found
  }

  private func best(
    _ pod: ObjectView, _ wanted: PodTopology.Pod, _ fitting: [Int], _ round: inout Round, _ context: Context
  ) -> Int? {
    guard fitting.count > 1 else { return fitting.first }
    let siblings = siblings(of: pod, wanted, &round, context)
    let counts = siblings.map { count(.init(namespace: pod.namespace, selector: $0), &round) }
    let wish = NodeScore.Wish(pod: wanted, siblings: siblings, siblingCounts: counts)
    let scores = NodeScore.scores(wish, cache.picture, among: fitting).map(\.total)
    let most = scores.max() ?? 0
    let ties = zip(fitting, scores).filter { $0.1 == most }.map(\.0)
    return ties.count == 1 ? ties[0] : ties[context.random { Int($0.next() % UInt64(ties.count)) }]
  }

  /// Counts the siblings on each node, once for a round.
  private func count(_ siblings: Round.Siblings, _ round: inout Round) -> [Int] {
    if let known = round.siblings[siblings] { return known }
    let counted = cache.picture.nodes.map { node in
      node.pods.count {
        $0.namespace == siblings.namespace && !$0.isTerminating && siblings.selector.matches($0.labels)
      }
    }
    round.siblings[siblings] = counted
    return counted
  }

  /// Selects what the pod's Services and its owner select: by that pods without constraints are spread.
  private func siblings(
    of pod: ObjectView, _ wanted: PodTopology.Pod, _ round: inout Round, _ context: Context
  ) -> LabelSelector? {
    guard wanted.spread.isEmpty, wanted.softSpread.isEmpty else { return nil }
    if round.services[pod.namespace] == nil {
      round.services[pod.namespace] = list("services", pod.namespace, context).map { $0.spec["selector"] }
        .filter { !$0.fields.isEmpty }
    }
    var selector = LabelSelector()
    for service in round.services[pod.namespace] ?? [] {
      let own = LabelSelector(matchLabels: service)
      if own.matches(wanted.placed.labels) { selector.requirements += own.requirements }
    }
    if let owner = pod.controller, let name = owner["name"].string {
      let resources = [
        "ReplicaSet": "replicasets.apps", "StatefulSet": "statefulsets.apps",
        "ReplicationController": "replicationcontrollers",
      ]
      if let resource = resources[owner["kind"].string ?? ""],
        let set = read(resource, "\(pod.namespace)/\(name)", context)
      {
        let own =
          resource == "replicationcontrollers"
          ? LabelSelector(matchLabels: set.spec["selector"])
          : (try? LabelSelector(labelSelector: set.spec["selector"])) ?? .nothing
        if !own.isNothing { selector.requirements += own.requirements }
      }
    }
    return selector.requirements.isEmpty ? nil : selector
  }

  // MARK: - Preemption

  private mutating func preempt(
    _ pod: ObjectView, _ wanted: PodTopology.Pod, _ misfits: [[NodeFit.Reason]], _ volumes: PodStorage?,
    _ round: inout Round, _ context: Context
  ) {
    let plugins = misfits.flatMap { $0 }.map(\.plugin.rawValue).unique
    let nodeCount = cache.picture.nodes.count
    guard nodeCount > 0 else { return refuse(pod, SchedulingFailure.noNodes, plugins: nil, context) }
    if waitsForVictims(pod, wanted, misfits) {
      let text = SchedulingFailure.preemption([Preemption.waits], nodes: nodeCount, claimsSpeak: !isBefore134)
      refuse(pod, SchedulingFailure.message(nodes: misfits, preemption: text), plugins: plugins, context)
      return
    }
    let verdict = Preemption.decide(
      .init(
        pod: .known(wanted), picture: .known(cache.picture), misfits: misfits,
        budgets: .known(list("poddisruptionbudgets.policy", context).map { BudgetFacts(budget: $0.json) }),
        volumes: volumes))
    guard let choice = verdict.value else {
      let text = SchedulingFailure.preemption(verdict.reasons, nodes: nodeCount, claimsSpeak: !isBefore134)
      refuse(
        pod, SchedulingFailure.message(nodes: misfits, preemption: text), plugins: plugins, nominated: "", context)
      return
    }
    for victim in choice.victims { evict(victim.placed, for: pod, from: choice.node, context) }
    refuse(
      pod, SchedulingFailure.message(nodes: misfits), plugins: plugins, nominated: choice.node, context)
    round.nominated = nil
  }

  private func list(_ resource: String, _ context: Context) -> [ObjectView] { list(resource, "", context) }

  /// Whether pods are still on their way out that were put out for it.
  private func waitsForVictims(_ pod: ObjectView, _ wanted: PodTopology.Pod, _ misfits: [[NodeFit.Reason]]) -> Bool {
    guard let node = pod.status["nominatedNodeName"].string, let index = cache.picture.index(of: node),
      !misfits[index].contains(where: \.isFinal)
    else { return false }
    return cache.picture.pods(at: index).contains {
      $0.placed.isTerminating && $0.needs.priority < wanted.needs.priority
    }
  }

  private mutating func evict(
    _ victim: PlacedPod, for pod: ObjectView, from node: String, _ context: Context
  ) {
    guard let object = read("pods", "\(victim.namespace)/\(victim.name)", context), object.uid == victim.uid else {
      return
    }
    if !object.isTerminating {
      context.submit(
        client.patch(
          "pods", object.namespace, object.name,
          [
            "metadata": ["uid": .string(object.uid)],
            "status": [
              "conditions": [
                [
                  "type": "DisruptionTarget", "status": "True", "lastProbeTime": .null,
                  "lastTransitionTime": context.now.json, "reason": "PreemptionByScheduler",
                  "message": .string("\(Self.name): preempting to accommodate a higher priority pod"),
                ]
              ]
            ],
          ], subresource: "status"), tag: "status", weight: .background)
      context.submit(
        client.delete("pods", object.namespace, object.name, uid: object.uid), tag: "preempt", weight: .background)
    }
    context.record(
      &events, client, about: object.reference, reason: "Preempted", "Preempted by pod \(pod.uid) on node \(node)")
  }

  // MARK: - Refusal

  /// Tells that a pod can't be placed. `nominated` is the node set aside for it, empty to take that back.
  mutating func refuse(
    _ pod: ObjectView, _ message: String, plugins: [String]?, reason: String = "Unschedulable",
    nominated: String? = nil, _ context: Context
  ) {
    putAside(pod.key, plugins: plugins, context)
    let condition = pod.condition("PodScheduled")
    let nominee = nominated ?? pod.status["nominatedNodeName"].string ?? ""
    let isRenominated = nominee != pod.status["nominatedNodeName"].string ?? ""
    if condition["status"].string != "False" || condition["message"].string != message || isRenominated {
      var status = JSONObject()
      status.append(
        "conditions",
        [
          [
            "type": "PodScheduled", "status": "False", "reason": .string(reason), "message": .string(message),
            "lastProbeTime": .null,
            "lastTransitionTime": condition["status"].string == "False"
              ? condition["lastTransitionTime"] : context.now.json,
          ]
        ])
      // A null takes the node back.
      if isRenominated { status.append("nominatedNodeName", nominee.isEmpty ? .null : .string(nominee)) }
      let body: JSON = ["status": .object(status)]
      context.submit(
        client.patch("pods", pod.namespace, pod.name, body, subresource: "status"), tag: "status",
        weight: .background)
    }
    context.record(
      &events, client, about: pod.reference, type: "Warning", reason: "FailedScheduling", message)
  }

  // MARK: - Binding

  func bind(_ pod: ObjectView, to node: String, _ context: Context) {
    context.submit(
      client.request(
        "POST", "\(KubeClient.path("pods", pod.namespace))/\(pod.name)/binding",
        body: [
          "apiVersion": "v1", "kind": "Binding",
          "metadata": [
            "name": .string(pod.name), "namespace": .string(pod.namespace), "uid": .string(pod.uid),
          ], "target": ["kind": "Node", "name": .string(node)],
        ]), tag: "bind \(pod.key)", wants: .outcome)
  }

  mutating func replied(_ tag: String, _ reply: KubeReply, _ context: Context) {
    guard tag.hasPrefix("bind ") else { return }
    let key = String(tag.dropFirst(5))
    let node = assumed.removeValue(forKey: key)
    guard let pod = read("pods", key, context) else { return }
    if reply.isSuccess {
      context.record(
        &events, client, about: pod.reference, reason: "Scheduled",
        "Successfully assigned \(key) to \(node ?? pod.nodeName)")
    } else if needsNode(pod) {
      failBinding(pod, "running Bind plugin \"DefaultBinder\": \(reply.message)", context)
    }
  }

  /// A pod that had a node did not get there: it is tried again after its pause.
  mutating func failBinding(_ pod: ObjectView, _ message: String, _ context: Context) {
    assumed[pod.key] = nil
    volumeWaits?[pod.key] = nil
    cache.forget(pod.uid)
    refuse(pod, message, plugins: nil, reason: "SchedulerError", context)
    unschedulable[pod.key]?.isMoved = true
    wakeMoved(context)
  }
}
