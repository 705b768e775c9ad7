import Mechanisms
import Testing
import Wire

@Suite struct CoreDNSTests {
  /// A cluster with a few services, as the API server would have them.
  static let services: [ClusterNames.Service] = [
    .init(
      name: "web", namespace: "app", addresses: ["10.100.7.7"],
      ports: [.init(name: "http", number: 80, transport: "tcp"), .init(name: "dns", number: 53, transport: "udp")]),
    .init(name: "db", namespace: "app", isHeadless: true, ports: [.init(name: "pg", number: 5432, transport: "tcp")]),
    .init(name: "lost", namespace: "app", isHeadless: true),
    .init(name: "ext", namespace: "app", type: "ExternalName", externalName: "db.example.com."),
  ]

  static let endpoints: [String: [ClusterNames.Endpoint]] = [
    "db": [
      .init(
        address: "10.0.1.20", isReady: true, hostname: "db-0",
        ports: [.init(name: "pg", number: 5432, transport: "tcp")]),
      .init(
        address: "10.0.1.21", isReady: true, pod: "db-x", ports: [.init(name: "pg", number: 5432, transport: "tcp")]),
      .init(address: "10.0.1.22", isReady: false),
    ],
    "lost": [.init(address: "10.0.1.30", isReady: false)],
  ]

  static func facts(_ question: DNSQuestion, _ settings: CorePlugins.Kubernetes) -> ClusterNames.Facts {
    var facts = ClusterNames.Facts(question: .known(question), settings: .known(settings))
    let zone = settings.zones.first { DNSName.isWithin(question.name, $0) } ?? ""
    switch ClusterQuery(question.name, zone: zone) {
    case .service(let name, let namespace, _, _, _):
      facts.hasNamespace = .known(namespace == "app")
      facts.service = .known(services.first { $0.name == name && $0.namespace == namespace })
      facts.endpoints = .known(endpoints[name] ?? [])
    case .namespace(let name), .pod(_, let name): facts.hasNamespace = .known(name == "app")
    case .reverse(let address):
      facts.service = .known(services.first { $0.addresses == [address.description] })
      let found = endpoints["db"]!.filter { $0.address == address.description }
      facts.endpoints = .known(found)
      facts.endpointOwner = .known(found.isEmpty ? nil : services[1])
    default: break
    }
    return facts
  }

  static func upstream(_ server: String, _ question: DNSQuestion) -> CoreDNS.Upstream {
    switch server {
    case "192.168.0.2":
      if question.name == "db.example.com" {
        return .reply(DNSReply(answers: [DNSRecord("db.example.com", .a, 60, "203.0.113.9")]))
      }
      return .reply(PublicNames.answer(question))
    case "10.9.9.9": return .refused
    default: return .silence
    }
  }

  static func ask(_ name: String, _ type: DNSType = .a, _ text: String = CorefileTests.eks, from: String? = nil) throws
    -> CoreDNS.Answer
  {
    var server = CoreDNS(try CorefileTests.load(text), address: "10.0.1.5")
    server.clientNamespace = from
    return server.answer(DNSQuestion(name, type), cluster: facts, upstream: upstream)
  }

  @Test(
    arguments: [
      ("web.app.svc.cluster.local", DNSType.a, DNSCode.noError, ["10.100.7.7"]),
      ("WEB.app.svc.cluster.local.", .a, .noError, ["10.100.7.7"]),
      ("web.app.svc.cluster.local", .aaaa, .noError, []),
      ("nothing.app.svc.cluster.local", .a, .nameError, []),
      ("web.gone.svc.cluster.local", .a, .nameError, []),
      ("app.svc.cluster.local", .a, .noError, []),
      ("gone.svc.cluster.local", .a, .nameError, []),
      ("svc.cluster.local", .a, .noError, []),
      ("cluster.local", .a, .noError, []),
      ("example.com.cluster.local", .a, .nameError, []),
      ("db.app.svc.cluster.local", .a, .noError, ["10.0.1.20", "10.0.1.21"]),
      ("db-0.db.app.svc.cluster.local", .a, .noError, ["10.0.1.20"]),
      ("10-0-1-21.db.app.svc.cluster.local", .a, .noError, ["10.0.1.21"]),
      ("10-0-1-22.db.app.svc.cluster.local", .a, .nameError, []),
      ("lost.app.svc.cluster.local", .a, .nameError, []),
      ("10-9-8-7.app.pod.cluster.local", .a, .noError, ["10.9.8.7"]),
      ("nonsense.app.pod.cluster.local", .a, .nameError, []),
      ("_http._tcp.web.app.svc.cluster.local", .srv, .noError, ["0 100 80 web.app.svc.cluster.local"]),
      (
        "_pg._tcp.db.app.svc.cluster.local", .srv, .noError,
        ["0 50 5432 db-0.db.app.svc.cluster.local", "0 50 5432 10-0-1-21.db.app.svc.cluster.local"]
      ),
      ("_https._tcp.web.app.svc.cluster.local", .srv, .nameError, []),
      ("dns-version.cluster.local", .txt, .noError, ["\"1.1.0\""]),
      ("7.7.100.10.in-addr.arpa", .ptr, .noError, ["web.app.svc.cluster.local"]),
      ("20.1.0.10.in-addr.arpa", .ptr, .noError, ["db-0.db.app.svc.cluster.local"]),
      ("ext.app.svc.cluster.local", .a, .noError, ["db.example.com", "203.0.113.9"]),
      ("sts.us-west-2.amazonaws.com", .a, .noError, PublicNames.serviceHost("sts.us-west-2.amazonaws.com")!),
      ("nothing.example", .a, .nameError, []),
    ] as [(String, DNSType, DNSCode, [String])])
  func answers(_ name: String, _ type: DNSType, _ code: DNSCode, _ data: [String]) throws {
    let reply = try #require(Self.ask(name, type).reply)
    #expect(reply.code == code)
    #expect(reply.answers.map(\.data) == data)
  }

