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
  /// The subnets of the interfaces that take more addresses, in order.
  var roomySubnets: [String]
  /// The aws-node pod of the node, whose environment is in force there; nil where it can't be read.
  var agent: JSON?
  /// The subnet, zone and VPC of the node's primary interface.
  var subnetID: Fact<String>
  var zone: String
  var vpc: String?

  /// Pods of the node that hold one of its addresses.
  var holders: [JSON] { pods.items.filter { NodePool.holdsAddress($0) } }

  static func holdsAddress(_ pod: JSON) -> Bool {
    pod["spec"]["hostNetwork"].bool != true && pod["status"]["podIP"].string?.isEmpty == false
      && pod["metadata"]["annotations"][PodENI.annotation].isNull
      && !["Succeeded", "Failed"].contains(pod["status"]["phase"].string)
  }

  /// A pod whose address none of the interfaces has, where both were read whole. A pod with an interface of its
  /// own (security groups for pods) has its address there.
  var stranger: String? {
    guard interfaces.gap == nil, pods.gap == nil else { return nil }
    let pod = holders.first { pod in
      guard let text = pod["status"]["podIP"].string,
        let address = IPv4Address(text)
      else { return false }
      return holder(of: address) == nil
    }
    return pod.map { "\($0["status"]["podIP"].string ?? "") of pod \($0["metadata"]["name"].string ?? "")" }
  }

  /// The interface that has an address, by itself or in a prefix.
  func holder(of address: IPv4Address) -> JSON? {
    interfaces.items.first { eni in
      eni["PrivateIpAddresses"].items.contains { $0["PrivateIpAddress"].string == address.description }
        || eni["Ipv4Prefixes"].items.contains {
          $0["Ipv4Prefix"].string.flatMap { CIDR($0) }?.contains(address) ?? false
        }
    }
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

  /// The pool of a node; nil when the node can't be read. Where pods hold addresses that no interface has, both
  /// are read again; what still contradicts then is a gap.
  func pool(of name: String) async -> NodePool? {
    guard let pool = await readPool(of: name), pool.stranger != nil else { return await readPool(of: name) }
    await reader.readAgain([
      .aws(AWSRead(.describeNetworkInterfaces, filters: ["attachment.instance-id": [pool.instanceID]])),
      .kubernetes(KubernetesRead(.pods, fields: ["spec.nodeName": name])),
    ])
    guard let stranger = await readPool(of: name)?.stranger else { return await readPool(of: name) }
    let doubt = Gap(
      read: "ec2:DescribeNetworkInterfaces \(pool.instanceID)",
      why: "read twice, it contradicts the pods of the node: \(stranger) is on none of its interfaces",
      how: "ask again in a minute")
    return await readPool(of: name, doubt: doubt)
  }

  private func readPool(of name: String, doubt: Gap? = nil) async -> NodePool? {
    let nodeRead = await node(name)
    guard let node = nodeRead.first else { return nil }
    let state = NodeState(node)
    guard let id = state.instanceID else { return nil }
    let type = state.instanceType ?? ""
    async let limitsRead = limits(of: type)
    async let interfacesRead = aws(.describeNetworkInterfaces, filters: ["attachment.instance-id": [id]])
    async let podsRead = pods(on: name)
    let awsNode = await awsNode()
    var (limits, interfaces, pods) = await (limitsRead, interfacesRead, podsRead)
    if let doubt { interfaces.gap = doubt }
    let interfacesFact = interfaces.fact(Cite.aws(.describeNetworkInterfaces, id, at: interfaces.at))
    let podsFact = pods.fact(Citation(source: "kubernetes", locator: "pods of \(name)", at: pods.at))
    // What its own agent was started with is in force, whatever the DaemonSet says by now.
    let agent = pods.items.first { pod in
      pod["metadata"]["labels"]["k8s-app"].string == "aws-node"
        && pod["spec"]["containers"].items.contains {
          $0["name"].string == "aws-node" && !$0["env"].items.isEmpty
        }
    }
    let source = agent.map { Fact.known($0, .read(Cite.object($0, "Pod", resource: .pods, field: "env", at: pods.at))) }
    let facts = PoolFacts.read(
      awsNode: source ?? awsNode,
      node: .known(node, .read(Cite.object(node, "Node", resource: .nodes, at: nodeRead.at))), limits: limits,
      interfaces: interfacesFact, pods: podsFact)
    let places = PoolFacts.places(settings: facts.settings, limits: limits, interfaces: interfacesFact)
    let rooms = places.map { $0.map(\.room) }
    var roomy: [String] = []
    for place in places.value ?? [] where place.room > 0 && !roomy.contains(place.subnet) { roomy.append(place.subnet) }
    let primary = interfaces.items.first { $0["Attachment"]["DeviceIndex"].int == 0 }
    let subnet: Fact<String> =
      primary?["SubnetId"].string.map { .known($0, interfacesFact.source ?? .world) }
      ?? .unknown(
        interfaces.gap ?? Gap(read: "ec2:DescribeNetworkInterfaces \(id)", why: "it shows no primary interface"))
    return NodePool(
      node: name, instanceID: id, type: type, facts: facts, rooms: rooms,
      request: PoolNextRequest.decide(.init(pool: facts, rooms: rooms)), interfaces: interfaces, pods: pods,
      limits: limits, roomySubnets: roomy, agent: agent, subnetID: subnet, zone: state.zone ?? "",
      vpc: primary?["VpcId"].string)
  }

  /// The subnet of the ENIConfig that a node uses; nil where custom networking is off or there is no such ENIConfig.
  func eniConfigSubnet(ofNode name: String, _ settings: Fact<PoolSettings>) async -> Fact<String?> {
    guard let value = settings.value else { return .unknown(settings.gap!) }
    guard value.customNetworking else { return .known(nil) }
    let nodeRead = await node(name)
    guard let node = nodeRead.first else {
      return .unknown(nodeRead.gap ?? Gap(read: "kubernetes:get nodes/\(name)", why: "it does not exist"))
    }
    let found = await list(.eniConfigs)
    if let gap = found.gap { return .unknown(gap) }
    let wanted = ENIConfigName.decide(.init(node: .known(node), settings: settings)).value
    guard let config = found.items.first(where: { $0["metadata"]["name"].string == wanted }) else { return .known(nil) }
    return .known(
      config["spec"]["subnet"].string,
      .read(
        Citation(
          source: "kubernetes", locator: "eniconfigs.crd.k8s.amazonaws.com/\(wanted ?? "")", field: "spec.subnet",
          value: config["spec"]["subnet"].string ?? "", at: found.at)))
  }

  /// The subnets of a VPC, by one read.
  func subnets(ofVPC vpc: String) async -> Found { await aws(.describeSubnets, filters: ["vpc-id": [vpc]]) }
}
