package import Wire

/// The resolv.conf that a pod gets.
///
/// Source: kubernetes `pkg/kubelet/network/dns/dns.go`, `GetPodDNS`.
package enum PodResolver: Rule {
  package static let name = "names/pod-resolver"

  package struct Facts: FactSet {
    /// `spec.dnsPolicy`.
    package var policy: Fact<String>
    package var isHostNetwork: Fact<Bool>
    package var namespace: Fact<String>
    /// `spec.dnsConfig`, null without one.
    package var config: Fact<JSON>
    /// The kubelet's `clusterDNS`; empty where it has none.
    package var clusterDNS: Fact<[String]>
    package var clusterDomain: Fact<String>
    /// The node's own, which the kubelet's `resolvConf` names.
    package var node: Fact<ResolverConfiguration>

    package init(
      policy: Fact<String>, isHostNetwork: Fact<Bool>, namespace: Fact<String>, config: Fact<JSON>,
      clusterDNS: Fact<[String]>, clusterDomain: Fact<String> = .known("cluster.local"),
      node: Fact<ResolverConfiguration>
    ) {
      self.policy = policy
      self.isHostNetwork = isHostNetwork
      self.namespace = namespace
      self.config = config
      self.clusterDNS = clusterDNS
      self.clusterDomain = clusterDomain
      self.node = node
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.policy), hider(\.isHostNetwork), hider(\.namespace), hider(\.config), hider(\.clusterDNS),
      hider(\.clusterDomain), hider(\.node),
    ]
  }

  package struct Outcome: Hashable, Sendable {
    package var configuration: ResolverConfiguration
    /// Events on the pod that the kubelet records about it, each a warning.
    package var events: [Event]
  }

  package struct Event: Hashable, Sendable {
    package var reason: String
    package var message: String
    /// It is recorded on the node as well, in these words.
    package var nodeMessage: String?
  }

  static let serverLimit = 3
  static let searchLimit = 32
  static let lineLimit = 2048

  package static func decide(_ facts: Facts) -> Verdict<Outcome, Because> {
    let gaps = [
      facts.policy.gap, facts.isHostNetwork.gap, facts.namespace.gap, facts.config.gap, facts.clusterDNS.gap,
      facts.clusterDomain.gap, facts.node.gap,
    ].compactMap { $0 }
    guard gaps.isEmpty else { return .open(gaps) }
    var reasons: [Because] = []
    var events: [Event] = []
    var made = base(facts, &reasons, &events)
    let config = facts.config.value!
    if !config.isNull {
      made.nameservers = unique(made.nameservers + config["nameservers"].strings)
      made.searches = unique(made.searches + config["searches"].strings)
      made.options = merge(made.options, config["options"].items)
      reasons.append(
        Because(
          "names/pod-resolver/dns-config", "dnsConfig adds to it: \(summary(config))",
          evidence: [facts.config.citation]))
    }
    limit(&made, &events, &reasons)
    return .yes(Outcome(configuration: made, events: events), reasons)
  }

  private static func base(_ facts: Facts, _ reasons: inout [Because], _ events: inout [Event])
    -> ResolverConfiguration
  {
    let (policy, node) = (facts.policy.value!, facts.node.value!)
    func because(_ code: String, _ text: String) {
      reasons.append(Because("names/pod-resolver/\(code)", text, evidence: [facts.policy.citation]))
    }
    switch policy {
    case "None":
      because("none", "dnsPolicy None: only what dnsConfig says")
      return ResolverConfiguration()
    case "Default":
      because("default", "dnsPolicy Default: the node's own resolv.conf")
      return node
    case "ClusterFirst" where facts.isHostNetwork.value!:
      because("host-network", "dnsPolicy ClusterFirst on the host's network is Default: the node's own resolv.conf")
      return node
    default: break
    }
    let servers = facts.clusterDNS.value!
    guard !servers.isEmpty else {
      let text =
        "kubelet does not have ClusterDNS IP configured and cannot create Pod using \"ClusterFirst\" policy. Falling back to \"Default\" policy."
      events.append(Event(reason: "MissingClusterDNS", message: "pod: {pod}. \(text)", nodeMessage: text))
      because("missing-cluster-dns", text)
      return node
    }
    because("cluster-first", "dnsPolicy \(policy): the cluster's DNS, its three search domains, then the node's")
    let domain = facts.clusterDomain.value!
    let own =
      domain.isEmpty ? [] : ["\(facts.namespace.value!).svc.\(domain)", "svc.\(domain)", domain]
    return ResolverConfiguration(nameservers: servers, searches: unique(own + node.searches), options: ["ndots:5"])
  }

  private static func unique(_ texts: [String]) -> [String] {
    var seen: Set<String> = []
    return texts.filter { seen.insert($0).inserted }
  }

  private static func merge(_ options: [String], _ added: [JSON]) -> [String] {
    var merged = options
    for option in added {
      let name = option["name"].string ?? ""
      let value = option["value"].string ?? ""
      let text = value.isEmpty ? name : "\(name):\(value)"
      if let index = merged.firstIndex(where: { $0 == name || $0.hasPrefix(name + ":") }) {
        merged[index] = text
      } else {
        merged.append(text)
      }
    }
    return merged
  }

  private static func summary(_ config: JSON) -> String {
    var parts = config["nameservers"].strings.map { "nameserver \($0)" }
    parts += config["searches"].strings.map { "search \($0)" }
    parts += config["options"].items.map { option in
      let name = option["name"].string ?? ""
      return "option " + (option["value"].string.map { "\(name):\($0)" } ?? name)
    }
    return parts.isEmpty ? "nothing" : parts.joined(separator: ", ")
  }

  private static func limit(
    _ made: inout ResolverConfiguration, _ events: inout [Event], _ reasons: inout [Because]
  ) {
    func exceeded(_ text: String) {
      events.append(Event(reason: "DNSConfigForming", message: text))
      reasons.append(Because("names/pod-resolver/limits", text))
    }
    if made.nameservers.count > serverLimit {
      made.nameservers = Array(made.nameservers.prefix(serverLimit))
      exceeded(
        "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: \(made.nameservers.joined(separator: " "))"
      )
    }
    var searches = Array(made.searches.prefix(searchLimit)).filter { $0.utf8.count <= DNSName.limit }
    while searches.joined(separator: " ").utf8.count > lineLimit { searches.removeLast() }
    if searches.count < made.searches.count {
      made.searches = searches
      exceeded(
        "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: \(searches.joined(separator: " "))"
      )
    }
  }
}
