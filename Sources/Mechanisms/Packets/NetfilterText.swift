import Wire

/// Why a line of `iptables-save` could not be read.
package struct NetfilterError: Error, CustomStringConvertible {
  package var line: Int
  package var description: String
}

extension Netfilter {
  /// Reads what `iptables-save` printed, counters or not. Matches and targets that aren't modelled are kept as text.
  package init(save text: String) throws(NetfilterError) {
    self.init()
    var seen: Set<String> = []
    var table = ""
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = line.drop { $0 == " " }
      guard let first = line.first, first != "#" else { continue }
      if first == "*" {
        table = String(line.dropFirst())
        if seen.insert(table).inserted { self[table: table] = Table(name: table, chains: []) }
        continue
      }
      if line.hasPrefix("COMMIT") { continue }
      if first == ":" {
        let words = line.dropFirst().split(separator: " ")
        guard words.count >= 2 else { throw NetfilterError(line: number + 1, description: "a chain without policy") }
        let accepts: Bool? = words[1] == "-" ? nil : words[1] == "ACCEPT"
        self[table: table].chains.append(Chain(String(words[0]), accepts: accepts))
        continue
      }
      do throws(NetfilterWords.Fault) {
        var words = NetfilterWords(line)
        guard words.next() == "-A", let chain = words.next() else {
          throw NetfilterWords.Fault("neither a chain nor a rule: \(line)")
        }
        add(try NetfilterRule(&words), table: table, chain: chain)
      } catch { throw NetfilterError(line: number + 1, description: error.text) }
    }
  }

  /// As `iptables-save` prints it, without counters. Tables that are as they begin are left out, as by the kernel.
  package var save: String {
    var out = ""
    for name in ["mangle", "raw", "filter", "nat"] {
      let table = self[table: name]
      guard table.chains.contains(where: { $0.accepts == nil || $0.accepts == false || !$0.rules.isEmpty }) else {
        continue
      }
      out += "*\(name)\n"
      for chain in table.chains {
        let policy = chain.accepts.map { $0 ? "ACCEPT" : "DROP" } ?? "-"
        out += ":\(chain.name) \(policy) [0:0]\n"
      }
      for chain in table.chains { for rule in chain.rules { out += "-A \(chain.name)\(rule.text)\n" } }
      out += "COMMIT\n"
    }
    return out
  }
}

/// Words of a rule, quotes taken off.
struct NetfilterWords {
  struct Fault: Error {
    var text: String
    init(_ text: String) { self.text = text }
  }

  private var words: [String] = []
  private var at = 0

  init(_ line: Substring) {
    var word = ""
    var isQuoted = false
    var isWord = false
    var escaped = false
    for character in line {
      if escaped {
        word.append(character)
        escaped = false
      } else if character == "\\", isQuoted {
        escaped = true
      } else if character == "\"" {
        isQuoted.toggle()
        isWord = true
      } else if character == " ", !isQuoted {
        if isWord { words.append(word) }
        word = ""
        isWord = false
      } else {
        word.append(character)
        isWord = true
      }
    }
    if isWord { words.append(word) }
  }

  var peek: String? { at < words.count ? words[at] : nil }

  mutating func next() -> String? {
    guard at < words.count else { return nil }
    at += 1
    return words[at - 1]
  }

  mutating func value(of option: String) throws(Fault) -> String {
    guard let value = next() else { throw Fault("\(option) without a value") }
    return value
  }

  /// All that stands before the next match or target, as text.
  mutating func rest() -> String {
    var parts: [String] = []
    while let word = peek, word != "-m", word != "-j", word != "-g" {
      parts.append(word)
      at += 1
    }
    return parts.joined(separator: " ")
  }

  mutating func tail() -> String {
    let parts = words[at...]
    at = words.count
    return parts.joined(separator: " ")
  }
}

extension NetfilterRule {
  init(_ words: inout NetfilterWords) throws(NetfilterWords.Fault) {
    self.init([], .none(""))
    var negated = false
    /// The match that options belong to, by its name.
    var module = ""
    while let word = words.next() {
      if word == "!" {
        negated = true
        continue
      }
      defer { negated = false }
      switch word {
      case "-s", "-d":
        let text = try words.value(of: word)
        guard let block = CIDR(text) ?? IPv4Address(text).map({ CIDR($0, length: 32) }) else {
          throw NetfilterWords.Fault("\(text) is no IPv4 block")
        }
        let test = AddressTest(block: block, isNegated: negated)
        if word == "-s" { source = test } else { destination = test }
      case "-i": input = InterfaceTest(try words.value(of: word), negated: negated)
      case "-o": output = InterfaceTest(try words.value(of: word), negated: negated)
      case "-p":
        let text = try words.value(of: word)
        if text == "all" { continue }
        guard let transport = Transport(name: text) else { throw NetfilterWords.Fault("\(text) is no protocol") }
        self.transport = TransportTest(transport: transport, isNegated: negated)
      case "-m":
        module = try words.value(of: word)
        try begin(module, &words)
      case "-j", "-g":
        let name = try words.value(of: word)
        target = try Target(name, isJump: word == "-j", &words)
      case "-c":
        _ = words.next()
        _ = words.next()
      default: try option(word, of: module, negated: negated, &words)
      }
    }
  }

