package import Wire

/// A PodDisruptionBudget as far as preemption looks at it.
package struct BudgetFacts: Sendable, Equatable {
  package var namespace: String
  package var selector: LabelSelector
  package var allowed: Int
  /// Pods whose disruption was counted already.
  package var disrupted: Set<String>

  package init(budget: JSON) {
    namespace = budget["metadata"]["namespace"].string ?? ""
    selector = (try? LabelSelector(labelSelector: budget["spec"]["selector"])) ?? .nothing
    allowed = budget["status"]["disruptionsAllowed"].int ?? 0
    disrupted = Set(budget["status"]["disruptedPods"].fields.map(\.key))
  }
}

/// Whether other pods can be put out so that a pod finds room, and which
/// (kubernetes `pkg/scheduler/framework/{preemption,plugins/defaultpreemption}`).
package enum Preemption: Rule {
  package static let name = "scheduling/preemption"

  package struct Facts: FactSet {
    package var pod: Fact<PodTopology.Pod>
    package var picture: Fact<ClusterPicture>
    /// What the nodes have against the pod, in the picture's order.
    package var misfits: [[NodeFit.Reason]]
    package var budgets: Fact<[BudgetFacts]>
    package var volumes: PodStorage?

    package init(
      pod: Fact<PodTopology.Pod>, picture: Fact<ClusterPicture>, misfits: [[NodeFit.Reason]],
      budgets: Fact<[BudgetFacts]>, volumes: PodStorage? = nil
    ) {
      self.pod = pod
      self.picture = picture
      self.misfits = misfits
      self.budgets = budgets
      self.volumes = volumes
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.pod), hider(\.picture), hider(\.budgets),
    ]
  }

  /// A node and the pods that have to go from it, the most important first.
  package struct Choice: Sendable {
    package var node: String
    package var victims: [PodTopology.Pod]
    package var violations: Int
  }

  package static let notHelpful = "Preemption is not helpful for scheduling"
  package static let noVictims = "No preemption victims found for incoming pod"
  package static let never = "not eligible due to preemptionPolicy=Never."
  /// Those put out for it earlier are still on their way.
  package static let waits = "not eligible due to a terminating pod on the nominated node."

  /// A `no` gives one text for each node.
  package static func decide(_ facts: Facts) -> Verdict<Choice, String> {
    guard let pod = facts.pod.value else { return .open([facts.pod.gap!]) }
    if pod.needs.neverPreempts { return .no([never]) }
    guard let picture = facts.picture.value else { return .open([facts.picture.gap!]) }
    guard let budgets = facts.budgets.value else { return .open([facts.budgets.gap!]) }
    var choices: [Choice] = []
    var texts: [String] = []
    let most = max(100, picture.nodes.count / 10)
    for index in picture.nodes.indices {
      let misfits = index < facts.misfits.count ? facts.misfits[index] : []
      if misfits.isEmpty || misfits.contains(where: \.isFinal) {
        texts.append(notHelpful)
        continue
      }
      guard choices.count < most else { continue }
      switch victims(pod, picture, index, budgets, facts.volumes) {
      case .found(let choice): choices.append(choice)
      case .none(let reasons): texts += reasons
      }
    }
    guard let best = choices.min(by: isBetter) else { return .no(texts) }
    return .yes(best)
  }

  private enum Search {
    case found(Choice)
    case none([String])
  }

  private static func victims(
    _ pod: PodTopology.Pod, _ picture: ClusterPicture, _ index: Int, _ budgets: [BudgetFacts], _ volumes: PodStorage?
  ) -> Search {
    let lower = picture.pods(at: index).filter { $0.needs.priority < pod.needs.priority }
    guard !lower.isEmpty else { return .none([noVictims]) }
    var trial = picture
    for other in lower { trial.remove(other.placed.uid) }
    let node = picture.nodes[index].node.name
    func fits() -> Verdict<VolumeFit.Plan, NodeFit.Reason> {
      trial.fit(pod, at: index, company: trial.company(of: pod), volumes: volumes)
    }
    let emptied = fits()
    guard emptied.isYes else { return .none(emptied.reasons.map(\.text)) }
    let sorted = lower.sorted(by: isMoreImportant)
    let violating = self.violating(sorted, budgets)
    var victims: [PodTopology.Pod] = []
    var violations = 0
    // Those whose budget would be broken are spared first.
    for (isViolating, others) in [
      (true, sorted.filter { violating.contains($0.placed.uid) }),
      (false, sorted.filter { !violating.contains($0.placed.uid) }),
    ] {
      for other in others {
        trial.add(other, to: node)
        guard !fits().isYes else { continue }
        trial.remove(other.placed.uid)
        victims.append(other)
        if isViolating { violations += 1 }
      }
    }
    return .found(Choice(node: node, victims: victims.sorted(by: isMoreImportant), violations: violations))
  }

  /// Uids of the pods that their budgets don't let go, spending the budgets in order.
  private static func violating(_ pods: [PodTopology.Pod], _ budgets: [BudgetFacts]) -> Set<String> {
    var left = budgets.map(\.allowed)
    var found: Set<String> = []
    for pod in pods where !pod.placed.labels.isEmpty {
      for (index, budget) in budgets.enumerated()
      where budget.namespace == pod.placed.namespace && budget.selector.matches(pod.placed.labels)
        && !budget.disrupted.contains(pod.placed.name)
      {
        left[index] -= 1
        if left[index] < 0 { found.insert(pod.placed.uid) }
      }
    }
    return found
  }

  /// A higher priority, then an earlier start.
  private static func isMoreImportant(_ a: PodTopology.Pod, _ b: PodTopology.Pod) -> Bool {
    if a.needs.priority != b.needs.priority { return a.needs.priority > b.needs.priority }
    if a.placed.startTime != b.placed.startTime {
      // One that has not started counts as started now.
      if a.placed.startTime.isEmpty || b.placed.startTime.isEmpty { return b.placed.startTime.isEmpty }
      return a.placed.startTime < b.placed.startTime
    }
    return a.placed.uid < b.placed.uid
  }

  private static func isBetter(_ a: Choice, _ b: Choice) -> Bool {
    if a.violations != b.violations { return a.violations < b.violations }
    func top(_ choice: Choice) -> Int { choice.victims.first?.needs.priority ?? Int.min }
    if top(a) != top(b) { return top(a) < top(b) }
    func sum(_ choice: Choice) -> Int { choice.victims.reduce(0) { $0 + $1.needs.priority + Int(Int32.max) + 1 } }
    if sum(a) != sum(b) { return sum(a) < sum(b) }
    if a.victims.count != b.victims.count { return a.victims.count < b.victims.count }
    func start(_ choice: Choice) -> String {
      choice.victims.filter { $0.needs.priority == top(choice) }.map(\.placed.startTime).min() ?? ""
    }
    if start(a) != start(b) { return start(a) > start(b) }
    return a.node < b.node
  }
}
