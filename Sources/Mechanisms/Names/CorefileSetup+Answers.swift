import Wire

/// Plugins that answer by themselves or change questions.
extension CorefileSetup {
  mutating func cache() throws(CorefileError) -> CorePlugins.Cache {
    var made = CorePlugins.Cache()
    var count = 0
    while tokens.next() {
      count += 1
      if count > 1 { throw CorefileError(Self.once) }
      var words = tokens.remainingArguments()
      if let seconds = words.first.flatMap({ Int($0) }) {
        guard seconds > 0 else { throw CorefileError("cache TTL can not be zero or negative: \(seconds)") }
        (made.successMax, made.denialMax) = (seconds, seconds)
        words.removeFirst()
      }
      made.zones = origins(words)
      while tokens.nextInBlock() { try cacheProperty(&made) }
    }
    return made
  }

  private mutating func cacheProperty(_ made: inout CorePlugins.Cache) throws(CorefileError) {
    let property = tokens.value
    let words = tokens.remainingArguments()
    switch property {
    case "success", "denial":
      if words.isEmpty { throw tokens.argumentError }
      let cap = try number(words[0])
      var (most, least): (Int?, Int?) = (nil, nil)
      if words.count > 1 {
        most = try number(words[1])
        if most! <= 0 { throw CorefileError("cache TTL can not be zero or negative: \(most!)") }
      }
      if words.count > 2 {
        least = try number(words[2])
        if least! < 0 { throw CorefileError("cache min TTL can not be negative: \(least!)") }
      }
      if property == "success" {
        (made.successCap, made.successMax, made.successMin) = (cap, most ?? made.successMax, least ?? made.successMin)
      } else {
        (made.denialCap, made.denialMax, made.denialMin) = (cap, most ?? made.denialMax, least ?? made.denialMin)
      }
    case "prefetch":
      guard (1...3).contains(words.count) else { throw tokens.argumentError }
      let amount = try number(words[0])
      if amount < 0 { throw CorefileError("prefetch amount should be positive: \(amount)") }
      if words.count > 1 { _ = try duration(words[1]) }
      if words.count > 2, !words[2].hasSuffix("%") {
        throw CorefileError("last character of percentage should be `%`, but is: '\(words[2].last!)'")
      }
    case "serve_stale":
      if words.count > 2 { throw tokens.argumentError }
      made.stale = .seconds(3600)
      if let text = words.first {
        made.stale = try duration(text)
        if made.stale! < .zero { throw CorefileError("invalid negative duration for serve_stale") }
      }
      if words.count > 1 {
        let mode = words[1].lowercased()
        guard mode == "immediate" || mode == "verify" else {
          throw CorefileError("invalid value for serve_stale refresh mode: \(mode)")
        }
        made.verifiesStale = mode == "verify"
      }
    case "servfail":
      guard words.count == 1 else { throw tokens.argumentError }
      let length = try duration(words[0])
      if length < .zero { throw CorefileError("invalid negative ttl for servfail") }
      if length > .seconds(300) {
        throw CorefileError("caching SERVFAIL responses over 5 minutes is not permitted")
      }
      made.failureSeconds = Int(length.components.seconds)
    case "disable":
      guard let kind = words.first else { throw tokens.argumentError }
      let named = words.count > 1 ? words.dropFirst().map(DNSName.canonical) : [""]
      switch kind {
      case "success": made.isOffForSuccess = named
      case "denial": made.isOffForDenial = named
      default: throw CorefileError("cache type for disable must be \"success\" or \"denial\"")
      }
    case "keepttl": if !words.isEmpty { throw tokens.argumentError }
    default:
      tokens.cursor -= words.count
      throw tokens.argumentError
    }
  }

  mutating func hosts() throws(CorefileError) -> CorePlugins.Hosts {
    var made = CorePlugins.Hosts()
    var lines: [String] = []
    var count = 0
    while tokens.next() {
      count += 1
      if count > 1 { throw CorefileError(Self.once) }
      var words = tokens.remainingArguments()
      if let path = words.first, path.contains("/"), files[path] != nil || path.hasPrefix("/") {
        lines += (files[path] ?? "").split(separator: "\n").map(String.init)
        words.removeFirst()
      } else if words.isEmpty, let file = files["/etc/hosts"] {
        lines += file.split(separator: "\n").map(String.init)
      }
      made.zones = origins(words)
      while tokens.nextInBlock() { try hostsProperty(&made, &lines) }
    }
    for line in lines {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
      guard words.count > 1, IPv4Address(words[0]) != nil || IPv6Text.isValid(words[0]) else { continue }
      made.entries.append(.init(address: words[0], names: words.dropFirst().map(DNSName.canonical)))
    }
    return made
  }

  private mutating func hostsProperty(
    _ made: inout CorePlugins.Hosts, _ lines: inout [String]
  ) throws(CorefileError) {
    let property = tokens.value
    let words = tokens.remainingArguments()
    switch property {
    case "fallthrough": made.through = through(words)
    case "no_reverse": made.hasReverse = false
    case "ttl":
      guard let text = words.first else { throw tokens.error("ttl needs a time in second") }
      guard let seconds = Int(text) else { throw tokens.error("ttl needs a number of second") }
      guard (1...65535).contains(seconds) else { throw tokens.error("ttl provided is invalid") }
      made.ttl = seconds
    case "reload":
      guard words.count == 1 else { throw tokens.error("reload needs a duration (zero seconds to disable)") }
      guard let length = GoDuration.parse(words[0]) else {
        throw tokens.error("invalid duration for reload '\(words[0])'")
      }
      if length < .zero { throw tokens.error("invalid negative duration for reload '\(words[0])'") }
    default:
      guard made.through.isEmpty else {
        tokens.cursor -= words.count
        throw unknown()
      }
      lines.append(([property] + words).joined(separator: " "))
    }
  }

