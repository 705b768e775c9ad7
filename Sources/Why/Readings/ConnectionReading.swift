import Evidence
import Mechanisms
import Wire

/// Where an instance wants to connect to.
enum ConnectionGoal: Sendable {
  /// The endpoint of the cluster.
  case endpoint
  /// A host of a service of AWS, by its name.
  case service(String)
}

/// Whether an instance's packets reach a host, through the networks as EC2 describes them.
struct ConnectionReading: Sendable {
  var verdict: Verdict<IPv4Address, Because>
  var title: String
  var network: NetworkReading
  /// The way of the address that was looked at last.
  var way: ConnectionPath.Way?

  /// What stops it, with a remedy.
  func root(of instance: String, _ world: Investigation) -> RootCause? {
    guard verdict.isNo, let way, let hop = way.walk.last else { return nil }
    let verify = "ekswhy instance/\(instance)"
    let findings = TraceFindings(
      world: world, reading: network, source: Tracer.Found(title: "instance/\(instance)"),
      target: Tracer.Found(title: title, address: way.packet.destination, port: way.packet.destinationPort),
      title: "instance/\(instance) → \(title)", packet: way.packet)
    var root = findings.root(of: way.walk)
    if let fix = wayOut(hop, instance, world) { root?.fixes.insert(fix, at: 0) }
    let fixes = (root?.fixes ?? []).map { fix in
      var fix = fix
      fix.verify = verify
      // The addresses of services of AWS change: what is let out to them is let out to all.
      fix.command = fix.command.map(anywhere)
      fix.undo = fix.undo.map(anywhere)
      return fix
    }
    root?.fixes = fixes
    if let text = root?.statement { root?.statement = named(text) }
    return root
  }

  /// The stand-in for an address of the Internet, in words.
  func named(_ text: String) -> String {
    text.replacing("\(NetworkReading.publicEndpoint):443", with: "port 443 of \(title)")
      .replacing(NetworkReading.publicEndpoint.description, with: title)
  }

  private func anywhere(_ command: String) -> String {
    command.replacing("\(NetworkReading.publicEndpoint)/32", with: "0.0.0.0/0")
  }

  /// A way out for an instance that has none.
  private func wayOut(_ hop: Hop, _ instance: String, _ world: Investigation) -> Fix? {
    switch hop.kind {
    case .vpcNoRoute, .vpcBlackhole:
      route(from: Int(hop.place), hop, world) ?? endpoint(in: Int(hop.place), hop, world)
    case .noPublicAddress: publicAddress(network.network.fabric.ports[Int(hop.place)].subnet, instance, world)
    default: nil
    }
  }

  private func publicAddress(_ subnet: Int, _ instance: String, _ world: Investigation) -> Fix {
    let id = network.network.fabric.subnets[subnet].id
    let aws = world.target.awsOptions
    return Fix(
      "gives instances of \(id) a public address at launch, and lets the Auto Scaling group replace this one",
      command:
        "aws ec2 modify-subnet-attribute --subnet-id \(id) --map-public-ip-on-launch\(aws) && aws ec2 terminate-instances --instance-ids \(instance)\(aws)",
      owner: "hand", touches: [id, "instance/\(instance)"], restarts: true,
      undo: "aws ec2 modify-subnet-attribute --subnet-id \(id) --no-map-public-ip-on-launch\(aws)", expectWithin: "5m")
  }

