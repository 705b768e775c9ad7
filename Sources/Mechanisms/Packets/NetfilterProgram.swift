import Wire

/// Netfilter's tables laid out for packets: plain numbers in flat arrays.
struct NetfilterProgram: Sendable {
  enum Hook: Int { case prerouting, input, forward, output, postrouting }
  enum TableIndex: Int { case raw, mangle, nat, filter }

  struct Rule: Sendable {
    var source: UInt32 = 0, sourceMask: UInt32 = 0, destination: UInt32 = 0, destinationMask: UInt32 = 0
    var negates: UInt8 = 0
    var transport: UInt8 = 0
    /// Places of the tests in `interfaceTests`; -1 none.
    var input: Int16 = -1
    var output: Int16 = -1
    var firstMatch: Int32 = 0
    var matchCount: Int32 = 0
    var target: Target = .none
    var a: UInt32 = 0
    var b: UInt32 = 0
  }

  enum Target: UInt8, Sendable {
    case none, accept, drop, returns, reject, jump, go, mark, setConnectionMark, restoreMark, saveMark, dnat, snat
    case masquerade, unknown
  }

  struct Match: Sendable {
    enum Kind: UInt8, Sendable { case ports, addressKind, mark, connectionMark, state, random, recent, unknown }
    var kind: Kind
    var negated = false
    var a: UInt32 = 0
    var b: UInt32 = 0
    var c: UInt32 = 0
    var d: UInt32 = 0
  }

  struct Chain: Sendable {
    var first: Int32
    var count: Int32
    /// What becomes of a packet that no rule decides about: nil goes back to the caller.
    var accepts: Bool?
  }

  private(set) var chains: [Chain] = []
  private(set) var rules: [Rule] = []
  private(set) var matches: [Match] = []
  private(set) var recentNames: [String] = []
  /// Table and chain of each rule, for telling.
  private(set) var origins: [(table: Int, chain: Int, rule: Int)] = []
  /// Chain to begin with, by table and hook; -1 none.
  private var entry: [Int32] = Array(repeating: -1, count: 20)
  /// For each test of an interface's name, whether each interface meets it.
  private var interfaceTests: [[Bool]] = []
  private(set) var isEmpty = true

  func entry(_ table: TableIndex, _ hook: Hook) -> Int { Int(entry[table.rawValue * 5 + hook.rawValue]) }

  init() {}

  init(_ netfilter: Netfilter, interfaces: [Interface]) {
    for (place, name) in Netfilter.tableNames.enumerated() { add(netfilter[table: name], place, interfaces) }
    isEmpty = rules.isEmpty && !chains.contains { $0.accepts == false }
  }

  func admits(_ test: Int16, _ interface: Int) -> Bool { interface >= 0 && interfaceTests[Int(test)][interface] }