  @Test func whoIsAuthoritative() throws {
    let inside = try #require(Self.ask("nothing.app.svc.cluster.local").reply)
    #expect(inside.isAuthoritative)
    #expect(inside.authority.first?.data == "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5")
    #expect(try Self.ask("example.com").reply?.isAuthoritative == false)
    #expect(try Self.ask("example.com").plugin == "forward")
    // A reverse name that nobody in the cluster has goes on to the VPC's resolver.
    #expect(try Self.ask("1.1.168.192.in-addr.arpa", .ptr).plugin == "forward")
  }

  @Test func podsByMode() throws {
    let off = CorefileTests.eks.replacing("pods insecure", with: "pods disabled")
    #expect(try Self.ask("10-9-8-7.app.pod.cluster.local", .a, off).reply?.code == .nameError)
    let verified = CorefileTests.eks.replacing("pods insecure", with: "pods verified")
    #expect(try Self.ask("10-9-8-7.app.pod.cluster.local", .a, verified).reply?.code == .nameError)
  }

  @Test func silentUpstreamIsAFailureAfterSixSeconds() throws {
    let text = CorefileTests.eks.replacing("/etc/resolv.conf", with: "10.1.1.1")
    let answer = try Self.ask("example.com", .a, text)
    #expect(answer.reply?.code == .serverFailure)
    #expect(answer.delay == .seconds(6))
    #expect(answer.errors == ["2 example.com. A: read udp 10.0.1.5:{port}->10.1.1.1:53: i/o timeout"])
    let refused = try Self.ask("example.com", .a, CorefileTests.eks.replacing("/etc/resolv.conf", with: "10.9.9.9"))
    #expect(refused.errors == ["2 example.com. A: read udp 10.0.1.5:{port}->10.9.9.9:53: read: connection refused"])
  }

  @Test func secondUpstreamHelps() throws {
    let text = CorefileTests.eks.replacing("/etc/resolv.conf", with: "10.1.1.1 192.168.0.2")
    let answer = try Self.ask("example.com", .a, text)
    #expect(answer.reply?.code == .noError)
    #expect(answer.delay == .seconds(2))
  }

  @Test func concurrencyIsLimited() throws {
    let text = CorefileTests.eks.replacing("/etc/resolv.conf", with: "/etc/resolv.conf {\n max_concurrent 2\n }")
    var server = CoreDNS(try CorefileTests.load(text), address: "10.0.1.5")
    server.inFlight = 2
    let answer = server.answer(DNSQuestion("example.com", .a), cluster: Self.facts, upstream: Self.upstream)
    #expect(answer.reply?.code == .refused)
    #expect(answer.errors == ["5 example.com. A: concurrent queries exceeded maximum 2"])
  }

