import Mechanisms
import Testing
import Wire

@Suite struct StubLookupTests {
  static let pod = ResolverConfiguration(
    nameservers: ["10.100.0.10"],
    searches: ["app.svc.cluster.local", "svc.cluster.local", "cluster.local", "us-west-2.compute.internal"],
    options: ["ndots:5"])

  /// A world of two services and AWS: everything else isn't there.
  static func answer(_ query: StubQuery) -> StubAnswer {
    let there = [
      "web.app.svc.cluster.local", "web.other.svc.cluster.local", "sts.us-west-2.amazonaws.com", "a.b.c.d.e.com",
    ]
    guard there.contains(query.question.name) else { return .reply(DNSReply(.nameError)) }
    guard query.question.type == .a else { return .reply(DNSReply()) }
    return .reply(DNSReply(answers: [DNSRecord(query.question.name, .a, 5, "10.0.0.1")]))
  }

  @Test(arguments: [
    ("web", 1, 2), ("web.other", 2, 4), ("web.other.svc.cluster.local", 5, 10), ("web.other.svc.cluster.local.", 1, 2),
    ("sts.us-west-2.amazonaws.com", 5, 10), ("sts.us-west-2.amazonaws.com.", 1, 2), ("a.b.c.d.e.com", 1, 2),
  ])
  func countsQueries(_ name: String, tries: Int, queries: Int) {
    let trace = StubLookup.trace(name, Self.pod, answer: Self.answer)
    #expect(trace.tried.count == tries)
    #expect(trace.queries.count == queries)
    guard case .addresses = trace.result else { return #expect(Bool(false), "\(trace.result)") }
  }

  @Test func fewerDotsTakeNoSearch() {
    var one = Self.pod
    one.options = ["ndots:1"]
    #expect(StubLookup.trace("sts.us-west-2.amazonaws.com", one, answer: Self.answer).queries.count == 2)
  }

  /// The article's typing error: four suffixes and then the name itself, none there.
  @Test func missingNameTriesAll() {
    let trace = StubLookup.trace("goole.com", Self.pod, families: [.a]) { _ in .reply(DNSReply(.nameError)) }
    #expect(
      trace.tried == [
        "goole.com.app.svc.cluster.local", "goole.com.svc.cluster.local", "goole.com.cluster.local",
        "goole.com.us-west-2.compute.internal", "goole.com",
      ])
    #expect(trace.result == .unknownName)
    #expect(trace.result.text(.glibc) == "Name or service not known")
  }

  @Test func silenceIsAskedTwiceForFiveSeconds() {
    let trace = StubLookup.trace("web", Self.pod) { _ in .silence }
    #expect(trace.result == .tryAgain)
    #expect(trace.waited == .seconds(10))
    #expect(trace.queries.count == 4)
    #expect(trace.result.text(.glibc) == "Temporary failure in name resolution")
  }

  @Test func timeoutAndAttemptsAreHeeded() {
    var quick = Self.pod
    quick.options = ["timeout:1", "attempts:3"]
    let trace = StubLookup.trace("web.", quick) { _ in .silence }
    #expect(trace.waited == .seconds(3))
    #expect(trace.queries.count == 6)
  }

  @Test func secondServerIsAskedAfterTheFirst() {
    var two = Self.pod
    two.nameservers = ["10.0.0.2", "10.0.0.3"]
    let trace = StubLookup.trace("web.other.svc.cluster.local.", two) { query in
      query.server == "10.0.0.2" ? .silence : Self.answer(query)
    }
    #expect(trace.waited == .seconds(5))
    #expect(trace.queries.map(\.server) == ["10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.3"])
  }

  @Test func serverFailureGoesOnInGlibcAndEndsMusl() {
    func answer(_ query: StubQuery) -> StubAnswer {
      query.question.name == "web.app.svc.cluster.local" ? .reply(DNSReply(.serverFailure)) : Self.answer(query)
    }
    let glibc = StubLookup.trace("web", Self.pod, answer: answer)
    #expect(glibc.tried.count == 5)
    #expect(glibc.result == .tryAgain)
    let musl = StubLookup.trace("web", Self.pod, library: .musl, answer: answer)
    #expect(musl.tried == ["web.app.svc.cluster.local"])
    #expect(musl.result == .tryAgain)
  }

  @Test func noDataGoesOnInGlibcAndEndsMusl() {
    func answer(_ query: StubQuery) -> StubAnswer {
      query.question.name == "web.app.svc.cluster.local" ? .reply(DNSReply()) : Self.answer(query)
    }
    #expect(StubLookup.trace("web", Self.pod, answer: answer).tried.count == 5)
    let musl = StubLookup.trace("web", Self.pod, library: .musl, answer: answer)
    #expect(musl.tried.count == 1)
    #expect(musl.result == .noData)
  }

  @Test func muslAsksAllServersAtOnce() {
    var two = Self.pod
    two.nameservers = ["10.0.0.2", "10.0.0.3"]
    let trace = StubLookup.trace("web", two, library: .musl) { query in
      query.server == "10.0.0.2" ? .silence : Self.answer(query)
    }
    #expect(trace.queries.count == 4)
    #expect(trace.tried.count == 1)
  }

  @Test func singleRequestAsksOneAfterTheOther() {
    var single = Self.pod
    single.options.append("single-request")
    var lookup = StubLookup("web", single)
    guard case .ask(let first, _) = lookup.begin() else { return #expect(Bool(false)) }
    #expect(first.map(\.question.type) == [.a])
    guard case .ask(let second, _) = lookup.next(first.map(Self.answer), to: first) else {
      return #expect(Bool(false))
    }
    #expect(second.map(\.question.type) == [.aaaa])
  }

  @Test func addressesAreNotAsked() {
    #expect(
      StubLookup.trace("10.0.0.7", Self.pod) { _ in .silence }.result
        == .addresses(v4: ["10.0.0.7"], v6: [], name: "10.0.0.7"))
  }

  @Test func readsAFile() {
    let text = "# made by hand\nsearch a.b c.d\nnameserver 10.0.0.2\nnameserver 10.0.0.3\noptions ndots:2 rotate\n"
    let read = ResolverConfiguration(parsing: text)
    #expect(read.searches == ["a.b", "c.d"])
    #expect(read.ndots == 2)
    #expect(ResolverConfiguration(parsing: read.text) == read)
  }
}
