package import World

/// The default scheduler of a cluster.
package struct Scheduler: Component {
  package static let kind = "scheduler"
  package static func id(_ cluster: String) -> ComponentID { ComponentID("scheduler/\(cluster)") }

  package let facts: ClusterFacts

  package init(_ facts: ClusterFacts) { self.facts = facts }

  package mutating func step(_ input: Input, _ context: Context) {}
}
