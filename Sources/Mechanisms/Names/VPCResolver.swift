package import Wire

/// What the resolver of a VPC (its base address + 2, also 169.254.169.253) answers.
///
/// Source: VPC guide, DNS attributes; Route 53 developer guide, private hosted zones and Resolver rules.
package enum VPCResolver: Rule {
  package static let name = "names/vpc-resolver"

  /// Packets a second that a network interface may send to it; what is more is dropped without a word.
  package static let packetLimit = 1024
  package static let linkLocal = "169.254.169.253"

  /// A private zone that the VPC sees: one of Route 53's, or one that AWS made for an endpoint or a cluster.
  package struct Zone: Hashable, Sendable {
    package enum Origin: Hashable, Sendable {
      case hosted(id: String)
      case endpoint(id: String)
      case cluster(name: String)
    }

    /// Canonical.
    package var name: String
    package var origin: Origin
    package var records: [DNSRecord]

    package init(name: String, origin: Origin, records: [DNSRecord]) {
      self.name = DNSName.canonical(name)
      self.origin = origin
      self.records = records
    }

    package var title: String {
      switch origin {
      case .hosted(let id): "private hosted zone \(name) (\(id))"
      case .endpoint(let id): "the private DNS of \(id)"
      case .cluster(let cluster): "the private zone that EKS made for the endpoint of cluster \(cluster)"
      }
    }
  }

  /// A Resolver rule that is associated with the VPC.
  package struct ForwardRule: Hashable, Sendable {
    package var id: String
    package var domain: String
    /// Empty for a rule of type SYSTEM, which takes its domain out of a wider one.
    package var targets: [String]

    package init(id: String, domain: String, targets: [String]) {
      self.id = id
      self.domain = DNSName.canonical(domain)
      self.targets = targets
    }
  }

  package struct Facts: FactSet {
    package var question: Fact<DNSQuestion>
    package var region: Fact<String>
    /// `enableDnsSupport`.
    package var support: Fact<Bool>
    /// `enableDnsHostnames`.
    package var hostnames: Fact<Bool>
    package var blocks: Fact<[CIDR]>
    package var zones: Fact<[Zone]>
    package var rules: Fact<[ForwardRule]>
    /// What the public DNS answers.
    package var publicly: Fact<DNSReply>

    package init(
      question: Fact<DNSQuestion>, region: Fact<String>, support: Fact<Bool>, hostnames: Fact<Bool>,
      blocks: Fact<[CIDR]>, zones: Fact<[Zone]>, rules: Fact<[ForwardRule]> = .known([]), publicly: Fact<DNSReply>
    ) {
      self.question = question
      self.region = region
      self.support = support
      self.hostnames = hostnames
      self.blocks = blocks
      self.zones = zones
      self.rules = rules
      self.publicly = publicly
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.question), hider(\.region), hider(\.support), hider(\.hostnames), hider(\.blocks), hider(\.zones),
      hider(\.rules), hider(\.publicly),
    ]
  }

  package enum Outcome: Hashable, Sendable {
    case reply(DNSReply)
    /// Nothing comes back.
    case silence
    /// Sent on to servers of one's own.
    case forwards(to: [String])
  }

  package static func decide(_ facts: Facts) -> Verdict<Outcome, Because> {
    guard let question = facts.question.value else { return .open([facts.question.gap!]) }
    guard let support = facts.support.value else { return .open([facts.support.gap!]) }
    guard support else {
      return .yes(
        .silence,
        [because("no-support", "enableDnsSupport is off: the VPC's resolver answers nothing", facts.support.citation)])
    }
    // Private zones take both attributes.
    guard let hostnames = facts.hostnames.value else { return .open([facts.hostnames.gap!]) }
    guard let rules = facts.rules.value else { return .open([facts.rules.gap!]) }
    guard let zones = facts.zones.value else { return .open([facts.zones.gap!]) }
    var reasons: [Because] = []
    let holding = zones.filter { DNSName.isWithin(question.name, $0.name) }
    let zone = hostnames ? holding.max { $0.name.utf8.count < $1.name.utf8.count } : nil
    if !hostnames, let ignored = holding.first {
      reasons.append(
        because(
          "no-hostnames", "enableDnsHostnames is off: \(ignored.title) isn't looked at", facts.hostnames.citation))
    }
    let rule = rules.filter { DNSName.isWithin(question.name, $0.domain) }.max {
      $0.domain.utf8.count < $1.domain.utf8.count
    }
    if let rule, !rule.targets.isEmpty, rule.domain.utf8.count >= zone?.name.utf8.count ?? 0 {
      reasons.append(
        because(
          "rule",
          "Resolver rule \(rule.id) sends \(rule.domain.isEmpty ? "all" : rule.domain) to \(rule.targets.joined(separator: ", "))",
          facts.rules.citation))
      return .yes(.forwards(to: rule.targets), reasons)
    }
    if let zone { return inside(zone, question, facts, reasons) }
    return outside(question, facts, reasons)
  }

  private static func because(_ code: String, _ text: String, _ citation: Citation?) -> Because {
    Because("names/vpc-resolver/\(code)", text, evidence: [citation])
  }

  private static func inside(
    _ zone: Zone, _ question: DNSQuestion, _ facts: Facts, _ reasons: [Because]
  ) -> Verdict<Outcome, Because> {
    let reply = zone.answer(to: question)
    let text =
      reply.code == .noError
      ? "\(zone.title) answers" : "\(zone.title) holds the name and has no such record; nobody else is asked then"
    return .yes(
      .reply(reply),
      reasons + [because(reply.code == .noError ? "zone" : "zone-without", text, facts.zones.citation)])
  }

  private static func outside(
    _ question: DNSQuestion, _ facts: Facts, _ reasons: [Because]
  ) -> Verdict<Outcome, Because> {
    guard let region = facts.region.value else { return .open([facts.region.gap!], reasons) }
    let own = internalDomain(region)
    let isReverse = DNSName.address(reversed: question.name) != nil
    if DNSName.isWithin(question.name, own) || isReverse {
      guard let blocks = facts.blocks.value else { return .open([facts.blocks.gap!], reasons) }
      if let reply = internalAnswer(question, own, blocks) {
        return .yes(
          .reply(reply), reasons + [because("internal", "a name of the VPC's own", facts.blocks.citation)])
      }
    }
    guard let reply = facts.publicly.value else { return .open([facts.publicly.gap!], reasons) }
    return .yes(
      .reply(reply),
      reasons + [because("public", "answered by the public DNS: \(reply.code.rawValue)", facts.publicly.citation)])
  }

  package static func internalDomain(_ region: String) -> String {
    region == "us-east-1" ? "ec2.internal" : "\(region).compute.internal"
  }

  /// `ip-10-0-1-23.…` and back. Nil for addresses that are none of the VPC's.
  private static func internalAnswer(_ question: DNSQuestion, _ own: String, _ blocks: [CIDR]) -> DNSReply? {
    let soa = DNSRecord(own, .soa, 60, "ns0.\(own). hostmaster.amazon.com. 2012103100 3600 3600 3600 60")
    if let address = DNSName.address(reversed: question.name) {
      guard blocks.contains(where: { $0.contains(address) }) else { return nil }
      guard question.type == .ptr else { return DNSReply(authority: [soa]) }
      return DNSReply(answers: [DNSRecord(question.name, .ptr, 60, "ip-\(address.dashed).\(own)")])
    }
    let label = question.name.dropLast(own.utf8.count + 1)
    guard label.hasPrefix("ip-"), let address = IPv4Address(label.dropFirst(3).replacing("-", with: ".")),
      blocks.contains(where: { $0.contains(address) })
    else { return DNSReply(.nameError, authority: [soa]) }
    guard question.type == .a else { return DNSReply(authority: [soa]) }
    return DNSReply(answers: [DNSRecord(question.name, .a, 60, address.description)])
  }
}

