import Gateway
import Local
import Synchronization
import Wire

/// Opens the doors that the local EKS asks for.
final class GatewayDoors: Doors {
  private let gateway: Gateway
  private let addresses: [String]
  private let listeners = Mutex<[String: Listener]>([:])

  init(gateway: Gateway, addresses: [String]) {
    self.gateway = gateway
    self.addresses = addresses
  }

  func open(_ door: DoorRequest, handler: any HTTPHandler) throws -> Int {
    var options = ListenerOptions()
    // kube-apiserver's limit of a request.
    if door.tls != nil { options.bodyLimit = 3 << 20 }
    let tls = door.tls.map {
      ListenerTLS(
        certificateChain: Array($0.certificateChain.utf8), privateKey: Array($0.privateKey.utf8),
        clientAuthorities: Array($0.clientRoots.utf8))
    }
    let listener = try gateway.listen(
      door: door.door, addresses: addresses, port: door.port, tls: tls, options: options, handler: handler)
    listeners.withLock { $0[door.door] = listener }
    return listener.port
  }

  func close(_ door: String) {
    listeners.withLock { $0.removeValue(forKey: door) }?.close()
  }
}
