import Evidence
import Mechanisms
import Wire

/// Nobody behind the cluster's DNS address answers.
struct DNSWithoutEndpoints: NameLink {
  let code = "names/dns-without-endpoints"
  let explains: [Effect.Kind] = [.nameLookup]

  func test(_ reading: NameReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    guard case .cluster = reading.server.kind else { return .silent }
    let evidence = [
      Exhibit(
        Citation(
          source: "kubernetes", locator: "endpointslices.discovery.k8s.io/kube-system/kube-dns", field: "endpoints",
          value: "\(reading.server.ready.count) ready", at: world.now))
    ]
    guard reading.trace.answers.contains(.refused) else {
      return reading.gaps.isEmpty ? .refuted("CoreDNS has ready endpoints", evidence) : .silent
    }
    return .holds(
      Explanation(
        "\(reading.server.title) has no ready endpoint: every query is refused", entity: effect.entity,
        evidence: reading.resolverEvidence(world) + evidence,
        causes: [.init(Effect(.dnsDown, Entity("Deployment", "coredns", namespace: "kube-system")))],
        lastSymptomAt: world.now))
  }
}

/// CoreDNS forwards a name to a server that says nothing.
struct UpstreamSilent: NameLink {
  let code = "names/upstream-silent"
  let explains: [Effect.Kind] = [.nameLookup]

  func test(_ reading: NameReading, _ effect: Effect, _ world: Investigation) async -> Finding {
    let silent = reading.reasons.first { $0.code == "names/coredns/upstream-silent" }
    let support = reading.network.support
    let isAsked = silent != nil || reading.server.kind == .vpc
    guard isAsked, case .tryAgain = reading.trace.result, reading.gaps.isEmpty else { return .silent }
    if support.value == false {
      let entity = Entity("VPC", reading.network.id)
      let exhibit = support.citation.map { Exhibit($0) }
      return .holds(
        Explanation(
          "the VPC's resolver answers nothing, and CoreDNS forwards to it what is not the cluster's",
          entity: entity, evidence: reading.resolverEvidence(world),
          root: RootCause(
            "names/dns-support-off", layer: .aws, entity: entity,
            statement: "enableDnsSupport of VPC \(reading.network.id) is off", evidence: [exhibit].compactMap { $0 },
            fixes: [
              Fix(
                "switch it on",
                command:
                  "aws ec2 modify-vpc-attribute --vpc-id \(reading.network.id) --enable-dns-support Value=true\(world.target.awsOptions)",
                owner: "unknown", touches: [entity.title], verify: reading.verify)
            ])))
    }
    guard let silent else { return .silent }
    let entity = Entity("ConfigMap", "coredns", namespace: "kube-system")
    let forward = reading.server.corefile.value?.servers.flatMap(\.plugins.forwards).first
    let written =
      forward.map { "forward \($0.from.isEmpty ? "." : $0.from) \($0.to.joined(separator: " "))" } ?? "forward"
    return .holds(
      Explanation(
        silent.text, entity: entity, evidence: reading.resolverEvidence(world) + reading.tries(world),
        root: RootCause(
          "names/forward-leads-nowhere", layer: .inCluster, entity: entity,
          statement: "the Corefile has `\(written)`, and nobody there answers",
          evidence: [reading.server.text.citation.map { Exhibit($0) }].compactMap { $0 },
          fixes: [
            Fix(
              "let it forward to the VPC's resolver: `forward . /etc/resolv.conf`",
              command: "\(world.target.kubectl) -n kube-system edit configmap coredns", owner: "unknown",
              touches: [entity.title], verify: reading.verify, expectWithin: "2m")
          ])))
  }
}

/// The Corefile in the ConfigMap is one with which CoreDNS does not start.
struct CorefileRefused: Link {
  let code = "names/corefile-refused"
  let explains: [Effect.Kind] = [.nameServers, .dnsDown]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let reading = await world.dnsServer()
    guard let server = reading else { return .silent }
    if !server.corefile.gaps.isEmpty {
      return effect.kind == .dnsDown ? .open(server.corefile.gaps) : .silent
    }
    let entity = Entity("ConfigMap", "coredns", namespace: "kube-system")
    let citation = server.text.citation
    guard server.corefile.isNo, let why = server.corefile.reasons.last else {
      guard effect.kind == .dnsDown else { return .silent }
      return .refuted("CoreDNS takes the Corefile", [citation.map { Exhibit($0) }].compactMap { $0 })
    }
    let number = why.details["line"].int
    let line = number.flatMap { CorefileRule.line($0, of: server.text.value.flatMap { $0 } ?? "") }
    let place = number.map { ", line \($0): `\(line ?? "")`" } ?? ""
    let exhibit = citation.map {
      Exhibit($0, text: "k8s configmaps/kube-system/coredns, data.Corefile\(place)")
    }
    let isDown = server.ready.isEmpty
    return .holds(
      Explanation(
        isDown
          ? "CoreDNS ends as it starts: \(why.text)"
          : "CoreDNS runs by the Corefile from before; with the one in the ConfigMap it would not start again",
        entity: entity, evidence: [exhibit].compactMap { $0 } + server.trouble(world),
        root: RootCause(
          "names/corefile-refused", layer: .inCluster, entity: entity,
          statement: "the Corefile is refused: \(why.text)",
          evidence: [exhibit].compactMap { $0 },
          fixes: [
            Fix(
              "correct \(number.map { "line \($0)" } ?? "it"); pods that wait in CrashLoopBackOff take it at their next start",
              command: "\(world.target.kubectl) -n kube-system edit configmap coredns", owner: "unknown",
              touches: [entity.title], restarts: isDown,
              verify: "\(world.target.kubectl) -n kube-system rollout status deployment/coredns", expectWithin: "5m")
          ])))
  }
}