extension VPCResolver.Zone {
  /// What a zone answers to a name in it: its records, a wildcard's, or that there is none.
  package func answer(to question: DNSQuestion) -> DNSReply {
    let soa =
      records.first { $0.type == .soa }
      ?? DNSRecord(name, .soa, 900, "ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400")
    var found = records.filter { $0.name == question.name }
    if found.isEmpty {
      let wildcards = records.filter { $0.name.hasPrefix("*.") && question.name.hasSuffix($0.name.dropFirst()) }
      let longest = wildcards.map { $0.name.utf8.count }.max()
      found = wildcards.filter { $0.name.utf8.count == longest }.map {
        DNSRecord(question.name, $0.type, $0.seconds, $0.data)
      }
    }
    guard !found.isEmpty else {
      let hasBelow = records.contains { $0.name.hasSuffix("." + question.name) }
      return DNSReply(hasBelow || question.name == name ? .noError : .nameError, authority: [soa])
    }
    let exact = found.filter { $0.type == question.type || question.type == .any }
    if !exact.isEmpty { return DNSReply(answers: exact) }
    if let alias = found.first(where: { $0.type == .cname }), question.type != .cname {
      let target = records.filter { $0.name == alias.data && $0.type == question.type }
      return DNSReply(answers: [alias] + target)
    }
    return DNSReply(authority: [soa])
  }
}
