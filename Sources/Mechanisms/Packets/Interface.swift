package import Wire

/// A network interface of a stack.
package struct Interface: Sendable, Hashable {
  /// What the other end of it is.
  package enum Link: Sendable, Hashable {
    case loopback
    /// The other end of a veth pair.
    case peer(stack: Int, interface: Int)
    /// An ENI of the VPC, by its index there; a branch interface's VLAN too.
    case port(Int)
    /// Nothing beyond: a dummy.
    case none
  }

  package var name: String
  package var addresses: [CIDR.Host]
  package var link: Link
  /// 0 off, 1 strict, 2 loose; the stack's own setting counts too where it is higher.
  package var reversePathFilter: UInt8
  package var mac: UInt64
  package var isUp = true
  package var received = Traffic()
  package var sent = Traffic()

  /// What crossed an interface in one direction.
  package struct Traffic: Sendable, Hashable {
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
  }

  package init(
    _ name: String, addresses: [CIDR.Host] = [], link: Link = .none, reversePathFilter: UInt8 = 0, mac: UInt64 = 0
  ) {
    self.name = name
    self.addresses = addresses
    self.link = link
    self.reversePathFilter = reversePathFilter
    self.mac = mac
  }
}

extension CIDR {
  /// An address with the length of its network, `10.0.1.20/24`.
  package struct Host: Sendable, Hashable, CustomStringConvertible {
    package var address: IPv4Address
    package var length: Int

    package init(_ address: IPv4Address, length: Int = 32) {
      self.address = address
      self.length = length
    }

    package init?(_ text: String) {
      guard let block = CIDR(text), let address = IPv4Address(text.prefix { $0 != "/" }) else { return nil }
      self.init(address, length: block.length)
    }

    package var network: CIDR { CIDR(address, length: length) }
    package var description: String { "\(address)/\(length)" }
  }

  package static let everything = CIDR(IPv4Address(bits: 0), length: 0)
}
