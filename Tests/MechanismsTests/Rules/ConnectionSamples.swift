import Mechanisms
import Wire

extension ConnectionPath: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let fabric = PacketWorld.fabric()
    let ports = fabric.ports.filter { !$0.addresses.isEmpty }
    let from = ports[chance.below(ports.count)]
    let to = chance.pick([ports[chance.below(ports.count)].addresses[0], IPv4Address("198.51.100.7")!])
    return Facts(
      fabric: .known(fabric), interface: .known(from.id), addresses: .known([to]),
      port: .known(chance.pick([443, 8080, 22])))
  }
}

extension PolicyAdmission: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let rule = PodPolicy.Rule(
      chance.pick([CIDR("10.0.0.0/16")!, CIDR("0.0.0.0/0")!]), except: chance.flip(4) ? [CIDR("10.0.1.0/24")!] : [],
      ports: chance.flip() ? [PodPolicy.Port(.tcp, 80...90)] : [], policy: "shop/a")
    let side = PodPolicy.Side(policies: ["shop/a"], rules: chance.flip(4) ? [] : [rule])
    let policy = PodPolicy(
      ingress: chance.flip() ? side : nil, egress: chance.flip() ? side : nil, deniesEverything: chance.flip(6),
      nodeAddresses: [IPv4Address("10.0.1.10")!])
    let packet = Packet(
      .tcp, from: chance.pick([IPv4Address("10.0.1.10")!, IPv4Address("10.0.2.20")!, IPv4Address("192.0.2.1")!]), 40000,
      to: chance.pick([IPv4Address("10.0.1.20")!, IPv4Address("192.0.2.2")!]), chance.pick([80, 443]))
    return Facts(
      policy: .known(policy), packet: .known(packet), direction: .known(chance.flip() ? .ingress : .egress))
  }
}

extension TokenFit: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    Facts(
      server: .known(chance.flip(6) ? "https://b" : "https://a"), endpoint: .known("https://a"),
      signedCluster: .known(chance.flip(6) ? "other" : "demo"), cluster: .known("demo"),
      signedRegion: .known(chance.pick(["us-east-1", "eu-west-1", "us-west-2", "cn-north-1"])),
      region: .known("us-east-1"),
      signedAt: .known(chance.pick([nil, Timestamp(seconds: 900), Timestamp(seconds: 0)])),
      now: .known(Timestamp(seconds: 1000)))
  }
}

extension EndpointAdmission: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let lists: [[CIDR]] = [[.everything], [CIDR("10.0.0.0/8")!], [CIDR("192.0.2.0/24")!]]
    return Facts(
      isPublic: .known(!chance.flip(4)), admits: .known(chance.pick(lists)),
      from: .known(chance.pick([IPv4Address("192.0.2.7")!, IPv4Address("203.0.113.7")!])))
  }
}
