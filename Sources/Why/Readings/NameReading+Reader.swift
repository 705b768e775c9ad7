import Evidence
import Mechanisms
import Wire

extension Investigation {
  /// Walks the way of a name from a pod's resolver to whoever answers. Nil where there is no such pod.
  func names(_ name: String, namespace: String, from asker: String) async -> (reading: NameReading?, gap: Gap?) {
    var pod = JSON.null
    if !asker.isEmpty {
      let found = await object(.pods, namespace: namespace, name: asker)
      guard let item = found.first else { return (nil, found.gap) }
      pod = item
    }
    async let networkRead = vpcNames()
    async let servicesRead = list(.services)
    async let slicesRead = list(.endpointSlices)
    async let namespacesRead = list(.namespaces)
    let (network, services, slices) = await (networkRead, servicesRead, slicesRead)
    let namespaces = await namespacesRead
    let dnsService = services.items.first {
      $0["metadata"]["name"].string == "kube-dns" && $0["metadata"]["namespace"].string == "kube-system"
    }
    let address = dnsService?["spec"]["clusterIP"].string
    let usual = Self.usual(await cluster().first)
    let clusterDNS: Fact<[String]> =
      address.map { .known([$0]) } ?? services.gap.map { .unknown($0) } ?? .known(usual)
    let asked: JSON =
      pod.isNull ? ["metadata": ["namespace": .string(namespace)], "spec": ["dnsPolicy": "ClusterFirst"]] : pod
    let source: Source =
      pod.isNull
      ? .world
      : .read(
        Cite.object(
          pod, "Pod", resource: .pods, field: "spec.dnsPolicy",
          value: pod["spec"]["dnsPolicy"].string ?? "ClusterFirst",
          at: now))
    let resolver = PodResolver.decide(
      .read(pod: asked, source: source, clusterDNS: clusterDNS, node: .known(network.node)))
    let configuration = resolver.value?.configuration ?? ResolverConfiguration()
    let server = await self.server(
      configuration.nameservers.first ?? "", dnsService ?? .null, slices, network, services)
    let walk = NameWalk(
      network: network, server: server, name: DNSName.canonical(name), services: services, slices: slices,
      namespaces: namespaces, clientNamespace: namespace)
    var answers: [StubQuery: CoreDNS.Answer] = [:]
    var gaps: [Gap] = resolver.gaps
    let trace = StubLookup.trace(name, configuration) { query in
      let answer = walk.answer(query)
      answers[query] = answer.answer
      gaps += answer.answer?.gaps ?? []
      return answer.heard
    }
    return (
      NameReading(
        name: name, namespace: namespace, pod: pod, resolver: resolver, trace: trace, answers: answers, server: server,
        gaps: gaps, services: services.items, slices: slices.items, network: network), nil
    )
  }

  /// Where nobody says: the tenth address of the cluster's services.
  private static func usual(_ cluster: JSON?) -> [String] {
    guard let block = cluster?["kubernetesNetworkConfig"]["serviceIpv4Cidr"].string.flatMap({ CIDR($0) }) else {
      return []
    }
    return ["\(block.base + 10)"]
  }

