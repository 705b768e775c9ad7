package import Wire

/// The listeners that the local EKS asks for; the Gateway behind the command line opens them.
package protocol Doors: Sendable {
  /// Opens a listener on loopback (or on the given address) and returns its port. Port 0 takes any.
  func open(_ door: DoorRequest, handler: any HTTPHandler) throws -> Int
  func close(_ door: String)
}

package struct DoorRequest: Sendable {
  /// Name that requests carry as ``HTTPRequest/door``: `aws`, `cluster/<id>`.
  package var door: String
  package var port: Int
  package var tls: TLSIdentity?

  package init(door: String, port: Int, tls: TLSIdentity? = nil) {
    self.door = door
    self.port = port
    self.tls = tls
  }
}

/// What a TLS listener shows, and whose client certificates it believes. All PEM.
package struct TLSIdentity: Sendable {
  package var certificateChain: String
  package var privateKey: String
  package var clientRoots: String

  package init(certificateChain: String, privateKey: String, clientRoots: String) {
    self.certificateChain = certificateChain
    self.privateKey = privateKey
    self.clientRoots = clientRoots
  }
}
