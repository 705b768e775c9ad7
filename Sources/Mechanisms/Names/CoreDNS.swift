import Wire

/// How CoreDNS comes to an answer: the plugins of the server block whose zone fits, one after the other.
///
/// Source: coredns/coredns `core/dnsserver/server.go` and the plugins' `ServeDNS`, v1.11.
package struct CoreDNS {
  /// What a server answers to what CoreDNS forwards.
  package enum Upstream: Sendable, Equatable {
    case reply(DNSReply)
    case refused
    case silence
    /// Not to be told without these.
    case open([Gap])
  }

  package struct Answer: Sendable {
    /// Nil where facts are missing.
    package var reply: DNSReply?
    /// The plugin that had it.
    package var plugin: String
    /// How long it took, beyond the network's own time.
    package var delay: Duration = .zero
    package var reasons: [Because] = []
    package var gaps: [Gap] = []
    /// What plugin `errors` writes, without level and name of the plugin.
    package var errors: [String] = []
    /// Questions that went to other servers.
    package var forwarded: [DNSQuestion] = []

    package init(
      reply: DNSReply?, plugin: String, delay: Duration = .zero, reasons: [Because] = [], gaps: [Gap] = []
    ) {
      self.reply = reply
      self.plugin = plugin
      self.delay = delay
      self.reasons = reasons
      self.gaps = gaps
    }
  }

  package let corefile: Corefile
  /// The address it sends from.
  package let address: String
  /// Namespace of the pod that asks, where it is one's; for `autopath`.
  package var clientNamespace: String?
  /// Queries under way to other servers.
  package var inFlight = 0

  package init(_ corefile: Corefile, address: String) {
    self.corefile = corefile
    self.address = address
  }

  private static let aliasLimit = 8

  package func answer(
    _ question: DNSQuestion, cluster: (DNSQuestion, CorePlugins.Kubernetes) -> ClusterNames.Facts,
    upstream: (String, DNSQuestion) -> Upstream
  ) -> Answer {
    answer(question, depth: 0, cluster, upstream)
  }

  private func answer(
    _ question: DNSQuestion, depth: Int, _ cluster: (DNSQuestion, CorePlugins.Kubernetes) -> ClusterNames.Facts,
    _ upstream: (String, DNSQuestion) -> Upstream
  ) -> Answer {
    guard let server = corefile.server(for: question.name) else {
      return Answer(
        reply: DNSReply(.refused), plugin: "server",
        reasons: [Because("names/coredns/no-zone", "no server block of the Corefile holds \(question.name)")])
    }
    let plugins = server.plugins
    var reasons: [Because] = []
    let (asked, isReverted) = Self.rewritten(question, plugins.rewrites, &reasons)
    var answer: Answer
    if let paths = autopath(asked, plugins) {
      answer = search(asked, paths, server, depth, cluster, upstream)
    } else {
      answer = walk(asked, server, depth, cluster, upstream)
    }
    if asked != question, isReverted, answer.reply != nil {
      for index in answer.reply!.answers.indices where answer.reply!.answers[index].name == asked.name {
        answer.reply!.answers[index].name = question.name
      }
    }
    answer.reasons = reasons + answer.reasons
    return answer
  }

  // MARK: - The chain

  private func walk(
    _ question: DNSQuestion, _ server: CoreServer, _ depth: Int,
    _ cluster: (DNSQuestion, CorePlugins.Kubernetes) -> ClusterNames.Facts,
    _ upstream: (String, DNSQuestion) -> Upstream
  ) -> Answer {
    let plugins = server.plugins
    var reasons: [Because] = []
    for template in plugins.templates {
      if let reply = template.answer(to: question) {
        return Answer(
          reply: reply, plugin: "template",
          reasons: [Because("names/coredns/template", "a template of the Corefile answers it")])
      }
    }
    if let hosts = plugins.hosts, DNSName.zone(of: question.name, among: hosts.zones) != nil {
      if let reply = hosts.answer(to: question) {
        return Answer(
          reply: reply, plugin: "hosts",
          reasons: [
            Because(
              "names/coredns/hosts",
              reply.code == .noError
                ? "the hosts plugin of the Corefile has it"
                : "the hosts plugin of the Corefile holds the zone without a fallthrough, and has no such name")
          ])
      }
    }
    if let settings = plugins.kubernetes, DNSName.zone(of: question.name, among: settings.zones) != nil {
      let verdict = ClusterNames.decide(cluster(question, settings))
      reasons += verdict.reasons
      guard let outcome = verdict.value else {
        return Answer(reply: nil, plugin: "kubernetes", reasons: reasons, gaps: verdict.gaps)
      }
      switch outcome {
      case .reply(let reply): return Answer(reply: reply, plugin: "kubernetes", reasons: reasons)
      case .alias(let reply, let target):
        guard depth < Self.aliasLimit else { return Answer(reply: reply, plugin: "kubernetes", reasons: reasons) }
        var next = answer(DNSQuestion(target, question.type), depth: depth + 1, cluster, upstream)
        next.reasons = reasons + next.reasons
        if let found = next.reply {
          next.reply =
            found.code == .serverFailure
            ? DNSReply(.noError, authoritative: true)
            : DNSReply(authoritative: true, answers: reply.answers + found.answers)
        }
        return next
      case .fallsThrough: break
      }
    }
    for forward in plugins.forwards where forward.takes(question.name) {
      var answer = send(question, forward, upstream)
      answer.reasons = reasons + answer.reasons
      return answer
    }
    reasons.append(
      Because("names/coredns/no-plugin", "no plugin of the block \(server.title) answers \(question.name)"))
    return Answer(reply: DNSReply(.refused), plugin: "server", reasons: reasons)
  }

  /// Sends a question to the servers of `forward` until one answers or five seconds are over.
  private func send(
    _ question: DNSQuestion, _ forward: CorePlugins.Forward, _ upstream: (String, DNSQuestion) -> Upstream
  ) -> Answer {
    var answer = Answer(reply: nil, plugin: "forward")
    if forward.maxConcurrent > 0, inFlight >= forward.maxConcurrent {
      let text = "concurrent queries exceeded maximum \(forward.maxConcurrent)"
      answer.errors = ["5 \(question.name). \(question.type.rawValue): \(text)"]
      answer.reply = DNSReply(.refused)
      answer.reasons = [Because("names/coredns/max-concurrent", text)]
      return answer
    }
    let list = forward.servers.joined(separator: ", ")
    answer.forwarded = [question]
    var last = ""
    var index = 0
    // A port that is closed says so at once; the plugin asks on until its checks have found it down.
    var refusals = 0
    while answer.delay < CorePlugins.Forward.deadline, refusals < 2 * forward.servers.count {
      let server = forward.servers[index % forward.servers.count]
      index += 1
      switch upstream(server, question) {
      case .reply(let reply):
        answer.reply = reply
        answer.reasons.append(
          Because("names/coredns/forwarded", "forwarded to \(server), which answers \(reply.code.rawValue)"))
        return answer
      case .open(let gaps):
        answer.gaps = gaps
        answer.reasons.append(Because("names/coredns/forwarded", "forwarded to \(server)"))
        return answer
      case .silence:
        answer.delay += forward.readTimeout
        last = "read udp \(address):{port}->\(Self.withPort(server)): i/o timeout"
      case .refused:
        answer.delay += forward.healthCheck
        refusals += 1
        last = "read udp \(address):{port}->\(Self.withPort(server)): read: connection refused"
      }
    }
    answer.reply = DNSReply(.serverFailure)
    answer.errors = ["2 \(question.name). \(question.type.rawValue): \(last)"]
    answer.reasons.append(
      Because("names/coredns/upstream-silent", "forwarded to \(list): \(last.replacing(":{port}", with: ""))"))
    return answer
  }

  static func withPort(_ server: String) -> String {
    if server.contains(":"), IPv4Address(server.prefix { $0 != ":" }) != nil { return server }
    return server.contains(":") ? "[\(server)]:53" : "\(server):53"
  }

  // MARK: - Rewrites, autopath

  static func rewritten(
    _ question: DNSQuestion, _ rules: [CorePlugins.Rewrite], _ reasons: inout [Because]
  ) -> (DNSQuestion, isReverted: Bool) {
    var question = question
    var isReverted = false
    for rule in rules {
      guard let changed = rule.applied(to: question) else { continue }
      reasons.append(
        Because("names/coredns/rewrite", "a rewrite of the Corefile makes \(question.name) \(changed.name)"))
      question = changed
      isReverted = isReverted || rule.isReverted
      if !rule.continues { break }
    }
    return (question, isReverted)
  }

  /// The domains that are tried for a name of the client's first search domain; nil where it isn't done.
  private func autopath(_ question: DNSQuestion, _ plugins: CorePlugins) -> [String]? {
    guard let autopath = plugins.autopath, question.type == .a || question.type == .aaaa,
      DNSName.zone(of: question.name, among: autopath.zones) != nil
    else { return nil }
    var paths = autopath.searches
    if autopath.plugin == "kubernetes", let settings = plugins.kubernetes {
      // Only verified pods are known by their addresses.
      guard settings.pods == .verified, let namespace = clientNamespace else { return nil }
      let zone = settings.primaryZone
      paths = ["\(namespace).svc.\(zone)", "svc.\(zone)", zone, ""]
    }
    guard let first = paths.first, !first.isEmpty, question.name != first, DNSName.isWithin(question.name, first)
    else { return nil }
    return paths
  }

  private func search(
    _ question: DNSQuestion, _ paths: [String], _ server: CoreServer, _ depth: Int,
    _ cluster: (DNSQuestion, CorePlugins.Kubernetes) -> ClusterNames.Facts,
    _ upstream: (String, DNSQuestion) -> Upstream
  ) -> Answer {
    let base = String(question.name.dropLast(paths[0].utf8.count + 1))
    var first: Answer?
    for path in paths {
      let name = path.isEmpty ? base : "\(base).\(path)"
      var next = walk(DNSQuestion(name, question.type), server, depth, cluster, upstream)
      guard let reply = next.reply else { return next }
      if reply.code != .nameError {
        if name != question.name, !reply.answers.isEmpty {
          next.reply!.answers.insert(
            DNSRecord(question.name, .cname, reply.answers[0].seconds, name), at: 0)
        }
        next.reasons.insert(Because("names/coredns/autopath", "autopath tries \(name) for the client"), at: 0)
        return next
      }
      if first == nil { first = next }
    }
    return first ?? Answer(reply: DNSReply(.serverFailure), plugin: "autopath")
  }
}