  private mutating func add(_ table: Netfilter.Table, _ place: Int, _ interfaces: [Interface]) {
    let base = chains.count
    var indexes: [String: Int] = [:]
    for (index, chain) in table.chains.enumerated() { indexes[chain.name] = base + index }
    for (index, chain) in table.chains.enumerated() {
      chains.append(Chain(first: Int32(rules.count), count: Int32(chain.rules.count), accepts: chain.accepts))
      for (number, rule) in chain.rules.enumerated() {
        origins.append((place, index, number))
        rules.append(compiled(rule, chains: indexes, interfaces))
      }
    }
    for (hook, name) in ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].enumerated() {
      if let chain = indexes[name], table.chains[chain - base].accepts != nil { entry[place * 5 + hook] = Int32(chain) }
    }
  }

  private mutating func test(_ test: NetfilterRule.InterfaceTest?, _ interfaces: [Interface]) -> Int16 {
    guard let test else { return -1 }
    let row = interfaces.map { test.admits($0.name) }
    if let found = interfaceTests.firstIndex(of: row) { return Int16(found) }
    interfaceTests.append(row)
    return Int16(interfaceTests.count - 1)
  }

  private mutating func compiled(_ rule: NetfilterRule, chains: [String: Int], _ interfaces: [Interface]) -> Rule {
    var out = Rule()
    if let test = rule.source {
      out.source = test.block.base.bits
      out.sourceMask = CIDR.mask(test.block.length)
      if test.isNegated { out.negates |= 1 }
    }
    if let test = rule.destination {
      out.destination = test.block.base.bits
      out.destinationMask = CIDR.mask(test.block.length)
      if test.isNegated { out.negates |= 2 }
    }
    if let test = rule.transport {
      out.transport = test.transport.rawValue
      if test.isNegated { out.negates |= 4 }
    }
    out.input = test(rule.input, interfaces)
    out.output = test(rule.output, interfaces)
    out.firstMatch = Int32(matches.count)
    for match in rule.matches { if let compiled = compiled(match) { matches.append(compiled) } }
    out.matchCount = Int32(matches.count) - out.firstMatch
    switch rule.target {
    case .accept: out.target = .accept
    case .drop: out.target = .drop
    case .returns: out.target = .returns
    case .reject: out.target = .reject
    case .jump(let name), .go(let name):
      if let chain = chains[name] {
        if case .go = rule.target { out.target = .go } else { out.target = .jump }
        out.a = UInt32(chain)
      } else {
        out.target = .unknown
      }
    case .mark(let value, let mask): (out.target, out.a, out.b) = (.mark, value, mask)
    case .setConnectionMark(let value, let mask): (out.target, out.a, out.b) = (.setConnectionMark, value, mask)
    case .restoreMark(let packet, let connection): (out.target, out.a, out.b) = (.restoreMark, packet, connection)
    case .saveMark(let packet, let connection): (out.target, out.a, out.b) = (.saveMark, packet, connection)
    case .dnat(let address, let port): (out.target, out.a, out.b) = (.dnat, address.bits, UInt32(port ?? 0))
    case .snat(let address, let random): (out.target, out.a, out.b) = (.snat, address.bits, random ? 1 : 0)
    case .masquerade(let random): (out.target, out.b) = (.masquerade, random ? 1 : 0)
    case .none: out.target = .none
    case .unknown: out.target = .unknown
    }
    return out
  }

  private mutating func compiled(_ match: NetfilterRule.Match) -> Match? {
    func range(_ test: NetfilterRule.PortTest?) -> UInt32 {
      test.map { UInt32($0.low) << 16 | UInt32($0.high) } ?? 0xffff
    }
    func kinds(_ test: NetfilterRule.KindTest?) -> UInt32 {
      guard let test else { return 0 }
      var bits: UInt32 = 0
      for kind in test.kinds { bits |= NetfilterProgram.bit(kind) }
      return test.isNegated ? bits | 0x8000_0000 : bits
    }
    switch match {
    case .comment: return nil
    case .ports(let transport, let source, let destination):
      let flags: UInt32 = (source?.isNegated == true ? 1 : 0) | (destination?.isNegated == true ? 2 : 0)
      return Match(
        kind: .ports, a: range(source), b: range(destination), c: flags, d: UInt32(transport.rawValue))
    case .addressKind(let source, let destination, let input, let output):
      return Match(
        kind: .addressKind, a: kinds(source), b: kinds(destination), c: (input ? 1 : 0) | (output ? 2 : 0))
    case .mark(let value, let mask, let negated): return Match(kind: .mark, negated: negated, a: value, b: mask)
    case .connectionMark(let value, let mask, let negated):
      return Match(kind: .connectionMark, negated: negated, a: value, b: mask)
    case .state(let states, let negated):
      var bits: UInt32 = 0
      for state in states { bits |= state.bit }
      return Match(kind: .state, negated: negated, a: bits)
    case .random(let parts): return Match(kind: .random, a: parts)
    case .recent(let name, let operation, let negated):
      let place: Int
      if let found = recentNames.firstIndex(of: name) {
        place = found
      } else {
        place = recentNames.count
        recentNames.append(name)
      }
      switch operation {
      case .set: return Match(kind: .recent, negated: negated, a: UInt32(place), b: 0)
      case .check(let seconds, let reap):
        return Match(
          kind: .recent, negated: negated, a: UInt32(place), b: 1, c: UInt32(seconds ?? 0), d: reap ? 1 : 0)
      case .update(let seconds, let reap):
        return Match(
          kind: .recent, negated: negated, a: UInt32(place), b: 2, c: UInt32(seconds ?? 0), d: reap ? 1 : 0)
      }
    case .unknown: return Match(kind: .unknown)
    }
  }

  static func bit(_ kind: Route.Kind) -> UInt32 {
    switch kind {
    case .unicast: 1
    case .local: 2
    case .broadcast: 4
    case .blackhole: 8
    case .unreachable: 16
    case .prohibit: 32
    }
  }
}