  /// By a gateway that the VPC has, else by a new NAT gateway in a subnet that leads to the Internet.
  private func route(from subnet: Int, _ hop: Hop, _ world: Investigation) -> Fix? {
    let fabric = network.network.fabric
    guard let place = fabric.subnets[subnet].routeTable.value else { return nil }
    let table = fabric.routeTables[place]
    let port = fabric.port(of: hop.packet.source, vpc: fabric.subnets[subnet].vpc)
    let isPublic = port.map { fabric.ports[$0].publicAddresses[hop.packet.source] != nil } ?? false
    // A NAT gateway works from another subnet than the one that it stands in.
    let nat = fabric.natGateways.first {
      $0.isAvailable && $0.publicAddress != nil && fabric.ports[$0.port].subnet != subnet
    }
    let internet = fabric.routeTables.indices.first { gateway(of: $0) != nil }
    let open = fabric.subnets.first { $0.routeTable.value.map { $0 == internet && $0 != place } ?? false }
    let aws = world.target.awsOptions
    var before = ""
    let target: String
    if isPublic, let id = internet.flatMap(gateway) {
      target = "--gateway-id \(id)"
    } else if let nat {
      target = "--nat-gateway-id \(nat.id)"
    } else if let open {
      let address = "$(aws ec2 allocate-address --domain vpc --query AllocationId --output text\(aws))"
      before =
        "NAT=$(aws ec2 create-nat-gateway --subnet-id \(open.id) --allocation-id \(address) --query NatGateway.NatGatewayId --output text\(aws)) && aws ec2 wait nat-gateway-available --nat-gateway-ids $NAT\(aws) && "
      target = "--nat-gateway-id $NAT"
    } else {
      return nil
    }
    let holds = (table.entries.value ?? []).contains { $0.blocks.contains(.everything) }
    let arguments = "--route-table-id \(table.id) --destination-cidr-block 0.0.0.0/0"
    let name = before.isEmpty ? String(target.split(separator: " ").last ?? "") : "a new NAT gateway"
    return Fix(
      "leads what leaves the subnets of \(table.id) to \(name)",
      command: "\(before)aws ec2 \(holds ? "replace" : "create")-route \(arguments) \(target)\(aws)",
      owner: "hand", touches: [table.id], undo: holds ? nil : "aws ec2 delete-route \(arguments)\(aws)",
      expectWithin: "5m")
  }

  /// Of a VPC without any way out: an endpoint for the service in the very subnet, with the groups of who asks.
  private func endpoint(in subnet: Int, _ hop: Hop, _ world: Investigation) -> Fix? {
    let fabric = network.network.fabric
    let place = fabric.subnets[subnet]
    guard let region = world.target.region, let service = PublicNames.endpointService(ofHost: title, region),
      let port = fabric.port(of: hop.packet.source, vpc: place.vpc),
      let groups = fabric.ports[port].groups.value, !groups.isEmpty
    else { return nil }
    let aws = world.target.awsOptions
    let vpc = fabric.vpcs[place.vpc].id
    return Fix(
      "makes an endpoint for \(service) in the VPC, which has no way out",
      command:
        "aws ec2 create-vpc-endpoint --vpc-id \(vpc) --vpc-endpoint-type Interface --service-name \(service) --subnet-ids \(place.id) --security-group-ids \(groups.joined(separator: " ")) --private-dns-enabled\(aws)",
      owner: "hand", touches: [vpc], expectWithin: "5m")
  }

  /// The Internet gateway that a table leads to.
  private func gateway(of table: Int) -> String? {
    (network.network.fabric.routeTables[table].entries.value ?? []).lazy.compactMap { entry -> String? in
      if case .internetGateway(let id) = entry.target, entry.isActive { return id }
      return nil
    }.first
  }
}

extension Investigation {
  /// By ``ConnectionPath``, from the instance's primary interface. Nil where it has none.
  func connection(of instance: JSON, to goal: ConnectionGoal) async -> ConnectionReading? {
    guard let id = instance["InstanceId"].string, let vpc = instance["VpcId"].string else { return nil }
    let readings = await fabricReadings(vpc).withoutGatewayEndpoints
    let interface = readings.interfaces.items.first {
      $0["Attachment"]["InstanceId"].string == id && $0["Attachment"]["DeviceIndex"].int ?? 0 == 0
    }?["NetworkInterfaceId"].string
    return await connection(from: interface, in: readings, to: goal)
  }

  /// Of an interface with these groups in a subnet, as there may be one, to the cluster's endpoint.
  func connection(ofGroups groups: [String], in subnet: String) async -> ConnectionReading? {
    guard let vpc = await cluster().first?["resourcesVpcConfig"]["vpcId"].string else { return nil }
    var readings = await fabricReadings(vpc).withoutGatewayEndpoints
    guard
      let block = readings.subnets.items.first(where: { $0["SubnetId"].string == subnet })?["CidrBlock"].string
        .flatMap({ CIDR($0) })
    else { return nil }
    // The fifth address of a subnet is the first that anybody gets.
    let address = "\(block.base + 4)"
    let own: JSON = [
      "NetworkInterfaceId": "the pod's interface", "SubnetId": .string(subnet), "Status": "in-use",
      "PrivateIpAddresses": [["PrivateIpAddress": .string(address), "Primary": true]],
      "Groups": .array(groups.map { ["GroupId": .string($0)] }),
    ]
    readings.interfaces.items.append(own)
    return await connection(from: "the pod's interface", in: readings, to: .endpoint)
  }

