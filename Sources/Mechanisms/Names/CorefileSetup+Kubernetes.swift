import Wire

extension CorefileSetup {
  mutating func kubernetes() throws(CorefileError) -> CorePlugins.Kubernetes {
    var made = CorePlugins.Kubernetes()
    var count = 0
    var hasLabels = false
    while tokens.next() {
      count += 1
      if count > 1 { throw CorefileError(Self.once) }
      made.zones = origins(tokens.remainingArguments())
      if made.zones.allSatisfy({ $0.hasSuffix(".arpa") }) {
        throw CorefileError("non-reverse zone name must be used")
      }
      while tokens.nextInBlock() { try kubernetesProperty(&made, &hasLabels) }
      if hasLabels, !made.namespaces.isEmpty {
        throw tokens.error("namespaces and namespace_labels cannot both be set")
      }
    }
    return made
  }

  private mutating func kubernetesProperty(
    _ made: inout CorePlugins.Kubernetes, _ hasLabels: inout Bool
  ) throws(CorefileError) {
    let property = tokens.value
    let words = tokens.remainingArguments()
    func needs(_ fits: Bool) throws(CorefileError) { if !fits { throw tokens.argumentError } }
    switch property {
    case "endpoint_pod_names":
      try needs(words.isEmpty)
      made.usesPodNames = true
    case "pods":
      try needs(words.count == 1)
      guard let mode = CorePlugins.Kubernetes.Pods(rawValue: words[0]) else {
        throw CorefileError("wrong value for pods: \(words[0]),  must be one of: disabled, verified, insecure")
      }
      made.pods = mode
    case "namespaces":
      try needs(!words.isEmpty)
      made.namespaces += words
    case "endpoint", "labels": try needs(!words.isEmpty)
    case "namespace_labels":
      try needs(!words.isEmpty)
      hasLabels = true
    case "tls": try needs(words.count == 3)
    case "fallthrough": made.through = through(words)
    case "ttl":
      try needs(!words.isEmpty)
      let seconds = try number(words[0])
      guard (0...3600).contains(seconds) else { throw tokens.error("ttl must be in range [0, 3600]: \(seconds)") }
      made.ttl = seconds
    case "noendpoints":
      try needs(words.isEmpty)
      made.hasEndpoints = false
    case "ignore":
      guard let what = words.first else { return }
      guard what == "empty_service" else { throw CorefileError("unable to parse ignore value: '\(what)'") }
      made.ignoresEmpty = true
    case "kubeconfig": try needs(words.count == 1 || words.count == 2)
    default:
      tokens.cursor -= words.count
      throw unknown()
    }
  }
}

extension CorefileSetup {
  mutating func forwards() throws(CorefileError) -> [CorePlugins.Forward] {
    var all: [CorePlugins.Forward] = []
    while tokens.next() {
      var made = CorePlugins.Forward()
      guard tokens.nextArgument(), tokens.value != "{" else { throw tokens.argumentError }
      made.from = Corefile.normal(tokens.value)
      made.to = tokens.remainingArguments()
      if made.to.isEmpty { throw tokens.argumentError }
      for address in made.to { made.servers += try servers(address) }
      while tokens.nextInBlock() { try forwardProperty(&made) }
      if made.servers.count > 15 {
        throw CorefileError("more than 15 TOs configured: \(made.servers.count)")
      }
      all.append(made)
    }
    return all
  }

  private func servers(_ written: String) throws(CorefileError) -> [String] {
    var text = written
    if let scheme = text.firstRange(of: "://") {
      let kind = text[..<scheme.lowerBound]
      guard kind == "dns" || kind == "tls" else {
        throw CorefileError("'\(kind)' is not supported as a destination protocol in forward: \(written)")
      }
      text = String(text[scheme.upperBound...])
    }
    if IPv4Address(text) != nil || IPv6Text.isValid(text) { return [text] }
    if let colon = text.lastIndex(of: ":"), IPv4Address(text[..<colon]) != nil,
      let port = Int(text[text.index(after: colon)...])
    {
      return [port == 53 ? String(text[..<colon]) : text]
    }
    guard let file = files[text] else { throw CorefileError("not an IP address or file: \"\(text)\"") }
    let found = ResolverConfiguration(parsing: file).nameservers
    if found.isEmpty { throw CorefileError("no nameservers found") }
    return found
  }

  private mutating func forwardProperty(_ made: inout CorePlugins.Forward) throws(CorefileError) {
    let property = tokens.value
    func value(_ tokens: inout CorefileTokens) throws(CorefileError) -> String {
      guard tokens.nextArgument() else { throw tokens.argumentError }
      return tokens.value
    }
    switch property {
    case "except":
      let words = tokens.remainingArguments()
      if words.isEmpty { throw tokens.argumentError }
      made.except += words.map(Corefile.normal)
    case "max_fails":
      let text = try value(&tokens)
      guard let count = UInt32(text) else {
        throw CorefileError("strconv.ParseUint: parsing \"\(text)\": invalid syntax")
      }
      made.maxFails = Int(count)
    case "health_check":
      made.healthCheck = try duration(try value(&tokens))
      if made.healthCheck < .zero {
        throw CorefileError("health_check can't be negative: \(made.healthCheck.components.seconds)")
      }
      _ = tokens.remainingArguments()
    case "force_tcp":
      if tokens.nextArgument() { throw tokens.argumentError }
      made.forcesTCP = true
    case "prefer_udp":
      if tokens.nextArgument() { throw tokens.argumentError }
      made.prefersUDP = true
    case "tls": if tokens.remainingArguments().count > 3 { throw tokens.argumentError }
    case "tls_servername": _ = try value(&tokens)
    case "expire":
      let text = try value(&tokens)
      if try duration(text) < .zero { throw CorefileError("expire can't be negative: \(text)") }
    case "policy":
      let text = try value(&tokens)
      guard let policy = CorePlugins.Forward.Policy(rawValue: text) else {
        throw tokens.error("unknown policy '\(text)'")
      }
      made.policy = policy
    case "max_concurrent":
      let count = try number(try value(&tokens))
      if count < 0 { throw CorefileError("max_concurrent can't be negative: \(count)") }
      made.maxConcurrent = count
    case "next", "failfast_all_unhealthy_upstreams": _ = tokens.remainingArguments()
    default: throw unknown()
    }
  }
}
