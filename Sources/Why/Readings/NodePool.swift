import Evidence
import Mechanisms
import Wire

/// The pool of pod addresses of a node, as EC2 and Kubernetes show it.
struct NodePool: Sendable {
  var node: String
  var instanceID: String
  var type: String
  var facts: PoolFacts
  var rooms: Fact<[Int]>
  var request: Verdict<PoolNextRequest.Request, Because>
  var interfaces: Investigation.Found
  var pods: Investigation.Found
  var limits: Fact<InstanceLimits>
  /// The subnet, zone and VPC of the node's primary interface.
  var subnetID: Fact<String>
  var zone: String
  var vpc: String?

  /// Pods of the node that hold one of its addresses.
  var holders: [JSON] { pods.items.filter { NodePool.holdsAddress($0) } }

  static func holdsAddress(_ pod: JSON) -> Bool {
    pod["spec"]["hostNetwork"].bool != true && pod["status"]["podIP"].string?.isEmpty == false
      && !["Succeeded", "Failed"].contains(pod["status"]["phase"].string)
  }

  /// `ec2 DescribeNetworkInterfaces eni-1, eni-2`, `k8s 18 pods of the node`.
  func exhibits(now: Timestamp) -> [Exhibit] {
    let ids = interfaces.items.compactMap { $0["NetworkInterfaceId"].string }
    return [
      Exhibit(
        Cite.aws(
          .describeNetworkInterfaces, ids.joined(separator: ","), field: "PrivateIpAddresses",
          value: facts.total.value.map { "\($0) secondary addresses" } ?? "", at: interfaces.at),
        text: "ec2 DescribeNetworkInterfaces \(ids.joined(separator: ", "))"),
      Exhibit(
        Citation(
          source: "kubernetes", locator: "pods", field: "spec.nodeName", value: "\(holders.count) hold an address",
          at: pods.at),
        text: "k8s \(Count.of(holders.count, "pod")) of the node with an address of its pool"),
    ]
  }
}

extension Investigation {
  /// The DaemonSet `kube-system/aws-node`.
  func awsNode() async -> Fact<JSON> {
    let found = await list(.daemonSets)
    if let set = found.items.first(where: {
      $0["metadata"]["name"].string == "aws-node" && $0["metadata"]["namespace"].string == "kube-system"
    }) {
      return .known(set, .read(Cite.object(set, "DaemonSet", resource: .daemonSets, at: found.at)))
    }
    return .unknown(found.gap ?? Gap(read: "kubernetes:get daemonsets/kube-system/aws-node", why: "there is none"))
  }

  func limits(of type: String) async -> Fact<InstanceLimits> {
    if let known = InstanceLimits.named(type) {
      return .known(
        known,
        .read(Citation(source: "aws:ec2", locator: "ec2:DescribeInstanceTypes \(type)", value: "the table of limits")))
    }
    let found = await aws(.describeInstanceTypes, filters: ["InstanceTypes": [type]])
    if let limits = found.first.flatMap({ InstanceLimits(describe: $0) }) {
      let value = "\(limits.maxENIs) interfaces of \(limits.ipv4PerENI) addresses"
      return .known(
        limits, .read(Cite.aws(.describeInstanceTypes, type, field: "NetworkInfo", value: value, at: found.at)))
    }
    return .unknown(found.gap ?? Gap(read: "ec2:DescribeInstanceTypes \(type)", why: "there is no such type"))
  }

  /// The pool of a node; nil when the node can't be read.
  func pool(of name: String) async -> NodePool? {
    let nodeRead = await node(name)
    guard let node = nodeRead.first else { return nil }
    let state = NodeState(node)
    guard let id = state.instanceID else { return nil }
    let type = state.instanceType ?? ""
    async let limitsRead = limits(of: type)
    async let interfacesRead = aws(.describeNetworkInterfaces, filters: ["attachment.instance-id": [id]])
    async let podsRead = pods(on: name)
    let awsNode = await awsNode()
    let (limits, interfaces, pods) = await (limitsRead, interfacesRead, podsRead)
    let interfacesFact = interfaces.fact(Cite.aws(.describeNetworkInterfaces, id, at: interfaces.at))
    let podsFact = pods.fact(Citation(source: "kubernetes", locator: "pods of \(name)", at: pods.at))
    let facts = PoolFacts.read(
      awsNode: awsNode,
      node: .known(node, .read(Cite.object(node, "Node", resource: .nodes, at: nodeRead.at))), limits: limits,
      interfaces: interfacesFact, pods: podsFact)
    let rooms = PoolFacts.rooms(settings: facts.settings, limits: limits, interfaces: interfacesFact)
    let primary = interfaces.items.first { $0["Attachment"]["DeviceIndex"].int == 0 }
    let subnet: Fact<String> =
      primary?["SubnetId"].string.map { .known($0, interfacesFact.source ?? .world) }
      ?? .unknown(
        interfaces.gap ?? Gap(read: "ec2:DescribeNetworkInterfaces \(id)", why: "it shows no primary interface"))
    return NodePool(
      node: name, instanceID: id, type: type, facts: facts, rooms: rooms,
      request: PoolNextRequest.decide(.init(pool: facts, rooms: rooms)), interfaces: interfaces, pods: pods,
      limits: limits, subnetID: subnet, zone: state.zone ?? "", vpc: primary?["VpcId"].string)
  }

  /// The subnets of a VPC, by one read.
  func subnets(ofVPC vpc: String) async -> Found { await aws(.describeSubnets, filters: ["vpc-id": [vpc]]) }
}