  private func server(
    _ address: String, _ service: JSON, _ slices: Found, _ network: VPCReading, _ services: Found
  ) async -> DNSServerReading {
    var kind = DNSServerReading.Kind.other
    if service["spec"]["clusterIP"].string == address { kind = .cluster }
    if address == network.resolver || address == VPCResolver.linkLocal { kind = .vpc }
    if kind == .other, network.endpoint != nil, !services.items.isEmpty, service.isNull { kind = .cluster }
    var reading = DNSServerReading(
      address: address, kind: kind, service: service, pods: [], ready: [], deployment: .null, text: .known(nil),
      corefile: .no([]), resolver: network.node)
    guard kind == .cluster else { return reading }
    let own = slices.items.filter {
      $0["metadata"]["namespace"].string == "kube-system"
        && $0["metadata"]["labels"]["kubernetes.io/service-name"].string == "kube-dns"
    }
    reading.ready = ClusterNames.Endpoint.read(slices: own).filter(\.isReady).map(\.address)
    let deployment = await object(.deployments, namespace: "kube-system", name: "coredns")
    reading.deployment = deployment.first ?? .null
    let selector = service["spec"]["selector"].stringMap
    let pods = await list(.pods, namespace: "kube-system")
    reading.pods = pods.items.filter { pod in
      !selector.isEmpty && selector.allSatisfy { pod["metadata"]["labels"][$0.key].string == $0.value }
    }
    reading.unread = [pods.gap, deployment.gap].compactMap { $0 }
    let map = await object(.configMaps, namespace: "kube-system", name: "coredns")
    if let gap = map.gap, map.first == nil {
      reading.text = .unknown(gap)
    } else if let object = map.first, object["data"].isNull, !object["metadata"].isNull {
      reading.text = .unknown(
        Gap(
          read: "kubernetes:get configmaps/coredns -n kube-system", why: "the bundle has it without its data",
          how: "kubectl -n kube-system get configmap coredns -o yaml"))
    } else {
      let citation = Cite.object(
        map.first ?? ["metadata": ["name": "coredns", "namespace": "kube-system"]], "ConfigMap", resource: .configMaps,
        field: "data.Corefile", at: map.at)
      reading.text = .known(map.first?["data"]["Corefile"].string, .read(citation))
    }
    // Without its template, whose resolv.conf its pods have can't be told.
    guard !reading.pods.isEmpty || reading.unread.isEmpty else {
      reading.corefile = .open(reading.unread)
      return reading
    }
    // CoreDNS's own pods have the node's resolv.conf unless their template says otherwise.
    let template = reading.pods.first ?? reading.deployment["spec"]["template"]
    let own2 = PodResolver.decide(
      .read(
        pod: template, source: .world, clusterDNS: .known([address]), node: .known(network.node)))
    if let made = own2.value?.configuration { reading.resolver = made }
    reading.corefile = CorefileRule.decide(.init(text: reading.text, resolver: .known(reading.resolver)))
    return reading
  }
}

/// Answers queries from what was read, as the servers would.
struct NameWalk {
  let network: VPCReading
  let server: DNSServerReading
  /// The name that is asked for, canonical.
  let name: String
  let services: Investigation.Found
  let slices: Investigation.Found
  let namespaces: Investigation.Found
  let clientNamespace: String

  func answer(_ query: StubQuery) -> (heard: StubAnswer, answer: CoreDNS.Answer?) {
    switch server.kind {
    case .vpc:
      switch askVPC(query.question) {
      case .reply(let reply):
        return (.reply(reply), CoreDNS.Answer(reply: reply, plugin: "vpc", reasons: reasons(query.question)))
      case .open(let gaps): return (.silence, CoreDNS.Answer(reply: nil, plugin: "vpc", gaps: gaps))
      default: return (.silence, CoreDNS.Answer(reply: nil, plugin: "vpc", reasons: reasons(query.question)))
      }
    case .other:
      let gap = Gap(
        read: "DNS of \(query.server)", why: "what this server answers stands in no API",
        how: "dig @\(query.server) \(name)")
      return (.silence, CoreDNS.Answer(reply: nil, plugin: "other", gaps: [gap]))
    case .cluster: break
    }
    guard !server.ready.isEmpty else {
      if let gap = slices.gap { return (.silence, CoreDNS.Answer(reply: nil, plugin: "kube-dns", gaps: [gap])) }
      return (.refused, nil)
    }
    guard let file = server.corefile.value else {
      // The pods that run keep the file before; what it was, nobody has written down.
      let gap =
        server.corefile.gaps.first
        ?? Gap(
          read: "the Corefile by which CoreDNS runs", why: "the ConfigMap has another, which CoreDNS refuses",
          how: "put the ConfigMap right")
      return (.silence, CoreDNS.Answer(reply: nil, plugin: "corefile", gaps: [gap]))
    }
    var dns = CoreDNS(file, address: server.ready[0])
    dns.clientNamespace = clientNamespace
    var askedOfVPC: DNSQuestion?
    var answer = dns.answer(
      query.question, cluster: { facts($0, $1) },
      upstream: { address, question in
        if address == network.resolver || address == VPCResolver.linkLocal {
          askedOfVPC = question
          return askVPC(question)
        }
        if address.hasPrefix("127.") || server.ready.contains(address) || address == server.address { return .silence }
        return .open([
          Gap(
            read: "DNS of \(address)", why: "what this server answers stands in no API",
            how: "dig @\(address) \(question.name)")
        ])
      })
    // Why the VPC's resolver says so is what decides.
    if let askedOfVPC { answer.reasons += reasons(askedOfVPC) }
    guard let reply = answer.reply else { return (.silence, answer) }
    // The library asks again after five seconds, while CoreDNS still waits.
    return (answer.delay >= .seconds(5) ? .silence : .reply(reply), answer)
  }

