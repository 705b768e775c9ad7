import NIOHTTP2
import NIOSSL

/// A listener's side of TLS, made once for all of its connections.
struct ServerIdentity: Sendable {
  let context: NIOSSLContext
  let clients: ClientCertificates?

  init(_ tls: ListenerTLS) throws(GatewayError) {
    do {
      let chain = try NIOSSLCertificate.fromPEMBytes(tls.certificateChain)
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain.map { .certificate($0) },
        privateKey: .privateKey(try NIOSSLPrivateKey(bytes: tls.privateKey, format: .pem)))
      configuration.applicationProtocols = NIOHTTP2SupportedALPNProtocols
      clients = try tls.clientAuthorities.map { try ClientCertificates(pem: $0) }
      if let clients {
        configuration.trustRoots = .certificates(clients.trustRoots)
        configuration.sendCANameList = true
        configuration.certificateVerification = .optionalVerification
      }
      context = try NIOSSLContext(configuration: configuration)
    } catch {
      throw .badIdentity(String(describing: error))
    }
  }
}
