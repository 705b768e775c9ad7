import Wire

extension NetfilterRule {
  /// What follows the chain's name in a line of `iptables-save`, with a space before it.
  package var text: String {
    var out = ""
    func not(_ negated: Bool) -> String { negated ? " !" : "" }
    if let source { out += "\(not(source.isNegated)) -s \(source.block)" }
    if let destination { out += "\(not(destination.isNegated)) -d \(destination.block)" }
    if let input { out += "\(not(input.isNegated)) -i \(input.text)" }
    if let output { out += "\(not(output.isNegated)) -o \(output.text)" }
    if let transport { out += "\(not(transport.isNegated)) -p \(transport.transport)" }
    for match in matches { out += " " + match.text }
    let target = target.text
    if !target.isEmpty { out += " " + target }
    return out
  }

  static func hexadecimal(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }

  /// `0x80/0x80`, the mask left out where it is full.
  static func masked(_ value: UInt32, _ mask: UInt32) -> String {
    mask == 0xffff_ffff ? hexadecimal(value) : "\(hexadecimal(value))/\(hexadecimal(mask))"
  }

  /// As iptables quotes comments: where there is anything but letters, digits, `_` and `-`.
  static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
      default: byte == 0x5f || byte == 0x2d
      }
    }
    if isPlain, !text.isEmpty { return text }
    var out = "\""
    for character in text {
      if "\"\\'".contains(character) { out.append("\\") }
      out.append(character)
    }
    return out + "\""
  }
}

extension NetfilterRule.Match {
  package var text: String {
    func not(_ negated: Bool) -> String { negated ? "! " : "" }
    func kinds(_ test: NetfilterRule.KindTest) -> String {
      test.kinds.map { $0.rawValue.uppercased() }.joined(separator: ",")
    }
    func ports(_ test: NetfilterRule.PortTest) -> String {
      test.low == test.high ? "\(test.low)" : "\(test.low):\(test.high)"
    }
    switch self {
    case .comment(let text): return "-m comment --comment \(NetfilterRule.quoted(text))"
    case .ports(let transport, let source, let destination):
      var out = "-m \(transport)"
      if let source { out += " \(not(source.isNegated))--sport \(ports(source))" }
      if let destination { out += " \(not(destination.isNegated))--dport \(ports(destination))" }
      return out
    case .addressKind(let source, let destination, let input, let output):
      var out = "-m addrtype"
      if let source { out += " \(not(source.isNegated))--src-type \(kinds(source))" }
      if let destination { out += " \(not(destination.isNegated))--dst-type \(kinds(destination))" }
      if input { out += " --limit-iface-in" }
      if output { out += " --limit-iface-out" }
      return out
    case .mark(let value, let mask, let negated):
      return "-m mark \(not(negated))--mark \(NetfilterRule.masked(value, mask))"
    case .connectionMark(let value, let mask, let negated):
      return "-m connmark \(not(negated))--mark \(NetfilterRule.masked(value, mask))"
    case .state(let states, let negated):
      return "-m conntrack \(not(negated))--ctstate \(states.map(\.rawValue).joined(separator: ","))"
    case .random(let parts): return "-m statistic --mode random --probability \(Self.probability(parts))"
    case .recent(let name, let operation, let negated):
      var out = "-m recent \(not(negated))"
      switch operation {
      case .set: out += "--set"
      case .check(let seconds, let reap): out += "--rcheck" + Self.within(seconds, reap)
      case .update(let seconds, let reap): out += "--update" + Self.within(seconds, reap)
      }
      return out + " --name \(name) --mask 255.255.255.255 --rsource"
    case .unknown(let text): return text
    }
  }

  private static func within(_ seconds: Int?, _ reap: Bool) -> String {
    (seconds.map { " --seconds \($0)" } ?? "") + (reap ? " --reap" : "")
  }

  /// Eleven digits, as iptables prints what the kernel keeps.
  static func probability(_ parts: UInt32) -> String {
    let whole: UInt64 = 100_000_000_000
    let product = UInt64(parts).multipliedFullWidth(by: whole)
    let half = product.low.addingReportingOverflow(1 << 30)
    let scaled = (product.high + (half.overflow ? 1 : 0)) << 33 | half.partialValue >> 31
    let digits = String(scaled % whole)
    return "\(scaled / whole)." + String(repeating: "0", count: 11 - digits.count) + digits
  }
}

extension NetfilterRule.Target {
  package var text: String {
    switch self {
    case .accept: return "-j ACCEPT"
    case .drop: return "-j DROP"
    case .returns: return "-j RETURN"
    case .reject(let with): return "-j REJECT --reject-with \(with)"
    case .jump(let chain): return "-j \(chain)"
    case .go(let chain): return "-g \(chain)"
    case .mark(let value, let mask):
      return "-j MARK --set-xmark \(NetfilterRule.hexadecimal(value))/\(NetfilterRule.hexadecimal(mask))"
    case .setConnectionMark(let value, let mask):
      return "-j CONNMARK --set-xmark \(NetfilterRule.hexadecimal(value))/\(NetfilterRule.hexadecimal(mask))"
    case .restoreMark(let packet, let connection):
      return
        "-j CONNMARK --restore-mark --nfmask \(NetfilterRule.hexadecimal(packet)) --ctmask \(NetfilterRule.hexadecimal(connection))"
    case .saveMark(let packet, let connection):
      return
        "-j CONNMARK --save-mark --nfmask \(NetfilterRule.hexadecimal(packet)) --ctmask \(NetfilterRule.hexadecimal(connection))"
    case .dnat(let address, let port): return "-j DNAT --to-destination \(address)" + (port.map { ":\($0)" } ?? "")
    case .snat(let address, let random): return "-j SNAT --to-source \(address)" + (random ? " --random-fully" : "")
    case .masquerade(let random): return "-j MASQUERADE" + (random ? " --random-fully" : "")
    case .none(let text), .unknown(let text): return text
    }
  }
}
