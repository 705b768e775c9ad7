package import Wire

/// What an instance meets on its way to a host.
package enum ConnectionObstacle: Sendable, Equatable {
  /// The VPC's resolver answers nothing.
  case noResolver
  case noSuchHost
  /// Packets to this address, or their answers, get lost.
  case silence(IPv4Address)

  /// As Go's net package says it.
  package func dialError(_ host: String, resolver: String, port: UInt16 = 443) -> String {
    switch self {
    case .noResolver: "dial tcp: lookup \(host) on \(resolver):53: read udp \(resolver):53: i/o timeout"
    case .noSuchHost: "dial tcp: lookup \(host) on \(resolver):53: no such host"
    case .silence(let address): "dial tcp \(address):\(port): i/o timeout"
    }
  }
}