/// What CoreDNS forwards comes back to it.
struct DNSLoops: Link {
  let code = "names/dns-loops"
  let explains: [Effect.Kind] = [.dnsDown]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let server = await world.dnsServer(), let file = server.corefile.value else { return .silent }
    let addresses = server.pods.compactMap { $0["status"]["podIP"].string }
    let verdict = CoreDNSLoop.decide(
      .init(
        servers: .known(file.servers, server.text.source ?? .world), ownAddresses: .known(addresses),
        serviceAddresses: .known([server.address])))
    let exhibits = [server.text.citation.map { Exhibit($0) }].compactMap { $0 }
    guard let loop = verdict.value else { return .refuted("nothing that it forwards comes back", exhibits) }
    let entity = Entity("ConfigMap", "coredns", namespace: "kube-system")
    return .holds(
      Explanation(
        "CoreDNS finds a loop and ends: \(verdict.reasons.last?.text ?? "")", entity: entity,
        evidence: exhibits + server.trouble(world),
        root: RootCause(
          "names/dns-loop", layer: .inCluster, entity: entity,
          statement:
            "the Corefile forwards zone \(loop.zone.isEmpty ? "." : loop.zone) to \(loop.server), which leads back to CoreDNS",
          evidence: exhibits,
          fixes: [
            Fix(
              "forward to the VPC's resolver instead: `forward . /etc/resolv.conf`, with dnsPolicy Default in the deployment",
              command: "\(world.target.kubectl) -n kube-system edit configmap coredns", owner: "unknown",
              touches: [entity.title], restarts: true,
              verify: "\(world.target.kubectl) -n kube-system rollout status deployment/coredns", expectWithin: "5m")
          ])))
  }
}

/// CoreDNS's pods are wanted by nobody, or something is the matter with them.
struct DNSPodsFail: Link {
  let code = "names/dns-pods-fail"
  let explains: [Effect.Kind] = [.dnsDown]

  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    guard let server = await world.dnsServer() else { return .silent }
    if server.corefile.isNo { return .silent }
    if let file = server.corefile.value {
      let addresses = server.pods.compactMap { $0["status"]["podIP"].string }
      let loops = CoreDNSLoop.decide(
        .init(
          servers: .known(file.servers), ownAddresses: .known(addresses), serviceAddresses: .known([server.address])))
      if loops.isYes { return .silent }
    }
    let entity = Entity("Deployment", "coredns", namespace: "kube-system")
    guard server.pods.isEmpty else {
      let causes = server.pods.prefix(2).map { Explanation.Cause(PodState($0).effect) }
      // With the Corefile unread, that it makes them end is no worse a guess.
      if causes.contains(where: { $0.effect.kind == .podFails }), !server.corefile.gaps.isEmpty {
        return .open(server.corefile.gaps)
      }
      return .holds(
        Explanation("none of CoreDNS's pods is ready", entity: entity, evidence: server.trouble(world), causes: causes))
    }
    guard server.unread.isEmpty else { return .open(server.unread) }
    let wanted = server.deployment["spec"]["replicas"].int
    let isThere = !server.deployment.isNull
    let exhibit = Exhibit(
      Citation(
        source: "kubernetes", locator: "deployments.apps/kube-system/coredns", field: isThere ? "spec.replicas" : "",
        value: isThere ? "\(wanted ?? 1)" : "does not exist", at: world.now))
    guard !isThere || wanted == 0 else {
      return .holds(Explanation("CoreDNS has no pods", entity: entity, evidence: [exhibit]))
    }
    return .holds(
      Explanation(
        "CoreDNS has no pods", entity: entity, evidence: [exhibit],
        root: RootCause(
          isThere ? "names/dns-scaled-down" : "names/dns-not-installed", layer: .inCluster, entity: entity,
          statement: isThere ? "deployment/coredns is scaled to 0" : "there is no deployment/coredns in kube-system",
          evidence: [exhibit],
          fixes: [
            isThere
              ? Fix(
                "scale it up", command: "\(world.target.kubectl) -n kube-system scale deployment coredns --replicas=2",
                owner: "unknown", touches: [entity.title],
                verify: "\(world.target.kubectl) -n kube-system rollout status deployment/coredns", expectWithin: "2m")
              : Fix(
                "install the add-on coredns",
                command:
                  "aws eks create-addon --cluster-name \(Shell.quote(world.target.cluster ?? "CLUSTER")) --addon-name coredns\(world.target.awsOptions)",
                owner: "unknown", touches: ["addon/coredns"],
                verify: "\(world.target.kubectl) -n kube-system rollout status deployment/coredns", expectWithin: "5m")
          ])))
  }
}

extension DNSServerReading {
  /// How its pods fare.
  func trouble(_ world: Investigation) -> [Exhibit] {
    pods.prefix(2).map { PodState($0).exhibit(world.now) }
  }
}

extension Investigation {
  /// The servers of the cluster's DNS, whoever asks.
  func dnsServer() async -> DNSServerReading? {
    let reading = await names("kubernetes.default", namespace: "default", from: "").reading
    return reading.flatMap { $0.server.kind == .cluster ? $0.server : nil }
  }
}
