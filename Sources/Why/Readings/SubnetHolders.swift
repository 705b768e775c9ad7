import Evidence
import Mechanisms
import Wire

/// Who holds the addresses of a subnet.
struct SubnetHolders: Sendable {
  struct Node: Sendable {
    var instanceID: String
    var name: String
    /// Secondary addresses, and those of them that no pod holds.
    var secondaries: Int
    var spares: Int
    var interfaces: Int
    /// Addresses that other warm targets would give back.
    var releasable: Int
  }

  var nodes: [Node]
  /// Interfaces of nobody's node, by what they are for.
  var others: [(what: String, count: Int)]
  var interfaceCount: Int
  var podCount: Int

  var spares: Int { nodes.reduce(0) { $0 + $1.spares } }
  var held: Int { nodes.reduce(0) { $0 + $1.secondaries - $1.spares } }
  var releasable: Int { nodes.reduce(0) { $0 + $1.releasable } }
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
    var others: [String: Int] = [:]
    for interface in interfaces.items {
      if let id = interface["Attachment"]["InstanceId"].string, id.hasPrefix("i-") {
        byInstance[id, default: []].append(interface)
      } else {
        let what = interface["Description"].string ?? ""
        others[what.isEmpty ? "others" : what, default: 0] += max(1, interface["PrivateIpAddresses"].items.count)
      }
    }
    var found: [SubnetHolders.Node] = []
    for (id, list) in byInstance.sorted(by: { $0.key < $1.key }) {
      let secondaries = list.flatMap { eni in
        eni["PrivateIpAddresses"].items.filter { $0["Primary"].bool != true }.compactMap {
          $0["PrivateIpAddress"].string
        }
      }
      let spares = secondaries.count { !addresses.contains($0) }
      let node = nodes.items.first { NodeState.instanceID($0["spec"]["providerID"].string ?? "") == id }
      let facts = PoolFacts(
        settings: .known(instead), maxENIs: .known(15), ipv4PerENI: .known(50), maxPods: .known(1000),
        enis: .known(list.count), total: .known(secondaries.count), assigned: .known(secondaries.count - spares))
      found.append(
        SubnetHolders.Node(
          instanceID: id, name: node?["metadata"]["name"].string ?? id, secondaries: secondaries.count, spares: spares,
          interfaces: list.count, releasable: facts.over.value ?? 0))
    }
    let holders = SubnetHolders(
      nodes: found.sorted { ($0.spares, $1.name) > ($1.spares, $0.name) },
      others: others.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, interfaceCount: interfaces.items.count,
      podCount: addresses.count)
    return .known(
      holders,
      .read(
        Cite.aws(.describeNetworkInterfaces, subnet, value: "\(interfaces.items.count) interfaces", at: interfaces.at)))
  }
}
