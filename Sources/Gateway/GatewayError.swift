/// Why a listener could not be opened.
package enum GatewayError: Error, Hashable, CustomStringConvertible {
  /// Another socket listens there already.
  case portInUse(address: String, port: Int)
  /// The machine has no such address, for one: IPv6 is off.
  case addressUnavailable(address: String)
  /// The user may not listen there (ports below 1024).
  case notPermitted(address: String, port: Int)
  /// The certificate chain, key or trust roots could not be read.
  case badIdentity(String)
  /// No loopback port was free on all addresses at once.
  case noCommonPort(addresses: [String])
  case failed(address: String, errno: Int32)
  case closed

  package var description: String {
    switch self {
    case .portInUse(let address, let port): "port \(port) on \(address) is in use"
    case .addressUnavailable(let address): "\(address) is not an address of this machine"
    case .notPermitted(let address, let port): "may not listen on port \(port) of \(address)"
    case .badIdentity(let why): "TLS identity: \(why)"
    case .noCommonPort(let addresses): "no port is free on all of \(addresses.joined(separator: ", "))"
    case .failed(let address, let errno): "listening on \(address) failed with errno \(errno)"
    case .closed: "the gateway is shut down"
    }
  }
}