  // MARK: - Rewrites

  mutating func rewrites() throws(CorefileError) -> [CorePlugins.Rewrite] {
    var rules: [CorePlugins.Rewrite] = []
    while tokens.next() {
      var words = tokens.remainingArguments()
      if words.count < 2 {
        while tokens.nextInBlock() { words.append(tokens.value) }
      }
      if let rule = try rewrite(words) { rules.append(rule) }
    }
    return rules
  }

  /// Nil for rules that change nothing which is modelled: options of EDNS and the like.
  private func rewrite(_ words: [String]) throws(CorefileError) -> CorePlugins.Rewrite? {
    guard let first = words.first?.lowercased() else { throw CorefileError("no rule type specified for rewrite") }
    var rule = CorePlugins.Rewrite()
    var rest = words[...]
    if first == "continue" || first == "stop" {
      if words.count < 2 { throw CorefileError("\(first) rule must begin with a rule type") }
      rule.continues = first == "continue"
      rest = rest.dropFirst()
    }
    let type = rest.removeFirst().lowercased()
    switch type {
    case "answer": throw CorefileError("response rewrites must begin with a name rule")
    case "name": return try named(Array(rest), rule)
    case "class", "type":
      guard rest.count == 2 else { throw CorefileError("\(type) rules must have exactly two arguments") }
      guard type == "type" else { return nil }
      guard let from = DNSType(name: rest.first!) else {
        throw CorefileError("invalid type \(rest.first!.uppercased())")
      }
      guard let to = DNSType(name: rest.last!) else { throw CorefileError("invalid type \(rest.last!.uppercased())") }
      rule.types = (from, to)
      return rule
    case "edns0", "ttl", "cname", "rcode": return nil
    default: throw CorefileError("invalid rule type \"\(words[0])\"")
    }
  }

  private func named(_ words: [String], _ rule: CorePlugins.Rewrite) throws(CorefileError) -> CorePlugins.Rewrite {
    var rule = rule
    if words.count < 2 { throw CorefileError("too few arguments for a name rule") }
    guard words.count > 2 else {
      (rule.from, rule.to, rule.isReverted) = (DNSName.canonical(words[0]), DNSName.canonical(words[1]), true)
      return rule
    }
    guard let kind = CorePlugins.Rewrite.Kind(rawValue: words[0].lowercased()) else {
      throw CorefileError(
        "name rule supports only exact, prefix, suffix, substring, and regex name matching, received: \(words[0].lowercased())"
      )
    }
    rule.kind = kind
    rule.from = kind == .regex ? words[1] : words[1].lowercased()
    rule.to = words[2].lowercased()
    if kind == .exact || kind == .suffix {
      (rule.from, rule.to) = (DNSName.canonical(rule.from), DNSName.canonical(rule.to))
    }
    if kind == .regex, (try? Regex(rule.from)) == nil {
      throw CorefileError("invalid regex pattern in a name rule: \(rule.from)")
    }
    rule.isReverted = kind == .exact
    let rest = words.dropFirst(3)
    if !rest.isEmpty {
      if rest.count < 2 { throw CorefileError("invalid arguments for \(kind.rawValue) rule") }
      if rest.first != "answer" {
        throw CorefileError(
          "exceeded the number of arguments for a non-answer rule argument for \(kind.rawValue) rule")
      }
      rule.isReverted = true
    }
    return rule
  }

  // MARK: - Templates

  mutating func templates() throws(CorefileError) -> [CorePlugins.Template] {
    var all: [CorePlugins.Template] = []
    while tokens.next() {
      var made = CorePlugins.Template()
      guard tokens.nextArgument() else { throw tokens.argumentError }
      guard ["IN", "CH", "HS", "ANY"].contains(tokens.value) else {
        throw tokens.error("invalid query class \(tokens.value)")
      }
      guard tokens.nextArgument() else { throw tokens.argumentError }
      guard let type = DNSType(rawValue: tokens.value) else {
        throw tokens.error("invalid RR class \(tokens.value)")
      }
      made.type = type
      made.zones = origins(tokens.remainingArguments())
      while tokens.nextInBlock() { try templateProperty(&made) }
      if made.matches.isEmpty { made.matches = [".*"] }
      all.append(made)
    }
    return all
  }

  private mutating func templateProperty(_ made: inout CorePlugins.Template) throws(CorefileError) {
    let property = tokens.value
    let words = tokens.remainingArguments()
    switch property {
    case "match":
      if words.isEmpty { throw tokens.argumentError }
      for text in words where (try? Regex(text)) == nil {
        throw tokens.error("could not parse regex: \(text), error parsing regexp")
      }
      made.matches += words
    case "answer", "additional", "authority":
      if words.isEmpty { throw tokens.argumentError }
      if property == "answer" { made.answers += words }
      if property == "authority" { made.authority += words }
    case "rcode":
      guard let text = words.first else { throw tokens.argumentError }
      guard let code = DNSCode(rawValue: text) else { throw tokens.error("unknown rcode \(text)") }
      made.code = code
    case "ederror": break
    case "fallthrough": made.through = through(words)
    case "upstream": break
    default:
      tokens.cursor -= words.count
      throw tokens.error("unknown property '\(property)'")
    }
  }
}
