package import Wire

/// The packet network of a cluster, laid out node by node from what is known of it: by Why from evidence, by the local
/// EKS from its own state.
package struct ClusterPackets: Sendable {
  /// What is known of a node.
  package struct Node: Sendable {
    package var name: String
    /// Its instance's, as DescribeNetworkInterfaces shows them; they are among the fabric's.
    package var interfaces: [JSON]
    /// Those of its pods that packets may touch.
    package var pods: [JSON]
    package var settings: CNISettings
    package var zone: String?
    package var osImage: String
    /// Whether kube-proxy writes its rules there.
    package var hasProxy: Bool
    /// What its network policy agent enforces; nil where it enforces nothing.
    package var policies: Fact<NodePolicies>?
    /// What its kernel holds, from what the CNI and kube-proxy lay out there; nil where it is that.
    package var kernel: @Sendable (NodePlan, KubeProxyRules?) -> NodeKernel?

    package init(
      _ name: String, interfaces: [JSON], pods: [JSON], settings: CNISettings, zone: String? = nil,
      osImage: String = "", hasProxy: Bool = true, policies: Fact<NodePolicies>? = nil,
      kernel: @escaping @Sendable (NodePlan, KubeProxyRules?) -> NodeKernel? = { _, _ in nil }
    ) {
      self.kernel = kernel
      self.name = name
      self.interfaces = interfaces
      self.pods = pods
      self.settings = settings
      self.zone = zone
      self.osImage = osImage
      self.hasProxy = hasProxy
      self.policies = policies
    }
  }

  package var network: PacketNetwork
  /// The ports that kube-proxy makes rules of.
  package var services: [ServicePort]
  /// Stacks by node, and by `namespace/name` of pods.
  package private(set) var nodes: [String: Int] = [:]
  package private(set) var plans: [String: NodePlan] = [:]
  package private(set) var pods: [String: Int] = [:]

  package init(_ fabric: Fabric = Fabric(), services: [ServicePort] = []) {
    network = PacketNetwork(fabric: fabric)
    self.services = services
  }

  /// Lays out a node; false where its primary interface is not known.
  package mutating func add(_ node: Node) -> Bool {
    guard
      var plan = NodePlan.read(
        name: node.name, interfaces: node.interfaces, pods: node.pods, settings: node.settings,
        fabric: network.fabric, osImage: node.osImage)
    else { return false }
    let rules =
      node.hasProxy
      ? KubeProxyRules(services, node: node.name, zone: node.zone, nodeAddress: plan.primary.primary) : nil
    plan.kernel = node.kernel(plan, rules)
    let places = network.add(plan, services: rules)
    nodes[node.name] = places.node
    plans[node.name] = plan
    for (index, pod) in plan.pods.enumerated() { pods["\(pod.namespace)/\(pod.name)"] = places.pods[index] }
    if let policies = node.policies { load(policies, for: node.pods) }
    return true
  }

  private mutating func load(_ policies: Fact<NodePolicies>, for pods: [JSON]) {
    for pod in pods {
      let key = "\(pod["metadata"]["namespace"].string ?? "")/\(pod["metadata"]["name"].string ?? "")"
      guard let stack = self.pods[key] else { continue }
      switch policies {
      case .unknown(let gap): network.policies[stack] = .unknown(gap)
      case .known(let known, let source): network.policies[stack] = known.policy(of: pod).map { .known($0, source) }
      }
    }
  }

  /// The node whose stack that is.
  package func node(ofStack stack: Int) -> String? { nodes.first { $0.value == stack }?.key }
  package func pod(ofStack stack: Int) -> String? { pods.first { $0.value == stack }?.key }
}
