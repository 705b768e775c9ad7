/// The text form of IPv6 addresses.
package enum IPv6Text {
  package static func isValid(_ text: String) -> Bool {
    guard text.contains(":"), text.utf8.count <= 45 else { return false }
    let halves = text.split(separator: "::", omittingEmptySubsequences: false).map(String.init)
    guard halves.count <= 2 else { return false }
    var groups = 0
    for (index, half) in halves.enumerated() where !half.isEmpty {
      let parts = half.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      for (place, part) in parts.enumerated() {
        if index == halves.count - 1, place == parts.count - 1, IPv4Address(part) != nil {
          groups += 2
        } else if (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexadecimal) {
          groups += 1
        } else {
          return false
        }
      }
    }
    return halves.count == 2 ? groups < 8 : groups == 8
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
  }
}
