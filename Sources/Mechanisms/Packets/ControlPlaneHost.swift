package import Wire

/// The machines of a cluster's API servers, as far as their own networks matter: a bridge of theirs has the block
/// 172.17.0.0/16, and connections to addresses in it never leave them.
///
/// Source: EKS user guide, troubleshooting, "Container runtime network not ready" ff. and VPC requirements.
package enum ControlPlaneHost {
  package static let bridge = CIDR("172.17.0.0/16")!

  /// Whether the machine behind an interface has a connection's destination for its own.
  static func keeps(_ packet: Packet, from holder: Fabric.Holder) -> Bool {
    guard bridge.contains(packet.destination), !packet.flags.contains(.ack), case .service(let name) = holder else {
      return false
    }
    return name.hasPrefix("Amazon EKS ")
  }
}
