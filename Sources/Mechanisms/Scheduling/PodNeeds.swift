/// What a pod asks of the node it is to run on.
package struct PodNeeds: Sendable, Equatable {
  /// Thousandths, by resource name, greater than zero.
  package var requests: [String: Int64] = [:]
  package var hostPorts: [HostPort] = []
  package var tolerations: [Toleration] = []
  package var nodeSelector: [String: String] = [:]
  /// One term is enough; nil for no required affinity.
  package var nodeTerms: [NodeTerm]?
  /// The only nodes that those terms can match; nil when they aren't named.
  package var namedNodes: Set<String>?
  package var nodeName = ""
  package var priority = 0
  /// `preemptionPolicy: Never`.
  package var neverPreempts = false
  /// What it counts for when nodes are scored: with 100m and 200MiB for a container that asks for nothing.
  package var scoredCPU: Int64 = 0
  package var scoredMemory: Int64 = 0
  /// Preferred node affinity.
  package var preferredNodes: [PreferredNode] = []
  /// Its images, as nodes tell theirs.
  package var images: [String] = []

  package struct PreferredNode: Sendable, Equatable {
    package var weight: Int
    package var term: NodeTerm
  }

  package init() {}

  package struct HostPort: Sendable, Hashable {
    package var proto: String
    package var port: Int
    package var ip: String

    package init(proto: String, port: Int, ip: String) {
      self.proto = proto
      self.port = port
      self.ip = ip
    }

    /// Ports clash on the same address, or where one is on all.
    package func clashes(_ other: HostPort) -> Bool {
      guard proto == other.proto, port == other.port else { return false }
      return ip == other.ip || ip == "0.0.0.0" || other.ip == "0.0.0.0"
    }
  }
}

/// A taint of a node.
package struct Taint: Sendable, Hashable {
  package var key: String
  package var value: String
  package var effect: String

  package init(key: String, value: String = "", effect: String) {
    self.key = key
    self.value = value
    self.effect = effect
  }

  /// `{node.kubernetes.io/not-ready: }`, as the scheduler prints it.
  package var described: String { "{\(key): \(value)}" }
}

package struct Toleration: Sendable, Hashable {
  package var key: String
  package var isExists: Bool
  package var value: String
  /// Empty for every effect.
  package var effect: String
  /// Nil for ever.
  package var seconds: Int?

  package init(key: String = "", isExists: Bool = true, value: String = "", effect: String = "", seconds: Int? = nil) {
    self.key = key
    self.isExists = isExists
    self.value = value
    self.effect = effect
    self.seconds = seconds
  }

  package func tolerates(_ taint: Taint) -> Bool {
    if !effect.isEmpty, effect != taint.effect { return false }
    if !key.isEmpty, key != taint.key { return false }
    if key.isEmpty, !isExists { return false }
    return isExists || value == taint.value
  }
}

/// One term of a node selector: all of it must match.
package struct NodeTerm: Sendable, Equatable {
  package struct Requirement: Sendable, Equatable {
    package var key: String
    package var op: String
    package var values: [String]

    func matches(_ value: String?) -> Bool {
      switch op {
      case "In": return value.map(values.contains) ?? false
      case "NotIn": return !(value.map(values.contains) ?? false)
      case "Exists": return value != nil
      case "DoesNotExist": return value == nil
      case "Gt", "Lt":
        guard let a = value.flatMap({ Int64($0) }), values.count == 1, let b = Int64(values[0]) else { return false }
        return op == "Gt" ? a > b : a < b
      default: return false
      }
    }
  }

  package var labels: [Requirement]
  package var fields: [Requirement]

  package func matches(_ node: NodeOffer) -> Bool {
    // A term of nothing matches nothing.
    guard !labels.isEmpty || !fields.isEmpty else { return false }
    return labels.allSatisfy { $0.matches(node.labels[$0.key]) }
      && fields.allSatisfy { $0.key == "metadata.name" && $0.matches(node.name) }
  }
}

/// What a node is and has.
package struct NodeOffer: Sendable, Equatable {
  package var name: String
  package var labels: [String: String]
  package var taints: [Taint]
  package var isUnschedulable: Bool
  /// Thousandths, by resource name.
  package var allocatable: [String: Int64]
  /// Bytes of the images that it has, by each of their names.
  package var images: [String: Int64] = [:]

  package init(
    name: String, labels: [String: String] = [:], taints: [Taint] = [], isUnschedulable: Bool = false,
    allocatable: [String: Int64] = [:]
  ) {
    self.name = name
    self.labels = labels
    self.taints = taints
    self.isUnschedulable = isUnschedulable
    self.allocatable = allocatable
  }
}

/// What the pods of a node take of it.
package struct NodeUse: Sendable, Equatable {
  package var pods = 0
  /// Thousandths, by resource name.
  package var requested: [String: Int64] = [:]
  package var hostPorts: [PodNeeds.HostPort] = []
  /// As nodes are scored by it.
  package var scoredCPU: Int64 = 0
  package var scoredMemory: Int64 = 0

  package init() {}

  package mutating func add(_ pod: PodNeeds) {
    pods += 1
    for (name, amount) in pod.requests { requested[name, default: 0] += amount }
    if !pod.hostPorts.isEmpty { hostPorts += pod.hostPorts }
    scoredCPU += pod.scoredCPU
    scoredMemory += pod.scoredMemory
  }

  package mutating func remove(_ pod: PodNeeds) {
    pods -= 1
    for (name, amount) in pod.requests { requested[name, default: 0] -= amount }
    for port in pod.hostPorts {
      if let at = hostPorts.firstIndex(of: port) { hostPorts.remove(at: at) }
    }
    scoredCPU -= pod.scoredCPU
    scoredMemory -= pod.scoredMemory
  }
}