  @Test func rewritesHostsAndTemplates() throws {
    let extra = """
      rewrite name old.example web.app.svc.cluster.local
          hosts {
            10.0.0.5 db.example
            fallthrough
          }
          template IN A ip.example {
            match ^(\\d+)-(\\d+)-(\\d+)-(\\d+)\\.ip\\.example\\.$
            answer "{{ .Name }} 60 IN A {{ index .Match 1 }}.{{ index .Match 2 }}.{{ index .Match 3 }}.{{ index .Match 4 }}"
            fallthrough
          }
          errors
      """
    let text = CorefileTests.eks.replacing("    errors\n", with: "    \(extra)\n")
    let renamed = try #require(Self.ask("old.example", .a, text).reply)
    #expect(renamed.answers == [DNSRecord("old.example", .a, 5, "10.100.7.7")])
    #expect(try Self.ask("db.example", .a, text).plugin == "hosts")
    #expect(try Self.ask("10-1-2-3.ip.example", .a, text).reply?.addresses(.a) == ["10.1.2.3"])
    #expect(try Self.ask("nothing.ip.example", .a, text).reply?.code == .nameError)
    #expect(try Self.ask("example.com", .a, text).plugin == "forward")
  }

  @Test func autopathSearchesForTheClient() throws {
    let text = CorefileTests.eks.replacing("pods insecure", with: "pods verified").replacing(
      "    errors\n", with: "    errors\n    autopath @kubernetes\n")
    let answer = try Self.ask("example.com.app.svc.cluster.local", .a, text, from: "app")
    #expect(answer.reply?.answers.first?.type == .cname)
    #expect(answer.reply?.addresses(.a) == ["93.184.215.14"])
    #expect(try Self.ask("example.com.app.svc.cluster.local", .a, text).reply?.code == .nameError)
  }

  @Test func loops() throws {
    func verdict(_ to: String) throws -> Verdict<CoreDNSLoop.Loop, Because> {
      let file = try CorefileTests.load(CorefileTests.eks.replacing("/etc/resolv.conf", with: to))
      return CoreDNSLoop.decide(
        .init(
          servers: .known(file.servers), ownAddresses: .known(["10.0.1.5"]), serviceAddresses: .known(["10.100.0.10"])))
    }
    #expect(try verdict("/etc/resolv.conf").isNo)
    #expect(try verdict("10.0.1.5").isYes)
    #expect(try verdict("10.100.0.10").value?.from == "10.0.1.5")
    let loop = try #require(verdict("127.0.0.53").value)
    #expect(
      CoreDNSLoop.text(loop, source: 55953, query: "4547991504243258144.3688648895315093531")
        == "[FATAL] plugin/loop: Loop (127.0.0.1:55953 -> :53) detected for zone \".\", see https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO 4547991504243258144.3688648895315093531.\""
    )
    // Nobody looks without the plugin.
    let file = try CorefileTests.load(
      CorefileTests.eks.replacing("    loop\n", with: "").replacing("/etc/resolv.conf", with: "127.0.0.1"))
    #expect(
      CoreDNSLoop.decide(
        .init(servers: .known(file.servers), ownAddresses: .known([]), serviceAddresses: .known([]))
      ).isNo)
  }

  // MARK: - Cache

  static let start = Timestamp(seconds: 1_700_000_000)

  @Test func cacheCapsAndForgets() {
    var cache = DNSCache()
    var settings = CorePlugins.Cache()
    (settings.zones, settings.successMax, settings.denialMax) = ([""], 30, 30)
    let question = DNSQuestion("example.com", .a)
    let reply = DNSReply(answers: [DNSRecord("example.com", .a, 3600, "1.2.3.4")])
    #expect(cache.keep(reply, for: question, at: Self.start, settings).answers[0].seconds == 30)
    #expect(cache.answer(to: question, at: Self.start + .seconds(10), settings)?.answers[0].seconds == 20)
    #expect(cache.answer(to: question, at: Self.start + .seconds(30), settings) == nil)
    settings.stale = .seconds(3600)
    #expect(cache.answer(to: question, at: Self.start + .seconds(60), settings) == nil)
    #expect(cache.answer(to: question, at: Self.start + .seconds(60), settings, stale: true)?.answers[0].seconds == 0)
    #expect(cache.answer(to: question, at: Self.start + .seconds(3700), settings, stale: true) == nil)
  }

  @Test(
    arguments: [
      (DNSReply(.nameError, authority: [PublicNames.soa("com")]), 30), (DNSReply(.serverFailure), 5),
      (DNSReply(answers: [DNSRecord("a", .a, 2, "1.1.1.1")]), 5), (DNSReply(.nameError), nil),
      (DNSReply(.refused), nil),
      (DNSReply(.nameError, authority: [DNSRecord("x", .soa, 900, "a. b. 1 2 3 4 20")]), 20),
    ] as [(DNSReply, Int?)])
  func keptFor(_ reply: DNSReply, _ seconds: Int?) {
    var settings = CorePlugins.Cache()
    (settings.successMax, settings.denialMax) = (30, 30)
    #expect(DNSCache.seconds(reply, settings) == seconds)
  }
}