  private mutating func begin(_ module: String, _ words: inout NetfilterWords) throws(NetfilterWords.Fault) {
    switch module {
    case "tcp", "udp": matches.append(.ports(Transport(name: module)!, source: nil, destination: nil))
    case "addrtype": matches.append(.addressKind(source: nil, destination: nil, input: false, output: false))
    case "comment", "mark", "connmark", "conntrack", "state", "statistic": break
    case "recent": matches.append(.recent("DEFAULT", .check(seconds: nil, reap: false), negated: false))
    default:
      let rest = words.rest()
      matches.append(.unknown(rest.isEmpty ? "-m \(module)" : "-m \(module) \(rest)"))
    }
  }

  private mutating func option(_ word: String, of module: String, negated: Bool, _ words: inout NetfilterWords)
    throws(NetfilterWords.Fault)
  {
    switch word {
    case "--comment": matches.append(.comment(try words.value(of: word)))
    case "--dport", "--sport":
      let test = try PortTest(text: try words.value(of: word), negated: negated)
      guard case .ports(let transport, let source, let destination)? = matches.last else {
        throw NetfilterWords.Fault("\(word) without -m tcp or udp")
      }
      matches[matches.count - 1] =
        word == "--dport"
        ? .ports(transport, source: source, destination: test)
        : .ports(transport, source: test, destination: destination)
    case "--src-type", "--dst-type", "--limit-iface-in", "--limit-iface-out":
      guard case .addressKind(var source, var destination, var input, var output)? = matches.last else {
        throw NetfilterWords.Fault("\(word) without -m addrtype")
      }
      switch word {
      case "--limit-iface-in": input = true
      case "--limit-iface-out": output = true
      default:
        let names = try words.value(of: word).split(separator: ",")
        let test = KindTest(kinds: names.compactMap { Route.Kind(rawValue: $0.lowercased()) }, isNegated: negated)
        if word == "--src-type" { source = test } else { destination = test }
      }
      matches[matches.count - 1] = .addressKind(source: source, destination: destination, input: input, output: output)
    case "--mark":
      let (value, mask) = try NetfilterRule.masked(try words.value(of: word))
      matches.append(
        module == "connmark"
          ? .connectionMark(value, mask: mask, negated: negated) : .mark(value, mask: mask, negated: negated))
    case "--ctstate", "--state":
      let states = try words.value(of: word).split(separator: ",").compactMap { State(rawValue: String($0)) }
      matches.append(.state(states, negated: negated))
    case "--mode": _ = try words.value(of: word)
    case "--probability":
      guard let value = Double(try words.value(of: word)) else { throw NetfilterWords.Fault("no probability") }
      matches.append(.random(UInt32((value * 2_147_483_648).rounded())))
    default:
      if module == "recent" {
        try recent(word, negated: negated, &words)
      } else {
        let rest = words.rest()
        matches.append(.unknown((negated ? "! " : "") + (rest.isEmpty ? word : "\(word) \(rest)")))
      }
    }
  }

  private mutating func recent(_ word: String, negated: Bool, _ words: inout NetfilterWords)
    throws(NetfilterWords.Fault)
  {
    guard case .recent(var name, var operation, var isNegated)? = matches.last else {
      throw NetfilterWords.Fault("\(word) without -m recent")
    }
    switch word {
    case "--name": name = try words.value(of: word)
    case "--set": operation = .set
    case "--rcheck": operation = .check(seconds: nil, reap: false)
    case "--update": operation = .update(seconds: nil, reap: false)
    case "--seconds", "--reap":
      let seconds = word == "--seconds" ? Int(try words.value(of: word)) : nil
      switch operation {
      case .check(let old, let reap): operation = .check(seconds: seconds ?? old, reap: reap || seconds == nil)
      case .update(let old, let reap): operation = .update(seconds: seconds ?? old, reap: reap || seconds == nil)
      case .set: break
      }
    case "--mask": _ = try words.value(of: word)
    case "--rsource": break
    default: throw NetfilterWords.Fault("\(word) of -m recent isn't modelled")
    }
    if negated { isNegated = true }
    matches[matches.count - 1] = .recent(name, operation, negated: isNegated)
  }

