package import Wire

extension JoinSequence.Facts {
  /// What a Node that exists proves of its joining: it has gone every step up to its registration. Where there
  /// is none, only that; the rest stays as it was.
  package mutating func read(node: JSON?, source: Source = .world) {
    guard let node else {
      nodeExists = .known(false, source)
      return
    }
    nodeExists = .known(true, source)
    if let name = node["metadata"]["name"].string { nodeName = .known(name, source) }
    bootstrapFault = .known(nil, source)
    servicesFault = .known(nil, source)
    kubeletFault = .known(nil, source)
    let uninitialized = NodeRegistration.uninitializedTaint.key
    isInitialized = .known(!node["spec"]["taints"].items.contains { $0["key"].string == uninitialized }, source)
    hasNetworkConfig = NodeReadiness.Facts(node: node, source: { _, _ in source }).hasNetworkConfig
  }

  /// What the mapping's verdict says.
  package mutating func read(mapping verdict: Verdict<MappedIdentity, Because>, source: Source = .world) {
    switch verdict.outcome {
    case .yes(let user):
      username = .known(user.username, source)
      groups = .known(user.groups, source)
    case .no:
      username = .known(nil, source)
      // Who is nobody is in no group, and that is the mapping's fault already.
      groups = .known(["system:nodes"], source)
    case .open(let gaps):
      username = .unknown(gaps.first ?? Gap(read: "identity/mapping", why: "open"))
      groups = .unknown(gaps.first ?? Gap(read: "identity/mapping", why: "open"))
    }
  }

  /// What lines of a node's own logs, or of the cluster's authenticator, say: the last that shows a step
  /// failing, after the node's last registration. Log lines prove failures only; that none is there proves nothing.
  package mutating func read(log lines: some Sequence<String>, source: (_ line: String) -> Source = { _ in .world }) {
    var since: [String] = []
    for line in lines { if JoinSymptoms.isRegistration(line) { since = [] } else { since.append(line) } }
    for line in since {
      guard let step = JoinSymptoms.step(of: line) else { continue }
      let from = source(line)
      switch step {
      case .bootstrap: bootstrapFault = .known(line, from)
      case .services: servicesFault = .known(line, from)
      case .kubelet: kubeletFault = .known(line, from)
      case .credentials: hasCredentials = .known(false, from)
      case .resolve: resolvesEndpoint = .known(false, from)
      case .connect: reachesEndpoint = .known(false, from)
      case .certificate: trustsEndpoint = .known(false, from)
      case .sts: verifierReachesSTS = .known(false, from)
      case .mapping: username = .known(nil, from)
      case .network: hasNetworkConfig = .known(false, from)
      // These need values that the line does not carry.
      case .clock, .cluster, .identity, .register, .initialize: continue
      }
    }
  }

  /// What an instance's user data says: its cluster, and whether its bootstrap and the kubelet can use it.
  package mutating func read(userData text: String, system: NodeSystem, source: Source = .world) {
    if let fault = NodeConfig.fault(userData: text, system: system) { bootstrapFault = .known(fault, source) }
    guard let config = NodeConfig(userData: text, system: system) else { return }
    tokenCluster = .known(config.clusterName, source)
    let labels = Bootstrap.nodeLabels(config.kubeletFlags).map(\.0)
    if let fault = NodeLabels.kubeletError(labels) { kubeletFault = .known(fault, source) }
  }

  /// Whether a kubelet starts on a machine of that type, by what it was given for it.
  package mutating func read(instanceType type: String, _ config: NodeConfig, source: Source = .world) {
    guard kubeletFault.value.flatMap({ $0 }) == nil else { return }
    let fault = InstanceSwap.kubeletError(type: type, flags: config.kubeletFlags, config: config.kubeletConfig)
    if let fault { kubeletFault = .known(fault, source) }
  }

  /// Whether the way from an instance to the cluster's endpoint is open.
  package mutating func read(path verdict: Verdict<IPv4Address, Because>, source: Source = .world) {
    switch verdict.outcome {
    case .open: return
    case .yes: reachesEndpoint = .known(true, source)
    case .no:
      let because = verdict.reasons.last
      reachesEndpoint = .known(false, because?.evidence.first.map { .read($0) } ?? source)
      endpointFault = because?.text ?? ""
    }
  }

  /// The same to a service that the bootstrap asks.
  package mutating func read(
    pathTo service: String, _ verdict: Verdict<IPv4Address, Because>, source: Source = .world
  ) {
    guard verdict.isNo, let because = verdict.reasons.last else { return }
    servicesFault = .known("\(service): \(because.text)", because.evidence.first.map { .read($0) } ?? source)
  }

  /// Whether what the node was given is of the cluster with that endpoint and CA. Another endpoint may be
  /// anybody's; that it isn't this cluster's is enough.
  package mutating func read(
    _ config: NodeConfig, endpoint: String, certificateAuthority: String, source: Source = .world
  ) {
    guard config.apiServerEndpoint == endpoint else {
      reachesEndpoint = .known(false, source)
      endpointGiven = config.apiServerEndpoint
      return
    }
    trustsEndpoint = .known(config.certificateAuthority == certificateAuthority, source)
  }

  /// What DescribeInstances says of the machine: with no profile it has no credentials, and by its private DNS name
  /// it registers.
  package mutating func read(
    instance: JSON, source: (_ field: String, _ value: String) -> Source = { _, _ in .world }
  ) {
    if let name = instance["PrivateDnsName"].string, !name.isEmpty {
      nodeName = .known(name, source("PrivateDnsName", name))
    }
    if (instance["IamInstanceProfile"]["Arn"].string ?? "").isEmpty {
      hasCredentials = .known(false, source("IamInstanceProfile.Arn", "none"))
    }
  }
}
