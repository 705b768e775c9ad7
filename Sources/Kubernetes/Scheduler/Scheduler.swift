package import World

/// The default scheduler of a cluster.
package struct Scheduler: Component {
  package static let kind = "scheduler"
  package static func id(_ cluster: String) -> ComponentID { ComponentID("scheduler/\(cluster)") }

  package let cluster: String

  package init(cluster: String) { self.cluster = cluster }

  package mutating func step(_ input: Input, _ context: Context) {}
}
