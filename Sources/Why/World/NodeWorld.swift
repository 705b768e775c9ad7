package import Mechanisms
import Wire

/// What kind of machine a node is.
package enum Compute: String, Sendable, Hashable {
  case managedNodeGroup = "EC2, managed node group"
  case selfManaged = "EC2, self-managed"
  case autoMode = "EKS Auto Mode"
  case fargate = "Fargate"
  case hybrid = "hybrid node"
  case other = "not an EC2 instance"

  package var isEC2: Bool { self == .managedNodeGroup || self == .selfManaged }
}

/// Who gives pods of a node their addresses.
package enum CNI: String, Sendable, Hashable {
  case vpcCNI = "Amazon VPC CNI"
  case cilium = "Cilium"
  case calico = "Calico"
  case other = "another CNI"
  /// Part of the node itself: Auto Mode, Fargate.
  case builtIn = "built into the node"
  case none = "none"
}

/// Who carries Service traffic on a node.
package enum ServiceProxy: String, Sendable, Hashable {
  case kubeProxy = "kube-proxy"
  case other = "another proxy"
  case builtIn = "built into the node"
  case none = "none"
}

/// The kind of world that a node is part of, established before any link speaks.
package struct NodeWorld: Sendable {
  package var compute: Fact<Compute>
  package var cni: Fact<CNI>
  package var proxy: Fact<ServiceProxy>
  package var os: String
}

/// The worlds in which a link holds. nil: in all.
package struct Worlds: Sendable {
  package var compute: Set<Compute>?
  package var cni: Set<CNI>?
  package var proxy: Set<ServiceProxy>?

  package init(compute: Set<Compute>? = nil, cni: Set<CNI>? = nil, proxy: Set<ServiceProxy>? = nil) {
    self.compute = compute
    self.cni = cni
    self.proxy = proxy
  }

  package static let any = Worlds()
  /// EC2 instances that join as nodes by themselves.
  package static let ec2 = Worlds(compute: [.managedNodeGroup, .selfManaged])
  /// Nodes that authenticate with an instance role.
  package static let instanceRole = Worlds(compute: [.managedNodeGroup, .selfManaged, .autoMode])
  /// Nodes where the VPC CNI runs as a DaemonSet.
  package static let vpcCNI = Worlds(compute: [.managedNodeGroup, .selfManaged], cni: [.vpcCNI])

  func admits(_ world: NodeWorld) -> Truth {
    func test<Value: Hashable>(_ fact: Fact<Value>, _ wanted: Set<Value>?) -> Truth {
      guard let wanted else { return .yes }
      return Truth(fact.map { wanted.contains($0) })
    }
    return test(world.compute, compute) && test(world.cni, cni) && test(world.proxy, proxy)
  }
}
