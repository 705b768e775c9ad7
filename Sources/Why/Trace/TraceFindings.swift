import Evidence
import Mechanisms
import Wire

/// Says what walks came to: the verdict, the roots where they stop, and each hop.
struct TraceFindings: Sendable {
  let world: Investigation
  let reading: NetworkReading
  let source: Tracer.Found
  let target: Tracer.Found
  let title: String
  let packet: Packet
  /// Whether what the nodes' kernels hold stops it, where the VPC CNI's own layout would let it through.
  private(set) var isNodeFault = false

  init(
    world: Investigation, reading: NetworkReading, source: Tracer.Found, target: Tracer.Found, title: String,
    packet: Packet
  ) {
    self.world = world
    self.reading = reading
    self.source = source
    self.target = target
    self.title = title
    self.packet = packet
  }

  /// Those at the ends.
  var nodes: [String] {
    let both = [source.node, target.node].compactMap { $0 }
    return both.count == 2 && both[0] == both[1] ? [both[0]] : both
  }

  func mayBeNodeFault(_ walks: [PacketWalk]) -> Bool {
    !reading.kernels.isEmpty && walks.contains { $0.truth == .no }
  }

  /// `walks` are those of the same packet where every node is as the VPC CNI and kube-proxy lay it out.
  mutating func settle(with walks: [PacketWalk]) { isNodeFault = walks.allSatisfy { $0.truth == .yes } }

  func report(_ walks: [PacketWalk]) async -> TraceReport {
    let clock = await world.reader.clock()
    let stopped = walks.filter { $0.truth == .no }
    let open = walks.filter { !$0.truth.gaps.isEmpty }
    var answer = Answer(
      target: world.target, asOf: clock.time, basis: clock.basis.isEmpty ? nil : clock.basis,
      subject: Entity("Trace", title), status: .healthy, summary: "")
    var codes: Set<String> = []
    for walk in stopped {
      guard let root = await cause(of: walk), codes.insert(root.code + root.entity.name).inserted else { continue }
      answer.roots.append(Root(id: answer.roots.count + 1, sufficient: stopped.count == 1, cause: root))
    }
    if answer.roots.count == 1 { answer.roots[0].sufficient = true }
    for gap in open.flatMap(\.gaps) + (stopped.isEmpty ? reading.gaps : []) {
      answer.add(gap, "packets/walk", deciding: stopped.isEmpty)
    }
    let share = stopped.map(\.share).reduce(0, +)
    if !stopped.isEmpty {
      answer.status = .failing
      let way = effect(of: stopped[0])
      answer.summary =
        share > 0.999
        ? "\(source.title) does not reach \(ending): \(way)"
        : "\(source.title) reaches \(ending) by \(walks.count - stopped.count) of \(walks.count) ways; \(Int((share * 100).rounded()))% of connections fail: \(way)"
    } else if !open.isEmpty || !reading.gaps.isEmpty {
      answer.status = .unproven
      answer.summary = "\(source.title) reaches \(ending), as far as could be read"
    } else {
      answer.summary = "\(source.title) reaches \(ending), and is answered"
    }
    answer.checked = ["packets"]
    let unseen = nodes.filter { reading.kernels[$0] == nil }
    if stopped.isEmpty, let node = unseen.first {
      answer.notChecked.append(
        NotChecked(
          "what node \(node)'s own kernel holds; it is taken as the VPC CNI and kube-proxy lay it out",
          ask: "ekswhy trace \(source.title) \(ending) --node-logs DIR"))
    }
    if target.pod != nil {
      answer.notChecked.append(NotChecked("whether a program listens there", ask: "ekswhy \(target.title)"))
    }
    let teller = HopTeller(reading.network)
    let paths = walks.map { walk in
      TraceReport.Path(
        verdict: walk.truth == .no ? .stops : walk.truth == .yes ? .works : .open, share: walk.share,
        there: steps(walk.there, teller), back: steps(walk.answer, teller), target: destination(walk))
    }
    return TraceReport(answer: answer, paths: paths)
  }

