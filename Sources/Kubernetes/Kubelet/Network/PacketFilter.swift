import Mechanisms
import Wire

/// A filter expression of tcpdump: hosts, networks, ports and protocols, put together by `and`, `or`, `not` and
/// parentheses.
struct PacketFilter {
  private indirect enum Node {
    case all
    case transport(Transport)
    case host(IPv4Address, side: Side)
    case net(CIDR, side: Side)
    case ports(ClosedRange<UInt16>, side: Side)
    case not(Node)
    case and(Node, Node)
    case or(Node, Node)
  }

  private enum Side { case source, destination, either }

  private let node: Node

  /// Nil where the words make no expression that is known here.
  init?(_ words: [String]) {
    let spaced = words.joined(separator: " ").replacing("(", with: " ( ").replacing(")", with: " ) ")
    var parser = Parser(words: spaced.split(separator: " ").map(String.init)[...])
    guard !parser.words.isEmpty else {
      node = .all
      return
    }
    guard let found = parser.expression(), parser.words.isEmpty else { return nil }
    node = found
  }

  func takes(_ key: FlowKey) -> Bool { Self.takes(key, node) }

  private static func takes(_ key: FlowKey, _ node: Node) -> Bool {
    func either<T>(_ side: Side, _ source: T, _ destination: T, _ test: (T) -> Bool) -> Bool {
      switch side {
      case .source: test(source)
      case .destination: test(destination)
      case .either: test(source) || test(destination)
      }
    }
    switch node {
    case .all: return true
    case .transport(let wanted): return key.transport == wanted
    case .host(let address, let side): return either(side, key.source, key.destination) { $0 == address }
    case .net(let block, let side): return either(side, key.source, key.destination) { block.contains($0) }
    case .ports(let range, let side):
      return key.transport.hasPorts && either(side, key.sourcePort, key.destinationPort) { range.contains($0) }
    case .not(let inner): return !takes(key, inner)
    case .and(let a, let b): return takes(key, a) && takes(key, b)
    case .or(let a, let b): return takes(key, a) || takes(key, b)
    }
  }

  private struct Parser {
    var words: ArraySlice<String>

    mutating func expression() -> Node? {
      guard var left = term() else { return nil }
      while let word = words.first, ["and", "&&", "or", "||"].contains(word) {
        words.removeFirst()
        guard let right = term() else { return nil }
        left = word == "and" || word == "&&" ? .and(left, right) : .or(left, right)
      }
      return left
    }

    private mutating func term() -> Node? {
      guard let word = words.popFirst() else { return nil }
      switch word {
      case "not", "!": return term().map { .not($0) }
      case "(":
        let inner = expression()
        return words.popFirst() == ")" ? inner : nil
      case "ip": return words.isEmpty || ["and", "or", ")"].contains(words.first!) ? .all : term()
      case "tcp", "udp", "icmp":
        guard let transport = Transport(name: word) else { return nil }
        if let next = words.first, ["port", "portrange", "src", "dst"].contains(next) {
          return term().map { .and(.transport(transport), $0) }
        }
        return .transport(transport)
      case "src": return primitive(.source)
      case "dst": return primitive(.destination)
      default:
        words = ArraySlice([word] + words)
        return primitive(.either)
      }
    }

    private mutating func primitive(_ side: Side) -> Node? {
      guard var kind = words.popFirst() else { return nil }
      if IPv4Address(kind) != nil {
        words = ArraySlice([kind] + words)
        kind = "host"
      }
      guard let value = words.popFirst() else { return nil }
      switch kind {
      case "host": return IPv4Address(value).map { .host($0, side: side) }
      case "net": return (CIDR(value) ?? CIDR(value + "/32")).map { .net($0, side: side) }
      case "port": return (UInt16(value) ?? (value == "domain" ? 53 : nil)).map { .ports($0...$0, side: side) }
      case "portrange":
        let ends = value.split(separator: "-").compactMap { UInt16($0) }
        return ends.count == 2 && ends[0] <= ends[1] ? .ports(ends[0]...ends[1], side: side) : nil
      default: return nil
      }
    }
  }
}
