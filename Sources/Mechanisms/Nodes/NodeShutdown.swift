/// How a kubelet ends its pods before its system goes down: those of little priority first, each group in its time
/// (kubernetes `pkg/kubelet/nodeshutdown`).
package struct NodeShutdown: Codable, Sendable, Equatable {
  /// Pods of a priority and above, up to that of the next group, and the seconds that they are given.
  package struct Group: Codable, Sendable, Equatable {
    package var priority: Int
    package var seconds: Int

    package init(priority: Int, seconds: Int) {
      self.priority = priority
      self.seconds = seconds
    }
  }

  package static let reason = "Terminated"
  package static let message = "Pod was terminated in response to imminent node shutdown."
  package static let rejected = (reason: "NodeShutdown", message: "Pod was rejected as the node is shutting down.")
  package static let readiness = "node is shutting down"
  /// From which priority on a pod is critical to its cluster.
  package static let criticalPriority = 2_000_000_000

  /// From the least priority on.
  package var groups: [Group]

  package init(groups: [Group]) { self.groups = groups.sorted { $0.priority < $1.priority } }

  /// Of `shutdownGracePeriod` and `shutdownGracePeriodCriticalPods`, seconds; nil where pods are not waited for.
  package init?(seconds: Int, critical: Int) {
    guard seconds > 0, critical <= seconds else { return nil }
    self.init(groups: [
      Group(priority: 0, seconds: seconds - critical), Group(priority: Self.criticalPriority, seconds: critical),
    ])
  }

  /// All groups together, seconds.
  package var seconds: Int { groups.reduce(0) { $0 + $1.seconds } }

  /// Which group a pod goes with: the one with the greatest priority that isn't above its own, else the first.
  package func group(ofPriority priority: Int) -> Int { groups.lastIndex { $0.priority <= priority } ?? 0 }

  /// Seconds that a pod of a group is given: its own grace, and no more than the group's.
  package func grace(ofGroup group: Int, own: Int?) -> Int { min(own ?? .max, groups[group].seconds) }
}
