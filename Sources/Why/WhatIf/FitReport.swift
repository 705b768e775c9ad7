import Evidence
package import Mechanisms
package import Wire

/// What came of the question how many pods fit.
package struct FitReport: Sendable {
  /// Another setting, and how many pods would fit with it.
  package struct Alternative: Sendable {
    package var what: String
    package var pods: Int
  }

  package var target: Target
  package var asOf: Timestamp
  package var plan: PodFit.Plan
  package var outcome: PodFit.Outcome
  package var settingsFrom: String
  package var maxPodsFrom: String
  package var assumed: [String]
  package var gaps: [Gap]
  package var alternatives: [Alternative] = []

  /// 0 all fit, 1 fewer than wanted, 2 something that decides could not be read.
  package var exitStatus: Int32 {
    if let wanted = plan.pods, outcome.pods < wanted { return 1 }
    return gaps.isEmpty ? 0 : 2
  }

  package var text: String {
    var lines: [String] = []
    let nodes = "\(Count.of(plan.nodes, "node")) of \(plan.limits.type)"
    let wanted = plan.pods.map { " of the \($0) wanted" } ?? ""
    lines.append(
      "\(nodes) \(plan.nodes == 1 ? "takes" : "take") \(Count.of(outcome.pods, "pod"))\(wanted), beside \(plan.hostPods) on the host's network of each      cluster \(target.cluster ?? "?")"
    )
    for group in groups { lines.append("  \(pad("nodes"))\(group)") }
    for subnet in outcome.free where subnet.before != subnet.after {
      lines.append("  \(pad("subnet"))\(subnet.subnet): \(subnet.before) free before, \(subnet.after) after")
    }
    if outcome.branchesPerNode > 0 {
      lines.append(
        "  \(pad("branches"))\(outcome.branchesPerNode) pods of each node may have security groups of their own; they count for max-pods and take addresses of their own"
      )
    }
    let targets = PoolSizeExplained.targets(plan.settings, per: plan.limits.ipv4PerENI - 1)
    lines.append("  \(pad("settings"))\(targets.name) (\(settingsFrom)); max-pods \(plan.maxPods) (\(maxPodsFrom))")
    for other in alternatives { lines.append("  \(pad("instead"))\(other.what): \(Count.of(other.pods, "pod"))") }
    for what in assumed { lines.append("  \(pad("assumed"))\(what)") }
    for gap in gaps {
      lines.append("  \(pad("not read"))\(gap.read): \(gap.why)\(gap.how.isEmpty ? "" : " (\(gap.how))")")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Nodes alike in one line: `2 in subnet-1: 27 pods each, 3 ENIs with 27 addresses; no more, for …`.
  private var groups: [String] {
    var seen: [(key: String, count: Int, subnets: [String])] = []
    for node in outcome.nodes {
      let key =
        node.bound == .noNode
        ? "not even an address of their own"
        : "\(Count.of(node.pods, "pod")) each, \(Count.of(node.enis, "ENI")) with \(Count.of(node.addresses, "address", "addresses"))\(bound(node.bound))"
      if let at = seen.firstIndex(where: { $0.key == key }) {
        seen[at].count += 1
        if !seen[at].subnets.contains(node.subnet) { seen[at].subnets.append(node.subnet) }
      } else {
        seen.append((key, 1, [node.subnet]))
      }
    }
    return seen.map { "\($0.count) in \(Count.list($0.subnets)): \($0.key)" }
  }

  private func bound(_ bound: PodFit.Bound?) -> String {
    switch bound {
    case nil, .noNode: ""
    case .maxPods: "; no more, for max-pods is \(plan.maxPods), \(plan.hostPods) of it on the host's network"
    case .interfaces: "; no more, for every address of its ENIs has a pod and it takes no other ENI"
    case .subnet: "; no more, for the subnet has too few addresses for what it asks next"
    }
  }

  private func pad(_ text: String) -> String { text + String(repeating: " ", count: max(1, 10 - text.count)) }

  package var json: JSON {
    [
      "cluster": target.cluster.map { .string($0) } ?? .null, "asOf": .string(asOf.rfc3339),
      "type": .string(plan.limits.type), "pods": JSON(outcome.pods), "wanted": plan.pods.map { JSON($0) } ?? .null,
      "maxPods": JSON(plan.maxPods),
      "nodes": .array(
        outcome.nodes.map { node in
          [
            "subnet": .string(node.subnet), "pods": JSON(node.pods), "enis": JSON(node.enis),
            "addresses": JSON(node.addresses), "bound": node.bound.map { .string($0.rawValue) } ?? .null,
          ]
        }),
      "subnets": .array(
        outcome.free.map { ["subnet": .string($0.subnet), "freeBefore": JSON($0.before), "freeAfter": JSON($0.after)] }),
      "alternatives": .array(alternatives.map { ["what": .string($0.what), "pods": JSON($0.pods)] }),
      "assumed": JSON(assumed),
      "notRead": .array(gaps.map { ["read": .string($0.read), "why": .string($0.why), "how": .string($0.how)] }),
    ]
  }
}
