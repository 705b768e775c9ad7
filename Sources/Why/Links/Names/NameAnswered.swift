import Evidence
import Mechanisms
import Wire

/// A name resolves: to what, by whom, and in how many queries.
struct NameAnswered: NameLink {
  let code = "names/answered"
  let explains: [Effect.Kind] = [.nameLookup]

  func test(_ reading: NameReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard case .addresses(let v4, let v6, _) = reading.trace.result else {
      return reading.gaps.isEmpty ? .silent : .open(reading.unique)
    }
    var evidence = reading.resolverEvidence(world)
    evidence += reading.exhibits(reading.deciding?.answer.reasons ?? [])
    evidence += reading.tries(world)
    return .holds(
      Explanation(
        "\(reading.asker) gets \((v4 + v6).joined(separator: ", ")): \(reading.because); \(reading.counted)",
        entity: effect.entity, evidence: evidence, notNeeded: reading.publicGaps))
  }
}

extension NameReading {
  var unique: [Gap] {
    var seen: Set<Gap> = []
    return gaps.filter { seen.insert($0).inserted }
  }

  /// The last thing that was seen on the way to the answer.
  var because: String { deciding?.answer.reasons.last?.text ?? "its server says so" }

  /// `10 queries, A and AAAA for each of 5 names, since … ; 8 were answered NXDOMAIN`
  var counted: String {
    let queries = Count.of(trace.queries.count, "query", "queries")
    guard trace.tried.count > 1 else { return queries }
    let dots = DNSName.count(dotsIn: DNSName.canonical(name))
    let ndots = configuration.ndots
    var text = "\(queries), A and AAAA for each of \(trace.tried.count) names"
    if dots < ndots {
      text +=
        ", since it has \(Count.of(dots, "dot")) and ndots:\(ndots) lets names with fewer be tried with the search domains first"
    }
    if denied > 0 { text += "; \(denied) of them were answered NXDOMAIN" }
    if forwarded > 0, server.kind == .cluster {
      text +=
        "; \(forwarded) go on to \(server.corefile.value.map { _ in "other servers" } ?? "others") when nothing is cached"
    }
    if case .addresses = trace.result, trace.tried.last == DNSName.canonical(name), !name.hasSuffix(".") {
      text += ". \(name). with a dot at its end, or a lower ndots in the pod's dnsConfig, takes 2"
    }
    return text
  }

  func resolverEvidence(_ world: Investigation) -> [Exhibit] {
    let text =
      "resolv.conf of \(asker): nameserver \(configuration.nameservers.joined(separator: ", ")); search \(configuration.searches.joined(separator: " ")); options \(configuration.options.joined(separator: " "))"
    let citation = Citation(
      source: "kubernetes",
      locator: pod.isNull ? "namespaces/\(namespace)" : "pods/\(namespace)/\(pod["metadata"]["name"].string ?? "")",
      field: "spec.dnsPolicy", value: pod["spec"]["dnsPolicy"].string ?? "ClusterFirst", at: world.now)
    return [Exhibit(citation, text: text)]
  }

  /// What rules saw, with where they saw it.
  func exhibits(_ reasons: [Because]) -> [Exhibit] {
    reasons.flatMap { reason in reason.evidence.map { Exhibit($0) } }
  }

  /// Each name that was tried and what came back.
  func tries(_ world: Investigation) -> [Exhibit] {
    guard trace.tried.count > 1 else { return [] }
    var lines: [String] = []
    for name in trace.tried {
      var codes: [String] = []
      for (query, answer) in zip(trace.queries, trace.answers) where query.question.name == name {
        if case .reply(let reply) = answer, !codes.contains(reply.code.rawValue) { codes.append(reply.code.rawValue) }
      }
      lines.append("\(name) \(codes.isEmpty ? "no answer" : codes.joined(separator: "/"))")
    }
    return [
      Exhibit(
        Citation(source: "walk", locator: "names", field: "tried", value: lines.joined(separator: ", "), at: world.now),
        text: "names tried, in order: \(lines.joined(separator: "; "))")
    ]
  }

  /// The public DNS, where the answer is its.
  var publicGaps: [Gap] {
    guard case .addresses(let v4, _, _) = trace.result, v4.contains(NameWalk.publicAddress) else { return [] }
    return [Gap(read: "public DNS of \(name)", why: "ekswhy asks no name servers", how: "dig \(name)")]
  }
}
