import Mechanisms
import Testing
import Wire

@Suite struct VPCResolverTests {
  static let sts = "sts.us-west-2.amazonaws.com"
  static let endpoint = VPCResolver.Zone(
    name: sts, origin: .endpoint(id: "vpce-1"),
    records: [DNSRecord(sts, .a, 60, "10.0.1.40"), DNSRecord(sts, .a, 60, "10.0.2.40")])

  static func facts(
    _ name: String, _ type: DNSType = .a, support: Bool = true, hostnames: Bool = true, zones: [VPCResolver.Zone] = [],
    rules: [VPCResolver.ForwardRule] = []
  ) -> VPCResolver.Facts {
    let question = DNSQuestion(name, type)
    return .init(
      question: .known(question), region: .known("us-west-2"), support: .known(support), hostnames: .known(hostnames),
      blocks: .known([CIDR("10.0.0.0/16")!]), zones: .known(zones), rules: .known(rules),
      publicly: .known(PublicNames.answer(question)))
  }

  static func reply(_ facts: VPCResolver.Facts) -> DNSReply? {
    guard case .reply(let reply)? = VPCResolver.decide(facts).value else { return nil }
    return reply
  }

  @Test func endpointWithPrivateDNS() {
    #expect(Self.reply(Self.facts(Self.sts, zones: [Self.endpoint]))?.addresses(.a) == ["10.0.1.40", "10.0.2.40"])
    #expect(Self.reply(Self.facts(Self.sts))?.addresses(.a) == PublicNames.serviceHost(Self.sts))
    #expect(
      Self.reply(Self.facts(Self.sts, hostnames: false, zones: [Self.endpoint]))?.addresses(.a)
        == PublicNames.serviceHost(Self.sts))
    // The global host is another name, for which the endpoint has nothing.
    #expect(
      Self.reply(Self.facts("sts.amazonaws.com", zones: [Self.endpoint]))?.addresses(.a)
        == PublicNames.serviceHost("sts.amazonaws.com"))
  }

  /// An endpoint of ECR takes over every account's registry and the domain itself.
  @Test func wildcardsStandBesideTheirDomain() {
    let domain = "dkr.ecr.us-west-2.amazonaws.com"
    let zones = VPCResolver.Zone.zones([domain, "*.\(domain)"], endpoint: "vpce-1", addresses: ["10.0.1.40"])
    for name in [domain, "111122223333.\(domain)"] {
      #expect(Self.reply(Self.facts(name, zones: zones))?.addresses(.a) == ["10.0.1.40"])
    }
  }

  /// 1024 packets a second and interface; the rest is dropped and counted.
  @Test func whatAnInterfaceMaySend() {
    var allowance = LinkLocalAllowance()
    let now = Timestamp(seconds: 100)
    for _ in 0..<1024 {
      #expect(allowance.admits(at: now))
      allowance.take(at: now)
    }
    #expect(!allowance.admits(at: now))
    allowance.take(at: now)
    #expect(allowance.exceeded == 1)
    #expect(allowance.admits(at: now + .seconds(1)))
  }

  @Test func noSupportNoAnswer() {
    #expect(VPCResolver.decide(Self.facts(Self.sts, support: false)).value == .silence)
  }

  @Test func privateZoneHidesThePublicOne() {
    let own = VPCResolver.Zone(
      name: "amazonaws.com", origin: .hosted(id: "Z1"), records: [DNSRecord("a.amazonaws.com", .a, 300, "10.9.9.9")])
    #expect(Self.reply(Self.facts("ec2.us-west-2.amazonaws.com", zones: [own]))?.code == .nameError)
    #expect(Self.reply(Self.facts("a.amazonaws.com", zones: [own]))?.addresses(.a) == ["10.9.9.9"])
    // A more specific one still answers.
    #expect(Self.reply(Self.facts(Self.sts, zones: [own, Self.endpoint]))?.addresses(.a).first == "10.0.1.40")
  }

  @Test func rulesBeatZonesOfTheirName() {
    let zone = VPCResolver.Zone(
      name: "corp.example", origin: .hosted(id: "Z1"), records: [DNSRecord("db.corp.example", .a, 300, "10.0.0.9")])
    let rule = VPCResolver.ForwardRule(id: "rslvr-rr-1", domain: "corp.example", targets: ["10.9.0.1"])
    #expect(
      VPCResolver.decide(Self.facts("db.corp.example", zones: [zone], rules: [rule])).value
        == .forwards(to: ["10.9.0.1"]))
    let wide = VPCResolver.ForwardRule(id: "rslvr-rr-2", domain: "example", targets: ["10.9.0.1"])
    #expect(Self.reply(Self.facts("db.corp.example", zones: [zone], rules: [wide]))?.addresses(.a) == ["10.0.0.9"])
  }

  @Test(
    arguments: [
      ("ip-10-0-1-23.us-west-2.compute.internal", DNSType.a, DNSCode.noError, ["10.0.1.23"]),
      ("ip-172-16-1-23.us-west-2.compute.internal", .a, .nameError, []),
      ("web.us-west-2.compute.internal", .a, .nameError, []),
      ("23.1.0.10.in-addr.arpa", .ptr, .noError, ["ip-10-0-1-23.us-west-2.compute.internal"]),
      ("example.com", .a, .noError, ["93.184.215.14"]), ("nothing.example", .a, .nameError, []),
      ("s3.us-west-2.amazonaws.com", .aaaa, .noError, []), ("lost.us-west-2.amazonaws.com", .a, .nameError, []),
    ] as [(String, DNSType, DNSCode, [String])])
  func namesOfItsOwn(_ name: String, _ type: DNSType, _ code: DNSCode, _ data: [String]) throws {
    let reply = try #require(Self.reply(Self.facts(name, type)))
    #expect(reply.code == code)
    #expect(reply.answers.map(\.data) == data)
  }

  /// The vectors of the endpoint's access: inside and outside, by mode.
  @Test(arguments: [
    (true, false, true, "publicly", "publicly"), (true, true, true, "privately", "publicly"),
    (false, true, true, "privately", "privately"), (true, true, false, "publicly", "publicly"),
  ])
  func endpoint(_ isPublic: Bool, _ isPrivate: Bool, _ hostnames: Bool, _ inside: String, _ outside: String) {
    func side(_ isInside: Bool) -> String? {
      EndpointAddress.decide(
        .init(
          isPublic: .known(isPublic), isPrivate: .known(isPrivate), isInside: .known(isInside), support: .known(true),
          hostnames: .known(hostnames))
      ).value?.rawValue
    }
    #expect(side(true) == inside)
    #expect(side(false) == outside)
  }

  @Test func wildcards() {
    let zone = VPCResolver.Zone(
      name: "corp.example", origin: .hosted(id: "Z1"),
      records: [
        DNSRecord("*.corp.example", .a, 60, "10.0.0.1"), DNSRecord("db.corp.example", .cname, 60, "x.corp.example"),
      ])
    #expect(zone.answer(to: DNSQuestion("any.corp.example", .a)).addresses(.a) == ["10.0.0.1"])
    #expect(zone.answer(to: DNSQuestion("db.corp.example", .a)).answers.first?.type == .cname)
    #expect(zone.answer(to: DNSQuestion("corp.example", .a)).code == .noError)
  }
}