  private var ending: String { String(title.split(separator: "→", maxSplits: 1).last?.dropFirst() ?? "") }

  private func effect(of walk: PacketWalk) -> String {
    switch walk.effect {
    case .refused: "connections are refused"
    case .unroutable: "no route to host"
    default: "connections time out"
    }
  }

  private func destination(_ walk: PacketWalk) -> String {
    let packet = walk.fate.packet
    let name: String
    switch walk.fate.outcome {
    case .delivered(.stack(let stack)): name = reading.network.stacks[stack].name
    case .delivered(.port(let port)):
      if case .service(let text) = reading.network.fabric.ports[port].holder {
        name = text
      } else {
        name = reading.network.fabric.ports[port].id
      }
    case .delivered(.metadata): name = "the instance metadata service"
    case .delivered(.resolver): name = "the VPC's resolver"
    case .delivered(.endpoint): name = "the service behind the gateway endpoint"
    case .delivered(.internet):
      name = packet.destination == NetworkReading.publicEndpoint ? "the cluster's public endpoint" : "the Internet"
    case .stopped, .unknown: name = packet.destination.description
    }
    return packet.transport.hasPorts ? "\(name) port \(packet.destinationPort)" : name
  }

  /// What a person needs to see of the way; routing by the usual tables goes without saying.
  private func steps(_ hops: [Hop], _ teller: HopTeller) -> [TraceReport.Step] {
    var out: [TraceReport.Step] = []
    for (index, hop) in hops.enumerated() {
      let isLast = index == hops.count - 1
      switch hop.kind {
      case .received, .transmitted, .marked, .connectionMarked, .accepted: if !isLast { continue }
      case .routed:
        let rule = reading.network.stacks[Int(hop.place)].routing.rules[Int(hop.a)]
        if !isLast, [RoutingTables.main, RoutingTables.local].contains(rule.table), rule.mark == nil { continue }
      default: break
      }
      out.append(TraceReport.Step(place: teller.place(hop), text: teller.text(hop)))
    }
    return out
  }

  // MARK: - Roots

  private func exhibit(_ hop: Hop) -> Exhibit {
    let teller = HopTeller(reading.network)
    return Exhibit(
      Citation(source: "walk", locator: teller.place(hop), value: teller.text(hop), at: world.now),
      text: "\(teller.place(hop)) \(teller.text(hop))")
  }

