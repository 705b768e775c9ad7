import Evidence
package import Mechanisms
import Wire

/// Follows a connection from one end to the other, and its answer back, through the network that evidence shows.
package struct Tracer: Sendable {
  let world: Investigation
  /// The namespace of names that give none.
  let namespace: String
  let transport: Transport

  package init(_ world: Investigation, namespace: String, transport: Transport = .tcp) {
    self.world = world
    self.namespace = namespace
    self.transport = transport
  }

  /// Branches of chance that are told at most.
  static let branchLimit = 64

  /// An end with the object behind it.
  struct Found {
    var title: String
    var node: String?
    /// `namespace/name` of a pod with a network of its own.
    var pod: String?
    var address: IPv4Address?
    var port: UInt16?
    var object: JSON = .null
  }

  package func trace(from: TraceEnd, to: TraceEnd) async throws(QuestionError) -> TraceReport {
    let started = ContinuousClock.now
    let way = try await ways(from: from, to: to)
    var report = await way.findings.report(way.walks)
    let counts = await world.reader.counts
    report.answer.reads = .init(
      kubernetes: counts.kubernetes, aws: counts.aws, seconds: (ContinuousClock.now - started).inSeconds)
    return report
  }

  /// The ways of a connection, and who tells of them.
  func ways(from: TraceEnd, to: TraceEnd) async throws(QuestionError) -> (
    findings: TraceFindings, walks: [PacketWalk]
  ) {
    let nodes = await world.list(.nodes)
    let pods = await world.list(.pods)
    let source = try find(from, nodes: nodes, pods: pods)
    let isServer = from.kind == .apiServer
    guard source.node != nil || isServer else {
      throw .unsupported("a trace starts at a pod, a node or the API server: \(source.title) is neither")
    }
    var target = try find(to, nodes: nodes, pods: pods)
    let services = await world.list(.services)
    let slices = await world.list(.endpointSlices)
    let ports = ServicePort.read(services: services.items, slices: slices.items)
    let names = try await settle(&target, to, source: source, ports: ports, services: services)
    let known = Set(nodes.items.compactMap { $0["metadata"]["name"].string })
    var touched = source.node.map { [$0] } ?? []
    for name in names where !touched.contains(name) && known.contains(name) { touched.append(name) }
    var reading = try await world.network(nodes: Array(touched.prefix(12)))
    guard let address = target.address else {
      throw .unsupported("\(target.title) has no IPv4 address, and IPv6 is not followed")
    }
    let number = target.port ?? 443
    let packet = Packet(
      transport, from: IPv4Address(bits: 0), 40000, to: address,
      transport == .icmp ? Packet.echoRequest : number)
    let walks = try walks(packet, from: source, isServer: isServer, ports, slices, &reading)
    let destination = transport == .icmp ? target.title : "\(target.title):\(number)"
    var findings = TraceFindings(
      world: world, reading: reading, source: source, target: target, title: "\(source.title) → \(destination)",
      packet: packet)
    if findings.mayBeNodeFault(walks) {
      var plain = try await world.network(nodes: Array(touched.prefix(12)), usesFiles: false)
      findings.settle(with: try self.walks(packet, from: source, isServer: isServer, ports, slices, &plain))
    }
    return (findings, walks)
  }

  private func walks(
    _ packet: Packet, from source: Found, isServer: Bool, _ ports: [ServicePort], _ slices: Investigation.Found,
    _ reading: inout NetworkReading
  ) throws(QuestionError) -> [PacketWalk] {
    guard !isServer else {
      var walks: [PacketWalk] = []
      let own = servers(ports, reading)
      guard !own.isEmpty else {
        throw .unreachable(
          slices.gap
            ?? Gap(
              read: "ec2:DescribeNetworkInterfaces Amazon EKS \(world.target.cluster ?? "")",
              why: "the interfaces of the control plane are not among what was read"))
      }
      for (port, address) in own {
        var sent = packet
        sent.source = address
        walks += walk(sent, from: .port(port), &reading).map { walk in
          var walk = walk
          walk.share /= Double(own.count)
          return walk
        }
      }
      return walks
    }
    return walk(packet, from: .stack(try stack(of: source, reading)), &reading)
  }

  /// The interfaces of the API servers, as the Service `kubernetes` has their addresses.
  private func servers(_ ports: [ServicePort], _ reading: NetworkReading) -> [(port: Int, address: IPv4Address)] {
    let own = ports.first { $0.namespace == "default" && $0.service == "kubernetes" }?.endpoints ?? []
    let fabric = reading.network.fabric
    return own.compactMap { endpoint in
      fabric.vpcs.indices.lazy.compactMap { fabric.port(of: endpoint.address, vpc: $0) }.first
        .map { ($0, endpoint.address) }
    }
  }

  private func stack(of source: Found, _ reading: NetworkReading) throws(QuestionError) -> Int {
    let node = source.node ?? ""
    guard let pod = source.pod else { return reading.nodes[node]! }
    guard let place = reading.pods[pod] else {
      if source.object["status"]["podIP"].string?.contains(":") == true {
        throw .unsupported(
          "\(source.title) has IPv6 alone: ENABLE_V4_EGRESS of aws-node gives it no interface to IPv4, and IPv6 is not followed"
        )
      }
      throw .unreachable(
        Gap(
          read: "ec2:DescribeNetworkInterfaces",
          why: "the address of \(source.title) is on no interface of node \(node)", how: "ask again in a minute"))
    }
    return place
  }

  /// The ways of a connection from a node itself to a port of a pod on it, and who tells of them.
  func ways(from name: String, to pod: JSON, port: UInt16) async throws(QuestionError) -> (
    findings: TraceFindings, walks: [PacketWalk]
  ) {
    var reading = try await world.network(nodes: [name])
    let target = try found(pod: pod, nil, port: port)
    guard let address = target.address, let stack = reading.nodes[name],
      target.pod.map({ reading.pods[$0] != nil }) ?? true
    else {
      throw .unreachable(
        Gap(
          read: "ec2:DescribeNetworkInterfaces",
          why: "the address of \(target.title) is on no interface of node \(name)", how: "ask again in a minute"))
    }
    let packet = Packet(.tcp, from: IPv4Address(bits: 0), 40000, to: address, port)
    let walks = walk(packet, from: .stack(stack), &reading)
    let source = Found(title: "node/\(name)", node: name)
    var findings = TraceFindings(
      world: world, reading: reading, source: source, target: target,
      title: "\(source.title) → \(target.title):\(port)", packet: packet)
    if findings.mayBeNodeFault(walks), var plain = try? await world.network(nodes: [name], usesFiles: false),
      let stack = plain.nodes[name]
    {
      findings.settle(with: walk(packet, from: .stack(stack), &plain))
    }
    return (findings, walks)
  }

  private func walk(
    _ packet: Packet, from origin: PacketNetwork.Origin, _ reading: inout NetworkReading
  ) -> [PacketWalk] {
    var walks: [PacketWalk] = []
    var hopLimits: [Int: UInt8] = [:]
    for (node, options) in reading.metadata {
      guard let place = reading.nodes[node], let limit = options["HttpPutResponseHopLimit"].int else { continue }
      hopLimits[place] = UInt8(clamping: limit)
    }
    var choices = PathChoices()
    repeat {
      reading.packets.network.forgetFlows()
      choices.rewind()
      walks.append(reading.packets.network.follow(packet, from: origin, hopLimits: hopLimits, &choices))
    } while walks.count < Tracer.branchLimit && choices.next()
    return walks
  }

  // MARK: - Ends

  private func find(
    _ end: TraceEnd, nodes: Investigation.Found, pods: Investigation.Found
  ) throws(QuestionError) -> Found {
    switch end.kind {
    case .pod(let name):
      guard
        let pod = pods.items.first(where: {
          $0["metadata"]["name"].string == name && $0["metadata"]["namespace"].string == namespace
        })
      else {
        if let gap = pods.gap { throw .unreachable(gap) }
        throw .noSuchObject("Pod \(name) in namespace \(namespace)")
      }
      return try found(pod: pod, end)
    case .node(let name):
      guard let node = nodes.items.first(where: { $0["metadata"]["name"].string == name }) else {
        if let gap = nodes.gap { throw .unreachable(gap) }
        throw .noSuchObject("Node \(name)")
      }
      let address = node["status"]["addresses"].items.first { $0["type"].string == "InternalIP" }
      return Found(
        title: "node/\(name)", node: name, address: address?["address"].string.flatMap { IPv4Address($0) },
        port: end.port ?? 10250, object: node)
    case .service(let name): return Found(title: "svc/\(name)", port: end.port)
    case .apiServer: return Found(title: "the API server", port: end.port ?? 443)
    case .metadata: return Found(title: "IMDS", address: IPv4Address("169.254.169.254"), port: end.port ?? 80)
    case .address(let address):
      if let pod = pods.items.first(where: {
        $0["status"]["podIP"].string == address.description && $0["spec"]["hostNetwork"].bool != true
      }) {
        var known = try found(pod: pod, end)
        known.title = address.description
        return known
      }
      let node = nodes.items.first { node in
        node["status"]["addresses"].items.contains { $0["address"].string == address.description }
      }
      return Found(
        title: address.description, node: node?["metadata"]["name"].string, address: address, port: end.port)
    }
  }

  private func found(pod: JSON, _ end: TraceEnd?, port given: UInt16? = nil) throws(QuestionError) -> Found {
    let name = pod["metadata"]["name"].string ?? ""
    let namespace = pod["metadata"]["namespace"].string ?? ""
    guard let node = pod["spec"]["nodeName"].string, let address = pod["status"]["podIP"].string else {
      throw .unsupported("pod/\(name) has no address yet: ask ekswhy pod/\(name) -n \(namespace) first")
    }
    let isHost = pod["spec"]["hostNetwork"].bool == true
    let ports = pod["spec"]["containers"].items.flatMap { $0["ports"].items }
    let port =
      given ?? end?.port
      ?? ports.first { end?.portName == nil || $0["name"].string == end?.portName }?["containerPort"].int
      .flatMap { UInt16(exactly: $0) }
    return Found(
      title: "pod/\(name)", node: node, pod: isHost ? nil : "\(namespace)/\(name)", address: IPv4Address(address),
      port: port ?? 80, object: pod)
  }

  /// Fills in where a target leads that is no machine itself; the nodes whose stacks it may touch.
  private func settle(
    _ target: inout Found, _ end: TraceEnd, source: Found, ports: [ServicePort], services: Investigation.Found
  ) async throws(QuestionError) -> [String] {
    switch end.kind {
    case .service(let name):
      guard
        let service = services.items.first(where: {
          $0["metadata"]["name"].string == name && $0["metadata"]["namespace"].string == namespace
        })
      else {
        if let gap = services.gap { throw .unreachable(gap) }
        throw .noSuchObject("Service \(name) in namespace \(namespace)")
      }
      target.object = service
      let own = ports.filter { $0.namespace == namespace && $0.service == name }
      guard !own.isEmpty else {
        throw .unsupported("svc/\(name) has no IPv4 cluster address: trace to one of its pods")
      }
      let fitting = own.first { port in
        (end.port.map { $0 == port.port } ?? true) && (end.portName.map { $0 == port.name } ?? true)
      }
      guard let port = fitting ?? (end.port == nil ? nil : own.first) else {
        throw .noSuchObject("port \(end.portName ?? "") of Service \(name)")
      }
      target.address = port.clusterAddress
      target.port = end.port ?? port.port
      return own.flatMap(\.endpoints).compactMap(\.node)
    case .apiServer:
      if source.pod != nil,
        let port = ports.first(where: { $0.namespace == "default" && $0.service == "kubernetes" && $0.port == 443 })
      {
        target.address = port.clusterAddress
        target.title = "the API server (\(port.clusterAddress))"
        return []
      }
      let cluster = await world.cluster()
      guard let access = cluster.first?["resourcesVpcConfig"] else {
        throw .unreachable(cluster.gap ?? Gap(read: "eks:DescribeCluster", why: "it was not answered"))
      }
      let endpoints = ports.first { $0.namespace == "default" && $0.service == "kubernetes" }?.endpoints ?? []
      target.address =
        access["endpointPrivateAccess"].bool == true ? endpoints.first?.address : NetworkReading.publicEndpoint
      return []
    case .address(let address):
      guard let port = ports.first(where: { $0.clusterAddress == address }) else {
        return target.node.map { [$0] } ?? []
      }
      return port.endpoints.compactMap(\.node)
    default:
      // A node port leads on to endpoints.
      let number = target.pod == nil ? target.port : nil
      let behind = ports.filter { number != nil && $0.nodePort == number }
      return (target.node.map { [$0] } ?? []) + behind.flatMap(\.endpoints).compactMap(\.node)
    }
  }
}
