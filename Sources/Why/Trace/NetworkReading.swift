import Evidence
import Mechanisms
import Wire

/// The network of a cluster as public APIs show it, with the nodes that a packet may touch.
struct NetworkReading: Sendable {
  var packets = ClusterPackets()
  /// The settings of aws-node, and where they were read.
  var settings: Fact<CNISettings>
  var cluster: JSON = .null
  /// Instance metadata options by node.
  var metadata: [String: JSON] = [:]
  /// Where it was read what kernels of nodes hold, by node.
  var kernels: [String: NodeFiles] = [:]
  /// The node of each instance.
  var instances: [String: String] = [:]
  /// What could not be read whole, where it may matter to any packet.
  var gaps: [Gap] = []

  var network: PacketNetwork { packets.network }
  /// Stacks by node, and by `namespace/name` of pods.
  var nodes: [String: Int] { packets.nodes }
  var pods: [String: Int] { packets.pods }
  var services: [ServicePort] { packets.services }

  /// Stands for the addresses of the cluster's public endpoint, which DNS tells and no API.
  static let publicEndpoint = IPv4Address("192.0.2.1")!
}

extension Investigation {
  /// Reads the VPC and these nodes, with all their pods.
  func network(nodes names: [String], usesFiles: Bool = true) async throws(QuestionError) -> NetworkReading {
    async let clusterRead = cluster()
    async let servicesRead = list(.services)
    async let slicesRead = list(.endpointSlices)
    let cluster = await clusterRead
    guard let vpc = cluster.first?["resourcesVpcConfig"]["vpcId"].string else {
      throw .unreachable(cluster.gap ?? Gap(read: "eks:DescribeCluster", why: "it names no VPC"))
    }
    let readings = await fabricReadings(vpc)
    let fabric = Fabric(readings)
    guard let daemonSet = await awsNode().value else {
      throw .unsupported(
        "kube-system/aws-node can't be read: ekswhy follows packets on nodes with the Amazon VPC CNI only")
    }
    var reading = NetworkReading(settings: .known(CNISettings(daemonSet: daemonSet)))
    reading.cluster = cluster.first ?? .null
    let (services, slices) = await (servicesRead, slicesRead)
    reading.packets = ClusterPackets(
      fabric, services: ServicePort.read(services: services.items, slices: slices.items))
    // Without the VPC's blocks it isn't known what stays inside of it.
    for gap in [services.gap, slices.gap, readings.vpcs.gap] { if let gap { reading.gaps.append(gap) } }
    addEndpoint(&reading)
    let instances = await aws(.describeInstances, filters: ["vpc-id": [vpc]])
    let interfaces = await aws(.describeNetworkInterfaces, filters: ["vpc-id": [vpc]])
    for name in names {
      try await add(
        node: name, to: &reading, interfaces: interfaces, instances: instances.items,
        files: usesFiles ? nodeFiles(name) : nil)
    }
    return reading
  }

  func fabricReadings(_ vpc: String) async -> Fabric.Readings {
    func read(_ call: AWSCall) async -> Fabric.Found {
      let found = await aws(call, filters: ["vpc-id": [vpc]])
      return Fabric.Found(found.items, gap: found.gap, source: .read(Cite.aws(call, vpc, at: found.at)))
    }
    async let subnets = read(.describeSubnets)
    async let tables = read(.describeRouteTables)
    async let acls = read(.describeNetworkAcls)
    async let groups = read(.describeSecurityGroups)
    async let interfaces = read(.describeNetworkInterfaces)
    async let gateways = read(.describeNatGateways)
    let vpcs = await aws(.describeVpcs, filters: ["VpcIds": [vpc]])
    return await Fabric.Readings(
      vpcs: Fabric.Found(vpcs.items, gap: vpcs.gap, source: .read(Cite.aws(.describeVpcs, vpc, at: vpcs.at))),
      subnets: subnets, routeTables: tables, acls: acls, groups: groups, interfaces: interfaces, natGateways: gateways)
  }

  /// The cluster's public endpoint, where it has one.
  func addEndpoint(_ reading: inout NetworkReading) {
    let access = reading.cluster["resourcesVpcConfig"]
    guard access["endpointPublicAccess"].bool != false else { return }
    let blocks = access["publicAccessCidrs"].items.compactMap { $0.string.flatMap { CIDR($0) } }
    reading.packets.network.fabric.hosts.append(
      Fabric.OutsideHost(
        "the cluster's public endpoint", blocks: [CIDR(NetworkReading.publicEndpoint, length: 32)],
        admits: .known(
          blocks.isEmpty ? [.everything] : blocks,
          .read(Cite.aws(.describeCluster, target.cluster ?? "", field: "publicAccessCidrs", at: now)))))
  }

  private func add(
    node name: String, to reading: inout NetworkReading, interfaces: Found, instances: [JSON], files: NodeFiles?
  ) async throws(QuestionError) {
    let found = await node(name)
    guard let node = found.first else {
      if let gap = found.gap { throw .unreachable(gap) }
      throw .noSuchObject("Node \(name)")
    }
    let kind = await world(of: node)
    if let compute = kind.compute.value, !compute.isEC2 {
      throw .unsupported("node \(name) is \(compute.rawValue): ekswhy follows packets on EC2 instances only")
    }
    if let cni = kind.cni.value, cni != .vpcCNI {
      throw .unsupported("the network of node \(name) is \(cni.rawValue): ekswhy knows the Amazon VPC CNI's only")
    }
    guard let id = NodeState(node).instanceID else { throw .unsupported("node \(name) names no instance") }
    let own = interfaces.items.filter { $0["Attachment"]["InstanceId"].string == id }
    let pods = await pods(on: name)
    if let gap = pods.gap { reading.gaps.append(gap) }
    // What its agent was started with is in force there, whatever the DaemonSet says by now.
    let agent = pods.items.first { $0["metadata"]["labels"]["k8s-app"].string == "aws-node" }
    let settings = agent.map { CNISettings(podSpec: $0["spec"]) } ?? reading.settings.value
    let isLaidOut = reading.packets.add(
      ClusterPackets.Node(
        name, interfaces: own, pods: pods.items, settings: settings ?? CNISettings(),
        zone: node["metadata"]["labels"]["topology.kubernetes.io/zone"].string,
        osImage: node["status"]["nodeInfo"]["osImage"].string ?? "",
        hasProxy: kind.proxy.value != ServiceProxy.none, policies: await policies(pods: pods),
        kernel: { _, _ in files?.kernel }))
    guard isLaidOut else {
      throw .unreachable(
        interfaces.gap
          ?? Gap(read: "ec2:DescribeNetworkInterfaces \(id)", why: "the primary interface of \(name) is not among them")
      )
    }
    reading.instances[id] = name
    reading.kernels[name] = files
    if let line = files?.kernel.unread.first {
      reading.gaps.append(
        Gap(read: "the network of node \(name)", why: "it holds what isn't modelled: \(line)"))
    }
    reading.metadata[name] = instances.first { $0["InstanceId"].string == id }?["MetadataOptions"] ?? .null
  }
}
