import Evidence
import Mechanisms
import Wire

/// All that is wrong in a namespace (`ekswhy -n shop`) or in the cluster (`ekswhy -A`).
package struct OverviewQuestion: Question {
  package let kinds: [String] = []
  /// Nil for the whole cluster, with its nodes and node groups.
  let namespace: String?
  /// Things of each kind that one answer goes into.
  static let limit = 10

  package init(namespace: String?) { self.namespace = namespace }

  package var subject: Subject {
    Subject(kind: namespace == nil ? "cluster" : "namespace", name: namespace ?? "", namespace: namespace)
  }

  package func inquire(_ subject: Subject, _ world: Investigation) async throws(QuestionError) -> Inquiry {
    var found = Overview()
    try await pods(&found, world)
    try await workloads(&found, world)
    try await services(&found, world)
    try await jobs(&found, world)
    if namespace == nil {
      try await namespaces(&found, world)
      try await nodes(&found, world)
      try await nodegroups(&found, world)
    }
    let entity = namespace.map { Entity("Namespace", $0) } ?? Entity("Cluster", world.target.cluster ?? "")
    let place = namespace.map { "namespace \($0)" } ?? "cluster \(world.target.cluster ?? "")"
    guard !found.troubles.isEmpty else {
      return Inquiry(
        entity, effects: found.effects, isTrouble: false,
        summary:
          "no fault found in \(place): \(found.counts.joined(separator: ", "))\(found.isPartial ? ", as far as could be read" : "")",
        hiddenTrouble: "\(place): \(found.counts.joined(separator: ", ")), and something of it is broken")
    }
    let more = found.left > 0 ? "; and \(found.left) more, asked about one by one" : ""
    return Inquiry(
      entity, effects: found.effects, isTrouble: true,
      summary: "\(place): \(found.troubles.joined(separator: "; "))\(more)",
      waits: found.isWaiting ? found.waits : nil, lastResort: found.lastResort)
  }

  /// One pod of each owner stands for its fellows in trouble; of the running ones, one of each service account.
  private func pods(_ found: inout Overview, _ world: Investigation) async throws(QuestionError) {
    let listed = await world.list(.pods, namespace: namespace)
    if let gap = listed.gap { throw .unreachable(gap) }
    for state in listed.items.map(PodState.init) where state.isDeleting {
      let until = state.pod["metadata"]["deletionTimestamp"].time ?? world.now
      guard until + PodQuestion.late < world.now else { continue }
      try await ask(PodQuestion(), Subject(kind: "pod", name: state.name, namespace: state.namespace), &found, world)
    }
    let states = listed.items.map { ($0, PodState($0)) }.filter { !$0.1.isDeleting }
    found.counts.append(Count.of(states.count, "pod"))
    var seen: Set<String> = []
    var asked = 0
    for (pod, state) in states where !state.isFinished {
      let owner = pod["metadata"]["ownerReferences"][0]["uid"].string ?? state.name
      let account = pod["spec"]["serviceAccountName"].string ?? "default"
      guard seen.insert(state.isReady ? "ready \(state.namespace ?? "")/\(account)" : "owner \(owner)").inserted else {
        continue
      }
      if state.isReady {
        guard await world.podIdentity(state.entity).reading?.isConfigured == true, asked < OverviewQuestion.limit else {
          continue
        }
        asked += 1
        found.effects.append(.init(Effect(.podCredentials, state.entity), deciding: false))
      } else if found.troubles.count < OverviewQuestion.limit {
        let inquiry = try await PodQuestion().inquire(
          Subject(kind: "pod", name: state.name, namespace: state.namespace), world)
        found.add(inquiry)
      } else {
        found.left += 1
      }
    }
  }

  private func nodes(_ found: inout Overview, _ world: Investigation) async throws(QuestionError) {
    let listed = await world.list(.nodes)
    if let gap = listed.gap { throw .unreachable(gap) }
    found.counts.append(Count.of(listed.items.count, "node"))
    var asked = 0
    for state in listed.items.map(NodeState.init) where !state.isReady {
      asked += 1
      guard asked <= OverviewQuestion.limit else {
        found.left += 1
        continue
      }
      found.add(try await NodeQuestion().inquire(Subject(kind: "node", name: state.name), world))
    }
  }

  private func nodegroups(_ found: inout Overview, _ world: Investigation) async throws(QuestionError) {
    guard let cluster = world.target.cluster else { return }
    let listed = await world.aws(.listNodegroups, ["clusterName": cluster])
    // Without AWS the cluster's own side is told all the same.
    guard listed.gap == nil else { return }
    let names = listed.items.compactMap(\.string)
    found.counts.append(Count.of(names.count, "node group"))
    for name in names.prefix(OverviewQuestion.limit) {
      let inquiry = try await NodegroupQuestion().inquire(Subject(kind: "nodegroup", name: name), world)
      if inquiry.isTrouble { found.add(inquiry) }
    }
  }
}
