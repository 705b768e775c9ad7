import Evidence
import Mechanisms
import Wire

/// CoreDNS forwards queries and gets no answer, as its own log tells.
struct UpstreamTimesOut: Link {
  let code = "names/upstream-times-out"
  let explains: [Effect.Kind] = [.nameDelays]

  /// A cluster may have more pods of CoreDNS than need be looked at.
  private static let looked = 4

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let server = await world.dnsServer(), !server.ready.isEmpty, !server.corefile.isNo else { return .silent }
    guard let file = server.corefile.value else { return .open(server.corefile.gaps) }
    let upstreams = file.servers.flatMap(\.plugins.forwards).flatMap(\.servers)
    var gaps: [Gap] = server.unread
    var nodes: [String] = []
    var evidence: [Exhibit] = []
    let pods = server.pods.filter { server.ready.contains($0["status"]["podIP"].string ?? "") }
    for pod in pods.prefix(Self.looked) {
      let name = pod["metadata"]["name"].string ?? ""
      let found = await world.read(
        .kubernetes(.log(namespace: "kube-system", pod: name, container: "coredns", previous: false)))
      if let gap = found.gap { gaps.append(gap) }
      let lines = (found.first?.string ?? "").split(whereSeparator: \.isNewline).filter { line in
        line.contains("plugin/errors: ") && line.hasSuffix(": i/o timeout")
          && upstreams.contains { line.contains("->\($0):53") }
      }
      guard let last = lines.last else { continue }
      evidence.append(
        Exhibit(
          Citation(
            source: "kubernetes", locator: "pods/kube-system/\(name), log of container coredns", value: String(last),
            at: found.at),
          text: "log of kube-system/\(name), the last of \(Count.of(lines.count, "such line")) at its end: \(last)"))
      let node = pod["spec"]["nodeName"].string ?? ""
      if !nodes.contains(node) { nodes.append(node) }
    }
    guard !evidence.isEmpty else {
      guard gaps.isEmpty else { return .open(gaps) }
      let exhibit = Exhibit(
        Citation(
          source: "kubernetes", locator: "pods/kube-system, logs of CoreDNS", value: "no i/o timeout", at: world.now))
      return .refuted("the ends of CoreDNS's logs tell of no server that left it without an answer", [exhibit])
    }
    return .holds(
      Explanation(
        "CoreDNS forwards queries to \(Count.list(Array(Set(upstreams)).sorted())) and gets no answer to some of them: they end as SERVFAIL after \(CorePlugins.Forward.deadline.components.seconds) seconds",
        entity: Entity("Deployment", "coredns", namespace: "kube-system"), evidence: evidence,
        causes: [
          .init(
            Effect(
              .resolverSilent, Entity("Deployment", "coredns", namespace: "kube-system"),
              detail: nodes.sorted().joined(separator: " ")))
        ]))
  }
}

/// CoreDNS's interface may send no more to the VPC's resolver in a second.
struct ResolverAllowanceSpent: Link {
  let code = "names/resolver-allowance-spent"
  let explains: [Effect.Kind] = [.resolverSilent]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let server = await world.dnsServer(), let file = server.corefile.value else { return .silent }
    let resolvers = [server.resolver.nameservers.first ?? "", VPCResolver.linkLocal]
    let upstreams = file.servers.flatMap(\.plugins.forwards).flatMap(\.servers)
    guard upstreams.contains(where: resolvers.contains) else { return .silent }
    guard server.unread.isEmpty else { return .open(server.unread) }
    var gaps: [Gap] = []
    for name in effect.detail.split(separator: " ").map(String.init) {
      let found = await world.node(name)
      guard let node = found.first else {
        if let gap = found.gap { gaps.append(gap) }
        continue
      }
      let counter = NodeCounters.sum(LinkLocalAllowance.counter, .ethtool, of: node, world)
      switch ResolverAllowance.decide(.init(exceeded: counter)).outcome {
      case .open(let more): gaps += more
      case .no: continue
      case .yes(let dropped): return await holds(dropped, counter.citation, name, server, world)
      }
    }
    guard gaps.isEmpty else { return .open(gaps) }
    let exhibit = Exhibit(
      Citation(source: "node", locator: "ethtool -S", field: LinkLocalAllowance.counter, value: "0", at: world.now))
    return .refuted("its interfaces have dropped nothing on the way to the VPC's resolver", [exhibit])
  }

  private func holds(
    _ dropped: Int, _ citation: Citation?, _ node: String, _ server: DNSServerReading, _ world: Investigation
  ) async -> Finding {
    let pods = server.pods.filter { server.ready.contains($0["status"]["podIP"].string ?? "") }
    let here = pods.filter { $0["spec"]["nodeName"].string == node }
    let isAlone = here.count == pods.count && pods.count > 1
    let evidence =
      [citation.map { Exhibit($0) }].compactMap { $0 }
      + here.map { pod in
        Exhibit(
          Cite.object(pod, "Pod", resource: .pods, field: "spec.nodeName", value: node, at: world.now))
      }
    let limit = "an interface may send \(VPCResolver.packetLimit) packets a second there"
    let statement =
      isAlone
      ? "all \(pods.count) pods of CoreDNS are on node \(node), which has dropped \(Count.of(dropped, "packet")) to the VPC's resolver: \(limit)"
      : "node \(node) has dropped \(Count.of(dropped, "packet")) to the VPC's resolver: \(limit), and CoreDNS forwards more than that"
    return .holds(
      Explanation(
        "queries that leave node \(node) for the VPC's resolver are dropped on it",
        entity: Entity("Node", node), evidence: evidence,
        root: RootCause(
          isAlone ? "names/dns-on-one-node" : "names/resolver-allowance", layer: isAlone ? .inCluster : .aws,
          entity: isAlone
            ? Entity("Deployment", "coredns", namespace: "kube-system") : Entity("Node", node),
          statement: statement, evidence: evidence,
          fixes: isAlone ? [await spreading(server, world), Self.fewer] : [Self.fewer])))
  }

  private static let fewer = Fix(
    "fewer queries: a dot at the end of names of other domains or a lower ndots in pods that ask for many, more pods of CoreDNS on other nodes, NodeLocal DNSCache",
    owner: "hand", touches: ["deployment/coredns"])

  /// One pod of CoreDNS on each node, as far as that goes.
  private func spreading(_ server: DNSServerReading, _ world: Investigation) async -> Fix {
    let constraint: JSON = [
      "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
      "labelSelector": ["matchLabels": server.service["spec"]["selector"]], "matchLabelKeys": ["pod-template-hash"],
    ]
    let statement = "puts the pods of CoreDNS on nodes of their own; there must be as many"
    let verify = "\(world.target.kubectl) -n kube-system get pods -o wide -l k8s-app=kube-dns"
    if let cluster = world.target.cluster {
      let addons = await world.aws(.listAddons, ["clusterName": cluster])
      if addons.gap != nil || addons.items.contains(where: { $0.string == "coredns" }) {
        return Fix(
          "\(statement): topologySpreadConstraints in the configuration values of the add-on coredns, where it is one",
          owner: "eks-addon", touches: ["addon/coredns"], restarts: true, verify: verify)
      }
    }
    let maker = PodMaker(
      entity: Entity("Deployment", "coredns", namespace: "kube-system"), resource: .deployments,
      object: server.deployment, owner: FieldOwner.shown(by: server.deployment, .deployments, at: world.now))
    let path = "/spec/template/spec/topologySpreadConstraints"
    return maker.fix(
      statement, patch: [.step("add", path, [constraint])], undo: [.step("remove", path)], verify: verify, world)
  }
}