  private func connection(
    from interface: String?, in readings: Fabric.Readings, to goal: ConnectionGoal
  ) async -> ConnectionReading? {
    async let clusterRead = cluster()
    async let namesRead = vpcNames()
    let gap = readings.interfaces.gap
    guard interface != nil || gap != nil else { return nil }
    var network = NetworkReading(settings: .unknown(Gap(read: "aws-node", why: "not asked")))
    network.packets = ClusterPackets(Fabric(readings))
    network.cluster = await clusterRead.first ?? .null
    let names = await namesRead
    let addresses: Fact<[IPv4Address]>
    let title: String
    switch goal {
    case .endpoint:
      title = "the cluster's endpoint"
      addresses = endpointAddresses(&network, names)
    case .service(let host):
      title = host
      addresses = serviceAddresses(host, names)
    }
    let fabric = network.network.fabric
    var verdict = ConnectionPath.decide(
      .init(
        fabric: .known(fabric), interface: interface.map { .known($0) } ?? .unknown(gap!), addresses: addresses))
    var way: ConnectionPath.Way?
    if verdict.isNo, let port = interface.flatMap({ fabric.port(named: $0) }) {
      way = (addresses.value ?? []).compactMap { ConnectionPath.walk(fabric, from: port, to: $0, 443) }
        .last { $0.walk.truth == .no }
    }
    let reading = ConnectionReading(verdict: verdict, title: title, network: network, way: way)
    verdict.reasons = verdict.reasons.map { reason in
      var reason = reason
      reason.text = reading.named(reason.text)
      return reason
    }
    return ConnectionReading(verdict: verdict, title: title, network: network, way: way)
  }

  private func endpointAddresses(_ network: inout NetworkReading, _ names: VPCReading) -> Fact<[IPv4Address]> {
    let access = network.cluster["resourcesVpcConfig"]
    guard !access.isNull else {
      return .unknown(Gap(read: "eks:DescribeCluster", why: "it was not answered"))
    }
    let source = Source.read(
      Cite.aws(.describeCluster, target.cluster ?? "", field: "resourcesVpcConfig", at: now))
    let side = EndpointAddress.decide(
      .init(
        isPublic: .known(access["endpointPublicAccess"].bool ?? true, source),
        isPrivate: .known(access["endpointPrivateAccess"].bool ?? false, source), isInside: .known(true),
        support: names.support, hostnames: names.hostnames))
    guard let value = side.value else { return .unknown(side.gaps.first ?? .hidden) }
    if value == .publicly {
      addEndpoint(&network)
      return .known([NetworkReading.publicEndpoint], source)
    }
    let name = "Amazon EKS \(target.cluster ?? "")"
    let own = network.network.fabric.ports.filter { $0.holder == .service(name) }.flatMap(\.addresses)
    guard !own.isEmpty else {
      return .unknown(
        Gap(
          read: "ec2:DescribeNetworkInterfaces \(name)",
          why: "the interfaces of the control plane are not among what was read"))
    }
    return .known(own, source)
  }

  private func serviceAddresses(_ host: String, _ names: VPCReading) -> Fact<[IPv4Address]> {
    let address = NetworkReading.publicEndpoint
    let verdict = VPCResolver.decide(
      .init(
        question: .known(DNSQuestion(host, .a)), region: .known(names.region), support: names.support,
        hostnames: names.hostnames, blocks: names.blocks, zones: names.zones,
        publicly: .known(DNSReply(answers: [DNSRecord(host, .a, 60, address.description)]))))
    guard let outcome = verdict.value else { return .unknown(verdict.gaps.first ?? .hidden) }
    guard case .reply(let reply) = outcome else {
      return .unknown(Gap(read: "DNS of \(host)", why: "the VPC's resolver does not answer it itself"))
    }
    return .known(reply.answers.compactMap { IPv4Address($0.data) })
  }
}
