import NIOCore
import Wire

/// What all requests of one connection share.
struct Connection: Sendable {
  var door: String
  var remoteAddress: String
  var isTLS: Bool
  var isHTTP2 = false
  var certificate: CertificateSubject?
  var handler: any HTTPHandler
  var options: ListenerOptions
}
