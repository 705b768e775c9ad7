import Wire

extension Functions {
  static let addresses: [String: Body] = [
    "ip": { arguments, _ in
      switch arguments[0] {
      case .string(let text):
        address(text).map { .library(.ip($0)) } ?? .failure(addressFault(text))
      case .library(.cidr(let address, _)): .library(.ip(address))
      default: .noOverload()
      }
    },
    "isIP": { arguments, _ in text(arguments) { .bool(address($0) != nil) } },
    "ip.isCanonical": { arguments, _ in
      text(arguments) { text in address(text).map { .bool($0.text == text) } ?? .failure(addressFault(text)) }
    },
    "family": { arguments, _ in ip(arguments) { .int($0.isIPv4 ? 4 : 6) } },
    "isUnspecified": { arguments, _ in ip(arguments) { .bool($0.isUnspecified) } },
    "isLoopback": { arguments, _ in ip(arguments) { .bool($0.isLoopback) } },
    "isLinkLocalMulticast": { arguments, _ in ip(arguments) { .bool($0.isLinkLocalMulticast) } },
    "isLinkLocalUnicast": { arguments, _ in ip(arguments) { .bool($0.isLinkLocalUnicast) } },
    "isGlobalUnicast": { arguments, _ in ip(arguments) { .bool($0.isGlobalUnicast) } },
    "cidr": { arguments, _ in
      text(arguments) { text in
        guard let (address, length) = block(text) else { return .failure(blockFault(text)) }
        return .library(.cidr(address, length: length))
      }
    },
    "isCIDR": { arguments, _ in text(arguments) { .bool(block($0) != nil) } },
    "containsIP": { arguments, _ in
      guard case .library(.cidr(let base, let length)) = arguments[0] else { return .noOverload() }
      let other: IPAddress
      switch arguments[1] {
      case .library(.ip(let address)): other = address
      case .string(let text):
        guard let address = address(text) else { return .failure(addressFault(text)) }
        other = address
      default: return .noOverload()
      }
      return .bool(other.bytes.count == base.bytes.count && other.masked(length) == base.masked(length))
    },
    "containsCIDR": { arguments, _ in
      guard case .library(.cidr(let base, let length)) = arguments[0] else { return .noOverload() }
      let other: (IPAddress, Int)
      switch arguments[1] {
      case .library(.cidr(let address, let bits)): other = (address, bits)
      case .string(let text):
        guard let found = block(text) else { return .failure(blockFault(text)) }
        other = found
      default: return .noOverload()
      }
      return .bool(
        other.0.bytes.count == base.bytes.count && other.1 >= length && other.0.masked(length) == base.masked(length))
    },
    "masked": { arguments, _ in
      guard case .library(.cidr(let address, let length)) = arguments[0] else { return .noOverload() }
      return .library(.cidr(address.masked(length), length: length))
    },
    "prefixLength": { arguments, _ in
      guard case .library(.cidr(_, let length)) = arguments[0] else { return .noOverload() }
      return .int(Int64(length))
    },
  ]

  /// IPv4 inside of IPv6 and zones are not taken.
  private static func address(_ text: String) -> IPAddress? {
    guard let address = IPAddress(text), !address.isMapped else { return nil }
    return address
  }

  private static func addressFault(_ text: String) -> String {
    if IPAddress(text) != nil { return "IPv4-mapped IPv6 address is not allowed" }
    return "IP Address \(GoText.quote(text)) parse error during conversion from string: "
      + "ParseAddr(\(GoText.quote(text))): unable to parse IP"
  }

  private static func block(_ text: String) -> (IPAddress, Int)? {
    guard let slash = text.lastIndex(of: "/"), let address = address(String(text[..<slash])) else { return nil }
    let digits = text[text.index(after: slash)...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }), digits == "0" || !digits.hasPrefix("0"),
      let length = Int(digits), length <= address.bytes.count * 8
    else { return nil }
    return (address, length)
  }

  private static func blockFault(_ text: String) -> String {
    "network address parse error during conversion from string: network address parse error during conversion "
      + "from string: netip.ParsePrefix(\(GoText.quote(text))): \(text.contains("/") ? "bad bits after slash" : "no '/'")"
  }

  private static func ip(_ arguments: [Value], _ read: (IPAddress) -> Value) -> Value {
    guard case .library(.ip(let address)) = arguments[0] else { return .noOverload() }
    return read(address)
  }
}
