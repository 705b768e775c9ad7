import Evidence
import Mechanisms
import Wire

/// Who holds the addresses of a subnet.
struct SubnetHolders: Sendable {
  struct Node: Sendable {
    var instanceID: String
    var name: String
    /// Whether the cluster has a Node for the instance.
    var isOurs: Bool
    /// Secondary addresses, those of prefixes included.
    var secondaries: Int
    /// Those of them that no pod holds.
    var spares: Int
    var interfaces: Int
    var prefixes: Int
    /// Addresses that other warm targets would give back.
    var releasable: Int
  }

  /// Interfaces of nobody's node that are there for one thing.
  struct Other: Sendable {
    var what: String
    var count: Int
    var interfaces: [String]
    /// Nothing uses them.
    var isLeftBehind: Bool
  }

  var nodes: [Node]
  var others: [Other]
  /// Branch interfaces of pods with security groups of their own.
  var branches: Int
  var interfaceCount: Int
  var podCount: Int

  var spares: Int { nodes.reduce(0) { $0 + $1.spares } }
  var held: Int { nodes.reduce(0) { $0 + $1.secondaries - $1.spares } }
  var releasable: Int { nodes.reduce(0) { $0 + $1.releasable } }
  var nodeInterfaces: Int { nodes.reduce(0) { $0 + $1.interfaces } }

  /// `9 by pods`, `1 by 1 ENI of 1 node`, `4 spare`, in order of weight for a reader.
  var breakdown: [String] {
    var parts: [String] = []
    if !nodes.isEmpty {
      parts = [
        "\(held) by pods",
        "\(nodeInterfaces) by \(Count.of(nodeInterfaces, "ENI")) of \(Count.of(nodes.count, "node"))",
      ]
    }
    if spares > 0 {
      let prefixes = nodes.reduce(0) { $0 + $1.prefixes }
      parts.append(
        "\(spares) spare\(prefixes > 0 ? " (nodes hold \(Count.of(prefixes, "prefix", "prefixes")) of 16)" : "")")
    }
    if branches > 0 { parts.append("\(branches) by branch ENIs of pods with security groups of their own") }
    for other in others { parts.append("\(other.count) by \(other.what)") }
    return parts
  }

  /// What an interface that is on no node is there for.
  static func purpose(_ interface: JSON) -> (what: String, isLeftBehind: Bool) {
    let text = interface["Description"].string ?? ""
    if interface["Status"].string == "available" {
      if text.hasPrefix("aws-K8S-") { return ("ENIs that the CNI left behind", true) }
      if text == "aws-k8s-branch-eni" || text == "aws-k8s-trunk-eni" {
        return ("ENIs that the resource controller left behind", true)
      }
      return (text.isEmpty ? "ENIs that are attached to nothing" : "unattached ENIs: \(text)", true)
    }
    switch interface["InterfaceType"].string {
    case "nat_gateway": return ("a NAT gateway", false)
    case "vpc_endpoint", "gateway_load_balancer_endpoint": return ("VPC endpoints", false)
    case "lambda": return ("Lambda functions", false)
    case "efs": return ("EFS mount targets", false)
    case "load_balancer", "network_load_balancer": return ("load balancers", false)
    case "transit_gateway": return ("a transit gateway", false)
    default: break
    }
    if text.hasPrefix("Amazon EKS ") { return ("the control plane of cluster \(text.dropFirst(11))", false) }
    if text.hasPrefix("ELB ") { return ("load balancers", false) }
    if text.hasPrefix("RDS") { return ("RDS", false) }
    return (text.isEmpty ? "others" : text, false)
  }
}

extension Investigation {
  /// The holders of a subnet's addresses, and what targets other than the present ones would free.
  func holders(of subnet: String, instead: PoolSettings) async -> Fact<SubnetHolders> {
    async let interfacesRead = aws(.describeNetworkInterfaces, filters: ["subnet-id": [subnet]])
    async let podsRead = list(.pods)
    async let nodesRead = list(.nodes)
    let (interfaces, pods, nodes) = await (interfacesRead, podsRead, nodesRead)
    if let gap = interfaces.gap ?? pods.gap ?? nodes.gap { return .unknown(gap) }
    let addresses = Set(pods.items.filter(NodePool.holdsAddress).compactMap { $0["status"]["podIP"].string })
    var byInstance: [String: [JSON]] = [:]
    var others: [SubnetHolders.Other] = []
    var branches = 0
    for interface in interfaces.items {
      if let id = interface["Attachment"]["InstanceId"].string, id.hasPrefix("i-") {
        byInstance[id, default: []].append(interface)
        continue
      }
      if interface["InterfaceType"].string == "branch" {
        branches += 1
        continue
      }
      let (what, isLeftBehind) = SubnetHolders.purpose(interface)
      let count = max(1, interface["PrivateIpAddresses"].items.count) + interface["Ipv4Prefixes"].items.count * 16
      let id = interface["NetworkInterfaceId"].string ?? ""
      if let at = others.firstIndex(where: { $0.what == what }) {
        others[at].count += count
        others[at].interfaces.append(id)
      } else {
        others.append(.init(what: what, count: count, interfaces: [id], isLeftBehind: isLeftBehind))
      }
    }
    var nodeOf: [String: JSON] = [:]
    for node in nodes.items {
      if let id = NodeState.instanceID(node["spec"]["providerID"].string ?? "") { nodeOf[id] = node }
    }
    let found = byInstance.sorted { $0.key < $1.key }.map { id, list in
      holder(id, nodeOf[id], list, addresses, instead)
    }
    let holders = SubnetHolders(
      nodes: found.sorted { ($0.spares, $1.name) > ($1.spares, $0.name) },
      others: others.sorted { $0.what < $1.what }, branches: branches, interfaceCount: interfaces.items.count,
      podCount: addresses.count)
    return .known(
      holders,
      .read(
        Cite.aws(.describeNetworkInterfaces, subnet, value: "\(interfaces.items.count) interfaces", at: interfaces.at)))
  }

  private func holder(
    _ id: String, _ node: JSON?, _ interfaces: [JSON], _ addresses: Set<String>, _ instead: PoolSettings
  ) -> SubnetHolders.Node {
    let singles = interfaces.flatMap { eni in
      eni["PrivateIpAddresses"].items.filter { $0["Primary"].bool != true }.compactMap { $0["PrivateIpAddress"].string }
    }
    let prefixes = interfaces.flatMap { eni in
      eni["Ipv4Prefixes"].items.compactMap { $0["Ipv4Prefix"].string.flatMap { CIDR($0) } }
    }
    let held = prefixes.map { prefix in
      (0..<16).count { addresses.contains((prefix.base + $0).description) }
    }
    let inPrefixes = held.reduce(0, +)
    let freePrefixes = held.count { $0 == 0 }
    let total = singles.count + prefixes.count * 16
    let spares = singles.count { !addresses.contains($0) } + prefixes.count * 16 - inPrefixes
    let facts = PoolFacts(
      settings: .known(instead), maxENIs: .known(15), ipv4PerENI: .known(50), maxPods: .known(1000),
      enis: .known(interfaces.count), total: .known(total), assigned: .known(total - spares),
      prefixes: .known(prefixes.count), freePrefixes: .known(freePrefixes))
    let over = facts.over.value ?? 0
    return SubnetHolders.Node(
      instanceID: id, name: node?["metadata"]["name"].string ?? id, isOurs: node != nil, secondaries: total,
      spares: spares, interfaces: interfaces.count, prefixes: prefixes.count,
      releasable: instead.prefixDelegation ? over * 16 : over)
  }
}