  func root(of walk: PacketWalk) -> RootCause? {
    guard let hop = walk.last else { return nil }
    if isNodeFault, let found = nodeRoot(hop) { return found }
    let place = Int(hop.place)
    switch hop.kind {
    case .groupIngressDenied, .groupEgressDenied: return group(hop, isEgress: hop.kind == .groupEgressDenied)
    case .aclEgressDenied, .aclIngressDenied: return acl(hop, isEgress: hop.kind == .aclEgressDenied)
    case .ttlExpired where walk.fate.packet.destination == IPv4Address("169.254.169.254"): return hopLimit(hop)
    case .earlyDemux:
      return RootCause(
        "packets/tcp-early-demux", layer: .inCluster, entity: Entity("DaemonSet", "aws-node", namespace: "kube-system"),
        statement:
          "the answer of a pod with security groups of its own is given to the node's socket before it is routed (net.ipv4.tcp_early_demux), and dropped",
        evidence: [exhibit(hop)])
    case .rejectedByRule, .droppedByRule: return rule(hop)
    case .noPublicAddress:
      return RootCause(
        "packets/no-public-address", layer: .aws, entity: Entity("ENI", teller.place(hop)),
        statement:
          "\(hop.packet.source) leaves by an Internet gateway, and no public address stands for it: the subnet's route is for instances with public addresses",
        evidence: [exhibit(hop)],
        fixes: [
          Fix(
            "give the subnet a route to a NAT gateway, or let aws-node translate to the node's address (AWS_VPC_K8S_CNI_EXTERNALSNAT=false)",
            owner: "unknown", touches: [teller.place(hop)])
        ])
    case .vpcNoRoute, .vpcBlackhole:
      let subnet = reading.network.fabric.subnets[place]
      let table = subnet.routeTable.value.map { reading.network.fabric.routeTables[$0].id } ?? "its route table"
      return RootCause(
        hop.kind == .vpcNoRoute ? "packets/no-route" : "packets/blackhole", layer: .aws,
        entity: Entity("RouteTable", table),
        statement:
          hop.kind == .vpcNoRoute
          ? "\(table) of \(subnet.id) has no route to \(hop.packet.destination)"
          : "the route of \(table) to \(hop.packet.destination) leads to something that is gone",
        evidence: [exhibit(hop)],
        fixes: [
          Fix(
            "a route to a NAT or Internet gateway, a peering connection or an endpoint that leads there", owner: "hand",
            touches: [table])
        ])
    case .keptByHolder:
      let subnet = reading.network.fabric.subnets.first { $0.block.contains(hop.packet.destination) }
      return RootCause(
        "packets/control-plane-bridge", layer: .aws,
        entity: Entity("Subnet", subnet?.id ?? "\(hop.packet.destination)"),
        statement:
          "\(hop.packet.destination) is in \(ControlPlaneHost.bridge), which the machines of EKS's API servers have for a network of their own: nothing that they connect to there is reached",
        evidence: [exhibit(hop)],
        fixes: [
          Fix(
            "run nodes in subnets outside of \(ControlPlaneHost.bridge): make such subnets (of a secondary CIDR of the VPC, say) and a node group in them, and drain this one",
            owner: "hand", touches: [subnet?.id ?? "subnet"], restarts: true,
            verify: "ekswhy trace apiserver \(target.title)")
        ])
    case .publicAccessDenied:
      return RootCause(
        "packets/public-access", layer: .eks, entity: Entity("Cluster", world.target.cluster ?? ""),
        statement: "the cluster's public endpoint does not admit \(hop.packet.source) (publicAccessCidrs)",
        evidence: [exhibit(hop)],
        fixes: [
          Fix(
            "opens the endpoint inside of the VPC",
            command:
              "aws eks update-cluster-config --name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --resources-vpc-config endpointPrivateAccess=true\(world.target.awsOptions)",
            owner: "hand", touches: ["cluster"], verify: "ekswhy trace \(source.title) apiserver",
            expectWithin: "10m")
        ])
    default:
      return RootCause(
        "packets/\(TraceFindings.code(hop.kind))", layer: TraceFindings.layer(hop.kind),
        entity: Entity("Hop", teller.place(hop)), statement: "\(teller.place(hop)) \(teller.text(hop))",
        evidence: [exhibit(hop)])
    }
  }

  /// What of a node's own state stops a packet there, where that was read.
  private func nodeRoot(_ hop: Hop) -> RootCause? {
    let ends =
      [source.pod, target.pod].compactMap { $0 } + (reading.packets.pod(ofStack: Int(hop.place)).map { [$0] } ?? [])
    for node in nodes + reading.kernels.keys.sorted().filter({ !nodes.contains($0) }) {
      guard let files = reading.kernels[node], let plan = reading.packets.plans[node] else { continue }
      let findings = NodeFindings(
        world: world, node: node, plan: plan, files: files, ends: ends,
        verify: "ekswhy trace \(source.title) \(ending)")
      if let root = findings.root(hop, told: exhibit(hop)) { return root }
    }
    return nil
  }

  /// What network policies stop, with the ends of the packet as they know them.
  private func denial(_ hop: Hop) -> PolicyDenial? {
    let stack = Int(hop.place)
    guard let key = reading.packets.pod(ofStack: stack), let policy = reading.network.policies[stack]?.value else {
      return nil
    }
    let direction: PodPolicy.Direction = hop.a == 1 ? .egress : .ingress
    return PolicyDenial(
      world: world, key: key, policy: policy, packet: hop.packet, direction: direction,
      peer: direction == .ingress ? source.object : target.object, verify: "ekswhy trace \(source.title) \(ending)")
  }

  private var teller: HopTeller { HopTeller(reading.network) }

  private static func code(_ kind: Hop.Kind) -> String {
    var out = ""
    for letter in "\(kind)" {
      if letter.isUppercase { out += "-" }
      out += letter.lowercased()
    }
    return out
  }

