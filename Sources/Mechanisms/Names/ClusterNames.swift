import Wire

/// What the plugin `kubernetes` of CoreDNS says of a name in its zones.
///
/// Source: coredns/coredns `plugin/kubernetes/{kubernetes,handler,reverse}.go`, `plugin/backend_lookup.go`.
package enum ClusterNames: Rule {
  package static let name = "names/cluster-names"

  /// Of an EndpointSlice.
  package struct Endpoint: Hashable, Sendable {
    package var address: String
    package var isReady: Bool
    package var hostname: String
    package var pod: String
    /// Ports by name, with their transport.
    package var ports: [Port]

    package init(address: String, isReady: Bool, hostname: String = "", pod: String = "", ports: [Port] = []) {
      self.address = address
      self.isReady = isReady
      self.hostname = hostname
      self.pod = pod
      self.ports = ports
    }
  }

  package struct Port: Hashable, Sendable {
    package var name: String
    package var number: Int
    package var transport: String

    package init(name: String, number: Int, transport: String) {
      self.name = name
      self.number = number
      self.transport = transport
    }
  }

  package struct Service: Hashable, Sendable {
    package var name: String
    package var namespace: String
    package var type: String
    /// Empty for those without an address of their own.
    package var addresses: [String]
    package var isHeadless: Bool
    package var externalName: String
    package var ports: [Port]

    package init(
      name: String, namespace: String, type: String = "ClusterIP", addresses: [String] = [], isHeadless: Bool = false,
      externalName: String = "", ports: [Port] = []
    ) {
      self.name = name
      self.namespace = namespace
      self.type = type
      self.addresses = addresses
      self.isHeadless = isHeadless
      self.externalName = externalName
      self.ports = ports
    }
  }

  package struct Facts: FactSet {
    package var question: Fact<DNSQuestion>
    package var settings: Fact<CorePlugins.Kubernetes>
    /// Whether the namespace that the name has is there.
    package var hasNamespace: Fact<Bool>
    /// The service that the name has; nil where there is none. Of a reverse name: that with the address.
    package var service: Fact<Service?>
    /// Those of that service's slices. Of a reverse name: those with the address, and whose they are.
    package var endpoints: Fact<[Endpoint]>
    package var endpointOwner: Fact<Service?>
    /// Whether a pod of that namespace has the address; matters where pods are verified.
    package var hasPod: Fact<Bool>

    package init(
      question: Fact<DNSQuestion>, settings: Fact<CorePlugins.Kubernetes>, hasNamespace: Fact<Bool> = .known(true),
      service: Fact<Service?> = .known(nil), endpoints: Fact<[Endpoint]> = .known([]),
      endpointOwner: Fact<Service?> = .known(nil), hasPod: Fact<Bool> = .known(false)
    ) {
      self.question = question
      self.settings = settings
      self.hasNamespace = hasNamespace
      self.service = service
      self.endpoints = endpoints
      self.endpointOwner = endpointOwner
      self.hasPod = hasPod
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.question), hider(\.settings), hider(\.hasNamespace), hider(\.service), hider(\.endpoints),
      hider(\.endpointOwner), hider(\.hasPod),
    ]
  }

  package enum Outcome: Hashable, Sendable {
    case reply(DNSReply)
    /// An alias whose target is asked for next, with the records that lead to it.
    case alias(DNSReply, target: String)
    /// Not there, and the zone lets such names fall through to the next plugin.
    case fallsThrough
  }

  package static func decide(_ facts: Facts) -> Verdict<Outcome, Because> {
    guard let question = facts.question.value else { return .open([facts.question.gap!]) }
    guard let settings = facts.settings.value else { return .open([facts.settings.gap!]) }
    let zone = DNSName.zone(of: question.name, among: settings.zones) ?? settings.primaryZone
    var answer = Answer(question: question, settings: settings, zone: zone)
    switch ClusterQuery(question.name, zone: zone) {
    case .invalid: return answer.missing("invalid", "\(question.name) has no form that a name in \(zone) can have")
    case .apex:
      if question.type == .soa, question.name == zone { return answer.records([answer.soa], "zone", "the zone itself") }
      if question.type == .ns, question.name == zone {
        return answer.records(
          [DNSRecord(zone, .ns, settings.ttl, "ns.dns.\(zone)")], "zone", "the zone itself")
      }
      return answer.empty("zone", "the zone itself: there, without data")
    case .version:
      guard question.type == .txt else { return answer.missing("invalid", "only a TXT record has that name") }
      return answer.records(
        [DNSRecord(question.name, .txt, 28800, "\"1.1.0\"")], "version", "the version of the specification")
    case .namespace(let namespace):
      guard let isThere = exposed(namespace, facts, settings) else { return .open([facts.hasNamespace.gap!]) }
      guard isThere else { return answer.missing("no-namespace", "there is no namespace \(namespace)") }
      return answer.empty("namespace", "namespace \(namespace): there, without data")
    case .pod(let label, let namespace): return pod(label, namespace, facts, &answer)
    case .reverse(let address): return reverse(address, facts, &answer)
    case .service(let name, let namespace, let endpoint, let port, let transport):
      guard let isThere = exposed(namespace, facts, settings) else { return .open([facts.hasNamespace.gap!]) }
      guard isThere else { return answer.missing("no-namespace", "there is no namespace \(namespace)") }
      guard let found = facts.service.value else { return .open([facts.service.gap!]) }
      answer.citations = [facts.service.citation]
      guard let service = found else {
        return answer.missing("no-service", "there is no service \(name) in namespace \(namespace)")
      }
      return self.service(service, endpoint, port, transport, facts, &answer)
    }
  }

  private static func exposed(
    _ namespace: String, _ facts: Facts, _ settings: CorePlugins.Kubernetes
  ) -> Bool? {
    if !settings.namespaces.isEmpty, !settings.namespaces.contains(namespace) { return false }
    return facts.hasNamespace.value
  }

  // MARK: - Services

  private static func service(
    _ service: Service, _ endpoint: String?, _ port: String?, _ transport: String?, _ facts: Facts,
    _ answer: inout Answer
  ) -> Verdict<Outcome, Because> {
    let title = "service \(service.namespace)/\(service.name)"
    if service.type == "ExternalName" {
      if endpoint != nil || port != nil || !DNSName.isValid(service.externalName) {
        return answer.missing("external-name", "\(title) is an ExternalName and has nothing below it")
      }
      return external(service, title, &answer)
    }
    func fits(_ candidate: Port) -> Bool {
      (port == nil || port == candidate.name.lowercased())
        && (transport == nil || transport == candidate.transport.lowercased())
    }
    let needsEndpoints = service.isHeadless || endpoint != nil || answer.settings.ignoresEmpty
    var ready: [Endpoint] = []
    if needsEndpoints {
      guard let all = facts.endpoints.value else { return .open([facts.endpoints.gap!]) }
      answer.citations.append(facts.endpoints.citation)
      ready = answer.settings.hasEndpoints ? all.filter(\.isReady) : []
      if !service.isHeadless, ready.isEmpty, answer.settings.ignoresEmpty {
        return answer.missing("empty-service", "\(title) has no ready endpoint, and empty services are ignored")
      }
    }
    guard service.isHeadless || endpoint != nil else {
      let ports = service.ports.filter(fits)
      if ports.isEmpty { return answer.missing("no-port", "\(title) has no such port") }
      return answer.addresses(
        service.addresses.map { .init(address: $0, isReady: true, ports: ports) }, isService: true, "service",
        "\(title) has the address \(service.addresses.joined(separator: ", "))")
    }
    let chosen = ready.compactMap { candidate -> Endpoint? in
      if let endpoint, endpoint != Answer.hostname(candidate, answer.settings) { return nil }
      var candidate = candidate
      candidate.ports = candidate.ports.filter(fits)
      if port != nil, candidate.ports.isEmpty { return nil }
      return candidate
    }
    if chosen.isEmpty {
      if let endpoint { return answer.missing("no-endpoint", "\(title) has no ready endpoint \(endpoint)") }
      let count = facts.endpoints.value?.count ?? 0
      return answer.missing(
        "headless-empty",
        "\(title) is headless and none of its endpoints is ready (\(count == 0 ? "it has none" : "0 of \(count)"))")
    }
    return answer.addresses(
      chosen, isService: false, "headless", "\(title) is headless: the addresses of its ready endpoints")
  }

  private static func external(
    _ service: Service, _ title: String, _ answer: inout Answer
  ) -> Verdict<Outcome, Because> {
    let target = DNSName.canonical(service.externalName)
    let record = DNSRecord(answer.question.name, .cname, answer.settings.ttl, target)
    let reason = answer.because("external-name", "\(title) is an alias of \(target)")
    let reply = DNSReply(authoritative: true, answers: [record])
    switch answer.question.type {
    case .cname: return .yes(.reply(reply), [reason])
    case .a, .aaaa: return .yes(.alias(reply, target: target), [reason])
    default: return answer.empty("external-name", "\(title) is an alias of \(target)")
    }
  }

  // MARK: - Pods, addresses

  private static func pod(
    _ label: String, _ namespace: String, _ facts: Facts, _ answer: inout Answer
  ) -> Verdict<Outcome, Because> {
    guard answer.settings.pods != .disabled else {
      return answer.missing("pods-disabled", "names of pods are off: pods disabled")
    }
    guard let isThere = exposed(namespace, facts, answer.settings) else { return .open([facts.hasNamespace.gap!]) }
    guard isThere, let address = ClusterQuery.address(label: label) else {
      return answer.missing("no-pod", "\(label) is no address in a namespace that is there")
    }
    if answer.settings.pods == .verified {
      guard let hasPod = facts.hasPod.value else { return .open([facts.hasPod.gap!]) }
      answer.citations = [facts.hasPod.citation]
      guard hasPod else {
        return answer.missing("no-pod", "no pod of namespace \(namespace) has the address \(address)")
      }
    }
    return answer.addresses(
      [.init(address: address, isReady: true)], isService: true, "pod",
      answer.settings.pods == .insecure
        ? "the name says its address; pods insecure asks no further" : "a pod of \(namespace) has it")
  }

  private static func reverse(
    _ address: IPv4Address, _ facts: Facts, _ answer: inout Answer
  ) -> Verdict<Outcome, Because> {
    guard let service = facts.service.value else { return .open([facts.service.gap!]) }
    let zone = answer.settings.primaryZone
    func pointer(_ name: String) -> DNSRecord {
      DNSRecord(answer.question.name, .ptr, answer.settings.ttl, "\(name).svc.\(zone)")
    }
    if let service {
      return answer.pointers([pointer("\(service.name).\(service.namespace)")])
    }
    guard let endpoints = facts.endpoints.value else { return .open([facts.endpoints.gap!]) }
    guard let owner = facts.endpointOwner.value else { return .open([facts.endpointOwner.gap!]) }
    if let owner, !endpoints.isEmpty {
      return answer.pointers(
        endpoints.map { pointer("\(Answer.hostname($0, answer.settings)).\(owner.name).\(owner.namespace)") })
    }
    return answer.missing("no-address", "\(address) is no service's and no endpoint's")
  }
}
