import Mechanisms
import Testing
import Wire

extension PodResolver: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      policy: .known(chance.pick(["ClusterFirst", "Default", "None", "ClusterFirstWithHostNet"])),
      isHostNetwork: .known(chance.flip()), namespace: .known("app"),
      config: .known(
        chance.pick([.null, ["searches": ["example.com"]], ["options": [["name": "ndots", "value": "2"]]]])),
      clusterDNS: .known(chance.pick([[], ["10.100.0.10"]])), node: .known(PodResolverTests.node))
  }
}

extension ClusterNames: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let names = [
      "web.app.svc.cluster.local", "db.app.svc.cluster.local", "lost.app.svc.cluster.local", "x.gone.svc.cluster.local",
      "ext.app.svc.cluster.local", "7.7.100.10.in-addr.arpa", "1.1.1.10.in-addr.arpa", "app.svc.cluster.local",
      "10-0-0-1.app.pod.cluster.local", "cluster.local", "a.b.cluster.local",
    ]
    var settings = CorePlugins.Kubernetes()
    settings.zones = ["cluster.local", "in-addr.arpa"]
    settings.pods = chance.pick([.disabled, .insecure, .verified])
    settings.ignoresEmpty = chance.flip()
    if chance.flip() { settings.through = ["in-addr.arpa"] }
    var facts = CoreDNSTests.facts(DNSQuestion(chance.pick(names), chance.pick([.a, .aaaa, .srv, .ptr])), settings)
    facts.hasPod = .known(chance.flip())
    return facts
  }
}

extension VPCResolver: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let own = VPCResolver.Zone(
      name: "amazonaws.com", origin: .hosted(id: "Z1"), records: [DNSRecord("a.amazonaws.com", .a, 300, "10.9.9.9")])
    return VPCResolverTests.facts(
      chance.pick([VPCResolverTests.sts, "ec2.us-west-2.amazonaws.com", "db.corp.example", "1.1.0.10.in-addr.arpa"]),
      support: !chance.flip(4), hostnames: chance.flip(),
      zones: chance.pick([[], [own], [own, VPCResolverTests.endpoint]]),
      rules: chance.pick([[], [.init(id: "r", domain: "corp.example", targets: ["10.9.0.1"])]]))
  }
}

extension EndpointAddress: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      isPublic: .known(chance.flip()), isPrivate: .known(chance.flip()), isInside: .known(chance.flip()),
      support: .known(chance.flip()), hostnames: .known(chance.flip()))
  }
}

extension CoreDNSLoop: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let to = chance.pick(["/etc/resolv.conf", "127.0.0.1", "10.0.1.5", "10.100.0.10", "1.1.1.1"])
    let file = try? CorefileTests.load(CorefileTests.eks.replacing("/etc/resolv.conf", with: to))
    return Facts(
      servers: .known(file?.servers ?? []), ownAddresses: .known(["10.0.1.5"]),
      serviceAddresses: .known(["10.100.0.10"]))
  }
}

extension CorefileRule: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      text: .known(chance.pick([CorefileTests.eks, ".:53 {\n nothing\n}", nil])),
      resolver: .known(PodResolverTests.node))
  }
}

/// Rules that say yes to everything, and differ in what they say.
@Suite struct NamePropertyTests {
  static let rules: [any Sampled.Type] = [
    PodResolver.self, ClusterNames.self, VPCResolver.self, EndpointAddress.self,
  ]

  private static func check<R: Sampled>(_ rule: R.Type) where R.Value: Equatable {
    var chance = Chance(state: 7)
    for _ in 0..<300 {
      let facts = R.sample(&chance)
      let whole = R.decide(facts)
      #expect(whole.gaps.isEmpty)
      var hidden = facts
      for hide in chance.subset(Array(R.Facts.hiders)) { hide(&hidden) }
      let part = R.decide(hidden)
      #expect(!part.isNo)
      if let value = part.value { #expect(value == whole.value, "\(R.name)") }
    }
  }

  @Test func hidingNeverTurns() {
    Self.check(PodResolver.self)
    Self.check(ClusterNames.self)
    Self.check(VPCResolver.self)
    Self.check(EndpointAddress.self)
  }
}