  private static func layer(_ kind: Hop.Kind) -> RootCause.Layer {
    switch kind {
    case .droppedByRule, .rejectedByRule, .droppedByPolicy, .noRoute, .blackholed, .forwardingOff, .ttlExpired,
      .martianSource, .martianDestination, .reversePath, .masqueradeMoved, .neighbourMissing, .neighbourWrong,
      .interfaceDown, .noSourceAddress:
      .inCluster
    default: .aws
    }
  }

  private func group(_ hop: Hop, isEgress: Bool) -> RootCause {
    let fabric = reading.network.fabric
    let port = fabric.ports[Int(hop.place)]
    let groups = port.groups.value ?? []
    let packet = hop.packet
    let peerAddress = isEgress ? packet.destination : packet.source
    let vpc = fabric.subnets[port.subnet].vpc
    let peer = fabric.port(of: peerAddress, vpc: vpc).flatMap { fabric.ports[$0].groups.value?.first }
    let what = packet.transport.hasPorts ? "\(packet.transport) \(packet.destinationPort)" : "\(packet.transport)"
    let direction = isEgress ? "to" : "from"
    let statement =
      "no rule of \(groups.joined(separator: ", ")) on \(port.id) lets \(what) \(isEgress ? "out" : "in") \(direction) \(peerAddress)"
      + (peer.map { " (\($0))" } ?? "")
    var fixes: [Fix] = []
    if let group = groups.last {
      let (low, high) =
        packet.transport.hasPorts ? (Int(packet.destinationPort), Int(packet.destinationPort)) : (-1, -1)
      let who = peer.map { "UserIdGroupPairs=[{GroupId=\($0)}]" } ?? "IpRanges=[{CidrIp=\(peerAddress)/32}]"
      let permission = "IpProtocol=\(packet.transport),FromPort=\(low),ToPort=\(high),\(who)"
      let side = isEgress ? "egress" : "ingress"
      let arguments = "--group-id \(group) --ip-permissions \(Shell.quote(permission))\(world.target.awsOptions)"
      fixes = [
        Fix(
          "lets \(what) \(isEgress ? "out of" : "into") \(group)",
          command: "aws ec2 authorize-security-group-\(side) \(arguments)", owner: "hand", touches: [group],
          undo: "aws ec2 revoke-security-group-\(side) \(arguments)",
          verify: "ekswhy trace \(source.title) \(target.title)", expectWithin: "10s")
      ]
    }
    return RootCause(
      isEgress ? "packets/group-egress" : "packets/group-ingress", layer: .aws,
      entity: Entity("SecurityGroup", groups.joined(separator: ",")), statement: statement,
      evidence: groups.map { id in
        let rules = fabric.groups[id]?.value?.rules.filter { $0.isEgress == isEgress } ?? []
        return Exhibit(
          Cite.aws(
            .describeSecurityGroups, id, field: isEgress ? "IpPermissionsEgress" : "IpPermissions",
            value: Count.of(rules.count, "rule"), at: world.now))
      } + [exhibit(hop)], fixes: fixes)
  }

