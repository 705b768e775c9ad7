package import Wire

/// The rules of a stack's netfilter tables, as `iptables-save` prints them.
package struct Netfilter: Sendable, Hashable {
  /// In the order in which packets meet them.
  package static let tableNames = ["raw", "mangle", "nat", "filter"]

  package struct Table: Sendable, Hashable {
    package var name: String
    package var chains: [Chain]

    package subscript(chain name: String) -> Int? { chains.firstIndex { $0.name == name } }
  }

  package struct Chain: Sendable, Hashable {
    package var name: String
    /// Whether what matches no rule is accepted; nil for a chain that rules jump to.
    package var accepts: Bool?
    package var rules: [NetfilterRule]

    package init(_ name: String, accepts: Bool? = nil, rules: [NetfilterRule] = []) {
      self.name = name
      self.accepts = accepts
      self.rules = rules
    }
  }

  package var tables: [Table]

  /// The chains that the kernel calls, empty.
  package init() {
    tables = Netfilter.tableNames.map { name in
      Table(name: name, chains: Netfilter.builtIn(name).map { Chain($0, accepts: true) })
    }
  }

  static func builtIn(_ table: String) -> [String] {
    switch table {
    case "raw": ["PREROUTING", "OUTPUT"]
    case "mangle": ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]
    case "nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]
    default: ["INPUT", "FORWARD", "OUTPUT"]
    }
  }

  package subscript(table name: String) -> Table {
    get { tables.first { $0.name == name } ?? Table(name: name, chains: []) }
    set {
      if let at = tables.firstIndex(where: { $0.name == name }) {
        tables[at] = newValue
      } else {
        tables.append(newValue)
      }
    }
  }

  /// Adds a rule at the end of a chain, or before all its rules; the chain is made where there is none.
  package mutating func add(_ rule: NetfilterRule, table: String, chain: String, first: Bool = false) {
    guard let at = tables.firstIndex(where: { $0.name == table }) else { return }
    let place: Int
    if let found = tables[at][chain: chain] {
      place = found
    } else {
      place = tables[at].chains.count
      tables[at].chains.append(Chain(chain))
    }
    if first {
      tables[at].chains[place].rules.insert(rule, at: 0)
    } else {
      tables[at].chains[place].rules.append(rule)
    }
  }

  /// Makes an empty chain.
  package mutating func declare(_ chain: String, table: String) {
    guard let at = tables.firstIndex(where: { $0.name == table }), tables[at][chain: chain] == nil else { return }
    tables[at].chains.append(Chain(chain))
  }
}

/// One rule of a chain.
package struct NetfilterRule: Sendable, Hashable {
  package struct AddressTest: Sendable, Hashable {
    package var block: CIDR
    package var isNegated = false
  }

  package struct InterfaceTest: Sendable, Hashable {
    /// Without the `+` of a wildcard.
    package var name: String
    package var isPrefix = false
    package var isNegated = false

    package init(_ text: String, negated: Bool = false) {
      isPrefix = text.hasSuffix("+")
      name = isPrefix ? String(text.dropLast()) : text
      isNegated = negated
    }

    package var text: String { isPrefix ? name + "+" : name }

    package func admits(_ interface: String) -> Bool {
      (isPrefix ? interface.hasPrefix(name) : interface == name) != isNegated
    }
  }

  package struct TransportTest: Sendable, Hashable {
    package var transport: Transport
    package var isNegated = false
  }

  package struct PortTest: Sendable, Hashable {
    package var low: UInt16
    package var high: UInt16
    package var isNegated = false

    package init(_ low: UInt16, _ high: UInt16? = nil, negated: Bool = false) {
      self.low = low
      self.high = high ?? low
      isNegated = negated
    }
  }

  package struct KindTest: Sendable, Hashable {
    package var kinds: [Route.Kind]
    package var isNegated = false
  }

  package enum State: String, Sendable, Hashable, CaseIterable {
    case invalid = "INVALID"
    case new = "NEW"
    case related = "RELATED"
    case established = "ESTABLISHED"
    case untracked = "UNTRACKED"
    case snat = "SNAT"
    case dnat = "DNAT"

    var bit: UInt32 {
      switch self {
      case .invalid: 1
      case .new: 2
      case .related: 4
      case .established: 8
      case .untracked: 16
      case .snat: 32
      case .dnat: 64
      }
    }
  }

  package enum Recent: Sendable, Hashable {
    case set
    case check(seconds: Int?, reap: Bool)
    case update(seconds: Int?, reap: Bool)
  }

  package enum Match: Sendable, Hashable {
    case comment(String)
    case ports(Transport, source: PortTest?, destination: PortTest?)
    case addressKind(source: KindTest?, destination: KindTest?, input: Bool, output: Bool)
    case mark(UInt32, mask: UInt32, negated: Bool)
    case connectionMark(UInt32, mask: UInt32, negated: Bool)
    case state([State], negated: Bool)
    /// The probability in parts of 2³¹, as the kernel keeps it.
    case random(UInt32)
    case recent(String, Recent, negated: Bool)
    /// A match that isn't modelled: whether a packet meets it can't be told.
    case unknown(String)
  }

  package enum Target: Sendable, Hashable {
    case accept, drop, returns
    case reject(String)
    case jump(String)
    case go(String)
    /// mark = (mark & ~mask) ^ value
    case mark(UInt32, mask: UInt32)
    case setConnectionMark(UInt32, mask: UInt32)
    case restoreMark(packet: UInt32, connection: UInt32)
    case saveMark(packet: UInt32, connection: UInt32)
    case dnat(IPv4Address, UInt16?)
    case snat(IPv4Address, random: Bool)
    case masquerade(random: Bool)
    /// Counts only, or logs.
    case none(String)
    /// A target that isn't modelled.
    case unknown(String)
  }

  package var source: AddressTest?
  package var destination: AddressTest?
  package var input: InterfaceTest?
  package var output: InterfaceTest?
  package var transport: TransportTest?
  package var matches: [Match]
  package var target: Target

  package init(
    source: CIDR? = nil, destination: CIDR? = nil, input: InterfaceTest? = nil, output: InterfaceTest? = nil,
    transport: Transport? = nil, _ matches: [Match] = [], _ target: Target
  ) {
    self.source = source.map { AddressTest(block: $0) }
    self.destination = destination.map { AddressTest(block: $0) }
    self.input = input
    self.output = output
    self.transport = transport.map { TransportTest(transport: $0) }
    self.matches = matches
    self.target = target
  }

  package var comment: String? {
    for case .comment(let text) in matches { return text }
    return nil
  }
}
