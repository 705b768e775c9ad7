import Mechanisms
import Wire
import World

/// Which addresses of a subnet are taken.
///
/// EC2 doesn't say how it chooses; here an address is chosen by the world's chance, so that a subnet
/// fragments as a real one does.
struct SubnetOccupancy {
  let block: CIDR
  private var taken: Set<UInt32> = []

  init(_ block: CIDR) { self.block = block }

  /// The first four addresses and the last are AWS's own.
  static let reserved = SubnetSpace.reserved

  private var first: UInt32 { block.base.bits + 4 }
  private var usable: Int { max(0, block.count - Self.reserved) }
  var free: Int { usable - taken.count }

  func isUsable(_ address: IPv4Address) -> Bool {
    block.contains(address) && address.bits >= first && address.bits < block.last.bits
  }
  func isTaken(_ address: IPv4Address) -> Bool { taken.contains(address.bits) }

  mutating func take(_ interface: NetworkInterface) {
    for text in [interface.primary] + interface.secondaries { if let address = IPv4Address(text) { take(address) } }
    for text in interface.prefixes { if let prefix = CIDR(text) { take(prefix) } }
  }
  mutating func take(_ address: IPv4Address) { taken.insert(address.bits) }
  mutating func take(_ prefix: CIDR) { for offset in 0..<prefix.count { take(prefix.base + offset) } }

  mutating func release(_ interface: NetworkInterface) {
    for text in [interface.primary] + interface.secondaries { if let address = IPv4Address(text) { release(address) } }
    for text in interface.prefixes { if let prefix = CIDR(text) { release(prefix) } }
  }
  mutating func release(_ address: IPv4Address) { taken.remove(address.bits) }
  mutating func release(_ prefix: CIDR) { for offset in 0..<prefix.count { release(prefix.base + offset) } }

  /// Takes an address: any free one, by chance. Nil when none is left.
  mutating func takeAny(_ chance: (Int) -> Int) -> IPv4Address? {
    guard free > 0 else { return nil }
    let start = chance(usable)
    for step in 0..<usable {
      let address = IPv4Address(bits: first + UInt32((start + step) % usable))
      if !isTaken(address) {
        take(address)
        return address
      }
    }
    return nil
  }

  /// Takes a /28 that is aligned and wholly free, outside AWS's own addresses. Nil when there is none.
  mutating func takePrefix(_ chance: (Int) -> Int) -> CIDR? {
    guard block.length <= 28 else { return nil }
    let count = 1 << (28 - block.length)
    let start = chance(count)
    for step in 0..<count {
      let prefix = CIDR(block.base + ((start + step) % count) * 16, length: 28)
      if isFree(prefix) {
        take(prefix)
        return prefix
      }
    }
    return nil
  }

  func isFree(_ prefix: CIDR) -> Bool {
    (0..<prefix.count).allSatisfy { offset in
      let address = prefix.base + offset
      return isUsable(address) && !isTaken(address)
    }
  }
}