  private func acl(_ hop: Hop, isEgress: Bool) -> RootCause {
    let fabric = reading.network.fabric
    let subnet = fabric.subnets[Int(hop.place)]
    let acl = fabric.acls[Int(hop.a)]
    let packet = hop.packet
    let peer = isEgress ? packet.destination : packet.source
    let entries = (acl.entries.value ?? []).filter { $0.isEgress == isEgress }
    let decides = hop.b >= 0 ? acl.entries.value?[Int(hop.b)].number : nil
    // Before the entry that denies, and where no other stands.
    var number = (decides ?? NetworkACL.last) - 1
    if decides == nil { number = (entries.map(\.number).max() ?? 90) + 10 }
    while number > 1, entries.contains(where: { $0.number == number }) { number -= 1 }
    let code = packet.transport.hasPorts ? "\(packet.destinationPort)" : "all ports"
    let isAnswer = packet.source == target.address || packet.flags.contains(.ack)
    let range = isAnswer ? "From=1024,To=65535" : "From=\(packet.destinationPort),To=\(packet.destinationPort)"
    return RootCause(
      isEgress ? "packets/acl-egress" : "packets/acl-ingress", layer: .aws, entity: Entity("NetworkAcl", acl.id),
      statement:
        "\(acl.id) of \(subnet.id) denies \(packet.transport) \(code) \(isEgress ? "out to" : "in from") \(peer)\(isAnswer ? ": the answer, for ACLs remember no connections" : "")",
      evidence: [
        Exhibit(
          Cite.aws(
            .describeNetworkAcls, acl.id, field: "Entries",
            value: decides.map { "entry \($0) decides" } ?? "no entry before * fits", at: world.now)), exhibit(hop),
      ],
      fixes: [
        Fix(
          "lets it pass \(isEgress ? "out of" : "into") the subnet",
          command:
            "aws ec2 create-network-acl-entry --network-acl-id \(acl.id) \(isEgress ? "--egress" : "--ingress") --rule-number \(number) --protocol \(packet.transport) --port-range \(range) --cidr-block \(peer)/32 --rule-action allow\(world.target.awsOptions)",
          owner: "hand", touches: [acl.id],
          undo:
            "aws ec2 delete-network-acl-entry --network-acl-id \(acl.id) \(isEgress ? "--egress" : "--ingress") --rule-number \(number)\(world.target.awsOptions)",
          expectWithin: "10s")
      ])
  }

  private func hopLimit(_ hop: Hop) -> RootCause {
    let name = reading.network.stacks[Int(hop.place)].name
    let instance = reading.instances.first { $0.value == name }?.key ?? "INSTANCE"
    let limit = reading.metadata[name]?["HttpPutResponseHopLimit"].int ?? 1
    return RootCause(
      "packets/metadata-hop-limit", layer: .aws, entity: Entity("Instance", instance),
      statement:
        "the metadata service answers with a hop limit of \(limit), and a pod is one hop further than its node",
      evidence: [
        Exhibit(
          Cite.aws(
            .describeInstances, instance, field: "MetadataOptions.HttpPutResponseHopLimit", value: "\(limit)",
            at: world.now)), exhibit(hop),
      ],
      fixes: [
        Fix(
          "better: give the pod a role of its own (EKS Pod Identity or IRSA), so that it needs no metadata service",
          owner: "hand", touches: ["pod"]),
        Fix(
          "lets pods of the node reach it",
          command:
            "aws ec2 modify-instance-metadata-options --instance-id \(instance) --http-put-response-hop-limit 2\(world.target.awsOptions)",
          owner: "hand", touches: [instance],
          undo:
            "aws ec2 modify-instance-metadata-options --instance-id \(instance) --http-put-response-hop-limit \(limit)\(world.target.awsOptions)"
        ),
      ])
  }

