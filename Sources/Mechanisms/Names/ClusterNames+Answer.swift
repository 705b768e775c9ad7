import Wire

extension ClusterNames {
  /// Makes the answers of one question.
  struct Answer {
    let question: DNSQuestion
    let settings: CorePlugins.Kubernetes
    let zone: String
    var citations: [Citation?] = []

    func because(_ code: String, _ text: String) -> Because {
      Because("names/cluster-names/\(code)", text, evidence: citations)
    }

    /// CoreDNS numbers it by the time of the last change; nobody reads it.
    var soa: DNSRecord {
      DNSRecord(zone, .soa, settings.ttl, "ns.dns.\(zone). hostmaster.\(zone). 1 7200 1800 86400 \(settings.ttl)")
    }

    func missing(_ code: String, _ text: String) -> Verdict<Outcome, Because> {
      let reason = because(code, text)
      if settings.through.contains(where: { DNSName.isWithin(question.name, $0) }) {
        return .yes(.fallsThrough, [reason])
      }
      return .yes(.reply(DNSReply(.nameError, authoritative: true, authority: [soa])), [reason])
    }

    func empty(_ code: String, _ text: String) -> Verdict<Outcome, Because> {
      .yes(.reply(DNSReply(authoritative: true, authority: [soa])), [because(code, text)])
    }

    func records(_ records: [DNSRecord], _ code: String, _ text: String) -> Verdict<Outcome, Because> {
      .yes(.reply(DNSReply(authoritative: true, answers: records)), [because(code, text)])
    }

    func pointers(_ records: [DNSRecord]) -> Verdict<Outcome, Because> {
      guard question.type == .ptr else { return empty("reverse", "the address has a name") }
      return self.records(records, "reverse", "the address is \(records.map(\.data).joined(separator: ", "))")
    }

    static func hostname(_ endpoint: Endpoint, _ settings: CorePlugins.Kubernetes) -> String {
      if !endpoint.hostname.isEmpty { return endpoint.hostname }
      if settings.usesPodNames, !endpoint.pod.isEmpty { return endpoint.pod }
      let dashed = endpoint.address.replacing(".", with: "-").replacing(":", with: "-")
      return dashed.hasSuffix("-") ? dashed + "0" : dashed
    }

    func addresses(
      _ endpoints: [Endpoint], isService: Bool, _ code: String, _ text: String
    ) -> Verdict<Outcome, Because> {
      let wanted: DNSType? = question.type == .a || question.type == .aaaa ? question.type : nil
      var seen: Set<String> = []
      let unique = endpoints.filter { seen.insert($0.address).inserted }
      func type(_ address: String) -> DNSType { address.contains(":") ? .aaaa : .a }
      if let wanted {
        let records = unique.filter { type($0.address) == wanted }.map {
          DNSRecord(question.name, wanted, settings.ttl, $0.address)
        }
        guard !records.isEmpty else { return empty(code, text) }
        return self.records(records, code, text)
      }
      guard question.type == .srv else { return empty(code, text) }
      var (records, extra): ([DNSRecord], [DNSRecord]) = ([], [])
      let count = endpoints.reduce(0) { $0 + max($1.ports.count, 1) }
      let weight = max(1, 100 / max(count, 1))
      for endpoint in endpoints {
        let host = isService ? serviceName : "\(Self.hostname(endpoint, settings)).\(serviceName)"
        for port in endpoint.ports {
          records.append(DNSRecord(question.name, .srv, settings.ttl, "0 \(weight) \(port.number) \(host)"))
        }
        let record = DNSRecord(host, type(endpoint.address), settings.ttl, endpoint.address)
        if !extra.contains(record) { extra.append(record) }
      }
      guard !records.isEmpty else { return empty(code, text) }
      return .yes(
        .reply(DNSReply(authoritative: true, answers: records, additional: extra)), [because(code, text)])
    }

    /// The service's own name, without ports or endpoints before it.
    private var serviceName: String {
      guard case .service(let name, let namespace, _, _, _) = ClusterQuery(question.name, zone: zone) else {
        return question.name
      }
      return "\(name).\(namespace).svc.\(zone)"
    }
  }
}