  static func masked(_ text: String) throws(NetfilterWords.Fault) -> (UInt32, UInt32) {
    let parts = text.split(separator: "/")
    guard let value = parts.first.flatMap({ number($0) }) else { throw NetfilterWords.Fault("\(text) is no mark") }
    return (value, parts.count > 1 ? number(parts[1]) ?? 0xffff_ffff : 0xffff_ffff)
  }

  static func number(_ text: Substring) -> UInt32? {
    text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
  }
}

extension NetfilterRule.PortTest {
  init(text: String, negated: Bool) throws(NetfilterWords.Fault) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let low = parts[0].isEmpty ? 0 : UInt16(parts[0])
    let high = parts.count < 2 ? low : parts[1].isEmpty ? 65535 : UInt16(parts[1])
    guard let low, let high else { throw NetfilterWords.Fault("\(text) is no port") }
    self.init(low, high, negated: negated)
  }
}

extension NetfilterRule.Target {
  init(_ name: String, isJump: Bool, _ words: inout NetfilterWords) throws(NetfilterWords.Fault) {
    let options = words.tail()
    let parts = options.split(separator: " ").map(String.init)
    func value(_ option: String) -> String? {
      parts.firstIndex(of: option).flatMap { $0 + 1 < parts.count ? parts[$0 + 1] : nil }
    }
    func mark(_ option: String) throws(NetfilterWords.Fault) -> (UInt32, UInt32)? {
      guard let text = value(option) else { return nil }
      return try NetfilterRule.masked(text)
    }
    let isRandom = parts.contains("--random-fully") || parts.contains("--random")
    switch name {
    case "ACCEPT": self = .accept
    case "DROP": self = .drop
    case "RETURN": self = .returns
    case "REJECT": self = .reject(value("--reject-with") ?? "icmp-port-unreachable")
    case "LOG", "NFLOG": self = .none(options.isEmpty ? "-j \(name)" : "-j \(name) \(options)")
    case "MASQUERADE": self = .masquerade(random: isRandom)
    case "MARK":
      if let (value, mask) = try mark("--set-xmark") {
        self = .mark(value, mask: mask)
      } else if let (value, mask) = try mark("--set-mark") {
        self = .mark(value, mask: value | mask)
      } else if let (value, _) = try mark("--or-mark") {
        self = .mark(value, mask: value)
      } else if let (value, _) = try mark("--xor-mark") {
        self = .mark(value, mask: 0)
      } else if let (value, _) = try mark("--and-mark") {
        self = .mark(0, mask: ~value)
      } else {
        self = .unknown("-j MARK \(options)")
      }
    case "CONNMARK":
      let mask = try value("--mask").map { text throws(NetfilterWords.Fault) in try NetfilterRule.masked(text).0 }
      let packet = try value("--nfmask").map { text throws(NetfilterWords.Fault) in try NetfilterRule.masked(text).0 }
      let connection = try value("--ctmask").map { text throws(NetfilterWords.Fault) in
        try NetfilterRule.masked(text).0
      }
      if parts.contains("--restore-mark") {
        self = .restoreMark(
          packet: packet ?? mask ?? 0xffff_ffff, connection: connection ?? mask ?? 0xffff_ffff)
      } else if parts.contains("--save-mark") {
        self = .saveMark(packet: packet ?? mask ?? 0xffff_ffff, connection: connection ?? mask ?? 0xffff_ffff)
      } else if let (value, mask) = try mark("--set-xmark") {
        self = .setConnectionMark(value, mask: mask)
      } else if let (value, mask) = try mark("--set-mark") {
        self = .setConnectionMark(value, mask: value | mask)
      } else {
        self = .unknown("-j CONNMARK \(options)")
      }
    case "DNAT":
      let text = (value("--to-destination") ?? "").split(separator: ":")
      guard let address = text.first.flatMap({ IPv4Address($0) }), text.count < 3 else {
        self = .unknown("-j DNAT \(options)")
        return
      }
      self = .dnat(address, text.count == 2 ? UInt16(text[1]) : nil)
    case "SNAT":
      guard let address = value("--to-source").flatMap({ IPv4Address($0) }) else {
        self = .unknown("-j SNAT \(options)")
        return
      }
      self = .snat(address, random: isRandom)
    case "CT", "REDIRECT", "TPROXY", "NFQUEUE", "TEE", "QUEUE", "NOTRACK", "CONNSECMARK", "SECMARK", "TCPMSS":
      self = .unknown(options.isEmpty ? "-j \(name)" : "-j \(name) \(options)")
    default: self = isJump ? .jump(name) : .go(name)
    }
  }
}