  private func rule(_ hop: Hop) -> RootCause {
    let text = teller.rule(hop)
    let node = reading.network.stacks[Int(hop.place)].name
    let isLocal = text.contains("has no local endpoints")
    let isNone = text.contains("has no endpoints")
    guard isLocal || isNone,
      let port = reading.services.first(where: { text.contains("\"\($0.title) has no") })
    else {
      let isInvalid = text.contains("--ctstate INVALID")
      var root = RootCause(
        isInvalid ? "packets/invalid-state-drop" : "packets/netfilter-rule", layer: .inCluster,
        entity: Entity("Node", node),
        statement: isInvalid
          ? "a netfilter rule of \(node) drops what its connection tracking calls INVALID, and of this connection it sees one half only: \(text)"
          : "a netfilter rule of \(node) stops it: \(text)", evidence: [exhibit(hop)])
      if isNodeFault, let files = reading.kernels[node] {
        root.evidence.insert(files.exhibit(.netfilter, text, text), at: 0)
        let words = text.split(separator: " ", maxSplits: 2).map(String.init)
        if words.count == 3 {
          let command = { (deed: String) in
            "\(world.target.kubectl) debug node/\(node) --quiet -i --profile=sysadmin --image=busybox -- chroot /host iptables -t \(words[0]) \(deed) \(words[1]) \(words[2])"
          }
          root.fixes = [
            Fix(
              "takes the rule away, which neither the VPC CNI nor kube-proxy made; look at what makes it",
              command: command("-D"), owner: "hand", touches: ["node/\(node)"], undo: command("-I"),
              verify: "ekswhy trace \(source.title) \(ending)", expectWithin: "10s")
          ]
        }
      }
      return root
    }
    let entity = Entity("Service", port.service, namespace: port.namespace)
    let counts = Count.of(port.endpoints.filter(\.isReady).count, "ready endpoint")
    let evidence = [
      Exhibit(
        Citation(
          source: "kubernetes", locator: "endpointslices.discovery.k8s.io of \(port.namespace)/\(port.service)",
          field: "endpoints", value: counts, at: world.now)), exhibit(hop),
    ]
    if isNone {
      return RootCause(
        "packets/no-endpoints", layer: .kubernetes, entity: entity,
        statement: "service \(port.title) has no ready endpoints, and so nodes refuse connections to it",
        evidence: evidence,
        fixes: [
          Fix(
            "make its pods ready, or its selector and port names match them", owner: "hand",
            touches: [entity.title], verify: "\(world.target.kubectl) -n \(port.namespace) get endpointslices")
        ])
    }
    let field = packet.destinationPort == port.nodePort ? "externalTrafficPolicy" : "internalTrafficPolicy"
    return RootCause(
      "packets/no-local-endpoints", layer: .kubernetes, entity: entity,
      statement:
        "service \(port.title) has \(field) Local and no endpoint on node \(node), and so the node drops connections to it",
      evidence: evidence,
      fixes: [
        Fix(
          "sends to endpoints of all nodes\(field == "externalTrafficPolicy" ? "; pods then see the node's address as the client's" : "")",
          command:
            "\(world.target.kubectl) -n \(port.namespace) patch service \(port.service) -p '{\"spec\":{\"\(field)\":\"Cluster\"}}'",
          owner: "hand", touches: [entity.title],
          undo:
            "\(world.target.kubectl) -n \(port.namespace) patch service \(port.service) -p '{\"spec\":{\"\(field)\":\"Local\"}}'",
          expectWithin: "10s")
      ])
  }

  /// The root of a walk that stops, with a fix whose writing needs to know who owns what it changes.
  func cause(of walk: PacketWalk) async -> RootCause? {
    guard let root = root(of: walk) else { return nil }
    return await adapted(root, walk)
  }

  private func adapted(_ root: RootCause, _ walk: PacketWalk) async -> RootCause {
    if let hop = walk.last, hop.kind == .policyDenied, let denial = denial(hop), await denial.gap() == nil {
      return await denial.root(exhibit(hop))
    }
    var root = root
    if root.code == "packets/tcp-early-demux", reading.settings.value?.disablesEarlyDemux == true {
      let node = source.node ?? target.node ?? ""
      root.fixes = [
        Fix(
          "the DaemonSet sets DISABLE_TCP_EARLY_DEMUX already; aws-node of this node is older than that and is made anew",
          command:
            "\(world.target.kubectl) -n kube-system delete pod -l k8s-app=aws-node --field-selector spec.nodeName=\(node)",
          owner: "hand", touches: ["aws-node on \(node)"], restarts: true,
          verify: "ekswhy trace \(source.title) \(target.title)", expectWithin: "2m")
      ]
    } else if root.code == "packets/tcp-early-demux" {
      let owner = await FieldOwner.environment(of: "DISABLE_TCP_EARLY_DEMUX", in: world)
      root.evidence += owner.evidence
      root.fixes = [
        owner.fix(
          setting: ["DISABLE_TCP_EARLY_DEMUX": "true"], previous: ["DISABLE_TCP_EARLY_DEMUX": "false"], ofInit: true,
          "lets the kernel route every packet; the init container of aws-node sets it",
          verify: "ekswhy trace \(source.title) \(target.title)", world)
      ]
    }
    return root
  }
}
