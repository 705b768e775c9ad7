package import Wire

/// What kube-proxy in iptables mode writes into a node's tables.
package struct KubeProxyRules: Sendable {
  package var ports: [ServicePort]
  package var node: String
  package var zone: String?
  package var nodeAddress: IPv4Address
  package var masqueradesAll = false
  /// The pods' range where kube-proxy knows it (`clusterCIDR`); on EKS it doesn't.
  package var podRange: CIDR?
  package var masqueradeMark: UInt32 = 0x4000

  package init(_ ports: [ServicePort], node: String, zone: String? = nil, nodeAddress: IPv4Address) {
    self.ports = ports.sorted { ($0.title, $0.transport.rawValue) < ($1.title, $1.transport.rawValue) }
    self.node = node
    self.zone = zone
    self.nodeAddress = nodeAddress
  }

  private typealias Rule = NetfilterRule

  package func add(to netfilter: inout Netfilter) {
    addJumps(&netfilter)
    for chain in [
      "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL",
      "KUBE-FIREWALL",
    ] { netfilter.declare(chain, table: "filter") }
    for chain in ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"] {
      netfilter.declare(chain, table: "nat")
    }
    let mark = masqueradeMark
    func nat(_ chain: String, _ rule: Rule) { netfilter.add(rule, table: "nat", chain: chain) }
    func filter(_ chain: String, _ rule: Rule) { netfilter.add(rule, table: "filter", chain: chain) }
    nat("KUBE-POSTROUTING", Rule([.mark(mark, mask: mark, negated: true)], .returns))
    nat("KUBE-POSTROUTING", Rule([], .mark(mark, mask: 0)))
    nat(
      "KUBE-POSTROUTING",
      Rule([.comment("kubernetes service traffic requiring SNAT")], .masquerade(random: true)))
    nat("KUBE-MARK-MASQ", Rule([], .mark(mark, mask: mark)))
    var local = Rule(
      destination: CIDR(IPv4Address(bits: 0x7f00_0000), length: 8),
      [.comment("block incoming localnet connections"), .state([.related, .established, .dnat], negated: true)], .drop)
    local.source = .init(block: CIDR(IPv4Address(bits: 0x7f00_0000), length: 8), isNegated: true)
    filter("KUBE-FIREWALL", local)
    for port in ports { add(port, &netfilter) }
    nat(
      "KUBE-SERVICES",
      Rule(
        [
          .comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain"),
          .addressKind(source: nil, destination: .init(kinds: [.local]), input: false, output: false),
        ], .jump("KUBE-NODEPORTS")))
    filter("KUBE-FORWARD", Rule([.state([.invalid], negated: false)], .drop))
    filter(
      "KUBE-FORWARD",
      Rule([.comment("kubernetes forwarding rules"), .mark(mark, mask: mark, negated: false)], .accept))
    filter(
      "KUBE-FORWARD",
      Rule(
        [.comment("kubernetes forwarding conntrack rule"), .state([.related, .established], negated: false)], .accept))
  }

  /// Each is put before what is there, in this order.
  private func addJumps(_ netfilter: inout Netfilter) {
    let new = Rule.Match.state([.new], negated: false)
    func jump(_ table: String, _ chain: String, _ matches: [Rule.Match], _ target: String) {
      netfilter.declare(target, table: table)
      netfilter.add(Rule(matches, .jump(target)), table: table, chain: chain, first: true)
    }
    let external = Rule.Match.comment("kubernetes externally-visible service portals")
    jump("filter", "INPUT", [new, external], "KUBE-EXTERNAL-SERVICES")
    jump("filter", "FORWARD", [new, external], "KUBE-EXTERNAL-SERVICES")
    jump("filter", "INPUT", [.comment("kubernetes health check service ports")], "KUBE-NODEPORTS")
    let portals = Rule.Match.comment("kubernetes service portals")
    jump("filter", "FORWARD", [new, portals], "KUBE-SERVICES")
    jump("filter", "OUTPUT", [new, portals], "KUBE-SERVICES")
    jump("filter", "FORWARD", [.comment("kubernetes forwarding rules")], "KUBE-FORWARD")
    let firewall = Rule.Match.comment("kubernetes load balancer firewall")
    jump("filter", "INPUT", [new, firewall], "KUBE-PROXY-FIREWALL")
    jump("filter", "OUTPUT", [new, firewall], "KUBE-PROXY-FIREWALL")
    jump("filter", "FORWARD", [new, firewall], "KUBE-PROXY-FIREWALL")
    jump("nat", "OUTPUT", [portals], "KUBE-SERVICES")
    jump("nat", "PREROUTING", [portals], "KUBE-SERVICES")
    jump("nat", "POSTROUTING", [.comment("kubernetes postrouting rules")], "KUBE-POSTROUTING")
    jump("filter", "INPUT", [], "KUBE-FIREWALL")
    jump("filter", "OUTPUT", [], "KUBE-FIREWALL")
  }

  private func add(_ port: ServicePort, _ netfilter: inout Netfilter) {
    let choice = port.choose(node: node, zone: zone)
    let title = port.title
    let (service, localChain) = (port.chain("KUBE-SVC-"), port.chain("KUBE-SVL-"))
    let (external, firewall) = (port.chain("KUBE-EXT-"), port.chain("KUBE-FW-"))
    let usesCluster = !choice.cluster.isEmpty && (!port.isInternalLocal || port.isExternal)
    let usesLocal = !choice.local.isEmpty && (port.isInternalLocal || (port.isExternal && port.isExternalLocal))
    let internalChain = port.isInternalLocal ? localChain : service
    let hasInternal = choice.hasAny && !(port.isInternalLocal && choice.local.isEmpty)
    let externalPolicy = port.isExternalLocal ? localChain : service
    let hasExternal = choice.hasAny && !(port.isExternalLocal && choice.local.isEmpty)
    let usesExternal = choice.hasAny && port.isExternal
    let usesFirewall = choice.hasAny && !port.balancerAddresses.isEmpty && !port.sourceRanges.isEmpty
    let transport = port.transport

    func nat(_ chain: String, _ rule: Rule) { netfilter.add(rule, table: "nat", chain: chain) }
    func filter(_ chain: String, _ rule: Rule) { netfilter.add(rule, table: "filter", chain: chain) }
    func to(
      _ address: IPv4Address?, _ number: UInt16, _ comment: String, _ target: Rule.Target, kind: Bool = false
    ) -> Rule {
      var matches: [Rule.Match] = [.comment(comment)]
      if kind {
        matches.append(.addressKind(source: nil, destination: .init(kinds: [.local]), input: false, output: false))
      }
      matches.append(.ports(transport, source: nil, destination: .init(number)))
      return Rule(destination: address.map { CIDR($0, length: 32) }, transport: transport, matches, target)
    }
    func refusal(isNone: Bool) -> (String, Rule.Target) {
      isNone
        ? ("\(title) has no endpoints", .reject("icmp-port-unreachable")) : ("\(title) has no local endpoints", .drop)
    }
    let (internalComment, internalTarget) = refusal(isNone: !choice.hasAny)
    let (externalComment, externalTarget) = refusal(isNone: !choice.hasAny)

    if hasInternal {
      nat("KUBE-SERVICES", to(port.clusterAddress, port.port, "\(title) cluster IP", .jump(internalChain)))
    } else {
      filter("KUBE-SERVICES", to(port.clusterAddress, port.port, internalComment, internalTarget))
    }
    for address in port.externalAddresses {
      if choice.hasAny { nat("KUBE-SERVICES", to(address, port.port, "\(title) external IP", .jump(external))) }
      if !hasExternal { filter("KUBE-EXTERNAL-SERVICES", to(address, port.port, externalComment, externalTarget)) }
    }
    for address in port.balancerAddresses {
      if choice.hasAny {
        nat(
          "KUBE-SERVICES",
          to(address, port.port, "\(title) loadbalancer IP", .jump(usesFirewall ? firewall : external)))
      }
      if usesFirewall {
        filter(
          "KUBE-PROXY-FIREWALL", to(address, port.port, "\(title) traffic not accepted by \(firewall)", .drop))
      }
    }
    if !hasExternal {
      for address in port.balancerAddresses {
        filter("KUBE-EXTERNAL-SERVICES", to(address, port.port, externalComment, externalTarget))
      }
    }
    if let number = port.nodePort {
      if choice.hasAny { nat("KUBE-NODEPORTS", to(nil, number, title, .jump(external))) }
      if !hasExternal {
        filter("KUBE-EXTERNAL-SERVICES", to(nil, number, externalComment, externalTarget, kind: true))
      }
    }
    if let number = port.healthCheckNodePort {
      filter(
        "KUBE-NODEPORTS",
        Rule(
          transport: .tcp,
          [.comment("\(title) health check node port"), .ports(.tcp, source: nil, destination: .init(number))], .accept)
      )
    }
    if hasInternal {
      let rule = to(port.clusterAddress, port.port, "\(title) cluster IP", .jump("KUBE-MARK-MASQ"))
      if masqueradesAll {
        nat(internalChain, rule)
      } else if let podRange {
        var rule = rule
        rule.source = .init(block: podRange, isNegated: true)
        nat(internalChain, rule)
      }
    }
    if usesExternal {
      netfilter.declare(external, table: "nat")
      let suffix = "for \(title) external destinations"
      if port.isExternalLocal {
        if let podRange {
          nat(external, Rule(source: podRange, [.comment("pod traffic \(suffix)")], .jump(service)))
        }
        let isLocal = Rule.Match.addressKind(
          source: .init(kinds: [.local]), destination: nil, input: false, output: false)
        nat(external, Rule([.comment("masquerade LOCAL traffic \(suffix)"), isLocal], .jump("KUBE-MARK-MASQ")))
        nat(external, Rule([.comment("route LOCAL traffic \(suffix)"), isLocal], .jump(service)))
      } else {
        nat(external, Rule([.comment("masquerade traffic \(suffix)")], .jump("KUBE-MARK-MASQ")))
      }
      if hasExternal { nat(external, Rule([], .jump(externalPolicy))) }
    }
    if usesFirewall {
      let comment = Rule.Match.comment("\(title) loadbalancer IP")
      for range in port.sourceRanges { nat(firewall, Rule(source: range, [comment], .jump(external))) }
      if port.sourceRanges.contains(where: { $0.contains(nodeAddress) }) {
        for address in port.balancerAddresses {
          nat(firewall, Rule(source: CIDR(address, length: 32), [comment], .jump(external)))
        }
      }
      nat(
        firewall,
        Rule([.comment("other traffic to \(title) will be dropped by KUBE-PROXY-FIREWALL")], .none("")))
    }
    if usesCluster { spread(port, service, choice.cluster, &netfilter) }
    if usesLocal { spread(port, localChain, choice.local, &netfilter) }
    for endpoint in choice.reachable {
      let chain = port.chain(of: endpoint)
      netfilter.declare(chain, table: "nat")
      let comment = Rule.Match.comment(title)
      nat(chain, Rule(source: CIDR(endpoint.address, length: 32), [comment], .jump("KUBE-MARK-MASQ")))
      var matches = [comment]
      if port.affinity != nil { matches.append(.recent(chain, .set, negated: false)) }
      matches.append(.ports(transport, source: nil, destination: nil))
      nat(chain, Rule(transport: transport, matches, .dnat(endpoint.address, endpoint.port)))
    }
  }

  /// From a Service's chain to its endpoints: first where a client was, then by chance, each with the same share.
  private func spread(
    _ port: ServicePort, _ chain: String, _ endpoints: [ServicePort.Endpoint], _ netfilter: inout Netfilter
  ) {
    netfilter.declare(chain, table: "nat")
    func comment(_ endpoint: ServicePort.Endpoint) -> Rule.Match { .comment("\(port.title) -> \(endpoint.text)") }
    if let seconds = port.affinity {
      for endpoint in endpoints {
        let target = port.chain(of: endpoint)
        netfilter.add(
          Rule(
            [comment(endpoint), .recent(target, .check(seconds: seconds, reap: true), negated: false)], .jump(target)),
          table: "nat", chain: chain)
      }
    }
    for (index, endpoint) in endpoints.enumerated() {
      var matches = [comment(endpoint)]
      let left = endpoints.count - index
      if left > 1 { matches.append(.random(KubeProxyRules.probability(left))) }
      netfilter.add(Rule(matches, .jump(port.chain(of: endpoint))), table: "nat", chain: chain)
    }
  }

  /// 1/n with ten digits, as kube-proxy writes it, in the kernel's parts.
  static func probability(_ count: Int) -> UInt32 {
    let written = (10_000_000_000.0 / Double(count)).rounded() / 10_000_000_000
    return UInt32((written * 2_147_483_648).rounded())
  }
}
