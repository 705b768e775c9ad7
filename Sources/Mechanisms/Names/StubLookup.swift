import Wire

/// The C library whose resolver a program uses.
package enum StubLibrary: String, Codable, Sendable {
  case glibc
  case musl
}

/// One datagram with a question.
package struct StubQuery: Hashable, Codable, Sendable {
  package var server: String
  package var question: DNSQuestion

  package init(server: String, question: DNSQuestion) {
    self.server = server
    self.question = question
  }
}

package enum StubAnswer: Hashable, Codable, Sendable {
  case reply(DNSReply)
  /// The port is closed: the host says so at once.
  case refused
  /// Nothing came within the time.
  case silence
}

/// How `getaddrinfo` ends.
package enum StubResult: Hashable, Codable, Sendable {
  case addresses(v4: [String], v6: [String], name: String)
  /// EAI_NONAME.
  case unknownName
  /// EAI_NODATA.
  case noData
  /// EAI_AGAIN.
  case tryAgain
  /// EAI_FAIL.
  case failure

  /// `gai_strerror` of the library.
  package func text(_ library: StubLibrary) -> String? {
    switch (self, library) {
    case (.addresses, _): nil
    case (.unknownName, .glibc): "Name or service not known"
    case (.noData, .glibc): "No address associated with hostname"
    case (.tryAgain, .glibc): "Temporary failure in name resolution"
    case (.failure, .glibc): "Non-recoverable failure in name resolution"
    case (.unknownName, .musl): "Name does not resolve"
    case (.noData, .musl): "Name has no usable address"
    case (.tryAgain, .musl): "Try again"
    case (.failure, .musl): "Non-recoverable error"
    }
  }
}

