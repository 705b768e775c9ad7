import Wire

/// Whether an instance becomes a Ready node: every step of joining in its order, the first that fails says why
/// (kubelet and nodeadm sources; field reports of failed joins).
package enum JoinSequence: Rule {
  package static let name = "nodes/join"

  /// The steps, in their order.
  package enum Step: String, Sendable, CaseIterable {
    /// nodeadm, or another system's bootstrap, reads its configuration and asks AWS.
    case bootstrap
    /// The services of AWS that the bootstrap asks are reached.
    case services
    /// The kubelet starts with its flags.
    case kubelet
    /// The instance's role gives credentials to sign a token with.
    case credentials
    /// The endpoint's name is resolved.
    case resolve
    /// The endpoint is reached.
    case connect
    /// The endpoint's certificate is of the cluster's CA.
    case certificate
    /// The token is young enough, by the clocks of both.
    case clock
    /// The token is signed for this cluster.
    case cluster
    /// The verifier reaches STS in the region.
    case sts
    /// The role is mapped to a user.
    case mapping
    /// The user is this node, in the group of nodes.
    case identity
    /// The Node is made.
    case register
    /// The cloud controller finds the instance and takes its taint away.
    case initialize
    /// The network plugin has written its configuration.
    case network
  }

  package struct Facts: FactSet {
    /// What nodeadm, or another system's bootstrap, gave up with; nil for nothing.
    package var bootstrapFault: Fact<String?>
    /// The services that the bootstrap asks and doesn't reach; nil for none.
    package var servicesFault: Fact<String?>
    /// What the kubelet ended with; nil for nothing.
    package var kubeletFault: Fact<String?>
    package var hasCredentials: Fact<Bool>
    package var resolvesEndpoint: Fact<Bool>
    package var reachesEndpoint: Fact<Bool>
    /// What stops its packets on their way to the endpoint, where that is known.
    package var endpointFault = ""
    /// The endpoint that it was given in place of the cluster's; empty for the cluster's own.
    package var endpointGiven = ""
    package var instanceType = ""
    package var trustsEndpoint: Fact<Bool>
    /// Seconds by which the node's clock is behind (negative) or ahead.
    package var clockSkew: Fact<Int>
    /// The cluster's name in the token, and the cluster's own.
    package var tokenCluster: Fact<String>
    package var cluster: Fact<String>
    package var verifierReachesSTS: Fact<Bool>
    /// The outcome of the mapping: nil for a role that is not mapped.
    package var username: Fact<String?>
    package var groups: Fact<[String]>
    /// The name that the kubelet registers.
    package var nodeName: Fact<String>
    package var nodeExists: Fact<Bool>
    package var isInitialized: Fact<Bool>
    package var hasNetworkConfig: Fact<Bool>

    package init(
      bootstrapFault: Fact<String?>, servicesFault: Fact<String?> = .known(nil), kubeletFault: Fact<String?>,
      hasCredentials: Fact<Bool>,
      resolvesEndpoint: Fact<Bool>, reachesEndpoint: Fact<Bool>, trustsEndpoint: Fact<Bool>, clockSkew: Fact<Int>,
      tokenCluster: Fact<String>, cluster: Fact<String>, verifierReachesSTS: Fact<Bool>, username: Fact<String?>,
      groups: Fact<[String]>, nodeName: Fact<String>, nodeExists: Fact<Bool>, isInitialized: Fact<Bool>,
      hasNetworkConfig: Fact<Bool>
    ) {
      self.bootstrapFault = bootstrapFault
      self.servicesFault = servicesFault
      self.kubeletFault = kubeletFault
      self.hasCredentials = hasCredentials
      self.resolvesEndpoint = resolvesEndpoint
      self.reachesEndpoint = reachesEndpoint
      self.trustsEndpoint = trustsEndpoint
      self.clockSkew = clockSkew
      self.tokenCluster = tokenCluster
      self.cluster = cluster
      self.verifierReachesSTS = verifierReachesSTS
      self.username = username
      self.groups = groups
      self.nodeName = nodeName
      self.nodeExists = nodeExists
      self.isInitialized = isInitialized
      self.hasNetworkConfig = hasNetworkConfig
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [
      hider(\.bootstrapFault), hider(\.servicesFault), hider(\.kubeletFault), hider(\.hasCredentials),
      hider(\.resolvesEndpoint),
      hider(\.reachesEndpoint), hider(\.trustsEndpoint), hider(\.clockSkew), hider(\.tokenCluster), hider(\.cluster),
      hider(\.verifierReachesSTS), hider(\.username), hider(\.groups), hider(\.nodeName), hider(\.nodeExists),
      hider(\.isInitialized), hider(\.hasNetworkConfig),
    ]

    /// Nothing known.
    package static func unknown(_ gap: Gap) -> Facts {
      Facts(
        bootstrapFault: .unknown(gap), servicesFault: .unknown(gap), kubeletFault: .unknown(gap),
        hasCredentials: .unknown(gap),
        resolvesEndpoint: .unknown(gap), reachesEndpoint: .unknown(gap), trustsEndpoint: .unknown(gap),
        clockSkew: .unknown(gap), tokenCluster: .unknown(gap), cluster: .unknown(gap),
        verifierReachesSTS: .unknown(gap), username: .unknown(gap), groups: .unknown(gap), nodeName: .unknown(gap),
        nodeExists: .unknown(gap), isInitialized: .unknown(gap), hasNetworkConfig: .unknown(gap))
    }
  }

  /// A `no` gives the failing steps that are known, the first of them last.
  package static func decide(_ facts: Facts) -> Verdict<Void, Because> {
    var failed: [Because] = []
    var gaps: [Gap] = []
    for step in Step.allCases {
      switch truth(step, facts) {
      case .yes: continue
      case .open(let more): gaps += more
      case .no:
        failed.append(
          Because(
            "nodes/join/\(step.rawValue)", sentence(step, facts), evidence: [citation(step, facts)],
            details: ["step": .string(step.rawValue)]))
      }
    }
    if !failed.isEmpty { return .no(failed.reversed()) }
    return gaps.isEmpty ? .yes([Because("nodes/join/ready", "every step of joining has been taken")]) : .open(gaps)
  }

  /// The first step that fails, as far as is known.
  package static func failing(_ verdict: Verdict<Void, Because>) -> (step: Step, because: Because)? {
    guard verdict.isNo, let because = verdict.reasons.last else { return nil }
    return because.details["step"].string.flatMap { Step(rawValue: $0) }.map { ($0, because) }
  }

  /// Whether one step is taken.
  package static func truth(_ step: Step, _ facts: Facts) -> Truth {
    switch step {
    case .bootstrap: Truth(facts.bootstrapFault.map { $0 == nil })
    case .services: Truth(facts.servicesFault.map { $0 == nil })
    case .kubelet: Truth(facts.kubeletFault.map { $0 == nil })
    case .credentials: Truth(facts.hasCredentials)
    case .resolve: Truth(facts.resolvesEndpoint)
    case .connect: Truth(facts.reachesEndpoint)
    case .certificate: Truth(facts.trustsEndpoint)
    // Behind by more than a token's life, it is born expired; ahead, STS refuses the date.
    case .clock: Truth(facts.clockSkew.map { abs($0) <= 900 })
    case .cluster: facts.tokenCluster.and(facts.cluster).truth { $0 == $1 }
    case .sts: Truth(facts.verifierReachesSTS)
    case .mapping: Truth(facts.username.map { $0 != nil })
    case .identity:
      facts.username.and(facts.nodeName).truth { $0 == nil || $0 == "system:node:\($1)" }
        && Truth(facts.groups.map { $0.contains("system:nodes") })
    case .register: Truth(facts.nodeExists)
    case .initialize: Truth(facts.isInitialized)
    case .network: Truth(facts.hasNetworkConfig)
    }
  }

  private static func sentence(_ step: Step, _ facts: Facts) -> String {
    switch step {
    case .bootstrap: "its bootstrap gave up: \(facts.bootstrapFault.value.flatMap { $0 } ?? "")"
    case .services:
      "its bootstrap doesn't reach the services of AWS that it asks: \(facts.servicesFault.value.flatMap { $0 } ?? "")"
    case .kubelet: "the kubelet ended: \(facts.kubeletFault.value.flatMap { $0 } ?? "")"
    case .credentials: "the instance has no credentials of a role to sign a token with"
    case .resolve: "the endpoint's name is not resolved"
    case .connect:
      if !facts.endpointGiven.isEmpty {
        "it was given \(facts.endpointGiven), which is not the cluster's endpoint"
      } else {
        facts.endpointFault.isEmpty
          ? "the endpoint is not reached" : "the endpoint is not reached: \(facts.endpointFault)"
      }
    case .certificate: "the endpoint's certificate is not of the CA that the node was given"
    case .clock: "the node's clock is off by \(facts.clockSkew.value ?? 0) s, and a token lives 15 minutes"
    case .cluster:
      "its token is signed for cluster \(facts.tokenCluster.value ?? ""), and this is \(facts.cluster.value ?? "")"
    case .sts: "the verifier does not reach STS in the region"
    case .mapping: "the node's role is mapped to no user: identity is not mapped"
    case .identity:
      "it is mapped to \(facts.username.value.flatMap { $0 } ?? "?") in groups "
        + "[\((facts.groups.value ?? []).joined(separator: ", "))], and registers as \(facts.nodeName.value ?? "?")"
    case .register: "it has not registered"
    case .initialize: "the cloud controller has not found its instance"
    case .network: "the network plugin has not written its configuration: cni plugin not initialized"
    }
  }

  private static func citation(_ step: Step, _ facts: Facts) -> Citation? {
    switch step {
    case .bootstrap: facts.bootstrapFault.citation
    case .services: facts.servicesFault.citation
    case .kubelet: facts.kubeletFault.citation
    case .credentials: facts.hasCredentials.citation
    case .resolve: facts.resolvesEndpoint.citation
    case .connect: facts.reachesEndpoint.citation
    case .certificate: facts.trustsEndpoint.citation
    case .clock: facts.clockSkew.citation
    case .cluster: facts.tokenCluster.citation
    case .sts: facts.verifierReachesSTS.citation
    case .mapping: facts.username.citation
    case .identity: facts.groups.citation ?? facts.username.citation
    case .register: facts.nodeExists.citation
    case .initialize: facts.isInitialized.citation
    case .network: facts.hasNetworkConfig.citation
    }
  }
}
