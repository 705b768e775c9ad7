package import Wire

/// What the network policy agent on a node goes by: its settings and the PolicyEndpoints that it has seen.
///
/// Source: aws/aws-network-policy-agent `main.go`, `controllers/policyendpoints_controller.go`; the EKS user guide.
package struct NodePolicies: Sendable {
  /// NETWORK_POLICY_ENFORCING_MODE of `aws-node`: pods start without any way in or out.
  package var isStrict: Bool
  /// Whether what the node itself sends is let into its pods. Agents before v1.0.4 held policies against it.
  package var admitsNode: Bool
  /// Since when pods of the node are attached as they are made; older ones start free in strict mode as well.
  package var since: Timestamp?
  /// Of the node.
  package var addresses: [IPv4Address]
  package var endpoints: [JSON]

  package init(
    isStrict: Bool = false, admitsNode: Bool = true, since: Timestamp? = nil, addresses: [IPv4Address] = [],
    endpoints: [JSON] = []
  ) {
    self.isStrict = isStrict
    self.admitsNode = admitsNode
    self.since = since
    self.addresses = addresses
    self.endpoints = endpoints
  }

  package static let container = "aws-eks-nodeagent"

  /// Whether the agent enforces anything, by its arguments.
  package static func isEnabled(podSpec: JSON) -> Bool {
    arguments(podSpec).contains("--enable-network-policy=true")
  }

  package static func arguments(_ podSpec: JSON) -> [String] {
    podSpec["containers"].items.first { $0["name"].string == container }?["args"].strings ?? []
  }

  /// As a pod of `aws-node` shows it; nil where nothing is enforced.
  package init?(agent pod: JSON, endpoints: [JSON]) {
    let spec = pod["spec"]
    guard NodePolicies.isEnabled(podSpec: spec) else { return nil }
    let containers = spec["containers"].items
    let mode = containers.first { $0["name"].string == "aws-node" }?["env"].items
      .first { $0["name"].string == "NETWORK_POLICY_ENFORCING_MODE" }?["value"].string
    let image = containers.first { $0["name"].string == NodePolicies.container }?["image"].string ?? ""
    let address = pod["status"]["hostIP"].string.flatMap { IPv4Address($0) }
    self.init(
      isStrict: mode == "strict", admitsNode: NodePolicies.admitsNode(image: image),
      since: pod["status"]["startTime"].string.flatMap { Timestamp(rfc3339: $0) },
      addresses: address.map { [$0] } ?? [], endpoints: endpoints)
  }

  /// The first agent that lets its node in.
  package static let admitting = "v1.0.4"

  /// `…/aws-network-policy-agent:v1.0.1-eksbuild.1`; unknown ones are new.
  static func admitsNode(image: String) -> Bool {
    guard let tag = image.split(separator: ":").last, tag.hasPrefix("v") else { return true }
    let parts = tag.dropFirst().prefix { $0 != "-" }.split(separator: ".").compactMap { Int($0) }
    guard parts.count == 3 else { return true }
    return parts[0] > 1 || parts[1] > 0 || parts[2] >= 4
  }

  /// What is loaded for a pod; nil where the agent leaves it alone.
  package func policy(of pod: JSON) -> PodPolicy? {
    guard pod["spec"]["hostNetwork"].bool != true, let address = pod["status"]["podIP"].string, !address.isEmpty else {
      return nil
    }
    let own = endpoints.filter { endpoint in
      endpoint["spec"]["podSelectorEndpoints"].items.contains { selected in
        selected["podIP"].string == address && selected["name"].string == pod["metadata"]["name"].string
          && selected["namespace"].string == pod["metadata"]["namespace"].string
      }
    }
    guard !own.isEmpty else {
      return isStrict && !isOlder(pod) ? PodPolicy(deniesEverything: true) : nil
    }
    // The rules of one policy may stand in several of them.
    let names = Set(own.map(NodePolicies.policy))
    let all = endpoints.filter { names.contains(NodePolicies.policy($0)) }
    return PodPolicy(
      ingress: NodePolicies.side("Ingress", "ingress", all), egress: NodePolicies.side("Egress", "egress", all),
      nodeAddresses: admitsNode ? addresses : [])
  }

  /// Than the agent: nobody told it of the pod's network.
  private func isOlder(_ pod: JSON) -> Bool {
    guard let since, let text = pod["status"]["startTime"].string, let started = Timestamp(rfc3339: text) else {
      return false
    }
    return started < since
  }

  private static func policy(_ endpoint: JSON) -> String {
    let reference = endpoint["spec"]["policyRef"]
    return "\(reference["namespace"].string ?? "")/\(reference["name"].string ?? "")"
  }

  private static func side(_ type: String, _ field: String, _ endpoints: [JSON]) -> PodPolicy.Side? {
    let isolating = endpoints.filter { $0["spec"]["podIsolation"].strings.contains(type) }
    guard !isolating.isEmpty else { return nil }
    let rules = isolating.flatMap { endpoint in
      endpoint["spec"][field].items.compactMap { rule($0, policy(endpoint)) }
    }
    return PodPolicy.Side(policies: Set(isolating.map(policy)).sorted(), rules: rules)
  }

  /// Ports of one block that the programs look at.
  private static let portLimit = 24

  private static func rule(_ json: JSON, _ policy: String) -> PodPolicy.Rule? {
    let text = json["cidr"].string ?? ""
    guard let block = CIDR(text) ?? IPv4Address(text).map({ CIDR($0, length: 32) }) else { return nil }
    let ports = json["ports"].items.prefix(portLimit).compactMap { port -> PodPolicy.Port? in
      guard let transport = Transport(name: port["protocol"].string ?? "TCP") else { return nil }
      guard let first = port["port"].int.flatMap({ UInt16(exactly: $0) }) else { return .init(transport) }
      let last = port["endPort"].int.flatMap { UInt16(exactly: $0) } ?? first
      return .init(transport, first...max(first, last))
    }
    // Ports of protocols that nobody here speaks (SCTP) allow nothing.
    guard json["ports"].items.isEmpty || !ports.isEmpty else { return nil }
    return PodPolicy.Rule(
      block, except: json["except"].strings.compactMap { CIDR($0) }, ports: ports, policy: policy)
  }
}