/// One `getaddrinfo` of a program, between two of its turns: which names it tries, what it asks whom, and how
/// long it waits.
///
/// Sources: glibc `resolv/res_query.c`, `resolv/res_send.c`; musl `src/network/lookup_name.c`, `res_msend.c`.
package struct StubLookup: Codable, Sendable {
  package enum Step: Sendable {
    /// Sends these and waits for all their answers, at most that long.
    case ask([StubQuery], timeout: Duration)
    case done(StubResult)
  }

  package let library: StubLibrary
  package let configuration: ResolverConfiguration
  package let name: String
  package let families: [DNSType]
  /// Every datagram so far, in order.
  package private(set) var sent: [StubQuery] = []
  /// The names that are tried, in order.
  package let candidates: [String]

  private var current = 0
  private var attempt = 0
  private var server = 0
  /// Answers for the candidate at hand, by type.
  private var replies: [DNSType: DNSReply] = [:]
  private var sawNoData = false
  private var sawFailure = false
  /// How the name itself ended, where it was tried first.
  private var asIs: StubResult?
  private var hadSilence = false

  package init(
    _ name: String, _ configuration: ResolverConfiguration, library: StubLibrary = .glibc,
    families: [DNSType] = [.a, .aaaa]
  ) {
    self.library = library
    self.configuration = configuration
    self.name = name
    self.families = library == .glibc && configuration.has("no-aaaa") ? families.filter { $0 != .aaaa } : families
    candidates = StubLookup.candidates(name, configuration, library)
  }

  /// The names that a lookup tries as long as none answers.
  package static func candidates(
    _ name: String, _ configuration: ResolverConfiguration, _ library: StubLibrary
  ) -> [String] {
    let absolute = DNSName.canonical(name)
    if name.hasSuffix(".") { return [absolute] }
    let isDotted = DNSName.count(dotsIn: name) >= configuration.ndots
    let searched = configuration.searches.map { domain in
      domain == "." ? absolute : absolute + "." + DNSName.canonical(domain)
    }
    switch library {
    case .glibc:
      if isDotted { return [absolute] + searched.filter { $0 != absolute } }
      return searched.contains(absolute) ? searched : searched + [absolute]
    case .musl:
      // With enough dots it doesn't search at all.
      if isDotted { return [absolute] }
      return searched.filter { $0.utf8.count <= DNSName.limit } + [absolute]
    }
  }

  private var servers: [String] {
    let listed = Array(configuration.nameservers.prefix(3))
    return listed.isEmpty ? ["127.0.0.1"] : listed
  }

  private var attempts: Int {
    let told = configuration.number("attempts") ?? 2
    return library == .glibc ? min(max(told, 1), 5) : min(max(told, 1), 10)
  }

  private var seconds: Int {
    let told = configuration.number("timeout") ?? 5
    return library == .glibc ? min(max(told, 1), 30) : min(max(told, 1), 60)
  }

  private var isSequential: Bool {
    library == .glibc && (configuration.has("single-request") || configuration.has("single-request-reopen"))
  }

  // MARK: - Steps

  /// The first step.
  package mutating func begin() -> Step {
    if IPv4Address(name) != nil { return .done(.addresses(v4: [name], v6: [], name: name)) }
    guard DNSName.isValid(name), !DNSName.canonical(name).isEmpty, !candidates.isEmpty else {
      return .done(.unknownName)
    }
    return ask()
  }

  /// What comes after the answers to the last queries, in their order.
  package mutating func next(_ answers: [StubAnswer], to queries: [StubQuery]) -> Step {
    library == .glibc ? nextOfGlibc(answers, queries) : nextOfMusl(answers, queries)
  }

  private var open: [DNSType] { families.filter { replies[$0] == nil } }

  private mutating func ask() -> Step {
    let asked: [DNSType] = isSequential ? Array(open.prefix(1)) : open
    var queries: [StubQuery] = []
    switch library {
    case .glibc:
      queries = asked.map { StubQuery(server: servers[server], question: DNSQuestion(candidates[current], $0)) }
    case .musl:
      // All servers at once; the first usable answer counts.
      for type in asked {
        for address in servers {
          queries.append(StubQuery(server: address, question: DNSQuestion(candidates[current], type)))
        }
      }
    }
    sent += queries
    return .ask(queries, timeout: timeout)
  }

  private var timeout: Duration {
    switch library {
    case .glibc:
      let long = seconds << server
      return .seconds(max(server > 0 ? long / servers.count : long, 1))
    case .musl: return .milliseconds(seconds * 1000 / attempts)
    }
  }

  // MARK: - glibc

  private mutating func nextOfGlibc(_ answers: [StubAnswer], _ queries: [StubQuery]) -> Step {
    var isLost = false
    var isFailed = false
    for (answer, query) in zip(answers, queries) {
      switch answer {
      case .reply(let reply):
        switch reply.code {
        case .noError, .nameError: replies[query.question.type] = reply
        default: isFailed = true
        }
      case .refused: isLost = true
      case .silence:
        isLost = true
        hadSilence = true
      }
    }
    if !isLost, !isFailed, !open.isEmpty { return ask() }
    // One family answered and the other's server failed: what is there is taken.
    if open.isEmpty || (isFailed && !replies.isEmpty && !isLost) { return settle() }
    server += 1
    if server == servers.count {
      server = 0
      attempt += 1
    }
    if attempt < attempts { return ask() }
    return settle(failed: isFailed && !isLost)
  }

  /// The candidate at hand is through.
  private mutating func settle(failed: Bool = false) -> Step {
    let found = result
    if case .addresses = found { return .done(found) }
    if current == 0, DNSName.canonical(name) == candidates[0] { asIs = failed ? .tryAgain : found }
    let isUnheard = replies.isEmpty && !failed
    if isUnheard { return .done(.tryAgain) }
    if failed { sawFailure = true }
    if case .noData = found { sawNoData = true }
    current += 1
    replies = [:]
    (attempt, server) = (0, 0)
    guard current < candidates.count else { return .done(last(found, failed)) }
    return ask()
  }

  private func last(_ found: StubResult, _ failed: Bool) -> StubResult {
    if let asIs { return asIs }
    if DNSName.canonical(name) == candidates.last, !failed, case .noData = found { return .noData }
    if sawNoData { return .noData }
    if sawFailure { return .tryAgain }
    return .unknownName
  }

  private var result: StubResult {
    var (v4, v6): ([String], [String]) = ([], [])
    var final = candidates[current]
    for type in families {
      guard let reply = replies[type] else { continue }
      if type == .a { v4 = reply.addresses(.a) }
      if type == .aaaa { v6 = reply.addresses(.aaaa) }
      if let name = reply.answers.last(where: { $0.type == type })?.name { final = name }
    }
    if !v4.isEmpty || !v6.isEmpty { return .addresses(v4: v4, v6: v6, name: final) }
    return replies.values.contains { $0.code == .noError } ? .noData : .unknownName
  }

  // MARK: - musl

  private mutating func nextOfMusl(_ answers: [StubAnswer], _ queries: [StubQuery]) -> Step {
    for (answer, query) in zip(answers, queries) {
      guard case .reply(let reply) = answer, replies[query.question.type] == nil else { continue }
      switch reply.code {
      case .noError, .nameError: replies[query.question.type] = reply
      default: sawFailure = true
      }
    }
    if !open.isEmpty {
      attempt += 1
      if attempt < attempts { return ask() }
    }
    let found = result
    if case .addresses = found { return .done(found) }
    // A family without an answer ends all: nothing further is tried.
    guard open.isEmpty else { return .done(.tryAgain) }
    if case .noData = found { return .done(.noData) }
    current += 1
    replies = [:]
    attempt = 0
    guard current < candidates.count else { return .done(.unknownName) }
    return ask()
  }
}

extension StubLookup {
  /// A whole lookup at once, over an answerer that takes no time but where it is silent.
  package struct Trace: Sendable {
    package var result: StubResult
    package var queries: [StubQuery]
    package var answers: [StubAnswer]
    /// Spent waiting for answers that never came.
    package var waited: Duration
    /// The names that were tried.
    package var tried: [String]
  }

  package static func trace(
    _ name: String, _ configuration: ResolverConfiguration, library: StubLibrary = .glibc,
    families: [DNSType] = [.a, .aaaa], answer: (StubQuery) -> StubAnswer
  ) -> Trace {
    var lookup = StubLookup(name, configuration, library: library, families: families)
    var step = lookup.begin()
    var waited: Duration = .zero
    var heard: [StubAnswer] = []
    while true {
      switch step {
      case .done(let result):
        var tried: [String] = []
        for query in lookup.sent where tried.last != query.question.name { tried.append(query.question.name) }
        return Trace(result: result, queries: lookup.sent, answers: heard, waited: waited, tried: tried)
      case .ask(let queries, let timeout):
        let answers = queries.map(answer)
        heard += answers
        if answers.contains(.silence) { waited += timeout }
        step = lookup.next(answers, to: queries)
      }
    }
  }
}
