import Wire

/// Sets a plugin up from the words of its directive, with the errors that it has.
///
/// Source: coredns/coredns `plugin/*/setup.go`, v1.11.
struct CorefileSetup {
  var tokens: CorefileTokens
  let zones: [String]
  let files: [String: String]

  mutating func run(_ directive: String, _ plugins: inout CorePlugins) throws(CorefileError) {
    do throws(CorefileError) {
      switch directive {
      case "errors": plugins.logsErrors = true
      case "log": plugins.logs = try log()
      case "health": plugins.health = try health()
      case "ready": plugins.isReadyTold = try single { $0 <= 1 }
      case "prometheus": plugins.hasMetrics = try single { $0 <= 1 }
      case "loop": plugins.findsLoops = try single { $0 == 0 }
      case "loadbalance": plugins.balances = try loadbalance()
      case "reload": plugins.reload = try reload()
      case "kubernetes": plugins.kubernetes = try kubernetes()
      case "forward": plugins.forwards = try forwards()
      case "cache": plugins.cache = try cache()
      case "hosts": plugins.hosts = try hosts()
      case "rewrite": plugins.rewrites = try rewrites()
      case "template": plugins.templates = try templates()
      case "autopath": plugins.autopath = try autopath()
      case "bind":
        _ = tokens.next()
        plugins.binds = tokens.remainingArguments()
      default: plugins.unmodelled.append(directive)
      }
    } catch {
      throw CorefileError("plugin/\(directive): \(error.text)", line: error.line ?? tokens.line)
    }
  }

  static let once = "this plugin can only be used once per Server Block"

  /// Zones that were named, or else those of the block.
  func origins(_ named: some Sequence<String>) -> [String] {
    let named = named.map(Corefile.normal)
    return named.isEmpty ? zones : named
  }

  func unknown() -> CorefileError { tokens.error("unknown property '\(tokens.value)'") }

  func number(_ text: String) throws(CorefileError) -> Int {
    guard let number = Int(text) else {
      throw CorefileError("strconv.Atoi: parsing \"\(text)\": invalid syntax")
    }
    return number
  }

  func duration(_ text: String) throws(CorefileError) -> Duration {
    guard let duration = GoDuration.parse(text) else {
      throw CorefileError(
        Double(text) != nil
          ? "time: missing unit in duration \"\(text)\"" : "time: invalid duration \"\(text)\"")
    }
    return duration
  }

  func through(_ arguments: [String]) -> [String] { arguments.isEmpty ? [""] : arguments.map(DNSName.canonical) }

  /// A directive that takes some words and no block.
  private mutating func single(_ fits: (Int) -> Bool) throws(CorefileError) -> Bool {
    var count = 0
    while tokens.next() {
      count += 1
      if count > 1 { throw CorefileError(Self.once) }
      let words = tokens.remainingArguments()
      guard fits(words.count) else { throw tokens.argumentError }
    }
    return true
  }

  private mutating func log() throws(CorefileError) -> [String] {
    var scopes: [String] = []
    while tokens.next() {
      let words = tokens.remainingArguments()
      scopes += words.isEmpty ? [""] : words.filter { !$0.contains("{") }.map(DNSName.canonical)
      while tokens.nextInBlock() {
        guard tokens.value == "class" else { throw unknown() }
        let classes = tokens.remainingArguments()
        if classes.isEmpty { throw tokens.argumentError }
        for name in classes where !["all", "success", "denial", "error"].contains(name) {
          throw CorefileError("invalid Class: \(name)")
        }
      }
    }
    return scopes
  }

  private mutating func health() throws(CorefileError) -> CorePlugins.Health {
    var health = CorePlugins.Health()
    while tokens.next() {
      let words = tokens.remainingArguments()
      if words.count > 1 { throw tokens.argumentError }
      if let address = words.first { health.address = address }
      while tokens.nextInBlock() {
        guard tokens.value == "lameduck" else { throw unknown() }
        let words = tokens.remainingArguments()
        guard words.count == 1 else { throw tokens.argumentError }
        guard let length = GoDuration.parse(words[0]) else {
          throw CorefileError(
            "unable to parse lameduck duration value: '\(words[0])' : time: invalid duration \"\(words[0])\"")
        }
        health.lameduck = length
      }
    }
    return health
  }

  private mutating func loadbalance() throws(CorefileError) -> Bool {
    while tokens.next() {
      let words = tokens.remainingArguments()
      guard let policy = words.first else { return true }
      guard ["round_robin", "weighted"].contains(policy) else {
        throw CorefileError("unknown policy: \(policy)")
      }
      if policy == "round_robin", words.count > 1 { throw CorefileError("unknown property for round_robin") }
    }
    return true
  }

  private mutating func reload() throws(CorefileError) -> Duration {
    _ = tokens.next()
    let words = tokens.remainingArguments()
    if words.count > 2 { throw tokens.argumentError }
    var interval: Duration = .seconds(30)
    if let text = words.first { interval = try duration(text) }
    if interval < .seconds(2) { throw CorefileError("interval value must be greater or equal to 2s") }
    if words.count > 1 {
      let jitter = try duration(words[1])
      if jitter < .seconds(1) { throw CorefileError("jitter value must be greater or equal to 1s") }
    }
    return interval
  }

  private mutating func autopath() throws(CorefileError) -> CorePlugins.Autopath {
    var autopath = CorePlugins.Autopath()
    while tokens.next() {
      let words = tokens.remainingArguments()
      guard let resolver = words.last else { throw CorefileError("no resolv-conf specified") }
      if resolver.hasPrefix("@") {
        autopath.plugin = String(resolver.dropFirst())
      } else {
        guard let text = files[resolver] else {
          throw CorefileError("failed to parse \"\(resolver)\": open \(resolver): no such file or directory")
        }
        autopath.searches = ResolverConfiguration(parsing: text).searches.map(DNSName.canonical) + [""]
      }
      autopath.zones = origins(words.dropLast())
    }
    return autopath
  }
}
