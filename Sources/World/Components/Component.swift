package import Wire

/// Name of a component: `kubelet/demo/i-0abc…`. The part before the first `/` is its kind.
package struct ComponentID: Hashable, Comparable, Sendable, Codable, ExpressibleByStringInterpolation,
  CustomStringConvertible
{
  package var text: String

  package init(_ text: String) { self.text = text }
  package init(stringLiteral value: String) { text = value }
  package init(from decoder: any Decoder) throws { text = try decoder.singleValueContainer().decode(String.self) }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
  package var kind: String { String(text.prefix { $0 != "/" }) }
  package var description: String { text }
  package static func < (a: ComponentID, b: ComponentID) -> Bool { a.text < b.text }
}

/// Something that lives in the world: a controller, a node's agent, a workflow of a service.
///
/// Its state is a value that can be saved between any two steps; a long procedure is an enum of phases
/// in it. It reads the clock and chance from the context only, acts by requests like any client, and
/// gets every answer as an input of a later step.
package protocol Component: Codable {
  /// First part of the ids of its instances.
  static var kind: String { get }
  mutating func step(_ input: Input, _ context: Context)
  /// Called once after a restart, before anything else happens; `gap` is how long the world stood still.
  /// Timers that fell into the gap fire once, now.
  mutating func resumed(after gap: Duration, _ context: Context)
}

extension Component {
  package mutating func resumed(after gap: Duration, _ context: Context) {}
}

/// What a component is stepped with.
package enum Input: Codable, Sendable {
  /// Once, right after it was spawned.
  case start
  /// A timer it set.
  case wake(String)
  /// Answer to ``Context/submit(_:tag:)-(AWSCall,_)``.
  case aws(tag: String, AWSReply)
  /// Answer to ``Context/submit(_:tag:)-(KubeRequest,_)``.
  case kube(tag: String, KubeReply)
  /// An object of a kind it watches changed. Says which, not what: read it as it is now.
  case changed(ObjectReference)
  /// A message from another component or from a hook.
  case message(String, JSON)
}

/// Which Kubernetes object: cluster, plural resource with group (`deployments.apps`, core kinds without
/// a dot), namespace (empty for cluster scope) and name.
package struct ObjectReference: Hashable, Sendable, Codable, Comparable {
  package var cluster: String
  package var resource: String
  package var namespace: String
  package var name: String

  package init(cluster: String, resource: String, namespace: String, name: String) {
    self.cluster = cluster
    self.resource = resource
    self.namespace = namespace
    self.name = name
  }

  package static func < (a: ObjectReference, b: ObjectReference) -> Bool {
    (a.cluster, a.resource, a.namespace, a.name) < (b.cluster, b.resource, b.namespace, b.name)
  }
}

/// How an event counts.
package enum Weight: UInt8, Codable, Sendable {
  /// Beats before anything else at the same moment, and is background.
  case heartbeat = 0
  /// Something is under way: the world is not idle while such an event is waiting.
  case foreground = 1
  /// Repeats with the same outcome: resyncs, probes, failing retries, time-outs that most likely never come.
  case background = 2
}

/// An input that waits for its time.
package struct Scheduled: Codable, Sendable {
  package var at: Timestamp
  package var sequence: UInt64
  package var weight: Weight
  /// Sequence of the event that brought this one about; 0 is the outside.
  package var cause: UInt64
  package var input: Input
}