  // MARK: - The VPC

  private func verdict(_ question: DNSQuestion) -> Verdict<VPCResolver.Outcome, Because> {
    VPCResolver.decide(
      .init(
        question: .known(question), region: .known(network.region), support: network.support,
        hostnames: network.hostnames, blocks: network.blocks, zones: network.zones, publicly: publicly(question)))
  }

  private func reasons(_ question: DNSQuestion) -> [Because] { verdict(question).reasons }

  private func askVPC(_ question: DNSQuestion) -> CoreDNS.Upstream {
    let verdict = verdict(question)
    switch verdict.value {
    case .reply(let reply)?: return .reply(reply)
    case .silence?, .forwards?: return .silence
    case nil: return .open(verdict.gaps)
    }
  }

  /// What the public DNS says is not read: the name as it was asked for is taken to be there, others are not.
  private func publicly(_ question: DNSQuestion) -> Fact<DNSReply> {
    if let endpoint = network.endpoint, endpoint.host == question.name {
      var reply = endpoint.publicly(question)
      for index in reply.answers.indices where endpoint.isPublic { reply.answers[index].data = Self.publicAddress }
      return .known(reply)
    }
    guard question.name == name, name.contains(".") else { return .known(DNSReply(.nameError)) }
    guard question.type == .a else { return .known(DNSReply()) }
    return .known(DNSReply(answers: [DNSRecord(question.name, .a, 60, Self.publicAddress)]))
  }

  static let publicAddress = "its public address"

  // MARK: - The cluster

  private func facts(_ question: DNSQuestion, _ settings: CorePlugins.Kubernetes) -> ClusterNames.Facts {
    var facts = ClusterNames.Facts(question: .known(question), settings: .known(settings))
    let zone = DNSName.zone(of: question.name, among: settings.zones) ?? settings.primaryZone
    func hasNamespace(_ name: String) -> Fact<Bool> {
      if namespaces.items.contains(where: { $0["metadata"]["name"].string == name }) { return .known(true) }
      return namespaces.gap.map { .unknown($0) } ?? .known(false)
    }
    switch ClusterQuery(question.name, zone: zone) {
    case .namespace(let name), .pod(_, let name): facts.hasNamespace = hasNamespace(name)
    case .service(let name, let namespace, _, _, _):
      facts.hasNamespace = hasNamespace(namespace)
      let found = services.items.first {
        $0["metadata"]["name"].string == name && $0["metadata"]["namespace"].string == namespace
      }
      if let found {
        let citation = Cite.object(
          found, "Service", resource: .services, field: "spec.clusterIP",
          value: found["spec"]["clusterIP"].string ?? found["spec"]["externalName"].string ?? "", at: services.at)
        facts.service = .known(ClusterNames.Service(found), .read(citation))
      } else if let gap = services.gap {
        facts.service = .unknown(gap)
      } else {
        facts.service = .known(
          nil,
          .read(
            Citation(
              source: "kubernetes", locator: "services/\(namespace)/\(name)", value: "does not exist", at: services.at))
        )
      }
      let own = slices.items.filter {
        $0["metadata"]["namespace"].string == namespace
          && $0["metadata"]["labels"]["kubernetes.io/service-name"].string == name
      }
      let endpoints = ClusterNames.Endpoint.read(slices: own)
      let ready = endpoints.count(where: \.isReady)
      facts.endpoints =
        slices.gap.map { .unknown($0) }
        ?? .known(
          endpoints,
          .read(
            Citation(
              source: "kubernetes", locator: "endpointslices.discovery.k8s.io/\(namespace)/\(name)", field: "endpoints",
              value: "\(ready) of \(endpoints.count) ready", at: slices.at)))
    default: break
    }
    return facts
  }
}
